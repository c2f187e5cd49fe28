#!/usr/bin/env python3
"""valgrind watches vipsecd and every verb of vipsec: no wrong access, nothing lost.
test-timeout: 300
"""

import glob
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import vipsec
from vlab.core import SOURCE, Lab, now_ms, wait_until
from vlab.dns import Dns
from vlab.pair import PROTECTED, STRANGER4, VIP4, Pair, server_conf
from vlab.probes import Prober, Stream
from vlab.tap import check, main
from vlab.vipsec import Rule, secure

FOUND = 97  # exit status of a program in which valgrind has found something
VERBS = [["status"], ["show", "ike"], ["show", "child"], ["show", "vip"], ["show", "peers"],
         ["show", "rule"], ["show", "names"], ["--json", "status"], ["events"], ["ping"], ["check"],
         ["check", "/run/none.conf"], ["explain", "10.9.0.1", VIP4, "udp", PROTECTED],
         ["explain", "10.9.0.1"], ["tune", "nlbs-flags", "1"], ["tune", "nlbs-flags", "default"],
         ["log", "level", "info"], ["vip", "status", "web"], ["vip", "status", "none"],
         ["up", "web"], ["down", "web"], ["vip", "unbind", "web"], ["vip", "bind", "web"],
         ["dance"], []]


def memcheck(log):
    return ["valgrind", "-q", "--leak-check=full", f"--error-exitcode={FOUND}",
            "--show-leak-kinds=definite,indirect", "--errors-for-leak-kinds=definite,indirect",
            f"--suppressions={SOURCE}/tests/lab/memcheck.supp", f"--log-file={log}"]


def traffic(pair):
    prober = Prober(pair.lab, [Stream(1, pair.c, VIP4, PROTECTED)])
    prober.wait_reply(1, now_ms(), 60)
    prober.close()


def clean(log, status, wanted=None):
    """The program ended with this status (None: any), and valgrind has written nothing."""
    text = ""
    for path in glob.glob(f"{log}-*"):
        with open(path, errors="replace") as file:
            text += file.read()[:6000]
        os.unlink(path)
    good = status != FOUND if wanted is None else status == wanted
    check(good and not text, f"status {status}: {text}")


def verbs(tap, pair, log):
    pair.server.before = memcheck(f"{log}-%p")
    for words in VERBS:
        with tap.case(f"vipsec {' '.join(map(str, words))}".strip() + ": no finding"):
            clean(log, pair.server.ctl(*words).returncode)
    pair.server.before = []


def names(tap, pair):
    """Eight at once, each with an answer of another kind; left while some are asked for."""
    hows = ("good", "many", "silent", "garbage", "huge", "loop", "other", "none")
    dns = Dns(pair.x, STRANGER4)
    for how in hows:
        dns.say(f"{how}.vlab.example", "10.9.0.77", "fd09::77", how=how)
    dns.serve(pair.s)
    rules = [Rule(how, f'from vip "web" to 10.77.{n}.0/24 mirrored',
                  secure("tunnel", f"{how}.vlab.example"),
                  f'psk "lab" local-id "{vipsec.VIP_ID}" remote-id "{how}"')
             for n, how in enumerate(hows)]
    with tap.case("names are asked for, whatever DNS answers"):
        pair.server.configure(server_conf(rules=rules))
        check(pair.server.ctl("reload").returncode == 0, "taken")
        wait_until(lambda: all(row["addresses"] or row["reason"]
                               for row in pair.server.rows("names")), 60, "an answer to each")
        known = {row["name"] for row in pair.server.rows("names") if row["addresses"]}
        check(known == {"good.vlab.example", "many.vlab.example"}, known)
        pair.server.configure(server_conf())
        check(pair.server.ctl("reload").returncode == 0, "taken")
        pair.server.configure(server_conf(rules=rules))
        check(pair.server.ctl("reload").returncode == 0, "taken")


def body(tap):
    with Lab() as lab:
        pair = Pair(lab)
        of_daemon, of_verbs = (f"{lab.dir}/findings/{name}" for name in ("vipsecd", "vipsec"))
        pair.server.configure(server_conf())
        pair.add_vip()
        tap.on_failure.append(lambda: pair.s.log("vipsecd.log")[-2000:])
        with tap.case("vipsec without a daemon: no finding"):
            clean(of_verbs, pair.s.run([*memcheck(f"{of_verbs}-%p"), "vipsec", "status"],
                                       check=False).returncode, 69)
        with tap.case("vipsecd starts, serves and carries traffic"):
            pair.server.start(timeout=60, before=memcheck(f"{of_daemon}-%p"))
            pair.wait_bound(60)
            pair.start_client()
            traffic(pair)
        verbs(tap, pair, of_verbs)
        with tap.case("a reload of a wrong file, and of a right one"):
            pair.server.configure("nonsense {")
            check(pair.server.ctl("reload").returncode == 1, "refused")
            pair.server.configure(server_conf(tuning={"idle-timeout": "3m"}))
            check(pair.server.ctl("reload").returncode == 0, "taken")
            traffic(pair)
        with tap.case("the address comes and goes"):
            pair.remove_vip()
            wait_until(lambda: pair.server.vip_state("web") == "absent", 20, "absent")
            pair.add_vip()
            pair.wait_bound(60)
            traffic(pair)
        names(tap, pair)
        with tap.case("vipsecd ends: no wrong access, and nothing lost"):
            pair.server.process.terminate()
            clean(of_daemon, pair.server.process.wait(timeout=60), 0)
        with tap.case("a start that fails: neither"):
            pair.server.configure("nonsense {")
            clean(of_daemon, pair.s.run([*memcheck(f"{of_daemon}-%p"), "vipsecd", "-f"],
                                        check=False).returncode, 78)


def missing():
    return vipsec.missing_programs() or (
        None if shutil.which("valgrind") else "valgrind is not installed")


if __name__ == "__main__":
    main(body, missing)
