#!/usr/bin/env python3
"""`vipsec doctor`: one thing after the other is broken, and the line about it must come, with
what to do; and go when that has been done.
test-timeout: 180
"""

import json
import os
import re
import shlex
import signal
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import pki, vipsec
from vlab.core import Lab, wait_until
from vlab.pair import SERVER4, VIP4, Pair, server_conf
from vlab.pki import Node
from vlab.sockets import LISTENER
from vlab.tap import check, main
from vlab.vipsec import PLANE

FINE, BAD, WARNINGS = 0, 1, 3
CONF = "/etc/vipsec/vipsec.conf"
TOPICS = ["privileges", "configuration", "files", "certificates", "clock", "esp", "crypto",
          "xfrm", "tun", "ports", "mtu", "forwarding", "rp_filter", "guard", "firewall",
          "corosync", "daemon"]


class Doctor:
    def __init__(self, host):
        self.host, self.before = host, []

    def lines(self, *words):
        """(exit code, [(grade, topic, text, advice)])"""
        done = self.host.run([*self.before, "vipsec", "doctor", *words], check=False)
        found = []
        for line in done.stdout.splitlines():
            match = re.match(r"(ok|warn|bad) +(\S+) +(.*?)(?: -> (.*))?$", line)
            check(match, f"a line of another form: {line}")
            found.append(match.groups())
        check(found, f"nothing is said: {done.stderr}")
        grades = {grade for grade, *_ in found}
        code = BAD if "bad" in grades else WARNINGS if "warn" in grades else FINE
        check(done.returncode == code, f"exit code {done.returncode}, not {code}")
        for grade, topic, text, advice in found:
            check(grade == "ok" or advice, f"{topic}: {text}: no advice")
        return done.returncode, found

    def not_ok(self, *words):
        return {(grade, topic) for grade, topic, *_ in self.lines(*words)[1] if grade != "ok"}

    def says(self, grade, topic, text, advice=""):
        found = self.lines()[1]
        check(any(g == grade and t == topic and re.search(text, x) and
                  re.search(advice, a or "") for g, t, x, a in found),
              f"no {grade} {topic} /{text}/ -> /{advice}/ in {found}")

    def broken(self, tap, idea, breaks, mends, *line, usual=frozenset()):
        """Breaks, looks for the line, mends, and looks whether all is as usual again."""
        with tap.case(idea):
            for command in breaks:
                self.host.run(command)
            try:
                self.says(*line)
            finally:
                for command in mends:
                    self.host.run(command, check=False)
            left = self.not_ok()
            check(left == set(usual), f"after mending: {left}")


USUAL = {("warn", "guard"), ("warn", "daemon")}  # where no daemon runs, and never has


def without_daemon(tap, d):
    s = d.host
    with tap.case("a good host without a daemon: only that is missed; each topic has a line"):
        code, found = d.lines()
        check([t for t in TOPICS if t not in [f[1] for f in found]] == [], found)
        check(list(dict.fromkeys(f[1] for f in found)) == TOPICS, "in their order")
        check(d.not_ok() == USUAL and code == WARNINGS, found)
    d.broken(tap, "no secret file", ["mv /etc/vipsec/secrets/lab /etc/vipsec/lab"],
             ["mv /etc/vipsec/lab /etc/vipsec/secrets/lab"],
             "bad", "configuration", rf"{CONF}:\d+:\d+: error: .*secrets/lab", "vipsec check",
             usual=USUAL)
    d.broken(tap, "a secret that others can read", ["chmod 644 /etc/vipsec/secrets/lab"],
             ["chmod 600 /etc/vipsec/secrets/lab"],
             "bad", "configuration", "secrets/lab.*chmod 600", usual=USUAL)
    d.broken(tap, "a folder of secrets that others can look into",
             ["chmod 755 /etc/vipsec/secrets"], ["chmod 700 /etc/vipsec/secrets"],
             "bad", "files", r"/etc/vipsec/secrets can be read", "chmod go-rwx", usual=USUAL)
    d.broken(tap, "a configuration that others can write", [f"chmod 666 {CONF}"],
             [f"chmod 644 {CONF}"], "bad", "files", f"{CONF} can be written", "chmod go-w",
             usual=USUAL)
    d.broken(tap, "a wrong configuration",
             [f"cp {CONF} /run/good; sed -i 's/port 7001/prot 7001/' {CONF}"],
             [f"cp /run/good {CONF}"], "bad", "configuration", r":\d+:\d+: error: ",
             "vipsec check", usual=USUAL)
    with tap.case("no configuration: the file is named, and the machine judged all the same"):
        check(("bad", "configuration") in d.not_ok("/run/none.conf"), "it is missed")
        _, found = d.lines("/run/none.conf")
        check({"esp", "xfrm", "ports"} <= {t for g, t, *_ in found if g == "ok"}, found)
    d.broken(tap, "no corosync",
             [f"cp {CONF} /run/good; sed -i 's/backend none/backend corosync/' {CONF}"],
             [f"cp /run/good {CONF}"], "bad", "corosync", "does not answer",
             "systemctl start corosync", usual=USUAL)
    with tap.case("without privileges: each that is missing is named"):
        d.before = ["setpriv", "--bounding-set", "-net_admin"]
        d.says("bad", "privileges", "CAP_NET_ADMIN", "root")
        d.before = []
    with tap.case("without /dev/net/tun, where the TUN is needed"):
        hidden = ["unshare", "-m", "sh", "-c", "mount -t tmpfs none /dev/net && exec \"$@\"",
                  "sh"]
        d.before = hidden
        if PLANE:
            check(("bad", "tun") not in d.not_ok(), "the kernel plane has none")
        else:
            d.says("bad", "tun", "/dev/net/tun", "modprobe tun")
        d.before = []
    with tap.case("a daemon that has died is missed"):
        s.run("mkdir -p /run/vipsec; echo '99999 1' >/run/vipsec/vipsecd.pid")
        d.says("bad", "daemon", "pid 99999 has died", "crash.log")
        s.run("rm /run/vipsec/vipsecd.pid")


