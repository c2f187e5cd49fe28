#!/usr/bin/env python3
"""A two-node split with the power switch out of reach: nothing worse than an outage.
test-timeout: 240

The nodes stop hearing each other while both still reach the client. Neither can fence the
other, so the cluster must not give the VIP to the second node; and whatever it does, two
nodes must never send from the VIP at once.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))

from vlab import vipsec
from vlab.cluster import VIP
from vlab.core import Lab, now_ms, wait_until
from vlab.scene import PROTECTED, Scene
from vlab.tap import check, main

SPLIT_MS = 15000
WALL = """
table inet split {
	chain in {
		type filter hook input priority -300
		udp dport 5405 drop
	}
	chain out {
		type filter hook output priority -300
		udp dport 5405 drop
	}
}
"""


def body(tap):
    with Lab() as lab:
        scene = Scene(lab, esp=True)
        tap.on_failure.append(scene.cluster.logs)
        scene.up()
        cluster = scene.cluster
        owner = cluster.active()
        other = cluster.other(owner)
        cluster.power.unreachable.update(cluster.names)
        start = now_ms()
        for name in cluster.names:
            cluster.nodes[name].run(["nft", "-f", "-"], text=WALL)
        with tap.case("while the nodes cannot hear nor fence each other, one node has the VIP"):
            wait_until(lambda: now_ms() > start + SPLIT_MS, 20, "the split to last", step=0.1)
            check(not cluster.has_vip(other), f"{other} has taken the VIP unfenced")
        with tap.case("only the owner sent from the VIP"):
            sent = [s for s in scene.tap.seen("ike", "esp", "udp", since_ms=start)
                    if s.way == "in" and s.src == VIP and s.device == f"p-{other}"]
            check(not sent, sent[:3])
            nodes = {r.node for r in scene.prober.between(PROTECTED, start, now_ms())}
            check(nodes <= {owner}, nodes)
        with tap.case("nothing was in clear"):
            check(scene.leaks(start, now_ms()) == (0, 0), scene.leaks(start, now_ms()))
        with tap.case("when they hear each other again, the traffic flows"):
            cluster.power.unreachable.clear()
            for name in cluster.names:
                cluster.nodes[name].run("nft delete table inet split")

            def healed():
                for name in cluster.names:
                    if not cluster.is_up(name):
                        cluster.start(name)
                return cluster.is_settled()
            wait_until(healed, 90, "the cluster to be whole again", step=0.5)
            scene.wait_flowing(30)
        scene.close()


if __name__ == "__main__":
    main(body, vipsec.missing_for_cluster)
