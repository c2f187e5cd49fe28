"""The events of the demonstration, and how each is measured."""

import signal

from .cluster import VIP
from .core import LabTimeout, now_ms, wait_until
from .scene import CLEAR, PROTECTED

EVENTS = ("move", "crash", "daemon-kill", "vip-pulled")
TITLES = {"move": "planned move", "crash": "crash",
          "daemon-kill": "SIGKILL of the daemon", "vip-pulled": "VIP pulled by hand"}
RECOVERY_S = 90


class Measured:
    """One event: its JSON entry, its timeline, and what did not come back, if anything."""

    def __init__(self, entry, timeline, failure=None):
        self.entry, self.timeline, self.failure = entry, timeline, failure


def cause(scene, event):
    """Makes it happen. Gives (start, when it had happened, node that must answer)."""
    cluster = scene.cluster
    old = cluster.active()
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
        cluster.nodes[old].run(["ip", "addr", "del", f"{VIP}/24", "dev", "eth0"])
    return start, now_ms(), old


def repair(scene, event, old):
    """Brings the cluster back to two healthy nodes, streams flowing."""
    cluster = scene.cluster
    if event == "crash":
        cluster.start(old)
    elif event == "move":
        cluster.clear_move()
    else:
        cluster.cleanup()
    cluster.settle()
    scene.wait_flowing(30)


def timeline(scene, event, start, old, new, end):
    """[(ms after the start, what)] from the taps, the addresses and the probes."""
    points = [(0.0, TITLES[event] + (f" of {old}" if event == "crash" else ""))]
    for at, action, plug, asker in scene.cluster.power.log:
        if start <= at <= end and plug == old:
            points.append((at - start, f"{asker} has {plug} fenced ({action})"))
            break
    for what, text in (("del", "leaves"), ("add", "appears on")):
        found = scene.cluster.addresses.first(what, VIP, start)
        if found and found.ms <= end:
            points.append((found.ms - start, f"the VIP {text} {found.host}"))
    ike = [s for s in scene.tap.seen("ike", since_ms=start, until_ms=end)
           if s.way == "in" and s.device == f"p-{new}" and s.src == VIP]
    if ike:
        points.append((ike[0].ms - start, f"first IKE message of {new}"))
    for stream, text in ((CLEAR, "clear"), (PROTECTED, "protected")):
        gap, back = scene.prober.outage(stream, start, end)
        points.append((back - gap - start, f"last {text} answer before the gap"))
        points.append((back - start, f"first {text} answer after it"))
    return sorted(points)


def last_back(scene, start, happened, new):
    """Time from the VIP's appearance (or the event, if it never went) to the last peer's
    first protected answer."""
    appeared = scene.cluster.addresses.first("add", VIP, start, new)
    since = appeared.ms if appeared else happened
    latest = since
    for stream in scene.protected_streams():
        replies = scene.prober.read()[stream]
        for reply in reversed(replies):
            if reply.sent_ms <= happened or (appeared and reply.ms < appeared.ms):
                break
            if reply.node == new:
                first = reply.ms
        latest = max(latest, first)
    return latest - since


def run_event(scene, event, nlbs_flags=0, recovery_s=RECOVERY_S):
    """One event from the cause to healthy streams again; never raises for a lost stream."""
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
        "outage_ms": round(outage, 1), "clear_outage_ms": round(clear_outage, 1),
        "ipsec_share_ms": round(outage - clear_outage, 1),
        "last_back_ms": None if failure else round(last_back(scene, start, happened, new), 1),
        "leaked_clear_packets": leaked, "peer_clear_packets": peer_leaked,
        "old_sas_left": old_sas}
    points = timeline(scene, event, start, old, new, end)
    if not failure:
        repair(scene, event, old)
    return Measured(entry, points, failure)
