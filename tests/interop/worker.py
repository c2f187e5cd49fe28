#!/usr/bin/env python3
"""Runs the benches of one place (here, or inside a virtual machine), one after another.

    worker.py PLACE PKI OUT [--setting KEY]... [--auth NAME]... [--scenario NAME]...

Results go, a line each, to OUT/PLACE.results; the log of a cell that failed to OUT/logs.
"""

import argparse
import os
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

import bench
import links
from cells import (AUTHS, FAIL, IN_MACHINE, NOT_THERE, PASS, ROLES, SCENARIOS, SETTINGS, Cell,
                   Result, to_line, variant_of)
from libre import Libre
from ours import Ours
from pki import Pki
from scenarios import RUN, TROUBLE, Failed, Talk
from swan import Swan
from traffic import Echo, Flow
from vlab.core import Lab, LabTimeout, wait_until

PEERS = {"swan": Swan, "libre": Libre}
SIDE_BY_SIDE = 4
PATIENCE = {"here": 10, "vm": 45, "vm-kernel": 45}
DEAD_AFTER = {"here": 2, "vm": 4, "vm-kernel": 4}  # s of idle-timeout where the peer is silent
NO_ESP = "this kernel has no ESP, and libreswan no other"


def warm_kernel(host):
    """An SA of each kind is made and removed: the first one loads modules for seconds."""
    for algorithm in ("aead 'rfc4106(gcm(aes))' 0x" + "11" * 20 + " 128",
                      "enc 'cbc(aes)' 0x" + "22" * 16 + " auth-trunc 'hmac(sha256)' 0x"
                      + "33" * 32 + " 128"):
        for ends in ("src 10.0.0.1 dst 10.0.0.2", "src fd00::1 dst fd00::2"):
            host.run(f"ip xfrm state add {ends} proto esp spi 0x1001 {algorithm} && "
                     f"ip xfrm state delete {ends} proto esp spi 0x1001")


