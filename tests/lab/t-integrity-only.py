#!/usr/bin/env python3
"""Integrity without encryption: what passes is authentic, can be read by a monitor on the way,
and is called so wherever somebody looks; with another daemon and with strongSwan.
test-timeout: 180
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import vipsec
from vlab.capture import Capture, tshark
from vlab.core import Lab, now_ms, wait_until
from vlab.pair import CLIENT4, PEER_AUTH, PROTECTED, SERVER_AUTH, VIP4, Pair
from vlab.probes import Prober, Stream
from vlab.swan import StrongSwan
from vlab.tap import check, main
from vlab.vipsec import Rule, conf_text, secure
from vlab.wire import Tap

WORDS = "(integrity only, not encrypted)"
PROBES = 10
READ_NULL = ["-o", "esp.enable_null_encryption_decode_heuristic:TRUE"]


def proposal(esp):
    return f'proposal "p" {{ esp {esp}; }}\n'


def server_conf(esp, mode="transport"):
    return conf_text([Rule(
        "protected", f'from vip "web" port {PROTECTED} to any proto udp mirrored',
        'proposal "p"; ' + secure(mode), SERVER_AUTH)], vip=(VIP4,), more=proposal(esp))


def client_conf(esp):
    return conf_text([Rule(
        "protected", f"from me to {VIP4} port {PROTECTED} proto udp mirrored",
        'proposal "p"; ' + secure(), PEER_AUTH)], more=proposal(esp))


def serve(pair, conf):
    pair.start_server(conf)
    pair.add_vip(families=(4,))
    pair.wait_bound()


def traffic(pair, least):
    prober = Prober(pair.lab, [Stream(1, pair.c, VIP4, PROTECTED, 20)])
    start = now_ms()
    try:
        wait_until(lambda: len(prober.between(1, start, now_ms())) >= least, 20, "answers")
    finally:
        prober.close()


def between_daemons(tap, esp):
    with Lab() as lab:
        pair = Pair(lab)
        tap.on_failure = [lambda: pair.s.log("vipsecd.log")[-3000:]]
        serve(pair, server_conf(esp))
        capture = Capture(pair.switch.host, "p-s")
        watch = Tap(pair.switch.host, VIP4, [PROTECTED], ["p-s", "p-c"], esp=True)
        pair.start_client(client_conf(esp))
        with tap.case(f"{esp}: answers come, by ESP alone"):
            traffic(pair, PROBES)
            check(watch.seen("esp") and not watch.seen("udp"), watch.seen("udp")[:3])
        with tap.case(f"{esp}: the SA is called what it is, in JSON and in words"):
            row = pair.server.rows("child")[0]
            check(row["algorithm"] == esp and row["encrypted"] is False, row)
            for verb in ("status", "show child"):
                said = pair.s.out(f"vipsec {verb}")
                check(f"{esp} {WORDS}" in said, said)
            log = pair.s.log("vipsecd.log")
            check("authenticated, not encrypted" in log, log[-500:])
        with tap.case(f"{esp}: `explain` says it of the rule, too"):
            said = pair.s.out(f"vipsec explain {CLIENT4} {VIP4} udp {PROTECTED}")
            check("integrity only, not encrypted" in said, said)
        capture.close()
        watch.close()
        if esp.startswith("null"):
            with tap.case(f"{esp}: tshark, without any key, reads what passes both ways"):
                for field in ("udp.dstport", "udp.srcport"):
                    found = tshark(capture.path, *READ_NULL, "-Y",
                                   f"esp && {field} == {PROTECTED}")
                    check(len(found) >= PROBES, f"{len(found)} packets with {field}")


def with_strongswan(tap, esp):
    with Lab() as lab:
        pair = Pair(lab, client=StrongSwan.make_host(lab, "c"))
        swan = StrongSwan(pair.c, CLIENT4, VIP4, "dynamic[17]", f"{VIP4}/32[17/{PROTECTED}]",
                          vipsec.PSK, remote_id=vipsec.VIP_ID, esp=esp)
        tap.on_failure = [lambda: pair.s.log("vipsecd.log")[-3000:] + swan.log()[-3000:]]
        serve(pair, server_conf(esp, "tunnel"))
        swan.start()
        with tap.case(f"strongSwan, {esp}: traffic both ways"):
            swan.initiate()
            traffic(pair, PROBES)
            row = pair.server.rows("child")[0]
            check(row["algorithm"] == esp and row["encrypted"] is False, row)


def body(tap):
    for esp in ("null-sha256", "null-sha512", "aes256gmac"):
        between_daemons(tap, esp)
    for esp in ("null-sha256", "null-sha384"):
        with_strongswan(tap, esp)


if __name__ == "__main__":
    main(body, vipsec.missing_programs)
