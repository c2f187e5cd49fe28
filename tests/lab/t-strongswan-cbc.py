#!/usr/bin/env python3
"""A strongSwan that has AES-CBC with HMAC-SHA2 and nothing better, as initiator.
test-timeout: 120
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import vipsec
from vlab.core import Lab, now_ms
from vlab.pair import CLIENT4, PROTECTED, VIP4, Pair, server_conf
from vlab.probes import Prober, Stream
from vlab.swan import StrongSwan
from vlab.tap import check, main

WAYS = [("aes128-sha256-modp2048", "aes128-sha256"),
        ("aes256-sha512-ecp384", "aes256-sha512"),
        ("aes256-sha384-modp3072", "aes256-sha256")]


def answered(pair):
    prober = Prober(pair.lab, [Stream(1, pair.c, VIP4, PROTECTED)])
    try:
        return prober.wait_reply(1, now_ms(), 15)
    finally:
        prober.close()


def one(tap, lab, ike, esp):
    pair = Pair(lab, client=StrongSwan.make_host(lab, "c"))
    swan = StrongSwan(pair.c, CLIENT4, VIP4, "dynamic[17]", f"{VIP4}/32[17/{PROTECTED}]",
                      vipsec.PSK, remote_id=vipsec.VIP_ID, ike=ike, esp=esp)
    tap.on_failure = [lambda: pair.s.log("vipsecd.log")[-3000:] + swan.log()[-3000:]]
    pair.start_server(server_conf("tunnel", vip=(VIP4,)))
    pair.add_vip(families=(4,))
    pair.wait_bound()
    swan.start()
    with tap.case(f"IKE {ike}, ESP {esp}: traffic both ways"):
        swan.initiate()
        reply = answered(pair)
        check(vipsec.hides(reply.node_device), reply)
        rows = pair.server.rows("child")
        check(rows[0]["algorithm"] == esp, rows)


def body(tap):
    for ike, esp in WAYS:
        with Lab() as lab:
            one(tap, lab, ike, esp)


if __name__ == "__main__":
    main(body, vipsec.missing_programs)
