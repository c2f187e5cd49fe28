#!/usr/bin/env python3
"""The README, done as it is written there: configurations, recipe, and every command.
test-timeout: 180

Two nodes and a client with the addresses of the README's example. What is run is cut out of
README.md: what is wrong there fails here.
"""

import os
import re
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))

from vlab import vipsec
from vlab.cluster import Cluster
from vlab.core import SOURCE, Lab, wait_until
from vlab.sockets import serve_tcp, tcp_round_trip
from vlab.tap import check, main
from vlab.vipsec import Vipsec, write_conf

VIP, CLIENT = "192.0.2.10", "198.51.100.7"
PORT = 143
INSTALLED = {"@sbindir@": "/usr/sbin", "@sysconfdir@": "/etc", "@localstatedir@": "/var"}

with open(os.path.join(SOURCE, "README.md")) as readme:
    README = readme.read()


def block(kind, word):
    """The fenced block of this kind with this word in it."""
    return next(text for text in re.findall(rf"^```{kind}\n(.*?)^```", README, re.M | re.S)
                if word in text)


def commands(start):
    """The indented commands that begin with these words, without their comments."""
    found = [line.split(" #")[0].strip() for line in README.splitlines()
             if line.startswith("    " + start)]
    check(found, f"the README has no command {start}")
    return found


def figureless(text):
    """Durations, sizes and the owner go: they differ each time."""
    return re.sub(r"\b[0-9.]+ ?(ms|s|m|B|kB|MB)\b|\bowner [0-9]+", "FIGURE", text)


def install_agents(lab):
    """As the README's configure installs them: below /usr, /etc and /var."""
    for name in ("daemon", "vip"):
        with open(f"{SOURCE}/resource-agent/{name}.in") as file:
            text = file.read()
        for word, path in INSTALLED.items():
            text = text.replace(word, path)
        with open(f"{lab.dir}/agents/{name}", "w") as file:
            file.write(text)


class Example:
    def __init__(self, lab):
        self.cluster = Cluster(lab, service=("", ""), vip=VIP)
        self.cluster.on_boot = self._prepare_node
        self.client = vipsec.make_host(lab, "c1")
        install_agents(lab)
        self.cluster.switch.plug(self.client, f"{CLIENT}/24")
        self.client.ip("route add 192.0.2.0/24 dev eth0")
        self.secret = ""

    def _prepare_node(self, host):
        host.ip(f"addr add 192.0.2.{host.name[1:]}/24 dev eth0",
                "route add 198.51.100.0/24 dev eth0")
        write_conf(f"{host.dir}/etc-vipsec", block("vipsec", "backend corosync"), self.secret)
        serve_tcp(host, PORT)

    def make_secret(self):
        self.client.run("set -e\n" + block("sh", "/etc/vipsec/secrets"))
        self.secret = self.client.out("cat /etc/vipsec/secrets/lab").strip()

    def owner(self):
        return self.cluster.nodes[self.cluster.active()]

    def talk(self):
        return tcp_round_trip(self.client, VIP, PORT, 65536)[0]


def prepare(tap, example):
    cluster = example.cluster
    with tap.case("the secret is made as written, and the client's configuration is good"):
        example.make_secret()
        mode = example.client.out("stat -c %a /etc/vipsec/secrets/lab").strip()
        check(mode == "600" and len(example.secret) >= 16, f"mode {mode}, {example.secret!r}")
        with open(f"{example.client.dir}/etc-vipsec/vipsec.conf", "w") as file:
            file.write(block("vipsec", "backend none"))
        example.client.run(commands("vipsec check")[0])
    with tap.case("the nodes' configuration is good, without a warning"):
        for name in cluster.names:
            cluster.start(name)
        said = cluster.nodes["n1"].run("vipsec check /etc/vipsec/vipsec.conf")
        check("warning" not in said.stdout + said.stderr, said.stdout + said.stderr)
        cluster.settle()
    with tap.case("the recipe for pcs, pasted into a running cluster, brings the VIP up"):
        cluster.nodes["n1"].run("set -e\n" + block("sh", "ocf:vipsec:vip"))
        wait_until(cluster.active, 30, "the VIP")
        cluster.settle()
        wait_until(lambda: Vipsec(example.owner()).vip_state("mail") == "bound", 10, "bound")
    with tap.case("the client talks to the VIP, and it is protected"):
        Vipsec(example.client).start()
        check(example.talk() == "same", "65,536 octets there and back")
        check(Vipsec(example.owner()).rows("child"), "an SA on the owner")


def commands_work(tap, example):
    node = example.owner()
    for start in ("vipsec status", "vipsec show child", "vipsec explain", "nft list table"):
        with tap.case(f"{start}: works as written"):
            for line in commands(start):
                done = node.run(line)
                tap.note(f"$ {line}\n{done.stdout.rstrip()[:1500]}")
                check(done.stdout.strip(), f"{line} prints something")
    for command, word in (("vipsec status", "virtual IPs:"), ("vipsec explain", "negotiate")):
        with tap.case(f"{command} prints what the README shows, but for the figures"):
            printed = figureless(node.out(commands(command)[0]))
            for line in block("text", word).splitlines():
                check(figureless(line) in printed, f"{line}: not in {printed}")
    with tap.case("on the wire: the first tcpdump sees nothing, the second the traffic"):
        clear, protected = commands("tcpdump")
        seen = node.spawn(["/bin/sh", "-c", f"exec {clear} >/run/clear 2>/run/clear.err"], "td.out")
        wait_until(lambda: node.ok("grep -q listening /run/clear.err"), 10, "tcpdump")
        node.spawn(["/bin/sh", "-c", f"exec {protected} -l >/run/esp 2>/run/esp.err"], "td.out")
        wait_until(lambda: node.ok("grep -q listening /run/esp.err"), 10, "tcpdump")
        check(example.talk() == "same", "traffic")
        wait_until(lambda: node.ok("test -s /run/esp"), 10, "protected packets on the wire")
        node.signal("tcpdump", signal.SIGTERM)
        seen.wait(timeout=10)
        in_clear = node.out("cat /run/clear").strip()
        check(not in_clear, f"packets in clear: {in_clear}")


def knob_works(tap, example):
    node = example.owner()
    pid = node.pidof("vipsecd")
    with tap.case("the knob: in the resource and at run time, without a restart"):
        for line in commands("pcs resource update"):
            node.run(line)
        for host in example.cluster.nodes.values():
            wait_until(lambda: Vipsec(host).tuning("nlbs_flags") == 1, 20, "nlbs_flags 1")
        for line in commands("vipsec tune"):
            node.run(line)
        example.cluster.settle()
        check(node.pidof("vipsecd") == pid, "the same process")
        check(example.talk() == "same", "traffic")
    with tap.case("a move by pcs, and the client is back on the other node"):
        old = example.cluster.active()
        node.run("pcs resource move mail")
        wait_until(lambda: example.cluster.active() not in (None, old), 30, "the VIP to move")
        wait_until(lambda: Vipsec(example.owner()).rows("child"), 20, "SAs on the new owner")
        check(example.talk() == "same", "traffic")


def body(tap):
    with Lab() as lab:
        example = Example(lab)
        tap.on_failure.append(example.cluster.logs)
        prepare(tap, example)
        commands_work(tap, example)
        knob_works(tap, example)


def missing():
    return vipsec.missing_for_cluster() or (
        None if os.path.exists("/usr/sbin/pcs") else "pcs is not installed")


if __name__ == "__main__":
    main(body, missing)
