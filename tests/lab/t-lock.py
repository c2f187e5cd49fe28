#!/usr/bin/env python3
"""Who has the kernel's IPsec of a network namespace to himself: root alone can say so, and the
kernel takes it back from whoever dies.
"""

import errno
import inspect
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import vipsec, xfrm
from vlab.core import KERNEL, Lab, wait_until
from vlab.pair import Pair, server_conf
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


def body(tap):
    with Lab() as lab:
        pair = Pair(lab)
        tap.on_failure.append(lambda: pair.s.log("vipsecd.log")[-3000:])
        by_hand(tap, pair.s)
        if KERNEL:
            by_daemon(tap, pair)


if __name__ == "__main__":
    main(body, vipsec.missing_programs)
