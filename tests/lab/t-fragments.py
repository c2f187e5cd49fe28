#!/usr/bin/env python3
"""IKE messages in fragments (RFC 7383) to and from a stock strongSwan.
test-timeout: 100
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import vipsec
from vlab.core import Lab, now_ms
from vlab.pair import CLIENT4, PROTECTED, VIP4, Pair
from vlab.probes import Prober, Stream
from vlab.swan import StrongSwan
from vlab.tap import check, main
from vlab.vipsec import Rule, conf_text, secure

NAME = "a-name-that-is-long-enough-for-two-fragments." * 4 + "example"
SMALL = 300


def small_fragments(swan):
    """charon's own limit, beside ours: both directions are cut."""
    path = f"{swan.host.dir}/strongswan.conf"
    with open(path) as file:
        text = file.read()
    with open(path, "w") as file:
        file.write(text.replace("charon-systemd {", f"charon-systemd {{\n\tfragment_size = {SMALL}"))


def counters(pair):
    return pair.server.json("status")["data"]["ike"]


def body(tap):
    with Lab() as lab:
        pair = Pair(lab, client=StrongSwan.make_host(lab, "c"))
        swan = StrongSwan(pair.c, CLIENT4, VIP4, "dynamic[17]", f"{VIP4}/32[17/{PROTECTED}]",
                          vipsec.PSK, local_id="c.vlab.example", remote_id=NAME)
        small_fragments(swan)
        tap.on_failure = [lambda: pair.s.log("vipsecd.log")[-3000:] + swan.log()[-4000:]]
        pair.start_server(conf_text([
            Rule("protected", f'from vip "web" port {PROTECTED} to any proto udp mirrored',
                 secure("tunnel"), f'psk "lab" local-id "{NAME}" remote-id any')],
            vip=(VIP4,), tuning={"fragment-size": SMALL}))
        pair.add_vip(families=(4,))
        pair.wait_bound()
        swan.start()
        with tap.case("strongSwan's request and our answer are in fragments; it comes up"):
            swan.initiate()
            prober = Prober(lab, [Stream(1, pair.c, VIP4, PROTECTED)])
            prober.wait_reply(1, now_ms(), 15)
            prober.close()
            text = swan.log()
            check("splitting IKE message" in text, "strongSwan cut its request")
            check("received fragment #2 of" in text, "we cut our answer")
            check(counters(pair)["fragments"] >= 2, counters(pair))
            check(counters(pair)["forged"] == 0, counters(pair))


if __name__ == "__main__":
    main(body, vipsec.missing_programs)
