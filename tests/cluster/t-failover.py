#!/usr/bin/env python3
"""A vipsec client of a vipsec cluster: every event, and what must hold after each.
test-timeout: 300
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))

from vlab import vipsec
from vlab.core import Lab, now_ms, wait_until
from vlab.events import event_holds
from vlab.scene import PROTECTED, Scene
from vlab.tap import check, main

SHARE = "ipsec_share_ms"


def body(tap):
    with Lab() as lab:
        scene = Scene(lab)
        tap.on_failure.append(lambda: scene.cluster.logs() + "".join(
            peer.host.log("vipsecd.log")[-2000:] for peer in scene.peers))
        scene.up()
        # Room for a busy machine: what would betray a fault is a timer of a minute.
        for event in ("move", "crash", "vip-pulled"):
            event_holds(tap, scene, event, SHARE, 3000)
        # The monitor's interval, and the start of a process.
        entry = event_holds(tap, scene, "daemon-kill", SHARE, 6000)
        with tap.case("the death of the daemon does not interrupt the clear stream"):
            # The protected stream's outage is a second; on a busy machine any stream has gaps.
            check(entry["clear_outage_ms"] < entry["outage_ms"] / 2,
                  f"{entry['clear_outage_ms']} ms of {entry['outage_ms']} ms")

        with tap.case("quirk 4: giving up is never final; a VIP away for 15 s is called again"):
            cluster = scene.cluster
            node = cluster.any_up()
            node.run(["crm_resource", "-r", "vip-group", "--meta", "-p", "target-role",
                      "-v", "Stopped"])
            wait_until(lambda: cluster.active() is None, 20, "the VIP to go")
            gone = now_ms()
            wait_until(lambda: now_ms() > gone + 15000, 20, "fifteen seconds")
            node.run(["crm_resource", "-r", "vip-group", "--meta", "-d", "target-role"])
            wait_until(cluster.active, 20, "the VIP to be back")
            scene.prober.wait_reply(PROTECTED, now_ms(), 20)
        scene.close()


if __name__ == "__main__":
    main(body, vipsec.missing_for_cluster)
