#!/usr/bin/env python3
"""Corosync goes and comes back under a running daemon; Pacemaker is left out.
test-timeout: 120
"""

import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))

from vlab import vipsec
from vlab.cluster import NODE_ENV, VIP, Cluster
from vlab.core import Lab, now_ms, wait_until
from vlab.tap import check, main
from vlab.vipsec import Vipsec, node_conf, write_conf

DEGRADED = 3


class Node:
    """One node, quorate alone, the VIP added by hand."""

    def __init__(self, lab):
        cluster = Cluster(lab, nodes=1)
        self.host = cluster.boot("n1")
        self.start_corosync()
        self.daemon = Vipsec(self.host)
        write_conf(f"{self.host.dir}/etc-vipsec", node_conf())
        self.daemon.start()
        self.host.ip(f"addr add {VIP}/24 dev eth0")

    def start_corosync(self):
        self.corosync = self.host.spawn(["corosync", "-f"], "corosync.out", env=NODE_ENV)
        wait_until(lambda: self.host.ok("corosync-cfgtool -s"), 20, "corosync")

    def end_corosync(self, number):
        self.host.signal("corosync", number)
        self.corosync.wait(timeout=20)

    def problems(self):
        return self.daemon.json("status")["data"]["problems"]

    def cluster_view(self):
        return self.daemon.json("status")["data"]["cluster"]

    def wait_state(self, wanted, timeout=10):
        start = now_ms()
        wait_until(lambda: self.daemon.vip_state("web") == wanted, timeout, wanted)
        return now_ms() - start

    def descriptors(self):
        pid = self.host.pidof("vipsecd")[0]
        return len(self.host.out(["ls", f"/proc/{pid}/fd"]).split())


def body(tap):
    with Lab() as lab:
        node = Node(lab)
        tap.on_failure.append(lambda: node.host.log("vipsecd.log")[-2500:])
        with tap.case("a quorate member with the address binds the VIP"):
            node.wait_state("bound")
            view = node.cluster_view()
            check(view["quorate"] and view["bus_up"] and view["members"] == [1], view)
            check(view["failover_ms"] > 0, "token and consensus are known")
        for what, number in (("killed", signal.SIGKILL), ("stopped in good order",
                                                          signal.SIGTERM)):
            with tap.case(f"corosync {what}: the VIP is mute at once, and status says why"):
                node.end_corosync(number)
                tap.note(f"mute after {node.wait_state('mute'):.0f} ms")
                check(node.daemon.ctl("status").returncode == DEGRADED, "degraded")
                check([p for p in node.problems() if "corosync" in p], node.problems())
                check(node.daemon.ctl("vip", "status", "web").returncode == 7, "not bound")
            with tap.case(f"corosync is back after it was {what}: bound again, by itself"):
                node.start_corosync()
                tap.note(f"bound after {node.wait_state('bound', 15):.0f} ms")
                check(node.daemon.ctl("status").returncode == 0, node.problems())
        with tap.case("five more restarts leave no descriptor behind"):
            before = node.descriptors()
            for _ in range(5):
                node.end_corosync(signal.SIGKILL)
                node.wait_state("mute")
                node.start_corosync()
                node.wait_state("bound", 15)
            check(node.descriptors() == before, f"{before}, then {node.descriptors()}")
        with tap.case("a corosync that hangs does not keep the daemon from answering"):
            node.host.signal("corosync", signal.SIGSTOP)
            start = now_ms()
            check(node.daemon.ctl("--timeout", "10", "status").returncode in (0, DEGRADED),
                  "an answer")
            tap.note(f"{now_ms() - start:.0f} ms")
            node.host.signal("corosync", signal.SIGCONT)
        with tap.case("the daemon, stopped and started, takes its VIP again"):
            node.daemon.stop()
            node.daemon.start()
            node.wait_state("bound")


if __name__ == "__main__":
    main(body, vipsec.missing_for_cluster)
