#!/usr/bin/env python3
"""Two clients behind one NAT address, tunnel mode in UDP, each with its identity.
test-timeout: 120
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import vipsec
from vlab.core import Lab, now_ms, wait_until
from vlab.net import make_nat_router
from vlab.pair import PROTECTED, VIP4, Pair, server_conf
from vlab.probes import Prober, Stream
from vlab.tap import check, main
from vlab.wire import Tap

NAT = "10.9.0.3"


def make_client(lab, pair, number):
    name = f"in{number}"
    host = vipsec.make_host(lab, name)
    pair.switch.plug(host, f"10.8.0.{number + 1}/24", bridge="inner", gateway="10.8.0.1")
    client = vipsec.Vipsec(host)
    client.configure(vipsec.peer_conf(f"{name}.vlab.example", "tunnel", vips=[VIP4]))
    client.start()
    return client


def body(tap):
    with Lab() as lab:
        pair = Pair(lab)
        pair.switch.host.ip("link add inner type bridge forward_delay 0 stp_state 0",
                            "link set inner up")
        make_nat_router(lab, pair.switch, f"{NAT}/24", "10.8.0.1/24", "inner")
        pair.start_server(server_conf("tunnel", vip=(VIP4,)))
        pair.add_vip(families=(4,))
        pair.wait_bound()
        watch = Tap(pair.switch.host, VIP4, [PROTECTED], ["p-s", "p-nat"], esp=True)
        clients = [make_client(lab, pair, n) for n in (1, 2)]
        tap.on_failure.append(lambda: pair.s.log("vipsecd.log")[-2000:]
                              + clients[0].host.log("vipsecd.log")[-2000:])
        prober = Prober(lab, [Stream(n, c.host, VIP4, PROTECTED)
                              for n, c in enumerate(clients, 1)])
        with tap.case("both are answered through their tunnels"):
            for number in (1, 2):
                reply = prober.wait_reply(number, now_ms(), 15)
                check(vipsec.hides(reply.node_device), reply)
        with tap.case("the NAT is found, and ESP goes in UDP from two ports of one address"):
            ports = {s.sport for s in watch.seen("esp") if s.src == NAT}
            check(len(ports) == 2, ports)
            check(all(sa["nat_remote"] for sa in pair.server.rows("ike")), "nat_remote")
        with tap.case("nothing was in clear"):
            check(not watch.seen("udp"), watch.seen("udp")[:3])
        with tap.case("one client's end does not disturb the other"):
            clients[0].stop()
            wait_until(lambda: len(pair.server.rows("ike")) == 1, 10, "its SA to go")
            start = now_ms()
            wait_until(lambda: now_ms() > start + 500, 2, "half a second")
            gap, _ = prober.outage(2, start, now_ms())
            check(gap < 200, f"gap of {gap:.0f} ms")
        prober.close()


if __name__ == "__main__":
    main(body, vipsec.missing_programs)
