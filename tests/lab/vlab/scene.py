"""A scene: a cluster with a VIP, its peers, probes on all of them, taps on the links.

Stream 1 is the first peer's protected stream, stream 2 its stream in clear; 11 is its protected
stream to the VIP's second address. The protected streams of further peers are 101, 102 and
so on.
"""

from concurrent.futures import ThreadPoolExecutor

from . import cib, vipsec
from .cluster import CLIENT, NET, NET6, PORT_CLEAR, PORT_PROTECTED, VIP, Cluster
from .core import KERNEL, PATIENCE, LabError, now_ms, wait_until
from .net import Switch, make_nat_router
from .probes import Prober, Stream, start_echo
from .swan import BYPASS_MARK, StrongSwan
from .wire import Tap

PROTECTED, CLEAR, SECOND, MORE = 1, 2, 11, 100
MONITOR_MS = 1000
MONITOR = f"{PATIENCE}s"  # an emulated machine starts no program in less
OFTEN_MS = 2 if PATIENCE == 1 else 50  # between probes
SELDOM_MS = 50 if PATIENCE == 1 else 1000  # of each further peer
CLIENTS, INSIDE = NET, "10.66.0"
# Many peers on the cluster's own processors must not be served before its agents.
PATIENTLY = ["setpriv", "--bounding-set", "-sys_nice"]
FIRST = {False: 100, True: 2}  # of the peers' addresses, in front of and behind the NAT


class Scene:
    """client: bare (no IPsec at all), vipsec or strongswan; or a list, one of each."""

    def __init__(self, lab, client="vipsec", peers=1, takeover="reinitiate",
                 node_tuning=None, peer_tuning=None, token_ms=1000, start_action="trap",
                 esp=False, vips=({"ip": VIP, "cidr_netmask": 24},)):
        """peers: how many, behind one NAT address if more than one. esp: taps see it.
        vips: parameters of IPaddr2 for each address of the VIP; at most two."""
        self.lab, self.client = lab, client
        self.kinds = client if isinstance(client, list) else [client] * peers
        self.count = len(self.kinds)
        self.takeover, self.node_tuning, self.peer_tuning = takeover, node_tuning, peer_tuning
        self.behind_nat = peers > 1
        self.mode = ("tunnel" if self.behind_nat or "strongswan" in self.kinds
                     else "transport")
        self.start_action, self.esp = start_action, esp
        self.vips, self.addresses = vips, [vip["ip"] for vip in vips]
        self.vip = self.addresses[0]
        self.switch = Switch(lab, bridges=("lan", "inner"))
        service = cib.bare(vips, MONITOR) if self.is_bare() else cib.with_vipsec(
            vips, MONITOR, {"name": "web"}, {
                "binary": "/usr/sbin/vipsecd", "config": "/etc/vipsec/vipsec.conf",
                "statedir": "/var/lib/vipsec", "log": "/var/log/vipsecd.log"})
        self.cluster = Cluster(lab, service=service, switch=self.switch,
                               token_ms=token_ms * (1 + PATIENCE) // 2,
                               vip=self.vip)
        self.cluster.on_boot = self._boot_node
        self.peers = []
        self.silent = set()

    def vip_with_prefix(self):
        return f"{self.vip}/{self.vips[0]['cidr_netmask']}"

    def is_bare(self):
        return self.kinds == ["bare"]

    def _boot_node(self, host):
        if not self.is_bare():
            vipsec.Vipsec(host).configure(vipsec.node_conf(
                self.takeover, self.mode, self.node_tuning, self.addresses))
        start_echo(host, PORT_PROTECTED, PORT_CLEAR)

    def up(self):
        """Everything running, every stream answered."""
        if self.behind_nat:
            make_nat_router(self.lab, self.switch, f"{CLIENT}/24", f"{INSIDE}.1/24", "inner")
        with ThreadPoolExecutor(8) as pool:
            cluster = pool.submit(self.cluster.up)
            self.peers = list(pool.map(self._make_peer, range(self.count)))
            cluster.result()
        ports = ["p-nat"] if self.behind_nat else [f"p-{p.host.name}" for p in self.peers]
        self.node_ports = {f"p-{n}" for n in self.cluster.names}
        self.taps = [Tap(self.switch.host, address, [PORT_PROTECTED],
                         ports + sorted(self.node_ports), self.esp)
                     for address in self.addresses]
        self.tap = self.taps[0]
        self._start_peers()
        self.prober = Prober(self.lab, self._streams())
        self.wait_flowing(60)

    def _make_peer(self, number):
        name = f"c{number + 1}"
        address = f"{INSIDE if self.behind_nat else CLIENTS}.{number + FIRST[self.behind_nat]}"
        kind = self.kinds[number]
        if kind == "bare":
            peer = BarePeer(self.lab.host(name))
        elif kind == "strongswan":
            peer = SwanPeer(StrongSwan.make_host(self.lab, name), address, self.start_action)
        else:
            peer = VipsecPeer(vipsec.make_host(self.lab, name), name, self.mode,
                              self.peer_tuning, self.addresses,
                              PATIENTLY if self.count > 1 else ())
        if self.behind_nat:
            self.switch.plug(peer.host, f"{address}/24", bridge="inner",
                             gateway=f"{INSIDE}.1")
        else:
            self.switch.plug(peer.host, f"{address}/24",
                             f"{NET6}:{number + FIRST[False]}/64")
        return peer

    def _start_peers(self):
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda peer: peer.start(), self.peers))

    def _streams(self):
        mark = self.peers[0].clear_mark
        first = self.peers[0].host
        streams = [Stream(PROTECTED, first, self.vip, PORT_PROTECTED, OFTEN_MS),
                   Stream(CLEAR, first, self.vip, PORT_CLEAR, OFTEN_MS, mark)]
        streams += [Stream(SECOND, first, a, PORT_PROTECTED, OFTEN_MS)
                    for a in self.addresses[1:]]
        for number, peer in enumerate(self.peers[1:], 1):
            streams.append(Stream(MORE + number, peer.host, self.vip, PORT_PROTECTED, SELDOM_MS))
        return streams

    def protected_streams(self):
        """Those that are expected to be answered."""
        return [PROTECTED] + [SECOND] * (len(self.addresses) - 1) + [
            MORE + n for n in range(1, self.count) if n not in self.silent]

    def wait_flowing(self, timeout, node=None, after_ms=None):
        """Every stream is answered again, by that node."""
        after_ms = now_ms() if after_ms is None else after_ms
        end = now_ms() + timeout * PATIENCE * 1000
        for stream in [CLEAR] + self.protected_streams():
            left = (end - now_ms()) / PATIENCE / 1000
            self.prober.wait_reply(stream, after_ms, max(0.1, left), node)

    def silence(self, number):
        """Peer NUMBER (not the first) loses its cable."""
        self.silent.add(number)
        self.switch.cut(f"p-{self.peers[number].host.name}")

    # --- what is left, what leaked --------------------------------------------------------

    def old_sas(self):
        """SAs on live nodes without the VIP, and at the peers beyond one pair a rule."""
        if self.is_bare():
            return 0
        left, pairs = 0, len(self.addresses)
        for name in self.cluster.names:
            if self.cluster.is_up(name) and not self.cluster.has_vip(name):
                ikes, children = count_sas(self.cluster.nodes[name])
                left += ikes + children
        with ThreadPoolExecutor(4) as pool:
            live = [p for n, p in enumerate(self.peers) if n not in self.silent]
            for ikes, children in pool.map(lambda p: p.sas(), live):
                left += max(0, ikes - pairs) + max(0, children - pairs)
        return left

    def leaks(self, start_ms, end_ms):
        """(packets in clear by vipsec, by the peer's own software) that a rule protects."""
        ours = theirs = 0
        if self.is_bare():
            return 0, 0
        foreign = {f"p-{p.host.name}" for p in self.peers if not p.is_vipsec}
        for seen in (s for tap in self.taps
                     for s in tap.seen("udp", since_ms=start_ms, until_ms=end_ms)):
            if seen.way == "in":
                ours += seen.device not in foreign
                theirs += seen.device in foreign
        # What the kernel decrypts comes by the device that the ESP came by: there the taps alone
        # can tell.
        for stream in () if KERNEL else self.protected_streams():
            peer = self.peers[max(0, stream - MORE)]
            for reply in self.prober.between(stream, start_ms, end_ms):
                ours += reply.node_device.startswith("eth")
                ours += peer.is_vipsec and reply.device.startswith("eth")
        return ours, theirs

    def close(self):
        self.prober.close()


