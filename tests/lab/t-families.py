#!/usr/bin/env python3
"""Tunnels whose outer and inner packets are of different families, NAT66, and UDP
encapsulation over IPv6 without a NAT. The peers are strongSwan and vipsec.
test-timeout: 420

In each: traffic both ways, new SAs asked for by either side with no probe lost, and no packet
in clear. Between two vipsec also a datagram that needs fragments. (strongSwan's userspace ESP
takes each fragment for itself, and finds no port in the second.)
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import vipsec
from vlab.capture import Capture, tshark
from vlab.core import KERNEL, Lab, now_ms, wait_until
from vlab.net import make_nat_router
from vlab.pair import (CLIENT4, CLIENT6, PEER_AUTH, PROTECTED, SERVER_AUTH, VIP4, VIP6, Pair,
                       client_conf, server_conf)
from vlab.probes import Prober, Stream
from vlab.rekeying import Traffic, ids, wait_renewed
from vlab.swan import StrongSwan
from vlab.tap import check, main
from vlab.vipsec import Rule, secure
from vlab.wire import Tap

VIP, CLIENT = {4: VIP4, 6: VIP6}, {4: CLIENT4, 6: CLIENT6}
BITS = {4: 32, 6: 128}
NAT, INSIDE, ROUTER = "fd09::3", "fd08::", "fd08::ff"
LONG = 4000


class Watch:
    """All that is between the two, of both families."""

    def __init__(self, pair, devices):
        self.taps = {family: Tap(pair.switch.host, VIP[family], [PROTECTED], devices, esp=True)
                     for family in (4, 6)}
        self.pair = pair

    def esp(self, family):
        return self.taps[family].seen("esp")

    def settled(self, family, in_udp):
        """ESP between the outer addresses alone, in UDP or not, and nothing in clear."""
        other = 10 - family
        check(self.esp(family), f"ESP over IPv{family}")
        check(not self.esp(other), f"ESP over IPv{other}: {self.esp(other)[:3]}")
        check({bool(s.sport) for s in self.esp(family)} == {in_udp},
              f"ESP in UDP: {self.esp(family)[:3]}")
        for tap in self.taps.values():
            # (Of a long datagram's fragments nobody can say what they carry.)
            check(not tap.seen("udp"), f"in clear: {tap.seen('udp')[:3]}")

    def close(self):
        for tap in self.taps.values():
            tap.close()


def long_one(lab, host, address):
    """A datagram that needs fragments, there and back."""
    prober = Prober(lab, [Stream(1, host, address, PROTECTED, 20, 0, LONG)])
    try:
        reply = prober.wait_reply(1, now_ms(), 15)
        check(vipsec.hides(reply.node_device), reply)
    finally:
        prober.close()


def rekeys(tap, lab, words, host, address, asking, server, count=1):
    """asking: (who, function of child or ike) for each side. count: SAs of the server."""
    for who, ask in asking:
        for what in ("child", "ike"):
            with tap.case(f"{words}: new {what} SA, {who} asks; no probe is lost"):
                with Traffic(lab, host, address, PROTECTED):
                    before = ids(server, what)
                    ask(what)
                    if count == 1:
                        wait_renewed(server, what, before)
                    else:
                        wait_until(lambda: len(set(ids(server, what)) - set(before)) == 1
                                   and len(ids(server, what)) == count, 30, f"a new {what} SA")


def by_vipsec(daemon, vip="host", rule="protected"):
    return lambda what: daemon.ctl("rekey", what, vip, rule, check=True)


def by_swan(swan):
    words = {"child": ["--child", "udp"], "ike": ["--ike", "vip"]}
    return lambda what: swan.host.run(["swanctl", "--rekey", *words[what]])


def server_rules(mode, inner, to=None):
    """to: the client's end of a tunnel; without it the client must call."""
    nets = {4: "10.9.0.0/24", 6: "fd09::/64"}
    return [Rule("protected",
                 f'from vip "web" port {PROTECTED} to {nets[inner]} proto udp mirrored',
                 secure(mode, to), SERVER_AUTH)]


def client_rules(mode, inner, outer):
    return [Rule("protected", f"from me to {VIP[inner]} port {PROTECTED} proto udp mirrored",
                 secure(mode, VIP[outer] if mode == "tunnel" else None), PEER_AUTH)]


# ---- one family in the other -----------------------------------------------------------

