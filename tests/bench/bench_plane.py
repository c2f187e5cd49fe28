#!/usr/bin/env python3
"""What the userspace plane costs: bare link, plain forwarder, vipsec, strongSwan, by turns.

    bench_plane.py [--rounds N] [--ms N] [--only NAME,...]

Each row is a pair of hosts (network namespaces) with a veth between them; only one pair
has traffic at a time, and every round visits all of them. Ratios are formed within a round
and their median is printed, with the least and the greatest: they are what travels from
machine to machine. Nothing is asserted. CPU is what the kernel says each daemon ran for,
divided by the packets that it took from its TUN, or put there.

TCP is one stream. UDP is sent without pause, 1,300 octets each: what arrives counts, and
what the sender could not get rid of is not held against anybody.
"""

import argparse
import os
import shutil
import statistics
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))

from vlab import vipsec
from vlab.core import Lab, LabError, wait_until
from vlab.swan import StrongSwan
from vlab.vipsec import Rule, Vipsec, conf_text

A, B, VIP = "10.9.0.1", "10.9.0.2", "10.9.0.50"
INNER_A, INNER_B = "10.8.0.1", "10.8.0.2"
PORT, SIZE = 7001, 1300
TUN_MTU = 1415  # as vipsec has it on a link of 1,500
PROPOSAL = 'proposal "bench" { ike aes128gcm16-sha256-x25519; esp aes128gcm16; }\n'


class Setup:
    """Two hosts on one cable, and what is to carry the traffic between them."""
    target = B
    tun = None
    daemons = ()

    def __init__(self, lab, name):
        self.lab, self.name = lab, name
        self.a, self.b = self.host("a"), self.host("b")
        self.a.ip(f"link add eth0 type veth peer name eth0 netns {self.b.pid}")
        for host, address in ((self.a, A), (self.b, B)):
            host.ip(f"addr add {address}/24 dev eth0", "link set eth0 up")
        self.prepare()
        self.tool = f"{lab.build}/tests/bench/bench-traffic"
        self.b.spawn([self.tool, "sink", self.target, str(PORT)], "sink.log")
        self.warm()

    def host(self, end):
        return self.lab.host(f"{self.short}{end}")

    def prepare(self):
        pass

    def warm(self):
        """Until packets pass: the first ones make the SAs."""
        for protocol in ("tcp", "udp"):
            wait_until(lambda: self.a.ok(self.command(protocol, 20), timeout=20), 20,
                       f"{protocol} through {self.name}")

    def command(self, protocol, ms):
        size = [str(SIZE)] if protocol == "udp" else []
        return [self.tool, protocol, self.target, str(PORT), str(ms), *size]

    def cpu_ns(self):
        """What the daemon of each end has used so far."""
        return [process_ns(d) for d in self.daemons]

    def packets(self):
        """Packets that a's daemon took from its TUN, and b's put into its own: the link
        cannot tell, it may carry many as one."""
        if not self.tun:
            return (0, 0)
        return (counter(self.a, self.tun, "tx"), counter(self.b, self.tun, "rx"))

    def measure(self, protocol, ms):
        cpu, packets = self.cpu_ns(), self.packets()
        words = self.a.out(self.command(protocol, ms)).split()
        amount, ns = int(words[0]), max(int(words[1]), 1)
        done = {"rate": amount * (8 if protocol == "tcp" else 1e6) / ns}
        for side, before, after, sent, came in zip(
                ("sender", "receiver"), cpu, self.cpu_ns(), packets, self.packets()):
            done[side] = (after - before) / max(came - sent, 1)
        return done


class Bare(Setup):
    name, short = "bare veth", "v"


class Forwarder(Setup):
    target, tun, way, short = INNER_B, "tun0", "udp", "f"

    def prepare(self):
        tool = f"{self.lab.build}/tests/bench/bench-forward"
        self.daemons = []
        for host, here, there, inner in ((self.a, A, B, INNER_A), (self.b, B, A, INNER_B)):
            self.daemons.append(host.spawn([tool, "tun0", here, there, self.way], "fwd.log"))
            wait_until(lambda: host.ok("ip link show tun0"), 5, "the forwarder's TUN")
            host.ip(f"addr add {inner}/24 dev tun0", f"link set tun0 mtu {TUN_MTU} up")


class RawForwarder(Forwarder):
    way, short = "esp", "g"


class Ours(Setup):
    """vipsecd at both ends; b serves a virtual address."""
    target, tun, mode, encap, short = VIP, "vipsec0", "tunnel", True, "t"

    def host(self, end):
        return vipsec.make_host(self.lab, f"{self.short}{end}")

    def conf(self, end):
        to = f" to {VIP}" if self.mode == "tunnel" and end == "a" else ""
        action = f'negotiate require; proposal "bench"; mode {self.mode}{to};'
        flow = (f"from me to {VIP} port {PORT}" if end == "a"
                else f'from vip "web" port {PORT} to any')
        auth = ('psk "lab" local-id "a.bench.example" remote-id "b.bench.example"'
                if end == "a" else 'psk "lab" local-id "b.bench.example" remote-id any')
        more = PROPOSAL + ("dataplane { udp-encap force; }\n" if self.encap else "")
        return conf_text([Rule(p, f"{flow} proto {p} mirrored", action, auth)
                          for p in ("tcp", "udp")],
                         vip=None if end == "a" else [VIP], more=more)

    def prepare(self):
        self.b.ip(f"addr add {VIP}/24 dev eth0")
        ends = []
        for end, host in (("b", self.b), ("a", self.a)):
            v = Vipsec(host)
            v.configure(self.conf(end))
            v.start()
            ends.append(v)
        wait_until(lambda: ends[0].vip_state("web") == "bound", 10, "the VIP to be bound")
        self.daemons = [ends[1].process, ends[0].process]


