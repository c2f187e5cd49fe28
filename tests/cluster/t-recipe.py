#!/usr/bin/env python3
"""The README's recipe, loaded as it is written there, in pcs and in crm.
test-timeout: 120
"""

import os
import re
import sys
import xml.etree.ElementTree as ET

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))

from vlab.cluster import Cluster, agent_dir
from vlab.core import SOURCE, Lab, build_dir
from vlab.tap import Skip, check, main

EMPTY = ('<cib admin_epoch="1" epoch="1" num_updates="0" validate-with="pacemaker-3.9">'
         '<configuration><crm_config><cluster_property_set id="o"><nvpair id="o-s" '
         'name="stonith-enabled" value="false"/></cluster_property_set></crm_config><nodes/>'
         '<resources/><constraints/></configuration><status/></cib>')


def missing():
    return None if agent_dir(build_dir()) else "the agents are not there"


def blocks(kind):
    with open(os.path.join(SOURCE, "README.md")) as file:
        return re.findall(rf"^```{kind}\n(.*?)^```", file.read(), re.M | re.S)


def meaning(cib):
    """What a CIB says about our resources, without the ids that a tool made up."""
    root = ET.fromstring(cib)
    agents = sorted(":".join(p.get(k) or "" for k in ("class", "provider", "type"))
                    + "@" + p.get("id") for p in root.iter("primitive"))
    orders = sorted((o.get("first"), o.get("then"), o.get("kind"))
                    for o in root.iter("rsc_order"))
    together = sorted((c.get("rsc"), c.get("with-rsc"), c.get("score").upper())
                      for c in root.iter("rsc_colocation"))
    return {"agents": agents, "orders": orders, "colocations": together,
            "groups": [[p.get("id") for p in g] for g in root.iter("group")]}


def body(tap):
    with Lab() as lab:
        # The tools ask the agents for their parameters: a host with the agents, no cluster.
        cluster = Cluster(lab)
        host = cluster.boot("n1")
        loaded = {}
        for tool, kind in (("pcs", "sh"), ("crm", "crm")):
            with tap.case(f"the README's recipe for {tool} is taken, and is a valid cluster"):
                if not host.ok(f"command -v {tool}"):
                    raise Skip(f"{tool} is not installed")
                text = next(b for b in blocks(kind) if "ocf:vipsec:vip" in b)
                path = f"/run/{tool}.xml"
                host.run(f"cat >{path}", text=EMPTY)
                if tool == "pcs":
                    script = re.sub(r"^pcs ", f"pcs -f {path} ", text, flags=re.M)
                    host.run("set -e\n" + script)
                else:
                    host.run("cat >/run/recipe.crm", text=text)
                    host.run(f"CIB_file={path} crm configure load update /run/recipe.crm",
                             env={"CIB_file": path})
                host.run(["crm_verify", "--xml-file", path])
                loaded[tool] = meaning(host.out(["cat", path]))
        with tap.case("both say the same"):
            if len(loaded) < 2:
                raise Skip("only one of them could be loaded")
            check(loaded["pcs"] == loaded["crm"], loaded)


if __name__ == "__main__":
    main(body, missing)