def drivers(tap, d):
    """In the VM: nothing loads the processor's own drivers there, before it is told to."""
    with tap.case("drivers that are slow are told of, and what is advised helps"):
        line = next(f for f in d.lines()[1] if f[1] == "crypto")
        if line[0] != "ok":
            check("generic" in line[2] and "modprobe aesni_intel" in line[3], line)
            subprocess.run(["modprobe", "aesni_intel"], check=True)
        check(("warn", "crypto") not in d.not_ok(), d.lines())


def kernel_without(tap, d):
    """This kernel has no ESP; in the VM it has."""
    s = d.host
    has = "the kernel has ESP" in str(d.lines()[1])
    with tap.case("the kernel's ESP is wanted: said whether it can serve, or who does instead"):
        s.run(f"cp {CONF} /run/good")
        s.run(f"grep -v ^dataplane /run/good >{CONF}; echo 'dataplane {{ prefer kernel; }}' >>{CONF}")
        found = d.lines()[1]
        line = next(f for f in found if f[1] == "esp")
        check(line[0] == "ok" if "has ESP" in line[2] else
              line[0] == "bad" and "will not start" in line[2] and "fallback" in line[3], line)
        check(not has or line[0] == "ok", "as before")
        helps = [f for f in found if f[1] == "esp"][1:]
        check([h[0] for h in helps] == (["ok"] if "has ESP" in line[2] else []), helps)
        s.run(f"sed -i 's/prefer kernel;/prefer kernel; fallback userspace;/' {CONF}")
        line = next(f for f in d.lines()[1] if f[1] == "esp")
        check(line[0] == "ok" if "has ESP" in line[2] else
              line[0] == "warn" and "userspace" in line[2] and "modprobe" in line[3], line)
        s.run(f"cp /run/good {CONF}")


