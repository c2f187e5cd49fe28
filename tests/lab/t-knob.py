#!/usr/bin/env python3
"""The knob: the configured number is the truth.
test-timeout: 120

The server's cable is cut while the client keeps sending. t0 is the first packet that is
not answered; at t0 + T all SAs of the dead peer must be gone, not before and not later.
"""

import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import vipsec
from vlab.core import Lab, now_ms, wait_until
from vlab.pair import PROTECTED, VIP4, Pair, client_conf, server_conf
from vlab.probes import Prober, Stream
from vlab.tap import check, main

# nlbs-flags, the timer that then holds, in ms
CASES = ((0, 4000), (1, 2000))
EARLY_MS, LATE_MS = 150, 700  # the resolution of what is looked at; a busy machine


def established(pair):
    return [sa for sa in pair.client.rows("ike") if sa["established"]]


def ended_ms(pair):
    """When the last IKE SA ended. Asking takes long on an emulated machine, the daemon's own
    clock does not."""
    ago = time.time() * 1000 - now_ms()
    told = map(json.loads, pair.client.ctl("--json", "events").stdout.splitlines())
    return [e["time_ms"] for e in told if e["kind"] == "ike-down"][-1] - ago


def body(tap):
    with Lab() as lab:
        pair = Pair(lab)
        pair.start_server(server_conf(vip=(VIP4,)))
        pair.add_vip(families=(4,))
        pair.wait_bound()
        pair.start_client(client_conf(families=(4,), tuning={
            "idle-timeout": "4s", "idle-timeout-failover": "2s"}))
        tap.on_failure.append(lambda: pair.c.log("vipsecd.log")[-3000:])
        prober = Prober(lab, [Stream(1, pair.c, VIP4, PROTECTED, 10)])
        for flags, timer_ms in CASES:
            with tap.case(f"nlbs-flags {flags}: a dead peer is given up after "
                          f"{timer_ms / 1000:g} s, neither earlier nor later"):
                pair.client.ctl("tune", "nlbs-flags", flags, check=True)
                last = prober.wait_reply(1, now_ms(), 15).ms
                pair.switch.cut("p-s")
                try:
                    last = max(last, prober.last_ms(1))
                    wait_until(lambda: not established(pair), timer_ms / 1000 + 5,
                               "the SAs to go", step=0.05)
                    took = ended_ms(pair) - max(last, prober.last_ms(1))
                finally:
                    pair.switch.heal("p-s")
                tap.note(f"gone after {took:.0f} ms")
                check(timer_ms - EARLY_MS <= took <= timer_ms + LATE_MS, f"{took:.0f} ms")
            with tap.case(f"nlbs-flags {flags}: IKE starts again by itself, traffic is back"):
                prober.wait_reply(1, now_ms(), 20)
        with tap.case("a peer that is idle, and not silent, is not given up"):
            prober.close()
            before = [sa["id"] for sa in established(pair)]
            start = now_ms()
            wait_until(lambda: now_ms() > start + 5000, 6, "five seconds")
            check([sa["id"] for sa in established(pair)] == before, "the same SA")


if __name__ == "__main__":
    main(body, vipsec.missing_programs)
