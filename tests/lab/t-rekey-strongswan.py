#!/usr/bin/env python3
"""New keys with a stock strongSwan, asked for by either side, while probes run: none is lost.
test-timeout: 240
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import vipsec
from vlab.core import PATIENCE, Lab
from vlab.pair import CLIENT4, PROTECTED, VIP4, Pair, server_conf
from vlab.rekeying import Traffic, ids, wait_renewed
from vlab.swan import StrongSwan
from vlab.tap import check, main


def short_lived(text, proposal):
    """The configuration with that proposal for everything that is negotiated."""
    made = text.replace("negotiate require;", 'negotiate require; proposal "short";')
    check(made != text, "nothing is negotiated")
    return f'proposal "short" {{ {proposal} }}\n' + made


def set_up(lab, proposal, esp):
    pair = Pair(lab, client=StrongSwan.make_host(lab, "c"))
    swan = StrongSwan(pair.c, CLIENT4, VIP4, "dynamic[17]", f"{VIP4}/32[17/{PROTECTED}]",
                      vipsec.PSK, remote_id=vipsec.VIP_ID, esp=esp)
    conf = server_conf("tunnel", vip=(VIP4,))
    pair.start_server(short_lived(conf, proposal))
    pair.add_vip(families=(4,))
    pair.wait_bound()
    swan.start()
    swan.initiate()
    return pair, swan


def by_strongswan(tap, lab, esp):
    pair, swan = set_up(lab, "lifetime child 1h;", esp)
    tap.on_failure = [lambda: pair.s.log("vipsecd.log")[-3000:] + swan.log()[-3000:]]
    for what, words in (("child", ["--child", "udp"]), ("ike", ["--ike", "vip"])):
        with tap.case(f"strongSwan ({esp}) rekeys the {what} SA three times; no probe is lost"):
            with Traffic(lab, pair.c, VIP4, PROTECTED):
                for _ in range(3):
                    before = ids(pair.server, what)
                    pair.c.run(["swanctl", "--rekey", *words])
                    wait_renewed(pair.server, what, before)
            check(swan.sas() == (1, 1), swan.sas())
    swan.stop()


def by_us(tap, lab, esp):
    # A new SA is asked for some seconds before the end: not many for an emulated machine.
    child, ike = (10, 14) if PATIENCE == 1 else (20, 28)
    pair, swan = set_up(lab, f"lifetime child {child}s ike {ike}s;", esp)
    tap.on_failure = [lambda: pair.s.log("vipsecd.log")[-3000:] + swan.log()[-3000:]]
    with tap.case(f"we rekey both kinds of SA with strongSwan ({esp}); no probe is lost"):
        with Traffic(lab, pair.c, VIP4, PROTECTED):
            for _ in range(3):
                for what in ("child", "ike"):
                    wait_renewed(pair.server, what, ids(pair.server, what))
        check(swan.sas() == (1, 1), swan.sas())
        log = pair.s.log("vipsecd.log")
        check("ike-down" not in log or "replaced" in log, "an IKE SA was begun anew")
    swan.stop()


def body(tap):
    for esp in ("default", "aes256gcm16-x25519"):
        with Lab() as lab:
            by_strongswan(tap, lab, esp)
        with Lab() as lab:
            by_us(tap, lab, esp)


if __name__ == "__main__":
    main(body, vipsec.missing_programs)
