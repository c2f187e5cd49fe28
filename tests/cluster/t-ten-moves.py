#!/usr/bin/env python3
"""Ten moves; two minutes later one IKE SA a peer, and no handshake going on.
test-timeout: 300
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))

from vlab import vipsec
from vlab.cluster import VIP
from vlab.core import Lab, now_ms, wait_until
from vlab.scene import Scene, count_sas
from vlab.tap import check, main

MOVES, QUIET_MS = 10, 120000


def body(tap):
    with Lab() as lab:
        scene = Scene(lab, client=["vipsec", "strongswan"])
        tap.on_failure.append(scene.cluster.logs)
        scene.up()
        cluster = scene.cluster
        with tap.case(f"{MOVES} moves, a vipsec and a strongSwan client come back each time"):
            for _ in range(MOVES):
                new = cluster.other(cluster.active())
                start = cluster.move(new)
                scene.wait_flowing(30, new, start)
                cluster.clear_move()
                scene.wait_flowing(30)
        quiet = now_ms()
        wait_until(lambda: now_ms() > quiet + QUIET_MS, 130, "two minutes", step=0.5)

        with tap.case("two minutes later each client holds one IKE SA and one pair of SAs"):
            for peer in scene.peers:
                check(peer.sas() == (1, 1), f"{peer.host.name}: {peer.sas()}")
        with tap.case("two minutes later the owner holds one IKE SA and one pair a peer"):
            counts = count_sas(cluster.nodes[cluster.active()])
            check(counts == (2, 2), counts)
            check(count_sas(cluster.nodes[cluster.other(cluster.active())]) == (0, 0),
                  "none at the other node")
        with tap.case("no handshake in the second minute"):
            messages = [s for s in scene.tap.seen("ike", since_ms=quiet + QUIET_MS / 2)
                        if s.way == "in" and 500 in (s.sport, s.dport) and VIP in (s.src, s.dst)]
            check(not messages, messages[:5])
        with tap.case("the traffic still flows"):
            scene.wait_flowing(10)
        scene.close()


if __name__ == "__main__":
    main(body, vipsec.missing_for_cluster)
