#!/usr/bin/env python3
"""`vipsec` against a daemon in every mood: answers, exit codes, limits in time.
test-timeout: 480
"""

import json
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import vipsec
from vlab.core import Lab, now_ms, wait_until
from vlab.pair import CLIENT6, PROTECTED, SERVER_AUTH, VIP4, VIP6, Pair, server_conf
from vlab.sockets import send
from vlab.tap import check, main
from vlab.vipsec import Rule, secure

FINE, WRONG, DEGRADED, UNBOUND, ABSENT = 0, 1, 3, 7, 69
RULES, PORTS = 200, 8  # of the large configuration


def code(pair, *words):
    return pair.server.ctl(*words).returncode


def expect(pair, wanted, *words):
    done = pair.server.ctl(*words)
    check(done.returncode == wanted,
          f"vipsec {' '.join(words)}: {done.returncode}, not {wanted}: {done.stderr}")
    return done


def status_field(pair, pid, name):
    for line in pair.s.out(["cat", f"/proc/{pid}/status"]).splitlines():
        if line.startswith(name + ":"):
            return line.split()[1]
    return None


def codes(tap, pair):
    with tap.case("no daemon: 69, and says so"):
        done = expect(pair, ABSENT, "status")
        check("not running" in done.stderr, done.stderr)
        answer = pair.server.json("status")
        check(answer["code"] == ABSENT and "not running" in answer["error"], answer)
    with tap.case("check needs no daemon: 0, or 1 with the place of the error"):
        expect(pair, FINE, "check")
        pair.s.run("echo 'vip {' >/run/bad.conf")
        check("/run/bad.conf:" in expect(pair, WRONG, "check", "/run/bad.conf").stderr,
              "file and line")
    pair.server.start()
    with tap.case("a VIP that is not here: shown as absent, not bound is 7"):
        expect(pair, FINE, "status")
        check(pair.server.vip_state("web") == "absent", pair.server.vip_state("web"))
        expect(pair, UNBOUND, "vip", "status", "web")
        expect(pair, UNBOUND, "--timeout", "10", "vip", "bind", "web")
    with tap.case("options may stand behind the verb"):
        for words in (["status", "--json"], ["show", "vip", "--json"], ["check", "--json"],
                      ["vip", "status", "web", "--json"], ["events", "--json", "--timeout", "5"]):
            answer = pair.server.ctl(*words).stdout
            check(json.loads(answer.splitlines()[0] if words[0] == "events" else answer)
                  ["schema"] == 1, f"{words}: {answer[:200]}")
        expect(pair, WRONG, "status", "--follow")
    with tap.case("the historic words are verbs, too"):
        for word in ("mmsas", "qmsas"):
            expect(pair, FINE, word)
            expect(pair, FINE, "show", word)
    with tap.case("explain takes the type and code of ICMP"):
        for words, why in ((["icmpv6", "135"], "neighbour discovery"),
                           (["icmpv6", "128"], "no rule covers it"),
                           (["icmpv6", "2", "0"], "path MTU")):
            said = expect(pair, FINE, "explain", CLIENT6, VIP6, *words).stdout
            check(why in said, f"{words}: {said}")
        expect(pair, WRONG, "explain", CLIENT6, VIP6, "icmpv6", "256")
    with tap.case("what is refused here is said to scripts, too"):
        for words in (["dance"], ["show", "all"], ["tune"], ["vip", "bind"], []):
            answer = pair.server.json(*words)
            check((answer["schema"], answer["code"]) == (1, WRONG) and answer["error"], answer)
    with tap.case("names, verbs and settings that do not exist: 1"):
        for words in (["vip", "status", "mail"], ["vip", "bind", "mail"], ["dance"],
                      ["show", "everything"], ["tune", "colour", "1"],
                      ["tune", "idle-timeout", "soon"], ["log", "level", "loud"],
                      ["--timeout", "0", "status"], ["--timeout", "x", "status"], [],
                      ["up", "mail"], ["down", "web", "nothing"], ["explain", "1.2.3.4"]):
            expect(pair, WRONG, *words)
    pair.add_vip()
    pair.wait_bound()
    with tap.case("bound: 0"):
        expect(pair, FINE, "vip", "status", "web")
        expect(pair, FINE, "vip", "bind", "web")
        expect(pair, FINE, "ping")


