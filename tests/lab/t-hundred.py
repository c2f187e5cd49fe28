#!/usr/bin/env python3
"""A hundred rules, both families, reloaded under traffic: what is left goes on.
test-timeout: 240
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import vipsec
from vlab.core import KERNEL, PATIENCE, Lab, now_ms, wait_until
from vlab.pair import (PEER_AUTH, SERVER_AUTH, VIP4, VIP6, Pair, client_conf, server_conf)
from vlab.probes import Prober, Stream, start_echo
from vlab.tap import check, main
from vlab.vipsec import Rule, secure
from vlab.wire import Tap

RULES, RELOADS = 100, 10
EVERY_MS = 500 if KERNEL else 50  # emulation is slow
PORTS = [20000 + n for n in range(RULES)]


def vip_of(port):
    return VIP6 if port % 2 else VIP4


def rules_of_server(ports):
    return [Rule(f"rule-{p}", f'from vip "web" port {p} to any proto udp mirrored', secure(),
                 SERVER_AUTH) for p in ports]


def rules_of_client(ports):
    return [Rule(f"rule-{p}", f"from me to {vip_of(p)} port {p} proto udp mirrored", secure(),
                 PEER_AUTH) for p in ports]


def all_answered(prober, ports, after_ms, seconds):
    """Each of these streams has an answer to a question of after that time."""
    for port in ports:
        prober.wait_reply(port, after_ms, seconds)


def body(tap):
    with Lab() as lab:
        pair = Pair(lab)
        start_echo(pair.s, *PORTS)
        pair.start_server(server_conf(rules=rules_of_server(PORTS)))
        pair.add_vip()
        pair.wait_bound()
        pair.start_client(client_conf(rules=rules_of_client(PORTS)))
        tap.on_failure.append(lambda: pair.s.log("vipsecd.log")[-3000:]
                              + pair.c.log("vipsecd.log")[-3000:])
        taps = [Tap(pair.switch.host, vip, [p for p in PORTS if vip_of(p) == vip][:8],
                    ["p-s", "p-c"]) for vip in (VIP4, VIP6)]
        prober = Prober(lab, [Stream(p, pair.c, vip_of(p), p, EVERY_MS) for p in PORTS])

        with tap.case(f"{RULES} rules, each with traffic at once: all are answered"):
            all_answered(prober, PORTS, 0, 60)
        with tap.case("each has its SA, and nothing went in clear"):
            wait_until(lambda: {c["rule"] for c in pair.server.rows("child")}
                       == {f"rule-{p}" for p in PORTS}, 20, "one child SA a rule")
            check(not any(t.seen("udp") for t in taps), "seen in clear")

        half = PORTS[:RULES // 2]
        with tap.case(f"{RELOADS} reloads of the server under traffic: the rules that stay go on"):
            before = {c["rule"]: c["spi_in"] for c in pair.server.rows("child")
                      if c["rule"] in {f"rule-{p}" for p in half[:8]}}
            for n in range(RELOADS):
                conf = rules_of_server(PORTS if n % 2 else half)
                pair.server.configure(server_conf(rules=conf))
                pair.server.ctl("reload", check=True)
            pair.server.configure(server_conf(rules=rules_of_server(half)))
            pair.server.ctl("reload", check=True)
            all_answered(prober, half, now_ms(), 30)
            after = {c["rule"]: c["spi_in"] for c in pair.server.rows("child")}
            check(all(after.get(r) == spi for r, spi in before.items()), (before, after))
        with tap.case("the SAs of the rules that went are gone"):
            wait_until(lambda: {c["rule"] for c in pair.server.rows("child")}
                       <= {f"rule-{p}" for p in half}, 20, "half of the SAs")
        with tap.case("a wrong file changes nothing, and the whole one brings all back"):
            pair.server.configure("nonsense")
            check(pair.server.ctl("reload").returncode == 1, "refused")
            all_answered(prober, half, now_ms(), 30)
            pair.server.configure(server_conf(rules=rules_of_server(PORTS)))
            pair.server.ctl("reload", check=True)
            all_answered(prober, PORTS, now_ms(), 60)
        with tap.case("asked for everything at both ends all the time, traffic flows"):
            asking = [host.spawn(["sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10; do vipsec status; "
                                  "vipsec show child; done"], "asking.log")
                      for host in (pair.s, pair.c)]
            for child in asking:
                child.wait(timeout=60 * PATIENCE)
            all_answered(prober, PORTS, now_ms(), 30)
        prober.close()


if __name__ == "__main__":
    main(body, vipsec.missing_programs)
