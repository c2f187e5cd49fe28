#!/usr/bin/env python3
"""The OCF agents by hand: a monitor of every state, start and stop, metadata.
test-timeout: 120
"""

import os
import shutil
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))

from vlab import vipsec
from vlab.cluster import OCF_AGENTS
from vlab.core import Lab, now_ms, wait_until
from vlab.pair import Pair, server_conf
from vlab.tap import Skip, check, main

OK, UNCONFIGURED, STOPPED, DEGRADED = 0, 6, 7, 190
SCHEMA = "/usr/share/pcs/data/ocf-1.1.rng"
PARAMETERS = {
    "daemon": {"binary": "/usr/sbin/vipsecd", "config": "/etc/vipsec/vipsec.conf",
               "statedir": "/var/lib/vipsec", "log": "/run/vipsecd.log"},
    "vip": {"name": "web"},
}


class Agent:
    def __init__(self, host, kind):
        self.host, self.kind = host, kind

    def __call__(self, action, more=None, timeout=40):
        """Runs the action; gives its exit status."""
        values = {**PARAMETERS[self.kind], **(more or {})}
        env = {"OCF_ROOT": "/usr/lib/ocf", "OCF_RESOURCE_INSTANCE": self.kind,
               "OCF_RA_VERSION_MAJOR": "1", "OCF_RA_VERSION_MINOR": "1",
               "OCF_RESKEY_CRM_meta_timeout": "20000",
               **{f"OCF_RESKEY_{k}": v for k, v in values.items()}}
        self.done = self.host.run([f"{OCF_AGENTS}/vipsec/{self.kind}", action], check=False,
                                  timeout=timeout, env=env)
        return self.done.returncode


def expect(got, wanted, what):
    check(got == wanted, f"{what}: {got}, not {wanted}")


def states(tap, pair, daemon, vip):
    with tap.case("daemon not started: both monitors say stopped"):
        expect(daemon("monitor"), STOPPED, "daemon")
        expect(vip("monitor"), STOPPED, "vip")
    with tap.case("stopping what does not run succeeds"):
        expect(daemon("stop"), OK, "daemon")
        expect(vip("stop"), OK, "vip")
    with tap.case("daemon started: it runs when start returns; the VIP is stopped"):
        expect(daemon("start"), OK, f"start {daemon.done.stderr}")
        expect(daemon("monitor"), OK, "daemon")
        expect(vip("monitor"), STOPPED, "vip, absent")
    with tap.case("starting what runs succeeds"):
        expect(daemon("start"), OK, "daemon")
    with tap.case("the VIP is bound and serving when its start returns"):
        pair.add_vip()
        expect(vip("start"), OK, f"start {vip.done.stderr}")
        expect(vip("monitor"), OK, "vip, bound")
        expect(pair.server.vip_state("web"), "bound", "state")
    with tap.case("after stop the VIP is stopped: releasing, then held, and stays held"):
        expect(vip("stop"), OK, "stop")
        wait_until(lambda: pair.server.vip_state("web") == "held", 5, "held")
        expect(vip("monitor"), STOPPED, "vip, held")
    with tap.case("a held VIP is bound again by a start"):
        expect(vip("start"), OK, "start")
        expect(vip("monitor"), OK, "vip, bound again")
    with tap.case("address pulled from a started VIP: degraded, and stopped after a stop"):
        pair.remove_vip()
        wait_until(lambda: pair.server.vip_state("web") != "bound", 5, "the loss seen")
        expect(vip("monitor"), DEGRADED, "vip, started, address gone")
        expect(vip("stop"), OK, "stop")
        expect(vip("monitor"), STOPPED, "vip, stopped, address gone")
    with tap.case("start of a VIP whose address is not there fails, with a reason"):
        code = vip("start", {"CRM_meta_timeout": "3000"})
        check(code not in (OK, STOPPED), f"start: {code}")
        check(vip.done.stderr.strip(), "a reason")


def broken(tap, pair, daemon, vip):
    pair.add_vip()
    vip("start")
    with tap.case("hung daemon: neither monitor says running or stopped"):
        pair.s.signal("vipsecd", signal.SIGSTOP)
        for agent in (daemon, vip):
            check(agent("monitor") not in (OK, STOPPED), f"{agent.kind}: hung")
    with tap.case("hung daemon: the VIP's stop is bounded and succeeds"):
        start = now_ms()
        expect(vip("stop"), OK, "vip")
        check(now_ms() - start < 15000, f"{now_ms() - start:.0f} ms")  # Pacemaker allows 20
        expect(daemon("stop"), OK, "daemon")
        wait_until(lambda: not pair.s.pidof("vipsecd"), 5, "its pid to be reaped")
        expect(daemon("monitor"), STOPPED, "daemon")
    with tap.case("dead daemon: neither monitor says running, a stop succeeds"):
        expect(daemon("start"), OK, "start")
        vip("start")
        pair.s.signal("vipsecd", signal.SIGKILL)
        wait_until(lambda: not pair.s.pidof("vipsecd"), 5, "its death")
        for agent in (daemon, vip):
            check(agent("monitor") != OK, f"{agent.kind}: dead")
        expect(vip("stop"), OK, "vip")
        expect(daemon("stop"), OK, "daemon")
        expect(daemon("monitor"), STOPPED, "daemon")
        expect(vip("monitor"), STOPPED, "vip")


def papers(tap, pair, agents):
    with tap.case("metadata is valid OCF 1.1"):
        if not shutil.which("xmllint") or not os.path.exists(SCHEMA):
            raise Skip("xmllint or the schema of pcs is not installed")
        for agent in agents:
            expect(agent("meta-data"), OK, agent.kind)
            pair.s.run("cat >/run/meta.xml", text=agent.done.stdout)
            pair.s.run(f"xmllint --noout --relaxng {SCHEMA} /run/meta.xml")
    with tap.case("an unknown action is answered with the code that OCF has for it"):
        for agent in agents:
            expect(agent("dance"), 3, agent.kind)
    with tap.case("a VIP without a name is refused"):
        expect(agents[1]("validate-all", {"name": ""}), UNCONFIGURED, "validate-all")


def knob(tap, pair, daemon):
    with tap.case("reload-agent turns the knob without a restart"):
        expect(daemon("start"), OK, "start")
        pid = pair.s.pidof("vipsecd")
        expect(daemon("reload-agent", {"nlbs_flags": "1"}), OK, "reload-agent")
        check("1" == str(int(pair.server.tuning("nlbs_flags"))), "nlbs_flags in force")
        check(pair.s.pidof("vipsecd") == pid, "the same process")
        expect(daemon("stop"), OK, "stop")


def body(tap):
    with Lab() as lab:
        pair = Pair(lab)
        pair.server.configure(server_conf())
        daemon, vip = Agent(pair.s, "daemon"), Agent(pair.s, "vip")
        tap.on_failure.append(lambda: pair.s.run("tail -40 /run/vipsecd.log",
                                                 check=False).stdout)
        papers(tap, pair, (daemon, vip))
        states(tap, pair, daemon, vip)
        broken(tap, pair, daemon, vip)
        knob(tap, pair, daemon)


if __name__ == "__main__":
    main(body, vipsec.missing_for_cluster)
