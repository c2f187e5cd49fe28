#!/usr/bin/env python3
"""Somebody takes vipsec's routing rules, routes or interface away, under traffic: they are
back at once, it is told, and nothing leaves in clear meanwhile.
test-timeout: 240
"""

import json
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import vipsec
from vlab.core import Lab, now_ms, wait_until
from vlab.pair import (LISTEN, PROTECTED, SERVER_AUTH, VIP4, VIP6, Pair, client_conf,
                       server_conf)
from vlab.probes import Prober, Stream
from vlab.tap import check, main
from vlab.vipsec import Rule, secure
from vlab.wire import Tap

# A flush of all rules takes the host's own away, too; whoever does it puts those back.
HOSTS_OWN = "rule add pref 32766 lookup main; ip {0} rule add pref 32767 lookup default"
DEEDS = (
    ("the IPv4 rules are flushed",
     "ip rule flush; ip " + HOSTS_OWN.format("")),
    ("the IPv6 rules are flushed",
     "ip -6 rule flush; ip -6 " + HOSTS_OWN.format("-6")),
    ("one rule is deleted", "ip rule del pref 14500"),
    ("the rules of a scope are deleted", "while ip rule del pref {scope}; do :; done"),
    ("the routing tables are flushed",
     "ip route flush table {table}; ip -6 route flush table {table}"),
    ("the interface is set down", "ip link set vipsec0 down"),
    ("the interface is set down and up", "ip link set vipsec0 down; ip link set vipsec0 up"),
    ("its MTU is lowered, and IPv6 gone from it", "ip link set vipsec0 mtu 600"),
)


class Side:
    def __init__(self, host, daemon):
        self.host, self.daemon = host, daemon

    def told(self, kind="steering"):
        return [e for e in map(json.loads, self.daemon.ctl("--json", "events")
                               .stdout.splitlines()) if e["kind"] == kind]

    def generation(self):
        """The preference and the table that are in use."""
        word = next(line for line in self.host.out("ip rule show").splitlines()
                    if "lookup 450" in line).split()
        return {"scope": word[0].rstrip(":"), "table": word[word.index("lookup") + 1]}

    def rules(self):
        """Without preferences of the scopes and tables: those change with a repair."""
        lines = self.host.out("ip rule show; ip -6 rule show").splitlines()
        return {" ".join(w for w in line.split()[1:] if not w.startswith("450"))
                for line in lines}

    def routes(self):
        shown = self.host.out("ip route show table all; ip -6 route show table all")
        return {" ".join(w for w in line.split() if not w.startswith("450"))
                for line in shown.splitlines() if "table 450" in line}


def back(prober, streams):
    start = now_ms()
    for stream in streams:
        prober.wait_reply(stream, start, 15)


def deeds(tap, name, side, prober):
    rules, routes = side.rules(), side.routes()
    for what, command in DEEDS:
        with tap.case(f"{name}: {what}: traffic goes on, and it is told"):
            told = len(side.told())
            side.host.run(command.format(**side.generation()) + " 2>/dev/null; :")
            start = now_ms()
            wait_until(lambda: len(side.told()) > told, 5, "the event")
            back(prober, (1, 2))
            wait_until(lambda: side.rules() == rules, 5, "the rules as they were")
            wait_until(lambda: side.routes() == routes, 5, "the routes as they were")
            check(side.daemon.ctl("status").returncode == 0, "and well")
            wait_until(lambda: now_ms() > start + 400, 2,
                       "a moment: what follows at once is not told again")
            tap.note(f"back within {now_ms() - start:.0f} ms: {side.told()[-1]['text']}")


def addresses(tap, pair, prober):
    with tap.case("the client's addresses are taken away and given back"):
        pair.c.ip("addr del 10.9.0.1/24 dev eth0", "addr add 10.9.0.1/24 dev eth0",
                  "addr del fd09::1/64 dev eth0", "addr add fd09::1/64 dev eth0 nodad")
        back(prober, (1, 2))


def news_lost(tap, side, prober):
    with tap.case("changed while the daemon was not listening, more than it could be told"):
        rules = side.rules()
        side.host.signal("vipsecd", signal.SIGSTOP)
        try:
            side.host.ip(*[f"rule add pref 20000 from 198.51.{n // 250}.{n % 250} lookup main"
                           for n in range(3000)],
                         "rule del pref 14501", "rule del pref 14501",
                         *["rule del pref 20000"] * 3000)
        finally:
            side.host.signal("vipsecd", signal.SIGCONT)
        wait_until(lambda: side.rules() == rules, 10, "all as it was")
        back(prober, (1, 2))