class Bench:
    def __init__(self, place, peer, settings, pki, wanted, out):
        self.place, self.settings, self.out = place, settings, out
        self.wanted = wanted
        self.pki, self.peer_class = pki, PEERS[peer]
        self.connections = [c for c in links.make([s.mode for s in settings])
                            if c.auth in wanted.auth]
        self.keys = {s.mode: s.key for s in settings}
        self.established = set()
        self.lock = threading.Lock()

    def cell(self, connection, role, scenario):
        return Cell(self.keys[connection.mode], connection.auth, role, scenario)

    def emit(self, cell, status, reason="", ms=0, log=""):
        name = ""
        if log:
            name = "-".join(cell) + ".log"
            with open(f"{self.out}/logs/{name}", "w") as file:
                file.write(f"{reason}\n\n{log}\n")
        with self.lock, open(f"{self.out}/{self.place}.results", "a") as file:
            file.write(to_line(Result(cell, status, reason, ms, name)) + "\n")
        print(f"{' '.join(cell)}: {status} {ms} ms {reason}", flush=True)

    def run(self):
        with Lab(keep=f"{self.out}/hosts-{self.place}-{self.peer_class.title}") as lab:
            self.ours = Ours(lab, self.pki)
            self.peer = self.peer_class(lab, self.pki, userspace=self.place == "here")
            network = bench.Network(lab, self.ours.host, self.peer.host, self.connections)
            self.network, self.watch = network, network.watch
            usable = [c for c in self.connections if not self.peer.lacks(c)]
            if self.place in IN_MACHINE:
                warm_kernel(self.peer.host)
            self.peer.start(usable)
            self.ours.start(self.connections)
            self.ours.must_serve(IN_MACHINE.get(self.place, "userspace"))
            self.echo = Echo(self.peer.host, self.connections)
            self.flows = {c: Flow(self.ours.host, c, self.echo) for c in self.connections}
            if self.place in IN_MACHINE:
                self.warm_up()
            with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
                list(pool.map(self.one_connection, self.connections))
            if "dead-peer" in self.wanted.scenario:
                for role in ROLES:
                    self.dead_peer(role)
            self.peer.end()

    def scenarios(self, connection, role):
        return [name for name in SCENARIOS if name in self.wanted.scenario
                and variant_of(name, role) == connection.variant]

    def gap(self, connection):
        """(status, reason) where one of the two cannot have this connection, or None."""
        theirs = self.peer.lacks(connection)
        if theirs:
            return NOT_THERE, theirs
        ours = self.ours.lacking.get(connection)
        return (FAIL, ours) if ours else None

    def talk(self, connection, role):
        return Talk(connection, role, self.ours, self.peer, self.flows[connection],
                    self.watch, PATIENCE[self.place])

    def warm_up(self):
        """The first SA of a kind takes seconds in the virtual machine: programs and modules
        are read for it. No cell counts that."""
        for kind in self.wanted.auth:
            some = [c for c in self.connections if c.auth == kind and not self.gap(c)]
            if some:
                talk = self.talk(some[0], "responder")
                self._establish_quietly(talk)
                talk.reset()

    def one_connection(self, connection):
        try:
            for role in ROLES:
                self.one_role(connection, role)
        except Exception:  # a bench goes on with its other connections
            print(traceback.format_exc(), flush=True)

    def one_role(self, connection, role):
        names = [name for name in self.scenarios(connection, role) if name in RUN]
        gap = self.gap(connection)
        talk = self.talk(connection, role)
        refused = None
        for name in names:
            cell = self.cell(connection, role, name)
            if gap:
                self.emit(cell, *gap)
            elif refused:
                self.emit(cell, FAIL, "no SA to try it on: see the first row")
            else:
                good = self.one_cell(cell, talk, RUN[name])
                refused = not good and name == "establish"
                if good and name == "establish":
                    self.established.add((connection, role))
        if names and not gap:
            talk.reset()

    def one_cell(self, cell, talk, scenario):
        start = time.monotonic()
        try:
            scenario(talk)
            self.emit(cell, PASS, ms=self._ms(start))
            return True
        except Failed as why:
            reason, more = why.args[0], "\n".join(why.args[1:])
        except TROUBLE as why:
            reason, more = f"{type(why).__name__}: {why}".splitlines()[0], traceback.format_exc()
        if not self.ours.alive():
            reason = f"vipsecd has ended; {reason}"
        elif not self.peer.alive():
            reason = f"the peer's daemon has ended; {reason}"
        self.emit(cell, FAIL, reason, self._ms(start), self.logs(talk) + more)
        talk.reset()
        return False

    @staticmethod
    def _ms(start):
        return int((time.monotonic() - start) * 1000)

    def logs(self, talk):
        c = talk.connection
        return (f"--- vipsec\n{self.ours.log(c)}\n--- the peer\n{self.peer.log(c)}\n"
                f"--- on the peer's link\n{self.watch.log(c)}\n"
                f"--- {dict(self.watch.of(c))}\n")

    def dead_peer(self, role):
        """On all connections at once, since it is one link that goes silent."""
        plain = [c for c in self.connections if c.variant == "plain"]
        talks = []
        for c in plain:
            gap = self.gap(c)
            cell = self.cell(c, role, "dead-peer")
            if gap:
                self.emit(cell, *gap)
            elif (c, role) not in self.established and "establish" in self.wanted.scenario:
                self.emit(cell, FAIL, "no SA to try it on: see the first row")
            else:
                talks.append(self.talk(c, role))
        if not talks:
            return
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            ready = list(pool.map(self._establish_quietly, talks))
        self.ours.tune("idle-timeout", f"{DEAD_AFTER[self.place]}s")
        started = threading.Barrier(len(talks) + 1)
        healed = threading.Event()
        with ThreadPoolExecutor(len(talks)) as pool:
            runs = [pool.submit(self._one_dead, talk, why, started, healed)
                    for talk, why in zip(talks, ready)]
            self.network.silence()
            started.wait()
            wait_until(lambda: all(t.noticed for t in talks), 2 * PATIENCE[self.place] + 60,
                       "every connection to notice")
            self.network.silence(False)
            healed.set()
            for run in runs:
                run.result()
        self.ours.tune("idle-timeout", "default")
        for talk in talks:
            talk.reset()

    @staticmethod
    def _establish_quietly(talk):
        talk.noticed = False
        try:
            talk.establish()
            return ""
        except (Failed, *TROUBLE) as why:
            return str(why) or "not established"

    def _one_dead(self, talk, unready, started, healed):
        cell = self.cell(talk.connection, talk.role, "dead-peer")

        def scenario(talk):
            if unready:
                raise Failed(unready)
            old = self.ours.sas(talk.connection)[1]

            def gone():
                talk.flow.send()
                return not self.ours.sas(talk.connection)[1] & old
            try:
                wait_until(gone, DEAD_AFTER[self.place] + talk.patience,
                           "the dead peer's SAs to go", step=0.2)
            except LabTimeout as why:
                raise Failed(str(why)) from None
            finally:
                talk.noticed = True
            healed.wait(120)
            talk.answered()
            talk.until(talk.back, "one pair of SAs again")
        started.wait()
        try:
            self.one_cell(cell, talk, scenario)
        finally:
            talk.noticed = True


