#!/usr/bin/env python3
"""Certificates against strongSwan in both roles, and every certificate that is refused.
test-timeout: 500
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import pki, vipsec
from vlab.cluster import OCF_AGENTS
from vlab.core import Lab, LabError, now_ms, wait_until
from vlab.pair import CLIENT4, PROTECTED, STRANGER4, VIP4, Pair
from vlab.pki import Node
from vlab.probes import Prober, Stream
from vlab.swan import StrongSwan
from vlab.tap import check, main
from vlab.vipsec import Rule, conf_text, secure

CLIENT_ID = "c.vlab.example"
CRL_PORT, OCSP_PORT = 8080, 8081
DEGRADED = 190

SWANCTL = """connections {{
	vip {{
		version = 2
		local_addrs = {local}
		remote_addrs = {remote}
		encap = yes
		local {{
			auth = pubkey
			certs = own.pem
			id = {local_id}
		}}
		remote {{
			auth = pubkey
			cacerts = ca.pem
			id = {remote_id}
		}}
		children {{
			udp {{
				mode = tunnel
				local_ts = {local_ts}
				remote_ts = {remote_ts}
			}}
		}}
	}}
}}
"""


def answered(pair, timeout=15):
    prober = Prober(pair.lab, [Stream(1, pair.c, VIP4, PROTECTED)])
    try:
        return prober.wait_reply(1, now_ms(), timeout)
    finally:
        prober.close()


def swan(host, node, ca, chain=(), rsa_pss=False, **words):
    made = StrongSwan(host, words["local"], words["remote"], "dynamic", "dynamic", "unused",
                      rsa_pss=rsa_pss)
    folder = f"{host.dir}/swanctl"
    with open(f"{folder}/swanctl.conf", "w") as file:
        file.write(SWANCTL.format(**words))
    pki.put(f"{folder}/x509", "own.pem", node.pem())
    pki.put(f"{folder}/private", "own.key", node.key_pem())
    pki.put(f"{folder}/x509ca", "ca.pem", ca.pem())
    for n, one in enumerate(chain):
        pki.put(f"{folder}/x509ca", f"middle{n}.pem", one.pem())
    return made


def server_conf(auth='cert "own" remote-id any', more="", mode="transport"):
    return conf_text([Rule("r", f'from vip "web" port {PROTECTED} to any proto udp mirrored',
                           secure(mode), auth)], vip=(VIP4,), more=pki.identity(more))


def client_conf(auth=f'cert "own" remote-id "{vipsec.VIP_ID}"', more="", mode="transport",
                tuning=None):
    return conf_text([Rule("r", f"from me to {VIP4} port {PROTECTED} proto udp mirrored",
                           secure(mode, VIP4 if mode == "tunnel" else None), auth)],
                     more=pki.identity(more), tuning=tuning)


def signed_with_pss(charon, wanted):
    """What it says of its own proof; a stock one signs with PKCS #1 v1.5."""
    check(("(myself) with RSA_EMSA_PSS" in charon.log()) == wanted, "RSA-PSS by strongSwan")


def strongswan_calls(tap, kind, chained, rsa_pss=False):
    root = Node("Lab Root", ca=True)
    middle = Node("Lab Middle", issuer=root, ca=True, kind=kind) if chained else root
    chain = [middle] if chained else []
    web = Node("web", issuer=middle, kind=kind, names=[vipsec.VIP_ID])
    peer = Node("client", issuer=middle, kind=kind, names=[CLIENT_ID])
    with tap.case(f"{kind}: strongSwan calls{', an intermediate CA each way' if chained else ''}"
                  f"{', signing with RSA-PSS' if rsa_pss else ''}"), Lab() as lab:
        pair = Pair(lab, client=StrongSwan.make_host(lab, "c"))
        pki.give(pair.s, web, root, chain)
        tap.on_failure = [lambda: pair.s.log("vipsecd.log")[-3000:] + charon.log()[-3000:]]
        charon = swan(pair.c, peer, root, chain, rsa_pss, local=CLIENT4, remote=VIP4,
                      local_id=CLIENT_ID, remote_id=vipsec.VIP_ID, local_ts="dynamic[17]",
                      remote_ts=f"{VIP4}/32[17/{PROTECTED}]")
        pair.start_server(server_conf(f'cert "own" remote-id "{CLIENT_ID}"', mode="tunnel"))
        pair.add_vip(families=(4,))
        pair.wait_bound()
        charon.start()
        charon.initiate()
        answered(pair)
        signed_with_pss(charon, rsa_pss)


