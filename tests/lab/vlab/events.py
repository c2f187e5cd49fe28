"""The events of the demonstration, and how each is measured."""

import signal

from .core import LabError, LabTimeout, now_ms, wait_until
from .report import print_timeline
from .scene import CLEAR, PROTECTED
from .tap import check

EVENTS = ("move", "crash", "daemon-kill", "vip-pulled")
TITLES = {"move": "planned move", "crash": "crash",
          "daemon-kill": "SIGKILL of the daemon", "vip-pulled": "VIP pulled by hand"}
RECOVERY_S = 90
NO_GAP_MS = 30  # what a busy machine does to a stream anyway


class Measured:
    """One event: its JSON entry, its timeline, what did not come back (if anything), and
    figures beside the entry: packets of the clear stream without an answer, and how long
    after the fencing it was back."""

    def __init__(self, entry, timeline, failure, clear_lost, after_fencing_ms):
        self.entry, self.timeline, self.failure = entry, timeline, failure
        self.clear_lost, self.after_fencing_ms = clear_lost, after_fencing_ms


def cause(scene, event):
    """Makes it happen. Gives (start, when it had happened, node that must answer)."""
    cluster = scene.cluster
    old = cluster.active()
    if old is None:
        raise LabError("no node has the VIP")
    if event == "move":
        new = cluster.other(old)
        start = cluster.move(new)
        return start, start, new
    if event == "crash":
        new = cluster.other(old)
        start = cluster.crash(old)
        return start, start, new
    start = now_ms()
    if event == "daemon-kill":
        cluster.nodes[old].signal("vipsecd", signal.SIGKILL)
    else:
        cluster.nodes[old].run(["ip", "addr", "del", scene.vip_with_prefix(), "dev", "eth0"])
    return start, now_ms(), old


def repair(scene, event, old):
    """Brings the cluster back to two healthy nodes, streams flowing."""
    cluster = scene.cluster
    if event == "crash":
        cluster.start(old)
    elif event == "move":
        cluster.clear_move()
    else:
        if event == "daemon-kill":
            # What the kernel carries goes on meanwhile. A cleanup while Pacemaker starts the
            # daemon again would have that start count as failed.
            wait_until(lambda: cluster.nodes[old].ok("vipsec ping"), 60, "the daemon's return")
            cluster.settle()
        cluster.cleanup()
    cluster.settle()
    scene.wait_flowing(30)


def fencing(scene, start, old):
    """The first time that the old node was switched off, as the power switch noted it."""
    return next((entry for entry in scene.cluster.power.log
                 if entry[0] >= start and entry[2] == old), None)


def timeline(scene, event, start, old, new, end):
    """[(ms after the start, what)] from the taps, the addresses and the probes."""
    points = [(0.0, TITLES[event] + (f" of {old}" if event == "crash" else ""))]
    fenced = fencing(scene, start, old)
    if fenced:
        at, action, plug, asker = fenced
        points.append((at - start, f"{asker} has {plug} fenced ({action})"))
    for what, text in (("del", "leaves"), ("add", "appears on")):
        found = scene.cluster.addresses.first(what, scene.vip, start)
        if found and found.ms <= end:
            points.append((found.ms - start, f"the VIP {text} {found.host}"))
    ike = [s for s in scene.tap.seen("ike", since_ms=start, until_ms=end)
           if s.way == "in" and s.device == f"p-{new}" and s.src == scene.vip]
    if ike:
        points.append((ike[0].ms - start, f"first IKE message of {new}"))
    streams = [(CLEAR, "clear"), (PROTECTED, "protected")]
    for stream, text in streams[:1] if scene.is_bare() else streams:
        gap, back = scene.prober.outage(stream, start, end)
        if gap < NO_GAP_MS:
            points.append((back - start, f"longest gap between {text} answers: {gap:.1f} ms"))
            continue
        points.append((back - gap - start, f"last {text} answer before the gap"))
        points.append((back - start, f"first {text} answer after it"))
    return sorted(points)