class BarePeer:
    clear_mark = 0
    is_vipsec = False

    def __init__(self, host):
        self.host = host

    def start(self):
        pass

    def sas(self):
        return 0, 0


class VipsecPeer(BarePeer):
    is_vipsec = True

    def __init__(self, host, name, mode, tuning, vips, before):
        super().__init__(host)
        self.before = before
        self.vipsec = vipsec.Vipsec(host)
        self.vipsec.configure(vipsec.peer_conf(f"{name}.vlab.example", mode, tuning, vips))

    def start(self):
        self.vipsec.start(before=self.before)

    def sas(self):
        return count_sas(self.host)


class SwanPeer(BarePeer):
    clear_mark = BYPASS_MARK

    def __init__(self, host, address, start_action):
        super().__init__(host)
        self.swan = StrongSwan(host, address, VIP, "dynamic[17]",
                               f"{VIP}/32[17/{PORT_PROTECTED}]", vipsec.PSK,
                               remote_id=vipsec.VIP_ID, start_action=start_action)

    def start(self):
        """kernel-libipsec drops what a trap catches and does not call: the first time it
        is told to."""
        self.swan.start()
        wait_until(lambda: self.swan.sas()[1] or not self.swan.calls_by_itself()
                   and self.swan.initiate(5, check=False).returncode == 0, 30,
                   "the first connection of strongSwan")

    def sas(self):
        return self.swan.sas()


def count_sas(host):
    """(IKE SAs, child SAs) that the daemon of this host holds; a dead one holds none."""
    daemon = vipsec.Vipsec(host)
    try:
        return len(daemon.rows("ike")), len(daemon.rows("child"))
    except LabError:
        return 0, 0
