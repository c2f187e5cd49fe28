#!/usr/bin/env python3
"""A rule that nothing can break proves nothing: each one is broken here on purpose.

Builds a small source tree that check-floors accepts, spoils it in one way at a time, and
expects the offence, in the right line.
"""

import os
import subprocess
import sys
import tempfile

TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools",
                    "check-floors")
UNFINISHED = "TO" + "DO"

GOOD = {
    "src/base/span.h": "/* spans */\n#include <stdint.h>\n",
    "src/wire/reader.c": '/* reader */\n#include "config.h"\n#include "base/span.h"\n'
                         '#include "wire/reader.h"\nint rd(int x)\n{\n\treturn x;\n}\n',
    "src/wire/reader.h": '/* reader */\n#ifndef R\n#define R\n#include "base/span.h"\n'
                         "#endif\n",
    "src/crypto/aead.c": "/* aead */\n#include <openssl/evp.h>\n",
    "src/port/clock.c": '/* clock */\n#include <time.h>\n#include "node/node.h"\n'
                        "#ifdef HAVE_X\n#endif\n"
                        "long now(void)\n{\n\treturn time(0);\n}\n",
    "src/node/node.c": '/* node: never call time( here */\n#include "ike/ike.h"\n'
                       'int f(struct s *p)\n{\n\tp->time(0);\n\tg("rand(");\n'
                       "\tuptime(1);\n\treturn '{';\n}\n",
}

# What is spoilt, the file, its text, and the offence expected.
BAD = [
    ("an include upwards", "src/wire/a.c", '/* a */\n#include "ike/ike.h"\n',
     "src/wire/a.c:2: wire/ (floor 1) may not see ike/"),
    ("an include of the same floor", "src/ike/a.c", '/* a */\n#include "esp/esp.h"\n',
     "src/ike/a.c:2: ike/ (floor 2) may not see esp/"),
    ("an include of the same floor at the top", "src/plane/a.h",
     '/* a */\n  #  include "port/port.h"\n',
     "src/plane/a.h:2: plane/ (floor 7) may not see port/"),
    ("an include without its room", "src/wire/a.c", '/* a */\n#include "reader.h"\n',
     'src/wire/a.c:2: "reader.h" is not of the form'),
    ("an include round the rooms", "src/wire/a.c", '/* a */\n#include "../ike/ike.h"\n',
     'src/wire/a.c:2: "../ike/ike.h" is not of the form'),
    ("a socket in the core", "src/ike/a.c", "/* a */\n#include <sys/socket.h>\n",
     "src/ike/a.c:2: <sys/socket.h> has no place on floor 2"),
    ("a network header in the core", "src/base/a.h", "/* a */\n#include <netinet/in.h>\n",
     "src/base/a.h:2: <netinet/in.h> has no place on floor 0"),
    ("a thread in the core", "src/node/a.c", "/* a */\n#include <pthread.h>\n",
     "src/node/a.c:2: <pthread.h> has no place on floor 4"),
    ("libqb in the core", "src/node/a.c", "/* a */\n#include <qb/qbloop.h>\n",
     "src/node/a.c:2: <qb/qbloop.h> has no place on floor 4"),
    ("libnl in the core", "src/esp/a.c", "/* a */\n#include <netlink/netlink.h>\n",
     "src/esp/a.c:2: <netlink/netlink.h> has no place on floor 2"),
    ("OpenSSL outside crypto", "src/daemon/a.c", "/* a */\n#include <openssl/rand.h>\n",
     "src/daemon/a.c:2: <openssl/rand.h> belongs to crypto/ alone"),
    ("a clock in the core", "src/ike/a.c", "/* a */\nlong f(void)\n{\n\treturn time(0);\n}\n",
     "src/ike/a.c:4: time() has no place on floor 2"),
    ("a random source in the core", "src/crypto/a.c",
     "/* a */\nvoid f(void)\n{\n\t(void)getrandom (b, 8, 0);\n}\n",
     "src/crypto/a.c:4: getrandom() has no place on floor 1"),
    ("rand in the core", "src/base/a.c", "/* a */\nint f(void)\n{\n\treturn rand();\n}\n",
     "src/base/a.c:4: rand() has no place on floor 0"),
    ("clock_gettime behind a comment", "src/esp/a.c",
     "/* a\n * b */\nvoid f(void)\n{\n\t/* c */ clock_gettime(0, 0);\n}\n",
     "src/esp/a.c:5: clock_gettime() has no place on floor 2"),
    ("a condition in a function", "src/port/a.c",
     "/* a */\nvoid f(void)\n{\n#ifdef X\n\tg();\n#endif\n}\n",
     "src/port/a.c:4: conditional compilation inside a brace"),
    ("a file without a comment at its top", "src/port/a.c", "int x;\n",
     "src/port/a.c:1: a C file begins with a comment"),
    ("a mark of unfinished work", "src/port/a.c", f"/* a */\n/* {UNFINISHED}: b */\n",
     f"src/port/a.c:2: unfinished: {UNFINISHED}"),
    ("a mark of unfinished work in a script", "tests/lab/a.py", f"# {UNFINISHED}\n",
     f"tests/lab/a.py:1: unfinished: {UNFINISHED}"),
    ("utils.c", "src/base/utils.c", "/* a */\n",
     "src/base/utils.c:1: a file is named after what it is about"),
    ("an unknown room", "src/misc/a.c", "/* a */\n", "src/misc/a.c:1: not in a room"),
    ("a file outside the rooms", "src/a.c", "/* a */\n", "src/a.c:1: not in a room"),
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
        failed += not outcome(1, status != 0, "a tree without sources is no success", text)
        for name, content in GOOD.items():
            write(top, name, content)
        status, text = check(top)
        failed += not outcome(2, status == 0, "a tree that keeps the rules", text)
        for number, (what, name, content, expected) in enumerate(BAD, 3):
            write(top, name, content)
            status, text = check(top)
            offences = [l for l in text.splitlines() if not l.startswith("#")]
            good = status == 1 and len(offences) == 1 and offences[0].startswith(expected)
            failed += not outcome(number, good, f"refused: {what}", text)
            os.unlink(os.path.join(top, name))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
