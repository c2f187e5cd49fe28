#!/usr/bin/env python3
"""vm-run: a command in a virtual machine whose kernel has ESP.
test-timeout: 300
"""

import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from vlab.core import build_dir
from vlab.tap import check, main

IMAGE = f"{build_dir()}/vm"
# One boot for all cases.
COMMAND = """
pwd
uname -r
ip xfrm state add src 10.0.0.1 dst 10.0.0.2 proto esp spi 0x1001 mode transport \
	aead 'rfc4106(gcm(aes))' 0x0102030405060708090a0b0c0d0e0f1011121314 128 && echo has ESP
echo away >$0/lost
echo back >$VM_OUT/kept
exit 7
"""


def missing():
    if os.geteuid() != 0:
        return "needs root"
    made = subprocess.run([f"{HERE}/vm/make-image", IMAGE], capture_output=True, text=True)
    return None if made.returncode == 0 else f"no kernel: {made.stderr.strip()[-200:]}"


def body(tap):
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [f"{HERE}/vm/vm-run", "--timeout", "100", "--image", IMAGE, "--out",
             f"{folder}/out", "bash", "-c", COMMAND, folder],
            capture_output=True, text=True, timeout=280, stdin=subprocess.DEVNULL)
        lines = done.stdout.splitlines()
        with open(f"{IMAGE}/version") as file:
            version = file.read().strip()
        with tap.case("output and exit status come back"):
            check(done.returncode == 7, f"{done.returncode}: {done.stdout}{done.stderr}")
            check(lines[:1] == [os.getcwd()], lines)
        with tap.case("its kernel is Debian's, and has ESP"):
            check(version in lines and "has ESP" in lines, lines)
        with tap.case("what it writes is kept in the folder for it, and lost elsewhere"):
            with open(f"{folder}/out/kept") as file:
                check(file.read() == "back\n", "kept")
            check(not os.path.exists(f"{folder}/lost"), "the machine's own files are touched")


if __name__ == "__main__":
    main(body, missing)
