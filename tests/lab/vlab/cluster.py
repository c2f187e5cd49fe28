"""A real Corosync and Pacemaker cluster, one host a node.

A crash is a power cut: the cable goes first (a dead kernel answers no ARP), then PID 1.
What a node has on disk (/etc/corosync, /var/lib/pacemaker, /var/lib/vipsec, /var/log) is
in its folder and outlives that.
"""

import os
import re
import secrets
import shutil
import threading
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor

from . import cib
from .addrwatch import AddrWatch
from .core import SOURCE, LabError, now_ms, wait_until
from .net import Switch
from .power import PowerSwitch

NET = "10.77.0"
VIP = f"{NET}.50"
NET6 = "fd77:"
VIP6 = f"{NET6}:50"
CLIENT = f"{NET}.100"
CLIENT6 = f"{NET6}:100"
PORT_PROTECTED, PORT_CLEAR = 7001, 7002
OCF_AGENTS = "/usr/lib/ocf/resource.d"

NODE_ENV = {"PCMK_logfile": "/var/log/pacemaker/pacemaker.log", "PCMK_logfacility": "none",
            "PCMK_stderr": "no", "PCMK_fail_fast": "no"}

COROSYNC_CONF = """totem {{
	version: 2
	cluster_name: vlab
	transport: knet
	token: {token}
	{consensus}
	crypto_model: nss
	crypto_cipher: aes256
	crypto_hash: sha256
}}
nodelist {{
{nodes}}}
quorum {{
	provider: corosync_votequorum
	{two_node}
}}
logging {{
	to_stderr: no
	to_syslog: no
	to_logfile: yes
	logfile: /var/log/corosync/corosync.log
	timestamp: hires
}}
system {{
	move_to_root_cgroup: no
	sched_rr: yes
}}
"""


