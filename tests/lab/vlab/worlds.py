"""Two hosts that are alike in everything but the plane that serves them, and whoever is at
the other end of their links: the test itself, which makes all packets that come in and
reads all that go out, octet by octet.

    the test --- wire --- eth0 HOST eth1 --- lan --- the test

Both hosts have the same addresses, and never see each other.
"""

import ctypes
import fcntl
import os
import select
import socket
import struct
import time

from .arrivals import Arrivals
from .byhand import PATIENCE, ByHand
from .core import LabTimeout, wait_until
from .esp import Direction
from .ippacket import ESP, UDP, Reassembly, ip, is_v6, parse, udp
from .xfrm import asked_for

OWN4, OWN6, LAN4, LAN6 = "10.9.0.1", "fd09::1", "10.1.0.1", "fd01::1"
HOST_MAC, FAR_MAC = bytes.fromhex("020000000001"), bytes.fromhex("0200000000fe")
GATE4, GATE6 = "10.9.0.254", "fd09::fe"
PLANES = ("kernel", "userspace")
# Those that are drawn, and their neighbours.
PORTS = (53, 143, 1000, 1001, 1003, 5001)
UDP_PORTS = sorted({7, 9, *(p + step for p in PORTS for step in (-1, 0, 1, 2))})

# Peers that exist for one thing: what is sent to them, or comes from them, is behind all
# that went the same way before.
FENCES = {"esp4": ("10.9.0.201", OWN4, "esp"), "udp4": ("10.9.0.202", OWN4, "udp"),
          "esp6": ("fd09::c9", OWN6, "esp"), "udp6": ("fd09::ca", OWN6, "udp")}
FENCE_PORT, FENCE_RULE, FENCE_ID = 7, 900, 9000

ETHTOOL, NO_CHECKSUMS, NO_GSO = 0x8946, 0x17, 0x24
OUTGOING = 4  # PACKET_OUTGOING: what we have sent ourselves

SETTINGS = {
    "core/xfrm_acq_expires": 1,
    "ipv4/ip_forward": 1,
    "ipv6/conf/all/forwarding": 1,
    "ipv6/auto_flowlabels": 0,
    "ipv4/icmp_ratelimit": 0,
    "ipv6/icmp/ratemask": "",
    **{f"ipv4/conf/{d}/rp_filter": 1 for d in ("all", "default", "eth0", "eth1")},
    **{f"ipv6/conf/{d}/{knob}": 0 for d in ("eth0", "eth1")
       for knob in ("accept_ra", "router_solicitations")},
}
CABLES = {"wire": ("eth0", f"{OWN4}/24", f"{OWN6}/64"), "lan": ("eth1", f"{LAN4}/24", f"{LAN6}/64")}


def fence_entries():
    """What each policy has to have besides."""
    out = []
    for n, (peer, own, _) in enumerate(FENCES.values()):
        bits = 128 if is_v6(own) else 32
        out.append(f"entry {own}/{bits},17,{FENCE_PORT} {peer}/{bits},17,{FENCE_PORT} negotiate "
                   f"tunnel rule={FENCE_RULE + n} to={peer}")
    return out


class Link:
    """The far end of one cable, as frames."""

    def __init__(self, far, device):
        self.socket = far.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 4 << 20)  # SO_RCVBUFFORCE
        self.socket.bind((device, 3))  # ETH_P_ALL
        self.socket.setblocking(False)

    def fileno(self):
        return self.socket.fileno()

    def send(self, packet):
        kind = b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00"
        self.socket.send(HOST_MAC + FAR_MAC + kind + packet)

    def read(self):
        """Packets that the host has sent, from their IP header on."""
        out = []
        while True:
            try:
                data, sender = self.socket.recvfrom(1 << 17)
            except BlockingIOError:
                return out
            if sender[2] != OUTGOING and data[12:14] in (b"\x08\x00", b"\x86\xdd"):
                out.append(data[14:])


def is_small_talk(packet):
    """Of the link itself: neighbours, routers, groups."""
    return packet is None or packet.proto == 0 or \
        (packet.proto == 58 and packet.payload[:1] and packet.payload[0] in (*range(130, 138), 143))


