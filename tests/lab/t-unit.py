#!/usr/bin/env python3
"""The systemd unit: it is valid, readiness is told, and the daemon can live in its sandbox.
test-timeout: 120

There is no systemd as PID 1 here: what the unit asks for is imitated.
"""

import os
import re
import shutil
import socket
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import vipsec
from vlab.core import SOURCE, Lab, now_ms, wait_until
from vlab.pair import PROTECTED, VIP4, Pair, server_conf
from vlab.probes import Prober, Stream
from vlab.tap import check, main

# ProtectSystem=full: /usr, /boot and /etc, with all that is mounted below them.
READ_ONLY = """
for place in $(awk '$2 ~ "^/(usr|boot|etc)(/|$)" {print $2}' /proc/self/mounts); do
	mount -o remount,bind,ro "$place" || exit 1
done
for place in /usr /boot /etc; do
	mount --rbind "$place" "$place" && mount -o remount,bind,ro "$place" || exit 1
done
exec "$0" "$@"
"""


def unit_text(lab):
    """The unit as it is installed, for the programs of this build."""
    with open(f"{SOURCE}/docs/examples/vipsecd.service.in") as file:
        text = file.read()
    for name, folder in (("sbindir", os.path.dirname(vipsec.find_program(lab.build, "vipsecd"))),
                         ("sysconfdir", "/etc")):
        text = text.replace(f"@{name}@", folder)
    return text


def settings(text):
    return dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))


def sandbox(unit):
    """A command line that goes before the daemon's."""
    caps = [word.removeprefix("CAP_").lower() for word in unit["CapabilityBoundingSet"].split()]
    check(unit["NoNewPrivileges"] == "yes" and unit["ProtectSystem"] == "full", unit)
    return ["unshare", "-m", "sh", "-c", READ_ONLY, "setpriv", "--no-new-privs",
            "--bounding-set", ",".join(["-all", *("+" + c for c in caps)])]


class Notified:
    """The socket that systemd would listen on."""

    def __init__(self, host):
        self.path = f"{host.dir}/notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(20)

    def next(self):
        return self.socket.recv(4096).decode().splitlines()

    def silent(self):
        self.socket.setblocking(False)
        try:
            return not self.socket.recv(4096)
        except BlockingIOError:
            return True
        finally:
            self.socket.settimeout(20)


def readiness(tap, pair):
    told = Notified(pair.s)
    pair.server.environ = {"NOTIFY_SOCKET": told.path}
    with tap.case("a start that fails never tells systemd that it is ready"):
        pair.server.configure("nonsense {")
        done = pair.s.run(["vipsecd", "-f"], check=False, env=pair.server.environ)
        check(done.returncode == 78 and told.silent(), f"status {done.returncode}")
    with tap.case("READY=1 comes, and by then the daemon answers and the guard is up"):
        pair.server.configure(server_conf())
        daemon = pair.s.spawn(["vipsecd", "-f"], "vipsecd.log", pair.server.environ)
        check(told.next() == ["READY=1"], "told")
        check(pair.server.ctl("ping").returncode == 0, "it answers")
        check("vipsec" in pair.s.out("nft list tables"), "the guard")
        check(pair.s.out("cat /run/vipsec/vipsecd.pid").strip(), "recorded as running")
        daemon.terminate()
        check(daemon.wait(timeout=20) == 0, "its end")
    with tap.case("in the background, too"):
        pair.s.run("vipsecd -l /run/log", env=pair.server.environ)
        check(told.next() == ["READY=1"], "told")
        pair.s.run("kill $(pidof vipsecd)")
        wait_until(lambda: not pair.s.pidof("vipsecd"), 10, "its end")
    pair.server.environ = {}


def confined(tap, pair, unit):
    pair.add_vip()
    with tap.case("it starts in the sandbox"):
        pair.server.start(before=sandbox(unit))
        pair.wait_bound()
    with tap.case("the sandbox is there: /usr and /etc cannot be written"):
        pid = pair.s.pidof("vipsecd")[0]
        for place in ("/usr", "/etc", "/etc/vipsec"):
            check(not pair.s.ok(f"nsenter -m -t {pid} touch {place}/x"), place)
    with tap.case("traffic, a reload and a restart's records work in it"):
        pair.start_client()
        prober = Prober(pair.lab, [Stream(1, pair.c, VIP4, PROTECTED)])
        prober.wait_reply(1, now_ms(), 20)
        pair.server.ctl("reload", check=True)
        prober.wait_reply(1, now_ms(), 20)
        prober.close()
        check("cannot" not in pair.s.log("vipsecd.log"), pair.s.log("vipsecd.log")[-2000:])
    with tap.case("it is nice as it wishes, its memory is locked, and it can gain nothing"):
        status = pair.s.out(f"cat /proc/{pid}/status; cat /proc/{pid}/stat")
        check(re.search(r"VmLck:\s+[1-9]", status), status)
        check(status.rsplit(")", 1)[1].split()[16] == "-10", status)
        check(int(re.search(r"CapBnd:\s+(\w+)", status).group(1), 16)
              == 1 << 10 | 1 << 12 | 1 << 13 | 1 << 14, status)
    with tap.case("a VIP stopped by hand stays so when the unit is restarted"):
        pair.server.ctl("vip", "unbind", "web", check=True)
        wait_until(lambda: pair.server.vip_state("web") == "held", 10, "held")
        pair.server.stop()
        if unit.get("RuntimeDirectoryPreserve") != "yes":
            pair.s.run("rm -r /run/vipsec")
        pair.server.start(before=sandbox(unit))
        check(pair.server.vip_state("web") == "held", pair.server.vip_state("web"))


def body(tap):
    with Lab() as lab:
        text = unit_text(lab)
        unit = settings(text)
        with tap.case("systemd-analyze verify has nothing to say"):
            path = f"{lab.dir}/vipsecd.service"
            with open(path, "w") as file:
                file.write(text)
            done = subprocess.run(["systemd-analyze", "--man=no", "verify", path],
                                  capture_output=True, text=True, timeout=30)
            check(done.returncode == 0 and not done.stderr, done.stdout + done.stderr)
        with tap.case("what does not mend itself is not tried again"):
            check({"64", "77", "78"} <= set(unit["RestartPreventExitStatus"].split()), unit)
        pair = Pair(lab)
        tap.on_failure.append(lambda: pair.s.log("vipsecd.log")[-2500:])
        readiness(tap, pair)
        confined(tap, pair, unit)


def missing():
    return vipsec.missing_programs() or (
        None if shutil.which("systemd-analyze") else "systemd-analyze is not installed")


if __name__ == "__main__":
    main(body, missing)
