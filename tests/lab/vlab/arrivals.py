"""What reaches the programs of a host, octet by octet: raw sockets, which get a copy of all
that has passed every judgement. Nobody answers: where the kernel would, it is kept from it."""

import socket
import struct

from .ippacket import GRE, ICMP, ICMPV6, IPIP, IPV6, OTHER, SCTP, TCP, UDP, Packet, parse

PROTOCOLS = {socket.AF_INET: (ICMP, IPIP, TCP, UDP, IPV6, GRE, OTHER, SCTP),
             socket.AF_INET6: (IPIP, TCP, UDP, IPV6, GRE, ICMPV6, OTHER, SCTP)}
IKE_PORTS = (500, 4500)
RECEIVE_BUFFER = 33  # SO_RCVBUFFORCE
IPV6_RECVPKTINFO, IPV6_RECVHOPLIMIT, IPV6_RECVTCLASS, IPV6_FLOWINFO = 49, 51, 66, 11
PKTINFO, HOPLIMIT, TCLASS = 50, 52, 67

# With these no echo is answered. Other answers do not come about: a raw socket has what no
# protocol wants, and no other port than these is ever used.
SETTINGS = {"ipv4/icmp_echo_ignore_all": 1, "ipv6/icmp/echo_ignore_all": 1}


class Arrivals:
    def __init__(self, host, udp_ports):
        host.set(SETTINGS)
        self.sockets = [self._raw(host, family, proto)
                        for family, protocols in PROTOCOLS.items() for proto in protocols]
        self.sinks = [self._sink(host, family, port)
                      for family in PROTOCOLS for port in udp_ports]

    @staticmethod
    def _raw(host, family, proto):
        s = host.socket(family, socket.SOCK_RAW, proto)
        s.setsockopt(socket.SOL_SOCKET, RECEIVE_BUFFER, 4 << 20)
        s.setblocking(False)
        if family == socket.AF_INET6:
            for option in (IPV6_RECVPKTINFO, IPV6_RECVHOPLIMIT, IPV6_RECVTCLASS, IPV6_FLOWINFO):
                s.setsockopt(socket.IPPROTO_IPV6, option, 1)
        return s

    @staticmethod
    def _sink(host, family, port):
        s = host.socket(family, socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        s.bind(("", port))
        return s

    def read(self):
        """Packets, but for IKE and ESP in UDP."""
        out = []
        for s in self.sockets:
            while packet := self._one(s):
                if packet.proto != UDP or int.from_bytes(packet.payload[2:4], "big") not in IKE_PORTS:
                    out.append(packet)
        return out

    @staticmethod
    def _one(s):
        try:
            data, parts, _, sender = s.recvmsg(1 << 17, 512)
        except BlockingIOError:
            return None
        if s.family == socket.AF_INET:
            return parse(data)
        had = {kind: value for _, kind, value in parts}
        label = struct.unpack(">I", had[IPV6_FLOWINFO])[0] & 0xfffff if IPV6_FLOWINFO in had else 0
        return Packet(sender[0], socket.inet_ntop(socket.AF_INET6, had[PKTINFO][:16]), s.proto,
                      struct.unpack("=i", had[TCLASS])[0], struct.unpack("=i", had[HOPLIMIT])[0],
                      True, 0, label, False, 0, data)
