"""What happens in the cells, on one connection and in one role of vipsec.

A scenario waits for what it looks for, never for a time; PATIENCE bounds each wait.
"""

import subprocess
import time

import vici
from traffic import Lost
from vlab.core import LabError, LabTimeout, wait_until

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

    def settled(self):
        return self.none() or self.one_pair()

    def establish(self):
        try:  # an old child may still be on its way out
            wait_until(self.settled, self.patience / 4, "what is there to settle", step=0.05)
        except LabTimeout:
            self.reset()
        if self.one_pair():
            return
        before = self.watch.of(self.connection)
        self.call()
        self.until(self.one_pair, "one IKE SA and one child at either end")
        self.answered()
        self.until(lambda: self.watch.of(self.connection)["esp"] > before["esp"],
                   "ESP on the wire")
        seen = self.watch.of(self.connection)
        if seen["clear"] > before["clear"]:
            raise Failed("packets in clear on the wire")

    def reset(self):
        """After a failure: nothing left at either end."""
        for end in (self.ours, self.peer):
            try:
                end.terminate(self.connection)
            except TROUBLE:
                continue
        try:
            wait_until(self.none, self.patience / 2, "SAs to go", step=0.1)
        except TROUBLE:
            pass


def establish(talk):
    talk.establish()


def nat(talk):
    """vipsec finds the NAT, and on which side it is."""
    talk.establish()
    found = talk.ours.nat(talk.connection)
    wanted = "nat_local" if talk.role == "initiator" else "nat_remote"
    if wanted not in found:
        raise Failed(f"the NAT was not found where it is: {found or 'none found'}")


def rekey(end, what):
    """Every probe sent meanwhile is answered, and there is one pair of new SAs after it."""
    def run(talk):
        talk.establish()
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
            raise Failed(*lost.args) from None
        talk.answered()
    return run


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
    talk.reset()
    before = talk.watch.of(talk.connection)["skf"]
    talk.establish()
    seen = talk.watch.of(talk.connection)["skf"] - before
    if seen < 4:
        raise Failed(f"{seen} fragments on the wire, not several each way")


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
    "v6": establish,
    "large": large,
}