def refused(tap, pair, side, prober):
    with tap.case("what cannot be put right is a problem in status, and tried again"):
        side.host.signal("vipsecd", signal.SIGSTOP)
        try:
            side.host.ip("link set vipsec0 down", "link set vipsec0 name elsewhere")
        finally:
            side.host.signal("vipsecd", signal.SIGCONT)
        wait_until(lambda: side.daemon.ctl("status").returncode == 3, 5, "degraded")
        check(any("vipsec0" in p for p in side.daemon.json("status")["data"]["problems"]),
              "it names the interface")
    with tap.case("the VIP that is concerned says so, with code 3"):
        done = side.daemon.ctl("vip", "status", "web")
        check(done.returncode == 3 and "vipsec0" in done.stdout, done)
    more = Rule("more", f'from vip "web" port {LISTEN + 10} to any proto udp mirrored',
                secure(), SERVER_AUTH)
    with tap.case("a scope that cannot be steered is told, and steered when it can be"):
        side.daemon.configure(server_conf(rules=[
            Rule("protected", f'from vip "web" port {PROTECTED} to any proto udp mirrored',
                 secure(), SERVER_AUTH), more]))
        check(side.daemon.ctl("reload").returncode == 0, "reloaded")
        wait_until(lambda: any("web: cannot steer" in e["text"]
                               for e in side.told("plane-refused")), 5, "the event")
        check(not any(str(LISTEN + 10) in r for r in side.rules()), "not steered yet")
        side.host.ip("link set elsewhere name vipsec0")
        wait_until(lambda: any(str(LISTEN + 10) in r for r in side.rules()), 10, "steered")
        wait_until(lambda: side.daemon.ctl("vip", "status", "web").returncode == 0, 10,
                   "nothing to complain of")
        back(prober, (1, 2))


def fight(tap, side, prober):
    with tap.case("somebody who does it again and again is not fought for ever"):
        told = len(side.told())
        side.host.spawn(["sh", "-c", "while [ ! -e /run/enough ]; do "
                         "ip rule del pref 14500; done 2>/dev/null"], "fighter.log")
        wait_until(lambda: any("again and again" in e["text"] for e in side.told()[told:]),
                   20, "the line")
        check(side.daemon.ctl("status").returncode == 3, "degraded")
        lines, pid = len(side.told()), side.host.pidof("vipsecd")[0]
        before = cpu(side.host, pid)
        start = now_ms()
        wait_until(lambda: now_ms() > start + 3000, 5, "three seconds")
        check(len(side.told()) == lines, "not a line more")
        tap.note(f"{cpu(side.host, pid) - before} ticks of processor time in 3 s")
        side.host.run("touch /run/enough")
        wait_until(lambda: side.daemon.ctl("status").returncode == 0, 20, "well again")
        check("left alone" in side.told()[-1]["text"], side.told()[-1])
        back(prober, (1, 2))


def cpu(host, pid):
    word = host.out(["cat", f"/proc/{pid}/stat"]).rsplit(")", 1)[1].split()
    return int(word[11]) + int(word[12])


def body(tap):
    with Lab() as lab:
        pair = Pair(lab)
        pair.add_vip()
        pair.start_server()
        pair.start_client(client_conf())
        pair.wait_bound()
        tap.on_failure.append(lambda: "".join(
            h.log("vipsecd.log")[-3000:] for h in (pair.s, pair.c)))
        wire = [Tap(pair.switch.host, vip, [PROTECTED], ["p-s", "p-c"])
                for vip in (VIP4, VIP6)]
        prober = Prober(lab, [Stream(1, pair.c, VIP4, PROTECTED, 5),
                              Stream(2, pair.c, VIP6, PROTECTED, 5)])
        back(prober, (1, 2))
        client, server = Side(pair.c, pair.client), Side(pair.s, pair.server)
        deeds(tap, "client", client, prober)
        deeds(tap, "server", server, prober)
        addresses(tap, pair, prober)
        news_lost(tap, client, prober)
        fight(tap, client, prober)
        refused(tap, pair, server, prober)
        with tap.case("nothing protected was seen in clear"):
            for each in wire:
                check(not each.seen("udp", "frag"), each.seen("udp", "frag")[:5])


if __name__ == "__main__":
    main(body, need=vipsec.missing_programs)
