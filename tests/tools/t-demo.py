#!/usr/bin/env python3
"""The demonstration without a laboratory: what it does when one fails, what it prints and
what it writes."""

import contextlib
import importlib.machinery
import importlib.util
import io
import json
import os
import sys
import tempfile
import time
from types import SimpleNamespace

LAB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab")
sys.path.insert(0, LAB)

from vlab import report
from vlab.core import LabError
from vlab.events import Measured, tenths
from vlab.tap import check, main

KEYS = ["event", "client", "takeover", "nlbs_flags", "peers", "outage_ms", "clear_outage_ms",
        "ipsec_share_ms", "last_back_ms", "leaked_clear_packets", "peer_clear_packets",
        "old_sas_left"]


def load_demo():
    loader = importlib.machinery.SourceFileLoader("demo", os.path.join(LAB, "demo"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("demo", loader))
    loader.exec_module(module)
    return module


class FakeLab(contextlib.nullcontext):
    pass


class FakeScene:
    def __init__(self, lab, **_):
        self.cluster = SimpleNamespace(active=lambda: "n1")

    def up(self):
        pass

    def close(self):
        pass


def entry(event="move", outage=80.0, clear=70.0, client="vipsec", **more):
    return {**dict(zip(KEYS, [event, client, "reinitiate", 0, 1, outage, clear,
                              tenths(outage - clear), 5.0, 0, 0, 0])), **more}


def fake_demo(repairs=lambda: None, failure=None):
    """The module with a laboratory of paper, and a Demo; repairs() may raise LabError."""
    demo = load_demo()
    demo.Lab, demo.Scene = FakeLab, FakeScene
    demo.measure_event = lambda scene, event, flags, patience: Measured(
        entry(event, nlbs_flags=flags), [(0.0, "it happens")], failure, 0, 50.0)
    demo.repair = lambda scene, event, old: repairs()
    return demo, demo.Demo(None, demo.Progress(time.monotonic()))


def quietly(function, *args, **options):
    """(result, what it printed)."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        result = function(*args, **options)
    return result, out.getvalue()


def failures(tap):
    with tap.case("after a laboratory that failed, the rest is measured in a new one"):
        broken = iter([LabError("the cluster does not settle"), None, None, None])

        def fail_once():
            why = next(broken)
            if why:
                raise why
        _, run = fake_demo(fail_once)
        _, said = quietly(run.measure, "a scene", [("move", 2), ("crash", 2)])
        check([r["event"] for r in run.runs] == ["move", "move", "crash", "crash"], run.runs)
        check(run.missing == run.lost == 0, "nothing is missing")
        check("does not settle" in said and said.count("building") == 2, said)
    with tap.case("a laboratory that never comes up is given up after three tries, and counts"):
        module, run = fake_demo()

        def never(_):
            raise LabError("no host")
        module.Scene.up = never
        try:
            _, said = quietly(run.measure, "a scene", [("move", 4)])
        finally:
            module.Scene.up = lambda self: None
        check(said.count("building") == 3 and "GIVEN UP, 4 events" in said, said)
        check(run.missing == 4, run.missing)
        status, _ = quietly(module.conclude, run, SimpleNamespace(begin=None, json=None))
        check(status == 1, status)
    with tap.case("a stream that does not come back is said, counted, and fails the whole"):
        module, run = fake_demo(failure="waited in vain")
        _, said = quietly(run.measure, "a scene", [("move", 1)])
        check("NOT BACK: waited in vain" in said and run.lost == 1, said)
        status, _ = quietly(module.conclude, run, SimpleNamespace(begin=None, json=None))
        check(status == 1, status)
    with tap.case("when nothing else is said, it is said that something goes on"):
        module, _ = fake_demo()
        module.PULSE_S = 0.5
        progress = module.Progress(time.monotonic())
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            progress.doing("a long thing")
            end = time.monotonic() + 30
            while "a long thing" not in out.getvalue() and time.monotonic() < end:
                time.sleep(0.05)
            progress.doing(None)
        check("... a long thing," in out.getvalue(), out.getvalue())


def papers(tap):
    with tap.case("the file has the documented keys, in all and in each entry"):
        module, run = fake_demo()
        quietly(run.measure, "a scene", [("move", 2), ("crash", 1)], wait_ms=1000)
        run.bare_runs = [entry("move", client="bare"), entry("crash", client="bare")]
        with tempfile.TemporaryDirectory() as folder:
            status, _ = quietly(module.conclude, run, SimpleNamespace(
                begin=None, json=f"{folder}/out"))
            with open(f"{folder}/out") as file:
                written = json.load(file)
        check(status == 0, status)
        check(list(written) == ["schema", "token_ms", "monitor_ms", "bare_vip", "runs"], written)
        check(list(written["bare_vip"]) == ["move_ms", "crash_ms"], written["bare_vip"])
        check(all(list(r) == KEYS for r in written["runs"]), written["runs"])
    with tap.case("no figure is a negative zero"):
        check(str(tenths(-0.04)) == "0.0", tenths(-0.04))


def table(tap):
    def printed(runs, bare=()):
        lines = []
        report.print_table(runs, list(bare), lines.append)
        return "\n".join(lines)

    def line(text, start):
        return next(x for x in text.splitlines() if x.startswith(start))

    with tap.case("median and maximum, the aim met and missed"):
        text = line(printed([entry(outage=o) for o in (72.0, 75.0, 200.0)]), "planned move")
        check(text.split()[4:8] == ["3", "5.0", "130.0", "50"] and "met" in text, text)
        text = line(printed([entry(outage=200.0)]), "planned move")
        check("MISSED" in text, text)
    with tap.case("of crashes, those with the controller's second are left out of the median"):
        runs = [entry("crash", clear=c) for c in (2200.0, 2210.0, 3210.0, 3220.0, 3230.0)]
        check(report.typical("crash", runs) == 2205.0, report.typical("crash", runs))
    with tap.case("a wait shorter than the cluster's failover is measured against that"):
        waits = [entry("crash", 3900.0, 3100.0, takeover="wait", nlbs_flags=1, _wait_ms=1000)]
        check("clear stream + 1000 met" in printed(waits), printed(waits))
        waits = [entry("crash", 61900.0, 3100.0, takeover="wait", nlbs_flags=1, _wait_ms=60000)]
        check("60000 + 1000 MISSED" in printed(waits), printed(waits))
    with tap.case("a clear stream that comes back later after the fencing than the bare VIP"):
        runs = [entry("crash", _after_fencing_ms=90.0)]
        bare = [entry("crash", client="bare", _after_fencing_ms=60.0)]
        check("bare 60.0 + 20 MISSED" in printed(runs, bare), printed(runs, bare))


def body(tap):
    failures(tap)
    papers(tap)
    table(tap)


if __name__ == "__main__":
    main(body)
