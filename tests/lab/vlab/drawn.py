"""Rules, SAs and packets, drawn from one seed: what both planes are given.

A case has up to three rules that protect something, some that except or block a part of it,
an SA or two for each of the former, and packets that lie within their selectors, at their
edges and beside them.
"""

import ipaddress
import random
from dataclasses import dataclass, field

from .esp import ALGORITHMS, Direction
from .ippacket import GRE, ICMP, ICMPV6, IPIP, IPV6, OTHER, SCTP, TCP, UDP, is_v6
from .worlds import PORTS, OWN4, OWN6, fence_entries

WINDOWS = (32, 33, 64, 100, 128, 1000, 1024, 2048, 4000, 4096)
LANS = ("10.1.0.{}", "fd01::{:x}")
ANY = ("any", 0, 0, 65535)


@dataclass(frozen=True)
class Selector:
    """One side: addresses as a prefix, protocol, ports."""
    net: str
    bits: int
    proto: int = 0
    low: int = 0
    high: int = 65535

    def covers(self, address, proto, port):
        """With ICMP the port stands for nothing here."""
        return ipaddress.ip_address(address) in ipaddress.ip_network(f"{self.net}/{self.bits}") and \
            self.proto in (0, proto) and (self.low <= port <= self.high or proto in (ICMP, ICMPV6))

    def __str__(self):
        if (self.low, self.high) == (0, 65535):
            return f"{self.net}/{self.bits},{self.proto}" if self.proto else \
                f"{self.net}/{self.bits}"
        return f"{self.net}/{self.bits},{self.proto},{self.low},{self.high}"


def host_of(net, bits, number):
    """An address of the prefix, which is one host or ends in a free last group."""
    if bits in (32, 128):
        return net
    return net[:-1] + (f"{number:x}" if is_v6(net) else str(number))


@dataclass
class Sa:
    id: int
    spi: int
    rule: int
    mode: str
    encap: bool
    alg: str
    esn: bool
    window: int
    local: str
    remote: str
    port: int
    pairs: tuple  # (local selectors, remote selectors)
    idle: bool = False
    first: int = 0  # the number before the first that it sends
    coming: Direction = None
    going: Direction = None
    seq: int = 0  # the highest number sent to it
    used: list = field(default_factory=list)
    burnt: set = field(default_factory=set)  # sent with something that is no packet: not again

    def __post_init__(self):
        self.coming = Direction(self.spi, self.alg, self.esn)
        self.going = Direction(self.spi + 1, self.alg, self.esn)

    @property
    def width(self):
        """Of its window, as it comes to be."""
        return next(w for w in (32, 64, 128, 256, 512, 1024, 2048, 4096) if w >= self.window)

    def command(self):
        local, remote = ("+".join(map(str, side)) for side in self.pairs)
        return (f"sa {self.id} 0 {self.spi} {self.spi + 1} {self.mode} "
                f"{'udp' if self.encap else 'esp'} {self.local} {self.remote} {local} {remote} "
                f"alg={self.alg} esn={int(self.esn)} window={self.window} rule={self.rule} "
                f"port={self.port}")

    def __str__(self):
        return (f"SA {self.id}: {self.mode} {self.local}-{self.remote}"
                f"{f' udp {self.port}' if self.encap else ''} {self.alg} "
                f"{'esn ' if self.esn else ''}window {self.window} rule {self.rule} "
                f"{' + '.join(map(str, self.pairs[0]))} <-> {' + '.join(map(str, self.pairs[1]))}")


@dataclass
class Rule:
    number: int
    action: str
    local: Selector
    remote: Selector
    mode: str = "transport"
    peer: str = ""  # a tunnel's other end

    def command(self):
        words = [f"entry {self.local} {self.remote} {self.action} rule={self.number}"]
        if self.mode == "tunnel" and self.action == "negotiate":
            words += ["tunnel", f"to={self.peer}"]
        return " ".join(words)


