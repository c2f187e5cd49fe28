"""What the demonstration prints: a timeline for an event, one table at the end."""

from collections import namedtuple
from statistics import median

# Kept beside an entry until it is written: the schema has no place for it.
WAIT_KEY = "_wait_ms"
LOST_KEY = "_clear_lost"
FENCED_KEY = "_after_fencing_ms"

# What is printed of the runs of one kind: the figure KEY, and the aim for its median.
# stock: strongSwan on both sides under Pacemaker, untuned; old: the historic system.
Row = namedtuple("Row", "title event client peers key aim limit stock old",
                 defaults=(None, "", "", ""))
SHARE, BACK = "ipsec_share_ms", "last_back_ms"
ROWS = (
    Row("planned move: IPsec share", "move", "vipsec", 1, SHARE, "50", 50, "3.85 s", "3-6 s"),
    Row("crash, reinitiate: IPsec share", "crash", "vipsec", 1, SHARE, "20", 20, "192 s",
        "2-6 min"),
    Row("planned move, strongSwan client: IPsec share", "move", "strongswan", 1, SHARE, "100",
        100, "3.85 s"),
    Row("crash, strongSwan client: IPsec share", "crash", "strongswan", 1, SHARE, "100", 100,
        "192 s"),
    Row("crash, 100 peers behind a NAT: last one back", "crash", "vipsec", 100, BACK, "500",
        500, "15-46 s, some never"),
    Row("the same, 1 of the 100 silent", "crash", "vipsec", 99, BACK, "500", 500),
    Row("daemon killed, same node: IPsec share", "daemon-kill", "vipsec", 1, SHARE,
        "monitor + 300", 1300, "monitor + 230 ms"),
    Row("daemon killed: clear packets lost", "daemon-kill", "vipsec", 1, LOST_KEY, "0", 0),
    Row("VIP pulled by hand: IPsec share", "vip-pulled", "vipsec", 1, SHARE),
)
LINE = "{:45} {:>4} {:>9} {:>9}  {:20} {:20} {}"
# After a crash Pacemaker's controller sleeps for a second before it acts, or not, by chance.
CONTROLLER_SLEEP_MS = 1000


def print_timeline(points, out=print):
    for at, what in points:
        out(f"      {at:+9.1f} ms  {what}")


def pick(runs, event, client, takeover, peers=1):
    return [r for r in runs if r["event"] == event and r["client"] == client
            and r["takeover"] == takeover and r["peers"] == peers]


def verdict(value, limit):
    return "met" if value <= limit else "MISSED"


def print_row(out, title, values, aim="", stock="", old=""):
    values = [v for v in values if v is not None]
    line = LINE.format(title, len(values), f"{median(values):.1f}", f"{max(values):.1f}", aim,
                       stock, old) if values else LINE.format(title, 0, "-", "-", aim, "", "")
    out(line.rstrip())


def print_table(runs, bare, out=print):
    """Medians with the maximum beside; aims. bare: runs of a VIP without vipsec."""
    out(LINE.format("in milliseconds", "runs", "median", "maximum", "aim for the median",
                    "stock strongSwan", "historic system"))
    for row in ROWS:
        some = [r[row.key] for r in pick(runs, row.event, row.client, "reinitiate", row.peers)]
        known = [v for v in some if v is not None]
        if some:
            said = f"{row.aim} {verdict(median(known), row.limit)}" if known and row.aim else ""
            print_row(out, row.title, some, said, row.stock, row.old)
    print_wait_rows(runs, out)
    print_clear_rows(runs, bare, out)
    for key, text in (("leaked_clear_packets", "protected packets in clear, by vipsec"),
                      ("peer_clear_packets", "protected packets in clear, by the peer"),
                      ("old_sas_left", "SAs left over, all events")):
        out(f"{text:45} {len(runs):4} {'sum':>9} {sum(r[key] for r in runs):9}")
    out("A packet goes every 2 ms: a share below that is none.")
    if bare:
        out("(*) Pacemaker's controller sleeps a second after some crashes, by chance: "
            "median of the others.")


def print_wait_rows(runs, out):
    kinds = {(r.get(WAIT_KEY, 0), r["nlbs_flags"]) for r in runs if r["takeover"] == "wait"}
    for wait_ms, flags in sorted(kinds, reverse=True):
        some = [r for r in runs if r["takeover"] == "wait" and r["nlbs_flags"] == flags
                and r.get(WAIT_KEY, 0) == wait_ms]
        # Where the cluster's own failover takes longer than the timer, it is what counts.
        beyond = median(r["outage_ms"] - max(wait_ms, r["clear_outage_ms"]) for r in some)
        slower = all(r["clear_outage_ms"] > wait_ms for r in some)
        aim = ("clear stream" if slower else f"{wait_ms:g}") + f" + 1000 {verdict(beyond, 1000)}"
        old = ("2 min" if flags else "6 min") if wait_ms >= 60000 else ""
        print_row(out, f"crash, wait {wait_ms / 1000:g} s, nlbs-flags {flags}: whole outage",
                  [r["outage_ms"] for r in some], aim, "", old)


def typical(event, runs):
    """The clear stream's usual outage: after crashes, of those without the controller's
    sleep. None without such runs."""
    values = [r["clear_outage_ms"] for r in runs if r["event"] == event]
    if event == "crash":
        values = [v for v in values if v < min(values) + CONTROLLER_SLEEP_MS / 2]
    return round(median(values), 1) if values else None


def print_clear_rows(runs, bare, out):
    """The clear stream beside vipsec, and the same VIP without vipsec."""
    for event, text in (("move", "planned move: clear stream"),
                        ("crash", "crash: clear stream (*)"),
                        ("vip-pulled", "VIP pulled by hand: clear stream")):
        some = pick(runs, event, "vipsec", "reinitiate")
        alone, here = typical(event, bare), typical(event, some)
        if alone is None or here is None:
            continue
        aim = f" + 20 {verdict(here, alone + 20)}" if event == "move" else ""
        out(LINE.format(text, len(some), f"{here:.1f}",
                        f"{max(r['clear_outage_ms'] for r in some):.1f}",
                        f"bare {alone:.1f}{aim}", "", "").rstrip())
        if event == "crash":
            print_after_fencing(some, bare, out)


def print_after_fencing(runs, bare, out):
    """What of a crash's outage vipsec could lengthen; what lies before is corosync's, and
    differs by more than the aim from crash to crash."""
    alone, here = ([r[FENCED_KEY] for r in some if r.get(FENCED_KEY) is not None]
                   for some in (bare, runs))
    if alone and here:
        limit = median(alone) + 20
        print_row(out, "  of it, after the fencing", here,
                  f"bare {limit - 20:.1f} + 20 {verdict(median(here), limit)}")