def tuning(tap, pair):
    with tap.case("tune holds at once, and `default` returns to what the file says"):
        before = pair.server.tuning("idle_timeout_ms")
        expect(pair, FINE, "tune", "idle-timeout", "77s")
        check(pair.server.tuning("idle_timeout_ms") == 77000, "77 s")
        expect(pair, FINE, "reload")
        check(pair.server.tuning("idle_timeout_ms") == 77000, "77 s, after a reload too")
        expect(pair, FINE, "tune", "idle-timeout", "default")
        check(pair.server.tuning("idle_timeout_ms") == before, "as before")
    with tap.case("a reload with an error: 1, and the running configuration stays"):
        pair.s.run("cp /etc/vipsec/vipsec.conf /run/good.conf; "
                   "echo nonsense >>/etc/vipsec/vipsec.conf")
        done = expect(pair, WRONG, "reload")
        check("vipsec.conf:" in done.stderr, done.stderr)
        check(pair.server.vip_state("web") == "bound", "the VIP is still served")
        pair.s.signal("vipsecd", signal.SIGHUP)
        wait_until(lambda: any("refused" in e["text"] for e in events(pair)), 5, "the event")
        pair.s.run("cp /run/good.conf /etc/vipsec/vipsec.conf")
        expect(pair, FINE, "reload")
    with tap.case("a reload that wants another data plane: refused, with the place"):
        other = "userspace" if vipsec.KERNEL else "kernel"
        pair.s.run("sed -i '/^dataplane/d' /etc/vipsec/vipsec.conf; "
                   f"printf 'dataplane {{\n  prefer {other};\n}}\n' >>/etc/vipsec/vipsec.conf")
        lines = int(pair.s.out("wc -l </etc/vipsec/vipsec.conf"))
        done = expect(pair, WRONG, "reload")
        check(f"vipsec.conf:{lines - 1}:3: error: dataplane prefer {other}" in done.stderr,
              done.stderr)
        check(pair.server.vip_state("web") == "bound", "the VIP is still served")
        plane = pair.server.json("status")["data"]["dataplane"]
        check(plane["name"] != other and "as configured" in plane["note"], plane)
        pair.s.run("cp /run/good.conf /etc/vipsec/vipsec.conf")
        expect(pair, FINE, "reload")


def events(pair):
    return [json.loads(line) for line in
            pair.server.ctl("--json", "events").stdout.splitlines()]


def followers(tap, pair):
    with tap.case("events --follow: what was, what comes, and 69 when the daemon goes"):
        pair.s.spawn(["sh", "-c", "vipsec --timeout 2 --json events --follow; echo code $?"],
                     "follow.log")
        wait_until(lambda: "vip-bound" in pair.s.log("follow.log"), 5, "what was")
        expect(pair, FINE, "tune", "nlbs-flags", "1")
        wait_until(lambda: "nlbs-flags 1" in pair.s.log("follow.log"), 5, "what comes")
        check(not [w for w in ("does not answer",) if w in pair.s.log("follow.log")],
              "the time limit is not for the following")
    with tap.case("log level: debug lines appear and vanish again"):
        expect(pair, FINE, "log", "level", "debug")
        expect(pair, FINE, "log", "level", "warning")
        before = len(pair.s.log("vipsecd.log"))
        expect(pair, FINE, "tune", "nlbs-flags", "0")  # a notice
        expect(pair, FINE, "status")
        check(len(pair.s.log("vipsecd.log")) == before, "silent at level warning")
        expect(pair, FINE, "log", "level", "info")


