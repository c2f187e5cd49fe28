"""vipsec on hosts of the lab: configurations, the daemon, and what `vipsec` says of it."""

import json
import os
import re
import subprocess
from collections import namedtuple

from .cluster import PORT_CLEAR, PORT_PROTECTED, VIP, agent_dir, agent_farm, find_program
from .core import KERNEL, LabError, build_dir, wait_until

PSK = "a shared word of the lab, long enough"
VIP_ID = "web.vlab.example"

PERMIT = "permit;"
# VLAB_PLANE=kernel: the labs that make their configurations here try the kernel plane.
PLANE = "dataplane { prefer kernel; }\n" if KERNEL else ""

# action: what stands inside filter-action { }; auth: what follows the word auth
Rule = namedtuple("Rule", "name filter action auth", defaults=(PERMIT, None))


def secure(mode="transport", tunnel_to=None):
    """The filter-action of a negotiate rule."""
    return f"negotiate require; mode {mode}" + (f" to {tunnel_to}" if tunnel_to else "") + ";"


def hides(device):
    """Did what a host got by this device come to it through IPsec, as far as that shows? Not out
    of a TUN but by the device that the ESP came by is what the kernel opens: there the taps
    alone can tell."""
    return KERNEL or not device.startswith("eth")


def conf_text(rules, vip=None, cluster="backend none;", tuning=None, more=""):
    """A configuration. vip: list of addresses of the VIP "web", which the policy is then
    assigned to; without it, to the host."""
    text = f"cluster {{ {cluster} }}\n{PLANE}tuning {{ "
    text += " ".join(f"{name} {value};" for name, value in (tuning or {}).items()) + " }\n"
    if vip:
        text += f'vip "web" {{ address {", ".join(vip)}; }}\n'
    text += 'secret "lab" { psk file "/etc/vipsec/secrets/lab"; }\n' + more
    body = ""
    for rule in rules:
        text += f'filter-list "{rule.name}" {{ {rule.filter}; }}\n'
        text += f'filter-action "{rule.name}" {{ {rule.action} }}\n'
        auth = f" auth {rule.auth};" if rule.auth else ""
        body += (f'\trule "{rule.name}" {{ match "{rule.name}"; action "{rule.name}";'
                 f'{auth} }}\n')
    text += f'policy "lab" {{\n{body}}}\n'
    return text + 'assign policy "lab" to ' + ('vip "web";\n' if vip else "host;\n")


def prefer_kernel(text, more=""):
    """A configuration as it would be for the kernel's plane; more: beside the preference."""
    return re.sub(r"^dataplane.*\n", "", text, flags=re.M) + \
        f"dataplane {{ prefer kernel; {more} }}\n"


def node_conf(takeover="reinitiate", mode="transport", tuning=None, addresses=(VIP,)):
    """For the cluster's nodes: UDP 7001 of the VIP protected, 7002 in clear."""
    return conf_text([
        Rule("protected", f'from vip "web" port {PORT_PROTECTED} to any proto udp mirrored',
             secure(mode), f'psk "lab" local-id "{VIP_ID}" remote-id any'),
        Rule("clear", f'from vip "web" port {PORT_CLEAR} to any proto udp mirrored')],
        vip=addresses, cluster=f'name "web"; backend corosync; takeover {takeover};',
        tuning=tuning)


def peer_conf(peer_id, mode="transport", tuning=None, vips=(VIP,)):
    """For a client of such a VIP: two rules for each address."""
    auth = f'psk "lab" local-id "{peer_id}" remote-id "{VIP_ID}"'
    rules = []
    for n, vip in enumerate(vips, 1):
        rules += [
            Rule(f"protected{n}", f"from me to {vip} port {PORT_PROTECTED} proto udp mirrored",
                 secure(mode, vip if mode == "tunnel" else None), auth),
            Rule(f"clear{n}", f"from me to {vip} port {PORT_CLEAR} proto udp mirrored")]
    return conf_text(rules, tuning=tuning)


def sanitized(build):
    """Whether the programs of this build are instrumented, and so larger and slower."""
    with open(find_program(build, "vipsecd"), "rb") as file:
        return re.search(b"__[at]san_init", file.read()) is not None


def missing_programs():
    """What is missing for a vipsec host, or None."""
    for name in ("vipsecd", "vipsec"):
        if not find_program(build_dir(), name):
            return f"{name} is not built"
    return None


def missing_for_cluster():
    """What is missing for a vipsec cluster, or None."""
    return missing_programs() or (None if agent_dir(build_dir())
                                  else "the agents are not there")


