#!/usr/bin/env python3
"""vipsec at both ends of a link, the VIP added by hand: traffic, and the guard.
test-timeout: 120
"""

import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import vipsec
from vlab.capture import Capture
from vlab.core import KERNEL, PATIENCE, Lab, now_ms, wait_until
from vlab.pair import (CLEAR, LISTEN, PROTECTED, STRANGER4, STRANGER6, VIP4, VIP6, Pair)
from vlab.probes import Prober, Stream
from vlab.sockets import listen, send, serve_tcp, tcp_round_trip
from vlab.tap import check, main
from vlab.wire import Tap

MUCH = 1 << (18 if KERNEL else 20)  # octets; emulation is slow
FAMILIES = {"IPv4": (VIP4, STRANGER4), "IPv6": (VIP6, STRANGER6)}


def answered(pair, address, port, size=0, interval=2 * PATIENCE):
    prober = Prober(pair.lab, [Stream(1, pair.c, address, port, interval, 0, size)])
    try:
        return prober.wait_reply(1, now_ms(), 15)
    finally:
        prober.close()


def guard_of(pair):
    return next(v["guard"] for v in pair.server.json("status")["data"]["vips"])


def sent_again(host):
    """How many SYNs of this host were not answered in time."""
    rows = [line.split() for line in host.out("cat /proc/net/netstat").splitlines()]
    names, values = [row for row in rows if row[0] == "TcpExt:"]
    return int(values[names.index("TCPSynRetrans")])


def traffic(tap, pair):
    for name, (vip, _) in FAMILIES.items():
        watch = Tap(pair.switch.host, vip, [PROTECTED], ["p-s", "p-c"], esp=True)
        with tap.case(f"{name}: what a negotiate rule covers is answered through the tunnel"):
            reply = answered(pair, vip, PROTECTED)
            check(vipsec.hides(reply.node_device), f"request came by {reply}")
            check(vipsec.hides(reply.device), f"answer came by {reply}")
            check(watch.seen("esp"), "ESP on the wire")
        with tap.case(f"{name}: nothing of it was in clear, first packets included"):
            check(not watch.seen("udp"), watch.seen("udp")[:3])
        with tap.case(f"{name}: a permit rule beside it leaves its traffic in clear"):
            reply = answered(pair, vip, CLEAR)
            check(reply.node_device == "eth0" and reply.device == "eth0", reply)
        with tap.case(f"{name}: a datagram of 4,000 octets goes both ways"):
            answered(pair, vip, PROTECTED, 4000, 20)
        with tap.case(f"{name}: a TCP client that connects without binding gets it all back"):
            before = sent_again(pair.c)
            words = tcp_round_trip(pair.c, vip, 7003, MUCH)
            check(words[0] == "same", words)
        with tap.case(f"{name}: its first packet has waited for the SA that it asked for"):
            check(sent_again(pair.c) == before, "the SYN was sent again")
        watch.close()


def quotes(tap, pair):
    """A host's ICMP error quotes what it is about: of a protected packet, the plain text."""
    for name, (vip, _) in FAMILIES.items():
        with tap.case(f"{name}: no ICMP error tells in clear what came protected"):
            answered(pair, vip, PROTECTED)
            capture = Capture(pair.switch.host, "p-s")
            before = guard_of(pair)["clear_out"]
            send(pair.c, vip, LISTEN, "told-to-nobody-else")
            wait_until(lambda: guard_of(pair)["clear_out"] > before, 5,
                       "the guard to stop the error")
            send(pair.x, vip, CLEAR + 9, "in the open")
            wait_until(lambda: capture.bytes().count(b"in the open") == 2, 10,
                       "an error that quotes what nobody protects")
            capture.close()
            check(b"told-to-nobody-else" not in capture.bytes(), "on the wire")


def closed(tap, pair, what):
    """A clear packet each way while the server's daemon is not there."""
    for name, (vip, stranger) in FAMILIES.items():
        got_by_vip = listen(pair.s, vip, LISTEN)
        got_by_stranger = listen(pair.x, stranger, LISTEN)
        watch = Tap(pair.switch.host, vip, [LISTEN], ["p-s", "p-x"])
        with tap.case(f"{name}: {what}, a clear packet to the VIP is not delivered"):
            send(pair.x, vip, LISTEN, "in")
            send(pair.x, vip, CLEAR, "marker")
            wait_until(lambda: watch.seen("udp"), 5, "the packet on the wire")
            check(not got_by_vip(), got_by_vip())
        with tap.case(f"{name}: {what}, a clear packet from the VIP does not leave"):
            send(pair.s, stranger, LISTEN, "out", vip, LISTEN)
            send(pair.s, stranger, LISTEN, "own address")
            wait_until(lambda: any("own" in line for line in got_by_stranger()), 5,
                       "a packet from the node's own address")
            check(len(got_by_stranger()) == 1, got_by_stranger())
            check(not [s for s in watch.seen("udp") if (s.src, s.sport) == (vip, LISTEN)],
                  "on the wire")
        watch.close()


def body(tap):
    with Lab() as lab:
        pair = Pair(lab)
        serve_tcp(pair.s, 7003)
        pair.start_server()
        pair.add_vip()
        pair.wait_bound()
        pair.start_client()
        tap.on_failure.append(lambda: pair.s.log("vipsecd.log")[-3000:]
                              + pair.c.log("vipsecd.log")[-3000:])
        traffic(tap, pair)
        quotes(tap, pair)

        with tap.case("SIGKILL ends the daemon; the address and the guard stay"):
            check(pair.s.signal("vipsecd", signal.SIGKILL) >= 1, "it ran")
            wait_until(lambda: not pair.s.pidof("vipsecd"), 5, "its end")
            check("vipsec" in pair.s.out("nft list tables"), "the guard is there")
        closed(tap, pair, "the daemon killed")

        with tap.case("a daemon started again serves the VIP that is there"):
            pair.server.start()
            pair.wait_bound()
            answered(pair, VIP4, PROTECTED)

        with tap.case("a second daemon is refused, and says why"):
            done = pair.s.run("timeout 10 vipsecd -f -c /etc/vipsec/vipsec.conf "
                              "-s /var/lib/vipsec", check=False)
            check(done.returncode not in (0, 124), f"status {done.returncode}")
            check("run" in done.stdout + done.stderr, done.stdout + done.stderr)


if __name__ == "__main__":
    main(body, vipsec.missing_programs)