def process(tap, pair):
    pid = pair.s.pidof("vipsecd")[0]
    with tap.case("the daemon keeps four capabilities and can gain none"):
        wanted = 1 << 12 | 1 << 13 | 1 << 10 | 1 << 14
        for name in ("CapEff", "CapPrm", "CapBnd"):
            check(int(status_field(pair, pid, name), 16) == wanted, name)
        check(status_field(pair, pid, "NoNewPrivs") == "1", "no_new_privs")
    with tap.case("asking a thousand times leaves no descriptor and no shared memory behind"):
        def kept():
            return (len(pair.s.out(["ls", f"/proc/{pid}/fd"]).split()),
                    len(pair.s.out(["ls", "/dev/shm"]).split()))
        expect(pair, FINE, "status")
        before = kept()
        pair.s.run("i=0; while [ $i -lt 1000 ]; do vipsec vip status web >/dev/null; "
                   "i=$((i + 1)); done", timeout=240)
        wait_until(lambda: kept()[0] <= before[0] and kept()[1] <= before[1], 5,
                   f"{before} at most, now {kept()}")


def guard(tap, pair):
    def counts():
        return next(v["guard"] for v in pair.server.json("status")["data"]["vips"])

    with tap.case("status counts what the guard dropped, for each VIP"):
        before = counts()["clear_in"]
        send(pair.x, VIP4, PROTECTED, "in clear")
        wait_until(lambda: counts()["clear_in"] == before + 1, 5, "one more")
    with tap.case("`nft flush ruleset` by somebody: the guard is back at once, and it is told"):
        pair.s.run("nft flush ruleset")
        wait_until(lambda: "vipsec" in pair.s.out("nft list tables"), 2, "the table")
        wait_until(lambda: any(e["kind"] == "guard" for e in events(pair)), 2, "the event")
        before = counts()["clear_in"]
        send(pair.x, VIP4, PROTECTED, "in clear")
        wait_until(lambda: counts()["clear_in"] == before + 1, 5, "it drops again")

    def table():
        return pair.s.run("nft -s list table inet vipsec", check=False).stdout

    def told():
        return sum(e["kind"] == "guard" for e in events(pair))

    with tap.case("a reload is no change by somebody"):
        whole, words = table(), told()
        expect(pair, FINE, "reload")
        check((table(), told()) == (whole, words), f"{told() - words} words, {table()}")
    handle = ("nft -a list chain inet vipsec hook_input | "
              "sed -n 's/.*jump arriving # handle //p'")
    for what, command in (
            ("one rule is deleted", f"delete rule inet vipsec hook_input handle $({handle})"),
            ("one rule is put in front", "insert rule inet vipsec arriving accept"),
            ("a chain is emptied", "flush chain inet vipsec leaving"),
            ("a hook is deleted", "delete chain inet vipsec hook_postrouting"),
            ("an address is taken from a set",
             f"delete element inet vipsec own4 {{ {VIP4} }}"),
            ("the table is put to sleep", "add table inet vipsec '{ flags dormant; }'")):
        with tap.case(f"{what} by somebody: all is as it was, and it is told, once"):
            words = told()
            pair.s.run(f"nft {command}")
            wait_until(lambda: told() > words, 5, "the event")
            check(table() == whole, table())
            check(told() == words + 1, f"{told() - words} words")


def hung(tap, pair):
    pair.s.signal("vipsecd", signal.SIGSTOP)
    try:
        for words in (["status"], ["vip", "bind", "web"], ["events"], ["events", "--follow"]):
            with tap.case(f"stopped daemon: --timeout 1 {' '.join(words)} ends in time, 69"):
                start = now_ms()
                done = expect(pair, ABSENT, "--timeout", "1", *words)
                check(900 < now_ms() - start < 2500, f"{now_ms() - start:.0f} ms")
                check("does not answer" in done.stderr, done.stderr)
        with tap.case("stopped daemon: 200 callers that gave up do not block the next one"):
            pair.s.run("i=0; while [ $i -lt 200 ]; do vipsec --timeout 0.2 status & "
                       "i=$((i + 1)); done 2>/dev/null; wait", timeout=60)
            start = now_ms()
            expect(pair, ABSENT, "--timeout", "1", "status")
            check(now_ms() - start < 2500, f"{now_ms() - start:.0f} ms")
    finally:
        pair.s.signal("vipsecd", signal.SIGCONT)
    with tap.case("going on, it answers again"):
        wait_until(lambda: code(pair, "--timeout", "1", "status") in (FINE, DEGRADED), 20,
                   "an answer")


