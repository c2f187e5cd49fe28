#!/usr/bin/env python3
"""AH with a stock strongSwan, whose AH is the kernel's: each mode and family once, over both of our
planes. The kernel of a container has none; the virtual machine's has.
test-timeout: 300
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import vipsec
from vlab.core import PATIENCE, Lab, now_ms, wait_until
from vlab.kernel import lacks_esp
from vlab.pair import (CLIENT4, CLIENT6, PROTECTED, SERVER_AUTH, VIP4, VIP6, Pair)
from vlab.probes import Prober, Stream
from vlab.swan import StrongSwan
from vlab.tap import check, main
from vlab.vipsec import Rule, conf_text, secure
from vlab.wire import Tap

PLANES = {"userspace": "", "kernel": "dataplane { prefer kernel; }\n"}
ENDS = {4: (CLIENT4, VIP4), 6: (CLIENT6, VIP6)}
# Other ways, without strongSwan: t-ah.
WAYS = [("userspace", "transport", 6, "sha256"), ("userspace", "tunnel", 4, "sha384"),
        ("kernel", "transport", 4, "sha512"), ("kernel", "tunnel", 6, "sha256")]


def server_conf(plane, mode, vip, ah):
    vipsec.PLANE = PLANES[plane]
    return conf_text([Rule(
        "protected", f'from vip "web" port {PROTECTED} to any proto udp mirrored',
        'proposal "p"; ' + secure(mode), SERVER_AUTH)], vip=(vip,),
        more=f'proposal "p" {{ ah {ah}; }}\n')


def answered(pair, vip, size=0, more=5):
    prober = Prober(pair.lab, [Stream(1, pair.c, vip, PROTECTED, 20 * PATIENCE, 0, size)])
    start = now_ms()
    try:
        wait_until(lambda: len(prober.between(1, start, now_ms())) > more, 20, "answers")
    finally:
        prober.close()


def ids(pair):
    return {row["id"] for row in pair.server.rows("child")}


def rekeyed(pair, vip, old):
    wait_until(lambda: ids(pair) and not old & ids(pair), 15, "the old one to go")
    answered(pair, vip)
    rows = pair.server.rows("child")
    check({r["protocol"] for r in rows} == {"AH"}, rows)
    check(not any(r["forged"] or r["replayed"] for r in rows), rows)


def one(tap, lab, plane, mode, family, ah):
    client, vip = ENDS[family]
    pair = Pair(lab, client=StrongSwan.make_host(lab, "c"))
    ours, theirs = "dynamic[udp]", f"dynamic[udp/{PROTECTED}]"
    if mode == "tunnel":
        theirs = f"{vip}/{32 if family == 4 else 128}[udp/{PROTECTED}]"
    swan = StrongSwan(pair.c, client, vip, ours, theirs, vipsec.PSK,
                      remote_id=vipsec.VIP_ID, ah=ah, kernel=True, mode=mode)
    tap.on_failure = [lambda: pair.s.log("vipsecd.log")[-3000:] + swan.log()[-3000:] +
                      pair.c.out("ip -s xfrm state; ip xfrm policy; cat /proc/net/xfrm_stat")]
    pair.start_server(server_conf(plane, mode, vip, ah))
    pair.add_vip(families=(family,))
    pair.wait_bound()
    watch = Tap(pair.switch.host, vip, [PROTECTED], ["p-s", "p-c"], esp=True)
    swan.start()
    words = f"{plane}, {mode}, IPv{family}, {ah}"
    # Its kernel sends fragments inside an IPv6 tunnel, and these have no ports to be judged by
    # (docs/PLANES.md, "fragments inside").
    large = 1200 if mode == "tunnel" and family == 6 else 4000
    with tap.case(f"{words}: traffic both ways, small and of {large} octets"):
        swan.initiate()
        answered(pair, vip)
        answered(pair, vip, large, 0)
        rows = pair.server.rows("child")
        check([(r["protocol"], r["algorithm"]) for r in rows] == [("AH", ah)], rows)
        check(watch.seen("ah") and not watch.seen("udp", "esp"), watch.seen("udp", "esp")[:3])
        serves = pair.server.json("status")["data"]["dataplane"]["name"]
        check(serves == plane, serves)
    with tap.case(f"{words}: rekeyed by either, and deleted"):
        old = ids(pair)
        pair.s.out("vipsec rekey child")
        rekeyed(pair, vip, old)
        old = ids(pair)
        pair.c.out("swanctl --rekey --child udp")
        rekeyed(pair, vip, old)
        swan.terminate(child_only=True)
        wait_until(lambda: not ids(pair), 10, "the child SA to go")
    watch.close()
    swan.stop()


def body(tap):
    for way in WAYS:
        with Lab() as lab:
            one(tap, lab, *way)


if __name__ == "__main__":
    main(body, lambda: lacks_esp() or vipsec.missing_programs())
