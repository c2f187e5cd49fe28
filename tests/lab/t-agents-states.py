#!/usr/bin/env python3
"""The OCF agents in situations made by hand, without Pacemaker; what the tools say of them.
test-timeout: 240
"""

import os
import re
import shutil
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import vipsec, xfrm
from vlab.cluster import OCF_AGENTS
from vlab.core import SOURCE, Lab, now_ms, wait_until
from vlab.pair import VIP6, Pair, server_conf
from vlab.tap import Skip, check, main

OK, GENERIC, ARGS, UNCONFIGURED, STOPPED, DEGRADED = 0, 1, 2, 6, 7, 190
PARAMETERS = {
    "daemon": {"config": "/etc/vipsec/vipsec.conf", "log": "/run/vipsecd.log",
               "binary": "/usr/sbin/vipsecd", "statedir": "/var/lib/vipsec"},
    "vip": {"name": "web"},
}
PID_FILE = "/run/vipsec/vipsecd.pid"


class Agent:
    def __init__(self, host, kind):
        self.host, self.kind = host, kind

    def __call__(self, action, wanted=None, **more):
        values = {**PARAMETERS[self.kind], **more}
        env = {"OCF_ROOT": "/usr/lib/ocf", "OCF_RESOURCE_INSTANCE": self.kind,
               **{f"OCF_RESKEY_{k}": str(v) for k, v in values.items()}}
        if "level" in values:
            env["OCF_CHECK_LEVEL"] = str(values["level"])
        done = self.host.run([f"{OCF_AGENTS}/vipsec/{self.kind}", action], check=False,
                             timeout=40, env=env)
        check(wanted is None or done.returncode == wanted,
              f"{self.kind} {action}: {done.returncode}, not {wanted}: {done.stderr}")
        return done


def reason(done):
    found = re.search(r"^ocf-exit-reason:(.+)$", done.stderr, re.M)
    check(found, f"no reason in: {done.stderr!r}")
    return found.group(1)


def tools(tap, s):
    with tap.case("shellcheck finds nothing"):
        if not shutil.which("shellcheck"):
            raise Skip("shellcheck is not installed")
        s.run(f"cd {SOURCE} && shellcheck -s sh -x -P . {OCF_AGENTS}/vipsec/daemon "
              f"{OCF_AGENTS}/vipsec/vip")
    with tap.case("ocf-tester: nothing but its DTD of OCF 1.0, which knows no reload-agent"):
        if not shutil.which("ocf-tester"):
            raise Skip("ocf-tester is not installed")
        done = s.run(["ocf-tester", "-n", "d", *(word for name, value in PARAMETERS["daemon"].items()
                        for word in ("-o", f"{name}={value}")),
                      f"{OCF_AGENTS}/vipsec/daemon"], check=False)
        said = done.stdout + done.stderr
        failures = re.findall(r"^\* rc=.*$|^\* .*[Ff]ail.*$", said, re.M)
        check(len(failures) <= 1 and all("meta" in f for f in failures), said)


def words(tap, daemon, vip):
    with tap.case("validate-all at level 0 judges the words, not the machine"):
        daemon("validate-all", OK, config="/none.conf", binary="/none", ctl="/none")
        vip("validate-all", OK, ctl="/none")
    with tap.case("validate-all at level 10 looks at the configuration file"):
        daemon("validate-all", OK, level=10)
        daemon("validate-all", ARGS, level=10, config="/none.conf")
    with tap.case("wrong words are refused, with the reason"):
        for name, value in (("nlbs_flags", "2"), ("idle_timeout", "soon"),
                            ("idle_timeout", "5"), ("idle_timeout_failover", "-1m")):
            check(value in reason(daemon("validate-all", UNCONFIGURED, **{name: value})), name)
        reason(vip("validate-all", UNCONFIGURED, name=""))