def strongswan_answers(tap, kind, chained, rsa_pss=False):
    root = Node("Lab Root", ca=True)
    middle = Node("Lab Middle", issuer=root, ca=True, kind=kind) if chained else root
    chain = [middle] if chained else []
    web = Node("web", issuer=middle, kind=kind, names=[vipsec.VIP_ID])
    peer = Node("client", issuer=middle, kind=kind, names=[CLIENT_ID])
    with tap.case(f"{kind}: strongSwan is called{', by chains' if chained else ''}"
                  f"{', signing with RSA-PSS' if rsa_pss else ''}"), Lab() as lab:
        pair = Pair(lab, server=StrongSwan.make_host(lab, "s"))
        pair.s.ip(f"addr add {VIP4}/24 dev eth0")
        pki.give(pair.c, peer, root, chain)
        tap.on_failure = [lambda: pair.c.log("vipsecd.log")[-3000:] + charon.log()[-3000:]]
        charon = swan(pair.s, web, root, chain, rsa_pss, local=VIP4, remote=CLIENT4,
                      local_id=vipsec.VIP_ID, remote_id=CLIENT_ID,
                      local_ts=f"dynamic[17/{PROTECTED}]", remote_ts=f"{CLIENT4}/32[17]")
        charon.start()
        pair.start_client(client_conf(mode="tunnel"))
        answered(pair)
        signed_with_pss(charon, rsa_pss)


class Two:
    """Two of ours, each with a certificate of one CA; parts may be replaced."""

    def __init__(self, lab, tap, **swap):
        self.pair = pair = Pair(lab)
        self.ca = swap.get("ca") or Node("Lab CA", ca=True)
        self.web = swap.get("web", self.good_web)(self.ca)
        self.peer = swap.get("peer", self.good_peer)(self.ca)
        pki.give(pair.s, self.web, self.ca)
        pki.give(pair.c, self.peer, self.ca)
        tap.on_failure = [lambda: pair.s.log("vipsecd.log")[-3000:]
                          + pair.c.log("vipsecd.log")[-3000:]]

    @staticmethod
    def good_peer(ca, **more):
        return Node("client", issuer=ca, names=[CLIENT_ID], **more)

    @staticmethod
    def good_web(ca, **more):
        return Node("web", issuer=ca, names=[vipsec.VIP_ID], **more)

    def start(self, revocation="", of_client="", remote_id=vipsec.VIP_ID):
        self.pair.start_server(server_conf(f'cert "own" remote-id "{CLIENT_ID}"', revocation))
        self.pair.add_vip(families=(4,))
        self.pair.wait_bound()
        self.pair.start_client(client_conf(f'cert "own" remote-id "{remote_id}"', of_client))

    def refused(self, word, role="responder"):
        """No SA, no answer, and one line that says which it was, of whoever is asked to
        believe it; the other is told."""
        pair = self.pair
        judge, other, peer = ((pair.s, pair.c, CLIENT4) if role == "responder"
                              else (pair.c, pair.s, VIP4))
        prober = Prober(pair.lab, [Stream(1, pair.c, VIP4, PROTECTED, 20)])

        def lines():
            return [line for line in judge.log("vipsecd.log").splitlines()
                    if peer in line and "AUTHENTICATION_FAILED" in line]
        try:
            wait_until(lines, 15, "a line with the reason")
            wait_until(lambda: "AUTHENTICATION_FAILED" in other.log("vipsecd.log"), 10,
                       "the other to hear of it")
        finally:
            prober.close()
        check(any(word in line for line in lines()), lines())
        check(len(lines()) <= 3, lines())
        check(not prober.replies[1], "no answer")
        check(not pair.server.rows("child") and not pair.client.rows("child"), "no child SA")


