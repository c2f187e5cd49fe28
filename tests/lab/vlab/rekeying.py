"""New SAs in the place of old ones, while probes run."""

from .core import now_ms, wait_until
from .probes import Prober, Stream
from .tap import check


def ids(daemon, what):
    """what: ike or child."""
    return sorted(row["id"] for row in daemon.rows(what))


def wait_renewed(daemon, what, before, count=1):
    """Until there are so many, and none of those that were before."""
    def look():
        now = daemon.rows(what)
        if what == "ike":
            now = [row for row in now if row["state"] == "up"]
        return len(now) == count and not {row["id"] for row in now} & set(before)
    wait_until(look, 30, f"other {what} SAs than {before}")


class Traffic:
    """Probes for as long as it lasts; at the end all were answered."""

    def __init__(self, lab, host, address, port):
        self.prober = Prober(lab, [Stream(1, host, address, port, interval_ms=5)])
        self.first = self.prober.wait_reply(1, now_ms(), 15)

    def __enter__(self):
        self.start_ms = now_ms()
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.prober.wait_reply(1, now_ms(), 15)
                lost = self.prober.unanswered(1, self.start_ms, now_ms())
                check(lost == 0, f"{lost} probes lost")
        finally:
            self.prober.close()
