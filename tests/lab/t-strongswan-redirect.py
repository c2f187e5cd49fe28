#!/usr/bin/env python3
"""Redirects (RFC 5685) with a stock strongSwan: a vipsec VIP that is drained sends strongSwan to
another vipsec, and a strongSwan sends vipsec to another strongSwan, by address and by name.
test-timeout: 120
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import vipsec
from vlab.core import Lab, now_ms, wait_until
from vlab.dns import Dns
from vlab.pair import CLIENT4, PEER_AUTH, PROTECTED, SERVER_AUTH, STRANGER4, VIP4, Pair
from vlab.probes import Prober, Stream
from vlab.swan import StrongSwan
from vlab.tap import check, main
from vlab.vipsec import Rule, Vipsec, conf_text, secure

OTHER4 = "10.9.0.51"


def answered(pair):
    prober = Prober(pair.lab, [Stream(1, pair.c, VIP4, PROTECTED)])
    try:
        return prober.wait_reply(1, now_ms(), 15)
    finally:
        prober.close()


def gateway_conf(address):
    """Both gateways are there for the same address behind them."""
    return conf_text([Rule("protected",
                           f"from {VIP4} port {PROTECTED} to any proto udp mirrored",
                           secure("tunnel"), SERVER_AUTH)], vip=(address,))


def drain_row(server):
    return server.rows("vip")[0]["drain"]


def sends_strongswan(tap, lab):
    pair = Pair(lab, client=StrongSwan.make_host(lab, "c"))
    other_host = vipsec.make_host(lab, "t")
    pair.switch.plug(other_host, f"{OTHER4}/24")
    other = Vipsec(other_host)
    swan = StrongSwan(pair.c, CLIENT4, VIP4, "dynamic[17]", f"{VIP4}/32[17/{PROTECTED}]",
                      vipsec.PSK, remote_id=vipsec.VIP_ID)
    tap.on_failure = [lambda: pair.s.log("vipsecd.log")[-3000:] + swan.log()[-3000:] +
                      other_host.log("vipsecd.log")[-3000:]]
    pair.start_server(gateway_conf(VIP4))
    pair.add_vip(families=(4,))
    pair.wait_bound()
    other.configure(gateway_conf(OTHER4))
    other.start()
    swan.start()
    with tap.case("strongSwan calls a drained VIP, and has its SAs with the other gateway"):
        done = pair.server.ctl("drain", "web", "to", OTHER4)
        check(done.returncode == 0, done)
        swan.initiate(check=False)
        wait_until(lambda: len(other.rows("child")) == 1, 10, "the child of the other one")
        wait_until(lambda: swan.sas() == (1, 1), 10, "strongSwan's SAs")
        check(pair.server.rows("ike") == [], pair.server.rows("ike"))
        check(drain_row(pair.server)["turned"] == 1, drain_row(pair.server))
        check(drain_row(pair.server)["to"] == [OTHER4], drain_row(pair.server))
    with tap.case("undrained, it serves; then its strongSwan is asked to go, and goes"):
        swan.terminate()
        wait_until(lambda: swan.sas() == (0, 0), 10, "strongSwan's SAs to go")
        check(pair.server.ctl("undrain", "web").returncode == 0, "undrain")
        check(drain_row(pair.server) is None, drain_row(pair.server))
        swan.initiate()
        answered(pair)
        check(len(pair.server.rows("child")) == 1, pair.server.rows("child"))
        pair.server.ctl("drain", "web", "to", OTHER4)
        wait_until(lambda: len(other.rows("child")) == 1, 10, "the child of the other one")
        wait_until(lambda: pair.server.rows("ike") == [], 10, "our SAs to go")
        row = drain_row(pair.server)
        check((row["told"], row["gone"], row["left"]) == (1, 1, 0), row)
        check(swan.sas() == (1, 1), swan.sas())


def sent_by_strongswan(tap, lab):
    pair = Pair(lab, server=StrongSwan.make_host(lab, "s"))
    pair.s.ip(f"addr add {VIP4}/24 dev eth0")
    other_host = StrongSwan.make_host(lab, "t")
    pair.switch.plug(other_host, f"{OTHER4}/24")
    # It has what is behind both, and keeps quiet about it on the link.
    other_host.run("echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore")
    other_host.ip(f"addr add {VIP4}/32 dev lo")
    made = [StrongSwan(host, address, CLIENT4, f"{VIP4}/32[17/{PROTECTED}]", f"{CLIENT4}/32[17]",
                       vipsec.PSK, local_id=vipsec.VIP_ID, remote_id="c.vlab.example")
            for host, address in ((pair.s, VIP4), (other_host, OTHER4))]
    swan, other = made
    tap.on_failure = [lambda: pair.c.log("vipsecd.log")[-3000:] + swan.log()[-3000:] +
                      other.log()[-3000:]]
    dns = Dns(pair.x, STRANGER4)
    dns.say("gw.example", "10.9.0.52", OTHER4)
    dns.say("gone.example", "10.9.0.52")
    dns.serve(pair.c)
    swan.start()
    other.start()
    pair.start_client(conf_text([Rule(
        "protected", f"from me to {VIP4} port {PROTECTED} proto udp mirrored",
        secure("tunnel", VIP4), f"{PEER_AUTH}; redirect accept {OTHER4}")]))

    def send_to(gateway):
        pair.s.run(["swanctl", "--redirect", "--peer-ip", CLIENT4, "--gateway", gateway])

    def told(text):
        wait_until(lambda: text in pair.c.log("vipsecd.log"), 10, text)

    def anew():
        """strongSwan sends each IKE SA away once."""
        pair.client.ctl("down")
        wait_until(lambda: swan.sas() == (0, 0), 10, "strongSwan's SAs to go")
        answered(pair)

    def goes(to):
        anew()
        send_to(to)
        wait_until(lambda: other.sas() == (1, 1), 10, "the SAs of the other one")
        wait_until(lambda: swan.sas() == (0, 0), 10, "the SAs of the first to go")
        rows = pair.client.rows("ike")
        check([r["remote"].split(":")[0] for r in rows] == [OTHER4], rows)
        check(len(pair.client.rows("child")) == 1, pair.client.rows("child"))

    with tap.case("where our rule does not accept it we do not go"):
        answered(pair)
        send_to("10.9.0.52")
        told("redirected to 10.9.0.52, and not gone: the rule does not accept it")
        check(swan.sas() == (1, 1), swan.sas())
    with tap.case("where it does we go, and leave nothing behind"):
        goes(OTHER4)
    with tap.case("the same by a name, of whose addresses our rule accepts the second"):
        goes("gw.example")
        told(f"the peer sends us to gw.example at {OTHER4}")
    with tap.case("a name that has only another address leaves us where we are"):
        anew()
        send_to("gone.example")
        told("redirected to gone.example, and not gone: the rule does not accept it")
        answered(pair)
        check(swan.sas() == (1, 1), swan.sas())


def body(tap):
    with Lab() as lab:
        sends_strongswan(tap, lab)
    with Lab() as lab:
        sent_by_strongswan(tap, lab)


if __name__ == "__main__":
    main(body, vipsec.missing_programs)
