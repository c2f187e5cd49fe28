"""The virtual machine (vm/), for a program of the laboratory that wants the kernel's ESP where
this machine's kernel has none."""

import os
import shutil
import subprocess
import sys
import tempfile

from .core import SOURCE, build_dir

VM = os.path.join(SOURCE, "tests", "lab", "vm")
INSIDE = "/run/vm/out"
HOURS_S = 4 * 3600
MEMORY_MIB = 4096  # a hundred peers, each a daemon


def run_demo(program, told):
    """Runs the demonstration there with the same words; its files come out. The exit status."""
    image = os.path.join(build_dir(), "vm")
    if subprocess.run([f"{VM}/make-image", image], check=False).returncode != 0:
        return 1
    command = [program, "--kernel", *(["--quick"] if told.quick else []),
               *(["--once"] if told.once else []),
               *(["--json", f"{INSIDE}/result.json"] if told.json else []),
               *(["--keep", f"{INSIDE}/keep"] if told.keep else [])]
    with tempfile.TemporaryDirectory() as out:
        done = subprocess.run(
            [f"{VM}/vm-run", "--timeout", str(HOURS_S), "--memory", str(MEMORY_MIB), "--image",
             image, "--out", out, "env", f"VIPSEC_BUILDDIR={build_dir()}", sys.executable, *command],
            check=False)
        if told.json and os.path.exists(f"{out}/result.json"):
            shutil.copy(f"{out}/result.json", told.json)
        if told.keep and os.path.exists(f"{out}/keep"):
            shutil.copytree(f"{out}/keep", told.keep, dirs_exist_ok=True)
    return done.returncode
