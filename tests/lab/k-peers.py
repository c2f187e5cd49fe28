#!/usr/bin/env python3
"""strongSwan and libreswan against vipsec on the kernel plane: transport and tunnel mode, vipsec as
initiator and as responder. A few cells of `make interop`, by its own worker.
test-timeout: 300
"""

import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
INTEROP = os.path.join(os.path.dirname(HERE), "interop")
sys.path[:0] = [HERE, INTEROP]

from cells import PASS, SCENARIOS, SETTINGS, from_line
from vlab import vipsec
from vlab.core import PATIENCE, build_dir
from vlab.tap import check, main

PLACE = "vm-kernel"
ASKED = ("establish", "rekey-child-peer", "rekey-child-vipsec", "delete-peer")


def results():
    """What the worker found: (setting, role, scenario) -> Result; its last lines, and what it has
    written of cells that failed."""
    with tempfile.TemporaryDirectory() as out:
        words = [word for name in ASKED for word in ("--scenario", name)]
        done = subprocess.run(
            [sys.executable, "-u", f"{INTEROP}/worker.py", PLACE, f"{build_dir()}/interop/pki",
             out, "--auth", "psk", *words], stdin=subprocess.DEVNULL, capture_output=True,
            text=True, errors="replace", timeout=200 * PATIENCE)
        found = {}
        path = f"{out}/{PLACE}.results"
        if os.path.exists(path):
            with open(path) as file:
                found = {(r.cell.setting, r.cell.role, r.cell.scenario): r
                         for r in map(from_line, file)}
        said = [(done.stdout + done.stderr)[-3000:]]
        for name in sorted(os.listdir(f"{out}/logs")) if os.path.isdir(f"{out}/logs") else []:
            with open(f"{out}/logs/{name}", errors="replace") as file:
                said.append(f"==== {name}\n{file.read()[-8000:]}")
    return found, "\n".join(said)


def body(tap):
    os.environ["INTEROP_LIBRESWAN"] = f"{build_dir()}/interop/libreswan"
    found, said = results()
    for setting in (s for s in SETTINGS if s.place == PLACE):
        for role in ("initiator", "responder"):
            for scenario in ASKED:
                with tap.case(f"{setting.peer} {setting.mode}, vipsec as {role}: "
                              + SCENARIOS[scenario][0]):
                    result = found.get((setting.key, role, scenario))
                    check(result, f"the worker ended before it: {said}")
                    check(result.status == PASS, f"{result.reason}; {said}")


def missing():
    for path, what in ((f"{build_dir()}/interop/libreswan", "libreswan"),
                       (f"{build_dir()}/interop/pki", "keys")):
        if not os.path.isdir(path):
            return f"no {what}: `tests/interop/matrix --prepare` gets it, outside"
    return vipsec.missing_programs()


if __name__ == "__main__":
    main(body, missing)
