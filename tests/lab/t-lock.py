#!/usr/bin/env python3
"""Who has the kernel's IPsec of a network namespace to himself: root alone can say so, and the
kernel takes it back from whoever dies. Where it cannot be had, because the kernel is too old for
it, the kernel's plane does not open, and a fallback serves.
"""

import errno
import inspect
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import vipsec, xfrm
from vlab.cluster import OCF_AGENTS
from vlab.core import KERNEL, Lab, wait_until
from vlab.pair import PROTECTED, VIP4, Pair, server_conf
from vlab.probes import Prober, Stream
from vlab.shut import Shut, rule_of_server, works
from vlab.tap import check, main

TABLE = "vipsec-kernel-plane"

# Takes what it can: a port of NETLINK_XFRM, and the table. Says what it got.
TAKER = inspect.getsource(xfrm.take_lock) + """
import socket, time
port = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 6)
port.bind((0x76697073, 0))
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
print("table", take_lock(s), flush=True)
time.sleep(600)
"""


class Taker:
    def __init__(self, host, before=()):
        self.host = host
        self.log = f"taker{len(host.children)}.log"
        self.child = host.spawn([*before, "python3", "-c", TAKER], self.log)
        wait_until(lambda: "table" in host.log(self.log) or self.child.poll() is not None, 20,
                   "the taker")
        check("table" in host.log(self.log), host.log(self.log))
        self.code = int(host.log(self.log).split()[-1])

    def kill(self):
        self.host.signal("python3", signal.SIGKILL)
        self.child.wait(timeout=20)


