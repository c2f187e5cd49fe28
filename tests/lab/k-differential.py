#!/usr/bin/env python3
"""The same rules, SAs and packets for both planes, in one kernel that has ESP: what one lets
pass, seals, opens, refuses and counts, the other must as well.
test-timeout: 300

    k-differential.py [SEED [COUNT]]        (or SEED=, COUNT= in the environment; 1 40)

Each seed is a case: rules and SAs, then packets both ways, made and read by the test itself
(vlab/esp.py). One that fails says its seed; SEED=n alone runs it again. Where the planes may
differ, and why, is in vlab/lawful.py.
"""

import itertools
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab.compared import Outcome, differences
from vlab.core import SOURCE, Lab
from vlab.drawn import Case
from vlab.inbound import Inbound
from vlab.kernel import lacks_esp
from vlab.lawful import GAP, LAWFUL
from vlab.sent import In, clear_in, clear_out
from vlab.tap import check, main
from vlab.worlds import Worlds

SEED, COUNT = 1, 40


def wanted():
    """The seeds, and whether they are those that are always run."""
    words = dict(enumerate(sys.argv[1:]))
    seed = words.get(0) or os.environ.get("SEED")
    count = words.get(1) or os.environ.get("COUNT") or (1 if seed else COUNT)
    return range(int(seed or SEED), int(seed or SEED) + int(count)), not seed


class Run:
    """One case in both worlds."""

    def __init__(self, worlds, case):
        self.worlds, self.case = worlds, case
        self.numbers = itertools.count(1)
        first = {sa.id: sa.first for sa in case.sas}
        self.outcomes = {w.plane_name: Outcome(case, first) for w in worlds}
        self.events = []

    def whole(self):
        case, worlds = self.case, self.worlds
        worlds.wait_until_forgotten({rule.peer for rule in case.rules})
        worlds.do([*case.commands(), "guard"])
        self.told()  # of the case before: a packet that waits asks again now and then
        try:
            for sa in case.sas:
                self.begin(sa, f"{sa.first} 0 {sa.width} -")
            self.settle()
            self.outward()
            self.inward()
            self.meanwhile()
            self.outward()
            self.inward()
            self.look()
        finally:
            worlds.do([f"delete {sa.id}" for sa in case.sas])
        return differences(case, self.events, self.outcomes)

    def begin(self, sa, *states):
        """states: one for both, or of each world what it goes on with."""
        for w, state in zip(self.worlds, states * 2 if len(states) == 1 else states):
            w.plane.script(f"{sa.command()} idle=1\nreplay-set {sa.id} {state}"
                           + ("" if sa.idle else f"\nactivate {sa.id}"))

    def settle(self):
        """What was ordered has been done."""
        for w in self.worlds:
            w.plane.usage()

    def send(self, events):
        for event in events:
            alone = isinstance(event, In) and event.alone
            if alone:
                self.worlds.fence_inward()
            for w in self.worlds:
                event.emit(w)
            if alone:
                self.worlds.fence_inward()
        self.events += events

    def collect(self):
        for w in self.worlds:
            w.read()
            outcome = self.outcomes[w.plane_name]
            for packet in w.seen_wire:
                outcome.on_wire(packet)
            for packet in w.seen_lan:
                outcome.on_lan(packet)
            for packet in w.seen_in:
                outcome.arrived(packet)
            w.seen_wire, w.seen_lan, w.seen_in = [], [], []

    def outward(self):
        self.send([clear_out(self.case, next(self.numbers)) for _ in range(8)])
        self.worlds.fence_outward()
        self.collect()

    def inward(self):
        for sa in self.case.sas:
            maker = Inbound(self.case, sa, self.numbers)
            self.send([maker.draw() for _ in range(10)])
        self.send([clear_in(self.case, next(self.numbers)) for _ in range(4)])
        self.worlds.fence_inward()
        self.collect()

    # ---- what is done to SAs -------------------------------------------------------------

    def meanwhile(self):
        what = self.case.random.choice((None, self.swap, self.swap, self.move, self.gate))
        if what and self.case.sas:
            self.case.story = what.__name__
            what(self.case.random.choice(self.case.sas))
            self.settle()

    def swap(self, sa):
        """Each plane goes on with what the other one's SA has come to."""
        self.count(sa)
        states = [self.replay(w, sa) for w in self.worlds]
        self.worlds.do([f"delete {sa.id}"])
        self.begin(sa, *reversed(states))
        one, other = self.outcomes.values()
        one.swap(other, sa, next(self.numbers))

    def move(self, sa):
        """The peer has another port, or is the same still."""
        moved = [other for other in self.case.sas if other.rule == sa.rule]
        for one in moved:
            if one.encap:
                one.port = 32000
        self.leave_out(moved)
        self.worlds.do([f"move {one.id} {one.remote} {one.port}" for one in moved])

    def gate(self, _sa):
        self.leave_out(self.case.sas)
        self.worlds.do(["gate 0 close", "gate 0 2"])

    def leave_out(self, sas):
        """The kernel makes SAs anew, and goes on some numbers behind what it knows."""
        kernel = self.outcomes["kernel"]
        for sa in sas:
            if not sa.idle:
                kernel.gap.add(sa.id)
                kernel.ahead[sa.id] += GAP

    # ---- what they say -------------------------------------------------------------------

    def replay(self, world, sa):
        world.plane.do(f"replay {sa.id}")
        found = world.plane.take(rf"^replay {sa.id} asked out=(\d+) in=(\d+) window=(\d+) seen=(\w+)")
        return " ".join(found.groups())

    def count(self, sa):
        """Adds up: an SA that is made anew counts from the beginning."""
        for w in self.worlds:
            usage, sum_ = w.plane.usage()[sa.id], self.outcomes[w.plane_name].usage
            for name, value in sum_.get(sa.id, {}).items():
                usage[name] += value if name != "seq" else 0
            sum_[sa.id] = usage

    def told(self):
        """Of each world, what its plane has said by itself: it comes behind the first answer, and
        before the next."""
        self.settle()
        self.settle()
        out = {w.plane_name: set() for w in self.worlds}
        for w in self.worlds:
            while found := w.plane.has(r"^(notice|refused|troubled|lost)(.*)"):
                out[w.plane_name].add(what_is_told(found.group(1) + found.group(2)))
        return out

    def look(self):
        told = self.told()
        for sa in self.case.sas:
            self.count(sa)
        for w in self.worlds:
            outcome = self.outcomes[w.plane_name]
            outcome.faults += w.pieces_left()
            for sa in self.case.sas:
                outcome.replay[sa.id] = received(sa, self.replay(w, sa))
            outcome.notices = told[w.plane_name]


