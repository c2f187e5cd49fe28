#!/usr/bin/env python3
"""The matrix of `make interop`: no cell is blank, whatever has happened to its run, and what
it reads of the wire is what was sent."""

import os
import struct
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


# RFC 7427 A.4.3, and B.1's algorithm
PSS_SHA256 = bytes.fromhex(
    "304606092a864886f70d01010a3039a00f300d06096086480165030402010500a11c301a06092a864886f70d01"
    "0108300d06096086480165030402010500a203020120a303020101")
PKCS1_SHA1 = bytes.fromhex("300d06092a864886f70d0101050500")


def payload(following, body):
    return struct.pack(">BBH", following, 0, 4 + len(body)) + body


def sealed(key, kind, first, plain, fragment=b""):
    """An IKE_AUTH request with one SK or SKF payload, as an initiator sends it."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    length = 4 + len(fragment) + 8 + len(plain) + 1 + 16
    head = (b"i" * 8 + b"r" * 8 + struct.pack(">BBBBII", kind, 0x20, 35, 8, 1, 28 + length)
            + struct.pack(">BBH", first, 0, length) + fragment)
    return head + b"iv" * 4 + AESGCM(key[:-4]).encrypt(key[-4:] + b"iv" * 4, plain + b"\0",
                                                       head)


def wire():
    """IKE_AUTH is read, whole and in fragments; and what its AUTH is."""
    import letters
    key = bytes(range(36))
    log = ",".join(["69" * 8, "72" * 8, key.hex(), "00" * 36,
                    '"AES-GCM-256 with 16 octet ICV [RFC5282]"', "", "", '"NONE [RFC4306]"'])
    auth = b"\x0e\0\0\0" + bytes([len(PSS_SHA256)]) + PSS_SHA256 + bytes(256)
    plain = payload(39, b"cert" * 50) + payload(0, auth)
    parts = [plain[:100], plain[100:300], plain[300:]]
    frames = [sealed(key, 53, 37 if n == 1 else 0, part, struct.pack(">HH", n, 3))
              for n, part in enumerate(parts, 1)]
    keys = letters.keys_of(log)
    for words, sent, count in (("whole", [sealed(key, 46, 37, plain)] * 2, 1),
                               ("in fragments", [frames[2], frames[0], frames[1]], 3)):
        found = letters.read([("a", data) for data in sent], keys)
        ok(len(found) == 1 and found[0].fragments == count
           and letters.bodies(found[0], letters.AUTH) == [auth], f"a message is read {words}")
    ok(not letters.read([("a", data) for data in frames[:2]], keys),
       "one that lacks a fragment is not read")
    ok(letters.doubt(auth, "rsa-pss") is None, "RSASSA-PSS is known by RFC 7427's own octets")
    old = b"\x0e\0\0\0" + bytes([len(PKCS1_SHA1)]) + PKCS1_SHA1 + bytes(256)
    ok("another algorithm" in letters.doubt(old, "rsa-pss"), "RSASSA-PKCS1-v1_5 is not it")
    ok("method 1" in letters.doubt(b"\1\0\0\0" + bytes(256), "rsa-pss"),
       "nor is the signature of before RFC 7427")


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
    try:
        wire()
    except ImportError:
        ok(True, "messages are read # SKIP python3-cryptography is not installed")
    print(f"1..{count}")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
