"""Link taps: packets in clear that should not be, and IKE messages for timelines."""

import itertools
from collections import namedtuple

from .core import wait_until

Seen = namedtuple("Seen", "ms device way kind src sport dst dport length")
_number = itertools.count(1)


class Tap:
    """Watches devices of one host; see tools/tap.c for what it reports."""

    def __init__(self, host, address, ports, devices, esp=False):
        self.name = f"tap-{next(_number)}.log"
        self.host = host
        command = [f"{host.lab.tool}/vlab-tap", *(["-e"] if esp else []), address,
                   ",".join(map(str, ports)), *devices]
        self.child = host.spawn(command, self.name)
        wait_until(lambda: "ready" in host.log(self.name), 10, f"tap on {devices}")
        self._offset = 0
        self._seen = []

    def seen(self, *kinds, since_ms=0, until_ms=float("inf")):
        """What was reported in this time; kinds: udp tcp frag ike esp ah arp neighbour."""
        with open(f"{self.host.dir}/{self.name}", "rb") as file:
            file.seek(self._offset)
            text = file.read().decode("ascii", "replace")
        complete = text.rfind("\n") + 1
        self._offset += complete
        for line in text[:complete].splitlines():
            word = line.split()
            if len(word) != 9:
                continue
            self._seen.append(Seen(int(word[0]) / 1e6, word[1], word[2], word[3], word[4],
                                   int(word[5]), word[6], int(word[7]), int(word[8])))
        return [s for s in self._seen if s.kind in kinds and since_ms <= s.ms <= until_ms]

    def close(self):
        self.child.terminate()
        self.child.wait(timeout=10)
