"""What happens in the cells, on one connection and in one role of vipsec.

A scenario waits for what it looks for, never for a time; PATIENCE bounds each wait.
"""

import os
import subprocess
import time
from collections import Counter

import letters
import vici
from traffic import Lost
from vlab.core import LabError, LabTimeout, wait_until

FIRST_GROUP = "x25519"  # of those that we have built in
LARGE = 4000  # octets of a large certificate
TROUBLE = (LabError, vici.ViciError, Lost, OSError, subprocess.SubprocessError)


class Failed(Exception):
    """The cell's one-line reason, and what else the log is to say."""


class Talk:
    """One connection, both its ends, and how vipsec came into it."""

    def __init__(self, connection, role, ours, peer, flow, watch, patience):
        self.connection, self.role = connection, role
        self.ours, self.peer, self.flow, self.watch = ours, peer, flow, watch
        self.patience = patience

    def both(self):
        return self.ours.sas(self.connection), self.peer.sas(self.connection)

    def until(self, condition, what):
        try:
            return wait_until(condition, self.patience, what, step=0.05)
        except LabTimeout:
            raise Failed(f"{what}: not within {self.patience} s; SAs here "
                         f"{self._count(self.ours)}, there {self._count(self.peer)}") from None

    def _count(self, end):
        ike, child = end.sas(self.connection)
        return f"{len(ike)} IKE {len(child)} child"

    def one_pair(self):
        """One IKE SA and one child at either end, or None."""
        both = self.both()
        return both if all(len(ike) == len(child) == 1 for ike, child in both) else None

    def back(self):
        """One pair here, and one child there. (An IKE SA of before the silence may linger at
        a peer that does not heed INITIAL_CONTACT.)"""
        (ike, child), (_, their_child) = self.both()
        return len(ike) == len(child) == len(their_child) == 1

    def none(self):
        return all(not ike and not child for ike, child in self.both())

    def answered(self):
        if not self.flow.ask(self.patience):
            raise Failed("no probe was answered")

    def call(self):
        caller = self.ours if self.role == "initiator" else self.peer
        caller.initiate(self.connection)

    def call_until_there(self):
        """Once, but where the machine is so slow that vipsec gives up a call (and the peer
        has the SA of it none the less): then from the beginning, twice."""
        for last in (False, False, True):
            vain = self.ours.calls_in_vain(self.connection)
            self.call()
            try:
                self.until(self.one_pair, "one IKE SA and one child at either end")
                return
            except Failed:
                if last or self.ours.calls_in_vain(self.connection) == vain:
                    raise
                self.reset()

    def settled(self):
        """True: nothing is there. The pair, if there is one."""
        both = self.both()
        if all(not ike and not child for ike, child in both):
            return True
        return both if all(len(ike) == len(child) == 1 for ike, child in both) else None

    def establish(self):
        try:  # an old child may still be on its way out
            if wait_until(self.settled, self.patience / 4, "what is there to settle",
                          step=0.05) is not True:
                return
        except LabTimeout:
            self.reset()
        before = self.watch.of(self.connection)
        self.call_until_there()
        self.answered()
        self.until(lambda: self.watch.of(self.connection)["esp"] > before["esp"],
                   "ESP on the wire")
        seen = self.watch.of(self.connection)
        if seen["clear"] > before["clear"]:
            raise Failed("packets in clear on the wire")

    def letters(self, before):
        """The IKE messages since then that are protected, read."""
        return letters.read(self.watch.letters_since(self.connection, before),
                            letters.keys_of(self.ours.keys()))

    def reset(self):
        """After a failure: nothing left at either end. The peer's first: libreswan calls again
        by itself when it has called once and only the other side ends it."""
        for end in (self.peer, self.ours):
            try:
                end.terminate(self.connection)
            except TROUBLE:
                continue
        try:
            wait_until(self.none, self.patience / 2, "SAs to go", step=0.1)
        except TROUBLE:
            pass


def establish(talk):
    """And each has proved itself as it is to: the AUTH payloads say so."""
    before = talk.watch.of(talk.connection)
    talk.reset()
    talk.establish()
    kind = talk.connection.auth
    proofs = {}
    for letter in talk.letters(before):
        for auth in letters.bodies(letter, letters.AUTH):
            why = letters.doubt(auth, kind)
            if why:
                raise Failed(f"AUTH of {letter.source} is no {kind}: {why}")
            proofs[letter.response] = auth
    if len(proofs) < 2:
        raise Failed(f"{len(proofs)} AUTH payloads found on the wire")
    talk.peer.agrees(talk.connection, kind)
    group = talk.ours.group(talk.connection)
    if talk.role == "initiator" and group != [FIRST_GROUP]:
        raise Failed(f"the key exchange is {group} and not our first choice",
                     str(talk.ours.rows("ike", talk.connection)))


