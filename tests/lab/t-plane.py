#!/usr/bin/env python3
"""A plane and the guard between two hosts, with SAs keyed by hand. VLAB_PLANE=kernel: the
kernel plane, in a machine that has ESP; else the userspace one.

a is a host (scope 0: whatever its local address), b holds the virtual address, plain knows
nothing of all this. What is
protected goes to 10.9.0.10 and fd09::10, all protocols but TCP port 9 (permitted in clear);
rp_filter is 1 everywhere, the strictest.
"""

import os
import re
import signal
import socket
import sys
import threading
from contextlib import contextmanager, nullcontext

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import xfrm
from vlab.byhand import ByHand
from vlab.cluster import find_program
from vlab.core import KERNEL, PATIENCE, Lab, build_dir, now_ms, wait_until
from vlab.net import Switch
from vlab.tap import check, main
from vlab.wire import Tap

VIP4, VIP6, A4, A6 = "10.9.0.10", "fd09::10", "10.9.0.1", "fd09::1"
PORTS = [7001, 7002, 7003]
MUCH = 500_000 if KERNEL else 2_000_000  # octets; emulation is slow


def harden(host):
    """Strict; new links take over what "default" says."""
    for knob in ("all", "default"):
        host.run(f"echo 1 >/proc/sys/net/ipv4/conf/{knob}/rp_filter")


def make(lab):
    switch = Switch(lab)
    a, b = lab.host("a"), lab.host("b")
    for host, four, six in ((a, A4, A6), (b, "10.9.0.2", "fd09::2")):
        harden(host)
        switch.plug(host, f"{four}/24", f"{six}/64")
    plain = lab.host("plain")
    switch.plug(plain, "10.9.0.3/24", "fd09::3/64")
    b.ip(f"addr add {VIP4}/24 dev eth0", f"addr add {VIP6}/64 dev eth0 nodad")
    return switch, a, b, plain


def policies(mode):
    word = "tunnel" if mode == "tunnel" else ""
    client = f"""
        entry 0.0.0.0/0,6 {VIP4}/32,6,9 permit
        entry ::/0,6 {VIP6}/128,6,9 permit
        entry 0.0.0.0/0 {VIP4}/32 negotiate {word}
        entry ::/0 {VIP6}/128 negotiate {word}
        entry 0.0.0.0/0,17 10.9.0.66/32,17 block
        policy 0
    """
    server = f"""
        entry {VIP4}/32,6,9 0.0.0.0/0,6 permit
        entry {VIP6}/128,6,9 ::/0,6 permit
        entry {VIP4}/32 0.0.0.0/0 negotiate {word}
        entry {VIP6}/128 ::/0 negotiate {word}
        policy 0 {VIP4} {VIP6}
    """
    return client, server


def start(host, script):
    plane = ByHand(host)
    plane.script(script)
    plane.do("guard")
    plane.do("open")
    # The policy once more, now that there is a plane to hear it.
    plane.script(script)
    return plane


def pair(a, b, mode):
    client, server = policies(mode)
    return start(a, client), start(b, server)


class Keys:
    """Each SA gets numbers of its own: a key is never used with two counters."""
    next_id = 100


def bind(pa, pb):
    for plane, addresses in ((pa, (A4, A6)), (pb, (VIP4, VIP6))):
        for address in addresses:
            plane.do(f"bind 0 {address}")


def open_gates(pa, pb, activation=1):
    pa.do(f"gate 0 {activation}")
    pb.do(f"gate 0 {activation}")


def connect(pa, pb, mode, encap, families=(4, 6)):
    """A pair of SAs for each family; gives the ids at a and b (they are equal)."""
    ids = []
    for family in families:
        Keys.next_id += 2
        n = Keys.next_id
        here, there = (A4, VIP4) if family == 4 else (A6, VIP6)
        bits = 32 if family == 4 else 128
        spi = 0x01000000 + n
        pa.do(f"sa {n} 0 {spi} {spi + 1} {mode} {encap} {here} {there} "
              f"{here}/{bits} {there}/{bits} 1")
        pb.do(f"sa {n} 0 {spi + 1} {spi} {mode} {encap} {there} {here} "
              f"{there}/{bits} {here}/{bits} 2")
        ids.append(n)
    return ids


