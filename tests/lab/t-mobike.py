#!/usr/bin/env python3
"""A stock strongSwan, with MOBIKE as it is by default, changes its address under traffic.
test-timeout: 150
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import vipsec
from vlab.core import Lab, now_ms, wait_until
from vlab.pair import CLIENT4, PROTECTED, VIP4, Pair, server_conf
from vlab.probes import Prober, Stream
from vlab.swan import StrongSwan
from vlab.tap import check, main
from vlab.wire import Tap

INNER = "10.7.0.1"
PLACES = [CLIENT4, "10.9.0.71", "10.9.0.72"]


def remote(pair):
    rows = [r for r in pair.server.rows("ike") if r["established"]]
    return rows[0]["remote"].split(":")[0] if len(rows) == 1 else rows


def walk(pair, number):
    """The new address comes before the old one goes, as between two networks."""
    pair.c.ip(f"addr add {PLACES[number]}/24 dev eth0", f"addr del {PLACES[number - 1]}/24 dev eth0")


def moves(tap, pair, prober, number, title):
    with tap.case(title):
        before = {(r["spi_i"], r["spi_r"]) for r in pair.server.rows("ike")}
        walk(pair, number)
        wait_until(lambda: remote(pair) == PLACES[number], 20,
                   lambda: f"our SA at {PLACES[number]}: {remote(pair)}")
        prober.wait_reply(1, now_ms(), 10)
        after = {(r["spi_i"], r["spi_r"]) for r in pair.server.rows("ike")}
        check(before == after, f"the same IKE SA: {before} {after}")
        peers = [p["address"].split(":")[0] for p in pair.server.rows("peers")]
        check(peers == [PLACES[number]], f"known at its new address: {peers}")
        told = [line for line in pair.s.log("vipsecd.log").splitlines() if "peer-moved" in line]
        check(len(told) == number and PLACES[number] in told[-1], f"and told: {told}")


def body(tap):
    with Lab() as lab:
        pair = Pair(lab, client=StrongSwan.make_host(lab, "c"))
        pair.c.ip(f"addr add {INNER}/32 dev lo", "route add default via 10.9.0.2")
        pair.c.run("echo 1 >/proc/sys/net/ipv4/conf/eth0/promote_secondaries")
        swan = StrongSwan(pair.c, "%any", VIP4, f"{INNER}/32[17]", f"{VIP4}/32[17/{PROTECTED}]",
                          vipsec.PSK, local_id="c.vlab.example", remote_id=vipsec.VIP_ID)
        tap.on_failure = [lambda: pair.s.log("vipsecd.log")[-3000:] + swan.log()[-4000:]]
        pair.start_server(server_conf("tunnel", vip=(VIP4,)))
        pair.add_vip(families=(4,))
        pair.wait_bound()
        swan.start()
        watch = Tap(pair.switch.host, VIP4, [PROTECTED], ["p-s", "p-c"], esp=True)
        swan.initiate()
        prober = Prober(lab, [Stream(1, pair.c, VIP4, PROTECTED)])
        prober.wait_reply(1, now_ms(), 15)
        moves(tap, pair, prober, 1, "a peer that called us moves, its SAs with it")
        moves(tap, pair, prober, 2, "and once more")
        with tap.case("nothing was in clear"):
            check(not watch.seen("udp"), watch.seen("udp")[:3])
        prober.close()


if __name__ == "__main__":
    main(body, vipsec.missing_programs)
