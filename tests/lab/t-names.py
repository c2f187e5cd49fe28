#!/usr/bin/env python3
"""A peer that its rule finds by name: unknown at first, at another address later, and a DNS that
is silent, lies or is gone.
test-timeout: 240
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import vipsec
from vlab.core import PATIENCE, Lab, now_ms, wait_until
from vlab.dns import Dns
from vlab.pair import PROTECTED, STRANGER4, VIP4, Pair
from vlab.probes import Prober, Stream
from vlab.tap import check, main
from vlab.vipsec import Rule, conf_text, secure
from vlab.wire import Tap

NAME, CLIENT_ID = "gw.vlab.example", "c.vlab.example"
OTHER4 = "10.9.0.51"  # the gateway's second address
AUTH = f'psk "lab" local-id "{CLIENT_ID}" remote-id "{vipsec.VIP_ID}"'


def client_conf():
    return conf_text([Rule("r", f"from me to {VIP4} port {PROTECTED} proto udp mirrored",
                           secure("tunnel", NAME), AUTH)], tuning={"resolve-refresh": "10s"})


class Found:
    """A client that finds its gateway by name, and a stream of protected packets."""

    def __init__(self, lab, tap, hosts="", how="none"):
        self.pair = pair = Pair(lab)
        tap.on_failure = [lambda: pair.c.log("vipsecd.log")[-4000:] + self.dns.host.log("dns.log")
                          [-600:]]
        self.dns = Dns(pair.x, STRANGER4)
        self.dns.say(NAME, how=how)
        self.dns.serve(pair.c, hosts)
        pair.start_server(conf_text(
            [Rule("r", f'from vip "web" port {PROTECTED} to any proto udp mirrored',
                  secure("tunnel"), f'psk "lab" local-id "{vipsec.VIP_ID}" remote-id any')],
            vip=(VIP4, OTHER4)))
        pair.add_vip(families=(4,))
        pair.s.ip(f"addr add {OTHER4}/24 dev eth0")
        pair.wait_bound()
        self.wire = Tap(pair.switch.host, VIP4, [PROTECTED], ["p-s"])
        pair.start_client(client_conf())
        self.prober = Prober(lab, [Stream(1, pair.c, VIP4, PROTECTED, 20)])

    def row(self):
        return self.pair.client.rows("names")[0]

    def remote(self):
        """Where the one IKE SA that is up leads."""
        up = [r["remote"].split(":")[0] for r in self.pair.client.rows("ike")
              if r["established"] and not r["replaced"]]
        return up[0] if len(up) == 1 else up

    def answers(self, timeout=15):
        return self.prober.wait_reply(1, now_ms(), timeout)

    def asked_again(self, times=2, timeout=30):
        before = self.dns.asked(NAME)
        wait_until(lambda: self.dns.asked(NAME) >= before + 2 * times, timeout,
                   "it to be asked for")

    def close(self):
        check(not self.wire.seen("udp"), "protected packets in clear")
        self.prober.close()


def late(tap):
    with tap.case("DNS is silent: nothing passes, status says why, and answers at once"), \
            Lab() as lab:
        it = Found(lab, tap, how="silent")
        wait_until(lambda: it.row()["reason"], 30, "a reason")
        began_ms = now_ms()
        status = it.pair.client.json("status")
        check(now_ms() - began_ms < 1000 * PATIENCE, "the loop is not held up")
        check(status["code"] == 3 and any(NAME in p for p in status["data"]["problems"]),
              status["data"]["problems"])
        row = it.row()
        check(row["addresses"] == [] and row["age_ms"] is None and row["failures"] > 0, row)
        check(not it.prober.read()[1], "no answer")
        check("it is not known where" in it.pair.c.log("vipsecd.log"), "packets that wait")
        it.dns.say(NAME, VIP4, ttl=60)
        it.answers(70)
        row = it.row()
        check(row["addresses"] == [VIP4] and row["age_ms"] < 15000 and not row["reason"]
              and (row["refresh_in_ms"] or 0) <= 11000, row)
        check(it.pair.client.json("status")["code"] == 0, it.pair.client.json("status"))
        text = it.pair.client.ctl("show", "names").stdout
        check(NAME in text and VIP4 in text and "asked" in text, text)
        check(it.pair.client.rows("rule")[0]["tunnel_to"] == NAME, "tunnel_to")
        it.close()


def moves(tap):
    with Lab() as lab:
        with tap.case("it is called where DNS says"):
            it = Found(lab, tap, how="none")
            it.dns.say(NAME, VIP4)
            since_ms = it.answers(30).ms
            check(it.remote() == VIP4, it.remote())
        with tap.case("another answer: a new SA there, without a gap, and the old one goes"):
            it.dns.say(NAME, OTHER4)
            wait_until(lambda: it.remote() == OTHER4, 30, lambda: f"{it.remote()}")
            it.answers()
            gap, _ = it.prober.outage(1, since_ms, now_ms())
            check(gap < 1000, f"a gap of {gap} ms")
            wait_until(lambda: len(it.pair.server.rows("ike")) == 1, 10, "one SA")
        with tap.case("both, in any order: it stays where it is"):
            ids = [r["id"] for r in it.pair.client.rows("ike")]
            for order in ((VIP4, OTHER4), (OTHER4, VIP4)):
                it.dns.say(NAME, *order)
                it.asked_again()
            wait_until(lambda: len(it.row()["addresses"]) == 2, 15, "both")
            check([r["id"] for r in it.pair.client.rows("ike")] == ids, "the same SA")
        for how in ("garbage", "huge", "loop", "other", "none", "silent"):
            with tap.case(f"DNS answers badly ({how}): what works goes on"):
                it.dns.say(NAME, how=how)
                it.asked_again(1)
                it.answers()
                if how != "huge":
                    wait_until(lambda: it.row()["reason"], 30, "a reason")
                    check(it.row()["addresses"], it.row())
        with tap.case("with a dead DNS a restarted daemon calls where the peer was last"):
            it.dns.stop()
            it.pair.client.stop()
            it.pair.client.start()
            it.answers(20)
            check(it.row()["addresses"] == [], it.row())
            it.close()


def files(tap):
    with tap.case("/etc/hosts is asked first, and needs no DNS"), Lab() as lab:
        it = Found(lab, tap, hosts=f"{VIP4} {NAME}\n", how="silent")
        it.answers()
        check(it.dns.asked(NAME) == 0, "DNS was not asked")
        it.close()
    with tap.case("vipsec check needs no network"), Lab() as lab:
        pair = Pair(lab)
        pair.client.configure(client_conf())
        began_ms = now_ms()
        done = pair.client.ctl("check", "/etc/vipsec/vipsec.conf")
        check(done.returncode == 0 and now_ms() - began_ms < 2000, done.stderr)


def body(tap):
    late(tap)
    moves(tap)
    files(tap)


if __name__ == "__main__":
    main(body, vipsec.missing_programs)
