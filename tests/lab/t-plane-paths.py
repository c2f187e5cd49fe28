#!/usr/bin/env python3
"""The plane where the path is not plain: small and large MTUs, ports, several addresses.

SAs are keyed by hand (vlab/byhand.py). a is a host, b holds the virtual address.
"""

import os
import socket
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab.byhand import begin, end
from vlab.core import KERNEL, Lab, now_ms, wait_until
from vlab.net import Switch
from vlab.tap import check, main

OCTETS = 1_000_000
next_id = 100


def strict(host, value=1):
    for knob in ("all", "default"):
        host.run(f"echo {value} >/proc/sys/net/ipv4/conf/{knob}/rp_filter")


def family_of(address):
    return socket.AF_INET if "." in address else socket.AF_INET6


def secure(pa, pb, here, there, mode, encap, remote_sel="", local_sel=""):
    """An SA pair between two addresses; the selectors' tail is ",proto,port" of there."""
    global next_id
    next_id += 2
    n, spi = next_id, 0x02000000 + next_id
    bits = 32 if "." in here else 128
    mine, theirs = f"{here}/{bits}{local_sel}", f"{there}/{bits}{remote_sel}"
    pa.do(f"sa {n} 0 {spi} {spi + 1} {mode} {encap} {here} {there} {mine} {theirs} 1")
    pb.do(f"sa {n} 0 {spi + 1} {spi} {mode} {encap} {there} {here} {theirs} {mine} 2")
    return n


def serve_tcp(host, address, port):
    listener = host.socket(family_of(address), socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen()
    threading.Thread(target=count_all, args=(listener,), daemon=True).start()
    return listener


def count_all(listener):
    while True:
        try:
            peer, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=count_one, args=(peer,), daemon=True).start()


def count_one(peer):
    """Counts what comes, then sends as much back: both directions carry large segments."""
    total = 0
    with peer:
        while data := peer.recv(65536):
            total += len(data)
        peer.sendall(bytes(total))


def there_and_back(host, address, port, octets=OCTETS, timeout=15, source=None):
    """Milliseconds for that much over TCP both ways."""
    with host.socket(family_of(address), socket.SOCK_STREAM) as s:
        s.settimeout(timeout)
        if source:
            s.bind((source, 0))
        begin = now_ms()
        s.connect((address, port))
        s.sendall(bytes(octets))
        s.shutdown(socket.SHUT_WR)
        got = 0
        while data := s.recv(65536):
            got += len(data)
        check(got == octets, f"{got} of {octets} came back")
        return now_ms() - begin


def serve_udp(host, address, port):
    udp = host.socket(family_of(address), socket.SOCK_DGRAM)
    udp.bind((address, port))

    def echo():
        while True:
            try:
                data, where = udp.recvfrom(65536)
                # The answer says from where the question seemed to come.
                udp.sendto(where[0].encode() + b" " + data, where)
            except OSError:
                return
    threading.Thread(target=echo, daemon=True).start()
    return udp


def ask(host, address, port, size=20, timeout=2.0):
    """The source address that the other side saw; None without an answer."""
    with host.socket(family_of(address), socket.SOCK_DGRAM) as s:
        s.settimeout(timeout)
        try:
            s.sendto(bytes(size), (address, port))
            data = s.recv(65536)
        except OSError:
            return None
        source, _, back = data.partition(b" ")
        return source.decode() if len(back) == size else None


def fragments(host):
    names, values = [line.split()[1:] for line in
                     host.out("grep ^Ip: /proc/net/snmp").splitlines()]
    table = dict(zip(names, map(int, values)))
    six = dict(line.split() for line in host.out("cat /proc/net/snmp6").splitlines())
    return (table["FragCreates"] + table["ReasmReqds"] + int(six["Ip6FragCreates"])
            + int(six["Ip6ReasmReqds"]))


# ---- sizes -----------------------------------------------------------------------------


def jumbo(tap):
    with Lab() as lab:
        switch = Switch(lab, mtu=9000)
        a, b = lab.host("a"), lab.host("b")
        switch.plug(a, "10.9.0.1/24", "fd09::1/64")
        switch.plug(b, "10.9.0.10/24", "fd09::10/64")
        pa, pb = any_to_any(a, b, "tunnel")
        held = [serve_tcp(b, x, 7002) for x in ("10.9.0.10", "fd09::10")]
        for encap in ("esp", "udp"):
            for here, there in (("10.9.0.1", "10.9.0.10"), ("fd09::1", "fd09::10")):
                secure(pa, pb, here, there, "tunnel", encap)
                with tap.case(f"links of 9,000 octets: TCP uses them, unfragmented "
                              f"({encap}, {there})"):
                    before, sent = fragments(a), pa.totals()["sends"]
                    there_and_back(a, there, 7002)
                    check(fragments(a) == before, "no fragments")
                    # A million octets forth, and the acknowledgements of a million back.
                    check(pa_sends(pa, sent) < 500, f"{pa_sends(pa, sent)} packets")
        for s in held:
            s.close()
        end(pa, pb)


