"""What the demonstration prints: a timeline for an event, one table at the end."""

from statistics import median

# Aim for the IPsec share (or what the row says), from the project's goals.
ROWS = (
    ("planned move", "move", "vipsec", "reinitiate", None, "ipsec_share_ms", "50 ms", 50),
    ("crash, reinitiate", "crash", "vipsec", "reinitiate", 1, "ipsec_share_ms", "20 ms", 20),
    ("planned move, strongSwan client", "move", "strongswan", "reinitiate", None,
     "ipsec_share_ms", "100 ms", 100),
    ("crash, strongSwan client", "crash", "strongswan", "reinitiate", None,
     "ipsec_share_ms", "100 ms", 100),
    ("crash, 100 peers behind one NAT: last one back", "crash", "vipsec", "reinitiate", 100,
     "last_back_ms", "500 ms", 500),
    ("the same, 1 of the 100 silent", "crash", "vipsec", "reinitiate", 99,
     "last_back_ms", "500 ms", 500),
    ("daemon killed, same node", "daemon-kill", "vipsec", "reinitiate", None,
     "ipsec_share_ms", "monitor + 300 ms", 1300),
    ("VIP pulled by hand", "vip-pulled", "vipsec", "reinitiate", None, "ipsec_share_ms",
     "-", None),
)

# Kept beside an entry until it is written: the schema has no place for it.
WAIT_KEY = "_wait_ms"


def print_timeline(points, out=print):
    for at, what in points:
        out(f"      {at:+9.1f} ms  {what}")


def pick(runs, event, client, takeover, peers):
    return [r for r in runs if r["event"] == event and r["client"] == client
            and r["takeover"] == takeover and peers in (None, r["peers"])]


def figures(values):
    values = [v for v in values if v is not None]
    return (f"{median(values):9.1f} {max(values):9.1f}", median(values)) if values \
        else (f"{'-':>9} {'-':>9}", None)


def verdict(value, limit):
    if value is None or limit is None:
        return ""
    return "met" if value <= limit else "MISSED"


def print_table(result, out=print):
    """Medians with the maximum beside; aims."""
    runs = result["runs"]
    out(f"{'':46} {'runs':>4} {'median ms':>9} {'max ms':>9}  aim")
    for title, event, client, takeover, peers, key, aim, limit in ROWS:
        some = pick(runs, event, client, takeover, peers)
        if not some:
            continue
        text, middle = figures([r[key] for r in some])
        out(f"{title:46} {len(some):4} {text}  {aim} {verdict(middle, limit)}")
    print_wait_rows(runs, out)
    print_clear_rows(result, out)
    for key, text in (("leaked_clear_packets", "protected packets in clear, by vipsec"),
                      ("peer_clear_packets", "protected packets in clear, by the peer"),
                      ("old_sas_left", "SAs left over, all events")):
        out(f"{text:46} {len(runs):4} {sum(r[key] for r in runs):9}")


def print_wait_rows(runs, out):
    limits = sorted({(r["nlbs_flags"], r.get(WAIT_KEY, 0)) for r in runs
                     if r["takeover"] == "wait"})
    for flags, wait_ms in limits:
        some = [r for r in runs if r["takeover"] == "wait" and r["nlbs_flags"] == flags
                and r.get(WAIT_KEY, 0) == wait_ms]
        text, middle = figures([r["outage_ms"] for r in some])
        title = f"crash, wait {wait_ms / 1000:g} s, nlbs-flags {flags}: outage"
        if wait_ms < max(r["clear_outage_ms"] for r in some):
            aim = "no aim: the cluster's own failover takes longer"
        else:
            aim = f"{wait_ms / 1000:g} s + 1 s {verdict(middle, wait_ms + 1000)}"
        out(f"{title:46} {len(some):4} {text}  {aim}")


def typical(event, values):
    """The figure of a cluster's own outages. After a crash Pacemaker's controller sleeps a
    second, or not, by chance: of crashes it is the shortest, else the median."""
    return min(values) if event == "crash" else median(values)


def print_clear_rows(result, out):
    """The clear stream beside the bare VIP."""
    for event, key in (("move", "move_ms"), ("crash", "crash_ms")):
        bare = result["bare_vip"].get(key)
        if bare is None:
            continue
        how = "shortest" if event == "crash" else "median"
        out(f"{f'bare VIP, {event}, {how}':46} {'':4} {bare:9.1f}")
        some = [r["clear_outage_ms"] for r in pick(result["runs"], event, "vipsec",
                                                   "reinitiate", 1)]
        if some:
            value = typical(event, some)
            out(f"{f'clear stream beside vipsec, {event}, {how}':46} {len(some):4} "
                f"{value:9.1f} {max(some):9.1f}  bare + 20 ms {verdict(value, bare + 20)}")
