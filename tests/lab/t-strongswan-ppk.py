#!/usr/bin/env python3
"""A strongSwan with a postquantum preshared key (RFC 8784), as initiator and as responder;
both sides require it.
test-timeout: 180
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import pki, vipsec
from vlab.core import Lab, now_ms
from vlab.pair import (CLIENT4, PEER_AUTH, PROTECTED, SERVER_AUTH, VIP4, Pair)
from vlab.pki import Node
from vlab.probes import Prober, Stream
from vlab.swan import StrongSwan
from vlab.tap import check, main
from vlab.vipsec import Rule, conf_text, secure

CLIENT_ID = "c.vlab.example"
PPK = ("q-2026", "0123456789abcdef0123456789abcdef")
SECRET = f'secret "q" {{ ppk id "{PPK[0]}" file "/etc/vipsec/secrets/q"; }}\n'


def answered(pair):
    prober = Prober(pair.lab, [Stream(1, pair.c, VIP4, PROTECTED)])
    try:
        return prober.wait_reply(1, now_ms(), 15)
    finally:
        prober.close()


def give_key(host):
    host.run(f"mkdir -p /etc/vipsec/secrets; umask 077; printf {PPK[1]} >/etc/vipsec/secrets/q")


def give_swan(host, node, ca):
    pki.put(f"{host.dir}/swanctl/x509", "own.pem", node.pem())
    pki.put(f"{host.dir}/swanctl/private", "own.key", node.key_pem())
    pki.put(f"{host.dir}/swanctl/x509ca", "ca.pem", ca.pem())


def conf(rule, identity="", **more):
    return conf_text([rule._replace(auth=rule.auth + '; ppk "q" required')],
                     more=SECRET + identity, **more)


def initiator(tap, lab):
    pair = Pair(lab, client=StrongSwan.make_host(lab, "c"))
    swan = StrongSwan(pair.c, CLIENT4, VIP4, "dynamic[17]", f"{VIP4}/32[17/{PROTECTED}]",
                      vipsec.PSK, remote_id=vipsec.VIP_ID, ppk=PPK)
    tap.on_failure = [lambda: pair.s.log("vipsecd.log")[-3000:] + swan.log()[-3000:]]
    give_key(pair.s)
    pair.start_server(conf(Rule(
        "protected", f'from vip "web" port {PROTECTED} to any proto udp mirrored',
        secure("tunnel"), SERVER_AUTH), vip=(VIP4,)))
    pair.add_vip(families=(4,))
    pair.wait_bound()
    swan.start()
    with tap.case("strongSwan calls with a PPK; traffic both ways"):
        swan.initiate()
        answered(pair)
        rows = pair.server.rows("ike")
        check(rows[0]["ppk"] is True, rows)


def responder(tap, lab):
    pair = Pair(lab, server=StrongSwan.make_host(lab, "s"))
    pair.s.ip(f"addr add {VIP4}/24 dev eth0")
    swan = StrongSwan(pair.s, VIP4, CLIENT4, f"dynamic[17/{PROTECTED}]",
                      f"{CLIENT4}/32[17]", vipsec.PSK, local_id=vipsec.VIP_ID,
                      remote_id=CLIENT_ID, ppk=PPK)
    tap.on_failure = [lambda: pair.c.log("vipsecd.log")[-3000:] + swan.log()[-3000:]]
    swan.start()
    give_key(pair.c)
    pair.start_client(conf(Rule(
        "protected", f"from me to {VIP4} port {PROTECTED} proto udp mirrored",
        secure("tunnel", VIP4), PEER_AUTH)))
    with tap.case("we call strongSwan with a PPK; traffic both ways"):
        answered(pair)
        rows = pair.client.rows("ike")
        check(rows[0]["ppk"] is True, rows)


def with_certificates(tap, lab):
    """The AUTH that a PPK is mixed into is a signature then."""
    pair = Pair(lab, client=StrongSwan.make_host(lab, "c"))
    root = Node("Lab Root", ca=True)
    web = Node("web", issuer=root, names=[vipsec.VIP_ID])
    peer = Node("client", issuer=root, names=[CLIENT_ID])
    swan = StrongSwan(pair.c, CLIENT4, VIP4, "dynamic[17]", f"{VIP4}/32[17/{PROTECTED}]",
                      "unused", local_id=CLIENT_ID, remote_id=vipsec.VIP_ID, ppk=PPK,
                      auth="pubkey")
    tap.on_failure = [lambda: pair.s.log("vipsecd.log")[-3000:] + swan.log()[-3000:]]
    give_swan(pair.c, peer, root)
    pki.give(pair.s, web, root)
    give_key(pair.s)
    rule = Rule("protected", f'from vip "web" port {PROTECTED} to any proto udp mirrored',
                secure("tunnel"), f'cert "own" remote-id "{CLIENT_ID}"')
    pair.start_server(conf(rule, identity=pki.identity(), vip=(VIP4,)))
    pair.add_vip(families=(4,))
    pair.wait_bound()
    swan.start()
    with tap.case("strongSwan calls with certificates and a PPK; traffic both ways"):
        swan.initiate()
        answered(pair)
        rows = pair.server.rows("ike")
        check(rows[0]["ppk"] is True and rows[0]["peer_not_after"], rows)


def with_certificates_called(tap, lab):
    pair = Pair(lab, server=StrongSwan.make_host(lab, "s"))
    pair.s.ip(f"addr add {VIP4}/24 dev eth0")
    root = Node("Lab Root", ca=True)
    web = Node("web", issuer=root, kind="rsa", names=[vipsec.VIP_ID])
    peer = Node("client", issuer=root, kind="rsa", names=[CLIENT_ID])
    swan = StrongSwan(pair.s, VIP4, CLIENT4, f"dynamic[17/{PROTECTED}]",
                      f"{CLIENT4}/32[17]", "unused", local_id=vipsec.VIP_ID,
                      remote_id=CLIENT_ID, ppk=PPK, auth="pubkey")
    tap.on_failure = [lambda: pair.c.log("vipsecd.log")[-3000:] + swan.log()[-3000:]]
    give_swan(pair.s, web, root)
    swan.start()
    pki.give(pair.c, peer, root)
    give_key(pair.c)
    pair.start_client(conf(Rule(
        "protected", f"from me to {VIP4} port {PROTECTED} proto udp mirrored",
        secure("tunnel", VIP4), f'cert "own" remote-id "{vipsec.VIP_ID}"'),
        identity=pki.identity()))
    with tap.case("we call strongSwan with certificates and a PPK; traffic both ways"):
        answered(pair)
        rows = pair.client.rows("ike")
        check(rows[0]["ppk"] is True and rows[0]["peer_not_after"], rows)


def body(tap):
    for one in (initiator, responder, with_certificates, with_certificates_called):
        with Lab() as lab:
            one(tap, lab)


if __name__ == "__main__":
    main(body, vipsec.missing_programs)