class World:
    def __init__(self, lab, far, plane):
        self.plane_name = plane
        self.host = lab.host(plane)
        self._plug(far)
        self.host.set(SETTINGS)
        self.wire, self.lan = (Link(far, self._port(kind)) for kind in CABLES)
        self.arrivals = Arrivals(self.host, UDP_PORTS)
        self.plane = ByHand(self.host, plane)
        self.seen_wire, self.seen_lan, self.seen_in = [], [], []
        self.wire_parts = Reassembly()
        self.fence_out = Direction(FENCE_ID * 2 + 1, "aes128gcm16", 0)
        self.fences_out = set()
        self.fences_in = set()

    def _port(self, kind):
        return f"{kind}-{self.plane_name[0]}"

    def _plug(self, far):
        """Starting a process is what takes long in an emulated machine."""
        there, here = [], []
        for kind, (device, *addresses) in CABLES.items():
            there += [f"link add {self._port(kind)} address 02:00:00:00:00:fe type veth "
                      f"peer name {device} address 02:00:00:00:00:01 netns {self.host.pid}",
                      f"link set {self._port(kind)} up"]
            here += [f"addr add {a} dev {device}" + (" nodad" if ":" in a else "")
                     for a in addresses] + [f"link set {device} up"]
        far.ip(*there)
        self.host.ip(*here,
                     *[f"neigh add {a} lladdr 02:00:00:00:00:fe dev {device} nud permanent"
                       for device, a in self._neighbours()],
                     f"route add default via {GATE4}", f"route add ::/0 via {GATE6}")
        far.set({f"ipv6/conf/{self._port(kind)}/disable_ipv6": 1 for kind in CABLES})
        for device, *_ in CABLES.values():
            self._plain(device)

    def _plain(self, device):
        """Each packet leaves as it would on a wire: cut up, and with its checksums."""
        with self.host.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for command in (NO_CHECKSUMS, NO_GSO):
                value = bytearray(struct.pack("=II", command, 0))
                pointer = (struct.pack("=Q", _address_of(value)))
                fcntl.ioctl(s, ETHTOOL, struct.pack("16s8s", device.encode(), pointer) + bytes(16))

    @staticmethod
    def _neighbours():
        yield "eth0", GATE4
        yield "eth0", GATE6
        for n in range(2, 10):
            yield "eth0", f"10.9.0.{n}"
            yield "eth0", f"fd09::{n:x}"
            yield "eth1", f"10.1.0.{n}"
            yield "eth1", f"fd01::{n:x}"
        for peer, _, _ in FENCES.values():
            yield "eth0", peer

    # ---- the plane ------------------------------------------------------------------

    def open_plane(self):
        rules = "\n".join([*fence_entries(), "policy 0"])
        self.plane.script(f"""
            {rules}
            guard
            open
            {rules}
            bind 0 {OWN4}
            bind 0 {OWN6}
            gate 0 1
        """)
        for n, (peer, own, encap) in enumerate(FENCES.values()):
            bits = 128 if is_v6(own) else 32
            spi = (FENCE_ID + n) * 2
            self.plane.do(f"sa {FENCE_ID + n} 0 {spi} {spi + 1} tunnel {encap} {own} {peer} "
                          f"{own}/{bits} {peer}/{bits} esn=0 window=64 rule={FENCE_RULE + n}")

    # ---- packets -------------------------------------------------------------------------

    def read(self):
        """Takes in all that has come by now."""
        for raw in self.wire.read():
            packet = parse(raw)
            if not is_small_talk(packet) and (whole := self.wire_parts.add(packet)):
                self._on_wire(whole)
        for raw in self.lan.read():
            packet = parse(raw)
            if not is_small_talk(packet):
                self.seen_lan.append(packet)
        for packet in self.arrivals.read():
            if packet.proto == UDP and packet.payload[2:4] == b"\0\7":
                self.fences_in.add(packet.payload[8:])
            elif not is_small_talk(packet):
                self.seen_in.append(packet)

    def pieces_left(self):
        """What has left in clear as a piece without ports, while the rest has not: whoever let it
        pass could not know whether it may."""
        left = [f"a part alone: {part}" for parts in self.wire_parts.waiting.values()
                for part in parts.values() if part.offset > 0]
        self.wire_parts.waiting.clear()
        return left

    def _on_wire(self, packet):
        if packet.proto == ESP and packet.payload[:4] == struct.pack(">I", FENCE_ID * 2 + 1):
            inner = parse(self.fence_out.open(packet.payload)[2])
            self.fences_out.add(inner.payload[8:])
        else:
            self.seen_wire.append(packet)

    def send_fence(self, number):
        with self.host.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind((OWN4, FENCE_PORT))
            s.sendto(number, (FENCES["esp4"][0], FENCE_PORT))


