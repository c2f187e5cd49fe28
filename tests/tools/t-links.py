#!/usr/bin/env python3
"""What our documents point to is there: files by link, manual pages by name."""

import os
import re
import sys

TOP = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..")
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
MANUAL = re.compile(r"`man ([a-z_.]+)`")


def documents():
    yield "README.md"
    for name in sorted(os.listdir(os.path.join(TOP, "docs"))):
        if name.endswith(".md"):
            yield os.path.join("docs", name)


def broken(document):
    with open(os.path.join(TOP, document), encoding="utf-8") as file:
        text = file.read()
    for target in LINK.findall(text):
        path = os.path.join(TOP, os.path.dirname(document), target)
        if "://" not in target and not os.path.exists(path):
            yield f"no file {target}"
    manuals = os.listdir(os.path.join(TOP, "docs", "man"))
    for name in MANUAL.findall(text):
        if not any(m.rpartition(".")[0] == name for m in manuals):
            yield f"no manual page {name}"


def main():
    failed = number = 0
    for number, document in enumerate(documents(), 1):
        wrong = list(broken(document))
        print(f"{'not ok' if wrong else 'ok'} {number} - what {document} points to is there")
        for line in wrong:
            print(f"# {line}")
        failed += bool(wrong)
    print(f"1..{number}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