def disconnect(pa, pb, ids):
    for n in ids:
        pa.do(f"delete {n}")
        pb.do(f"delete {n}")


def serve(b):
    """Echo servers on the VIP: UDP 7001, TCP 7002 that counts octets, TCP 9 likewise."""
    held = []
    for address in (VIP4, VIP6):
        family = socket.AF_INET if "." in address else socket.AF_INET6
        udp = b.socket(family, socket.SOCK_DGRAM)
        udp.bind((address, 7001))
        held.append(udp)
        threading.Thread(target=echo_udp, args=(udp,), daemon=True).start()
        for port in (7002, 9):
            tcp = b.socket(family, socket.SOCK_STREAM)
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tcp.bind((address, port))
            tcp.listen()
            held.append(tcp)
            threading.Thread(target=count_tcp, args=(tcp,), daemon=True).start()
    return held


def echo_udp(udp):
    while True:
        try:
            data, where = udp.recvfrom(65536)
            udp.sendto(data, where)
        except OSError:
            return


def count_tcp(listener):
    while True:
        try:
            peer, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=count_one, args=(peer,), daemon=True).start()


def count_one(peer):
    total = 0
    while data := peer.recv(65536):
        total += len(data)
    peer.sendall(str(total).encode())
    peer.close()


def ask_udp(a, address, size=64, timeout=3.0 * PATIENCE, source=None):
    """True when the echo came back; no bind unless source is given."""
    family = socket.AF_INET if "." in address else socket.AF_INET6
    with a.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(timeout)
        if source:
            s.bind((source, 0))
        data = os.urandom(size)
        try:
            s.sendto(data, (address, 7001))
            return s.recv(65536) == data
        except OSError:
            return False


def push_tcp(a, address, octets, port=7002, timeout=20.0 * PATIENCE):
    """Sends that much over TCP; gives the milliseconds it took."""
    family = socket.AF_INET if "." in address else socket.AF_INET6
    with a.socket(family, socket.SOCK_STREAM) as s:
        s.settimeout(timeout)
        begin = now_ms()
        s.connect((address, port))
        s.sendall(bytes(octets))
        s.shutdown(socket.SHUT_WR)
        answer = b""
        while data := s.recv(100):
            answer += data
        check(answer == str(octets).encode(), f"{octets} octets arrived: {answer}")
        return now_ms() - begin


class Wire:
    """Taps for both addresses of the VIP. Before something is called absent, a packet that
    may go in clear is sent and awaited: taps see packets in their order."""

    def __init__(self, switch, a, devices, ports=PORTS, esp=True):
        self.a = a
        self.taps = {address: Tap(switch.host, address, [*ports, 9], devices, esp=esp)
                     for address in (VIP4, VIP6)}

    def seen(self, *kinds, since_ms=0):
        """Without the packets of the fence."""
        out = []
        for address, tap in self.taps.items():
            before = len(tap.seen("tcp"))
            push_tcp(self.a, address, 1, port=9)
            wait_until(lambda: len(tap.seen("tcp")) >= before + 6, 5, "the fence")
            out += [s for s in tap.seen(*kinds, since_ms=since_ms) if 9 not in (s.sport, s.dport)]
        return out

    def close(self):
        for tap in self.taps.values():
            tap.close()


def fragments_seen(host, device, run):
    """How many IP fragments ran over the device during run()."""
    before = snmp(host)
    run()
    after = snmp(host)
    return after - before


def snmp(host):
    names, values = [line.split()[1:] for line in host.out("grep ^Ip: /proc/net/snmp")
                     .splitlines()]
    table = dict(zip(names, map(int, values)))
    return table["FragCreates"] + table["ReasmReqds"]