def starts(tap, pair, daemon, vip):
    with tap.case("a start with a wrong configuration fails here only, and says why"):
        pair.s.run("echo nonsense >/run/wrong.conf")
        reason(daemon("start", ARGS, config="/run/wrong.conf"))
        daemon("monitor", STOPPED)
    with tap.case("a start without the program fails, and says why"):
        reason(daemon("start", 5, binary="/none"))
    with tap.case("the VIP's start without a daemon fails, and says why"):
        check("not running" in reason(vip("start", GENERIC)), "the reason")
    with tap.case("the VIP's start without its address fails, and says why"):
        daemon("start", OK)
        check("web" in reason(vip("start", GENERIC, CRM_meta_timeout=6000)), "the reason")
    with tap.case("parameters of the agent hold from the start on, empty ones as the file says"):
        daemon("stop", OK)
        daemon("start", OK, nlbs_flags="1", idle_timeout="3m")
        check(pair.server.tuning("nlbs_flags") == 1, "nlbs_flags")
        check(pair.server.tuning("idle_timeout_ms") == 180000, "idle_timeout")
    with tap.case("reload-agent: changed without a restart, emptied back to the file"):
        pid = pair.s.pidof("vipsecd")
        daemon("reload-agent", OK, idle_timeout="4m")
        check(pair.server.tuning("nlbs_flags") == 0, "nlbs_flags of the file")
        check(pair.server.tuning("idle_timeout_ms") == 240000, "idle_timeout")
        daemon("reload-agent", OK)
        check(pair.server.tuning("idle_timeout_ms") == 300000, "idle_timeout of the file")
        check(pair.s.pidof("vipsecd") == pid, "the same process")


def mute(tap, pair, daemon, vip):
    """Only a cluster makes a VIP mute; here what `vipsec vip status` would say does."""
    said = "web              mute      0/1 peers  10.9.0.50  - no quorum"
    pair.s.run(f"printf '#!/bin/sh\\necho \"{said}\"\\nexit 7\\n' >/run/mute; "
               "chmod 755 /run/mute")
    with tap.case("mute and never started here: stopped"):
        daemon("start", OK)
        vip("monitor", STOPPED, ctl="/run/mute")
    with tap.case("mute and started: broken, with the reason, and not cleanly stopped"):
        pair.s.run("touch /run/vipsec/started.web")
        check("no quorum" in reason(vip("monitor", GENERIC, ctl="/run/mute")), "the reason")
        pair.s.run("rm /run/vipsec/started.web")


def partial(tap, pair, daemon, vip):
    with tap.case("one address of two missing: running while the cluster may be starting it"):
        pair.add_vip(families=(4,))
        vip("start", OK)
        bound_ms = now_ms()
        vip("monitor", OK)
        check(pair.server.ctl("status").returncode == 0, "well")
    with tap.case("missing for longer: degraded, with the reason, and a problem in status"):
        wait_until(lambda: vip("monitor").returncode != OK, 30, "another answer")
        check(now_ms() - bound_ms > 14000, f"after {now_ms() - bound_ms:.0f} ms")
        check(VIP6 in reason(vip("monitor", DEGRADED)), "the reason")
        check(pair.server.ctl("vip", "status", "web").returncode == 3, "code 3")
        problems = pair.server.json("status")["data"]["problems"]
        check(any(VIP6 in p for p in problems), problems)
    with tap.case("there again: running"):
        pair.add_vip(families=(6,))
        wait_until(lambda: vip("monitor").returncode == OK, 5, "running")
        check(pair.server.ctl("status").returncode == 0, "well")
        vip("stop", OK)
        pair.remove_vip()


def deaths(tap, pair, daemon, vip):
    with tap.case("killed, and its number given to somebody else: broken, never running"):
        pair.add_vip()
        vip("start", OK)
        pair.s.signal("vipsecd", signal.SIGKILL)
        wait_until(lambda: not pair.s.pidof("vipsecd"), 5, "its death")
        # A record of a living process with another start time is a number used again.
        start = pair.s.out(["cat", PID_FILE]).split()[1]
        pair.s.run(f"echo 1 {start} >{PID_FILE}")
        for agent in (daemon, vip):
            check("died (pid 1)" in reason(agent("monitor", GENERIC)), agent.kind)
    with tap.case("stopping then kills nobody else, and the next monitors say stopped"):
        vip("stop", OK)
        daemon("stop", OK)
        check(pair.s.alive(), "process 1 of the host lives")
        daemon("monitor", STOPPED)
        vip("monitor", STOPPED)
    with tap.case("the protection stayed while the daemon was dead"):
        check("vipsec" in pair.s.out("nft list tables"), "the guard")
    with tap.case("a start replaces a daemon that hangs"):
        daemon("start", OK)
        old = pair.s.pidof("vipsecd")
        pair.s.signal("vipsecd", signal.SIGSTOP)
        for agent in (daemon, vip):
            why = reason(agent("monitor", GENERIC, CRM_meta_timeout=4000))
            check(f"(pid {old[0]}) does not answer" in why, why)
        daemon("start", OK)
        check(pair.s.pidof("vipsecd") != old, "another process")
        daemon("monitor", OK)
    with tap.case("a daemon that hangs: its stop is bounded, kills it and succeeds"):
        pair.s.signal("vipsecd", signal.SIGSTOP)
        start = now_ms()
        daemon("stop", OK)
        # Pacemaker's own limit is 20 s.
        check(now_ms() - start < 20000, f"{now_ms() - start:.0f} ms")
        check(not pair.s.pidof("vipsecd"), "the daemon is gone")
        daemon("monitor", STOPPED)
    with tap.case("held survives a restart of the daemon, and ends with the address"):
        daemon("start", OK)
        vip("start", OK)
        vip("stop", OK)
        wait_until(lambda: pair.server.vip_state("web") == "held", 5, "held")
        daemon("stop", OK)
        daemon("start", OK)
        wait_until(lambda: pair.server.vip_state("web") == "held", 5, "held still")
        vip("monitor", STOPPED)
        pair.remove_vip()
        pair.add_vip()
        pair.wait_bound()
        daemon("stop", OK)


