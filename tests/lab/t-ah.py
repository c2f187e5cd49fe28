#!/usr/bin/env python3
"""AH (RFC 4302): each ICV verified by scapy, between two daemons with IKE, beside ESP in one
rule, and refused where there is a NAT.
test-timeout: 300
"""

import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import vipsec
from vlab.byhand import begin, end
from vlab.capture import Capture
from vlab.core import PATIENCE, Lab, now_ms, wait_until
from vlab.net import Switch, make_nat_router
from vlab.pair import CLIENT4, PEER_AUTH, PROTECTED, SERVER_AUTH, VIP4, VIP6, Pair
from vlab.probes import Prober, Stream
from vlab.tap import Skip, check, main
from vlab.vipsec import Rule, conf_text, secure
from vlab.wire import Tap

SYSTEM_PYTHON = "/usr/bin/python3"  # the one that has Debian's scapy
WORDS = "AH sha256 (integrity only, not encrypted)"
NAT = "10.9.0.3"
ENDS = (("10.9.0.1", "10.9.0.10"), ("fd09::1", "fd09::10"))

# The keys are those of vlab-plane: made from the SPI.
SCAPY = """
import sys
from scapy.all import AH, IP, IPv6, rdpcap
from scapy.layers.ipsec import SecurityAssociation
good = wrong = 0
for packet in rdpcap(sys.argv[1]):
    if AH not in packet:
        continue
    spi = packet[AH].spi
    key = bytes((spi * 31 + i * 7) & 255 for i in range(32))
    sa = SecurityAssociation(AH, spi=spi, auth_algo="SHA2-256-128", auth_key=key, esn_en=True,
                             esn=0)
    try:
        sa.decrypt(packet[IP if IP in packet else IPv6].copy())
        good += 1
    except Exception as error:
        print(spi, error, file=sys.stderr)
        wrong += 1
print(good, wrong)
"""


# ---- by hand, against scapy -----------------------------------------------------------------


def connect(pa, pb, mode):
    for n, (here, there) in enumerate(ENDS):
        spi, bits = 0x03000000 + 16 * n, 32 if n == 0 else 128
        pa.do(f"sa {n + 1} 0 {spi} {spi + 1} {mode} ah {here} {there} "
              f"{here}/{bits} {there}/{bits} 1")
        pb.do(f"sa {n + 1} 0 {spi + 1} {spi} {mode} ah {there} {here} "
              f"{there}/{bits} {here}/{bits} 2")


def oracle(tap, mode):
    if not os.path.exists(SYSTEM_PYTHON) or subprocess.run(
            [SYSTEM_PYTHON, "-c", "import scapy"], stderr=subprocess.DEVNULL).returncode:
        raise Skip("scapy is not installed")
    with Lab() as lab:
        switch = Switch(lab)
        a, b = lab.host("a"), lab.host("b")
        for host, n in ((a, 0), (b, 1)):
            switch.plug(host, f"{ENDS[0][n]}/24", f"{ENDS[1][n]}/64")
        word = "tunnel" if mode == "tunnel" else ""
        vips = [e[1] for e in ENDS]
        pa = begin(a, f"entry 0.0.0.0/0 {vips[0]} negotiate {word}\n"
                      f"entry ::/0 {vips[1]} negotiate {word}\npolicy 0", [e[0] for e in ENDS])
        pb = begin(b, f"entry {vips[0]} 0.0.0.0/0 negotiate {word}\n"
                      f"entry {vips[1]} ::/0 negotiate {word}\npolicy 0 {' '.join(vips)}", vips)
        connect(pa, pb, mode)
        capture = Capture(switch.host, "p-a")
        for _, there in ENDS:
            # TOS 0x28, hop limit 7: what is under no ICV
            check(a.ok(["ping", "-c5", "-i0.2", "-W2", "-Q", "0x28", "-t", "7", there]),
                  (pa.totals(), pb.totals()))
        capture.close()
        done = subprocess.run([SYSTEM_PYTHON, "-c", SCAPY, capture.path], text=True,
                              timeout=60 * PATIENCE, capture_output=True)
        good, wrong = map(int, done.stdout.split() or (0, -1))
        check(good >= 20 and wrong == 0, f"{good} good, {wrong} wrong {done.stderr[-800:]}")
        end(pa, pb)


# ---- with IKE ---------------------------------------------------------------------------------


def server_conf(proposal, mode="transport", vip=(VIP4, VIP6)):
    return conf_text([Rule(
        "protected", f'from vip "web" port {PROTECTED} to any proto udp mirrored',
        'proposal "p"; ' + secure(mode), SERVER_AUTH)], vip=vip,
        more=f'proposal "p" {{ {proposal} }}\n')


def client_conf(proposal, mode="transport", vips=(VIP4, VIP6)):
    return conf_text([Rule(
        f"protected{n}", f"from me to {vip} port {PROTECTED} proto udp mirrored",
        'proposal "p"; ' + secure(mode, vip if mode == "tunnel" else None), PEER_AUTH)
        for n, vip in enumerate(vips)], more=f'proposal "p" {{ {proposal} }}\n')