def connect(talk):
    talk.establish()


def nat(talk):
    """vipsec finds the NAT, and on which side it is."""
    talk.establish()
    found = talk.ours.nat(talk.connection)
    wanted = "nat_local" if talk.role == "initiator" else "nat_remote"
    if wanted not in found:
        raise Failed(f"the NAT was not found where it is: {found or 'none found'}")


def dropped(end):
    """What the kernel of a host has dropped for IPsec's sake, by its reasons."""
    stat = f"/proc/{end.host.pid}/net/xfrm_stat"
    if not os.path.exists(stat):  # a kernel without IPsec
        return Counter()
    with open(stat) as file:
        return Counter({name: int(n) for name, n in map(str.split, file)})


def rekey(end, what):
    """Every probe sent meanwhile is answered, and there is one pair of new SAs after it."""
    def run(talk):
        talk.establish()
        before = talk.watch.of(talk.connection)
        counted = [dropped(talk.ours), dropped(talk.peer)]
        (ike, child), (their_ike, their_child) = talk.both()

        def changed():
            now = talk.one_pair()
            if not now:
                return False
            (new_ike, new_child), (their_new_ike, their_new_child) = now
            if what == "child":
                return not new_child & child and not their_new_child & their_child
            return not new_ike & ike and not their_new_ike & their_ike
        try:
            with talk.flow.stream(talk.patience / 4):
                getattr(talk, end).rekey(talk.connection, what)
                talk.until(changed, f"a new {what} SA at both ends, and only that")
                time.sleep(0.1)  # some probes more, by the new SAs
        except Lost as lost:
            why = [dict(dropped(end) - was) for end, was in zip((talk.ours, talk.peer), counted)]
            count, which = lost.args
            raise Failed(count, f"dropped meanwhile: here {why[0]}, there {why[1]}\n"
                         + which) from None
        talk.answered()
        if what == "child":
            key_exchange(talk, before)
    return run


def key_exchange(talk, before):
    """A rekeyed child has one of its own if PFS is on, and else none."""
    found = [letter for letter in talk.letters(before)
             if letter.exchange == letters.CREATE_CHILD_SA]
    asked = {letter.id for letter in found
             if not letter.response and letters.REKEY_SA in letters.notifies(letter)}
    ke = {letter.response: letters.key_exchanges(letter) for letter in found
          if letter.id in asked}
    if len(ke) < 2:
        raise Failed("no CREATE_CHILD_SA that rekeys the child, and its answer, on the wire")
    if talk.connection.pfs and not (ke[False] and ke[True] and ke[False][0][:2] ==
                                    ke[True][0][:2]):
        raise Failed("PFS is on, and the rekeyed child had no key exchange of its own")
    # Who can do without offers one, and the other says that it is not wanted.
    if not talk.connection.pfs and ke[True]:
        raise Failed("PFS is off, and the rekeyed child had a key exchange of its own")


def delete(end):
    """None of the SAs is left at either end. (One that has called may call anew at once.)"""
    def run(talk):
        talk.establish()
        old = talk.both()
        getattr(talk, end).terminate(talk.connection)
        talk.until(lambda: not any(was & now for before, after in zip(old, talk.both())
                                   for was, now in zip(before, after)),
                   "the SAs to be gone at both ends")
        talk.reset()  # whoever has called anew
    return run


def large(talk):
    """Each side's certificate comes in fragments, and no fragment is longer than passes."""
    talk.reset()
    before = talk.watch.of(talk.connection)
    talk.establish()
    seen = talk.watch.of(talk.connection) - before
    for source in talk.connection.on_the_wire():
        if seen["skf", source] < 2:
            raise Failed(f"{seen['skf', source]} fragments of {source} on the wire")
    found = [letter for letter in talk.letters(before) if letter.exchange == letters.IKE_AUTH]
    for response in (False, True):
        sizes = [max(map(len, letters.bodies(letter, letters.CERT)), default=0)
                 for letter in found if letter.response == response and letter.fragments > 1]
        if not sizes or max(sizes) < LARGE:
            raise Failed(f"no certificate of {LARGE} octets in the "
                         f"{'answer' if response else 'request'}'s fragments: {sizes}")


RUN = {
    "establish": establish,
    "rekey-child-vipsec": rekey("ours", "child"),
    "rekey-child-peer": rekey("peer", "child"),
    "rekey-child-vipsec-pfs": rekey("ours", "child"),
    "rekey-child-peer-pfs": rekey("peer", "child"),
    "rekey-ike-vipsec": rekey("ours", "ike"),
    "rekey-ike-peer": rekey("peer", "ike"),
    "delete-vipsec": delete("ours"),
    "delete-peer": delete("peer"),
    "nat": nat,
    "v6": connect,
    "large": large,
}
