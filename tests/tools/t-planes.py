#!/usr/bin/env python3
"""Each lab is said to run on the kernel plane, or why it does not (tests/tests.mk)."""

import os
import re
import sys

TESTS = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..")
LISTS = ("KERNEL_LAB", "KERNEL_ALONE", "KERNEL_REST", "KERNEL_CROWDS",
         "KERNEL_NEVER", "KERNEL_NO_MATTER")


def listed():
    """Name of a lab -> the lists that have it."""
    with open(os.path.join(TESTS, "tests.mk"), encoding="utf-8") as file:
        text = file.read().replace("\\\n", " ")
    found = {}
    for name in LISTS:
        for lab in re.search(rf"^{name} = (.*)$", text, re.MULTILINE).group(1).split():
            found.setdefault(lab, []).append(name)
    return found


def main():
    labs = {name.partition(".")[0] for name in os.listdir(os.path.join(TESTS, "lab"))
            if re.match(r"[kt]-.*\.(py|sh)$", name)}
    found = listed()
    wrong = [f"{lab}: in no list" for lab in sorted(labs - set(found))]
    wrong += [f"{lab}: there is no such lab" for lab in sorted(set(found) - labs)]
    wrong += [f"{lab}: in {' and '.join(lists)}" for lab, lists in sorted(found.items())
              if len(lists) > 1]
    print(f"{'not ok' if wrong else 'ok'} 1 - each of {len(labs)} labs is in one list")
    for line in wrong:
        print(f"# {line}")
    print("1..1")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
