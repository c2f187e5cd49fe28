"""What each plane has made of the packets of a case, and where they differ."""

from collections import defaultdict
from dataclasses import dataclass, fields, replace

from .esp import Refused
from .ippacket import ESP, IPIP, IPV6, TCP, UDP, Reassembly, is_v6, parse
from .lawful import GAP, LAWFUL, expected
from .sent import TCP_PORTS, In, Out, number_in

OWN = ("10.9.0.1", "fd09::1")


@dataclass(frozen=True)
class Seen:
    """A packet somewhere, in all in which both must be alike."""
    way: str  # "in ESP", "in clear", "arrived", "to the lan"
    src: str
    dst: str
    proto: int
    inner_tos: int = 0
    inner_ttl: int = 0
    inner_df: bool = False
    ident: int = 0
    inner_label: int = 0
    payload: bytes = b""
    # of what is around it
    sa: int = 0
    ends: tuple = ()
    tos: int = 0
    ttl: int = 0
    outer_df: bool = False
    label: int = 0
    pad: bytes = b""

    def but(self, **other):
        return replace(self, **other)

    def __str__(self):
        words = [f"{f.name} {v.hex() if isinstance(v, bytes) else v}" for f in fields(self)[1:]
                 if (v := getattr(self, f.name)) != f.default]
        return f"{self.way}: " + " ".join(words)


def plain(way, packet, out=False, **outside):
    """Which number a host gives its packets is its own business. Of one that transport mode has
    carried it is the outer packet's."""
    ours = packet.src in OWN if out else packet.dst in OWN and not packet.df
    return Seen(way, packet.src, packet.dst, packet.proto, packet.tos, packet.ttl, packet.df,
                0 if ours else packet.ident, packet.label, masked(packet), **outside)


def masked(packet):
    """The payload; of a connection that a host's own TCP begins only what is no accident."""
    if packet.proto == TCP and int.from_bytes(packet.payload[:2], "big") > TCP_PORTS:
        return packet.payload[:4] + packet.payload[13:14]
    return packet.payload


def size_of(packet):
    head = 40 if packet.v6 else 20
    return head + len(packet.payload) + (8 if packet.v6 and packet.fragment else 0)


class Outcome:
    """Of one plane."""

    def __init__(self, case, first):
        """first: of each SA's id, the number before the first that it sends."""
        self.case = case
        self.by_spi = {sa.spi + 1: sa for sa in case.sas}
        self.last = {sa.id: first.get(sa.id, 0) for sa in case.sas}
        self.gap = set()  # of SAs: numbers may be left out once
        # Of each SA, what it has sent more than one packet for each datagram: packets, octets.
        self.more = defaultdict(lambda: [0, 0])
        self.ahead = defaultdict(int)  # of each SA, how many numbers it is ahead for that, or a gap
        self.swapped = defaultdict(int)  # of each SA, the event before which that was
        self.at = defaultdict(list)  # event's number -> what came of it
        self.faults = []
        self.usage, self.notices, self.replay = {}, set(), {}
        self.parts = Reassembly()

    # ---- what left ---------------------------------------------------------------------

    def on_wire(self, packet):
        if packet.proto == ESP:
            self._esp(packet, packet.payload, None)
        elif packet.proto == UDP and packet.payload[:2] == b"\x11\x94":
            self._esp(packet, packet.payload[8:], int.from_bytes(packet.payload[2:4], "big"))
        else:
            self._note(packet, plain("in clear", packet, out=True))

    def _esp(self, outer, esp, port):
        sa = self.by_spi.get(int.from_bytes(esp[:4], "big"))
        if not sa:
            self.faults.append(f"ESP of no SA: {outer}")
            return
        try:
            proto, text, pad = self._open(sa, esp)
        except Refused as why:
            self.faults.append(f"SA {sa.id}: {why}: {outer}")
            return
        outside = {"sa": sa.id, "ends": (outer.src, outer.dst, port), "tos": outer.tos,
                   "ttl": outer.ttl, "outer_df": outer.df, "label": outer.label, "pad": pad}
        if sa.mode == "transport":
            inner = parse(outer.octets())
            inner.proto, inner.payload = proto, text
            self._note(inner, Seen("in ESP", outer.src, outer.dst, proto, payload=masked(inner),
                                   **outside))
            return
        inner, whole = parse(text), None
        if not inner or proto != (IPV6 if inner.v6 else IPIP) or len(text) != size_of(inner):
            self.faults.append(f"SA {sa.id}: what is inside: {proto} {text.hex()}")
        elif whole := self.parts.add(inner):
            self._note(whole, plain("in ESP", whole, out=True, **outside))
        if inner and inner.fragment:
            self._count_more(sa, 1 - bool(whole), size_of(inner) - (size_of(whole) if whole else 0))

    def _count_more(self, sa, packets, octets):
        self.more[sa.id][0] += packets
        self.more[sa.id][1] += octets
        self.ahead[sa.id] += packets

    def _open(self, sa, esp):
        low, last = int.from_bytes(esp[4:8], "big"), self.last[sa.id]
        high = last >> 32 if low >= last & 0xffffffff else (last >> 32) + 1
        seq, proto, text, pad = sa.going.open(esp, high)
        if seq <= last or (seq != last + 1 and sa.id not in self.gap):
            self.faults.append(f"SA {sa.id}: number {seq} behind {last}")
        self.gap.discard(sa.id)
        self.last[sa.id] = seq
        return proto, text, pad

    def swap(self, other, sa, number):
        """From this event on each goes on with the numbers that the other's SA had."""
        self.swapped[sa.id] = other.swapped[sa.id] = number
        for each, its in (self.last, other.last), (self.ahead, other.ahead):
            each[sa.id], its[sa.id] = its[sa.id], each[sa.id]

    def count_alone(self, event, own, others, other):
        """What was sealed here, and not there."""
        ours = [s for s in own if s.way == "in ESP"]
        if len(ours) <= sum(s.way == "in ESP" for s in others):
            return
        seen = ours[0]
        self.more[seen.sa][0] += 1
        self.more[seen.sa][1] += len(seen.payload) + (40 if is_v6(seen.src) else 20)
        before = event.number < self.swapped[seen.sa]
        (other if before else self).ahead[seen.sa] += 1

    # ---- what arrived ------------------------------------------------------------------

    def on_lan(self, packet):
        self._note(packet, plain("to the lan", packet))

    def arrived(self, packet):
        self._note(packet, plain("arrived", packet))

    def _note(self, packet, seen):
        number = number_in(packet.payload)
        if number is None and packet.proto == TCP:
            port = int.from_bytes(packet.payload[:2], "big")
            number = port - TCP_PORTS if port > TCP_PORTS else None
        self.at[number].append(seen)