class IkeAlone(Bench):
    """libreswan where there is no ESP: IKE_AUTH, and then no child SA."""

    def one_role(self, connection, role):
        for name in self.scenarios(connection, role):
            cell = self.cell(connection, role, name)
            gap = self.gap(connection)
            if gap:
                self.emit(cell, *gap)
            elif name != "establish":
                self.emit(cell, NOT_THERE, NO_ESP)
            else:
                self.one_cell(cell, self.talk(connection, role), self._authenticate)

    @staticmethod
    def _authenticate(talk):
        """Each has accepted the other: libreswan says so itself; ours is heard of the child."""
        def accepted():
            return (talk.peer.authenticated(talk.connection) > before
                    and ("TS_UNACCEPTABLE" if talk.role == "initiator" else "the peer called")
                    in talk.ours.log(talk.connection))
        before = talk.peer.authenticated(talk.connection)
        if talk.role == "initiator":
            talk.ours.initiate(talk.connection)
        else:
            try:
                talk.peer.initiate(talk.connection)
            except TROUBLE:
                pass  # whack tells of the child that fails
        talk.until(accepted, "both to be authenticated")
        talk.reset()

    def dead_peer(self, role):
        for c in self.connections:
            if c.variant == "plain":
                gap = self.gap(c) or (NOT_THERE, NO_ESP)
                self.emit(self.cell(c, role, "dead-peer"), *gap)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("place")
    parser.add_argument("pki")
    parser.add_argument("out")
    for name, known in (("setting", [s.key for s in SETTINGS]), ("auth", list(AUTHS)),
                        ("scenario", list(SCENARIOS))):
        parser.add_argument(f"--{name}", action="append", choices=known)
    wanted = parser.parse_args()
    wanted.setting = wanted.setting or [s.key for s in SETTINGS]
    wanted.auth = wanted.auth or list(AUTHS)
    wanted.scenario = wanted.scenario or list(SCENARIOS)
    os.makedirs(f"{wanted.out}/logs", exist_ok=True)
    mine = [s for s in SETTINGS if s.place == wanted.place and s.key in wanted.setting]
    for peer in PEERS:
        settings = [s for s in mine if s.peer == peer]
        if not settings:
            continue
        kind = IkeAlone if settings[0].key == "libre-ike" else Bench
        try:
            kind(wanted.place, peer, settings, Pki(wanted.pki), wanted, wanted.out).run()
        except Exception:
            print(traceback.format_exc(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
