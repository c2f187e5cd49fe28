#!/usr/bin/env python3
"""A client at an address to which the VIP's host has no route: with either plane it is answered
through its tunnel, and what is not for the tunnel still goes nowhere.
test-timeout: 120
"""

import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import vipsec
from vlab.core import KERNEL, Lab, now_ms, wait_until
from vlab.net import make_nat_router
from vlab.pair import CLEAR, PROTECTED, VIP4, VIP6, Pair, server_conf
from vlab.probes import Prober, Stream
from vlab.tap import check, main
from vlab.wire import Tap

VIPS = {4: VIP4, 6: VIP6}
INNER = {4: "10.8.0.2", 6: "fd08::2"}
OURS = "proto 154"


def make_client(lab, pair):
    """Behind a NAT, and so where the server knows no way to."""
    pair.switch.host.ip("link add inner type bridge forward_delay 0 stp_state 0",
                        "link set inner up")
    make_nat_router(lab, pair.switch, ("10.9.0.3/24", "fd09::3/64"),
                    ("10.8.0.1/24", "fd08::1/64"), "inner")
    host = vipsec.make_host(lab, "inner")
    pair.switch.plug(host, f"{INNER[4]}/24", f"{INNER[6]}/64", bridge="inner")
    host.ip("route add default via 10.8.0.1", "route add default via fd08::1")
    client = vipsec.Vipsec(host)
    client.configure(vipsec.peer_conf("inner.vlab.example", "tunnel", vips=VIPS.values()))
    return client


def way(pair, family, port):
    """Has what leaves from this port of the VIP a way to the client?"""
    return pair.s.ok(f"ip -{family} route get {INNER[family]} from {VIPS[family]} ipproto udp "
                     f"sport {port} dport 40000")


def of_ours(host):
    """Rules and routes."""
    shown = host.out("ip rule show; ip -6 rule show; ip route show table all; "
                     "ip -6 route show table all")
    return [line for line in shown.splitlines() if OURS in line]


def back(prober):
    start = now_ms()
    for family in VIPS:
        prober.wait_reply(family, start, 15)


def told(pair):
    """How often the daemon has put them back."""
    return pair.s.log("vipsecd.log").count(" steering: ")


def taken_away(tap, pair, prober, what, command):
    with tap.case(f"{what} are taken away by somebody: they are put back"):
        had, before = of_ours(pair.s), told(pair)
        found = next(line.split() for line in had if " lookup " in line)
        pair.s.run(command.format(rule=found[0].rstrip(":"),
                                  table=found[found.index("lookup") + 1]) + "; :")
        wait_until(lambda: told(pair) > before, 5, "the event")
        wait_until(lambda: len(of_ours(pair.s)) == len(had), 5, lambda: of_ours(pair.s))
        back(prober)


def body(tap):
    with Lab() as lab:
        pair = Pair(lab)
        client = make_client(lab, pair)
        tap.on_failure.append(lambda: pair.s.log("vipsecd.log")[-3000:]
                              + client.host.log("vipsecd.log")[-2000:]
                              + pair.s.out("ip rule; ip -6 rule"))
        before = of_ours(pair.s)
        pair.start_server(server_conf("tunnel"))
        pair.add_vip()
        pair.wait_bound()
        watches = [Tap(pair.switch.host, vip, [PROTECTED, CLEAR], ["p-s", "p-nat"], esp=True)
                   for vip in VIPS.values()]
        with tap.case("what a rule lets pass in clear, or no rule covers, has no way"):
            for family in VIPS:
                check(not way(pair, family, CLEAR), f"IPv{family}")
                check(not way(pair, family, 9), f"IPv{family}")
        client.start()
        prober = Prober(lab, [Stream(f, client.host, VIPS[f], PROTECTED) for f in VIPS])
        for family in VIPS:
            with tap.case(f"IPv{family}: what the tunnel covers is answered"):
                check(way(pair, family, PROTECTED), "a way")
                prober.wait_reply(family, now_ms(), 15)
        taken_away(tap, pair, prober, "rules", "for i in 1 2 3 4; do ip rule del pref {rule}; done")
        taken_away(tap, pair, prober, "routes", "ip route flush table {table}")
        before_move = told(pair)
        with tap.case("the VIP goes and comes back, after IPv6 has looked for it elsewhere"):
            pair.remove_vip()
            wait_until(lambda: pair.server.vip_state("web") == "absent", 10, "its absence")
            if KERNEL:  # the TUN's end in `prohibit`, and stay
                wait_until(lambda: not any(" table 452" in line for line in of_ours(pair.s)), 5,
                           "its ways to be gone")
            pair.add_vip(families=(4,))
            pair.s.ip(f"addr add {VIP6}/64 dev eth0")
            pair.s.run("vipsec reload")
            pair.wait_bound()
            back(prober)
            check(told(pair) == before_move, "nobody else was blamed")
        with tap.case("nothing was in clear"):
            clear = [seen for watch in watches for seen in watch.seen("udp")]
            check(not clear, clear[:3])
        prober.close()
        if KERNEL:
            with tap.case("a killed daemon's are taken away with its SAs and policies"):
                pair.s.signal("vipsecd", signal.SIGKILL)
                check(of_ours(pair.s) != before, "they outlive it")
                wait_until(lambda: pair.s.ok("vipsec flush"), 10, "vipsec flush")
                check(of_ours(pair.s) == before, of_ours(pair.s))
            pair.server.start()
            with tap.case("a daemon that stops takes them with it"):
                pair.server.stop()
                check(of_ours(pair.s) == before, of_ours(pair.s))


if __name__ == "__main__":
    main(body, vipsec.missing_programs)
