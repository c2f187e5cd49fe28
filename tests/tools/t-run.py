#!/usr/bin/env python3
"""The runner itself: what it must not take for a success.

Each case is a script with a given output and exit status; the last line of the runner
and its own exit status are compared.
"""

import os
import subprocess
import sys
import tempfile
import time

RUNNER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "run")
SUITE = os.path.join(os.path.dirname(RUNNER), "lab", "vm", "suite")

# Name, script, expected last line, expected exit status.
CASES = [
    ("TAP is counted test by test",
     "echo 1..3; echo ok 1 - a; echo 'ok 2 - b # SKIP why'; echo ok 3 - c",
     "2 passed, 0 failed, 1 skipped", 0),
    ("a failed test is a failure",
     "echo 1..2; echo ok 1 - a; echo not ok 2 - b; exit 1",
     "1 passed, 1 failed, 0 skipped", 1),
    ("a failed test counts even when the status says success",
     "echo 1..1; echo not ok 1 - a", "0 passed, 1 failed, 0 skipped", 1),
    ("fewer tests than planned", "echo 1..3; echo ok 1 - a",
     "1 passed, 1 failed, 0 skipped", 1),
    ("good TAP and a bad status", "echo 1..1; echo ok 1 - a; exit 3",
     "1 passed, 1 failed, 0 skipped", 1),
    ("killed in the middle", "echo 1..1; echo ok 1 - a; kill -SEGV $$",
     "1 passed, 1 failed, 0 skipped", 1),
    ("two plans, as of two cmocka groups", "echo 1..1; echo ok 1 - a; echo 1..1; echo ok 1 - b",
     "2 passed, 0 failed, 0 skipped", 0),
    ("everything skipped", "echo '1..0 # SKIP needs root'", "0 passed, 0 failed, 1 skipped", 0),
    ("no TAP, success", "echo hello", "1 passed, 0 failed, 0 skipped", 0),
    ("no TAP, skipped", "exit 77", "0 passed, 0 failed, 1 skipped", 0),
    ("no TAP, failure", "exit 1", "0 passed, 1 failed, 0 skipped", 1),
    ("a summary line counts as one", "echo '2000 passed, 0 failed, 0 skipped'",
     "1 passed, 0 failed, 0 skipped", 0),
    ("a summary line with failures", "echo '1998 passed, 2 failed, 0 skipped'; exit 1",
     "0 passed, 2 failed, 0 skipped", 1),
    ("a summary line that says nothing ran", "echo '0 passed, 0 failed, 0 skipped'",
     "0 passed, 1 failed, 0 skipped", 1),
    ("a summary line against the status", "echo '5 passed, 0 failed, 0 skipped'; exit 1",
     "0 passed, 1 failed, 0 skipped", 1),
    ("not done in time", "# test-timeout: 1\nsleep 60", "0 passed, 1 failed, 0 skipped", 1),
    ("its own scratch folder", 'test -d "$TMPDIR" && touch "$TMPDIR/x"',
     "1 passed, 0 failed, 0 skipped", 0),
    ("no input to wait for", "! read -r line", "1 passed, 0 failed, 0 skipped", 0),
]


def run(folder, *words, runner=RUNNER, **more):
    done = subprocess.run([sys.executable, runner, "self", *words], cwd=folder, text=True,
                          capture_output=True, check=False, env={**os.environ, **more})
    lines = done.stdout.splitlines() or [done.stderr]
    return lines[-1], done.returncode, done.stdout + done.stderr


def script(folder, text):
    path = os.path.join(folder, "case.sh")
    with open(path, "w", encoding="utf-8") as out:
        out.write("#!/bin/bash\n" + text + "\n")
    os.chmod(path, 0o755)


def alive(pid):
    """A child that nobody has reaped yet is as good as gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def leaves_nothing(folder):
    """What a test leaves running ends with the test."""
    script(folder, "sleep 300 & echo $! >left.pid")
    last, status, text = run(folder, "case.sh")
    with open(os.path.join(folder, "left.pid"), encoding="utf-8") as pid_file:
        pid = int(pid_file.read())
    deadline = time.monotonic() + 5
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not alive(pid) and status == 0 and last.startswith("1 passed"), text


def keeps(folder):
    """The output, and what a test puts beside it, are where they are wanted."""
    script(folder, 'echo out; mkdir "$TEST_KEEP" && echo more >"$TEST_KEEP/file"')
    logs = os.path.join(folder, "elsewhere")
    _, status, text = run(folder, "--as", "x", "case.sh", TEST_LOGS=logs)
    found = sorted(name for _, _, names in os.walk(logs) for name in names)
    return status == 0 and found == ["file", "x-case.sh.log"], f"{found}\n{text}"


def outcome(number, good, name, text):
    print(f"{'ok' if good else 'not ok'} {number} - {name}")
    if not good:
        for line in text.splitlines():
            print(f"# {line}")
    return good


def main():
    print(f"1..{len(CASES) + 7}")
    failed = number = 0
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, text, expected, expected_status) in enumerate(CASES, 1):
            script(folder, text)
            last, status, output = run(folder, "case.sh")
            good = last == expected and status == expected_status
            failed += not outcome(number, good, name, output)
        last, status, output = run(folder)
        good = last == "0 passed, 0 failed, 0 skipped" and status == 1
        failed += not outcome(number + 1, good, "nothing to run is no success", output)
        last, status, output = run(folder, "absent")
        good = last == "0 passed, 1 failed, 0 skipped" and status == 1
        failed += not outcome(number + 2, good, "a program that is not there", output)
        script(folder, "exit 1")
        last, status, output = run(folder, "--as", "x", "--require", "no-such-program",
                                   "case.sh", "--as", "y", "--wrap", "true", "case.sh")
        good = last == "1 passed, 0 failed, 1 skipped" and status == 0
        failed += not outcome(number + 3, good, "requirements and wrappers", output)
        good, output = leaves_nothing(folder)
        failed += not outcome(number + 4, good, "what a test leaves running is ended", output)
        script(folder, "# test-timeout: 1\nsleep 1.5")
        last, status, output = run(folder, "--slow", "20", "case.sh")
        good = last == "1 passed, 0 failed, 0 skipped" and status == 0
        failed += not outcome(number + 5, good, "a slow machine has more time", output)
        good, output = keeps(folder)
        failed += not outcome(number + 6, good, "logs elsewhere, and what a test keeps", output)
        last, status, output = run(folder, "--as", "x", "case.sh", "case.sh", runner=SUITE,
                                   PATH=folder)
        good = last == "0 passed, 0 failed, 2 skipped" and status == 0
        failed += not outcome(number + 7, good, "without a virtual machine all is skipped",
                              output)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
