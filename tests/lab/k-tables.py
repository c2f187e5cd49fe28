#!/usr/bin/env python3
"""The kernel's tables are what `vipsec show` says: after moves, after crashes of the daemon, and
over a link that loses and delays. Nothing of the kernel plane is left behind, nothing is missing.
test-timeout: 240
"""

import os
import re
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import vipsec, xfrm
from vlab.core import KERNEL, Lab, LabError, now_ms, wait_until
from vlab.pair import PROTECTED, VIP4, Pair, client_conf, server_conf
from vlab.probes import Prober, Stream, start_echo
from vlab.tap import check, main

MOVES, CRASHES = 50, 10
STREAM = 1
PORTS = ("p-s", "p-s2", "p-c")
LOSSY = "netem loss 5% delay 15ms 5ms"


REQID_ASK = 0x76ffffff  # no SA has it: it makes the kernel ask


def kernel_sas(host):
    """(from, to, protocol, SPI, mode) of every SA, as ip(8) tells; larval ones have no SPI."""
    found = re.findall(r"^src (\S+) dst (\S+)\n\s+proto (\S+) spi 0x([0-9a-f]+) .*mode (\S+)",
                       host.out("ip xfrm state list"), re.M)
    return sorted(sa for sa in found if int(sa[3], 16))


def shown_sas(daemon):
    """The same of all children, both ways."""
    out = []
    for row in daemon.rows("child"):
        local, remote = (row[key].rsplit(":", 1)[0] for key in ("local", "remote"))
        for *ends, spi in ((remote, local, row["spi_in"]), (local, remote, row["spi_out"])):
            out.append((*ends, row["protocol"].lower(), f"{int(spi, 16):08x}", row["mode"]))
    return sorted(out)


def reqids(host):
    """Of SAs, and of what policies lead to."""
    there = re.findall(r"spi 0x(?!00000000)\S+ reqid (\d+)", host.out("ip xfrm state list"))
    led_to = re.findall(r" reqid (\d+)", host.out("ip xfrm policy list"))
    return set(map(int, there)), set(map(int, led_to)) - {REQID_ASK}


def kernel_policies(host):
    """Without the sockets' own, which is how IKE passes."""
    return sorted(re.sub(r"\s+", " ", text) for text in re.findall(
        r"^src \S+ dst \S+.*\n\s+dir (?:in|out|fwd) .*", host.out("ip xfrm policy list"), re.M))