def serve(pair, conf, families=(4, 6)):
    pair.start_server(conf)
    pair.add_vip(families=families)
    pair.wait_bound()


def answered(pair, vip, size=0, more=0):
    """So many more answers than one, each to a probe of that size."""
    prober = Prober(pair.lab, [Stream(1, pair.c, vip, PROTECTED, 20, 0, size)])
    start_ms = now_ms()
    try:
        wait_until(lambda: len(prober.between(1, start_ms, now_ms())) > more, 20, "answers")
    finally:
        prober.close()


def between_daemons(tap, mode):
    with Lab() as lab:
        pair = Pair(lab)
        tap.on_failure = [lambda: pair.s.log("vipsecd.log")[-3000:]]
        serve(pair, server_conf("ah sha256;", mode))
        taps = [Tap(pair.switch.host, vip, [PROTECTED], ["p-s", "p-c"], esp=True)
                for vip in (VIP4, VIP6)]
        pair.start_client(client_conf("ah sha256;", mode))
        for vip in (VIP4, VIP6):
            with tap.case(f"{mode}, {vip}: answers, small and of 4,000 octets"):
                answered(pair, vip, more=5)
                answered(pair, vip, 4000)
        with tap.case(f"{mode}: all of it by AH"):
            for watch in taps:
                check(watch.seen("ah") and not watch.seen("udp", "esp"), watch.seen("udp"))
        with tap.case(f"{mode}: the SA is called what it is"):
            rows = pair.server.rows("child")
            check({(r["protocol"], r["algorithm"], r["encrypted"]) for r in rows}
                  == {("AH", "sha256", False)}, rows)
            for verb in ("status", "show child"):
                said = pair.s.out(f"vipsec {verb}")
                check(WORDS in said, said)
            said = pair.s.out(f"vipsec explain {CLIENT4} {VIP4} udp {PROTECTED}")
            check("integrity only, not encrypted" in said, said)
        with tap.case(f"{mode}: rekeyed and used"):
            before = {r["id"] for r in pair.server.rows("child")}
            pair.s.out("vipsec rekey child")
            wait_until(lambda: min(before) not in
                       {r["id"] for r in pair.server.rows("child")}, 10, "the old one to go")
            answered(pair, VIP4, more=5)
            answered(pair, VIP6, more=5)
            rows = pair.server.rows("child")
            check(not any(r["forged"] or r["replayed"] for r in rows), rows)
        for watch in taps:
            watch.close()


def one_of_both(tap):
    """The server accepts either, and would rather encrypt."""
    with Lab() as lab:
        pair = Pair(lab)
        serve(pair, server_conf("esp aes256gcm16; ah sha256;"))
        for proposal, protocol in (("esp aes256gcm16;", "ESP"), ("ah sha256;", "AH"),
                                   ("ah sha256; esp aes256gcm16;", "ESP")):
            with tap.case(f"ESP or AH here, {proposal} there: {protocol}"):
                pair.start_client(client_conf(proposal))
                answered(pair, VIP4)
                rows = pair.server.rows("child")
                check({r["protocol"] for r in rows} == {protocol}, rows)
                pair.client.stop()
                wait_until(lambda: not pair.server.rows("ike"), 10, "the SAs to go")


def behind_a_nat(tap):
    with Lab() as lab:
        pair = Pair(lab)
        pair.switch.host.ip("link add inner type bridge forward_delay 0 stp_state 0",
                            "link set inner up")
        make_nat_router(lab, pair.switch, f"{NAT}/24", "10.8.0.1/24", "inner")
        host = vipsec.make_host(lab, "in1")
        pair.switch.plug(host, "10.8.0.2/24", bridge="inner", gateway="10.8.0.1")
        client = vipsec.Vipsec(host)
        serve(pair, server_conf("ah sha256;", "tunnel", (VIP4,)), (4,))
        client.configure(client_conf("ah sha256;", "tunnel", (VIP4,)))
        client.start()
        prober = Prober(lab, [Stream(1, host, VIP4, PROTECTED, 100)])
        with tap.case("behind a NAT there is no AH, and each place says why"):
            wait_until(lambda: "a NAT is on the way" in host.log("vipsecd.log"), 15, "the line")
            wait_until(lambda: any("NAT" in p["reason"] for p in client.rows("peers")), 10,
                       "the reason")
            said = host.run("vipsec status", check=False).stdout
            check("a NAT is on the way, and AH, all that the proposal has, cannot pass it"
                  in said, said)
            check(not client.rows("child"), client.rows("child"))
        prober.close()


def body(tap):
    for mode in ("transport", "tunnel"):
        with tap.case(f"scapy finds each ICV right ({mode})"):
            oracle(tap, mode)
    for mode in ("transport", "tunnel"):
        between_daemons(tap, mode)
    one_of_both(tap)
    behind_a_nat(tap)


if __name__ == "__main__":
    main(body, vipsec.missing_programs)