def differences(case, events, outcomes):
    """(lines that say what is wrong, names of lawful differences that were met)"""
    found, met = [], set()
    kernel, user = outcomes["kernel"], outcomes["userspace"]
    for name, outcome in outcomes.items():
        found += [f"{name}: {fault}" for fault in outcome.faults]
    for event in events:
        sides = [outcome.at.get(event.number, []) for outcome in (kernel, user)]
        found += packet_differs(case, event, *sides, met)
        kernel.count_alone(event, *sides, user)
        user.count_alone(event, *reversed(sides), kernel)
    if kernel.at.get(None) != user.at.get(None):
        found.append(f"others: {kernel.at.get(None)} {user.at.get(None)}")
    for sa in case.sas:
        found += counts_differ(sa, events, kernel, user, met)
        k, u = kernel.replay.get(sa.id), user.replay.get(sa.id)
        if k != u:
            found.append(f"replay state of SA {sa.id}: kernel {k}\n{'':31}userspace {u}")
    for side, more in (("kernel", kernel.notices - user.notices),
                       ("userspace", user.notices - kernel.notices)):
        for notice in more:
            if side == "userspace" and notice.startswith("notice unknown-spi"):
                met.add("unknown SPI")
            else:
                found.append(f"only {side}: {notice}")
    return found, met


def packet_differs(case, event, kernel, user, met):
    if kernel == user:
        return []
    for name, row in LAWFUL.items():
        if row.known and row.known(case, event, kernel, user):
            met.add(name)
            return []
    out = [str(event) + (f" {event.refused}" if isinstance(event, Out) else "")]
    out += [f"    kernel: {w}" for w in kernel] or ["    kernel: nothing"]
    return out + ([f" userspace: {w}" for w in user] or [" userspace: nothing"])


def counts_differ(sa, events, kernel, user, met):
    k, u = kernel.usage.get(sa.id), user.usage.get(sa.id)
    if not k or not u:
        return [f"SA {sa.id} counts nothing: kernel {k}, userspace {u}"]
    want = expected(sa, events, kernel, user)
    if u["selector"]:
        met.add("selectors")
    if kernel.ahead[sa.id] > GAP // 2:
        met.add("gap")
    if any(isinstance(e, In) and e.sa is sa and e.kind == "zero" and e.uncounted for e in events):
        met.add("number zero")
    wrong = [f"{name} kernel {k[name]} userspace {u[name]} (so the kernel should have {value})"
             for name, value in want.items() if k[name] != value]
    return [f"counted for SA {sa.id}: {w}" for w in wrong]