def last_back(scene, start, happened, new):
    """Time from the VIP's appearance (or the event, if it never went) to the last peer's
    first protected answer."""
    appeared = scene.cluster.addresses.first("add", scene.vip, start, new)
    lost = scene.cluster.addresses.first("del", scene.vip, start)
    gone = lost.ms if lost and lost.host == new else happened
    firsts = {stream: first_reply(scene, stream, gone, new)
              for stream in [CLEAR] + scene.protected_streams()}
    # Who watches addresses may be late on a busy machine: an answer proves that it is there.
    since = min([appeared.ms, *firsts.values()]) if appeared else happened
    return max(firsts[stream] for stream in scene.protected_streams()) - since


def first_reply(scene, stream, after_ms, node):
    """When that node first answered a packet that was sent after that."""
    first = None
    for reply in reversed(scene.prober.read()[stream]):
        if reply.sent_ms <= after_ms:
            break
        if reply.node == node:
            first = reply.ms
    return first


def run_event(scene, event, nlbs_flags=0, recovery_s=RECOVERY_S):
    """One event from the cause to healthy streams and a whole cluster again."""
    old = scene.cluster.active()
    done = measure_event(scene, event, nlbs_flags, recovery_s)
    if not done.failure:
        repair(scene, event, old)
    return done


def event_holds(tap, scene, event, figure, limit_ms):
    """One event as a case: what must hold after each, and a figure of the entry (its key) with
    its limit. Gives the entry."""
    with tap.case(f"{TITLES[event]}: back without tuning, nothing in clear, no SA left over"):
        done = run_event(scene, event)
        entry = done.entry
        tap.note(f"protected {entry['outage_ms']} ms, clear {entry['clear_outage_ms']} ms, "
                 f"share {entry['ipsec_share_ms']} ms")
        print_timeline(done.timeline, tap.note)
        check(not done.failure, done.failure)
        check(entry["leaked_clear_packets"] == 0, f"leaked: {entry}")
        check(entry["old_sas_left"] == 0, f"SAs left: {entry}")
        check(entry[figure] < limit_ms, f"{figure} {entry[figure]}")
    return done.entry


def measure_event(scene, event, nlbs_flags=0, recovery_s=RECOVERY_S):
    """One event until its streams are back; never raises for one that does not come."""
    old = scene.cluster.active()
    start, happened, new = cause(scene, event)
    failure = None
    try:
        scene.wait_flowing(recovery_s, new, happened)
    except LabTimeout as why:
        failure = str(why)
    wait_until(lambda: now_ms() >= start + 3000, 5, "three seconds after the event")
    old_sas = scene.old_sas()
    end = now_ms()
    outage, _ = scene.prober.outage(PROTECTED, start - 20, end)
    clear_outage, _ = scene.prober.outage(CLEAR, start - 20, end)
    leaked, peer_leaked = scene.leaks(start, end)
    entry = {
        "event": event, "client": scene.client, "takeover": scene.takeover,
        "nlbs_flags": nlbs_flags, "peers": len(scene.protected_streams()),
        "outage_ms": tenths(outage), "clear_outage_ms": tenths(clear_outage),
        "ipsec_share_ms": tenths(outage - clear_outage),
        "last_back_ms": None if failure else tenths(last_back(scene, start, happened, new)),
        "leaked_clear_packets": leaked, "peer_clear_packets": peer_leaked,
        "old_sas_left": old_sas}
    points = timeline(scene, event, start, old, new, end)
    fenced = fencing(scene, start, old)
    back = first_reply(scene, CLEAR, happened, new)
    return Measured(entry, points, failure, scene.prober.unanswered(CLEAR, start, end),
                    back - fenced[0] if back and fenced else None)


def tenths(ms):
    """To 0.1 ms, and never -0.0."""
    return round(ms, 1) + 0.0