def traffic(tap, lab, switch, a, b, mode, encap):
    pa, pb = pair(a, b, mode)
    bind(pa, pb)
    open_gates(pa, pb)
    ids = connect(pa, pb, mode, encap)
    wire = Wire(switch, a, ["p-a", "p-b"])
    for family, address in (("IPv4", VIP4), ("IPv6", VIP6)):
        what = f"{mode}, {encap}, {family}"
        with tap.case(f"ping ({what})"):
            check(a.ok(["ping", "-c3", "-i0.2", "-W2", address]), a.out("ip rule; ip -6 rule"))
        with tap.case(f"UDP from a socket that is not bound ({what})"):
            check(ask_udp(a, address), (pa.totals(), pb.totals()))
        with tap.case(f"a datagram of 4,000 octets, both ways ({what})"):
            check(ask_udp(a, address, 4000), (pa.totals(), pb.totals()))
        few = "" if KERNEL else ": in UDP they leave as few"
        with tap.case(f"many datagrams of one size{few} ({what})"):
            messages, errors = burst(a, pa, address, 40, 1000)
            check(errors == 0 and (encap != "udp" or messages < 20), (messages, errors))
        with tap.case(f"many datagrams that must be cut into fragments ({what})"):
            messages, errors = burst(a, pa, address, 12, 4000)
            check(errors == 0, (messages, errors))
        with tap.case(f"much over TCP, no fragments ({what})"):
            count = fragments_seen(a, "eth0", lambda: push_tcp(a, address, MUCH))
            check(count == 0, f"{count} fragments made or met")
    with tap.case(f"nothing of it in clear on the wire ({mode}, {encap})"):
        seen = [s for s in wire.seen("udp", "tcp") if 4500 not in (s.sport, s.dport)]
        check(not seen, seen[:5])
        check(encap == "udp" or wire.seen(encap), f"and {encap} there was")
    wire.close()
    with tap.case(f"usage counts what passed ({mode}, {encap})"):
        used = pa.usage()
        check(sorted(used) == sorted(ids), used)
        check(all(u["in"] > 10 and u["out"] > 10 and not u["forged"] for u in used.values()), used)
    lab.keep_tables(f"{mode}, {encap}")
    disconnect(pa, pb, ids)
    return pa, pb


def burst(a, plane, address, count, size):
    """So many datagrams wait in the TUN at once; all are answered. (messages handed to the
    kernel, how many of them it refused). The kernel plane hands none."""
    family = socket.AF_INET if "." in address else socket.AF_INET6
    before, refused = plane.totals(), refusals(a)
    with a.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(5 * PATIENCE)
        sent = {number.to_bytes(2, "big") + os.urandom(size - 2) for number in range(count)}
        with nullcontext() if KERNEL else stopped(a):
            for data in sent:
                s.sendto(data, (address, 7001))
        came = {s.recv(65536) for _ in range(count)}
    check(came == sent, "each comes back as it was")
    wait_until(lambda: plane.totals()["sealed"] >= before["sealed"] + count, 5, "the totals")
    after = plane.totals()
    errors = after["errors"] - before["errors"] + refusals(a) - refused
    return after["sends"] - before["sends"], errors


@contextmanager
def stopped(host):
    host.signal("vlab-plane", signal.SIGSTOP)
    try:
        yield
    finally:
        host.signal("vlab-plane", signal.SIGCONT)


def refusals(host):
    """Packets that the kernel's IPsec had for a host and did not let pass."""
    return sum(host.xfrm_stat().values()) if KERNEL else 0


def finish(pa, pb):
    for plane in (pa, pb):
        if plane.child.poll() is None:
            plane.do("close drop")
            plane.do("unguard")
            plane.kill()


