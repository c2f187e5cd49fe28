"""Packets of a case, each with a number by which it is known again wherever it comes out."""

import errno
import socket
import struct
from dataclasses import dataclass, field

from . import ippacket
from .drawn import next_header
from .ippacket import ESP, ICMP, ICMPV6, NO_NEXT, SCTP, TCP, UDP, ip, is_v6
from .worlds import carry

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
        """It may not be cut into pieces."""
        return self.df != DONT

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


class Inbound:
    """Makes what an SA's peer might send, and a stranger."""

    KINDS = ("next",) * 8 + ("skip", "skip", "ahead", "late", "late", "again", "again", "left",
                             "forged", "cut", "unknown", "dummy", "outside", "other mode",
                             "padded", "stuffed", "congested", "pieces", "other way", "moved",
                             "bad trailer", "zero", "wrap")

    def __init__(self, case, sa, numbers):
        self.case, self.sa, self.numbers = case, sa, numbers
        self.random = case.random
        self.sent = []  # (number of the SA, payload's event) that were meant to arrive

    def draw(self):
        kind = self.random.choice(self.KINDS)
        return self.make(kind)

    def make(self, kind):
        number = next(self.numbers)
        early = not self.sa.esn or self.sa.seq < self.sa.width - 1
        self.inner = None, 0
        packets, seq = getattr(self, "_" + kind.replace(" ", "_"))(number)
        flow, octets = self.inner
        return In(number, kind, packets, self.sa, seq, kind == "other way", flow, octets,
                  kind == "zero" and early)

    # ---- parts -------------------------------------------------------------------------

    def _take(self, step=1):
        self.sa.seq += step
        self.sa.used.append(self.sa.seq)
        return self.sa.seq

    def _burn(self):
        """A number that comes with something of which the planes think differently."""
        seq = self._take()
        self.sa.used.remove(seq)
        self.sa.burnt.add(seq)
        return seq

    def _text(self, number, flow=None, size=None):
        """(next header, what is sealed) of a packet as this SA carries it."""
        r = self.random
        flow = turned(flow or self.case.draw_inner(self.sa))
        body = upper(flow, number, size or r.choice((8, 20, 57, 64, 200, 700, 1300)))
        self.inner = flow, len(body) + (40 if is_v6(flow[0]) else 20)
        if self.sa.mode == "transport":
            return flow[2], body
        return next_header(is_v6(flow[0])), ip(flow[0], flow[1], flow[2], body,
                                               tos=r.choice((0, 0, 1, 2, 0xb8)),
                                               ttl=r.choice((64, 64, 2, 255)), ident=number,
                                               df=r.random() < 0.5)

    def _wrap_up(self, esp, encap=None, **more):
        sa = self.sa
        encap = sa.encap if encap is None else encap
        more.setdefault("ttl", self.random.choice((64, 64, 255, 9)))
        return [carry(esp, sa.remote, sa.local, encap, more.pop("sport", sa.port or 4500), **more)]

    def _sealed(self, seq, number, size=None, **more):
        return self.sa.coming.seal(seq, *self._text(number, size=size),
                                   salt=struct.pack(">I", number), **more)

    # ---- kinds -------------------------------------------------------------------------

    def _next(self, number):
        seq = self._take()
        return self._wrap_up(self._sealed(seq, number)), seq

    def _skip(self, number):
        seq = self._take(self.random.randint(2, self.sa.window))
        return self._wrap_up(self._sealed(seq, number)), seq

    def _ahead(self, number):
        step = self.random.choice((self.sa.window, self.sa.window + 1, 70000, 1 << 24, 1 << 30))
        if not self.sa.esn and self.sa.seq + step > 0xfffffff0:
            step = 1
        seq = self._take(step)
        return self._wrap_up(self._sealed(seq, number)), seq

    def _wrap(self, number):
        """With ESN over the end of the 32 bits on the wire; without, near it."""
        low = self.sa.seq & 0xffffffff
        if not self.sa.esn:
            return self._next(number)
        if 0xffffffff - low < 0x80000000 and 0xffffffff - low > 20:
            # Not farther than half of the space, or it would be taken for the past.
            seq = self._take(0xffffffff - low - self.random.randint(0, 5))
        else:
            seq = self._take(self.random.randint(1, 20))
        return self._wrap_up(self._sealed(seq, number)), seq

    def _late(self, number):
        """Within the window, and not seen yet if there is such a one."""
        low = max(1, self.sa.seq - self.sa.width + 1)
        free = [s for s in (low, *range(max(low, self.sa.seq - 40), self.sa.seq))
                if s not in self.sa.used and s not in self.sa.burnt]
        seq = self.random.choice(free) if free and self.sa.seq > 1 else self._take()
        self.sa.used.append(seq)
        return self._wrap_up(self._sealed(seq, number)), seq

    def _again(self, number):
        if not self.sa.used:
            return self._next(number)
        seq = self.random.choice(self.sa.used[-12:])
        return self._wrap_up(self._sealed(seq, number)), seq

    def _left(self, number):
        """Just left of the window, or far."""
        if self.sa.seq <= self.sa.width:
            return self._again(number)
        seq = max(1, self.sa.seq - self.sa.width - self.random.choice((0, 0, 1, 31, 64, 5000)))
        if seq in self.sa.burnt:
            return self._again(number)
        return self._wrap_up(self._sealed(seq, number)), seq

    def _zero(self, number):
        return self._wrap_up(self._sealed(0, number)), 0

    def _forged(self, number):
        seq = self.sa.seq + 1
        esp = bytearray(self._sealed(seq, number))
        at = self.random.choice((self.random.randrange(8, len(esp)), len(esp) - 1, 8))
        esp[at] ^= 1 << self.random.randrange(8)
        return self._wrap_up(bytes(esp)), seq

    def _cut(self, number):
        seq = self.sa.seq + 1
        esp = self._sealed(seq, number)
        return self._wrap_up(esp[:self.random.choice((9, 12, 20, 24, len(esp) - 1, len(esp) // 2))]), seq

    def _unknown(self, number):
        esp = self._sealed(self.sa.seq + 1, number)
        return self._wrap_up(b"\0\x0b\xad\x01" + esp[4:]), 0

    def _dummy(self, number):
        seq = self._burn()
        esp = self.sa.coming.seal(seq, NO_NEXT, marked(number, 40))
        follow = self._take()
        return self._wrap_up(esp) + self._wrap_up(self._sealed(follow, number)), seq

    def _outside(self, number):
        """From somebody that the SA is not about, or of a kind."""
        sa = self.sa
        local, remote, proto, lport, rport = self.case.draw_inner(sa)
        narrow = sa.pairs[0][0].proto != 0
        if sa.mode == "transport" and not narrow:
            return self._next(number)
        if narrow and (sa.mode == "transport" or self.random.random() < 0.5):
            proto, lport, rport = self.random.choice(
                [f for f in ((UDP, 9, 9), (TCP, 9, 9), (SCTP, 9, 9))
                 if f[0] != sa.pairs[0][0].proto or sa.pairs[1][0].high < 65535])
        else:
            remote = "fd0f::1" if is_v6(remote) else "10.99.0.1"
        seq = self._take()
        text = self._text(number, (local, remote, proto, lport, rport))
        return self._wrap_up(sa.coming.seal(seq, *text)), seq

    def _other_mode(self, number):
        seq = self._take()
        flow = turned(self.case.draw_inner(self.sa))
        body = upper(flow, number, 30)
        v6 = is_v6(flow[0])
        text = (flow[2], body) if self.sa.mode == "tunnel" else \
            (next_header(v6), ip(flow[0], flow[1], flow[2], body))
        return self._wrap_up(self.sa.coming.seal(seq, *text)), seq

    def _padded(self, number):
        seq = self._take()
        return self._wrap_up(self._sealed(
            seq, number, size=50, more=self.random.choice((4, 16, 100, 200)))), seq

    def _stuffed(self, number):
        """Behind the packet there is something that hides its length (RFC 4303 2.7)."""
        seq = self._take()
        header, text = self._text(number, size=100)
        if self.sa.mode == "tunnel":
            text += bytes(self.random.choice((1, 50, 200)))
        return self._wrap_up(self.sa.coming.seal(seq, header, text)), seq

    def _congested(self, number):
        seq = self._take()
        return self._wrap_up(self._sealed(seq, number), tos=self.random.choice((3, 1, 0xb8, 0xbb))), seq

    def _pieces(self, number):
        """The outer packet in fragments."""
        seq = self._take()
        esp = self.sa.coming.seal(seq, *self._text(number, size=1300))
        whole = ippacket.parse(self._wrap_up(esp)[0])
        whole.ident = number
        return ippacket.fragments(whole, self.random.choice((512, 800))), seq

    def _other_way(self, number):
        """With UDP around it where there should be none, or without."""
        seq = self._burn()
        return self._wrap_up(self._sealed(seq, number), encap=not self.sa.encap), seq

    def _moved(self, number):
        """Behind a NAT that has given it another port."""
        if not self.sa.encap:
            return self._next(number)
        seq = self._take()
        return self._wrap_up(self._sealed(seq, number), sport=self.sa.port + 1), seq

    def _bad_trailer(self, number):
        seq = self._burn()
        esp = self.sa.coming.seal(seq, *self._text(number, size=20), told=250)
        follow = self._take()
        return self._wrap_up(esp) + self._wrap_up(self._sealed(follow, number)), seq


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
