#!/usr/bin/env python3
"""vipsecd does not start: the exit status, and a line that says what is missing.
test-timeout: 120
"""

import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import vipsec
from vlab.core import Lab, wait_until
from vlab.pair import Pair, server_conf
from vlab.tap import check, main

WRONG_LINE, UNAVAILABLE, NO_PRIVILEGE, CONFIG = 64, 69, 77, 78
CONF = "/etc/vipsec/vipsec.conf"

# What others run while a case is tried: a table that belongs to a living process cannot
# be replaced, which is as good as a kernel that refuses ours.
OWNER = """
import socket, struct, time
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
s.bind((0, 0))
def attr(kind, data):
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)
def message(kind, flags, body):
    return struct.pack("=IHHII", 16 + len(body), kind, flags, 1, 0) + body
gen = struct.pack(">BBH", 0, 0, 10)
table = struct.pack(">BBH", 1, 0, 0) + attr(1, b"vipsec\\0") + attr(2, struct.pack(">I", 2))
s.send(message(16, 1, gen) + message(10 << 8, 0x405, table) + message(17, 1, gen))
answer = s.recv(4096)
code = struct.unpack_from("=i", answer, 16)[0]
print("owned" if code == 0 else f"error {code}", flush=True)
time.sleep(60)
"""


def start(host, *options, before=()):
    return host.run([*before, "vipsecd", *(options or ["-c", CONF])], check=False, timeout=20)


def refused(done, code, *words):
    said = done.stderr
    check(done.returncode == code, f"status {done.returncode}, not {code}: {said}")
    for word in words:
        check(word in said, f"'{word}' is not in: {said}")


def privileges(tap, s):
    for name, use in (("net_admin", "CAP_NET_ADMIN"), ("net_raw", "CAP_NET_RAW"),
                      ("net_bind_service", "CAP_NET_BIND_SERVICE")):
        with tap.case(f"without {use}: says so"):
            refused(start(s, before=["setpriv", "--bounding-set", f"-{name}"]), NO_PRIVILEGE,
                    use)
    with tap.case("without any privilege: names all that are missing"):
        refused(start(s, before=["setpriv", "--reuid=65534", "--clear-groups"]), NO_PRIVILEGE,
                "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_NET_BIND_SERVICE")


def world(tap, s):
    with tap.case("without /dev/net/tun: says so"):
        done = s.run(f"unshare -m sh -c 'mount -t tmpfs none /dev/net && vipsecd -c {CONF}'",
                     check=False, timeout=20)
        refused(done, UNAVAILABLE, "/dev/net/tun")
    with tap.case("a start that failed leaves the guard up: nothing is open meanwhile"):
        check("vipsec" in s.out("nft list tables"), "the table is there")
    with tap.case("nftables refuses the guard: says so"):
        s.run("nft delete table inet vipsec")
        owner = s.spawn(["python3", "-c", OWNER], "owner.log")
        wait_until(lambda: s.log("owner.log"), 10, "the owned table")
        check("owned" in s.log("owner.log"), s.log("owner.log"))
        try:
            refused(start(s), UNAVAILABLE, "nftables")
        finally:
            s.signal("python3", signal.SIGKILL)
            owner.wait(timeout=10)
    with tap.case("a state directory that cannot be made: says so"):
        refused(start(s, "-c", CONF, "-s", "/proc/none/vipsec"), UNAVAILABLE,
                "/proc/none/vipsec")
    with tap.case("no corosync: says so"):
        s.run(f"sed 's/backend none/name \"w\"; backend corosync/' {CONF} >/run/c.conf")
        refused(start(s, "-c", "/run/c.conf"), UNAVAILABLE, "corosync")
    with tap.case("after every failed start nothing is recorded as running"):
        check(not s.out("cat /run/vipsec/vipsecd.pid"), "the pid file is empty")


def configuration(tap, s):
    with tap.case("no configuration: the file is named"):
        refused(start(s, "-c", "/run/none.conf"), CONFIG, "/run/none.conf")
    with tap.case("an error in it: file, line and column"):
        s.run(f"sed 's/port 7001/prot 7001/' {CONF} >/run/wrong.conf")
        refused(start(s, "-c", "/run/wrong.conf"), CONFIG, "/run/wrong.conf:", "error")
    with tap.case("a secret that others can read: says what to do"):
        s.run("chmod 644 /etc/vipsec/secrets/lab")
        refused(start(s), CONFIG, "/etc/vipsec/secrets/lab", "chmod 600")
        s.run("chmod 600 /etc/vipsec/secrets/lab")
    with tap.case("a wrong command line"):
        refused(start(s, "-Z"), WRONG_LINE, "usage")
        refused(start(s, "-c", CONF, "more"), WRONG_LINE, "more")


def second(tap, pair):
    s = pair.s
    pair.server.start()
    pid = s.pidof("vipsecd")
    guard = s.out("nft list table inet vipsec")
    with tap.case("a second daemon: refused, with the first one's pid"):
        refused(start(s), UNAVAILABLE, "another vipsecd", str(pid[0]))
    with tap.case("a second daemon with other directories: refused, and touches nothing"):
        refused(start(s, "-c", CONF, "-r", "/run/other", "-s", "/run/state"), UNAVAILABLE,
                "another vipsecd")
        check(s.out("nft list table inet vipsec") == guard, "the guard is the same")
        check(pair.server.ctl("status").returncode in (0, 3), "the first one answers")
        check(s.pidof("vipsecd") == pid, "and is the same process")
    with tap.case("a relative path means the same after going into the background"):
        pair.server.stop()
        done = s.run("cd /etc/vipsec && vipsecd -c vipsec.conf -l /run/log", check=False)
        check(done.returncode == 0, done.stderr)
        check(pair.server.ctl("status").returncode in (0, 3), "it serves")


def body(tap):
    with Lab() as lab:
        pair = Pair(lab)
        pair.server.configure(server_conf())
        privileges(tap, pair.s)
        world(tap, pair.s)
        configuration(tap, pair.s)
        second(tap, pair)


if __name__ == "__main__":
    main(body, vipsec.missing_programs)
