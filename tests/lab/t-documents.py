#!/usr/bin/env python3
"""Every command that the documents tell a reader to give is given, and answers as they say.
test-timeout: 120

The README's own configurations are in force meanwhile. A command that is added to a
document, or taken out, has to be added here, or taken out.
"""

import glob
import json
import os
import re
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import vipsec
from vlab.core import SOURCE, Lab, wait_until
from vlab.net import Switch
from vlab.sockets import serve_tcp, tcp_round_trip
from vlab.tap import check, main
from vlab.vipsec import Vipsec

VIP, CLIENT, STRANGER, PORT = "192.0.2.10", "198.51.100.7", "192.0.2.99", 143
PROGRAMS = "vipsec|vipsecd|nft|tcpdump"


def text_of(path):
    with open(f"{SOURCE}/{path}") as file:
        return file.read()


# --- what the documents say -----------------------------------------------------------

def commands():
    """All commands in code lines and code words, without their comments."""
    found = set()
    for path in ("README.md", *(f"docs/{os.path.basename(p)}"
                                for p in glob.glob(f"{SOURCE}/docs/*.md"))):
        text = text_of(path)
        found |= set(re.findall(rf"^    ((?:{PROGRAMS}) .*)$", text, re.MULTILINE))
        found |= set(re.findall(rf"`((?:{PROGRAMS}) [^`]*)`", text))
    for path in glob.glob(f"{SOURCE}/docs/man/*"):
        found |= set(re.findall(rf"^\.(?:Dl|Pq Li|Cm|Ic|Li) ((?:{PROGRAMS}) [^,;\n]*)",
                                text_of(f"docs/man/{os.path.basename(path)}"), re.MULTILINE))
    return {re.sub(r"\s+# .*$", "", command).strip() for command in found}


def verbs_of_manual():
    """The verbs of vipsec(8), in its own words."""
    heads = re.findall(r"^\.It Cm (.*)$", text_of("docs/man/vipsec.8"), re.MULTILINE)
    return {re.sub(r"\b(Cm|Op|Oo|Oc|Ar|Fl)\b *", "", head).strip() for head in heads}


def configurations():
    """Server's and client's, of the README; without the cluster, which is not here."""
    server, client = re.findall(r"^```vipsec\n(.*?)^```$", text_of("README.md"),
                                re.MULTILINE | re.DOTALL)
    alone = re.sub(r"cluster \{[^}]*\}", "cluster { backend none; }", server)
    check(alone != server and "backend corosync" in server, "the README's first is a node's")
    return alone, client


# --- what comes of them ---------------------------------------------------------------