def by_hand(tap, s):
    with tap.case("a local user cannot take it, nor keep others from it"):
        taker = Taker(s, ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"])
        check(taker.code == errno.EPERM, f"EPERM, and not {taker.code}")
        done = s.run(["vipsec", "flush"], check=False)
        check(done.returncode == 0, done)
        taker.kill()
    with tap.case("root has it: flush touches nothing, and says so"):
        taker = Taker(s)
        check(taker.code == 0, taker.code)
        done = s.run(["vipsec", "flush"], check=False)
        check(done.returncode != 0 and "stop it first" in done.stderr, done)
    with tap.case("others cannot delete it, a flush of the rule set included"):
        check(not s.ok(f"nft delete table inet {TABLE}"), "refused")
        s.run("nft flush ruleset", check=False)
        check(TABLE in s.out("nft list tables"), "it is there")
    with tap.case("its owner is killed: it is free at once"):
        taker.kill()
        done = s.run(["vipsec", "flush"], check=False)
        check(done.returncode == 0, done)
        check(TABLE not in s.out("nft list tables"), "and not kept by who has flushed")


def by_daemon(tap, pair):
    pair.start_server(conf=server_conf())
    with tap.case("a daemon that serves has it, and flush touches nothing"):
        check(TABLE in pair.s.out("nft list tables"), "the table")
        done = pair.server.ctl("flush")
        check(done.returncode != 0 and "stop it first" in done.stderr, done)
        check(pair.server.ctl("status").returncode == 0, "it serves on")
    with tap.case("killed: flush works, and the next daemon starts"):
        pair.s.signal("vipsecd", signal.SIGKILL)
        pair.server.process.wait(timeout=20)
        check(pair.server.ctl("flush").returncode == 0, "flushed")
        pair.server.start()
        check(TABLE in pair.s.out("nft list tables"), "the table")
    with tap.case("another has it: no start, and a reason"):
        pair.server.stop()
        taker = Taker(pair.s)
        done = pair.s.run("vipsecd -f -c /etc/vipsec/vipsec.conf -s /var/lib/vipsec",
                          check=False)
        check(done.returncode == 69 and "another vipsecd uses it" in done.stderr, done)
        taker.kill()


# --- a kernel that has no such lock ------------------------------------------------------------

ANOTHER = "/run/another"
TOO_OLD = "needs Linux 5.12 or newer"


class Another:
    """In place of this kernel another one (tools/full.c), for the programs that have environ.
    Where this one has no ESP, that one takes what is tried before a plane is opened."""

    def __init__(self, pair, kind):
        self.pair = pair
        self.environ = {"LD_PRELOAD": f"{pair.lab.tool}/vlab-full.so", "VLAB_FULL": ANOTHER}
        pair.s.run(f"echo '{kind} {'' if KERNEL else 'esp'}' >{ANOTHER}")

    def configure(self, more=""):
        self.pair.server.configure(vipsec.prefer_kernel(
            server_conf(rules=rule_of_server(), vip=(VIP4,)), more))

    def run(self, command):
        return self.pair.s.run(command, check=False, env=self.environ)

    def start(self):
        return self.run("vipsecd -f -c /etc/vipsec/vipsec.conf -s /var/lib/vipsec")


def plant(s):
    for direction in xfrm.DIRS:
        xfrm.add_policy(s, "10.9.0.50", "10.9.0.1", direction)
    check(xfrm.policies(s) == 3, "planted")


def guard(s):
    """Empty: there is none."""
    return s.run("nft list table inet vipsec", check=False).stdout


def refused_with_fallback(tap, pair):
    """As if nothing were lacking but that somebody else has the lock."""
    kernel = Another(pair, "")
    kernel.configure("fallback userspace;")
    taker = Taker(pair.s)
    with tap.case("another serves: no start with a fallback either, and what is its stays"):
        plant(pair.s)
        stood = guard(pair.s)
        done = kernel.start()
        check(done.returncode == 69 and "another vipsecd uses it" in done.stderr, done)
        check(xfrm.policies(pair.s) == 3, "not touched")
        check(guard(pair.s) == stood, "nor the guard")
    taker.kill()


def old_kernel(tap, pair):
    kernel = Another(pair, "old")
    with tap.case("a kernel without such a lock: flush clears what is there"):
        done = kernel.run(["vipsec", "flush", "open"])
        check(done.returncode == 0 and xfrm.policies(pair.s) == 0, done)
    with tap.case("no start without a fallback, words that say what to do, and nothing opens"):
        kernel.configure()
        done = kernel.start()
        shut = Shut(pair)
        check(done.returncode == 69 and TOO_OLD in done.stderr and
              "fallback userspace" in done.stderr, done)
        shut.end()
        check(guard(pair.s) and "vipsec0" not in guard(pair.s),
              "the guard of the plane that was to serve")
    with tap.case("with a fallback userspace serves, with its own guard, and status says why"):
        shut = Shut(pair)
        kernel.configure("fallback userspace;")
        plant(pair.s)
        pair.server.environ = kernel.environ
        pair.server.start()
        plane = pair.server.json("status")["data"]["dataplane"]
        check(plane["name"] == "userspace" and TOO_OLD in plane["note"], plane)
        check("vipsec0" in guard(pair.s), guard(pair.s))
        check(xfrm.policies(pair.s) == 0, "of an earlier life")
        shut.end()
    with tap.case("and protects"):
        pair.start_client(families=(4,))
        pair.wait_bound()
        prober = Prober(pair.lab, [Stream(1, pair.c, VIP4, PROTECTED, 50)])
        works(prober)
        prober.close()
    with tap.case("killed: the agent's stop clears the kernel's IPsec, and succeeds"):
        pair.s.signal("vipsecd", signal.SIGKILL)
        pair.server.process.wait(timeout=20)
        plant(pair.s)
        done = pair.s.run([f"{OCF_AGENTS}/vipsec/daemon", "stop"], check=False, timeout=40,
                          env={**kernel.environ, "OCF_ROOT": "/usr/lib/ocf"})
        check(done.returncode == 0 and xfrm.policies(pair.s) == 0, done)


def body(tap):
    with Lab() as lab:
        pair = Pair(lab)
        tap.on_failure.append(lambda: pair.s.log("vipsecd.log")[-3000:])
        by_hand(tap, pair.s)
        if KERNEL:
            by_daemon(tap, pair)
        if vipsec.sanitized(lab.build):
            return  # wants to be loaded before any other library
        pair.add_vip(families=(4,))
        stranger = Prober(lab, [Stream(1, pair.x, VIP4, PROTECTED, 50)], name="stranger")
        refused_with_fallback(tap, pair)
        old_kernel(tap, pair)
        stranger.close()


if __name__ == "__main__":
    main(body, vipsec.missing_programs)