def permits_and_gates(tap, switch, a, b, pa, pb):
    with tap.case("what a permit rule excepts goes in clear, unhindered"):
        wire = Tap(switch.host, VIP4, [9], ["p-a"])
        push_tcp(a, VIP4, 1000, port=9)
        wait_until(lambda: wire.seen("tcp"), 5, "it to be seen in clear")
        wire.close()

    with tap.case("a block rule stops what it names, and counts it"):
        before = pa.counts()
        with a.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            a.ip("neigh replace 10.9.0.66 lladdr 02:00:00:00:00:66 dev eth0")
            try:
                s.sendto(b"x", ("10.9.0.66", 5))
            except OSError:
                pass
        check(pa.counts()[3] == before[3] + 1, (before, pa.counts()))

    with tap.case("without an SA a packet is held back and an acquire comes, once a second"):
        check(not ask_udp(a, VIP4, timeout=0.3), "no answer")
        check(not ask_udp(a, VIP4, timeout=0.3), "no answer")
        found = pa.take(r"notice acquire scope=0 .* (\S+) (\S+)$")
        check((found.group(1), found.group(2)) == (A4, VIP4), found.group(0))
        check(not pa.has(r"notice acquire"), "only once")

    ids = connect(pa, pb, "transport", "esp")
    with tap.case("a closed gate lets nothing out, from the acknowledgement on"):
        check(ask_udp(a, VIP4), "traffic passes at first")
        flood = a.spawn(["ping", "-f", "-q", VIP4], "flood.log")
        wait_until(lambda: pb.totals()["opened"] > 300, 10, "a flood")
        pb.do("gate 0 close")
        turn = pb.take(r"^closing 0 (\d+)$").group(1)
        pb.take(rf"^closed 0 {turn}$")
        wire = Wire(switch, a, ["p-b"])
        start_ms = now_ms()
        # Each ping that the kernel opens has an answer that finds no SA.
        meets = "opened" if KERNEL else "gate"
        met = pb.totals()[meets]
        wait_until(lambda: pb.totals()[meets] > met + 20, 10, "packets at the closed gate")
        out = [s for s in wire.seen("esp", since_ms=start_ms) if s.src == VIP4]
        check(not out, f"left after the acknowledgement: {out[:3]}")
        check(f"src {VIP4} dst {A4}" not in states(b), f"an SA to send with: {states(b)}")
        wire.close()
        flood.terminate()
        flood.wait()
    with tap.case("open again, it carries on"):
        pb.do("gate 0 2")
        check(ask_udp(a, VIP4), (pa.totals(), pb.totals()))
    disconnect(pa, pb, ids)


LAST = 2**32 - 1


def numbers(tap, a, pa, pb):
    with tap.case("numbers that run out are told beforehand and at the end, and none comes twice"):
        Keys.next_id += 2
        n, spi = Keys.next_id, 0x01000000 + Keys.next_id
        begin = LAST - 1200  # the kernel plane stops some thousand before the end
        pa.do(f"sa {n} 0 {spi} {spi + 1} transport esp {A4} {VIP4} {A4}/32 {VIP4}/32 1 "
              f"esn=0 soft={begin + 20}")
        pb.do(f"sa {n} 0 {spi + 1} {spi} transport esp {VIP4} {A4} {VIP4}/32 {A4}/32 2 esn=0")
        pa.do(f"replay-set {n} {begin} 0 1024 {'0' * 256}")
        for _ in range(15):
            check(ask_udp(a, VIP4), "an answer")
        check(not pa.has(rf"^notice seq-soft .* id={n} "), "not yet")
        flood = a.spawn(["ping", "-f", "-q", VIP4], "flood.log")
        pa.take(rf"^notice seq-soft .* id={n} ")
        pa.take(rf"^notice seq-hard .* id={n} ", 20)
        flood.terminate()
        flood.wait()
        check(not ask_udp(a, VIP4, timeout=0.3), "nothing leaves any more")
        check(not pa.has(r"^notice seq-"), "each was told once")
        got = pb.usage()[n]
        check(got["in"] > 100 and got["replayed"] == 0, got)
        disconnect(pa, pb, [n])

    with tap.case("how far numbers are is told after so many, or so long, if it is asked for"):
        n, = connect(pa, pb, "transport", "esp", (4,))
        pb.do(f"replay-watch {n} 50 0")
        flood = a.spawn(["ping", "-f", "-q", VIP4], "flood.log")
        reached = [int(pb.take(rf"^replay {n} told out=\d+ in=(\d+) ").group(1))
                   for _ in range(4)]
        flood.terminate()
        flood.wait()
        check(reached[0] >= 40 and reached[3] >= 90, reached)
        pb.do(f"replay-watch {n} 0 200")
        while pb.has(rf"^replay {n} told "):
            pass
        check(ask_udp(a, VIP4), "an answer")
        pb.take(rf"^replay {n} told ")
        disconnect(pa, pb, [n])