def die(pair, daemon):
    """A daemon dies, and there is in the kernel what one of the kernel plane would leave."""
    daemon("start", OK)
    pair.s.signal("vipsecd", signal.SIGKILL)
    wait_until(lambda: not pair.s.pidof("vipsecd"), 5, "its death")
    for direction in xfrm.DIRS:
        xfrm.add_policy(pair.s, "10.9.0.50", "10.9.0.1", direction)
        xfrm.add_policy(pair.s, "10.9.0.50", "10.9.0.1", direction, user=0)
    check(xfrm.policies(pair.s) == 3, "planted")


def left_in_the_kernel(tap, pair, daemon, vip):
    def others():
        return xfrm.policies(pair.s, user=0)

    for agent in (vip, daemon):
        with tap.case(f"what a dead daemon left in the kernel goes with the stop of {agent.kind}"):
            die(pair, daemon)
            agent("stop", OK)
            check(xfrm.policies(pair.s) == 0 and others() == 3, (xfrm.policies(pair.s), others()))
            agent("stop", OK)
            check(others() == 3, "once more")
            daemon("stop", OK)
            daemon("monitor", STOPPED)
    with tap.case("a start that fails leaves it to the stop"):
        die(pair, daemon)
        pair.s.run("echo nonsense >/run/wrong.conf")
        reason(daemon("start", ARGS, config="/run/wrong.conf"))
        daemon("stop", OK)
        check(xfrm.policies(pair.s) == 0 and others() == 3, "gone")
    with tap.case("the next start clears it, too"):
        die(pair, daemon)
        daemon("start", OK)
        check(xfrm.policies(pair.s) == 0 and others() == 3, "gone")
        daemon("stop", OK)
    with tap.case("with the guard taken away policies stay, and the stop succeeds"):
        die(pair, daemon)
        pair.s.run("nft delete table inet vipsec")
        daemon("stop", OK)
        check(xfrm.policies(pair.s) == 3, "kept")
        check("kept: 3 policies" in pair.s.out(["vipsec", "flush"]), "and said")
        pair.s.run(["vipsec", "flush", "open"])
        check(xfrm.policies(pair.s) == 0 and others() == 3, "gone")
    with tap.case("while a daemon serves nothing is cleared, and a stop that cannot clear fails"):
        die(pair, daemon)
        held = xfrm.hold(pair.s)
        for agent in (vip, daemon):
            check("stop it first" in reason(agent("stop", GENERIC)), agent.kind)
        check(xfrm.policies(pair.s) == 3, "untouched")
        held.close()
        daemon("stop", OK)
        check(xfrm.policies(pair.s) == 0, "gone")


def body(tap):
    with Lab() as lab:
        pair = Pair(lab)
        pair.server.configure(server_conf())
        daemon, vip = Agent(pair.s, "daemon"), Agent(pair.s, "vip")
        tap.on_failure.append(lambda: pair.s.run("tail -30 /run/vipsecd.log",
                                                 check=False).stdout)
        tools(tap, pair.s)
        words(tap, daemon, vip)
        starts(tap, pair, daemon, vip)
        mute(tap, pair, daemon, vip)
        partial(tap, pair, daemon, vip)
        deaths(tap, pair, daemon, vip)
        left_in_the_kernel(tap, pair, daemon, vip)


if __name__ == "__main__":
    main(body, vipsec.missing_for_cluster)
