#!/usr/bin/env python3
"""Fifty moves of the VIP between two hosts, by `ip addr`: nothing piles up.
test-timeout: 180
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import vipsec
from vlab.core import Lab, LabTimeout, now_ms, wait_until
from vlab.pair import PROTECTED, VIP4, Pair, client_conf, server_conf
from vlab.probes import Prober, Stream, start_echo
from vlab.tap import check, main

MOVES, BASE = 50, 10


def resident_kib(host):
    pid = host.pidof("vipsecd")[0]
    return int(host.out(f"awk '/^VmRSS/{{print $2}}' /proc/{pid}/status"))


def kept(host):
    """What a daemon that owns nothing must not pile up: kind -> how many."""
    pid = host.pidof("vipsecd")[0]
    return {"sockets": int(host.out(f"ls -l /proc/{pid}/fd | grep -c socket")),
            "descriptors": int(host.out(f"ls /proc/{pid}/fd | wc -l")),
            "rules": len(host.out("ip rule; ip -6 rule").splitlines()),
            # Link-local addresses of the host itself settle in their own time.
            "routes": len([r for r in host.out("ip route show table all; "
                                               "ip -6 route show table all").splitlines()
                           if "fe80::" not in r]),
            "nft": len(host.out("nft list ruleset").splitlines())}


def settled(host):
    """kept(), when a release that is still going on has finished."""
    def same():
        before, start = kept(host), now_ms()
        wait_until(lambda: now_ms() > start + 300, 1, "a moment")
        return kept(host) if kept(host) == before else None
    return wait_until(same, 20, f"{host.name} to settle")


def body(tap):
    with Lab() as lab:
        pair = Pair(lab)
        other = vipsec.make_host(lab, "s2")
        pair.switch.plug(other, "10.9.0.3/24")
        start_echo(other, PROTECTED)
        second = vipsec.Vipsec(other)
        second.configure(server_conf(vip=(VIP4,)))
        second.start()
        pair.start_server(vip=(VIP4,))
        pair.start_client(client_conf(families=(4,)))
        tap.on_failure.append(lambda: "".join(
            h.log("vipsecd.log")[-2000:] for h in (pair.s, other, pair.c)))
        hosts = [pair.s, other]
        prober = Prober(lab, [Stream(1, pair.c, VIP4, PROTECTED, 10)])
        early = {}
        with tap.case(f"{MOVES} moves by `ip addr`, and each time the traffic comes back"):
            pair.add_vip(families=(4,))
            prober.wait_reply(1, now_ms(), 15, node="s")
            for number in range(1, MOVES + 1):
                start = now_ms()
                pair.remove_vip(hosts[0], families=(4,))
                pair.add_vip(hosts[1], families=(4,))
                prober.wait_reply(1, start, 20, node=hosts[1].name)
                hosts.reverse()
                if number == BASE:
                    early = {h.name: (resident_kib(h), settled(h)) for h in (*hosts, pair.c)}
        outages = prober.outage(1, 0, now_ms())
        tap.note(f"longest gap {outages[0]:.0f} ms")

        with tap.case("the host without the VIP has no SA"):
            daemon = {"s": pair.server, "s2": second}[hosts[1].name]
            try:
                wait_until(lambda: not daemon.rows("ike") and not daemon.rows("child"), 10,
                           "its SAs to go")
            except LabTimeout:
                tap.note(daemon.ctl("show", "ike").stdout + daemon.ctl("status").stdout)
                raise

        with tap.case("the client has one IKE SA and one pair of child SAs"):
            wait_until(lambda: (len(pair.client.rows("ike")), len(pair.client.rows("child")))
                       == (1, 1), 20, "the client's SAs to settle")

        with tap.case("no socket, rule or route more than after ten moves"):
            for host in (*hosts, pair.c):
                then, now = early[host.name][1], settled(host)
                check(now == then, f"{host.name}: {then} then, {now} now")

        if vipsec.sanitized(lab.build):
            return  # it keeps what was freed for a while
        with tap.case("resident memory is within 2 % of that after ten moves"):
            for host in (*hosts, pair.c):
                then, now = early[host.name][0], resident_kib(host)
                tap.note(f"{host.name}: {then} KiB, then {now} KiB")
                check(now <= then * 1.02, f"{host.name}: {then} KiB, then {now} KiB")


if __name__ == "__main__":
    main(body, vipsec.missing_programs)
