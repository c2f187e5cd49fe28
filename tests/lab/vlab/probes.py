"""UDP probes and what they tell: outages, who answered, and by which device."""

import os
import subprocess
from collections import namedtuple

from .core import wait_until

Stream = namedtuple("Stream", "id host address port interval_ms mark size",
                    defaults=(2, 0, 0))
Reply = namedtuple("Reply", "seq sent_ms ms node node_device device")


class Prober:
    """Sends all its streams until closed; replies are read from its output file."""

    def __init__(self, lab, streams, name="probe"):
        self.lab = lab
        self.path = f"{lab.host_dir('probes')}/{name}.replies"
        self.streams = {s.id: s for s in streams}
        self.replies = {s.id: [] for s in streams}
        self._rest = ""
        with open(self.path, "wb") as out:
            self.process = subprocess.Popen(
                [f"{lab.tool}/vlab-probe", *map(self._word, streams)], stdin=subprocess.PIPE,
                stdout=out, start_new_session=True)
        self._file = open(self.path, errors="replace")

    @staticmethod
    def _word(s):
        word = f"{s.id},{s.host.pid},{s.address},{s.port},{int(s.interval_ms * 1000)},{s.mark}"
        return word + (f",{s.size}" if s.size else "")

    def read(self):
        """Takes in what has come since the last call."""
        text = self._rest + self._file.read()
        lines = text.split("\n")
        self._rest = lines.pop()
        for line in lines:
            number, seq, sent, got, node, node_device, device = line.split()
            self.replies[int(number)].append(
                Reply(int(seq), int(sent) / 1e6, int(got) / 1e6, node, node_device, device))
        return self.replies

    def last_ms(self, stream):
        """When the last reply of this stream came; 0 before the first."""
        got = self.read()[stream]
        return got[-1].ms if got else 0

    def wait_reply(self, stream, after_ms, timeout, node=None):
        """The first reply to a probe sent after that time (by that node, if named)."""
        def look():
            for reply in reversed(self.read()[stream]):
                if reply.sent_ms <= after_ms:
                    return None
                if node is None or reply.node == node:
                    return reply
            return None
        return wait_until(look, timeout, f"an answer on stream {stream} from {node or 'any'}")

    def between(self, stream, start_ms, end_ms):
        return [r for r in self.read()[stream] if start_ms <= r.ms <= end_ms]

    def unanswered(self, stream, start_ms, end_ms):
        """How many of the probes sent in this time were not answered, between the first and the
        last that were."""
        seqs = [r.seq for r in self.read()[stream] if start_ms <= r.sent_ms <= end_ms]
        return max(seqs) - min(seqs) + 1 - len(set(seqs)) if seqs else 0

    def outage(self, stream, start_ms, end_ms):
        """(length, end) in ms of the longest gap between replies that ends in this time; all of
        it where no reply ever came."""
        last = None
        best = (0.0, start_ms)
        for reply in self.read()[stream]:
            if reply.ms > end_ms:
                break
            if last is not None and reply.ms >= start_ms and reply.ms - last > best[0]:
                best = (reply.ms - last, reply.ms)
            last = reply.ms if last is None else max(last, reply.ms)
        if last is None:
            return end_ms - start_ms, end_ms
        if end_ms - last > best[0]:
            best = (end_ms - last, end_ms)
        return best

    def close(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait(timeout=10)
        self.read()
        self._file.close()
        os.unlink(self.path)


def start_echo(host, *ports):
    """The echo service; it answers from the address asked, present or not at start."""
    child = host.spawn([f"{host.lab.tool}/vlab-echo", host.name, *ports], "echo.log")
    wait_until(lambda: "ready" in host.log("echo.log"), 10, f"echo service of {host.name}")
    return child
