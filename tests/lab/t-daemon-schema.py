#!/usr/bin/env python3
"""The JSON that vipsec prints has the members that docs/PROTOCOL.md tells of, and no others.
test-timeout: 60
"""

import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import pki, vipsec
from vlab.core import SOURCE, Lab, now_ms
from vlab.pair import CLIENT4, PROTECTED, SERVER_AUTH, VIP4, Pair, server_conf
from vlab.pki import Node
from vlab.probes import Prober, Stream
from vlab.tap import check, main
from vlab.vipsec import Rule, secure


def documented():
    """Heading -> set of members."""
    tables, name = {}, None
    with open(f"{SOURCE}/docs/PROTOCOL.md") as file:
        for line in file:
            heading = re.match(r"### (.+)$", line)
            row = re.match(r"\| ([a-z_]+) \| ", line)
            if line.startswith("#"):
                name = heading and heading.group(1)
            elif row and name and "| member | type |" not in line:
                tables.setdefault(name, set()).add(row.group(1))
    return tables


def same(tables, name, value):
    check(set(value) == tables[name],
          f"{name}: said and not documented {sorted(set(value) - tables[name])}, "
          f"documented and not said {sorted(tables[name] - set(value))}")


def objects(ctl):
    """(name, object) of everything that can be asked for."""
    status = ctl.json("status")["data"]
    yield "reply", ctl.json("status")
    yield "status", status
    for name in ("cluster", "tuning", "dataplane", "config"):
        yield name, status[name]
    yield "identity", status["identities"][0]
    yield "name", ctl.rows("names")[0]
    yield "drops", status["dataplane"]["drops"]
    yield "ike counters", status["ike"]
    yield "vip", ctl.json("vip", "status", "web")["data"]
    for name, what in (("vip", "vip"), ("peer", "peers"), ("ike", "ike"), ("child", "child"),
                       ("rule", "rule")):
        yield name, ctl.rows(what)[0]
    yield "address", ctl.rows("vip")[0]["addresses"][0]
    yield "guard", ctl.rows("vip")[0]["guard"]
    ctl.ctl("drain", "web", "to", "10.9.0.51")
    yield "drain", ctl.rows("vip")[0]["drain"]
    ctl.ctl("undrain", "web")
    yield "verdict", ctl.json("explain", CLIENT4, VIP4, "udp", str(PROTECTED))["data"][0]
    yield "event", json.loads(ctl.ctl("--json", "events").stdout.splitlines()[0])
    yield "checked", ctl.json("check")["data"]
    yield "diagnosis", ctl.json("doctor")["data"]
    yield "flushed", ctl.json("flush")["data"]
    yield "finding", ctl.json("doctor")["data"]["findings"][0]
    yield "messages", ctl.json("reload")["data"]
    yield "text", ctl.json("tune", "nlbs-flags", "0")["data"]
    yield "text", ctl.json("vip", "bind", "web")["data"]


def body(tap):
    tables = documented()
    with Lab() as lab:
        pair = Pair(lab)
        root = Node("Lab Root", ca=True)
        pki.give(pair.s, Node("web", issuer=root, names=[vipsec.VIP_ID]), root)
        pair.start_server(server_conf(rules=[
            Rule("protected", f'from vip "web" port {PROTECTED} to any proto udp mirrored',
                 secure(), SERVER_AUTH),
            Rule("named", 'from vip "web" to 10.77.0.0/16 mirrored',
                 secure("tunnel", "gw.vlab.example"),
                 f'psk "lab" local-id "{vipsec.VIP_ID}" remote-id "gw"')]) + pki.identity())
        pair.add_vip(families=(4,))
        pair.wait_bound()
        pair.start_client()
        prober = Prober(lab, [Stream(1, pair.c, VIP4, PROTECTED, 20)])
        prober.wait_reply(1, now_ms(), 15)
        seen = set()
        for name, value in objects(pair.server):
            seen.add(name)
            with tap.case(f"{name}: its members are the documented ones"):
                same(tables, name, value)
        with tap.case("every documented object was seen"):
            check(seen == set(tables), set(tables) ^ seen)
        with tap.case("schema 1, whatever is asked"):
            for words in (["status"], ["show", "ike"], ["check"], ["explain", "::1", "::2", "6"],
                          ["vip", "status", "none"], ["tune", "none", "1"]):
                check(pair.server.json(*words)["schema"] == 1, words)
        with tap.case("what makes no sense says so for scripts, too"):
            answer = pair.server.json("explain", CLIENT4, "::1", "udp", "1")
            check(answer["code"] == 1 and answer["error"], answer)
        prober.close()


if __name__ == "__main__":
    main(body, vipsec.missing_programs)
