"""Packets of a case, each with a number by which it is known again wherever it comes out."""

import errno
import socket
import struct
from dataclasses import dataclass, field

from . import ippacket
from .ippacket import ICMP, ICMPV6, SCTP, TCP, UDP, ip, is_v6

MARK = b"EVT"
TCP_PORTS = 20000
IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, DONT, WANT, DO = 10, 23, 0, 1, 2


def marked(number, size):
    data = MARK + struct.pack(">I", number)
    return data + bytes(i * 7 + number & 0xff for i in range(max(0, size - len(data))))


def number_in(data):
    """Of the packet that has this in it; None: of none of ours."""
    at = data.find(MARK)
    return struct.unpack_from(">I", data, at + 3)[0] if 0 <= at <= len(data) - 7 else None


def upper(flow, number, size):
    """Everything behind the IP header."""
    src, dst, proto, sport, dport = flow
    data = marked(number, size)
    if proto == UDP:
        return ippacket.udp(src, dst, sport, dport, data)
    if proto == TCP:
        # Nobody answers one that ends a connection.
        return ippacket.tcp(src, dst, sport, dport, data, flags=4)
    if proto in (ICMP, ICMPV6):
        return ippacket.icmp(src, dst, sport, dport, data)
    return ippacket.sctp(sport, dport, data) if proto == SCTP else data


def turned(flow):
    """As the other side sends it."""
    local, remote, proto, lport, rport = flow
    return (remote, local, proto, lport, rport) if proto in (ICMP, ICMPV6) else \
        (remote, local, proto, rport, lport)


@dataclass
class Out:
    """Something that a program on the host sends, or a host behind it."""
    number: int
    flow: tuple
    size: int
    tos: int = 0
    ttl: int = 64
    df: int = WANT
    ident: int = 1
    cut: int = 0  # from behind: in fragments of so many octets
    refused: dict = field(default_factory=dict)

    @property
    def whole(self):
        """It may not be cut into pieces: it says so, or only its sender could."""
        return self.df != DONT or (self.from_lan and is_v6(self.flow[0]) and not self.cut)

    @property
    def from_lan(self):
        return self.flow[0].startswith(("10.1.0.", "fd01::"))

    def __str__(self):
        return (f"out {self.number}: {self.flow} {self.size} octets tos {self.tos} ttl {self.ttl} "
                f"df {self.df} cut {self.cut}")

    def emit(self, world):
        if self.from_lan:
            for packet in self._packets():
                world.lan.send(packet)
            return
        try:
            self._emit_local(world.host)
        except OSError as error:
            self.refused[world.plane_name] = errno.errorcode.get(error.errno, error.errno)

    def _packets(self):
        src, dst, proto = self.flow[:3]
        whole = ip(src, dst, proto, upper(self.flow, self.number, self.size), self.tos, self.ttl,
                   self.ident, self.df != DONT)
        return ippacket.fragments(ippacket.parse(whole), self.cut) if self.cut else [whole]

    def _emit_local(self, host):
        src, dst, proto, sport, dport = self.flow
        family = socket.AF_INET6 if is_v6(src) else socket.AF_INET
        kind, port = ((socket.SOCK_DGRAM, sport) if proto == UDP else
                      (socket.SOCK_STREAM, TCP_PORTS + self.number) if proto == TCP else
                      (socket.SOCK_RAW, 0))
        s = host.socket(family, kind, proto)
        try:
            self._set_options(s)
            s.bind((src, port))
            if proto == TCP:
                # It begins, and is given up before it asks once more.
                s.setblocking(False)
                s.connect_ex((dst, dport))
                return
            data = marked(self.number, self.size) if proto == UDP else \
                upper(self.flow, self.number, self.size)
            s.sendto(data, (dst, dport if proto == UDP else 0))
        finally:
            s.close()

    def _set_options(self, s):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_v6(self.flow[0]):
            for name, value in ((socket.IPV6_TCLASS, self.tos),
                                (socket.IPV6_UNICAST_HOPS, self.ttl),
                                (IPV6_MTU_DISCOVER, self.df)):
                s.setsockopt(socket.IPPROTO_IPV6, name, value)
        else:
            for name, value in ((socket.IP_TOS, self.tos), (socket.IP_TTL, self.ttl),
                                (IP_MTU_DISCOVER, self.df)):
                s.setsockopt(socket.IPPROTO_IP, name, value)


@dataclass
class In:
    """Something that comes over the wire."""
    number: int
    kind: str
    packets: list
    sa: object = None
    seq: int = 0
    alone: bool = False  # what comes behind it must not overtake it
    flow: tuple = None
    octets: int = 0  # of the packet inside
    uncounted: bool = False  # its number is zero, and could be no other

    def emit(self, world):
        for packet in self.packets:
            world.wire.send(packet)

    def __str__(self):
        return f"in {self.number}: {self.kind}" + (f" SA {self.sa.id} number {self.seq}"
                                                  if self.sa else "")


def clear_in(case, number):
    """A packet that comes without any protection."""
    flow = turned(case.draw_flow())
    r = case.random
    body = upper(flow, number, r.choice((8, 30, 300)))
    packet = ip(flow[0], flow[1], flow[2], body, ttl=r.choice((64, 255)), ident=number)
    return In(number, f"in clear {flow}", [packet], flow=flow)


def clear_out(case, number, rule=None):
    r = case.random
    flow = case.draw_flow(rule)
    big = r.random() < 0.15
    size = r.choice((1350, 1450, 1600, 3000)) if big else r.choice((8, 9, 16, 50, 100, 500, 1000))
    df = r.choice((WANT, WANT, DO)) if size < 1300 else r.choice((WANT, DONT))
    out = Out(number, flow, size, tos=r.choice((0, 0, 0, 1, 2, 3, 0xb8, 0x2a)),
              ttl=r.choice((64, 64, 64, 255, 5)), df=df, ident=number)
    if out.from_lan and size > 1300:
        out.df = DONT
        out.cut = r.choice((600, 1200)) if size > 1450 else 0
    return out
