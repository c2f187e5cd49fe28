"""Where the planes differ and may: one table, with the reasons. docs/PLANES.md tells people of
each by its name; anything else in which they differ is a fault of ours.

`known` says whether what became of one packet is this difference. What is counted differently
is put right in `expected`.
"""

from dataclasses import dataclass

from .ippacket import ICMP, ICMPV6, OTHER, is_v6
from .sent import In, Out

CE = 3
FITS = 1300  # octets of payload that do, whatever is around it
GAP = 1 << 16


@dataclass
class Row:
    why: str
    known: object = None  # (case, event, of the kernel, of userspace) -> bool


def congestion(_case, _event, kernel, userspace):
    """The same but for the outer header's mark, where the inner one is "congested"."""
    if len(kernel) != len(userspace):
        return False
    for k, u in zip(kernel, userspace):
        if k != u and not (k.tos & 3 == 2 and u.tos & 3 == CE and k.but(tos=u.tos) == u):
            return False
    return True


def other_way(_case, event, kernel, userspace):
    """What comes behind it, and as it should, is there in both."""
    return isinstance(event, In) and event.kind == "other way" and \
        kernel in (userspace[1:], userspace[:-1])


def icmp_types(case, event, kernel, userspace):
    """In both directions: a strict rp_filter asks where an answer would go."""
    return event.flow is not None and event.flow[2] in (ICMP, ICMPV6) and not userspace and \
        all(k.way in ("in clear", "arrived", "to the lan") for k in kernel) and \
        any(r.action == "negotiate" and r.local.proto == event.flow[2] and
            (r.local.low, r.local.high) != (0, 65535) for r in case.rules)


def fragments(_case, event, kernel, userspace):
    """It came in fragments, or the host itself has made some of it; of those that come one plane
    or the other may not know what to do with what has no ports."""
    if not isinstance(event, Out) or event.cut == 0 and event.size <= FITS:
        return False
    if event.cut > 0 and not (kernel and userspace):
        return all(s.way == "in ESP" for s in kernel + userspace)
    return [k.but(tos=0, outer_df=0, inner_df=0, ident=0, pad=b"") for k in kernel] == \
        [u.but(tos=0, outer_df=0, inner_df=0, ident=0, pad=b"") for u in userspace]


def protocols(_case, event, _kernel, userspace):
    flow = event.flow
    return flow is not None and flow[2] == OTHER and not is_v6(flow[0]) and not userspace


def is_too_big(seen):
    """An error that says so."""
    return (seen.proto, seen.payload[:2]) in ((ICMP, b"\3\4"), (ICMPV6, b"\2\0"))


def largest(_case, event, kernel, userspace):
    """Only of packets that must stay whole, and fit in one plane but not in the other; or neither
    lets it pass, and each says how much it would."""
    if not isinstance(event, Out) or event.size <= FITS or not event.whole:
        return False
    k, u = ([s for s in side if not is_too_big(s)] for side in (kernel, userspace))
    return k == u or bool(k) != bool(u)


def permitted(case, event, kernel, userspace):
    """It need not have gone into an SA, and has."""
    return isinstance(event, In) and event.sa is not None and case.permits(event.flow) and \
        bool(userspace) != bool(kernel)


LAWFUL = {
    "congestion": Row(
        "the kernel writes ECT(0) outside where the packet inside is marked as congested (RFC 3168 "
        "9.1.1), userspace copies the mark (RFC 6040 4.1); what arrives inside is the same", congestion),
    "encapsulation": Row(
        "the kernel takes ESP only as its SA says, in UDP or not; userspace takes both (RFC 7296 "
        "2.23)", other_way),
    "icmp types": Row(
        "routing rules cannot tell types of ICMP apart: of a rule about some of them userspace "
        "keeps the others from leaving, and a strict rp_filter from coming", icmp_types),
    "fragments": Row(
        "what comes in fragments, or leaves the host in some, userspace puts together, and seals once; "
        "the kernel seals each, if its rule asks for no ports; userspace drops fragments of UDP from a "
        "network in which the host has an address", fragments),
    "other protocols": Row(
        "with IPv4 a rule about any protocol is steered into the TUN for those that Linux speaks; "
        "others are dropped", protocols),
    "largest packet": Row(
        "the TUN's MTU is what fits into every SA; the kernel works out what fits into each", largest),
    "permitted inside": Row(
        "what a rule permits in clear, and comes through an SA that covers it all the same, the kernel "
        "drops in tunnel mode, and a strict rp_filter where userspace hands it out", permitted),
    "number zero": Row("the kernel does not count packets whose number is zero (RFC 4303 3.3.3)"),
    "selectors": Row("the kernel counts what does not fit its SA's selectors for all SAs "
                     "together (XfrmInStateMismatch)"),
    "unknown SPI": Row("the kernel does not tell of packets of an SPI that it has not got"),
    "gap": Row("an SA that is moved or whose gate was closed goes on with a number some 65,536 "
               "higher: the kernel is asked before it is told to stop"),
}


def expected(sa, events, kernel, userspace):
    """What the kernel should have counted, from what userspace has."""
    want = dict(userspace.usage[sa.id])
    want.pop("selector")
    for name, at in (("out", 0), ("bytes_out", 1)):
        want[name] += kernel.more[sa.id][at] - userspace.more[sa.id][at]
    want["seq"] += kernel.ahead[sa.id] - userspace.ahead[sa.id]
    for e in events:
        if isinstance(e, In) and e.sa is sa:
            if e.kind == "zero" and e.uncounted:
                want["replayed"] -= 1
            if e.kind == "other way":
                want["in"] -= 1
                want["bytes_in"] -= e.octets
    return want
