"""Two hosts, vipsec on one and a peer of another make on the other, a link between them, a
NAT router on either side for the connections that want it, and an eye on the peer's link."""

import os
import socket
import struct
import sys
import threading
import time
from collections import Counter, deque

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))

from links import PORT, ROUTER_PEER, ROUTER_VIPSEC
from traffic import clock
from vlab.net import Switch

ESP, UDP = 50, 17
SKF = 53
LAST = 400  # of what is told of one pair


class Watch:
    """Counts, for each pair of addresses, packets of ESP, packets in clear and, from each,
    fragments of IKE messages; keeps the last of these as text, and IKE messages whole."""

    def __init__(self, host, devices):
        self.counts = {}
        self.told = {}
        self.letters = {}
        for device in devices:
            tap = host.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            tap.bind((device, 0))
            threading.Thread(target=self._run, args=(tap,), daemon=True).start()

    def _run(self, tap):
        while True:
            try:
                self._packet(tap.recv(65535))
            except (struct.error, IndexError):
                continue
            except OSError:
                return

    def _packet(self, frame):
        kind = frame[12:14]
        if kind == b"\x08\x00":
            ip, proto = frame[14:], frame[23]
            source, target = (socket.inet_ntoa(ip[n:n + 4]) for n in (12, 16))
            rest = ip[(ip[0] & 15) * 4:]
            if struct.unpack(">H", ip[6:8])[0] & 0x1fff:
                return
        elif kind == b"\x86\xdd":
            ip, proto = frame[14:], frame[20]
            source, target = (socket.inet_ntop(socket.AF_INET6, ip[n:n + 16])
                              for n in (8, 24))
            rest = ip[40:]
        else:
            return
        pair = frozenset((source, target))
        count = self.counts.setdefault(pair, Counter())
        if proto == ESP:
            self._esp(pair, count, source, rest)
        elif proto == UDP:
            self._datagram(pair, count, source, rest)

    def _datagram(self, pair, count, source, rest):
        ports = struct.unpack(">HH", rest[:4])
        data = rest[8:]
        if PORT in ports:
            count["clear"] += 1
            return
        if 4500 in ports:
            if data[:4] != bytes(4):
                if len(data) > 1:
                    self._esp(pair, count, source, data)
                return
            data = data[4:]
        elif 500 not in ports:
            return
        count["skf", source] += data[16] == SKF
        message_id = struct.unpack(">I", data[20:24])[0]
        count["letters"] += 1
        self.letters.setdefault(pair, deque(maxlen=LAST)).append((source, data))
        self._tell(pair, f"{source} exchange {data[18]} id {message_id} "
                         f"flags {data[19]:#x} next {data[16]} {len(data)} octets")

    def _esp(self, pair, count, source, data):
        count["esp"] += 1
        spi, number = struct.unpack(">II", data[:8])
        self._tell(pair, f"{source} ESP {spi:08x} number {number} {len(data)} octets")

    def _tell(self, pair, text):
        told = self.told.setdefault(pair, deque(maxlen=LAST))
        told.append(f"{clock(time.time())} {text}")

    def of(self, connection):
        return Counter(self.counts.get(connection.on_the_wire(), {}))

    def letters_since(self, connection, before):
        """The IKE messages that came after what of() has said then."""
        n = self.of(connection)["letters"] - before["letters"]
        kept = list(self.letters.get(connection.on_the_wire(), []))
        return kept[max(0, len(kept) - n):]

    def log(self, connection):
        return "\n".join(self.told.get(connection.on_the_wire(), []))


class Network:
    """ours, theirs: the two hosts, which the ends have made."""

    def __init__(self, lab, ours, theirs, connections):
        self.ours, self.theirs = ours, theirs
        self.switch = Switch(lab, bridges=("lan", "in-v", "in-p"))
        self.connections = connections
        plain = [c for c in connections if not c.variant.startswith("nat")]
        nat_v = [c for c in connections if c.variant == "nat-vipsec"]
        nat_p = [c for c in connections if c.variant == "nat-peer"]
        self.switch.plug(ours, *map(self._net, [c.ours for c in plain + nat_p]), port="v")
        self.switch.plug(theirs, *map(self._net, [c.theirs for c in plain + nat_v]), port="p")
        self.switch.plug(ours, *(f"{c.ours}/16" for c in nat_v), bridge="in-v",
                         device="eth1", port="v-in")
        self.switch.plug(theirs, *(f"{c.theirs}/16" for c in nat_p), bridge="in-p",
                         device="eth1", port="p-in")
        self._router(lab, "nat-v", "in-v", ROUTER_VIPSEC, [(c.ours, c.ours_seen)
                                                           for c in nat_v])
        self._router(lab, "nat-p", "in-p", ROUTER_PEER, [(c.theirs, c.theirs_seen)
                                                         for c in nat_p])
        # Each side's packets leave from the address of their connection, also where nothing
        # has bound one.
        ours.ip(*(f"route add {c.theirs} dev eth0 src {c.ours}" for c in plain),
                *(f"route add {c.theirs} via {ROUTER_VIPSEC} src {c.ours}" for c in nat_v),
                *(f"route add {c.theirs_seen} dev eth0 src {c.ours}" for c in nat_p),
                "route add 10.7.0.0/16 dev eth0")
        theirs.ip(*(f"route add {c.ours} dev eth0 src {c.theirs}" for c in plain),
                  *(f"route add {c.ours_seen} dev eth0 src {c.theirs}" for c in nat_v),
                  *(f"route add {c.ours} via {ROUTER_PEER} src {c.theirs}" for c in nat_p),
                  "route add 10.8.0.0/16 dev eth0")
        self.watch = Watch(self.switch.host, ("p", "p-in"))

    @staticmethod
    def _net(address):
        return f"{address}/{64 if ':' in address else 16}"

    def _router(self, lab, name, bridge, inside, pairs):
        """Each inner address has an outer one, and ports change on the way."""
        router = lab.host(name)
        self.switch.plug(router, "10.9.254.1/16" if name == "nat-v" else "10.9.254.2/16",
                         *(f"{seen}/16" for _, seen in pairs), device="out0",
                         port=f"{name}-out")
        self.switch.plug(router, f"{inside}/16", bridge=bridge, device="in0",
                         port=f"{name}-in")
        rules = "\n".join(f'oifname "out0" ip saddr {inner} meta l4proto udp '
                          f"snat to {seen}:30000-40000" for inner, seen in pairs)
        router.run("echo 1 >/proc/sys/net/ipv4/ip_forward")
        router.run(["nft", "-f", "-"], text="table ip nat {\nchain out {\n"
                   f"type nat hook postrouting priority srcnat\n{rules}\n}}\n}}\n")

    def silence(self, quiet=True):
        """Nothing passes between the two any more; no device notices."""
        word = "on" if quiet else "off"
        self.switch.host.ip(*(f"link set {port} type bridge_slave isolated {word}"
                              for port in ("v", "p")))