def pa_sends(pa, before):
    return pa.totals()["sends"] - before


def any_to_any(a, b, mode, a_addresses=("10.9.0.1", "fd09::1"),
               vips=("10.9.0.10", "fd09::10")):
    four, six = vips
    return begin(a, f"""
        entry 0.0.0.0/0 {four}/32 negotiate {mode}
        entry ::/0 {six}/128 negotiate {mode}
        policy 0""", a_addresses), begin(b, f"""
        entry {four}/32 0.0.0.0/0 negotiate {mode}
        entry {six}/128 ::/0 negotiate {mode}
        policy 0 {four} {six}""", vips)


def routed(lab, mtu):
    """a - r - q - b, where the link between the routers r and q has this MTU."""
    switch = Switch(lab, bridges=("lan", "far"))
    a, r, q, b = (lab.host(name) for name in "arqb")
    switch.plug(a, "10.9.0.1/24", "fd09::1/64")
    switch.plug(r, "10.9.0.254/24", "fd09::fe/64")
    switch.plug(q, "10.8.0.254/24", "fd08::fe/64", bridge="far")
    switch.plug(b, "10.8.0.10/24", "fd08::10/64", bridge="far")
    r.ip(f"link add mid mtu {mtu} type veth peer name mid mtu {mtu} netns {q.pid}",
         "addr add 10.7.0.1/30 dev mid", "addr add fd07::1/64 dev mid nodad", "link set mid up")
    q.ip("addr add 10.7.0.2/30 dev mid", "addr add fd07::2/64 dev mid nodad", "link set mid up")
    for router in (r, q):
        router.run("echo 1 >/proc/sys/net/ipv4/ip_forward; "
                   "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding")
    r.ip("route add 10.8.0.0/24 via 10.7.0.2", "route add fd08::/64 via fd07::2")
    q.ip("route add 10.9.0.0/24 via 10.7.0.1", "route add fd09::/64 via fd07::1")
    a.ip("route add 10.8.0.0/24 via 10.9.0.254", "route add fd08::/64 via fd09::fe")
    b.ip("route add 10.9.0.0/24 via 10.8.0.254", "route add fd09::/64 via fd08::fe")
    for target in ("10.8.0.10", "fd08::10"):
        wait_until(lambda: a.ok(["ping", "-c1", "-W1", target]), 10, f"the way to {target}")
    return a, b


def narrow_path(tap):
    for mode, encap in (("transport", "esp"), ("tunnel", "udp"), ("transport", "ah")):
        with Lab() as lab:
            a, b = routed(lab, 1340)
            strict(a)
            strict(b)
            pa, pb = any_to_any(a, b, mode, vips=("10.8.0.10", "fd08::10"))
            held = [serve_tcp(b, x, 7002) for x in ("10.8.0.10", "fd08::10")]
            held += [serve_udp(b, x, 7001) for x in ("10.8.0.10", "fd08::10")]
            for here, there in (("10.9.0.1", "10.8.0.10"), ("fd09::1", "fd08::10")):
                secure(pa, pb, here, there, mode, encap)
                with tap.case(f"a router with 1,340 octets on the way: TCP does not stall "
                              f"({mode}, {encap}, {there})"):
                    took = there_and_back(a, there, 7002)
                    check(took < 5000, f"{took} ms")
                with tap.case(f"and a datagram of 4,000 octets passes it "
                              f"({mode}, {encap}, {there})"):
                    check(ask(a, there, 7001, 4000) is not None, (pa.totals(), pb.totals()))
            for s in held:
                s.close()
            end(pa, pb)


# ---- ports ------------------------------------------------------------------------------


def ports(tap):
    for value in (1, 2):
        with Lab() as lab:
            switch = Switch(lab)
            a, b = lab.host("a"), lab.host("b")
            for host in (a, b):
                strict(host, value)
            switch.plug(a, "10.9.0.1/24", "fd09::1/64")
            switch.plug(b, "10.9.0.10/24", "fd09::10/64")
            pa = begin(a, """
                entry 0.0.0.0/0,6 10.9.0.10/32,6,143,145 negotiate
                entry ::/0,17 fd09::10/128,17,7001 negotiate
                entry 0.0.0.0/0,17 10.9.0.10/32,17,7001 negotiate
                policy 0""", ("10.9.0.1", "fd09::1"))
            pb = begin(b, """
                entry 10.9.0.10/32,6,143,145 0.0.0.0/0,6 negotiate
                entry fd09::10/128,17,7001 ::/0,17 negotiate
                entry 10.9.0.10/32,17,7001 0.0.0.0/0,17 negotiate
                policy 0 10.9.0.10 fd09::10""", ("10.9.0.10", "fd09::10"))
            one_port(tap, a, b, pa, pb, value)
            end(pa, pb)


MOMENT_MS = 600 if KERNEL else 100