class Case:
    """One seed's rules and SAs."""

    def __init__(self, seed):
        self.seed = seed
        self.random = random.Random(seed)
        # A virtual address has its own rules; the host's are about every address.
        self.is_host = self.random.random() < 0.6
        self.rules, self.sas = [], []
        self.story = ""
        for number in range(1, self.random.choice((2, 3, 3, 4))):
            self._draw_protected(number)
        for number in range(10, 10 + self.random.choice((0, 1, 1, 2))):
            self._draw_exception(number)

    # ---- rules -------------------------------------------------------------------------

    def _fits(self, rule):
        """The same selectors twice would be a contradiction."""
        return all((r.local, r.remote) != (rule.local, rule.remote) for r in self.rules)

    def _draw_protected(self, number):
        r = self.random
        v6 = r.random() < 0.4
        mode = r.choice(("transport", "tunnel"))
        v6_outside = v6 if mode == "transport" else r.random() < 0.4
        # Not those of the case before, for which the kernel may have asked a moment ago.
        n = number + 1 + 3 * (self.seed % 2)
        peer = (f"fd09::{n:x}" if v6_outside else f"10.9.0.{n}")
        own = OWN6 if v6 else OWN4
        bits = 128 if v6 else 32
        local, remote = (own, bits), (f"fd09::{n:x}" if v6 else f"10.9.0.{n}", bits)
        if mode == "tunnel" and self.is_host and r.random() < 0.7:
            local, remote = (("fd01::0", 64), (f"fd0{number + 1}::0", 64)) if v6 else \
                (("10.1.0.0", 24), (f"10.{20 + number}.0.0", 24))
        elif mode == "tunnel" and r.random() < 0.5:
            remote = (f"fd0{number + 1}::0", 64) if v6 else (f"10.{20 + number}.0.0", 24)
        sides = self._draw_ports(v6)
        rule = Rule(number, "negotiate", Selector(*local, *sides[0]), Selector(*remote, *sides[1]),
                    mode, peer)
        if self._fits(rule):
            self.rules.append(rule)
            self._draw_sas(rule, v6_outside)

    def _draw_ports(self, v6):
        """(protocol, low, high) of both sides."""
        r = self.random
        kind = r.choice(("any", "any", "any", "udp", "udp", "tcp", "icmp", "port", "range", "sport"))
        every = (0, 65535)
        if kind == "any":
            return ((0, *every),) * 2
        if kind == "icmp":
            proto = ICMPV6 if v6 else ICMP
            echo = (128 if v6 else 8) << 8
            kinds = every if r.random() < 0.5 else (echo, (echo + 0x1ff) | 0xff if v6 else echo | 0xff)
            return ((proto, *kinds), (proto, *every))
        proto = TCP if kind == "tcp" else UDP
        port = r.choice(PORTS)
        return {"port": ((proto, *every), (proto, port, port)),
                "sport": ((proto, port, port), (proto, *every)),
                "range": ((proto, *every), (proto, 1000, 1000 + r.choice((0, 1, 2, 3))))}.get(
                    kind, ((proto, *every),) * 2)

    def _draw_exception(self, number):
        r = self.random
        inner = r.choice(self.rules)
        v6 = is_v6(inner.local.net)
        sides = self._draw_ports(v6)
        remote, bits = inner.remote.net, inner.remote.bits
        if r.random() < 0.5:
            remote, bits = host_of(remote, bits, 2), 128 if v6 else 32
        rule = Rule(number, r.choice(("permit", "block")),
                    Selector(inner.local.net, inner.local.bits, *sides[0]),
                    Selector(remote, bits, *sides[1]))
        if self._fits(rule):
            self.rules.append(rule)

    # ---- SAs ---------------------------------------------------------------------------

    def _draw_sas(self, rule, v6_outside):
        """All of one peer, and so from one place."""
        r = self.random
        encap = r.random() < 0.35
        port = r.choice((4500, 4500, 31234)) if encap else 0
        for _ in range(r.choice((0, 1, 1, 1, 1, 2))):
            number = len(self.sas)
            pairs = self._narrow(rule)
            # Of two that are alike the newer sends: by the kernel's clock, whose unit is 1 s.
            idle = any(sa.rule == rule.number for sa in self.sas)
            self.sas.append(Sa(
                id=100 + number, spi=0x10000 + 2 * number, rule=rule.number, mode=rule.mode,
                encap=encap, alg=r.choice(list(ALGORITHMS)), esn=r.random() < 0.5,
                window=r.choice(WINDOWS), local=OWN6 if v6_outside else OWN4, remote=rule.peer,
                port=port, pairs=pairs, idle=idle))
            if r.random() < 0.4:
                self.sas[-1].first = 0xfffffffd if self.sas[-1].esn else r.choice((1, 70000))

    def _narrow(self, rule):
        """What the SA is for: all of its rule, or less."""
        r = self.random
        local, remote = rule.local, rule.remote
        kind = r.choice(("all", "all", "all", "host", "ports", "two"))
        if kind == "host":
            remote = Selector(host_of(remote.net, remote.bits, 3), 128 if is_v6(remote.net) else 32,
                              remote.proto, remote.low, remote.high)
        if kind in ("ports", "two") and remote.proto == 0:
            local = Selector(local.net, local.bits, UDP)
            remote = Selector(remote.net, remote.bits, UDP, 1000, 1001)
            if kind == "two":
                return (local,), (remote, Selector(remote.net, remote.bits, UDP, 143, 143))
        return (local,), (remote,)

    def permits(self, flow):
        """Whether a rule lets it pass in clear. flow: as the other side sends it."""
        remote, local, proto, rport, lport = flow
        return any(rule.action == "permit" and rule.local.covers(local, proto, lport) and
                   rule.remote.covers(remote, proto, rport) for rule in self.rules)

    # ---- for the planes ----------------------------------------------------------------

    def commands(self):
        lines = [rule.command() for rule in self.rules] + fence_entries()
        lines.append("policy 0" if self.is_host else f"policy 0 {OWN4} {OWN6}")
        return lines

    def __str__(self):
        return "\n".join([f"seed {self.seed}, {'the host' if self.is_host else 'an address'}"
                          f"{', ' + self.story if self.story else ''}",
                          *(rule.command() for rule in self.rules), *map(str, self.sas)])

    # ---- flows -------------------------------------------------------------------------

    def draw_flow(self, rule=None):
        """(local address, remote address, protocol, local port, remote port): within a rule's
        addresses, and with the ports that the rules speak of, or one beside them. ICMP has
        its type and code in the place of the ports."""
        r = self.random
        rule = rule or r.choice(self.rules)
        local, remote = (host_of(s.net, s.bits, r.choice((2, 3, 4))) for s in (rule.local, rule.remote))
        v6 = is_v6(local)
        proto = r.choice((UDP, UDP, UDP, UDP, TCP, TCP, ICMP, SCTP, GRE, OTHER))
        if rule.local.proto and r.random() < 0.7:
            proto = rule.local.proto
        if proto in (ICMP, ICMPV6):
            kinds = (128, 129) if v6 else (8, 0, 14)
            return local, remote, ICMPV6 if v6 else ICMP, r.choice(kinds), 0
        return local, remote, proto, self._port(rule.local, proto), self._port(rule.remote, proto)

    def _port(self, selector, proto):
        r = self.random
        if r.random() < 0.6 and selector.proto == proto and selector.high - selector.low < 1000:
            return r.choice((selector.low, selector.high, max(1, selector.low - 1), selector.high + 1)
                            if r.random() < 0.3 else (selector.low, selector.high))
        return r.choice(PORTS)

    def draw_inner(self, sa):
        """A flow that the SA's selectors cover."""
        r = self.random
        local = sa.pairs[0][0]
        remote = r.choice(sa.pairs[1])
        ends = (host_of(local.net, local.bits, r.choice((2, 3, 4))),
                host_of(remote.net, remote.bits, r.choice((2, 3, 4))))
        v6 = is_v6(ends[0])
        proto = local.proto or r.choice((UDP, UDP, TCP, SCTP, GRE, ICMPV6 if v6 else ICMP))
        if proto in (ICMP, ICMPV6):
            kinds = (128, 129) if v6 else (8,) if local.high < 65535 else (8, 0, 14)
            return *ends, proto, r.choice(kinds), 0
        return *ends, proto, self._within(local), self._within(remote)

    def _within(self, selector):
        if selector.high - selector.low < 1000:
            return self.random.randint(selector.low, selector.high)
        return self.random.choice(PORTS)


def next_header(v6):
    return IPV6 if v6 else IPIP
