#!/usr/bin/env python3
"""New keys with a stock strongSwan, asked for by either side, while probes run: none is lost.
test-timeout: 240
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import vipsec
from vlab.core import Lab, now_ms, wait_until
from vlab.pair import CLIENT4, PROTECTED, VIP4, Pair, server_conf
from vlab.probes import Prober, Stream
from vlab.swan import StrongSwan
from vlab.tap import check, main


def short_lived(text, proposal):
    """The configuration with that proposal for everything that is negotiated."""
    made = text.replace("negotiate require;", 'negotiate require; proposal "short";')
    check(made != text, "nothing is negotiated")
    return f'proposal "short" {{ {proposal} }}\n' + made


def rows(pair, what):
    return sorted(row["id"] for row in pair.server.rows(what))


class Traffic:
    """Probes for as long as it lasts; at the end all were answered."""

    def __init__(self, pair):
        self.prober = Prober(pair.lab, [Stream(1, pair.c, VIP4, PROTECTED, interval_ms=5)])
        self.prober.wait_reply(1, now_ms(), 15)

    def __enter__(self):
        self.start_ms = now_ms()
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.prober.wait_reply(1, now_ms(), 15)
            lost = self.prober.unanswered(1, self.start_ms, now_ms())
            check(lost == 0, f"{lost} probes lost")
        self.prober.close()


def renewed(pair, what, before, count):
    def look():
        now = pair.server.rows(what)
        if what == "ike":
            now = [row for row in now if row["state"] == "up"]
        return len(now) == count and not {row["id"] for row in now} & set(before)
    wait_until(look, 30, f"other {what} SAs than {before}")


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
            with Traffic(pair):
                for _ in range(3):
                    before = rows(pair, what)
                    pair.c.run(["swanctl", "--rekey", *words])
                    renewed(pair, what, before, 1)
            check(swan.sas() == (1, 1), swan.sas())
    swan.stop()


def by_us(tap, lab, esp):
    pair, swan = set_up(lab, "lifetime child 10s ike 14s;", esp)
    tap.on_failure = [lambda: pair.s.log("vipsecd.log")[-3000:] + swan.log()[-3000:]]
    with tap.case(f"we rekey both kinds of SA with strongSwan ({esp}); no probe is lost"):
        with Traffic(pair):
            for _ in range(3):
                for what in ("child", "ike"):
                    renewed(pair, what, rows(pair, what), 1)
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
