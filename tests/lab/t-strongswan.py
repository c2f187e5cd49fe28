#!/usr/bin/env python3
"""A stock strongSwan (kernel-libipsec) as initiator and as responder.
test-timeout: 120
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import vipsec
from vlab.core import Lab, now_ms, wait_until
from vlab.pair import CLIENT4, PROTECTED, VIP4, Pair, client_conf, server_conf
from vlab.probes import Prober, Stream
from vlab.swan import StrongSwan
from vlab.tap import check, main
from vlab.wire import Tap


def answered(pair, timeout=15):
    prober = Prober(pair.lab, [Stream(1, pair.c, VIP4, PROTECTED)])
    try:
        return prober.wait_reply(1, now_ms(), timeout)
    finally:
        prober.close()




def initiator(tap, lab):
    pair = Pair(lab, client=StrongSwan.make_host(lab, "c"))
    swan = StrongSwan(pair.c, CLIENT4, VIP4, "dynamic[17]", f"{VIP4}/32[17/{PROTECTED}]",
                      vipsec.PSK, remote_id=vipsec.VIP_ID)
    tap.on_failure = [lambda: pair.s.log("vipsecd.log")[-3000:] + swan.log()[-3000:]]
    pair.start_server(server_conf("tunnel", vip=(VIP4,)))
    pair.add_vip(families=(4,))
    pair.wait_bound()
    swan.start()
    watch = Tap(pair.switch.host, VIP4, [PROTECTED], ["p-s", "p-c"], esp=True)
    with tap.case("strongSwan initiates with its default proposals; traffic both ways"):
        swan.initiate()
        reply = answered(pair)
        check(vipsec.hides(reply.node_device), reply)
        check(watch.seen("esp"), "ESP in UDP on the wire")
        check(not watch.seen("udp"), "nothing in clear")
    with tap.case("a delete from strongSwan leaves no SA with us"):
        swan.terminate()
        wait_until(lambda: not pair.server.rows("child") and not pair.server.rows("ike"), 10,
                   "our SAs to go")
    with tap.case("strongSwan initiates again after its delete"):
        swan.initiate()
        answered(pair)
    with tap.case("a delete from us leaves no SA with strongSwan"):
        pair.server.ctl("down", "c", check=False)
        pair.remove_vip(families=(4,))
        wait_until(lambda: swan.sas() == (0, 0), 10, "strongSwan's SAs to go")


def responder(tap, lab):
    pair = Pair(lab, server=StrongSwan.make_host(lab, "s"))
    pair.s.ip(f"addr add {VIP4}/24 dev eth0")
    swan = StrongSwan(pair.s, VIP4, CLIENT4, f"dynamic[17/{PROTECTED}]",
                      f"{CLIENT4}/32[17]", vipsec.PSK, local_id=vipsec.VIP_ID,
                      remote_id="c.vlab.example")
    tap.on_failure = [lambda: pair.c.log("vipsecd.log")[-3000:] + swan.log()[-3000:]]
    swan.start()
    pair.start_client(client_conf("tunnel", families=(4,)))
    with tap.case("traffic makes us initiate to strongSwan; it flows both ways"):
        reply = answered(pair)
        check(vipsec.hides(reply.node_device), reply)
        check(vipsec.hides(reply.device), reply)
        check(swan.sas() == (1, 1), swan.sas())
    with tap.case("a delete from us leaves no SA with strongSwan, and we none"):
        pair.client.stop()
        wait_until(lambda: swan.sas() == (0, 0), 10, "strongSwan's SAs to go")
        pair.client.start()
        answered(pair)
    with tap.case("after a delete from strongSwan traffic brings the SA back"):
        swan.terminate()
        answered(pair)
        check(swan.sas() == (1, 1), swan.sas())


def body(tap):
    with Lab() as lab:
        initiator(tap, lab)
    with Lab() as lab:
        responder(tap, lab)


if __name__ == "__main__":
    main(body, vipsec.missing_programs)
