"""Two hosts and a stranger on one link, for tests without a cluster.

"s" has the VIP, added and removed by hand; "c" is the client; "x" has no IPsec at all.
"""

from . import vipsec
from .core import wait_until
from .net import Switch
from .probes import start_echo
from .vipsec import Rule, Vipsec, conf_text, secure

VIP4, VIP6 = "10.9.0.50", "fd09::50"
SERVER4, SERVER6 = "10.9.0.2", "fd09::2"
CLIENT4, CLIENT6 = "10.9.0.1", "fd09::1"
STRANGER4, STRANGER6 = "10.9.0.9", "fd09::9"
PROTECTED, CLEAR, LISTEN = 7001, 7002, 7005

SERVER_AUTH = f'psk "lab" local-id "{vipsec.VIP_ID}" remote-id any'
PEER_AUTH = f'psk "lab" local-id "c.vlab.example" remote-id "{vipsec.VIP_ID}"'


def server_conf(mode="transport", rules=None, tuning=None, vip=(VIP4, VIP6)):
    return conf_text(rules or [
        Rule("protected", f'from vip "web" port {PROTECTED}, {LISTEN} to any proto udp mirrored',
             secure(mode), SERVER_AUTH),
        Rule("tcp", 'from vip "web" port 7003 to any proto tcp mirrored',
             secure(mode), SERVER_AUTH),
        Rule("clear", f'from vip "web" port {CLEAR} to any proto udp mirrored')],
        vip=vip, tuning=tuning)


def client_conf(mode="transport", rules=None, tuning=None, families=(4, 6)):
    to = {4: VIP4, 6: VIP6}
    made = []
    for family in families:
        action = secure(mode, to[family] if mode == "tunnel" else None)
        made += [Rule(f"protected{family}",
                      f"from me to {to[family]} port {PROTECTED}, {LISTEN} proto udp mirrored",
                      action, PEER_AUTH),
                 Rule(f"tcp{family}", f"from me to {to[family]} port 7003 proto tcp mirrored",
                      action, PEER_AUTH),
                 Rule(f"clear{family}",
                      f"from me to {to[family]} port {CLEAR} proto udp mirrored")]
    return conf_text(rules or made, tuning=tuning)


class Pair:
    def __init__(self, lab, server=None, client=None, mtu=1500):
        """server, client: hosts made already (for strongSwan), else vipsec hosts."""
        self.lab = lab
        self.switch = Switch(lab, mtu=mtu)
        self.s = server or vipsec.make_host(lab, "s")
        self.c = client or vipsec.make_host(lab, "c")
        self.x = lab.host("x")
        self.switch.plug(self.s, f"{SERVER4}/24", f"{SERVER6}/64")
        self.switch.plug(self.c, f"{CLIENT4}/24", f"{CLIENT6}/64")
        self.switch.plug(self.x, f"{STRANGER4}/24", f"{STRANGER6}/64")
        self.server, self.client = Vipsec(self.s), Vipsec(self.c)
        start_echo(self.s, PROTECTED, CLEAR)

    def add_vip(self, host=None, families=(4, 6)):
        host = host or self.s
        if 4 in families:
            host.ip(f"addr add {VIP4}/24 dev eth0")
        if 6 in families:
            host.ip(f"addr add {VIP6}/64 dev eth0 nodad")

    def remove_vip(self, host=None, families=(4, 6)):
        host = host or self.s
        if 4 in families:
            host.ip(f"addr del {VIP4}/24 dev eth0")
        if 6 in families:
            host.ip(f"addr del {VIP6}/64 dev eth0")

    def start_server(self, conf=None, **options):
        self.server.configure(conf or server_conf(**options))
        self.server.start()

    def start_client(self, conf=None, **options):
        self.client.configure(conf or client_conf(**options))
        self.client.start()

    def wait_bound(self, timeout=10):
        wait_until(lambda: self.server.vip_state("web") == "bound", timeout,
                   "the VIP to be bound")
