#!/usr/bin/env python3
"""What `vipsec doctor` says of corosync: alone, with the other node, stopped, and slower than
the timers. Neither Pacemaker nor a daemon of ours runs.
test-timeout: 120
"""

import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))

from vlab import vipsec
from vlab.cluster import NODE_ENV, Cluster
from vlab.core import Lab, wait_until
from vlab.tap import check, main
from vlab.vipsec import node_conf, write_conf


def boot(cluster, name):
    host = cluster.boot(name)
    host.spawn(["corosync", "-f"], "corosync.out", env=NODE_ENV)
    wait_until(lambda: host.ok("corosync-cfgtool -s"), 20, f"corosync of {name}")
    return host


def said(host):
    """The line of corosync, and the exit code."""
    done = host.run(["vipsec", "doctor"], check=False)
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    return [line for line in lines if line.split()[1] == "corosync"], done.returncode


def expect(host, grade, *words):
    lines, code = said(host)
    check(len(lines) == 1 and lines[0].startswith(f"{grade} "), lines)
    for word in words:
        check(word in lines[0], f"no '{word}' in {lines}")
    check(grade != "bad" or code == 1, code)


def body(tap):
    with Lab() as lab:
        cluster = Cluster(lab, token_ms=1000)
        tap.on_failure.append(lambda: said(cluster.nodes["n1"]))
        n1 = boot(cluster, "n1")

        def configure(tuning=None):
            write_conf(f"{n1.dir}/etc-vipsec", node_conf(tuning=tuning))

        configure()
        with tap.case("a node that is alone, and must wait for all: not quorate"):
            expect(n1, "bad", "not quorate", "corosync-quorumtool")
        boot(cluster, "n2")
        with tap.case("both are there: well, with the time that a lost node costs"):
            wait_until(lambda: said(n1)[0][0].startswith("ok "), 20, "quorum")
            expect(n1, "ok", "2200 ms")
        with tap.case("a peer is given up before the cluster has failed over: warned of"):
            configure({"idle-timeout-failover": "2s"})
            expect(n1, "warn", "idle-timeout-failover (2000 ms)", "2200 ms", "token")
            configure()
        with tap.case("corosync hangs: said within seconds"):
            n1.signal("corosync", signal.SIGSTOP)
            try:
                expect(n1, "bad", "does not answer", "restart corosync")
            finally:
                n1.signal("corosync", signal.SIGCONT)
        with tap.case("corosync is gone"):
            n1.signal("corosync", signal.SIGKILL)
            wait_until(lambda: not n1.pidof("corosync"), 10, "its end")
            expect(n1, "bad", "does not answer", "systemctl start corosync")


if __name__ == "__main__":
    main(body, vipsec.missing_for_cluster)