# What is wrong with a certificate, and the word for it in the line; make: good_peer or
# good_web, that of the side which shows it.
BAD = (
    ("an expired certificate", "expired: ", lambda make, ca: make(ca, first=-20, last=-1)),
    ("one that is not valid yet", "not yet valid: ",
     lambda make, ca: make(ca, first=1, last=20)),
    ("a self-signed certificate", "self-signed: ", lambda make, ca: make(None)),
    ("another CA's certificate", "wrong CA", lambda make, ca: make(Node("Other CA", ca=True))),
    ("one of another CA with the same name", "wrong CA: ",
     lambda make, ca: make(Node("Lab CA", ca=True))),
    ("a broken chain", "broken chain",
     lambda make, ca: make(Node("Middle", issuer=ca, ca=True))))


def refusals(tap):
    for what, word, bad in BAD:
        with tap.case(f"{what} is refused by who is called, and the line says so"), \
                Lab() as lab:
            two = Two(lab, tap, peer=lambda ca: bad(Two.good_peer, ca))
            two.start()
            two.refused(word)
        with tap.case(f"{what} is refused by who calls, and the line says so"), Lab() as lab:
            two = Two(lab, tap, web=lambda ca: bad(Two.good_web, ca))
            two.start()
            two.refused(word, "initiator")
    with tap.case("one for somebody else is refused by who calls, and the line says so"), \
            Lab() as lab:
        two = Two(lab, tap, web=lambda ca: Node("web", issuer=ca, names=["x.example"]))
        two.start(remote_id="*.vlab.example")  # an exact one is asked for, and not there
        two.refused("wrong name: ", "initiator")
    with tap.case("one for somebody else is refused by who is called, and the line says so"), \
            Lab() as lab:
        two = Two(lab, tap, peer=lambda ca: Node("client", issuer=ca, names=["x.example"]))
        two.start()
        two.refused("x.example is not known to any rule here")
    with tap.case("a certificate for somebody else is refused at the one who shows it"), \
            Lab() as lab:
        two = Two(lab, tap, peer=lambda ca: Node("client", issuer=ca, names=["x.example"]))
        two.pair.client.configure(client_conf(
            f'cert "own" local-id "{CLIENT_ID}" remote-id "{vipsec.VIP_ID}"'))
        done = two.pair.client.ctl("check", "/etc/vipsec/vipsec.conf")
        check(done.returncode != 0 and "is not for local-id" in done.stderr, done.stderr)
    with tap.case("a wrong key file is refused with file, line and column"), Lab() as lab:
        two = Two(lab, tap)
        pki.give(two.pair.c, two.peer, two.ca, key=two.web)
        two.pair.client.configure(client_conf())
        done = two.pair.client.ctl("check", "/etc/vipsec/vipsec.conf")
        check(done.returncode != 0 and "is not the key of the certificate" in done.stderr
              and "vipsec.conf:" in done.stderr, done.stderr)
    with tap.case("a daemon with a wrong key file does not start, and says why; nothing passes"), \
            Lab() as lab:
        two = Two(lab, tap)
        pki.give(two.pair.s, two.web, two.ca, key=two.peer)
        two.pair.add_vip(families=(4,))
        try:
            two.pair.start_server(server_conf())
            check(False, "it has started")
        except LabError as why:
            check("is not the key of the certificate" in str(why), why)
        two.pair.start_client(client_conf())
        prober = Prober(two.pair.lab, [Stream(1, two.pair.c, VIP4, PROTECTED, 20)])
        wait_until(lambda: two.pair.client.rows("ike"), 10, "the client to call")
        prober.close()
        check(not prober.replies[1], "no answer")


def revocation(tap):
    url = f"http://{STRANGER4}:{CRL_PORT}/lab.crl"
    with tap.case("a CRL is fetched by who calls: revoked, refused"), Lab() as lab:
        two = Two(lab, tap, web=lambda ca: Two.good_web(ca, crl_url=url))
        pki.serve_files(two.pair.x, CRL_PORT, {"lab.crl": two.ca.crl(two.web)})
        two.start("", "revocation strict;")
        two.refused("revoked: ", "initiator")
    for revoked in (True, False):
        with tap.case("a CRL is fetched: " + ("revoked, refused" if revoked else
                                              "strict, not revoked, believed")), Lab() as lab:
            two = Two(lab, tap, peer=lambda ca: Two.good_peer(ca, crl_url=url))
            pki.serve_files(two.pair.x, CRL_PORT, {
                "lab.crl": two.ca.crl(*([two.peer] if revoked else []))})
            two.start("revocation strict;")
            if revoked:
                two.refused("revoked: ")
            else:
                answered(two.pair)
    url = f"http://{STRANGER4}:{OCSP_PORT}/"
    for revoked in (True, False):
        with tap.case("OCSP is asked: " + ("revoked, refused" if revoked else
                                           "strict, good, believed")), Lab() as lab:
            two = Two(lab, tap, peer=lambda ca: Two.good_peer(ca, ocsp_url=url))
            pki.serve_ocsp(two.pair.x, OCSP_PORT, two.ca,
                           **{"revoked" if revoked else "good": [two.peer]})
            two.start("revocation strict;")
            if revoked:
                two.refused("revoked: ")
            else:
                answered(two.pair)
    with tap.case("strict, and nobody there to ask: refused, and the line says so"), \
            Lab() as lab:
        two = Two(lab, tap, peer=lambda ca: Two.good_peer(ca, crl_url=url))
        two.start("revocation strict;")
        two.refused("revocation strict: ")


