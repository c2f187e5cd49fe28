#!/usr/bin/env python3
"""The matrix of `make interop`: no cell is blank, whatever has happened to its run."""

import os
import sys

TOP = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..")
for folder in ("tests/interop", "tests/lab"):
    sys.path.insert(0, os.path.join(TOP, folder))

import links
import table
import vici
from cells import (FAIL, NOT_THERE, PASS, SCENARIOS, SETTINGS, Cell, Result, cells_of,
                   from_line, to_line)

count = failed = 0


def ok(good, idea):
    global count, failed
    count += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {count} - {idea}")


def rows(text):
    """The lines of the tables' scenarios, as lists of marks."""
    titles = {title for title, _ in SCENARIOS.values()}
    split = [[word.strip() for word in line.strip("|").split("|")]
             for line in text.splitlines() if line.startswith("|")]
    return [row[1:] for row in split if row[0] in titles]


def main():
    drawn = rows(table.text({}, []))
    ok(len(drawn) == len(SETTINGS) * len(SCENARIOS), "every row of every setting is drawn")
    ok(all(mark == "fail" for row in drawn for mark in row), "a missing answer is a failure")

    cells = [cell for setting in SETTINGS for cell in cells_of(setting)]
    results = {cell: Result(cell, PASS) for cell in cells}
    results[cells[0]] = Result(cells[0], FAIL, "why it failed")
    results[cells[1]] = Result(cells[1], NOT_THERE, "what is not there")
    text = table.text(results, [("peer", "1.2")])
    ok("fail (1)" in text and "1. why it failed" in text, "a failure has its reason below")
    ok("- (2)" in text and "2. what is not there" in text, "so has what the peer lacks")
    ok(table.counts(results) == (len(cells) - 2, 1, 1), "they are counted")

    result = Result(Cell("a", "b", "c", "d"), FAIL, "x", 3, "y.log")
    ok(from_line(to_line(result)) == result, "a result survives its way as a line")

    made = links.make(["transport", "tunnel"])
    ends = [{c.ours, c.theirs} for c in made]
    ok(len(set().union(*ends)) == sum(map(len, ends)), "no address is used twice")

    message = {"a": {"b": "c", "list": ["d", "e"], "deep": {"f": "g"}}, "h": "i"}
    ok(vici.decode(vici.encode(message)) == message, "a VICI message survives its way")
    print(f"1..{count}")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