def with_vipsec(tap, lab, outer, inner):
    words = f"vipsec, IPv{inner} in IPv{outer}"
    pair = Pair(lab)
    tap.on_failure = [lambda: pair.s.log("vipsecd.log")[-3000:]
                      + pair.c.log("vipsecd.log")[-3000:]]
    watch = Watch(pair, ["p-s", "p-c"])
    pair.start_server(server_conf(rules=server_rules("tunnel", inner, CLIENT[outer])))
    pair.add_vip()
    pair.wait_bound()
    pair.start_client(client_conf(rules=client_rules("tunnel", inner, outer)))
    with tap.case(f"{words}: traffic makes the tunnel, and goes both ways"):
        with Traffic(lab, pair.c, VIP[inner], PROTECTED) as traffic:
            check(vipsec.hides(traffic.first.node_device), traffic.first)
            check(vipsec.hides(traffic.first.device), traffic.first)
        long_one(lab, pair.c, VIP[inner])
    rekeys(tap, lab, words, pair.c, VIP[inner],
           [("the VIP", by_vipsec(pair.server, "web")), ("the client", by_vipsec(pair.client))],
           pair.server)
    with tap.case(f"{words}: the other end makes it, too"):
        pair.client.ctl("down", "host", "protected", check=True)
        wait_until(lambda: not pair.server.rows("child"), 10, "the SAs to go")
        pair.server.ctl("up", "web", "protected", check=True)
        with Traffic(lab, pair.c, VIP[inner], PROTECTED):
            pass
    with tap.case(f"{words}: ESP is raw, over IPv{outer} alone, and nothing was in clear"):
        watch.settled(outer, False)


def with_swan(tap, lab, outer, inner):
    words = f"strongSwan, IPv{inner} in IPv{outer}"
    pair = Pair(lab, client=StrongSwan.make_host(lab, "c"))
    # Emulated, kernel-libipsec loses what comes while charon changes from one SA to the next.
    swan = StrongSwan(pair.c, CLIENT[outer], VIP[outer], f"{CLIENT[inner]}/{BITS[inner]}[17]",
                      f"{VIP[inner]}/{BITS[inner]}[17/{PROTECTED}]", vipsec.PSK,
                      local_id="c.vlab.example", remote_id=vipsec.VIP_ID, kernel=KERNEL)
    tap.on_failure = [lambda: pair.s.log("vipsecd.log")[-3000:] + swan.log()[-3000:]]
    watch = Watch(pair, ["p-s", "p-c"])
    pair.start_server(server_conf(rules=server_rules("tunnel", inner, CLIENT[outer])))
    pair.add_vip()
    pair.wait_bound()
    swan.start()
    with tap.case(f"{words}: it calls, and traffic goes both ways"):
        swan.initiate()
        with Traffic(lab, pair.c, VIP[inner], PROTECTED) as traffic:
            check(vipsec.hides(traffic.first.node_device), traffic.first)
    rekeys(tap, lab, words, pair.c, VIP[inner],
           [("strongSwan", by_swan(swan)), ("vipsec", by_vipsec(pair.server, "web"))],
           pair.server)
    with tap.case(f"{words}: it is called, and traffic goes both ways"):
        swan.terminate()
        wait_until(lambda: swan.sas() == (0, 0) and not pair.server.rows("ike"), 10,
                   "the SAs to go")
        pair.server.ctl("up", "web", "protected", check=True)
        # Without an SA, and without a trap, its packets would leave in clear.
        wait_until(lambda: swan.sas() == (1, 1), 10, "its SAs")
        with Traffic(lab, pair.c, VIP[inner], PROTECTED):
            pass
    how = "raw" if KERNEL else "in UDP"
    with tap.case(f"{words}: ESP is {how}, over IPv{outer} alone, and nothing was in clear"):
        watch.settled(outer, not KERNEL)
    swan.stop()


# ---- UDP over IPv6 ---------------------------------------------------------------------

def with_checksums(tap, words, capture):
    with tap.case(f"{words}: each UDP datagram over IPv6 has a checksum"):
        capture.close()
        all_of = tshark(capture.path, "-Y", "udp.port == 4500 && ipv6")
        without = tshark(capture.path, "-Y", "udp.port == 4500 && ipv6 && udp.checksum == 0")
        check(all_of and not without, f"{len(without)} of {len(all_of)} without")


def in_udp(text):
    always = "dataplane { udp-encap force; "
    return text.replace("dataplane { ", always, 1) if KERNEL else always + "}\n" + text