def what_is_told(line):
    """For which of its packets a plane asks for an SA is its own business."""
    return re.sub(r"^(notice acquire scope=\d+ rule=\d+) .*", r"\1", line)


def received(sa, state):
    """The numbers that came, but for those of which the planes think differently; and the
    highest."""
    _, top, window, seen = state.split()
    words = [int(seen[i:i + 16], 16) for i in range(0, len(seen), 16)]
    numbers = {int(top) - back for back in range(min(int(window), int(top)))
               if words[back // 64] >> back % 64 & 1}
    return int(top), int(window), sorted(numbers - sa.burnt)


def body(tap):
    seeds, always = wanted()
    met = dict.fromkeys(LAWFUL, 0)
    with tap.case("docs/PLANES.md tells of each lawful difference"):
        with open(os.path.join(SOURCE, "docs", "PLANES.md")) as file:
            told = file.read()
        check(all(f"| {name} |" in told for name in LAWFUL), list(LAWFUL))
    with Lab() as lab:
        worlds = Worlds(lab)
        for seed in seeds:
            case = Case(seed)
            with tap.case(f"seed {seed}"):
                found, lawful = Run(worlds, case).whole()
                for name in lawful:
                    met[name] += 1
                check(not found, "\n".join([str(case), *found]))
    tap.note("lawful differences, in cases: " + ", ".join(f"{k} {n}" for k, n in met.items()))
    if always:
        with tap.case("each lawful difference was met, or it would not be one any more"):
            check(all(met.values()), met)


if __name__ == "__main__":
    main(body, lacks_esp)
