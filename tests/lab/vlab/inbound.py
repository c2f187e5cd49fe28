"""What comes over the wire for an SA: what its peer might send, and a stranger."""

import struct

from . import ippacket
from .drawn import next_header
from .ippacket import NO_NEXT, SCTP, TCP, UDP, ip, is_v6
from .sent import In, marked, turned, upper
from .worlds import carry


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
        # With ESN Linux looks for it up to the number before the last of the first window only.
        if self.sa.esn and self.sa.width - 1 <= self.sa.seq < self.sa.width + 20:
            return self._next(number)
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
        size = self.random.choice((9, 12, 20, 24, len(esp) - 1, len(esp) // 2))
        # Of one with a tag and nothing else, and no cipher, Linux still looks at the tag.
        size -= size == 8 + self.sa.coming.alg.iv_len + self.sa.coming.alg.tag_len
        return self._wrap_up(esp[:size]), seq

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
        """With UDP around it where there should be none, or without; and one behind it, for
        the window is to be the same again."""
        seq = self._burn()
        first = self._wrap_up(self._sealed(seq, number), encap=not self.sa.encap)
        inner = self.inner
        follow = self._wrap_up(self._sealed(self._take(), number))
        self.inner = inner
        return first + follow, seq

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
