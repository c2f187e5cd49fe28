"""vipsec on hosts of the lab: configurations, the daemon, and what `vipsec` says of it."""

import json
import os

from .cluster import PORT_CLEAR, PORT_PROTECTED, VIP, agent_dir, find_program
from .core import LabError, wait_until

PSK = "a shared word of the lab, long enough"
VIP_ID = "web.vlab.example"

NODE_CONF = """cluster {{ name "web"; backend corosync; takeover {takeover}; }}
tuning {{ {tuning} }}
vip "web" {{ address {addresses}; }}
secret "lab" {{ psk file "/etc/vipsec/secrets/lab"; }}
filter-list "protected" {{
	from vip "web" port {protected} to any proto udp mirrored;
}}
filter-list "clear" {{
	from vip "web" port {clear} to any proto udp mirrored;
}}
filter-action "secure" {{ negotiate require; mode {mode}; }}
policy "web" {{
	rule "protected" {{
		match "protected";
		action "secure";
		auth psk "lab" local-id "{vip_id}" remote-id any;
	}}
	rule "clear" {{ match "clear"; action permit; }}
}}
assign policy "web" to vip "web";
"""

PEER_CONF = """cluster {{ backend none; }}
tuning {{ {tuning} }}
secret "lab" {{ psk file "/etc/vipsec/secrets/lab"; }}
filter-list "protected" {{
	from me to {vip} port {protected} proto udp mirrored;
}}
filter-list "clear" {{
	from me to {vip} port {clear} proto udp mirrored;
}}
filter-action "secure" {{ negotiate require; mode {mode}; }}
policy "peer" {{
	rule "protected" {{
		match "protected";
		action "secure";
		auth psk "lab" local-id "{peer_id}" remote-id "{vip_id}";
	}}
	rule "clear" {{ match "clear"; action permit; }}
}}
assign policy "peer" to host;
"""


def tuning_text(values):
    """{"nlbs-flags": 1} as statements."""
    return " ".join(f"{name} {value};" for name, value in (values or {}).items())


def node_conf(takeover="reinitiate", mode="transport", tuning=None, addresses=VIP):
    return NODE_CONF.format(takeover=takeover, mode=mode, tuning=tuning_text(tuning),
                            addresses=addresses, protected=PORT_PROTECTED, clear=PORT_CLEAR,
                            vip_id=VIP_ID)


def peer_conf(peer_id, mode="transport", tuning=None, vip=VIP):
    if mode == "tunnel":
        mode = f"tunnel to {vip}"
    return PEER_CONF.format(vip=vip, mode=mode, tuning=tuning_text(tuning), peer_id=peer_id,
                            protected=PORT_PROTECTED, clear=PORT_CLEAR, vip_id=VIP_ID)


def is_built(lab):
    """What is missing for a vipsec cluster, or None."""
    for name in ("vipsecd", "vipsec"):
        if not find_program(lab, name):
            return f"{name} is not built"
    return None if agent_dir(lab) else "the agents are not there"


def write_conf(folder, text, psk=PSK):
    """A configuration and its secret in a folder that is seen as /etc/vipsec."""
    os.makedirs(f"{folder}/secrets", exist_ok=True)
    with open(f"{folder}/secrets/lab", "w") as file:
        file.write(psk + "\n")
    os.chmod(f"{folder}/secrets/lab", 0o600)
    with open(f"{folder}/vipsec.conf", "w") as file:
        file.write(text)


def make_host(lab, name):
    """A host that can run vipsec, with /etc/vipsec and /var/lib/vipsec of its own."""
    tools = {}
    for program in ("vipsecd", "vipsec"):
        path = find_program(lab, program)
        if path is None:
            raise LabError(f"{program} is not built")
        tools[program] = path
    folder = lab.host_dir(name)
    for path in ("etc-vipsec", "var-vipsec"):
        os.makedirs(f"{folder}/{path}", exist_ok=True)
    return lab.host(name, tmpfs=["/run"], binds=[
        lab.farm("/etc", dirs=["corosync", "vipsec", "swanctl"],
                 files=["hosts", "strongswan.conf"]),
        lab.farm("/var/lib", dirs=["corosync", "pacemaker", "vipsec"]),
        lab.farm("/usr/sbin", links=tools),
        (f"{folder}/etc-vipsec", "/etc/vipsec"), (f"{folder}/var-vipsec", "/var/lib/vipsec")])


class Vipsec:
    """The daemon on a host. On a cluster's node the agents start it, here only asked."""

    def __init__(self, host):
        self.host = host

    def configure(self, text, psk=PSK):
        write_conf(f"{self.host.dir}/etc-vipsec", text, psk)

    def start(self, timeout=20):
        self.process = self.host.spawn(
            ["vipsecd", "-f", "-c", "/etc/vipsec/vipsec.conf", "-s", "/var/lib/vipsec"],
            "vipsecd.log")
        wait_until(lambda: self.process.poll() is not None or self.ctl("status").returncode
                   in (0, 3), timeout, f"vipsecd of {self.host.name}")
        if self.process.poll() is not None:
            raise LabError(f"vipsecd of {self.host.name} ended: "
                           f"{self.host.log('vipsecd.log')[-2000:]}")

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=20)

    def ctl(self, *words, check=False):
        return self.host.run(["vipsec", *words], check=check)

    def json(self, *words):
        done = self.ctl(*words, "--json")
        try:
            return json.loads(done.stdout)
        except ValueError:
            raise LabError(f"vipsec {' '.join(words)} --json: {done.returncode} "
                           f"{done.stdout[-300:]}{done.stderr[-300:]}") from None

    def rows(self, what):
        """`vipsec show WHAT` as a list of objects."""
        answer = self.json("show", what)
        data = answer.get("data", answer) if isinstance(answer, dict) else answer
        if not isinstance(data, list):
            raise LabError(f"vipsec show {what}: no list in {str(answer)[:200]}")
        return data
