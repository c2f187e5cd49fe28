#!/usr/bin/env python3
"""A real two-node cluster with a VIP and no vipsec: the yardstick for all the others."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))

from vlab.cluster import CLIENT, PORT_CLEAR, VIP, Cluster
from vlab.core import Lab, now_ms
from vlab.probes import Prober, Stream, start_echo
from vlab.tap import check, main


def body(tap):
    with Lab() as lab:
        cluster = Cluster(lab)
        cluster.on_boot = lambda host: start_echo(host, PORT_CLEAR)
        client = lab.host("client")
        cluster.switch.plug(client, f"{CLIENT}/24")
        cluster.up()
        tap.on_failure.append(cluster.logs)
        prober = Prober(lab, [Stream(1, client, VIP, PORT_CLEAR)])
        prober.wait_reply(1, now_ms(), 10)

        with tap.case("a bare VIP survives a planned move"):
            old = cluster.active()
            new = cluster.other(old)
            start = cluster.move(new)
            prober.wait_reply(1, start, 30, node=new)
            cluster.clear_move()
            gap, _ = prober.outage(1, start, now_ms())
            tap.note(f"outage {gap:.0f} ms")
            check(gap < 10000, f"outage of {gap:.0f} ms")

        with tap.case("a bare VIP survives the crash of its node, which is fenced"):
            old = cluster.active()
            new = cluster.other(old)
            start = cluster.crash(old)
            prober.wait_reply(1, start, 60, node=new)
            gap, _ = prober.outage(1, start, now_ms())
            tap.note(f"outage {gap:.0f} ms")
            check([p for p in cluster.power.log if p[0] > start and p[2] == old], "fenced")
            check(cluster.token_ms < gap < 20000, f"outage of {gap:.0f} ms")

        with tap.case("the crashed node comes back and the VIP stays where it is"):
            cluster.start(old)
            cluster.settle()
            check(cluster.active() == new, "the VIP did not move back")


if __name__ == "__main__":
    main(body)