class OursTransport(Ours):
    mode, encap, short = "transport", False, "e"


class Swan(Setup):
    """charon with its userspace ESP (kernel-libipsec) at both ends: tunnel mode in UDP."""
    tun, short = "ipsec0", "s"

    def host(self, end):
        return StrongSwan.make_host(self.lab, f"{self.short}{end}")

    def prepare(self):
        ends = []
        for host, here, there in ((self.b, B, A), (self.a, A, B)):
            s = StrongSwan(host, here, there, f"{here}/32", f"{there}/32", vipsec.PSK,
                           esp="aes128gcm16")
            s.start()
            ends.append(s)
        ends[1].initiate()
        self.daemons = [ends[1].process, ends[0].process]


KINDS = [
    ("bare veth", Bare),
    ("plain forwarder, UDP", Forwarder),
    ("plain forwarder, raw ESP", RawForwarder),
    ("vipsec, tunnel in UDP", Ours),
    ("vipsec, transport, raw ESP", OursTransport),
    ("strongSwan kernel-libipsec", Swan),
]


def process_ns(child):
    """CPU time of a spawned program, all threads (the child itself only waits for it)."""
    total = 0
    for pid in descendants(child.pid):
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat") as file:
                total += int(file.read().split()[0])
    return total


def descendants(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        below = [int(p) for p in file.read().split()]
    return [pid] + [q for p in below for q in descendants(p)]


def counter(host, device, way):
    lines = host.out("cat /proc/net/dev").splitlines()
    line = next(s for s in lines if s.strip().startswith(f"{device}:"))
    return int(line.split(":")[1].split()[1 if way == "rx" else 9])


def swan_missing():
    return next((f"{p} is not there" for p in ("/usr/sbin/charon-systemd", "/usr/sbin/swanctl")
                 if not os.path.exists(p)), None)


def spread(values, digits):
    return (f"{statistics.median(values):.{digits}f} "
            f"({min(values):.{digits}f}-{max(values):.{digits}f})")


def row(title, runs, base):
    """runs, base: one dictionary a round."""
    ratio = [r["rate"] / b["rate"] for r, b in zip(runs, base)]
    line = (f"  {title:27} {spread([r['rate'] for r in runs], 2):>20}"
            f" {spread(ratio, 2):>19}")
    for side in ("sender", "receiver"):
        if side in runs[0]:
            line += f" {spread([r[side] for r in runs], 0):>19}"
    print(line)


def compare(title, runs, name, other):
    """CPU a packet is steadier than throughput on a machine that has other work."""
    if name not in runs or other not in runs:
        return
    pairs = list(zip(runs[name], runs[other]))
    words = [f"throughput {spread([r['rate'] / o['rate'] for r, o in pairs], 2)}"]
    for side in ("sender", "receiver"):
        words.append(f"{side}'s ns {spread([r[side] / o[side] for r, o in pairs], 2)}")
    print(f"  {title}: " + ", ".join(words))


def report(protocol, unit, runs):
    print(f"{protocol.upper()}, median (least-greatest)")
    print(f"  {'':27} {unit:>20} {'of the bare veth':>19} {'ns/packet, sender':>19}"
          f" {'receiver':>19}")
    base = runs[KINDS[0][0]]
    for name, measured in runs.items():
        row(name, measured, base)
    compare("vipsec in UDP / plain forwarder", runs, KINDS[3][0], KINDS[1][0])
    compare("vipsec raw ESP / plain raw forwarder", runs, KINDS[4][0], KINDS[2][0])
    compare("vipsec in UDP / strongSwan", runs, KINDS[3][0], KINDS[5][0])


def make_setups(lab, only):
    out = {}
    for name, kind in KINDS:
        if only and kind is not Bare and kind.short not in only:
            continue
        missing = swan_missing() if kind is Swan else None
        if missing:
            print(f"  {name}: left out, {missing}")
            continue
        out[name] = kind(lab, name)
    return out


def run(options):
    with Lab() as lab:
        setups = make_setups(lab, options.only.split(",") if options.only else [])
        print(f"{options.rounds} rounds of {options.ms} ms each, AES-128-GCM,"
              f" {os.cpu_count()} processors")
        for protocol, unit in (("tcp", "Gbit/s"), ("udp", "1000 packets/s")):
            runs = {name: [] for name in setups}
            for _ in range(options.rounds):
                for name, setup in setups.items():
                    runs[name].append(setup.measure(protocol, options.ms))
            report(protocol, unit, runs)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ms", type=int, default=250)
    parser.add_argument("--only", default="", help="short names, for a quick look")
    options = parser.parse_args()
    missing = "needs root" if os.geteuid() != 0 else vipsec.missing_programs()
    if missing or not shutil.which("ip"):
        print(f"left out: {missing or 'needs ip(8)'}")
        return
    try:
        run(options)
    except LabError as why:
        sys.exit(f"bench_plane: {why}")


if __name__ == "__main__":
    main()
