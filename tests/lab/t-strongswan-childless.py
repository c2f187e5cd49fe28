#!/usr/bin/env python3
"""IKE SAs that begin without a child (RFC 6023), with a stock strongSwan as initiator and as
responder; the first child has a key exchange of its own.
test-timeout: 120
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import vipsec
from vlab.core import Lab, now_ms, wait_until
from vlab.pair import CLIENT4, PEER_AUTH, PROTECTED, SERVER_AUTH, VIP4, Pair
from vlab.probes import Prober, Stream
from vlab.swan import StrongSwan
from vlab.tap import check, main
from vlab.vipsec import Rule, conf_text, secure


def answered(pair):
    prober = Prober(pair.lab, [Stream(1, pair.c, VIP4, PROTECTED)])
    try:
        return prober.wait_reply(1, now_ms(), 15)
    finally:
        prober.close()


def conf(word, match, action, auth, **more):
    return conf_text([Rule("protected", match, f"{action} pfs yes; childless {word};", auth)],
                     **more)


def initiator(tap, lab):
    pair = Pair(lab, client=StrongSwan.make_host(lab, "c"))
    swan = StrongSwan(pair.c, CLIENT4, VIP4, "dynamic[17]", f"{VIP4}/32[17/{PROTECTED}]",
                      vipsec.PSK, remote_id=vipsec.VIP_ID, childless="force",
                      esp="aes256gcm16-x25519")
    tap.on_failure = [lambda: pair.s.log("vipsecd.log")[-3000:] + swan.log()[-3000:]]
    pair.start_server(conf("allow", f'from vip "web" port {PROTECTED} to any proto udp mirrored',
                           secure("tunnel"), SERVER_AUTH, vip=(VIP4,)))
    pair.add_vip(families=(4,))
    pair.wait_bound()
    swan.start()
    with tap.case("strongSwan calls for an IKE SA alone, and has it"):
        pair.c.run(["swanctl", "--initiate", "--ike", "vip", "--timeout", "10"])
        check(swan.sas() == (1, 0), swan.sas())
        check(len(pair.server.rows("ike")) == 1, pair.server.rows("ike"))
        check(pair.server.rows("child") == [], pair.server.rows("child"))
    with tap.case("it asks for the child in it, with a key exchange; traffic both ways"):
        swan.initiate()
        answered(pair)
        check(swan.sas() == (1, 1), swan.sas())
        check(len(pair.server.rows("ike")) == 1, pair.server.rows("ike"))
        row, = pair.server.rows("child")
        check(row["pfs"] == "x25519", row)
    with tap.case("it deletes the child, and the IKE SA stands for the next one"):
        spi = pair.server.rows("ike")[0]["id"]
        swan.terminate(child_only=True)
        wait_until(lambda: not pair.server.rows("child"), 10, "the child to go")
        swan.initiate()
        answered(pair)
        check(pair.server.rows("ike")[0]["id"] == spi, pair.server.rows("ike"))


def responder(tap, lab):
    pair = Pair(lab, server=StrongSwan.make_host(lab, "s"))
    pair.s.ip(f"addr add {VIP4}/24 dev eth0")
    swan = StrongSwan(pair.s, VIP4, CLIENT4, f"dynamic[17/{PROTECTED}]",
                      f"{CLIENT4}/32[17]", vipsec.PSK, local_id=vipsec.VIP_ID,
                      remote_id="c.vlab.example", childless="force",
                      esp="aes256gcm16-x25519")
    tap.on_failure = [lambda: pair.c.log("vipsecd.log")[-3000:] + swan.log()[-3000:]]
    swan.start()
    pair.start_client(conf("force", f"from me to {VIP4} port {PROTECTED} proto udp mirrored",
                           secure("tunnel", VIP4), PEER_AUTH))
    with tap.case("we call strongSwan without a child, and ask for it then"):
        answered(pair)
        check(swan.sas() == (1, 1), swan.sas())
        row, = pair.client.rows("child")
        check(row["pfs"] == "x25519", row)
        check("an IKE SA without a child (we called)" in pair.c.log("vipsecd.log"), "the line")


def body(tap):
    with Lab() as lab:
        initiator(tap, lab)
    with Lab() as lab:
        responder(tap, lab)


if __name__ == "__main__":
    main(body, vipsec.missing_programs)
