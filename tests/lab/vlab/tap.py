"""Test Anything Protocol for the labs' tests: one idea a case, and what went wrong."""

import sys
import time
import traceback
from contextlib import contextmanager


class Skip(Exception):
    """Raised inside a case: what it needs is not here."""


class Tap:
    def __init__(self):
        self.count = self.failed = 0
        self.on_failure = []  # functions that give text to show after a failure

    @contextmanager
    def case(self, idea):
        start = time.monotonic()
        try:
            yield
        except Skip as why:
            self._line(True, f"{idea} # SKIP {why}")
        except Exception:  # a broken case must not hide the ones after it
            self._line(False, idea)
            self.note(traceback.format_exc())
            for tell in self.on_failure:
                try:
                    self.note(tell())
                except Exception as error:
                    self.note(f"(no more to tell: {error})")
        else:
            self._line(True, idea)
        self.note(f"{time.monotonic() - start:.1f} s")

    def _line(self, good, text):
        self.count += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.count} - {text}", flush=True)

    def note(self, text):
        for line in str(text).splitlines():
            print(f"# {line}", flush=True)

    def done(self):
        print(f"1..{self.count}", flush=True)
        sys.exit(1 if self.failed or not self.count else 0)


def check(condition, what):
    """Like assert, but says what was expected, and never compiled away."""
    if not condition:
        raise AssertionError(what)


def main(body, need=None):
    """Runs body(tap); what it raises outside of any case is one failed test.

    need: function that says what is missing for all of it, or None."""
    missing = need() if need else None
    if missing:
        print(f"1..0 # SKIP {missing}", flush=True)
        sys.exit(0)
    tap = Tap()
    try:
        body(tap)
    except Exception:
        tap._line(False, "the lab itself")
        tap.note(traceback.format_exc())
    tap.done()