def network(tap, d):
    s = d.host
    for where in ("::", VIP4):
        with tap.case(f"another program on {where} port 500: its name and pid"):
            child = s.spawn(["sh", "-c", 'echo pid $$; exec "$@"', "sh", sys.executable, "-c",
                             LISTENER, where, 500], "other.log")
            wait_until(lambda: "ready" in s.log("other.log"), 10, "the other program")
            pid = re.search(r"pid (\d+)", s.log("other.log")).group(1)
            d.says("bad", "ports", rf"UDP 500 on .* is held by python3.* \(pid {pid}\)",
                   "stop it")
            s.run(["kill", "-9", pid])
            child.wait(timeout=10)
            os.unlink(f"{s.dir}/other.log")
            check(d.not_ok() == USUAL, "it has gone")
    d.broken(tap, "a policy of another program, out",
             [f"ip xfrm policy add dir out src {VIP4} dst 0.0.0.0/0 action block"],
             ["ip xfrm policy flush"], "bad", "xfrm", "dir out .* drops, before rule",
             "ip xfrm policy", usual=USUAL)
    d.broken(tap, "a policy of another program, in, which wants SAs of its own",
             [f"ip xfrm policy add dir in src 10.0.0.0/8 dst {VIP4} proto udp dport 7001 "
              "tmpl proto esp mode transport"],
             ["ip xfrm policy flush"], "bad", "xfrm", "dir in .* wants SAs", usual=USUAL)
    with tap.case("a policy of another program about other hosts is none of our business"):
        s.run("ip xfrm policy add dir out src 203.0.113.1 dst 203.0.113.2 action block")
        check(d.not_ok() == USUAL, d.not_ok())
        d.says("ok", "xfrm", "1 policies of others")
        s.run("ip xfrm policy flush")
    d.broken(tap, "two links, and rp_filter strict on one",
             ["ip link add far type veth peer name near && ip addr add 10.77.0.1/24 dev far "
              "&& ip link set far up && ip link set near up",
              "for i in all far eth0; do echo 0 >/proc/sys/net/ipv4/conf/$i/rp_filter; done",
              "echo 1 >/proc/sys/net/ipv4/conf/eth0/rp_filter"],
             ["ip link del far", "echo 0 >/proc/sys/net/ipv4/conf/eth0/rp_filter"],
             "warn", "rp_filter", "strict on eth0,", "rp_filter=2", usual=USUAL)
    d.broken(tap, "an MTU that IPv6 does not allow", ["ip link set eth0 mtu 1279"],
             ["ip link set eth0 mtu 1500"], "bad", "mtu", "eth0: MTU 1279",
             "ip link set eth0 mtu", usual=USUAL)
    d.broken(tap, "a gateway that does not forward",
             [f"cp {CONF} /run/good; echo 0 >/proc/sys/net/ipv4/ip_forward",
              f"sed -i '0,/from vip \"web\" port [0-9, ]*/s//from 10.50.0.0\\/16 /' {CONF}",
              f"sed -i '0,/mode transport/s//mode tunnel to {SERVER4}/' {CONF}"],
             [f"cp /run/good {CONF}"], "bad", "forwarding", "IPv4 is not forwarded",
             "net.ipv4.ip_forward=1", usual=USUAL)


def passing(tap, d):
    """Where this kernel has ESP (in the VM) the policies serve, and what passes by them is told."""
    s = d.host
    s.run(f"cp {CONF} /run/good")
    s.run(f"grep -v ^dataplane /run/good >{CONF}; "
          f"echo 'dataplane {{ prefer kernel; fallback userspace; }}' >>{CONF}")
    usual = d.not_ok()
    in_kernel = "the kernel has ESP" in str(d.lines()[1])
    for family, knob in (("ipv4", "disable_xfrm"), ("ipv4", "disable_policy"),
                         ("ipv6", "disable_policy")):
        for link, whose in (("eth0", "eth0"), ("all", "all interfaces")):
            path = f"net/{family}/conf/{link}/{knob}"
            idea = f"{path} is set"
            sets, mends = [[f"echo {n} >/proc/sys/{path}"] for n in (1, 0)]
            if in_kernel:
                d.broken(tap, f"{idea}: said, and what to do", sets, mends, "warn", "xfrm",
                         f"^{whose}: {knob} of IP", f"sysctl -w {path}=0", usual=usual)
                continue
            with tap.case(f"{idea}: the userspace plane asks no policies"):
                s.run(sets[0])
                check(d.not_ok() == usual, d.not_ok())
                s.run(mends[0])
    s.run(f"cp /run/good {CONF}")


TABLE = "add table inet f; add chain inet f in { type filter hook input priority 0; policy drop; }"


def firewall(tap, d):
    s = d.host

    def nft(*commands):
        for command in commands:
            s.run(["nft", *shlex.split(command)] if ";" not in command
                  else f"nft '{command}'")

    with tap.case("a firewall that lets nothing in: three lines, for each address"):
        nft(TABLE, "add rule inet f in ct state established,related accept")
        for what, rule in (("UDP 500", "udp dport 500"), ("UDP 4500", "udp dport 4500"),
                           ("ESP", "meta l4proto esp")):
            d.says("bad", "firewall", f'{what} to {VIP4} is dropped by chain "inet f in"',
                   f"^nft insert rule inet f in {rule} accept$")
    with tap.case("what is advised helps"):
        for grade, topic, _, advice in d.lines()[1]:
            if topic == "firewall" and grade == "bad":
                nft(advice.removeprefix("nft "))
        check(d.not_ok() == USUAL, d.not_ok())
    nft("flush ruleset")
    with tap.case("masquerading takes the VIP's address away"):
        nft("add table ip n",
            "add chain ip n p { type nat hook postrouting priority 100; }",
            "add rule ip n p ip saddr 10.9.0.0/24 masquerade")
        d.says("bad", "firewall", f"UDP 500 from {VIP4} gets another source", "saddr .* accept")
        nft("flush ruleset")
        check(d.not_ok() == USUAL, d.not_ok())