def ike_sockets(tap, plain, a, b, pa, pb):
    pa.do(f"open500 {A4}")
    for address in (VIP4, VIP6):
        pb.do(f"open500 {address}")
    with tap.case("IKE on port 500 and, marked, on port 4500"):
        pb.do(f"ike500 {VIP4} {A4} hello500")
        pa.take(rf"^ike500 {A4}:500 {VIP4}:500 hello500$")
        pb.do(f"ike4500 {VIP4} {A4} hello4500")
        pa.take(rf"^ike4500 {A4}:4500 {VIP4}:4500 hello4500$")
        pb.do(f"ike4500 {VIP6} {A6} hello6")
        pa.take(rf"^ike4500 \[{A6}\]:4500 \[{VIP6}\]:4500 hello6$")

    with tap.case("a Delete leaves from an address that has just gone"):
        pa.do(f"open500 {A6}")
        b.ip(f"addr del {VIP4}/24 dev eth0", f"addr del {VIP6}/64 dev eth0")
        for address in (VIP4, VIP6):
            pb.do(f"close500 {address}")
            pb.do(f"unbind {address}")
        pb.do(f"ike500 {VIP4} {A4} bye1")
        pb.do(f"ike500 {VIP6} {A6} bye2")
        pb.do(f"ike4500 {VIP4} {A4} bye3")
        pb.do(f"ike4500 {VIP6} {A6} bye4")
        for word in ("500 .* bye1", "500 .* bye2", "4500 .* bye3", "4500 .* bye4"):
            pa.take(rf"^ike{word}$")

    with tap.case("after that the sockets are closed by themselves"):
        wait_until(lambda: pb.do("count500", None)[0] == 0, 5, "port 500 to close")
        wait_until(lambda: pb.do(f"ike4500 {VIP4} {A4} late", None)[0] == 107, 5,
                   "port 4500 to close")
        left = b.out("ss -Hlnu 'sport = 500 or sport = 4500'; ss -Hwn")
        check(VIP4 not in left and VIP6 not in left, left)

    with tap.case("an address that is not bound is silent: no ICMP for IKE or ESP"):
        b.ip(f"addr add {VIP4}/24 dev eth0", f"addr add {VIP6}/64 dev eth0 nodad")
        seen = icmp_errors(b, lambda: [knock(plain, VIP4), knock(plain, VIP6)])
        check(seen == 0, f"{seen} ICMP errors left")

    with tap.case("an address bound again within the grace time is served"):
        pb.do(f"bind 0 {VIP4}")
        pb.do(f"unbind {VIP4}")
        pb.do(f"bind 0 {VIP4}")
        pb.do(f"bind 0 {VIP6}")
        pa.do(f"ike4500 {A4} {VIP4} again")
        pb.take(rf"^ike4500 {VIP4}:4500 {A4}:4500 again$")
        pb.do("refresh")


def knock(host, address):
    """A datagram to ports 500 and 4500, and an ESP packet."""
    family = socket.AF_INET if "." in address else socket.AF_INET6
    with host.socket(family, socket.SOCK_DGRAM) as s:
        for port in (500, 4500):
            s.sendto(b"knock", (address, port))
    with host.socket(family, socket.SOCK_RAW, 50) as s:
        s.sendto(b"\1\2\3\4\0\0\0\1" + bytes(32), (address, 0))
    # A permitted connection behind them: once it is answered, so would they be.
    push_tcp(host, address, 10, port=9)


def icmp_errors(b, run):
    """ICMP errors that left b during run(), counted where they leave."""
    def count():
        out = b.out("nft list counter inet vipsec icmp_silenced")
        silenced = int(re.search(r"packets (\d+)", out).group(1))
        names, values = b.out("grep ^Icmp: /proc/net/snmp").splitlines()
        made = int(dict(zip(names.split(), values.split()))["OutDestUnreachs"])
        six = b.out("cat /proc/net/snmp6")
        made += sum(int(line.split()[1]) for line in six.splitlines()
                    if line.split()[0] in ("Icmp6OutDestUnreachs", "Icmp6OutParmProblems"))
        if KERNEL:
            # It looks for an SA before it makes an error, and finds none.
            without = b.xfrm_stat()["XfrmOutNoStates"]
            made, silenced = made + without, silenced + without
        return made, silenced
    before = count()
    run()
    after = count()
    made, silenced = after[0] - before[0], after[1] - before[1]
    check(made >= 4, f"the kernel wanted to answer: {made}")
    return made - silenced


def states(host):
    """The kernel's SAs, one a line, without those that it has only asked for."""
    return "".join(line for line in host.out("ip -o xfrm state").splitlines(True)
                   if "spi 0x00000000" not in line) if KERNEL else ""