def _address_of(buffer):
    return ctypes.addressof((ctypes.c_char * len(buffer)).from_buffer(buffer))


class Worlds:
    """Both of them, and what is done to both alike."""

    def __init__(self, lab):
        far = lab.host("far")
        self.all = [World(lab, far, plane) for plane in PLANES]
        self.fences = {name: Direction((FENCE_ID + n) * 2, "aes128gcm16", 0)
                       for n, name in enumerate(FENCES)}
        self.fence = 0
        for w in self.all:
            w.open_plane()
        # What one processor is given in some order it hands on in this order.
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

    def __iter__(self):
        return iter(self.all)

    def do(self, commands, want=0):
        """The same commands in both; gives a list of the results of each."""
        lines = [c.strip() for c in commands]
        if not lines:
            return []
        for w in self.all:
            w.plane.tell("\n".join(lines))
        out = []
        for w in self.all:
            results = [int(w.plane.take(rf"^done {c.split()[0]} (-?\d+) ").group(1))
                       for c in lines]
            if want is not None and any(r != want for r in results):
                raise AssertionError(f"{w.plane_name}: {list(zip(lines, results))}, "
                                     f"{w.plane.lines}")
            out.append(results)
        return out

    def wait_until_forgotten(self, peers):
        """For those that it has asked for in an earlier case the kernel does not ask again."""
        kernel = self.all[0].host
        wait_until(lambda: not asked_for(kernel) & peers, 20, "the kernel to forget that it asked")

    def until(self, condition, timeout=10, what="packets"):
        """Reads until the condition holds in each; LabTimeout."""
        end = time.monotonic() + timeout * PATIENCE
        sources = [s for w in self.all for s in (w.wire, w.lan, *w.arrivals.sockets)]
        while True:
            for w in self.all:
                w.read()
            lacking = [w.plane_name for w in self.all if not condition(w)]
            if not lacking:
                return
            if time.monotonic() > end:
                raise LabTimeout(f"waited {timeout} s in vain for {what} of {lacking}")
            select.select(sources, [], [], 0.2)

    def fence_outward(self):
        """Everything that was sent before has left, or will not."""
        self.fence += 1
        number = struct.pack(">I", self.fence)
        for w in self.all:
            w.send_fence(number)
        self.until(lambda w: number in w.fences_out, what="the fence on its way out")

    def fence_inward(self, names=tuple(FENCES)):
        for name in names:
            self.fence += 1
            number = struct.pack(">I", self.fence)
            peer, own, encap = FENCES[name]
            inner = ip(peer, own, UDP, udp(peer, own, FENCE_PORT, FENCE_PORT, number))
            packet = self.fences[name].seal(self.fence, 41 if is_v6(own) else 4, inner)
            for w in self.all:
                w.wire.send(carry(packet, peer, own, encap == "udp"))
            self.until(lambda w: number in w.fences_in, what=f"the {name} fence on its way in")


def carry(esp, src, dst, encap, sport=4500, dport=4500, tos=0, ttl=64):
    """ESP as it goes over the wire."""
    if encap:
        return ip(src, dst, UDP, udp(src, dst, sport, dport, esp), tos=tos, ttl=ttl)
    return ip(src, dst, ESP, esp, tos=tos, ttl=ttl)
