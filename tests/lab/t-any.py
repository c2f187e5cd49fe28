#!/usr/bin/env python3
"""Rules for any traffic: all that goes between a client and the VIP, and nothing else.
test-timeout: 120
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import vipsec
from vlab.core import Lab, now_ms, wait_until
from vlab.pair import (CLEAR, PEER_AUTH, PROTECTED, SERVER4, SERVER6,
                       SERVER_AUTH, VIP4, VIP6, Pair)
from vlab.probes import Prober, Stream
from vlab.sockets import serve_tcp, tcp_round_trip
from vlab.tap import check, main
from vlab.vipsec import Rule, conf_text, secure
from vlab.wire import Tap

SERVER = conf_text([Rule("all", 'from vip "web" to any mirrored', secure(), SERVER_AUTH)],
                   vip=(VIP4, VIP6))
CLIENT = conf_text([Rule(f"all{n}", f"from me to {vip} mirrored", secure(), PEER_AUTH)
                    for n, vip in enumerate((VIP4, VIP6))])


def ping(host, address, size=56):
    return host.ok(["ping", "-c1", "-W1", "-s", size, address])


def one_family(tap, pair, name, vip, own):
    watch = Tap(pair.switch.host, vip, [PROTECTED, CLEAR, 7003], ["p-s", "p-c"], esp=True)
    with tap.case(f"{name}: ping, UDP and TCP to the VIP are all answered"):
        wait_until(lambda: ping(pair.c, vip), 15, "ping")
        prober = Prober(pair.lab, [Stream(1, pair.c, vip, PROTECTED),
                                   Stream(2, pair.c, vip, CLEAR)])
        for stream in (1, 2):
            reply = prober.wait_reply(stream, now_ms(), 10)
            check(vipsec.hides(reply.node_device), reply)
        prober.close()
        check(tcp_round_trip(pair.c, vip, 7003, 1 << 18)[0] == "same", "TCP")
    with tap.case(f"{name}: a ping of 4,000 octets is answered"):
        check(ping(pair.c, vip, 4000), "no answer")
    with tap.case(f"{name}: on the wire there was nothing but ESP and IKE"):
        clear = watch.seen("udp", "tcp", "frag")
        check(not clear and watch.seen("esp"), clear[:3])
    with tap.case(f"{name}: the node's own address is none of the rule's business"):
        check(ping(pair.c, own), "no answer from the node's own address")
    with tap.case(f"{name}: a stranger without IPsec gets no answer from the VIP"):
        check(not ping(pair.x, vip), "answered in clear")
        check(ping(pair.x, own), "but the node's own address answers")
    watch.close()


def body(tap):
    with Lab() as lab:
        pair = Pair(lab)
        serve_tcp(pair.s, 7003)
        pair.start_server(SERVER)
        pair.add_vip()
        pair.wait_bound()
        pair.start_client(CLIENT)
        tap.on_failure.append(lambda: pair.s.log("vipsecd.log")[-2000:]
                              + pair.c.log("vipsecd.log")[-2000:])
        one_family(tap, pair, "IPv4", VIP4, SERVER4)
        one_family(tap, pair, "IPv6", VIP6, SERVER6)


if __name__ == "__main__":
    main(body, vipsec.missing_programs)