def daemon_killed(tap, switch, plain, a, b, pa, pb):
    pb.kill()
    pa.kill()
    wire = Wire(switch, a, ["p-a", "p-b"])
    with tap.case("the plane killed: the client's protected packets stay at home"):
        for address in (VIP4, VIP6):
            check(not ask_udp(a, address, timeout=0.3), f"no answer from {address}")
        check(not wire.seen("udp"), wire.seen("udp"))

    with tap.case("the plane killed: a clear packet that comes in is dropped, and counted"):
        before = drops(b, "clear_in_0"), martians(b)
        for address in (VIP4, VIP6):
            check(not ask_udp(plain, address, timeout=0.3), f"no answer from {address}")
        after = drops(b, "clear_in_0"), martians(b)
        # rp_filter 1 comes first for IPv4: the reverse of such a packet leads to the TUN.
        check(after[0] > before[0] and sum(after) >= sum(before) + 2, (before, after))
        b.run("for i in all eth0; do echo 0 >/proc/sys/net/ipv4/conf/$i/rp_filter; done")
        check(not ask_udp(plain, VIP4, timeout=0.3), "no answer without rp_filter either")
        check(drops(b, "clear_in_0") > after[0], "now it is the guard that drops and counts")
        harden(b)

    with tap.case("the plane killed: what the VIP's own services send stays at home"):
        for source, target in ((VIP4, "10.9.0.3"), (VIP6, "fd09::3")):
            family = socket.AF_INET if "." in source else socket.AF_INET6
            with b.socket(family, socket.SOCK_DGRAM) as s:
                s.bind((source, 7003))
                try:
                    s.sendto(b"clear", (target, 7001))
                except OSError:
                    pass
        check(not [x for x in wire.seen("udp") if x.sport == 7003], "on the wire")

    what = "kernel's policies" if KERNEL else "steering"
    with tap.case(f"the {what} taken away as well, the guard still holds"):
        b.run("ip xfrm policy flush; ip xfrm state flush" if KERNEL else
              "ip link del vipsec0; ip rule flush; ip rule add pref 32766 lookup main; "
              "ip -6 rule flush; ip -6 rule add pref 32766 lookup main; "
              "ip rule add pref 0 lookup local; ip -6 rule add pref 0 lookup local",
              check=False)
        before = drops(b, "clear_out_0")
        with b.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind((VIP4, 7003))
            try:
                s.sendto(b"clear", ("10.9.0.3", 7001))
            except OSError:
                pass
        check(drops(b, "clear_out_0") > before, "dropped and counted")
        check(not [x for x in wire.seen("udp") if x.sport == 7003], "on the wire")
    with tap.case("clear traffic under a permit rule goes on all the while"):
        push_tcp(plain, VIP4, 1000, port=9)
        push_tcp(plain, VIP6, 1000, port=9)
    wire.close()


def drops(host, counter):
    out = host.out(f"nft list counter inet vipsec {counter}")
    return int(re.search(r"packets (\d+)", out).group(1))


FOREIGN = "src 192.0.2.1 dst 192.0.2.2"
FOREIGN_SA = f"{FOREIGN} proto esp spi 0x77 reqid 7 mode transport"