class Cluster:
    """nodes: how many; service: (resources, constraints) for the CIB, see cib.py."""

    def __init__(self, lab, nodes=2, service=None, token_ms=1000, consensus_ms=None,
                 monitor="1s", fence=True, switch=None, properties=None, overlay=None, vip=VIP):
        """overlay: function(node name, folder) -> more binds, called at each boot."""
        self.lab = lab
        self.names = [f"n{i}" for i in range(1, nodes + 1)]
        self.token_ms, self.consensus_ms, self.monitor = token_ms, consensus_ms, monitor
        self.vip = vip
        self.overlay = overlay or (lambda name, folder: [])
        self.nodes = {}
        self.lock = threading.RLock()
        self.switch = switch or Switch(lab)
        self.power = PowerSwitch(lab, self)
        self.addresses = AddrWatch()
        lab.on_close.append(self.addresses.close)
        self._authkey = secrets.token_bytes(256)
        alone = cib.bare([{"ip": VIP, "cidr_netmask": 24}], monitor)
        self._cib = cib.whole(self.names, service or alone, fence, properties)
        self.farms = self._make_farms()

    def _make_farms(self):
        tools = {"fence_vlab": f"{self.lab.tool}/fence_vlab"}
        for name in ("vipsecd", "vipsec"):
            path = find_program(self.lab.build, name)
            if path:
                tools[name] = path
        return [
            self.lab.farm("/etc", dirs=["corosync", "vipsec", "swanctl"],
                          files=["hosts", "resolv.conf", "strongswan.conf"]),
            self.lab.farm("/var/lib", dirs=["corosync", "pacemaker", "vipsec"]),
            self.lab.farm("/usr/sbin", links=tools),
            *agent_farm(self.lab),
        ]

    # --- one node ---------------------------------------------------------------------

    def _write_node(self, name):
        """What the node has on disk, made at its first boot."""
        folder = self.lab.host_dir(name)
        if os.path.exists(f"{folder}/corosync"):
            return folder
        for path in ("corosync/uidgid.d", "var-corosync", "pacemaker/cib", "pacemaker/cores",
                     "pacemaker/blackbox", "pacemaker/pengine", "log/pacemaker",
                     "log/corosync", "log/crmsh", "etc-vipsec", "var-vipsec"):
            os.makedirs(f"{folder}/{path}")
        with open(f"{folder}/hosts", "w") as file:
            file.write("127.0.0.1 localhost\n" + "".join(
                f"{NET}.{i} {n}\n" for i, n in enumerate(self.names, 1)))
        with open(f"{folder}/corosync/authkey", "wb") as file:
            file.write(self._authkey)
        os.chmod(f"{folder}/corosync/authkey", 0o400)
        with open(f"{folder}/corosync/corosync.conf", "w") as file:
            file.write(self._corosync_conf())
        with open(f"{folder}/pacemaker/cib/cib.xml", "w") as file:
            file.write(self._cib)
        for top in ("pacemaker", "log/pacemaker"):
            for base, dirs, files in os.walk(f"{folder}/{top}"):
                for path in [base] + [f"{base}/{f}" for f in files]:
                    shutil.chown(path, "hacluster", "haclient")
                    os.chmod(path, 0o750 if os.path.isdir(path) else 0o600)
        return folder

    def _corosync_conf(self):
        nodes = "".join(f"\tnode {{\n\t\tname: {n}\n\t\tnodeid: {i}\n"
                        f"\t\tring0_addr: {NET}.{i}\n\t}}\n"
                        for i, n in enumerate(self.names, 1))
        return COROSYNC_CONF.format(
            token=self.token_ms, nodes=nodes,
            consensus=f"consensus: {self.consensus_ms}" if self.consensus_ms else "",
            two_node="two_node: 1\n\twait_for_all: 1" if len(self.names) == 2 else "")

    def boot(self, name):
        """Power on: the host and its cable, nothing started."""
        folder = self._write_node(name)
        # libqb names its shared memory after pids, which repeat between pid namespaces.
        host = self.lab.host(name, tmpfs=["/run", "/dev/shm"], binds=[
            *self.farms, (f"{folder}/corosync", "/etc/corosync"),
            (f"{folder}/hosts", "/etc/hosts"), (f"{folder}/var-corosync", "/var/lib/corosync"),
            (f"{folder}/pacemaker", "/var/lib/pacemaker"), (f"{folder}/log", "/var/log"),
            (f"{folder}/etc-vipsec", "/etc/vipsec"),
            (f"{folder}/var-vipsec", "/var/lib/vipsec"), *self.overlay(name, folder)])
        # /run is a tmpfs of the node's own: the power switch's folder is bound inside it.
        host.run(f"mkdir -p /run/lock /run/resource-agents /run/vlab; "
                 f"install -d -o hacluster -g haclient -m 750 /run/crm; "
                 f"mount --bind {self.power.folder} /run/vlab")
        with self.lock:
            self.switch.unplug(f"p-{name}")
            number = self.names.index(name) + 1
            self.switch.plug(host, f"{NET}.{number}/24", f"{NET6}:{number}/64")
            self.nodes[name] = host
        self.addresses.add(host)
        return host

    def start(self, name):
        """Power on and start the cluster's daemons."""
        host = self.nodes[name] if self.is_up(name) else self.boot(name)
        self.on_boot(host)
        host.spawn(["corosync", "-f"], "corosync.out", env=NODE_ENV)
        wait_until(lambda: host.ok("corosync-cfgtool -s"), 20, f"corosync of {name}")
        host.spawn(["pacemakerd"], "pacemakerd.out", env=NODE_ENV)
        return host

    def on_boot(self, host):
        """Replaced by those who run something on every node."""

    def is_up(self, name):
        return name in self.nodes and self.nodes[name].alive()

    def crash(self, name):
        """Power cut. The time of it."""
        with self.lock:
            host = self.nodes[name]
            at = now_ms()
            try:
                self.switch.cut(f"p-{name}")
            except LabError:
                pass
            host.kill(wait=False)
        host.init.wait(timeout=20)
        return at

    def cut(self, name):
        self.switch.cut(f"p-{name}")

    def heal(self, name):
        self.switch.heal(f"p-{name}")

    # --- the whole ----------------------------------------------------------------------

    def up(self, timeout=60):
        """Starts all nodes and waits until the group runs."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(self.start, self.names))
        self.settle(timeout)

    def any_up(self):
        for name in self.names:
            if self.is_up(name):
                return self.nodes[name]
        raise LabError("no node is up")

    def state(self):
        """crm_mon's view as XML, or None while the cluster does not answer."""
        done = self.any_up().run(["crm_mon", "-1", "--output-as=xml"], check=False)
        try:
            return ET.fromstring(done.stdout) if done.returncode == 0 else None
        except ET.ParseError:
            return None

    def is_settled(self):
        """All nodes that are up are online, every resource runs, nothing is pending."""
        state = self.state()
        if state is None:
            return False
        up = [n for n in self.names if self.is_up(n)]
        online = [n.get("name") for n in state.findall("nodes/node")
                  if n.get("online") == "true" and n.get("pending") == "false"]
        if sorted(online) != sorted(up):
            return False
        for resource in state.iter("resource"):
            agent = resource.get("resource_agent", "")
            if agent.startswith("stonith") and len(up) < len(self.names):
                continue
            if resource.get("role") == "Stopped" and not agent.startswith("ocf:vipsec:daemon"):
                return False
            if resource.get("failed") == "true" or resource.get("pending"):
                return False
        return len(list(state.iter("resource"))) > 0

    def is_idle(self):
        """The designated controller has no transition going on."""
        host = self.any_up()
        found = re.search(r"^Designated Controller is: (\S+)",
                          host.run(["crmadmin", "-D"], check=False).stdout, re.M)
        return found is not None and "S_IDLE" in host.run(
            ["crmadmin", "-S", found[1]], check=False).stdout

    def settle(self, timeout=60):
        """Waits until the cluster has nothing more to do."""
        wait_until(lambda: self.is_settled() and self.is_idle() and self.is_settled(),
                   timeout, "the cluster to settle", step=0.1)

    def active(self):
        """The node that has the VIP's address, by the address itself."""
        for name in self.names:
            if self.is_up(name) and self.has_vip(name):
                return name
        return None

    def has_vip(self, name):
        done = self.nodes[name].run(["ip", "-o", "addr", "show", "to", self.vip], check=False)
        return bool(done.stdout.strip())

    def other(self, name):
        return next(n for n in self.names if n != name and self.is_up(n))

    def move(self, target, group="vip-group"):
        """Asks for a planned move and does not wait. The time of it."""
        at = now_ms()
        self.nodes[target].run(["crm_resource", "--move", "-r", group, "-N", target])
        return at

    def clear_move(self, group="vip-group"):
        self.any_up().run(["crm_resource", "--clear", "-r", group], check=False)
        self.settle()

    def cleanup(self):
        self.any_up().run(["crm_resource", "--cleanup"], check=False)

    def logs(self, lines=40):
        """The ends of the nodes' logs, for a failed test."""
        text = ""
        for name in self.names:
            for path in ("log/pacemaker/pacemaker.log", "log/vipsecd.log",
                         "log/corosync/corosync.log"):
                tail = self.nodes[name].log(path).splitlines()[-lines:] \
                    if name in self.nodes else []
                text += f"--- {name} {path}\n" + "\n".join(tail) + "\n"
        return text


