#!/usr/bin/env python3
"""Certificates that come to their end while the SAs that they proved are up: a date comes, a
refreshed CRL or a reload takes one back, a renewed one goes on without a gap.
test-timeout: 240
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import pki, vipsec
from vlab.core import Lab, now_ms, wait_until
from vlab.pair import CLIENT4, PROTECTED, STRANGER4, VIP4, Pair
from vlab.pki import Node, seconds, unix
from vlab.probes import Prober, Stream
from vlab.tap import check, main
from vlab.vipsec import Rule, conf_text, secure
from vlab.wire import Tap

CLIENT_ID = "c.vlab.example"
CRL_PORT = 8080
CRL_URL = f"http://{STRANGER4}:{CRL_PORT}/lab.crl"


class Standing:
    """Two of ours with SAs by certificates, and a stream between them."""

    def __init__(self, lab, tap, web=None, peer=None, of_server="", before=None):
        self.pair = pair = Pair(lab)
        self.ca = Node("Lab CA", ca=True)
        self.web = Node("web", issuer=self.ca, names=[vipsec.VIP_ID], **(web or {}))
        self.peer = Node("client", issuer=self.ca, names=[CLIENT_ID], **(peer or {}))
        pki.give(pair.s, self.web, self.ca)
        pki.give(pair.c, self.peer, self.ca)
        tap.on_failure = [lambda: pair.s.log("vipsecd.log")[-3000:]
                          + pair.c.log("vipsecd.log")[-3000:]]
        if before:
            before(self)
        self.wire = Tap(pair.s, VIP4, [PROTECTED], ["eth0"])
        pair.start_server(self.server_conf(of_server))
        pair.add_vip(families=(4,))
        pair.wait_bound()
        pair.start_client(conf_text(
            [Rule("r", f"from me to {VIP4} port {PROTECTED} proto udp mirrored", secure(),
                  f'cert "own" remote-id "{vipsec.VIP_ID}"')], more=pki.identity()))
        self.prober = Prober(lab, [Stream(1, pair.c, VIP4, PROTECTED, 20)])
        self.since_ms = self.prober.wait_reply(1, now_ms(), 15).ms

    @staticmethod
    def server_conf(more):
        return conf_text(
            [Rule("r", f'from vip "web" port {PROTECTED} to any proto udp mirrored', secure(),
                  f'cert "own" remote-id "{CLIENT_ID}"')], vip=(VIP4,),
            more=pki.identity(more))

    @staticmethod
    def lines(host):
        return [line for line in host.log("vipsecd.log").splitlines()
                if "the peer is not believed any more" in line]

    def ends(self, judge, peer, word, timeout):
        """One line that says why, of the one who judges; then no SA, no answer, and
        nothing in clear."""
        wait_until(lambda: self.lines(judge), timeout, "the line with the reason")
        wait_until(lambda: not self.pair.server.rows("child")
                   and not self.pair.client.rows("child"), 5, "the SAs to go")
        over_ms = now_ms()
        wait_until(lambda: now_ms() > over_ms + 2000, 5, "a while to pass")
        check(len(self.lines(judge)) == 1, self.lines(judge))
        check(word in self.lines(judge)[0] and peer in self.lines(judge)[0],
              self.lines(judge))
        check(not self.prober.between(1, over_ms + 20, now_ms()), "no answer")
        self.close()

    def close(self):
        check(not self.wire.seen("udp"), "protected packets in clear")
        self.prober.close()


def dates(tap):
    for whose in ("peer", "web"):
        with tap.case(f"{'who called' if whose == 'peer' else 'who was called'} has a "
                      "certificate that expires: the SA ends, nothing in clear"), Lab() as lab:
            until = seconds(16)
            it = Standing(lab, tap, **{whose: {"last": until}})
            judge, daemon, peer = ((it.pair.s, it.pair.server, CLIENT4) if whose == "peer"
                                   else (it.pair.c, it.pair.client, VIP4))
            rows = daemon.rows("ike")
            check(abs(rows[0]["peer_not_after"] - unix(until)) <= 1, rows)
            it.ends(judge, peer, "expired: its certificate", 25)
            check(any("expired: " in row["reason"] or "AUTH" in row["reason"] or
                      "authentication" in row["reason"] for row in daemon.rows("peers")),
                  daemon.rows("peers"))


def renewed(tap):
    with tap.case("renewed in time: proved anew beside the old SA, without a gap"), \
            Lab() as lab:
        until = seconds(72)
        it = Standing(lab, tap, peer={"last": until})
        before = it.pair.server.rows("ike")[0]["id"]
        pki.give(it.pair.c, Node("client", issuer=it.ca, names=[CLIENT_ID]), it.ca)
        done = it.pair.client.ctl("reload")
        check(done.returncode == 0, done.stderr)
        check([row["id"] for row in it.pair.server.rows("ike")] == [before],
              "the reload leaves the SA alone")
        wait_until(lambda: before not in [r["id"] for r in it.pair.server.rows("ike")], 80,
                   "new proof")
        rows = it.pair.server.rows("ike")
        check(len(rows) == 1 and rows[0]["peer_not_after"] > unix(until) + 3600, rows)
        check(not it.lines(it.pair.s), it.lines(it.pair.s))
        gap, _ = it.prober.outage(1, it.since_ms, now_ms())
        check(gap < 1000, f"no gap: {gap}")
        it.close()


def revoked(tap):
    with tap.case("the next CRL names the peer: the SA ends when the first is out of date"), \
            Lab() as lab:
        it = Standing(lab, tap, peer={"crl_url": CRL_URL}, before=lambda me: pki.serve_files(
            me.pair.x, CRL_PORT, {"lab.crl": me.ca.crl(days=seconds(63))}))
        wait_until(lambda: "GET /lab.crl" in it.pair.x.log("http.log"), 5, "the first")
        pki.put(f"{it.pair.x.dir}/www", "lab.crl", it.ca.crl(it.peer), 0o644)
        it.ends(it.pair.s, CLIENT4, "revoked: its certificate", 80)
    with tap.case("a CRL file that a reload brings: only whom it names loses its SA"), \
            Lab() as lab:
        it = Standing(lab, tap, of_server='crl "/etc/vipsec/crl.pem";', before=lambda me:
                      pki.put(f"{me.pair.s.dir}/etc-vipsec", "crl.pem", me.ca.crl(me.web)))
        before = it.pair.server.rows("ike")[0]["id"]
        check(it.pair.server.ctl("reload").returncode == 0, "reload")
        check([row["id"] for row in it.pair.server.rows("ike")] == [before], "the same SA")
        pki.put(f"{it.pair.s.dir}/etc-vipsec", "crl.pem", it.ca.crl(it.web, it.peer))
        check(it.pair.server.ctl("reload").returncode == 0, "reload")
        it.ends(it.pair.s, CLIENT4, "revoked: its certificate", 5)
    with tap.case("lapse keep: it stays"), Lab() as lab:
        it = Standing(lab, tap, of_server='crl "/etc/vipsec/crl.pem"; lapse keep;',
                      before=lambda me: pki.put(f"{me.pair.s.dir}/etc-vipsec", "crl.pem",
                                                me.ca.crl()))
        pki.put(f"{it.pair.s.dir}/etc-vipsec", "crl.pem", it.ca.crl(it.peer))
        check(it.pair.server.ctl("reload").returncode == 0, "reload")
        it.prober.wait_reply(1, now_ms() + 1500, 5)
        check(not it.lines(it.pair.s), it.lines(it.pair.s))
        it.close()


def body(tap):
    dates(tap)
    renewed(tap)
    revoked(tap)


if __name__ == "__main__":
    main(body, vipsec.missing_programs)