def renewal(tap):
    with tap.case("a renewed certificate is taken by reload; the SA stays; status names it"), \
            Lab() as lab:
        two = Two(lab, tap)
        two.start()
        answered(two.pair)
        before = [row["id"] for row in two.pair.server.rows("ike")]
        new = Node("web2", issuer=two.ca, names=[vipsec.VIP_ID], last=5)
        pki.give(two.pair.s, new, two.ca)
        two.pair.server.ctl("reload", check=False)
        two.pair.s.signal("vipsecd", 1)
        wait_until(lambda: two.pair.server.json("status")["data"]["identities"][0]["subject"]
                   == "CN=web2", 10, "the new certificate")
        check([row["id"] for row in two.pair.server.rows("ike")] == before, "the same SA")
        status = two.pair.server.json("status")
        check(status["code"] == 3, status["code"])
        done = two.pair.server.ctl("vip", "status", "web")
        check(done.returncode == 3 and "expires on" in done.stdout, done.stdout)
        code, said = agent_says(two.pair.s)
        check(code == DEGRADED and "ocf-exit-reason:the certificate of identity own" in said,
              f"{code}: {said}")
        check(any("expires on" in p for p in status["data"]["problems"]),
              status["data"]["problems"])
        check("expires on" in two.pair.s.log("vipsecd.log"), "an event")


def agent_says(host):
    done = host.run([f"{OCF_AGENTS}/vipsec/vip", "monitor"], check=False,
                    env={"OCF_ROOT": "/usr/lib/ocf", "OCF_RESKEY_name": "web"})
    return done.returncode, done.stderr


def methods(tap):
    with tap.case("several methods in order: the second is tried when the first is refused"), \
            Lab() as lab:
        two = Two(lab, tap)
        two.pair.start_server(conf_text(
            [Rule("r", f'from vip "web" port {PROTECTED} to any proto udp mirrored', secure(),
                  f'psk "lab" local-id "{vipsec.VIP_ID}" remote-id any')], vip=(VIP4,)))
        two.pair.add_vip(families=(4,))
        two.pair.wait_bound()
        two.pair.start_client(client_conf(
            f'cert "own" remote-id "{vipsec.VIP_ID}", psk "lab" local-id "{CLIENT_ID}" '
            f'remote-id "{vipsec.VIP_ID}"'))
        answered(two.pair)
    with tap.case("a key here, a certificate there"), Lab() as lab:
        two = Two(lab, tap)
        two.pair.start_server(server_conf(
            f'cert "own" peer psk "lab" remote-id "{CLIENT_ID}"'))
        two.pair.add_vip(families=(4,))
        two.pair.wait_bound()
        two.pair.start_client(client_conf(
            f'psk "lab" peer cert "own" local-id "{CLIENT_ID}" remote-id "*.vlab.example"'))
        answered(two.pair)


def body(tap):
    for kind in ("ecdsa", "rsa", "ed25519", "ecdsa384"):
        strongswan_calls(tap, kind, kind in ("rsa", "ed25519"))
        strongswan_answers(tap, kind, kind in ("rsa", "ed25519"))
    refusals(tap)
    strongswan_calls(tap, "rsa3072", False, rsa_pss=True)
    strongswan_answers(tap, "rsa3072", False, rsa_pss=True)
    revocation(tap)
    renewal(tap)
    methods(tap)


if __name__ == "__main__":
    main(body, vipsec.missing_programs)
