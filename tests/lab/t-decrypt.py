#!/usr/bin/env python3
"""Our IKE and our transport-mode ESP, read by tshark with the keys of a test build.
test-timeout: 120

tshark knows nothing of our code: that it finds AUTH payloads and the probes' ports in
what we sent shows that key derivation, framing and encryption are those of the RFCs.
"""

import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import vipsec
from vlab.capture import Capture, tshark
from vlab.cluster import find_program
from vlab.core import Lab, now_ms, wait_until
from vlab.pair import PROTECTED, SERVER_AUTH, VIP4, Pair, client_conf, server_conf
from vlab.probes import Prober, Stream
from vlab.tap import Skip, check, main
from vlab.vipsec import Rule, secure

KEYLOG_BUILD = os.environ.get("VIPSEC_KEYLOG_BUILDDIR", "")
SYSTEM_PYTHON = "/usr/bin/python3"  # the one that has Debian's scapy
KEY_LOG = "/run/vipsec-keys"
ESP_ALGORITHM = "AES-GCM with 16 octet ICV [RFC4106]"
PROBES = 20

# tshark 4.0 does not know extended sequence numbers, which are part of what is
# authenticated, so it decrypts and cannot verify; scapy does both.
SCAPY = """
import sys
from scapy.all import IP, UDP, rdpcap
from scapy.layers.ipsec import ESP, SecurityAssociation
lines = [line.split() for line in sys.stdin if line.startswith("esp ")]
keys = {int(word[1], 16): bytes.fromhex(word[5]) for word in lines}
good = wrong = 0
for packet in rdpcap(sys.argv[1]):
    if ESP not in packet:
        continue
    spi = packet[ESP].spi
    sa = SecurityAssociation(ESP, spi=spi, crypt_algo="AES-GCM", crypt_key=keys[spi],
                             esn_en=True, esn=0)
    try:
        inner = sa.decrypt(packet[IP].copy())
        good += int(sys.argv[2]) in (inner[UDP].sport, inner[UDP].dport)
    except Exception as error:
        print(error, file=sys.stderr)
        wrong += 1
print(good, wrong)
"""


def missing():
    if not KEYLOG_BUILD or not find_program(KEYLOG_BUILD, "vipsecd"):
        return "no build with --enable-key-log (make check-lab makes one)"
    return None


def decryption(host):
    """tshark's options for the keys that the host's daemon has written."""
    options = ["-o", "esp.enable_encryption_decode:TRUE"]
    for line in host.out(["cat", KEY_LOG]).splitlines():
        word = line.split()
        if word[0] == "esp":
            _, spi, source, to, algorithm, key = word
            check(algorithm.startswith("aes"), f"the test asks for AES-GCM, not {algorithm}")
            family = "IPv6" if ":" in source else "IPv4"
            options += ["-o", f'uat:esp_sa:"{family}","{source}","{to}","0x{spi}",'
                        f'"{ESP_ALGORITHM}","0x{key}","NULL",""']
        else:
            options += ["-o", f"uat:ikev2_decryption_table:{line}"]
    return options


def body(tap):
    with Lab() as lab:
        pair = Pair(lab, server=vipsec.make_host(lab, "s", KEYLOG_BUILD))
        pair.server.start_options = ["-k", KEY_LOG]
        pair.start_server(server_conf(vip=(VIP4,), rules=[
            Rule("protected", f'from vip "web" port {PROTECTED} to any proto udp mirrored',
                 'proposal "aes"; ' + secure(), SERVER_AUTH)]).replace(
            'secret "lab"', 'proposal "aes" { ike aes128gcm16-sha256-x25519; '
                            'esp aes128gcm16; }\nsecret "lab"'))
        pair.add_vip(families=(4,))
        pair.wait_bound()
        capture = Capture(pair.switch.host, "p-s")
        pair.start_client(client_conf(families=(4,)))
        prober = Prober(lab, [Stream(1, pair.c, VIP4, PROTECTED, 10)])
        start = now_ms()
        wait_until(lambda: len(prober.between(1, start, now_ms())) > PROBES, 20, "answers")
        prober.close()
        wait_until(lambda: now_ms() > start + 200, 5, "the capture to have it")
        capture.close()
        options = decryption(pair.s)

        with tap.case("tshark decrypts both IKE_AUTH messages and finds AUTH in each"):
            found = tshark(capture.path, *options, "-Y", "isakmp.exchangetype == 35",
                           "-T", "fields", "-e", "isakmp.auth.method")
            check(len(found) >= 2, f"{len(found)} messages with AUTH")
        with tap.case("tshark decrypts our transport-mode ESP, each way"):
            for field in ("udp.dstport", "udp.srcport"):
                found = tshark(capture.path, *options, "-Y", f"esp && {field} == {PROTECTED}",
                               "-T", "fields", "-e", field)
                check(len(found) >= PROBES, f"{len(found)} packets with {field} {PROTECTED}")
        with tap.case("scapy finds each integrity check value right, extended numbers included"):
            if not os.path.exists(SYSTEM_PYTHON) or subprocess.run(
                    [SYSTEM_PYTHON, "-c", "import scapy"], stderr=subprocess.DEVNULL).returncode:
                raise Skip("scapy is not installed")
            done = subprocess.run([SYSTEM_PYTHON, "-c", SCAPY, capture.path, str(PROTECTED)],
                                  input=pair.s.out(["cat", KEY_LOG]), text=True, timeout=60,
                                  capture_output=True)
            good, wrong = map(int, done.stdout.split() or (0, -1))
            check(good >= 2 * PROBES and wrong == 0,
                  f"{good} good, {wrong} wrong {done.stderr[-800:]}")
        with tap.case("a production build writes no keys"):
            done = pair.c.run("timeout 5 vipsecd -f -k /run/keys -c /etc/vipsec/vipsec.conf",
                              check=False)
            check(done.returncode not in (0, 124), done.stdout + done.stderr)


if __name__ == "__main__":
    main(body, missing)