class World:
    """The README's cluster and client, as one server and one client."""

    def __init__(self, lab):
        self.switch = Switch(lab)
        self.s, self.c = vipsec.make_host(lab, "s"), vipsec.make_host(lab, "c")
        self.switch.plug(self.s, "192.0.2.2/24")
        self.switch.plug(self.c, f"{CLIENT}/24")
        self.x = lab.host("x")
        self.switch.plug(self.x, f"{STRANGER}/24")
        self.s.ip("route add 198.51.100.0/24 dev eth0")
        self.c.ip("route add 192.0.2.0/24 dev eth0")
        self.server, self.client = Vipsec(self.s), Vipsec(self.c)
        for daemon, text in zip((self.server, self.client), configurations()):
            daemon.configure(text)
            daemon.start()
        self.s.ip(f"addr add {VIP}/24 dev eth0")
        wait_until(lambda: self.server.vip_state("mail") == "bound", 10, "the VIP")
        serve_tcp(self.s, PORT)

    def traffic(self):
        words = tcp_round_trip(self.c, VIP, PORT, 1 << 16)
        check(words[0] == "same", words)

    def give(self, command, status=0):
        done = self.s.run(command, check=False)
        check(done.returncode == status,
              f"{command}: {done.returncode}, not {status}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr


def says(*words):
    """The command succeeds, and what it prints has these in it."""
    def look(world, command):
        text = world.give(command)
        for word in words:
            check(re.search(word, text), f"{command}: no /{word}/ in: {text}")
    return look


def given(real, *words, status=0):
    """The same of a command whose document leaves something to the reader."""
    def look(world, _):
        text = world.give(real, status)
        for word in words:
            check(re.search(word, text), f"{real}: no /{word}/ in: {text}")
    return look


def gives_json(real):
    def look(world, _):
        answer = json.loads(world.give(real))
        check(answer["schema"] == 1 and answer["code"] == 0, answer)
    return look


def dumped(world, command):
    """What tcpdump says at the server, as it comes: only that is added to the command."""
    at_once = command.replace("tcpdump ", "tcpdump -l --immediate-mode ", 1)
    child = world.s.spawn(at_once, "tcpdump.log")
    wait_until(lambda: "listening on" in world.s.log("tcpdump.log"), 10, "tcpdump")

    def end():
        world.s.signal("tcpdump", signal.SIGINT)
        child.wait(timeout=10)
        os.unlink(f"{world.s.dir}/tcpdump.log")
    return lambda: world.s.log("tcpdump.log").splitlines(), end


def shows_nothing(world, command):
    """Of the client; a stranger's packet shows that something would be seen."""
    lines, end = dumped(world, command)
    world.traffic()
    tcp_round_trip(world.x, VIP, PORT, 256)
    wait_until(lambda: any(STRANGER in line for line in lines()), 10, "the stranger's packet")
    check(not any(CLIENT in line for line in lines()), lines()[:10])
    end()


def shows_esp(world, command):
    lines, end = dumped(world, command)
    world.traffic()
    for way in (f"{CLIENT} > {VIP}: ESP", f"{VIP} > {CLIENT}: ESP"):
        wait_until(lambda w=way: any(w in line for line in lines()), 10, way)
    check(not any(STRANGER in line for line in lines()), lines()[:10])
    end()


def guard_comes_back(world, command):
    world.give(command)
    wait_until(lambda: "vipsec" in world.s.out("nft list tables"), 5, "the guard")


def guard_goes_for_good(world, command):
    """Said of a machine where the daemon has ended."""
    world.server.stop()
    check("vipsec" in world.s.out("nft list tables"), "it stays when the daemon ends")
    world.give(command)
    check("vipsec" not in world.s.out("nft list tables"), "it is gone")
    world.server.start()


COMMANDS = {
    "vipsec status": says(r"mail", CLIENT, r"aes|AES", r"octets|bytes|B\b"),
    "vipsec show child": says(r"mail", CLIENT),
    "vipsec show ike": says(CLIENT),
    f"vipsec explain {CLIENT} {VIP} tcp {PORT}": says(r"negotiate", r"mail"),
    "nft list table inet vipsec": says(r"table inet vipsec", re.escape(VIP), r"drop"),
    f"tcpdump -ni eth0 'host {VIP} and tcp port {PORT}'": shows_nothing,
    f"tcpdump -ni eth0 'host {VIP} and (esp or udp port 4500)'": shows_esp,
    "vipsec check /etc/vipsec/vipsec.conf": says(),
    "vipsec doctor": says(r"ok +daemon +vipsecd answers", r"ok +guard", r"ok +firewall"),
    "vipsec doctor --json": gives_json("vipsec --json doctor"),
    "vipsec tune nlbs-flags 1": says(),
    "vipsec tune KEY VALUE": given("vipsec tune idle-timeout-failover 30s"),
    "vipsec tune KEY default": given("vipsec tune idle-timeout-failover default"),
    "vipsec explain": given(f"vipsec explain {CLIENT} {VIP} udp 53", r"permit"),
    "vipsec up": says(),
    "vipsec drain mail to 192.0.2.20": says("drained to 192.0.2.20"),
    "vipsec show vip": says("mail", "drained to 192.0.2.20", "1 left"),
    "vipsec undrain mail": says("not drained any more"),
    "vipsec down": given("vipsec down host", status=1),
    "vipsec vip bind": given("vipsec vip bind mail"),
    "vipsec --json": gives_json("vipsec --json status"),
    "vipsec check --json": given("vipsec check --json"),
    "vipsecd -k": given("vipsecd -k /run/keys -r /run/other", "--enable-key-log", status=78),
    "vipsec flush --json": gives_json("vipsec --json flush"),
    "vipsec flush": given("vipsec flush", "nothing of vipsec's"),
    "nft flush ruleset": guard_comes_back,
    "nft delete table inet vipsec": guard_goes_for_good,
}

# Of vipsec(8): the head of an entry, and what to give.
VERBS = {
    "status": [["status"]],
    "show ike | child | vip | peers | rule | names": [
        ["show", what] for what in ("ike", "child", "vip", "peers", "rule", "names", "mmsas",
                                    "qmsas")],
    "events -follow": [["events"], ["--json", "events"]],
    "vip bind name": [["vip", "bind", "mail"]],
    "vip unbind name": [["vip", "unbind", "mail"], ["vip", "bind", "mail"]],
    "vip status name": [["vip", "status", "mail"]],
    "up vip rule peer": [["up"], ["up", "mail"], ["up", "mail", "mail", CLIENT]],
    "rekey ike | child vip rule peer": [
        ["rekey", "ike"], ["rekey", "child", "mail"], ["rekey", "child", "mail", "mail", CLIENT]],
    "down vip rule peer": [["down", "mail", "mail", CLIENT], ["down"]],
    "tune setting value": [["tune", "idle-lifetime", "2h"], ["tune", "idle-lifetime", "default"]],
    "drain vip to address": [["drain", "mail", "to", "192.0.2.20,2001:db8::20"],
                             ["show", "vip"]],
    "undrain vip": [["undrain", "mail"]],
    "reload": [["reload"]],
    "check file": [["check", "/etc/vipsec/vipsec.conf"]],
    "doctor file": [["doctor"], ["doctor", "/etc/vipsec/vipsec.conf"]],
    "explain src dst proto sport dport": [
        ["explain", CLIENT, VIP, "tcp", PORT], ["explain", CLIENT, VIP, "tcp", 40000, PORT]],
    "explain src dst icmp | icmpv6 type code": [["explain", CLIENT, VIP, "icmp", 8, 0]],
    "flush open": [["flush"], ["--json", "flush"], ["flush", "open"]],
    "ping": [["ping"]],
    "log level level": [["log", "level", "debug"], ["log", "level", "info"]],
}


def body(tap):
    with tap.case("the commands of the documents are those that are tried here"):
        check(commands() == set(COMMANDS),
              f"not tried: {commands() - set(COMMANDS)}; in no document: "
              f"{set(COMMANDS) - commands()}")
    with tap.case("so are the verbs of vipsec(8)"):
        check(verbs_of_manual() == set(VERBS), verbs_of_manual() ^ set(VERBS))
    with Lab() as lab:
        world = World(lab)
        tap.on_failure.append(lambda: world.s.log("vipsecd.log")[-2500:])
        with tap.case("the README's configurations carry traffic"):
            world.traffic()
        for command, look in COMMANDS.items():
            with tap.case(command):
                look(world, command)
        world.client.stop()
        world.client.start()
        for entries in VERBS.values():
            for words in entries:
                with tap.case("vipsec " + " ".join(map(str, words))):
                    world.give(["vipsec", *words])


if __name__ == "__main__":
    main(body, vipsec.missing_programs)
