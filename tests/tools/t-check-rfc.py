#!/usr/bin/env python3
"""What tools/check-rfc must notice is broken here on purpose, one thing at a time.

Builds a small tree that it accepts, spoils one file, and expects that offence alone.
"""

import os
import subprocess
import sys
import tempfile

TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools",
                    "check-rfc")
ROW = "| 2.1 | what | `ike/a.c` | `test_a it_holds`, `tests/lab/t-a.py` |\n"
BOOK = ("# Book\n\n## RFC 7296: IKEv2\n\n| section | rule | obeyed in | shown by |\n"
        "|---|---|---|---|\n" + ROW +
        "| 2.2 | more | `ike/a.c` | `test_a it_holds` |\n"
        "| 2.9 | else | not applicable: no such thing | - |\n\n"
        "Cited besides: 3, A2.1\n\n## Others\n\n| RFC | for |\n|---|---|\n"
        "| RFC 768 | UDP |\n")

GOOD = {
    "docs/RFC.md": BOOK,
    "src/ike/a.c": "/* RFC 7296 2.1 to\n * 2.2, 3 and A2.1; RFC 768, 7296. 99 lives */\n",
    "tests/unit/test_a.c": "static void it_holds(void **state)\n{\n}\nT(it_holds),\n",
    "tests/lab/t-a.py": "# RFC 768 5.1\n",
    "docs/SECURITY.md": "| CVE-1 | what | `test_a it_holds` |\n",
}


def book(old, new):
    assert old in BOOK
    return "docs/RFC.md", BOOK.replace(old, new)


# What is spoilt, (file, its text), and the offence expected.
BAD = [
    ("a section that is not cited", book("| 2.1 |", "| 2.2 |"),
     "src/ike/a.c:1: RFC 7296 2.1 is not in docs/RFC.md"),
    ("a row without a citation",
     ("src/ike/a.c", "/* RFC 7296 2.1 */\n"),
     "docs/RFC.md:8: src/ike/a.c does not cite RFC 7296 2.2"),
    ("a citation of another RFC", ("src/ike/a.c", "/* RFC 7296 2.1, 2.2, RFC 768 2.2 */ /* "
                                   "RFC 4303 */\n"),
     "src/ike/a.c:1: RFC 4303 is not in docs/RFC.md"),
    ("a citation behind a range",
     ("src/ike/a.c", "/* RFC 7296 2.1 to 2.2, 2.4 */\n"),
     "src/ike/a.c:1: RFC 7296 2.4 is not in docs/RFC.md"),
    ("a citation that a line's end cuts in two",
     ("src/ike/a.c", "/* RFC 7296 2.1, 2.2 (RFC\n * 7296 2.4) */\n"),
     "src/ike/a.c:1: RFC 7296 2.4 is not in docs/RFC.md"),
    ("a citation that a script makes", ("tests/lab/t-a.py", "# RFC 7296\n# 2.5\n"),
     "tests/lab/t-a.py:1: RFC 7296 2.5 is not in docs/RFC.md"),
    ("a file that is not there", book("more | `ike/a.c`", "more | `ike/b.c`"),
     "docs/RFC.md:8: there is no src/ike/b.c"),
    ("a test that is not there", book("`test_a it_holds`,", "`test_a it_fails`,"),
     "docs/RFC.md:7: tests/unit/test_a.c runs no it_fails"),
    ("a test that does not run",
     ("tests/unit/test_a.c",
      "static void it_holds(void **state)\n{\n}\n"),
     "docs/RFC.md:7: tests/unit/test_a.c runs no it_holds"),
    ("a script that is not there", book("t-a.py", "t-b.py"),
     "docs/RFC.md:7: there is no tests/lab/t-b.py"),
    ("a rule that no test shows", book("`test_a it_holds`, `tests/lab/t-a.py`", "-"),
     "docs/RFC.md:7: no test shows it"),
    ("a rule without a place", book("what | `ike/a.c`", "what | somewhere"),
     "docs/RFC.md:7: says neither where it is obeyed nor why it is not"),
    ("a failure that no test stands for",
     ("docs/SECURITY.md", "| CVE-1 | what | `test_a it_fails` |\n"),
     "docs/SECURITY.md:1: tests/unit/test_a.c runs no it_fails"),
    ("a row of another form", book("| 2.9 | else |", "| 2.9 |"),
     "docs/RFC.md:9: a row has 4 cells, not 3"),
    ("a section that is none", book("| 2.9 |", "| two |"),
     "docs/RFC.md:9: 'two' is not a section"),
]


def write(top, name, text):
    path = os.path.join(top, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)


def check(top):
    done = subprocess.run([sys.executable, TOOL, top], capture_output=True, text=True,
                          check=False)
    return done.returncode, done.stdout + done.stderr


def outcome(number, good, name, text):
    print(f"{'ok' if good else 'not ok'} {number} - {name}")
    if not good:
        for line in text.splitlines():
            print(f"# {line}")
    return good


def main():
    print(f"1..{len(BAD) + 2}")
    failed = 0
    with tempfile.TemporaryDirectory() as top:
        status, text = check(top)
        failed += not outcome(1, status != 0, "without a book it is no success", text)
        for name, content in GOOD.items():
            write(top, name, content)
        status, text = check(top)
        failed += not outcome(2, status == 0, "a tree that keeps the rules", text)
        for number, (what, (name, content), expected) in enumerate(BAD, 3):
            write(top, name, content)
            status, text = check(top)
            offences = [l for l in text.splitlines() if not l.startswith("#")]
            # A test that does not run is missed in each row that names it.
            good = status == 1 and expected in offences and \
                all(o.split(": ", 1)[1] == expected.split(": ", 1)[1] or
                    o.endswith("2.1") or o.endswith("2.2") for o in offences)
            failed += not outcome(number, good, f"refused: {what}", text)
            write(top, name, GOOD[name])
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
