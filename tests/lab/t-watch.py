#!/usr/bin/env python3
"""The VIP watcher and announcements of port/, each alone, in real namespaces."""

import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab.byhand import ByHand
from vlab.core import Lab, wait_until
from vlab.net import Switch
from vlab.tap import check, main
from vlab.wire import Tap

MANY = 4000  # address changes; the watcher's socket holds fewer messages


def events_until(hand, pattern, timeout=15):
    """All address events up to the first that matches, in their order."""
    out = []
    while True:
        line = hand.take(r"^event (gone|tentative|present) (\S+) .*$", timeout).group(0)
        out.append(" ".join(line.split()[1:3]))
        if re.search(pattern, line):
            return out


def rest(hand):
    """The events that wait, behind a change made on purpose to mark the end."""
    hand.host.ip("addr add 10.255.255.1/32 dev lo", "addr del 10.255.255.1/32 dev lo")
    seen = events_until(hand, r"gone 10\.255\.255\.1 ")
    return [event for event in seen if not event.endswith(" 10.255.255.1")]


def link_pair(one, other):
    """Without IPv6 addresses: the kernel takes away their routes when it has time for that."""
    return (f"link add {one} type veth peer name {other}", f"link set {one} addrgenmode none",
            f"link set {other} addrgenmode none")


def addresses(tap, a, b, hand):
    with tap.case("what is there at the beginning is reported"):
        seen = rest(hand)
        for address in ("127.0.0.1", "10.9.0.1", "fd09::1"):
            check(f"present {address}" in seen, seen)

    with tap.case("an address comes and goes, in this order, however quickly"):
        a.ip(*[f"addr {word} 10.9.0.50/24 dev eth0" for word in ("add", "del") * 3])
        check(rest(hand) == ["present 10.9.0.50", "gone 10.9.0.50"] * 3, "three times each")

    with tap.case("IPv6: tentative until duplicate address detection is done"):
        a.ip("addr add fd09::50/64 dev eth0")
        seen = events_until(hand, r"present fd09::50 ")
        check(seen == ["tentative fd09::50", "present fd09::50"], seen)

    with tap.case("an address that another machine has is never called present"):
        b.ip("addr add fd09::66/64 dev eth0 nodad")
        a.ip("addr add fd09::66/64 dev eth0")
        hand.take(r"^event tentative fd09::66 .* dad-failed$")
        check("present fd09::66" not in rest(hand), "it is not usable")

    with tap.case("on two links, an address is gone when the last one has lost it"):
        a.ip(*link_pair("two", "too"), "link set two up",
             "addr add 10.9.7.1/32 dev eth0", "addr add 10.9.7.1/32 dev two",
             "addr del 10.9.7.1/32 dev eth0")
        seen = [e for e in rest(hand) if "10.9.7.1" in e]
        check(seen and "gone 10.9.7.1" not in seen, seen)
        a.ip("addr del 10.9.7.1/32 dev two")
        check("gone 10.9.7.1" in rest(hand), "now it is")
        a.ip("link del two")


def links_and_routes(tap, a, hand):
    with tap.case("a link without carrier is reported down, and up again"):
        a.ip(*link_pair("leg", "foot"), "link set foot up", "link set leg up")
        hand.take(r"^event link - \d+ leg up$")
        a.ip("link set foot down")
        hand.take(r"^event link - \d+ leg down$")
        a.ip("link del leg")
    with tap.case("routes of others are reported, our own not"):
        rest(hand)
        while hand.has(r"^event routes"):
            pass
        a.ip("route add 203.0.113.0/24 dev eth0 proto 154")
        a.ip("route del 203.0.113.0/24 proto 154")
        hand.do("overruns")  # a full turn of its loop
        check(not hand.has(r"^event routes"), "none for our own")
        a.ip("route add 203.0.113.0/24 dev eth0")
        hand.take(r"^event routes")


def held(host):
    """Usable addresses as the kernel has them."""
    lines = host.out("ip -o addr show").splitlines()
    return {line.split()[3].split("/")[0] for line in lines
            if "tentative" not in line and "dadfailed" not in line}


