#!/usr/bin/env python3
"""A Pacemaker cluster whose nodes and client let the kernel carry the traffic: a move, a crash and
the death of a daemon, and the kernels' tables afterwards.
test-timeout: 240
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import vipsec, xfrm
from vlab.core import Lab, wait_until
from vlab.events import TITLES, run_event
from vlab.report import print_timeline
from vlab.scene import Scene
from vlab.tap import check, main

# Each program that Pacemaker starts takes seconds here, and between two of them may be half a
# minute. What would betray a fault is the timer for dead peers, of five minutes.
OUTAGE_MS = 150000


def event_holds(tap, scene, event):
    with tap.case(f"{TITLES[event]}: back without tuning, nothing in clear, no SA left over"):
        done = run_event(scene, event)
        entry = done.entry
        tap.note(f"protected {entry['outage_ms']} ms, clear {entry['clear_outage_ms']} ms")
        print_timeline(done.timeline, tap.note)
        check(not done.failure, done.failure)
        check(entry["leaked_clear_packets"] == 0, f"leaked: {entry}")
        check(entry["old_sas_left"] == 0, f"SAs left: {entry}")
        check(entry["outage_ms"] < OUTAGE_MS, f"{entry['outage_ms']} ms")
    with tap.case(f"{TITLES[event]}: the kernel of the node without the VIP has no SA of ours"):
        cluster = scene.cluster
        owner = cluster.active()
        wait_until(lambda: xfrm.sas(cluster.nodes[cluster.other(owner)]) == 0, 20, "none")
        wait_until(lambda: xfrm.sas(cluster.nodes[owner]) == 2, 20, "one pair at the owner")


def body(tap):
    with Lab() as lab:
        scene = Scene(lab)
        tap.on_failure.append(lambda: scene.cluster.logs() + "".join(
            peer.host.log("vipsecd.log")[-2000:] for peer in scene.peers))
        scene.up()
        with tap.case("both nodes and the client are on the kernel plane, by their own word"):
            for host in (*scene.cluster.nodes.values(), scene.peers[0].host):
                plane = vipsec.Vipsec(host).json("status")["data"]["dataplane"]
                check(plane["name"] == "kernel", f"{host.name}: {plane}")
        for event in ("move", "crash", "daemon-kill"):
            event_holds(tap, scene, event)
        scene.close()


if __name__ == "__main__":
    main(body, vipsec.missing_for_cluster)