def large(tap, pair):
    def ports(n):
        return ", ".join(str(10000 + 100 * n + 2 * k) for k in range(PORTS))

    rules = [Rule(f"rule-{n:04}", f'from vip "web" port {ports(n)} to any proto udp mirrored',
                  secure(), SERVER_AUTH) for n in range(RULES)]
    pair.server.configure(server_conf(rules=rules))
    with tap.case("an answer larger than a message comes whole, in parts"):
        expect(pair, FINE, "--timeout", "60", "reload")
        rows = pair.server.rows("rule")
        text = json.dumps(rows, separators=(",", ":"))
        check(len(text) > 2 * 65536, f"{len(text)} octets are not large")
        check(len(rows) >= RULES * PORTS, f"{len(rows)} rows")


def lost(tap, pair):
    pair.server.configure(server_conf())
    expect(pair, FINE, "--timeout", "60", "reload")
    with tap.case("its interface deleted by somebody: it ends as failed, and nothing opens"):
        pair.s.run("ip link del vipsec0")
        pair.server.process.wait(timeout=10)
        check(pair.server.process.returncode == 69, pair.server.process.returncode)
        check("plane-lost" in pair.s.log("vipsecd.log"), "the event")
        check("vipsec" in pair.s.out("nft list tables"), "the table")
        check(pair.s.out("cat /run/vipsec/vipsecd.pid"), "not recorded as a clean end")
    with tap.case("started again it has a new one, and serves"):
        pair.server.start()
        pair.wait_bound()
        check("vipsec0" in pair.s.out("ip link"), "the TUN")
    pair.s.spawn(["sh", "-c", "vipsec --timeout 2 --json events --follow; echo code $?"],
                 "follow.log")


def exits(tap, pair):
    pair.server.configure(server_conf())
    expect(pair, FINE, "--timeout", "60", "reload")
    with tap.case("on-exit closed: after a clean stop the guard stays while the address is here"):
        pair.server.stop()
        check(pair.server.process.returncode == 0, f"status {pair.server.process.returncode}")
        check("vipsec" in pair.s.out("nft list tables"), "the table")
        check(not pair.s.out("cat /run/vipsec/vipsecd.pid"), "recorded as stopped")
        wait_until(lambda: "code 69" in pair.s.log("follow.log"), 5, "the follower's end")
    with tap.case("signals that come while it ends change nothing"):
        pair.start_server()
        pair.wait_bound()
        pair.s.run("p=$(pidof vipsecd); kill -TERM $p; kill -HUP $p; kill -TERM $p; kill -INT $p")
        pair.server.process.wait(timeout=10)
        check(pair.server.process.returncode == 0, f"status {pair.server.process.returncode}")
    with tap.case("on-exit open: no trace stays"):
        pair.start_server(conf=server_conf(tuning={"on-exit": "open"}))
        pair.wait_bound()
        pair.server.stop()
        check("vipsec" not in pair.s.out("nft list tables"), "the table")
        check("vipsec0" not in pair.s.out("ip link"), "the TUN")
        check("45000" not in pair.s.out("ip rule; ip -6 rule"), "rules")
    with tap.case("an address that is gone needs no guard: a clean stop removes it"):
        pair.start_server()
        pair.wait_bound()
        pair.remove_vip()
        wait_until(lambda: pair.server.vip_state("web") == "absent", 5, "absent")
        pair.server.stop()
        check("vipsec" not in pair.s.out("nft list tables"), "the table")
    with tap.case("a crash leaves the last lines of the log, debug ones included"):
        pair.start_server()
        pair.s.signal("vipsecd", signal.SIGABRT)
        pair.server.process.wait(timeout=10)
        check("ready" in pair.s.out("cat /var/lib/vipsec/crash.log"), "crash.log")


def body(tap):
    with Lab() as lab:
        pair = Pair(lab)
        pair.server.configure(server_conf())
        tap.on_failure.append(lambda: pair.s.log("vipsecd.log")[-2500:])
        codes(tap, pair)
        tuning(tap, pair)
        followers(tap, pair)
        process(tap, pair)
        guard(tap, pair)
        hung(tap, pair)
        large(tap, pair)
        lost(tap, pair)
        exits(tap, pair)


if __name__ == "__main__":
    main(body, vipsec.missing_programs)