def with_daemon(tap, d, pair):
    s = pair.s
    pair.server.start()
    pair.add_vip()
    pair.wait_bound()
    with tap.case("a daemon that is well: nothing is wrong, exit code 0"):
        check(d.not_ok() == set(), d.lines())
        d.says("ok", "guard", "is what the configuration asks for")
        d.says("ok", "ports", "vipsecd's")
        d.says("ok", "daemon", "answers")
    with tap.case("the doctor leaves no trace"):
        before = [s.out(c) for c in ("ip link", "ip xfrm state", "ip -o xfrm policy",
                                     "nft list ruleset", "ip rule", "ss -Hlun")]
        number = pair.server.ctl("--json", "events").stdout.count("\n")
        d.lines()
        after = [s.out(c) for c in ("ip link", "ip xfrm state", "ip -o xfrm policy",
                                    "nft list ruleset", "ip rule", "ss -Hlun")]
        check(before == after, (before, after))
        check(pair.server.ctl("--json", "events").stdout.count("\n") == number,
              "nothing happened to the daemon")
    with tap.case("a configuration that is newer than what runs: the guard is not its"):
        s.run(f"cp {CONF} /run/good; sed -i 's/port 7003/port 7004/' {CONF}")
        d.says("bad", "guard", "not what the configuration asks for", "vipsec reload")
        check(pair.server.ctl("reload").returncode == 0, "what was advised")
        check(d.not_ok() == set(), d.not_ok())
        s.run(f"cp /run/good {CONF}")
        pair.server.ctl("reload")
    with tap.case("a daemon that hangs: said within seconds"):
        s.signal("vipsecd", signal.SIGSTOP)
        try:
            d.says("bad", "daemon", r"\(pid \d+\) does not answer", "log")
        finally:
            s.signal("vipsecd", signal.SIGCONT)
        wait_until(lambda: d.not_ok() == set(), 10, "all is well again")
    with tap.case("a daemon that is killed"):
        s.signal("vipsecd", signal.SIGKILL)
        pair.server.process.wait(timeout=10)
        d.says("bad", "daemon", r"pid \d+ has died", "start it")
        d.says("ok", "guard", "is what the configuration asks for")


def certificates(tap, d, s):
    root = Node("Lab Root", ca=True)

    def give(**days):
        pki.give(s, Node("web", issuer=root, names=[vipsec.VIP_ID], **days), root)

    give()
    s.run(f"cat >>{CONF}", text=pki.identity())
    with tap.case("certificates that are good, and until when"):
        d.says("ok", "certificates", 'identity "own": the certificate CN=web is good until')
        d.says("ok", "certificates", 'identity "own": the CA CN=Lab Root is good until')
    with tap.case("one that expires soon"):
        give(last=3)
        d.says("warn", "certificates", "CN=web expires on .*, in [23] days", "renew")
    with tap.case("one that has expired"):
        give(first=-9, last=-1)
        d.says("bad", "certificates", "CN=web has expired", "renew")
    with tap.case("one whose key is another's"):
        pki.give(s, Node("web", issuer=root, names=[vipsec.VIP_ID]), root, key=root)
        d.says("bad", "configuration", r":\d+:\d+: error: .*key", "vipsec check")
    with tap.case("one whose key others can read"):
        give()
        s.run("chmod 644 /etc/vipsec/own.key")
        d.says("bad", "configuration", "own.key.*chmod 600")


def scripts(tap, d):
    with tap.case("for scripts: the same, as JSON"):
        code, found = d.lines()
        done = d.host.run(["vipsec", "--json", "doctor"], check=False)
        answer = json.loads(done.stdout)
        check(answer["schema"] == 1 and answer["code"] == done.returncode == code, answer)
        data = answer["data"]
        check([(x["grade"], x["topic"], x["text"], x["advice"] or None)
               for x in data["findings"]] == found, data)
        check(data["ok"] + data["warn"] + data["bad"] == len(found), data)


def body(tap):
    with Lab() as lab:
        pair = Pair(lab)
        s = pair.s
        pair.server.configure(server_conf())
        s.run("for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >$f; done")
        d = Doctor(s)
        if PLANE:
            drivers(tap, d)
        without_daemon(tap, d)
        kernel_without(tap, d)
        network(tap, d)
        passing(tap, d)
        firewall(tap, d)
        scripts(tap, d)
        with_daemon(tap, d, pair)
        certificates(tap, d, s)


if __name__ == "__main__":
    main(body, vipsec.missing_programs)