def find_program(build, name):
    """A product of the build, or None while there is none."""
    for place in ("", "src/daemon/", "src/ctl/"):
        path = os.path.join(build, place, name)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


_copying = threading.Lock()


def agent_farm(lab):
    """The OCF agents of the machine and ours, where there are any.

    Ours are copied: a build below somebody's home is not for everybody to read, and
    ocf-tester asks for the meta-data as nobody.
    """
    agents = agent_dir(lab.build)
    if not os.path.isdir(OCF_AGENTS):
        return []
    if not agents:
        return [lab.farm(OCF_AGENTS)]
    copy = f"{lab.dir}/agents"
    # Hosts are made side by side, and some may run these already.
    with _copying:
        if not os.path.isdir(copy):
            os.makedirs(copy, mode=0o755)
            for name in ("daemon", "vip", ".vipsec-common.sh"):
                shutil.copy(f"{agents}/{name}", f"{copy}/{name}")
    return [lab.farm(OCF_AGENTS, links={"vipsec": copy})]


def agent_dir(build):
    """The folder with the OCF agents `daemon` and `vip`, or None."""
    for base in (build, SOURCE):
        folder = os.path.join(base, "resource-agent")
        if os.path.isfile(f"{folder}/daemon") and os.path.isfile(f"{folder}/vip"):
            return folder
    return None