class World:
    """Two servers that have the VIP by turns, and a client that never stops asking."""

    def __init__(self, lab):
        self.pair = pair = Pair(lab)
        second = vipsec.make_host(lab, "s2")
        pair.switch.plug(second, "10.9.0.3/24")
        start_echo(second, PROTECTED)
        self.servers = [(pair.s, pair.server), (second, vipsec.Vipsec(second))]
        for _, daemon in self.servers:
            daemon.configure(server_conf(vip=(VIP4,)))
            daemon.start()
        pair.start_client(client_conf(families=(4,)))
        pair.add_vip(self.owner, families=(4,))
        self.prober = Prober(lab, [Stream(STREAM, pair.c, VIP4, PROTECTED, 20)])
        self.answered()
        self.at_rest = {daemon: kernel_policies(host) for host, daemon in self.ends}

    @property
    def owner(self):
        return self.servers[0][0]

    @property
    def ends(self):
        """Who has the VIP, who has it not, the client."""
        return [*self.servers, (self.pair.c, self.pair.client)]

    def answered(self, since_ms=None):
        since_ms = now_ms() if since_ms is None else since_ms
        self.prober.wait_reply(STREAM, since_ms, 30, node=self.owner.name)

    def move(self):
        start = now_ms()
        self.pair.remove_vip(self.owner, families=(4,))
        self.servers.reverse()
        self.pair.add_vip(self.owner, families=(4,))
        self.answered(start)

    def crash(self, daemon, host):
        host.signal("vipsecd", signal.SIGKILL)
        daemon.process.wait(timeout=20)
        daemon.start(timeout=60)
        self.answered()

    def settle(self):
        """Every table agrees with its daemon at one and the same look."""
        for host, daemon in self.ends:
            seen = {}

            def agree(host=host, daemon=daemon, seen=seen):
                seen.update(show=shown_sas(daemon), kernel=kernel_sas(host))
                return seen["show"] == seen["kernel"] == shown_sas(daemon)
            try:
                wait_until(agree, 20, f"the tables of {host.name}", step=0.2)
            except LabError as why:
                raise AssertionError(f"{why}: {seen}") from None

    def hold(self, tap, what):
        with tap.case(f"{what}: each kernel has the SAs that `vipsec show child` names, no others"):
            self.settle()
            counts = [len(kernel_sas(host)) for host, _ in self.ends]
            check(counts == [2, 0, 2], f"the owner, the other, the client: {counts}")
        with tap.case(f"{what}: policies lead to each SA, and to nothing else"):
            for host, _ in self.ends:
                there, led_to = reqids(host)
                check(there == led_to, f"{host.name}: {there} {led_to}")
        with tap.case(f"{what}: every SA and policy in it is marked as ours"):
            for host, _ in self.ends:
                check(xfrm.sas(host) == len(kernel_sas(host)), host.name)
                check(xfrm.policies(host) == len(kernel_policies(host)), host.name)
        with tap.case(f"{what}: the policies are those of before"):
            owner, other = self.servers[0][1], self.servers[1][1]
            first = max(self.at_rest[owner], self.at_rest[other], key=len)
            check(kernel_policies(self.owner) == first, f"{kernel_policies(self.owner)}: {first}")
            left = kernel_policies(self.servers[1][0])
            check(len(left) < len(first) and all(VIP4 not in p for p in left), left)
            client = kernel_policies(self.pair.c)
            check(client == self.at_rest[self.pair.client], client)


def lossy_link(world, tap):
    """Through loss and delay the handshake, a rekey of either kind and a move are made."""
    switch = world.pair.switch.host
    for port in PORTS:
        switch.run(f"tc qdisc add dev {port} root {LOSSY}")
    with tap.case("loss and delay on the link: a move, and the traffic comes back"):
        world.move()
    for kind in ("child", "ike"):
        with tap.case(f"loss and delay on the link: a rekey ({kind}), and traffic goes on"):
            before = world.pair.client.rows(kind)
            world.pair.client.ctl("rekey", kind, check=True)
            wait_until(lambda kind=kind, before=before: len(now := world.pair.client.rows(kind))
                       == 1 and now[0] != before[0], 30, "the new one alone")
            world.answered()
    with tap.case("loss and delay on the link: it did lose packets"):
        # Of the stream of probes alone, until a move and two rekeys are done, one in twenty.
        lost = [int(n) for n in re.findall(r"dropped (\d+)", switch.out("tc -s qdisc show"))]
        check(sum(lost) > 0, lost)
    for port in PORTS:
        switch.run(f"tc qdisc del dev {port} root")
    world.hold(tap, "after the lossy link")


def body(tap):
    with Lab() as lab:
        world = World(lab)
        tap.on_failure.append(lambda: "".join(
            f"--- {h.name}\n" + h.log("vipsecd.log")[-2500:] for h, _ in world.ends))
        world.hold(tap, "at first")
        with tap.case(f"{MOVES} moves, and each time the traffic comes back"):
            for _ in range(MOVES):
                world.move()
        world.hold(tap, f"after {MOVES} moves")
        lab.keep_tables(f"after {MOVES} moves")
        with tap.case(f"{CRASHES} crashes of a daemon, the owner's and the client's by turns"):
            for number in range(CRASHES):
                host, daemon = world.ends[2] if number % 2 else world.servers[0]
                world.crash(daemon, host)
        world.hold(tap, f"after {CRASHES} crashes")
        lab.keep_tables(f"after {CRASHES} crashes")
        lossy_link(world, tap)
        world.prober.close()


def missing():
    return vipsec.missing_programs() or (
        None if KERNEL else "for the kernel plane: make check-kernel")


if __name__ == "__main__":
    main(body, missing)
