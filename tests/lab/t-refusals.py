#!/usr/bin/env python3
"""Bad input: what does not fit is refused, said once and clearly, and leaves no SA.
test-timeout: 120
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import vipsec
from vlab.core import KERNEL, Lab, now_ms, wait_until
from vlab.pair import (CLIENT4, PEER_AUTH, PROTECTED, SERVER_AUTH, VIP4, Pair, server_conf)
from vlab.probes import Prober, Stream
from vlab.tap import check, main
from vlab.vipsec import Rule, conf_text, secure

PROPOSALS = ('proposal "small" { ike aes128gcm16-sha256-x25519; esp aes128gcm16; }\n'
             'proposal "large" { ike aes256gcm16-sha384-ecp256; esp aes256gcm16; }\n')

GARBAGE = """
import random, socket, sys
random.seed(7)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for port in (500, 4500):
    for length in (0, 1, 4, 27, 28, 29, 60, 400, 1400):
        for _ in range(20):
            s.sendto(random.randbytes(length), (sys.argv[1], port))
"""


def one_rule(side, action, filter_=None):
    if side == "server":
        return conf_text([Rule("r", filter_ or f'from vip "web" port {PROTECTED} to any '
                               'proto udp mirrored', action, SERVER_AUTH)],
                         vip=(VIP4,), more=PROPOSALS)
    return conf_text([Rule("r", filter_ or f"from me to {VIP4} port {PROTECTED} proto udp "
                           "mirrored", action, PEER_AUTH)], more=PROPOSALS)


def refused(tap, what, server, client, words, psk=None):
    """No SA, no traffic, and a line on each side with the peer, the VIP and a reason."""
    with tap.case(f"{what}: no SA, and one clear line on each side"), Lab() as lab:
        pair = Pair(lab)
        pair.server.configure(server)
        pair.server.start()
        pair.add_vip(families=(4,))
        pair.wait_bound()
        pair.client.configure(client, psk or vipsec.PSK)
        pair.client.start()
        prober = Prober(lab, [Stream(1, pair.c, VIP4, PROTECTED, 20)])

        def lines(host, peer):
            return [line for line in host.log("vipsecd.log").splitlines()
                    if peer in line and any(w in line.lower() for w in words)]
        try:
            wait_until(lambda: lines(pair.s, CLIENT4) and lines(pair.c, VIP4), 10,
                       f"a line with one of {words} on both sides: "
                       + pair.s.log("vipsecd.log")[-1500:] + pair.c.log("vipsecd.log")[-1500:])
        finally:
            prober.close()
        check(not prober.replies[1], "no answer")
        check(not pair.server.rows("child") and not pair.client.rows("child"), "no child SA")
        check(len(lines(pair.s, CLIENT4)) <= 6, lines(pair.s, CLIENT4))


def checks(tap, host):
    daemon = vipsec.Vipsec(host)

    def check_text(text):
        daemon.configure(text)
        return daemon.ctl("check", "/etc/vipsec/vipsec.conf")
    with tap.case("check takes a good configuration"):
        done = check_text(server_conf())
        check(done.returncode == 0, done.stdout + done.stderr)
    with tap.case("check refuses equal selectors with different actions, with file and line"):
        same = f'from vip "web" port {PROTECTED} to any proto udp mirrored'
        done = check_text(conf_text([Rule("a", same, secure(), SERVER_AUTH),
                                     Rule("b", same)], vip=(VIP4,)))
        check(done.returncode != 0, "accepted")
        check("vipsec.conf:" in done.stdout + done.stderr, done.stdout + done.stderr)
    with tap.case("check refuses what a later release brings, by its name"):
        done = check_text(one_rule("server", "negotiate request; mode transport;"))
        check(done.returncode != 0 and "request" in done.stdout + done.stderr,
              done.stdout + done.stderr)


def missing_parts(tap, host):
    daemon = vipsec.Vipsec(host)
    daemon.configure(server_conf())
    run = "timeout 10 vipsecd -f -c /etc/vipsec/vipsec.conf -s /var/lib/vipsec"
    tun = ("the TUN device", f"unshare -m sh -c 'mount -t tmpfs t /dev/net && {run}'", "tun")
    for what, command, word in (
            *(() if KERNEL else (tun,)),
            ("CAP_NET_ADMIN", f"setpriv --bounding-set -net_admin --inh-caps -net_admin {run}",
             "net_admin")):
        with tap.case(f"without {what} the daemon does not start, and says which"):
            done = host.run(command, check=False)
            text = (done.stdout + done.stderr).lower()
            check(done.returncode not in (0, 124), f"{done.returncode} {text}")
            check(word in text, text)


def body(tap):
    good = one_rule("server", secure())
    refused(tap, "wrong pre-shared key", good, one_rule("client", secure()), ("auth", "key"),
            psk="another word, of good length too")
    refused(tap, "no common proposal", one_rule("server", 'proposal "large"; ' + secure()),
            one_rule("client", 'proposal "small"; ' + secure()), ("proposal",))
    refused(tap, "no matching selector", one_rule(
        "server", secure(), f'from vip "web" port {PROTECTED + 9} to any proto udp mirrored'),
        one_rule("client", secure()), ("selector", "no rule covers"))
    with Lab() as lab:
        pair = Pair(lab)
        checks(tap, pair.c)
        missing_parts(tap, pair.c)
        pair.start_server()
        tap.on_failure.append(lambda: pair.s.log("vipsecd.log")[-3000:])
        with tap.case("a configured VIP that never appears is shown as absent"):
            check(pair.server.vip_state("web") == "absent", pair.server.vip_state("web"))
        pair.add_vip()
        pair.wait_bound()
        with tap.case("garbage is dropped and counted, and traffic goes on"):
            pair.start_client()
            prober = Prober(lab, [Stream(1, pair.c, VIP4, PROTECTED)])
            prober.wait_reply(1, now_ms(), 10)
            before = sum(pair.server.json("status")["data"]["ike"].values())
            pair.x.run([sys.executable, "-c", GARBAGE, VIP4])
            wait_until(lambda: sum(pair.server.json("status")["data"]["ike"].values())
                       > before + 50, 5, "counters")
            prober.wait_reply(1, now_ms(), 5)
            prober.close()
            check(len(pair.server.rows("ike")) == 1, "no SA of a stranger")
        with tap.case("a bad reload leaves the running configuration in force"):
            pair.server.configure("this is no configuration {")
            check(pair.server.ctl("reload").returncode != 0, "reload accepted it")
            check(pair.server.vip_state("web") == "bound", "still bound")
            prober = Prober(lab, [Stream(1, pair.c, VIP4, PROTECTED)])
            prober.wait_reply(1, now_ms(), 5)
            prober.close()


if __name__ == "__main__":
    main(body, vipsec.missing_programs)
