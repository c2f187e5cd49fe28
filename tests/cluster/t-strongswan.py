#!/usr/bin/env python3
"""A stock strongSwan client, untuned: each quirk that was measured with strongSwan on both
sides, as a property of vipsec.
test-timeout: 300
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))

from vlab import vipsec
from vlab.cluster import VIP
from vlab.core import Lab, now_ms
from vlab.events import run_event
from vlab.report import print_timeline
from vlab.scene import Scene
from vlab.tap import check, main


# A busy machine may be slow; what would betray a fault is strongSwan's own retransmission
# (4 s) and, without our call, its dead-peer detection (three minutes).
SHARE_MS, LAST_BACK_MS = 3500, 8000


def happen(tap, scene, event):
    done = run_event(scene, event)
    tap.note({k: v for k, v in done.entry.items() if k.endswith(("ms", "packets", "left"))})
    print_timeline(done.timeline, tap.note)
    check(not done.failure, done.failure)
    check(done.entry["leaked_clear_packets"] == 0, "nothing in clear by us")
    return done.entry


def first_caller(scene, since_ms):
    """Device whose host sent the first IKE message of the VIP's peers after that."""
    return next(s for s in scene.tap.seen("ike", since_ms=since_ms)
                if s.way == "in" and s.device != f"p-{scene.peers[0].host.name}"
                and s.src == VIP)


def trap_client(tap):
    with Lab() as lab:
        scene = Scene(lab, client="strongswan", esp=True)
        scene.up()
        swan = scene.peers[0].swan
        tap.on_failure = [scene.cluster.logs, lambda: swan.log()[-4000:]]

        with tap.case("quirk 1: after a planned move the new node calls; the client's "
                      "retransmission is not waited for"):
            start = now_ms()
            entry = happen(tap, scene, "move")
            check(entry["ipsec_share_ms"] < SHARE_MS, entry["ipsec_share_ms"])
            check(first_caller(scene, start) is not None, "our call")
        with tap.case("quirk 2: after a crash the new node replaces the SA that it does not "
                      "know; dead-peer detection is not waited for"):
            entry = happen(tap, scene, "crash")
            check(entry["ipsec_share_ms"] < SHARE_MS, entry["ipsec_share_ms"])
        with tap.case("quirk 5: nothing is answered on a VIP before it is bound"):
            refused = [line for line in swan.log().splitlines()
                       if "NO_PROP" in line or "refused" in line or "unreachable" in line]
            check(not refused, refused)
        with tap.case("quirk 6: no duplicate SA stays with the client"):
            check(entry["old_sas_left"] == 0, f"{entry['old_sas_left']} SAs too many")
            check(swan.sas() == (1, 1), swan.sas())
        with tap.case("quirk 8: no node tells its own address to a client of the VIP"):
            check("ADD_4_ADDR" not in swan.log(), "additional addresses")
            strangers = [s for s in scene.tap.seen("ike", "esp") if s.way == "in"
                         and s.device in ("p-n1", "p-n2") and s.src != VIP]
            check(not strangers, strangers[:3])
        scene.close()


def start_client(tap):
    with Lab() as lab:
        scene = Scene(lab, client="strongswan", start_action="start")
        scene.up()
        swan = scene.peers[0].swan
        tap.on_failure = [scene.cluster.logs, lambda: swan.log()[-4000:]]
        with tap.case("quirk 3: what a start_action=start client sends in clear in the gap "
                      "is dropped by us"):
            entry = happen(tap, scene, "move")
            tap.note(f"{entry['peer_clear_packets']} packets in clear by the client")
            check(entry["ipsec_share_ms"] < SHARE_MS, entry["ipsec_share_ms"])
        scene.close()


def many_clients(tap):
    with Lab() as lab:
        scene = Scene(lab, peers=30)
        scene.up()
        tap.on_failure = [scene.cluster.logs]
        with tap.case("quirk 7: 30 honest peers behind one address are all back at once"):
            entry = happen(tap, scene, "crash")
            check(entry["last_back_ms"] < LAST_BACK_MS, f"the last after {entry['last_back_ms']} ms")
            check(entry["old_sas_left"] == 0, f"SAs left: {entry['old_sas_left']}")
        scene.close()


def body(tap):
    trap_client(tap)
    start_client(tap)
    many_clients(tap)


if __name__ == "__main__":
    main(body, vipsec.missing_for_cluster)
