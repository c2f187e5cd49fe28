#!/usr/bin/env python3
"""ESP and AH that come before their SA (RFC 7296 2.8) wait for it, and are delivered once. On both
planes; VLAB_PLANE=kernel: in the kernel, which is told the SPI beforehand.

a sends on an SA that b has not got yet. rp_filter is 1 everywhere, the strictest.
"""

import os
import socket
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab.byhand import begin, end
from vlab.core import KERNEL, PATIENCE, Lab
from vlab.net import Switch
from vlab.tap import check, main

A4, A6, B4, B6 = "10.9.0.1", "fd09::1", "10.9.0.2", "fd09::2"
TABLE = "table inet vipsec-early"
FIRST = 0x02000000


def make(lab):
    switch = Switch(lab)
    hosts = [lab.host("a"), lab.host("b")]
    for host, four, six in zip(hosts, (A4, B4), (A6, B6)):
        host.run("for knob in all default; do"
                 " echo 1 >/proc/sys/net/ipv4/conf/$knob/rp_filter; done")
        switch.plug(host, f"{four}/24", f"{six}/64")
    return hosts


def start(host, mode, addresses, remotes):
    """remotes: of a, which is a host; b's addresses are a VIP's, and anybody may call."""
    word = "tunnel" if mode == "tunnel" else ""
    if remotes:
        policy = (f"entry 0.0.0.0/0 {remotes[0]}/32 negotiate {word}\n"
                  f"entry ::/0 {remotes[1]}/128 negotiate {word}\npolicy 0")
    else:
        policy = (f"entry {addresses[0]}/32 0.0.0.0/0 negotiate {word}\n"
                  f"entry {addresses[1]}/128 ::/0 negotiate {word}\n"
                  f"policy 0 {addresses[0]} {addresses[1]}")
    return begin(host, policy, addresses)


class Ears:
    """What reaches b's sockets, in order."""

    def __init__(self, b, address, port=7001):
        self.socket = b.socket(socket.AF_INET6 if ":" in address else socket.AF_INET,
                               socket.SOCK_DGRAM)
        self.socket.bind((address, port))

    def next(self, timeout=5.0):
        self.socket.settimeout(timeout * PATIENCE)
        try:
            return self.socket.recv(65536)
        except TimeoutError:
            return None


class Case:
    number = 100

    def __init__(self, a, pa, pb, mode, encap, family):
        Case.number += 2
        self.n, self.mode, self.encap = Case.number, mode, encap
        self.spi = FIRST + self.n
        self.here, self.there = (A4, B4) if family == 4 else (A6, B6)
        self.bits = 32 if family == 4 else 128
        self.a, self.pa, self.pb = a, pa, pb

    def sa(self, plane, spi_in, spi_out, here, there, member):
        plane.do(f"sa {self.n} 0 {spi_in} {spi_out} {self.mode} {self.encap} {here} {there} "
                 f"{here}/{self.bits} {there}/{self.bits} {member}")

    def a_has_it(self):
        self.sa(self.pa, self.spi + 1, self.spi, self.here, self.there, 1)

    def b_has_it(self):
        self.sa(self.pb, self.spi, self.spi + 1, self.there, self.here, 2)

    def gone(self):
        for plane in (self.pa, self.pb):
            plane.do(f"delete {self.n}")

    def send(self, *data, port=7001):
        family = socket.AF_INET if self.bits == 32 else socket.AF_INET6
        with self.a.socket(family, socket.SOCK_DGRAM) as s:
            for one in data:
                s.sendto(one, (self.there, port))

    def b_heard_of_it(self):
        self.pb.take(rf"^notice unknown-spi .*spi={self.spi} ")


def once(tap, b, case):
    what = f"{case.mode}, {case.encap}, {'IPv4' if case.bits == 32 else 'IPv6'}"
    early = [b"first", b"in fragments " + bytes(1600)]
    with tap.case(f"they are delivered when the SA is there, and once ({what})"):
        ears = Ears(b, case.there)
        case.pb.do(f"await {case.spi}")
        case.a_has_it()
        case.send(*early)
        case.b_heard_of_it()
        case.b_has_it()
        case.send(b"behind them")
        came = [ears.next() for _ in range(3)]
        check(sorted(filter(None, came)) == sorted([*early, b"behind them"]),
              [one and one[:20] for one in came])
        case.send(b"the last")
        check(ears.next() == b"the last", "and nothing twice")
        ears.socket.close()
    case.gone()


def body(tap):
    with Lab() as lab:
        a, b = make(lab)
        for mode in ("transport", "tunnel"):
            pa, pb = (start(a, mode, (A4, A6), (B4, B6)), start(b, mode, (B4, B6), None))
            for encap in ("esp", "udp", "ah"):
                for family in (4, 6):
                    once(tap, b, Case(a, pa, pb, mode, encap, family))
            if KERNEL:
                kernel_alone(tap, b, Case(a, pa, pb, mode, "esp", 4))
            end(pa, pb)
        if KERNEL:
            with tap.case("the table that holds them goes with the process"):
                check(TABLE not in b.out("nft list tables"), b.out("nft list tables"))


def kernel_alone(tap, b, case):
    with tap.case(f"what comes with other SPIs is not held ({case.mode})"):
        check(TABLE in b.out("nft list tables"), b.out("nft list tables"))
        ears = Ears(b, case.there)
        case.a_has_it()
        case.send(b"lost")
        case.pb.do(f"await {case.spi}")
        case.send(b"kept")
        case.b_heard_of_it()
        case.b_has_it()
        check(ears.next() == b"kept", "the one that was sent after it was awaited")
        ears.socket.close()
    case.gone()


if __name__ == "__main__":
    main(body)