def flushed(tap, a, b):
    """The kernel carries on what a dead daemon had begun. After `vipsec flush` nobody does."""
    flush = [find_program(build_dir(), "vipsec"), "flush"]
    b.ip(f"xfrm policy add {FOREIGN} dir out priority 999999")
    if KERNEL:
        b.ip(f"xfrm state add {FOREIGN_SA} aead rfc4106(gcm(aes)) 0x{'42' * 20} 128")
    pa, pb = pair(a, b, "transport")
    bind(pa, pb)
    open_gates(pa, pb, 9)
    connect(pa, pb, "transport", "esp")
    check(ask_udp(a, VIP4), (pa.totals(), pb.totals()))
    with tap.case("vipsec flush: refused where a plane in the kernel serves"):
        done = b.run(flush, check=False)
        check(done.returncode == (1 if KERNEL else 0), done)
        check(ask_udp(a, VIP4), "and traffic goes on")
    pb.kill()
    with tap.case("vipsec flush: SAs and policies of a dead daemon go, other people's stay"):
        had = xfrm.sas(b), xfrm.policies(b)
        check((had[0] == 4 and had[1] > 8) if KERNEL else had == (0, 0), had)
        b.out(flush)
        check((xfrm.sas(b), xfrm.policies(b)) == (0, 0), b.out("ip xfrm state; ip xfrm policy"))
        check("reqid 7 " in b.out("ip xfrm state") or not KERNEL, "the other's SA")
        check("priority 999999" in b.out("ip xfrm policy"), "the other's policy")
        check("nothing of vipsec's" in b.out(flush), "once more")
    with tap.case("vipsec flush: the guard stands, and nothing comes in or goes out in clear"):
        check(not ask_udp(a, VIP4, timeout=0.3), "no answer")
        before = drops(b, "clear_in_0"), drops(b, "clear_out_0")
        pa.do("close drop")
        pa.do("unguard")
        pa.kill()
        b.run("for i in all eth0; do echo 0 >/proc/sys/net/ipv4/conf/$i/rp_filter; done")
        check(not ask_udp(a, VIP4, timeout=0.3), "a clear question is not answered")
        check(drops(b, "clear_in_0") > before[0], "it was dropped, and counted")
        with b.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind((VIP4, 7003))
            try:
                s.sendto(b"clear", (A4, 7001))
            except OSError:
                pass
        check(drops(b, "clear_out_0") > before[1] or not KERNEL, "nor does anything leave")
        harden(b)
    b.ip(f"xfrm policy delete {FOREIGN} dir out")
    if KERNEL:
        b.ip("xfrm state delete src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x77")


def restarted(tap, a, b):
    with tap.case("after the kill a new plane adopts device and rules, and works"):
        pa, pb = pair(a, b, "transport")
        for family in ("-4", "-6"):
            lines = a.out(f"ip {family} rule").splitlines()
            check(len(set(lines)) == len(lines), f"rules twice: {lines}")
        check(not states(a), f"SAs of the life before: {states(a)}")
        bind(pa, pb)
        open_gates(pa, pb, 7)
        ids = connect(pa, pb, "transport", "esp")
        check(ask_udp(a, VIP4) and ask_udp(a, VIP6), (pa.totals(), pb.totals()))
        disconnect(pa, pb, ids)
    with tap.case("a second plane is refused"):
        second = ByHand(b)
        second.do("open", -1)
        check("another vipsecd" in second.take(r"plane refused: (.*)").group(1), "says so")
        second.child.stdin.close()
        second.child.wait(10)
    with tap.case("closing for good leaves nothing behind"):
        finish(pa, pb)
        for host in (a, b):
            left = rules(host)
            check("4500" not in left and "145" not in left, left)
            check(not host.ok("ip link show vipsec0"), "no device")
            check("vipsec" not in host.out("nft list tables"), "no table")
            check(not host.out("ip route show table all proto 154").strip(), "no routes")
            left = states(host) + host.out("ip xfrm policy list nosock")
            check(not left, f"in the kernel: {left}")


def martians(host):
    """Packets that rp_filter dropped."""
    names, values = host.out("grep ^TcpExt: /proc/net/netstat").splitlines()
    return int(dict(zip(names.split(), values.split()))["IPReversePathFilter"])


def rules(host):
    return host.out("ip rule; ip -6 rule")


def body(tap):
    with Lab() as lab:
        switch, a, b, plain = make(lab)
        held = serve(b)
        for mode, encap in (("transport", "esp"), ("tunnel", "udp"), ("tunnel", "esp"),
                            ("transport", "ah"), ("tunnel", "ah"), ("transport", "udp")):
            pa, pb = traffic(tap, lab, switch, a, b, mode, encap)
            if (mode, encap) != ("transport", "udp"):
                finish(pa, pb)
        permits_and_gates(tap, switch, a, b, pa, pb)
        numbers(tap, a, pa, pb)
        ike_sockets(tap, plain, a, b, pa, pb)
        daemon_killed(tap, switch, plain, a, b, pa, pb)
        flushed(tap, a, b)
        restarted(tap, a, b)
        for s in held:
            s.close()


if __name__ == "__main__":
    main(body)