def overrun(tap, a, hand):
    with tap.case("when the kernel had to drop messages, the state is right all the same"):
        rest(hand)
        before = held(a)
        hand.tell("deaf 6000")
        hand.take(r"^deaf$")
        many = [f"10.77.{i // 200}.{i % 200 + 1}/32" for i in range(MANY // 2)]
        a.ip(*[f"addr add {m} dev eth0" for m in many],
             *[f"addr del {m} dev eth0" for m in many[10:]],
             "addr del 10.9.0.1/24 dev eth0", "addr add 10.9.0.1/24 dev eth0",
             "addr del fd09::50/64 dev eth0")
        hand.take(r"^done deaf ", 20)
        overruns, _ = hand.do("overruns", None)  # carried out when all has been read anew
        seen = rest(hand)
        check(overruns > 0, "messages were dropped: else this test shows nothing")
        known = set(before)
        for event in seen:
            word, address = event.split()
            (known.add if word == "present" else known.discard)(address)
        check(known == held(a), f"{known ^ held(a)}")
        check([e for e in seen if e.endswith(" 10.9.0.1")]
              == ["gone 10.9.0.1", "present 10.9.0.1"], "made anew: gone, then present")
        a.ip(*[f"addr del {m} dev eth0" for m in many[:10]])


def announcements(tap, switch, a, hand):
    with tap.case("gratuitous ARP, as request and as reply, from the address's own MAC"):
        wire = Tap(switch.host, "10.9.0.1", [1], ["p-a"])
        hand.do("announce 10.9.0.1")
        wait_until(lambda: len(wire.seen("arp")) >= 2, 5, "two ARP packets")
        check(all(s.src == "10.9.0.1" and s.way == "in" for s in wire.seen("arp")),
              wire.seen("arp"))
        wire.close()
    with tap.case("unsolicited neighbour advertisement"):
        wire = Tap(switch.host, "fd09::1", [1], ["p-a"])
        hand.do("announce fd09::1")
        wait_until(lambda: wire.seen("neighbour"), 5, "an advertisement")
        wire.close()


def neighbours_learn(tap, a, b, hand):
    for what, address, show in (("IPv4", "10.9.0.77", "ip neigh show 10.9.0.77"),
                                ("IPv6", "fd09::77", "ip -6 neigh show fd09::77")):
        with tap.case(f"a neighbour with a stale entry learns the new MAC at once ({what})"):
            old = "02:00:00:00:00:77"
            b.ip(f"neigh replace {address} lladdr {old} dev eth0 nud stale")
            plen = "24" if what == "IPv4" else "64"
            nodad = "" if what == "IPv4" else " nodad"
            a.ip(f"addr add {address}/{plen} dev eth0{nodad}")
            mac = a.out("cat /sys/class/net/eth0/address").strip()
            check(old in b.out(show), "before")
            hand.do(f"announce {address}")
            wait_until(lambda: mac in b.out(show), 5, f"{b.out(show)} to name {mac}")


def nothing_to_tell(tap, a, hand):
    with tap.case("nothing to tell on lo; an address that is not here is refused"):
        hand.do("announce 127.0.0.1")
        hand.do("announce 10.9.0.200", 99)
    with tap.case("an announcement does not hold up a takeover"):
        took = sorted(hand.do("announce 10.9.0.1")[1] for _ in range(21))
        check(took[10] < 5, f"median {took[10]} ms")


def body(tap):
    with Lab() as lab:
        switch = Switch(lab)
        a, b = lab.host("a"), lab.host("b")
        switch.plug(a, "10.9.0.1/24", "fd09::1/64")
        switch.plug(b, "10.9.0.2/24", "fd09::2/64")
        # Link-local addresses have their own detection: let it end, it is not our subject.
        for host in (a, b):
            wait_until(lambda: "tentative" not in host.out("ip -6 addr show"), 10, "DAD")
        hand = ByHand(a)
        hand.do("watch")
        addresses(tap, a, b, hand)
        links_and_routes(tap, a, hand)
        overrun(tap, a, hand)
        announcements(tap, switch, a, hand)
        neighbours_learn(tap, a, b, hand)
        nothing_to_tell(tap, a, hand)


if __name__ == "__main__":
    main(body)
