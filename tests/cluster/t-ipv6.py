#!/usr/bin/env python3
"""IPv6 VIPs under Pacemaker: alone, and beside an IPv4 address of the same VIP.
test-timeout: 300
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))

from vlab import vipsec
from vlab.cluster import VIP, VIP6
from vlab.core import Lab, wait_until
from vlab.events import TITLES, run_event
from vlab.report import print_timeline
from vlab.scene import Scene, count_sas
from vlab.tap import check, main

IPV4 = {"ip": VIP, "cidr_netmask": 24}
IPV6 = {"ip": VIP6, "cidr_netmask": 64}
# Fencing sees to it that nobody else has the address: duplicates need not be looked for.
IPV6_AT_ONCE = {**IPV6, "nodad": "true"}


def event_holds(tap, scene, event, what):
    with tap.case(f"{what}: {TITLES[event]}: all is back, nothing in clear, no SA left over"):
        done = run_event(scene, event)
        entry = done.entry
        tap.note(f"protected {entry['outage_ms']} ms, clear {entry['clear_outage_ms']} ms, "
                 f"share {entry['ipsec_share_ms']} ms, last {entry['last_back_ms']} ms")
        print_timeline(done.timeline, tap.note)
        check(not done.failure, done.failure)
        check((entry["leaked_clear_packets"], entry["peer_clear_packets"]) == (0, 0), entry)
        check(entry["old_sas_left"] == 0, f"SAs left: {entry}")


def bound(scene, node):
    """The addresses that the VIP is bound to on this node."""
    return {a["address"] for vip in vipsec.Vipsec(scene.cluster.nodes[node]).rows("vip")
            for a in vip["addresses"] if a["state"] == "bound"}


def play(tap, what, vips, events):
    with Lab() as lab:
        scene = Scene(lab, vips=vips)
        tap.on_failure = [scene.cluster.logs, lambda: "".join(
            peer.host.log("vipsecd.log")[-2000:] for peer in scene.peers)]
        scene.up()
        with tap.case(f"{what}: one node has each address bound, the other none"):
            owner = scene.cluster.active()
            check(bound(scene, owner) == set(scene.addresses), bound(scene, owner))
            check(not bound(scene, scene.cluster.other(owner)), "the other node")
        for event in events:
            event_holds(tap, scene, event, what)
        with tap.case(f"{what}: one pair of SAs for each address, at both ends"):
            pairs = (len(scene.addresses),) * 2
            owner = scene.cluster.nodes[scene.cluster.active()]
            wait_until(lambda: count_sas(owner) == pairs and scene.peers[0].sas() == pairs, 20,
                       f"{pairs}; there are {count_sas(owner)}, {scene.peers[0].sas()}")
        scene.close()


def body(tap):
    play(tap, "IPv6", [IPV6], ["move", "crash", "daemon-kill", "vip-pulled"])
    play(tap, "both families", [IPV4, IPV6_AT_ONCE], ["move", "crash"])


if __name__ == "__main__":
    main(body, vipsec.missing_for_cluster)
