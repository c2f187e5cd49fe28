#!/usr/bin/env python3
"""A Pacemaker cluster whose nodes and client let the kernel carry the traffic: a move, a crash, the
death of a daemon and a VIP that is pulled, and the kernels' tables afterwards.
test-timeout: 240
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import vipsec, xfrm
from vlab.core import Lab, wait_until
from vlab.events import EVENTS, TITLES, event_holds
from vlab.scene import Scene
from vlab.tap import check, main

# Each program that Pacemaker starts takes seconds here, and between two of them may be half a
# minute. What would betray a fault is the timer for dead peers, of five minutes.
OUTAGE_MS = 150000


def kernel_event(tap, scene, event):
    event_holds(tap, scene, event, "outage_ms", OUTAGE_MS)
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
        for event in EVENTS:
            kernel_event(tap, scene, event)
        scene.close()


if __name__ == "__main__":
    main(body, vipsec.missing_for_cluster)
