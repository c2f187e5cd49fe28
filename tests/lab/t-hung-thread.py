#!/usr/bin/env python3
"""A data thread that hangs while the rest of the daemon works: everybody says so.
test-timeout: 120
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import freeze, vipsec
from vlab.cluster import OCF_AGENTS
from vlab.core import Lab, now_ms, wait_until
from vlab.pair import PROTECTED, VIP4, Pair, client_conf
from vlab.probes import Prober, Stream
from vlab.tap import check, main

ABSENT, DEGRADED, GENERIC, STOPPED = 69, 3, 1, 7


def agent(host, action):
    return host.run([f"{OCF_AGENTS}/vipsec/vip", action], check=False, env={
        "OCF_ROOT": "/usr/lib/ocf", "OCF_RESOURCE_INSTANCE": "vip", "OCF_RESKEY_name": "web"})


def events(daemon, kind):
    return [line for line in daemon.ctl("events").stdout.splitlines() if f" {kind}" in line]


def body(tap):
    with Lab() as lab:
        pair = Pair(lab)
        pair.start_server(vip=(VIP4,))
        pair.start_client(client_conf(families=(4,)))
        pair.add_vip(families=(4,))
        tap.on_failure.append(lambda: pair.s.log("vipsecd.log")[-3000:])
        prober = Prober(lab, [Stream(1, pair.c, VIP4, PROTECTED, 10)])
        prober.wait_reply(1, now_ms(), 15)

        tracer = freeze.data_thread(pair.s)
        with tap.case("status answers within its bound, degraded, and says why"):
            start = now_ms()
            done = pair.server.ctl("status")
            check(done.returncode == DEGRADED, f"{done.returncode}: {done.stdout}")
            check("the data thread does not answer" in done.stdout, done.stdout)
            check(now_ms() - start < 10000, "not so late")
            check(len(events(pair.server, "data-thread")) == 1, "one warning")
        with tap.case("ping is not answered"):
            check(pair.server.ctl("--timeout", "1", "ping").returncode == ABSENT, "answered")
        with tap.case("a VIP that goes is not called released, and there is one alarm"):
            pair.remove_vip(families=(4,))
            wait_until(lambda: events(pair.server, "gate-stuck"), 20, "the alarm")
            done = pair.server.ctl("vip", "status", "web")
            check(done.returncode == GENERIC, f"{done.returncode}: {done.stdout}")
            check("data plane" in done.stdout + done.stderr, done.stdout + done.stderr)
            check(agent(pair.s, "monitor").returncode == GENERIC, "the agent's monitor")
            done = pair.server.ctl("status")
            check("web is not released" in done.stdout, done.stdout)
            check(len(events(pair.server, "gate-stuck")) == 1, "one alarm")
        with tap.case("when the thread goes on, all is well again"):
            tracer.terminate()
            tracer.wait(10)
            wait_until(lambda: pair.server.ctl("vip", "status", "web").returncode == STOPPED,
                       20, "the release to end")
            check(pair.server.ctl("ping").returncode == 0, "ping")
            check(len(events(pair.server, "gate-closed")) == 1, "one word of relief")
            start = now_ms()
            pair.add_vip(families=(4,))
            prober.wait_reply(1, start, 20)

        tracer = freeze.data_thread(pair.s)
        with tap.case("the agent's stop kills a daemon whose data thread hangs"):
            start = now_ms()
            done = agent(pair.s, "stop")
            check(done.returncode == 0, f"{done.returncode}: {done.stderr}")
            check("killing vipsecd" in done.stderr, done.stderr)
            check(now_ms() - start < 15000, "bounded")
            check(not pair.s.pidof("vipsecd"), "still there")
            tracer.wait(10)
        with tap.case("and the guard stays"):
            check(pair.s.ok("nft list table inet vipsec"), "no table")


if __name__ == "__main__":
    main(body, vipsec.missing_for_cluster)
