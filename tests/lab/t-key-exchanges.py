#!/usr/bin/env python3
"""Additional key exchanges (RFC 9242, RFC 9370) between two daemons, rekeying of both kinds
included, and with a strongSwan that does not know them: where they may be left out it comes
up without, where not it does not come up at all.
test-timeout: 240
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
from vlab.vipsec import Rule, conf_text

CLIENT_ID = "c.vlab.example"
PLAIN = "aes256gcm16-sha384-x25519"
MORE = PLAIN + "-ke1_ecp384-ke2_modp3072"
EITHER = f"{MORE}, {PLAIN}"


def proposal(ike, lifetimes=""):
    return f'proposal "p" {{ ike {ike}; esp aes256gcm16; {lifetimes} }}\n'


def action(to=None):
    where = f" to {to}" if to else ""
    return f'negotiate require; proposal "p"; pfs yes; mode tunnel{where};'


def server_conf(ike, lifetimes=""):
    return conf_text([Rule(
        "protected", f'from vip "web" port {PROTECTED} to any proto udp mirrored',
        action(), SERVER_AUTH)], vip=(VIP4,), more=proposal(ike, lifetimes))


def client_conf(ike, lifetimes=""):
    return conf_text([Rule(
        "protected", f"from me to {VIP4} port {PROTECTED} proto udp mirrored",
        action(VIP4), PEER_AUTH)], more=proposal(ike, lifetimes))


def answered(pair, within=15):
    prober = Prober(pair.lab, [Stream(1, pair.c, VIP4, PROTECTED)])
    try:
        return prober.wait_reply(1, now_ms(), within)
    finally:
        prober.close()


def serve(pair, ike, lifetimes=""):
    pair.start_server(server_conf(ike, lifetimes))
    pair.add_vip(families=(4,))
    pair.wait_bound()


def between_two_daemons(tap, lab):
    pair = Pair(lab)
    tap.on_failure = [lambda: pair.s.log("vipsecd.log")[-3000:]
                      + pair.c.log("vipsecd.log")[-3000:]]
    serve(pair, MORE)
    pair.start_client(client_conf(MORE, "lifetime ike 20s child 10s;"))
    with tap.case("two daemons: traffic both ways, and the suite is shown whole"):
        answered(pair)
        for end in (pair.server, pair.client):
            rows = end.rows("ike")
            check(rows[0]["suite"] == MORE, rows)
    with tap.case("both kinds are rekeyed with them"):
        first = pair.client.rows("ike")[0]["id"]
        wait_until(lambda: any(r["pfs"] == "x25519-ke1_ecp384-ke2_modp3072"
                               for r in pair.client.rows("child")), 30,
                   "a child with additional key exchanges")
        wait_until(lambda: any(r["id"] != first and r["suite"] == MORE
                               for r in pair.client.rows("ike")), 40,
                   "an IKE SA in the place of the first")
        answered(pair)


def called_by_strongswan(tap, lab):
    pair = Pair(lab, client=StrongSwan.make_host(lab, "c"))
    swan = StrongSwan(pair.c, CLIENT4, VIP4, "dynamic[17]", f"{VIP4}/32[17/{PROTECTED}]",
                      vipsec.PSK, remote_id=vipsec.VIP_ID)
    tap.on_failure = [lambda: pair.s.log("vipsecd.log")[-3000:] + swan.log()[-3000:]]
    serve(pair, EITHER)
    swan.start()
    with tap.case("strongSwan calls, and may do without: traffic both ways"):
        swan.initiate()
        answered(pair)
        rows = pair.server.rows("ike")
        check(rows[0]["suite"] == PLAIN, rows)


def calling_strongswan(tap, lab, ike, works):
    pair = Pair(lab, server=StrongSwan.make_host(lab, "s"))
    pair.s.ip(f"addr add {VIP4}/24 dev eth0")
    swan = StrongSwan(pair.s, VIP4, CLIENT4, f"dynamic[17/{PROTECTED}]",
                      f"{CLIENT4}/32[17]", vipsec.PSK, local_id=vipsec.VIP_ID,
                      remote_id=CLIENT_ID)
    tap.on_failure = [lambda: pair.c.log("vipsecd.log")[-3000:] + swan.log()[-3000:]]
    swan.start()
    pair.start_client(client_conf(ike))
    if works:
        with tap.case("we call strongSwan, which may do without: traffic both ways"):
            answered(pair)
            rows = pair.client.rows("ike")
            check(rows[0]["suite"] == PLAIN, rows)
        return
    with tap.case("we call strongSwan, which may not do without: no SA, and it is said why"):
        prober = Prober(pair.lab, [Stream(1, pair.c, VIP4, PROTECTED)])
        try:
            wait_until(lambda: "NO_PROPOSAL_CHOSEN" in pair.c.log("vipsecd.log"), 15,
                       "the peer's NO_PROPOSAL_CHOSEN")
        finally:
            prober.close()
        check(not pair.client.rows("child"), pair.client.rows("child"))


def body(tap):
    with Lab() as lab:
        between_two_daemons(tap, lab)
    with Lab() as lab:
        called_by_strongswan(tap, lab)
    for ike, works in ((EITHER, True), (MORE, False)):
        with Lab() as lab:
            calling_strongswan(tap, lab, ike, works)


if __name__ == "__main__":
    main(body, vipsec.missing_programs)
