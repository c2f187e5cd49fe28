#!/usr/bin/env python3
"""A kernel that lacks what the configuration wants: a module that is not loaded, an algorithm, or
ESP altogether. The words say what to do, a fallback serves, and nothing opens.
test-timeout: 240

VLAB_PLANE=kernel: modules are taken away, which others in the machine need: it has it to itself.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import vipsec
from vlab.core import KERNEL, Lab, wait_until
from vlab.pair import PROTECTED, VIP4, Pair, server_conf
from vlab.probes import Prober, Stream
from vlab.shut import Shut, rule_of_server, works
from vlab.tap import check, main

ESP = "this kernel has no ESP for IPv4: load its module (modprobe esp4)"
GUARD = "nftables refused the guard's table"
CHACHA = "rfc7539esp(chacha20,poly1305), seqiv: load its module"


def has_esp(host):
    return host.ok("ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x1001 mode "
                   f"transport aead 'rfc4106(gcm(aes))' 0x{'42' * 20} 128")


def kernel_only(more=""):
    return vipsec.prefer_kernel(server_conf(rules=rule_of_server(), vip=(VIP4,),
                                            tuning={"on-exit": "open"}), more)


def serves(pair):
    pair.server.configure(kernel_only())
    pair.server.start()
    check(pair.server.json("status")["data"]["dataplane"]["name"] == "kernel", "it serves")
    pair.server.stop()


def lacking_one(tap, pair, stranger, what, words):
    """Begins and, since a good end opens, ends without a guard."""
    with tap.case(f"{what}: no start, words that say what to do, and nothing opens"):
        works(stranger)  # in clear: nobody protects it yet
        pair.server.configure(kernel_only())
        done = pair.s.run("vipsecd -f -c /etc/vipsec/vipsec.conf -s /var/lib/vipsec",
                          check=False)
        shut = Shut(pair)
        check(done.returncode == 69 and words in done.stderr, done)
        shut.end()
        check("vipsec" in pair.s.out("nft list tables"), "the guard stands")
    with tap.case(f"{what}: with a fallback the other plane serves, and status says why"):
        pair.server.configure(kernel_only("fallback userspace;"))
        pair.server.start()
        try:
            shut = Shut(pair)
            plane = pair.server.json("status")["data"]["dataplane"]
            check(plane["name"] == "userspace" and words in plane["note"], plane)
            shut.end()
        finally:
            pair.server.stop()


class Unloaded:
    """Modules are gone, and do not come by themselves."""

    def __init__(self, host, *modules):
        self.host = host
        self.before = host.out("cat /proc/sys/kernel/modprobe").strip()
        host.run("echo /bin/false >/proc/sys/kernel/modprobe")
        # SAs of a lab that has just ended may hold them for a moment.
        wait_until(lambda: host.ok(["modprobe", "-r", *modules]), 20, f"{modules} to go")

    def end(self):
        self.host.run(f"echo {self.before} >/proc/sys/kernel/modprobe")


def lacking(tap, pair, stranger):
    """Debian's kernel has all of it, but for what is taken away and cannot come back."""
    if not KERNEL and not has_esp(pair.s):
        lacking_one(tap, pair, stranger, "a kernel without ESP", ESP)
        return
    if not KERNEL:
        with tap.case("a kernel with ESP: nothing is lacking"):
            serves(pair)
        return
    pair.server.configure(kernel_only())
    pair.server.start()  # what nftables needs is loaded then
    pair.server.stop()
    for what, modules, words in (
            ("a module that is not loaded", ("esp4_offload", "esp4"), ESP),
            ("a kernel without an algorithm", ("chacha20poly1305",), CHACHA),
            ("a kernel whose filters know no SAs", ("nft_xfrm",), GUARD)):
        gone = Unloaded(pair.s, *modules)
        try:
            lacking_one(tap, pair, stranger, what, words)
            with tap.case(f"{what}: loaded by hand, the daemon starts"):
                pair.s.run(["modprobe", modules[-1]])
                serves(pair)
        finally:
            gone.end()


def body(tap):
    with Lab() as lab:
        pair = Pair(lab)
        tap.on_failure.append(lambda: pair.s.log("vipsecd.log")[-3000:])
        pair.add_vip(families=(4,))
        stranger = Prober(lab, [Stream(1, pair.x, VIP4, PROTECTED, 50)], name="stranger")
        lacking(tap, pair, stranger)
        stranger.close()


if __name__ == "__main__":
    main(body, vipsec.missing_programs)