def forced(tap, lab, mode):
    words = f"forced into UDP over IPv6, {mode} mode"
    pair = Pair(lab)
    tap.on_failure = [lambda: pair.s.log("vipsecd.log")[-3000:]
                      + pair.c.log("vipsecd.log")[-3000:]]
    watch = Watch(pair, ["p-s", "p-c"])
    capture = Capture(pair.switch.host, "p-s")
    pair.start_server(in_udp(server_conf(rules=server_rules(mode, 6))))
    pair.add_vip()
    pair.wait_bound()
    pair.start_client(in_udp(client_conf(rules=client_rules(mode, 6, 6))))
    with tap.case(f"{words}: traffic goes both ways"):
        with Traffic(lab, pair.c, VIP6, PROTECTED) as traffic:
            check(vipsec.hides(traffic.first.node_device), traffic.first)
        long_one(lab, pair.c, VIP6)
    rekeys(tap, lab, words, pair.c, VIP6,
           [("the VIP", by_vipsec(pair.server, "web")), ("the client", by_vipsec(pair.client))],
           pair.server)
    with tap.case(f"{words}: ESP is in UDP, and nothing was in clear"):
        watch.settled(6, True)
    with_checksums(tap, words, capture)


# ---- NAT66 -----------------------------------------------------------------------------

def behind_nat(lab, swan_too):
    """A pair, and clients behind a router that shows one IPv6 address for both."""
    pair = Pair(lab)
    pair.switch.host.ip("link add inner type bridge forward_delay 0 stp_state 0 "
                        "mcast_snooping 0", "link set inner up")
    make_nat_router(lab, pair.switch, f"{NAT}/64", f"{ROUTER}/64", "inner")
    hosts = [vipsec.make_host(lab, "in1")]
    if swan_too:
        hosts.append(StrongSwan.make_host(lab, "in2"))
    for n, host in enumerate(hosts, 1):
        pair.switch.plug(host, f"{INSIDE}{n}/64", bridge="inner", gateway=ROUTER)
    return pair, hosts


def nat66(tap, lab, mode):
    words = f"NAT66, {mode} mode"
    pair, hosts = behind_nat(lab, mode == "tunnel")
    client = vipsec.Vipsec(hosts[0])
    watch = Watch(pair, ["p-s", "p-nat"])
    capture = Capture(pair.switch.host, "p-s")
    rules = server_rules(mode, 6)
    if mode == "tunnel":  # who is behind the NAT shows his inner address
        rules = [rule._replace(filter=rule.filter.replace("fd09::/64", "any"))
                 for rule in rules]
    pair.start_server(server_conf(rules=rules))
    pair.add_vip()
    pair.wait_bound()
    client.configure(client_conf(rules=client_rules(mode, 6, 6)))
    client.start()
    sides = [("vipsec", hosts[0], by_vipsec(client))]
    swan = None
    if mode == "tunnel":
        swan = StrongSwan(hosts[1], f"{INSIDE}2", VIP6, f"{INSIDE}2/128[17]",
                          f"{VIP6}/128[17/{PROTECTED}]", vipsec.PSK, local_id="in2.vlab.example",
                          remote_id=vipsec.VIP_ID, kernel=KERNEL)
        swan.start()
        swan.initiate()
        sides.append(("strongSwan", hosts[1], by_swan(swan)))
    tap.on_failure = [lambda: pair.s.log("vipsecd.log")[-3000:]
                      + hosts[0].log("vipsecd.log")[-3000:] + (swan.log()[-3000:] if swan else "")]
    for who, host, _ in sides:
        with tap.case(f"{words}: {who} is answered through the NAT"):
            with Traffic(lab, host, VIP6, PROTECTED) as traffic:
                check(vipsec.hides(traffic.first.node_device), traffic.first)
            if who == "vipsec":
                long_one(lab, host, VIP6)
    with tap.case(f"{words}: the NAT is found where it is"):
        found = pair.server.rows("ike")
        check(len(found) == len(sides) and all(sa["nat_remote"] for sa in found), found)
        check(all(sa["nat_local"] and not sa["nat_remote"] for sa in client.rows("ike")),
              client.rows("ike"))
        ports = {s.sport for s in watch.esp(6) if s.src == NAT}
        check(len(ports) == len(sides), f"from ports {ports}")
    for who, host, ask in sides:
        rekeys(tap, lab, f"{words}, {who}", host, VIP6, [(who, ask)], pair.server, len(sides))
    if mode == "transport":
        rekeys(tap, lab, words, hosts[0], VIP6,
               [("the VIP", by_vipsec(pair.server, "web"))], pair.server)
    with tap.case(f"{words}: ESP is in UDP, and nothing was in clear"):
        watch.settled(6, True)
    with_checksums(tap, words, capture)
    if swan:
        swan.stop()


def body(tap):
    for outer, inner in ((6, 4), (4, 6)):
        for run in (with_vipsec, with_swan):
            with Lab() as lab:
                run(tap, lab, outer, inner)
    for mode in ("transport", "tunnel"):
        for run in (forced, nat66):
            with Lab() as lab:
                run(tap, lab, mode)


if __name__ == "__main__":
    main(body, vipsec.missing_programs)