def sealed_at_rest(plane):
    """A plane looks at its counters, or publishes them, from time to time: when they stand still."""
    def still():
        before, start = plane.totals()["sealed"], now_ms()
        wait_until(lambda: now_ms() > start + MOMENT_MS, 1, "a moment")
        return plane.totals()["sealed"] == before
    wait_until(still, 10, "the counters to stand still")
    return plane.totals()["sealed"]


def one_port(tap, a, b, pa, pb, value):
    what = f"rp_filter {value}"
    held = [serve_tcp(b, "10.9.0.10", port) for port in (143, 145, 146)]
    held += [serve_udp(b, x, port) for x in ("10.9.0.10", "fd09::10") for port in (7001, 7003)]
    secure(pa, pb, "10.9.0.1", "10.9.0.10", "transport", "esp", ",6,143,145", ",6")
    for port in (143, 145):
        with tap.case(f"TCP port {port} of a range is protected ({what})"):
            before = pa.totals()["sealed"]
            there_and_back(a, "10.9.0.10", port)
            check(pa.totals()["sealed"] > before + 50, "through ESP")
    with tap.case(f"the port beside the range is not ({what})"):
        before = sealed_at_rest(pa)  # the connection before may still be saying goodbye
        there_and_back(a, "10.9.0.10", 146)
        check(sealed_at_rest(pa) < before + 10, "in clear, untouched")
    for here, there in (("10.9.0.1", "10.9.0.10"), ("fd09::1", "fd09::10")):
        secure(pa, pb, here, there, "transport", "esp", ",17,7001", ",17")
        with tap.case(f"UDP by port, small and of 4,000 octets ({what}, {there})"):
            check(ask(a, there, 7001) == here, (pa.totals(), pb.totals()))
            check(ask(a, there, 7001, 4000) == here, (pa.totals(), pb.totals()))
        with tap.case(f"and another UDP port in clear ({what}, {there})"):
            check(ask(a, there, 7003, 4000) == here, "it passes")
    for s in held:
        s.close()


# ---- several addresses -------------------------------------------------------------------


def sources(tap):
    """a has two links; what goes to b by which of them decides the source address."""
    with Lab() as lab:
        switch = Switch(lab, bridges=("lan", "far"))
        a, b = lab.host("a"), lab.host("b")
        switch.plug(a, "10.9.0.1/24", "fd09::1/64")
        switch.plug(a, "10.8.0.1/24", "fd08::1/64", bridge="far", device="eth1", port="p-a2")
        switch.plug(b, "10.9.0.10/24", "fd09::10/64")
        switch.plug(b, "10.8.0.10/24", "fd08::10/64", bridge="far", device="eth1",
                    port="p-b2")
        pairs = (("10.9.0.1", "10.9.0.10"), ("10.8.0.1", "10.8.0.10"),
                 ("fd09::1", "fd09::10"), ("fd08::1", "fd08::10"))
        pa = begin(a, """
            entry 0.0.0.0/0,17 0.0.0.0/0,17,7001 negotiate
            entry ::/0,17 ::/0,17,7001 negotiate
            policy 0""", [here for here, _ in pairs])
        pb = begin(b, """
            entry 10.9.0.10/32,17,7001 0.0.0.0/0,17 negotiate
            entry fd09::10/128,17,7001 ::/0,17 negotiate
            entry 10.8.0.10/32,17,7001 0.0.0.0/0,17 negotiate
            entry fd08::10/128,17,7001 ::/0,17 negotiate
            policy 0 10.9.0.10 fd09::10 10.8.0.10 fd08::10""", [there for _, there in pairs])
        held = [serve_udp(b, there, 7001) for _, there in pairs]
        for here, there in pairs:
            secure(pa, pb, here, there, "transport", "esp", ",17,7001", ",17")
            with tap.case(f"any to any: an unbound socket to {there} has {here} as source"):
                check(ask(a, there, 7001) == here, a.out("ip route show table all"))
        address_replaced(tap, a, b, pa, pb)
        second_address(tap, b, a, pa, pb)
        for s in held:
            s.close()
        end(pa, pb)


def address_replaced(tap, a, b, pa, pb):
    with tap.case("the host gets another address: after a refresh it is the source"):
        a.ip("addr del 10.9.0.1/24 dev eth0", "addr add 10.9.0.7/24 dev eth0")
        pa.do("unbind 10.9.0.1")
        pa.do("bind 0 10.9.0.7")
        pa.do("refresh")
        secure(pa, pb, "10.9.0.7", "10.9.0.10", "transport", "esp", ",17,7001", ",17")
        check(ask(a, "10.9.0.10", 7001) == "10.9.0.7", a.out("ip route show table all"))


def second_address(tap, b, a, pa, pb):
    with tap.case("a VIP that loses one of its addresses goes on with the other"):
        b.ip("addr del 10.9.0.10/24 dev eth0")
        pb.do("unbind 10.9.0.10")
        pb.do("refresh")
        check(ask(a, "10.8.0.10", 7001) == "10.8.0.1", b.out("ip route show table all"))


def body(tap):
    jumbo(tap)
    narrow_path(tap)
    ports(tap)
    sources(tap)


if __name__ == "__main__":
    main(body)