def write_conf(folder, text, psk=PSK):
    """A configuration and its secret in a folder that is seen as /etc/vipsec."""
    os.makedirs(f"{folder}/secrets", exist_ok=True)
    os.chmod(f"{folder}/secrets", 0o700)
    with open(f"{folder}/secrets/lab", "w") as file:
        file.write(psk + "\n")
    os.chmod(f"{folder}/secrets/lab", 0o600)
    with open(f"{folder}/vipsec.conf", "w") as file:
        file.write(text)


def make_host(lab, name, build=None):
    """A host that can run vipsec, with /etc/vipsec and /var/lib/vipsec of its own.

    build: the build folder to take the programs from, if not the lab's."""
    tools = {}
    for program in ("vipsecd", "vipsec"):
        path = find_program(build or lab.build, program)
        if path is None:
            raise LabError(f"{program} is not built")
        tools[program] = path
    folder = lab.host_dir(name)
    for path in ("etc-vipsec", "var-vipsec"):
        os.makedirs(f"{folder}/{path}", exist_ok=True)
        os.chmod(f"{folder}/{path}", 0o700)
    # libqb names its shared memory after pids, which repeat between pid namespaces.
    return lab.host(name, tmpfs=["/run", "/dev/shm"], binds=[
        *agent_farm(lab),
        lab.farm("/etc", dirs=["corosync", "vipsec", "swanctl"],
                 files=["hosts", "resolv.conf", "strongswan.conf"]),
        lab.farm("/var/lib", dirs=["corosync", "pacemaker", "vipsec"]),
        lab.farm("/usr/sbin", links=tools, variant=os.path.basename(build or "")),
        (f"{folder}/etc-vipsec", "/etc/vipsec"), (f"{folder}/var-vipsec", "/var/lib/vipsec")])


class Vipsec:
    """The daemon on a host. On a cluster's node the agents start it, here only asked."""

    def __init__(self, host):
        self.host = host
        self.start_options = []
        self.before = []  # what stands in front of each call of vipsec
        self.environ = {}  # of the daemon, beside the host's

    def configure(self, text, psk=PSK):
        write_conf(f"{self.host.dir}/etc-vipsec", text, psk)

    def start(self, timeout=20, before=()):
        """before: what stands in front of the command line (valgrind, setpriv)."""
        self.process = self.host.spawn(
            [*before, "vipsecd", "-f", "-c", "/etc/vipsec/vipsec.conf",
             "-s", "/var/lib/vipsec", *self.start_options], "vipsecd.log", self.environ)
        self.host.lab.on_close.append(self._end)
        wait_until(lambda: self.process.poll() is not None or self.ctl("status").returncode
                   in (0, 3), timeout, f"vipsecd of {self.host.name}")
        if self.process.poll() is not None:
            raise LabError(f"vipsecd of {self.host.name} ended: "
                           f"{self.host.log('vipsecd.log')[-2000:]}")

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=20)

    def _end(self):
        """With the lab, in good order: the way out is looked at too, and a sanitizer's
        search for leaks is part of it. One that a test has killed or stopped is let be."""
        if self.process.poll() is not None or not self.host.alive():
            return
        self.process.terminate()
        try:
            status = self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return
        if status != 0:
            self.host.lab.complaints.append(
                f"vipsecd of {self.host.name} ended with status {status}: "
                f"{self.host.log('vipsecd.log')[-2000:]}")

    def ctl(self, *words, check=False):
        return self.host.run([*self.before, "vipsec", *words], check=check)

    def json(self, *words):
        done = self.ctl("--json", *words)
        try:
            return json.loads(done.stdout)
        except ValueError:
            raise LabError(f"vipsec --json {' '.join(words)}: {done.returncode} "
                           f"{done.stdout[-300:]}{done.stderr[-300:]}") from None

    def rows(self, what):
        """`vipsec show WHAT` as a list of objects."""
        answer = self.json("show", what)
        data = answer.get("data", answer) if isinstance(answer, dict) else answer
        if not isinstance(data, list):
            raise LabError(f"vipsec show {what}: no list in {str(answer)[:200]}")
        return data

    def vip_state(self, name):
        """The state of a VIP in the daemon's words, or None."""
        try:
            return next((v["state"] for v in self.rows("vip") if v["name"] == name), None)
        except LabError:
            return None

    def tuning(self, name):
        """A timer or flag as in force."""
        return self.json("status")["data"]["tuning"][name]
