#!/usr/bin/env python3
"""Stopping with a dead daemon, a hung one, and one whose data thread hangs: bounded,
successful, nobody is fenced.
test-timeout: 300
"""

import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))

from vlab import freeze, vipsec
from vlab.core import Lab, now_ms, wait_until
from vlab.scene import PROTECTED, Scene
from vlab.tap import check, main


def answers(node):
    return vipsec.Vipsec(node).ctl("ping").returncode == 0


def body(tap):
    with Lab() as lab:
        scene = Scene(lab)
        tap.on_failure.append(scene.cluster.logs)
        scene.up()
        cluster = scene.cluster
        for what, harm in (("dead", lambda node: node.signal("vipsecd", signal.SIGKILL)),
                           ("hung", lambda node: node.signal("vipsecd", signal.SIGSTOP)),
                           ("half-hung", freeze.data_thread)):
            with tap.case(f"a move away from a {what} daemon succeeds without fencing"):
                old = cluster.active()
                new = cluster.other(old)
                start = now_ms()
                check(harm(cluster.nodes[old]), "it ran")
                cluster.move(new)
                scene.wait_flowing(40, new, start)
                tap.note(f"outage {scene.prober.outage(PROTECTED, start, now_ms())[0]:.0f} ms")
                check(not [p for p in cluster.power.log if p[0] >= start], "nobody is fenced")
                check(scene.leaks(start, now_ms()) == (0, 0), "nothing in clear")
            with tap.case(f"the node of the {what} daemon serves again"):
                cluster.cleanup()
                wait_until(lambda: answers(cluster.nodes[old]), 40, f"a daemon on {old}")
                cluster.clear_move()
                cluster.settle()
                start = cluster.move(old)
                scene.wait_flowing(40, old, start)
                cluster.clear_move()
        scene.close()


if __name__ == "__main__":
    main(body, vipsec.missing_for_cluster)
