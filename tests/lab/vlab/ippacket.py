"""IP packets to and from octets: what a test sends, and what it has seen."""

import ipaddress
import socket
import struct
from dataclasses import dataclass

ICMP, IPIP, TCP, UDP, IPV6, GRE, ESP, ICMPV6, SCTP = 1, 4, 6, 17, 41, 47, 50, 58, 132
FRAGMENT, NO_NEXT, OTHER = 44, 59, 99  # one that Linux does not speak
DF, MF = 0x4000, 0x2000


def packed(address):
    return ipaddress.ip_address(address).packed


def total(data, start=0):
    """The internet checksum."""
    data += b"\0" * (len(data) % 2)
    value = start + sum(struct.unpack(f">{len(data) // 2}H", data))
    while value > 0xffff:
        value = (value & 0xffff) + (value >> 16)
    return value ^ 0xffff


def is_v6(address):
    return ":" in address


def ip(src, dst, proto, payload, tos=0, ttl=64, ident=0, df=False, more=False, offset=0):
    """A packet; its IPv6 fragment header, if it is a fragment, included."""
    if is_v6(src):
        if more or offset:
            payload = struct.pack(">BBHI", proto, 0, offset | more, ident) + payload
            proto = FRAGMENT
        return struct.pack(">IHBB", 6 << 28 | tos << 20, len(payload), proto, ttl) + \
            packed(src) + packed(dst) + payload
    bits = (DF if df else 0) | (MF if more else 0) | offset >> 3
    head = struct.pack(">BBHHHBBH", 0x45, tos, 20 + len(payload), ident, bits, ttl, proto, 0)
    head += packed(src) + packed(dst)
    return head[:10] + struct.pack(">H", total(head)) + head[12:] + payload


def pseudo(src, dst, proto, size):
    return packed(src) + packed(dst) + struct.pack(">II", size, proto)


def with_sum(src, dst, proto, data, at):
    """The same with its checksum at that place, in transport protocols' way."""
    value = total(pseudo(src, dst, proto, len(data)) + data)
    if value == 0 and proto == UDP:
        value = 0xffff
    return data[:at] + struct.pack(">H", value) + data[at + 2:]


def udp(src, dst, sport, dport, data):
    head = struct.pack(">HHHH", sport, dport, 8 + len(data), 0)
    return with_sum(src, dst, UDP, head + data, 6)


def tcp(src, dst, sport, dport, data, flags=0x18):
    head = struct.pack(">HHIIBBHHH", sport, dport, 1, 1, 5 << 4, flags, 1000, 0, 0)
    return with_sum(src, dst, TCP, head + data, 16)


def icmp(src, dst, kind, code, data):
    """Echo and its like; of the family's own protocol."""
    head = struct.pack(">BBHHH", kind, code, 0, 7, 1) + data
    if is_v6(src):
        return with_sum(src, dst, ICMPV6, head, 2)
    return head[:2] + struct.pack(">H", total(head)) + head[4:]


def sctp(sport, dport, data):
    """An ABORT of no association. Anything else has to be answered by a host whose kernel knows
    SCTP, and only some do."""
    head = struct.pack(">HHIIBBH", sport, dport, 1, 0, 6, 0, 4 + len(data))
    return head + data + bytes(-len(data) % 4)


@dataclass
class Packet:
    """What a packet says. payload: behind the IPv4 header, or the IPv6 one and a fragment
    header."""
    src: str
    dst: str
    proto: int
    tos: int
    ttl: int
    df: bool
    ident: int
    label: int
    more: bool
    offset: int
    payload: bytes

    @property
    def v6(self):
        return is_v6(self.src)

    @property
    def fragment(self):
        return self.more or self.offset > 0

    def octets(self):
        return ip(self.src, self.dst, self.proto, self.payload, self.tos, self.ttl, self.ident,
                  self.df, self.more, self.offset)


def parse(data):
    """None: not an IP packet, or not all of one. What follows it is cut off."""
    if len(data) >= 20 and data[0] >> 4 == 4:
        return _parse4(data)
    if len(data) >= 40 and data[0] >> 4 == 6:
        return _parse6(data)
    return None


def _parse4(data):
    head = (data[0] & 15) * 4
    size, ident, bits = struct.unpack_from(">HHH", data, 2)
    if size > len(data) or head > size or total(data[:head]) != 0:
        return None
    return Packet(socket.inet_ntop(socket.AF_INET, data[12:16]),
                  socket.inet_ntop(socket.AF_INET, data[16:20]), data[9], data[1], data[8],
                  bool(bits & DF), ident, 0, bool(bits & MF), (bits & 0x1fff) << 3,
                  data[head:size])


def _parse6(data):
    word, size, proto, ttl = struct.unpack_from(">IHBB", data)
    if 40 + size > len(data):
        return None
    out = Packet(socket.inet_ntop(socket.AF_INET6, data[8:24]),
                 socket.inet_ntop(socket.AF_INET6, data[24:40]), proto, word >> 20 & 0xff, ttl,
                 True, 0, word & 0xfffff, False, 0, data[40:40 + size])
    if proto == FRAGMENT and size >= 8:
        out.proto, _, bits, out.ident = struct.unpack_from(">BBHI", out.payload)
        out.more, out.offset = bool(bits & 1), bits & 0xfff8
        out.payload = out.payload[8:]
    return out


class Reassembly:
    """Fragments to datagrams; none is ever given up."""

    def __init__(self):
        self.waiting = {}

    def add(self, packet):
        """The whole datagram, once its last missing piece is here."""
        if not packet.fragment:
            return packet
        key = packet.src, packet.dst, packet.proto, packet.ident
        parts = self.waiting.setdefault(key, {})
        parts[packet.offset] = packet
        data, at = b"", 0
        while at in parts:
            data += parts[at].payload
            if not parts[at].more:
                del self.waiting[key]
                first = parts[0]
                return Packet(first.src, first.dst, first.proto, first.tos, first.ttl, False,
                              first.ident, first.label, False, 0, data)
            at = len(data)
        return None


def fragments(packet, size):
    """The octets of one packet as fragments of at most so many octets of payload."""
    step = size // 8 * 8
    out = []
    for at in range(0, len(packet.payload), step):
        out.append(ip(packet.src, packet.dst, packet.proto, packet.payload[at:at + step],
                      packet.tos, packet.ttl, packet.ident or 1,
                      more=at + step < len(packet.payload), offset=at))
    return out
