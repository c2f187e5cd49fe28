"""A host's plane, guard, watcher and sockets, driven by hand (tools/plane.c)."""

import os
import re
import select
import subprocess
import time

from .core import PATIENCE, LabError, LabTimeout


class ByHand:
    """vlab-plane running in a host. Lines that it reports are kept until taken. plane: which
    one; None: the one that the labs are run with."""

    def __init__(self, host, plane=None):
        self.host = host
        self.child = subprocess.Popen(
            host._argv([f"{host.lab.tool}/vlab-plane"]), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**host.environ(), **({"VLAB_PLANE": plane} if plane else {})},
            start_new_session=True)
        host.children.append(self.child)
        self.lines = []
        self.rest = b""

    def _read(self, timeout):
        ready, _, _ = select.select([self.child.stdout], [], [], max(0, timeout))
        if not ready:
            return False
        data = os.read(self.child.stdout.fileno(), 65536)
        if not data:
            raise LabError(f"vlab-plane on {self.host.name} ended: {self.lines[-5:]}")
        *whole, self.rest = (self.rest + data).split(b"\n")
        self.lines += [line.decode("utf-8", "replace") for line in whole]
        self._heed_sanitizer()
        return True

    def _heed_sanitizer(self):
        """In a sanitized build what it finds comes among the lines: never pass over it."""
        for at, line in enumerate(self.lines):
            if re.search(r"Sanitizer: |runtime error: ", line):
                raise LabError(f"{self.host.name}: " + " | ".join(self.lines[at:at + 25]))

    def take(self, pattern, timeout=10):
        """The first reported line that matches, taken out; LabTimeout."""
        end = time.monotonic() + timeout * PATIENCE
        while True:
            for line in self.lines:
                found = re.search(pattern, line)
                if found:
                    self.lines.remove(line)
                    return found
            if not self._read(end - time.monotonic()) and time.monotonic() > end:
                raise LabTimeout(f"{self.host.name}: no line /{pattern}/ in {timeout} s; "
                                 f"there are {self.lines[-10:]}")

    def has(self, pattern, within=0.0):
        try:
            return self.take(pattern, within)
        except LabTimeout:
            return None

    def tell(self, command):
        self.child.stdin.write((command + "\n").encode())
        self.child.stdin.flush()

    def do(self, command, want=0):
        """Carries out a command; want None takes any result. Gives (result, ms)."""
        self.tell(command)
        word = command.split()[0]
        # The kernel may have to load modules for it.
        done = self.take(rf"^done {word} (-?\d+) (\d+) us$", 30)
        result = int(done.group(1))
        if want is not None and result != want:
            raise LabError(f"{self.host.name}: {command}: {result}, not {want}; {self.lines}")
        return result, int(done.group(2)) / 1000

    def script(self, text):
        for line in text.strip().splitlines():
            if line.strip():
                self.do(line.strip())

    def totals(self):
        self.do("totals")
        line = self.take(r"^totals (.*)$").group(1)
        return {k: int(v) for k, v in (word.split("=") for word in line.split())}

    def counts(self, scope=0):
        """(clear in, clear out, blocked in, blocked out): packets the guard dropped."""
        self.do("counts")
        found = None
        for _ in range(4):
            line = self.take(r"^counts (\d+) (\d+) (\d+) (\d+) (\d+)$")
            if int(line.group(1)) == scope:
                found = tuple(int(line.group(i)) for i in range(2, 6))
        return found

    def ask_usage(self):
        self.do("usage")
        self.take(r"^usage-end$")
        out = {}
        while found := self.has(r"^usage (\d+) (.*)$"):
            out[int(found.group(1))] = {k: int(v) for k, v in (
                word.split("=") for word in found.group(2).split())}
        return out

    def usage(self):
        """id -> dict, as of now: on a busy machine several questions may have one answer."""
        begun_ms = time.clock_gettime(time.CLOCK_BOOTTIME) * 1000
        found = self.ask_usage()
        while any(row["as_of"] < int(begun_ms) for row in found.values()):
            time.sleep(0.02)
            found = self.ask_usage()
        for row in found.values():
            del row["as_of"]
        return found

    def kill(self):
        """SIGKILL: nothing is closed in good order. What was said before is read first,
        since a sanitizer may have said it."""
        while self._read(0):
            pass
        self.host.signal("vlab-plane", 9)
        self.child.wait(timeout=10)
        self.child.stdin.close()
        self.child.stdout.close()


def begin(host, script, addresses):
    """A plane with these rules, guarded, that serves the addresses."""
    hand = ByHand(host)
    hand.script(script)
    hand.do("guard")
    hand.do("open")
    hand.script(script)
    for address in addresses:
        hand.do(f"bind 0 {address}")
    hand.do("gate 0 1")
    return hand


def end(*hands):
    for hand in hands:
        hand.do("close drop")
        hand.do("unguard")
        hand.kill()
