"""SAs and policies of the kernel's IPsec as they are: ip(8) neither shows nor sets a selector's
user, which marks ours."""

import os
import socket
import struct

NETLINK_XFRM, NETLINK_NETFILTER = 6, 12
OURS = 0x76697073
GETSA, GETPOLICY, UPDPOLICY, NEWAE = 0x12, 0x15, 0x19, 0x1e
REQUEST_ACK, REQUEST_REPLACE, REQUEST_DUMP = 0x5, 0x105, 0x301
LTIME_VAL = 9  # an attribute: octets, packets, when it was made and used first
LIFE = struct.Struct("=4Q")
DONE, ERROR = 3, 2
DIRS = {"in": 0, "out": 1, "fwd": 2}
SELECTOR = struct.Struct("=16s16sHHHHHBBB3xiI")
NO_LIMITS = struct.pack("=8Q", *[2**64 - 1] * 4, 0, 0, 0, 0) + bytes(32)


def ask(host, kind, flags, body):
    """The messages that answer: (type, body)."""
    out = []
    with host.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_XFRM) as s:
        s.settimeout(10)
        s.send(struct.pack("=IHHII", 16 + len(body), kind, flags, 1, 0) + body)
        while True:
            data = s.recv(65536)
            while data:
                length, kind = struct.unpack_from("=IH", data)
                if kind == ERROR:
                    error = -struct.unpack_from("=i", data, 16)[0]
                    if error:
                        raise OSError(error, os.strerror(error))
                if kind in (ERROR, DONE):
                    return out
                out.append((kind, data[16:length]))
                data = data[length + 3 & ~3:]


def add_policy(host, source, target, direction, priority=1000, user=OURS):
    """One that lets pass, between two IPv4 addresses."""
    four = [socket.inet_aton(a) + bytes(12) for a in (target, source)]
    body = SELECTOR.pack(*four, 0, 0, 0, 0, socket.AF_INET, 32, 32, 0, 0, user)
    body += NO_LIMITS + struct.pack("=IIBBBB4x", priority, 0, DIRS[direction], 0, 0, 0)
    ask(host, UPDPOLICY, REQUEST_ACK, body)


def _count(host, kind, user):
    """Both begin with their selector."""
    found = ask(host, kind, REQUEST_DUMP, bytes(64))
    return [SELECTOR.unpack_from(body)[-1] for _, body in found].count(user)


def policies(host, user=OURS):
    """How many have this mark."""
    return _count(host, GETPOLICY, user)


def sas(host, user=OURS):
    return _count(host, GETSA, user)


def lives(host):
    """SPI -> (octets, packets, second when it was made, when it was used first), of every SA."""
    at, out = SELECTOR.size, {}
    for _, body in ask(host, GETSA, REQUEST_DUMP, bytes(64)):
        out[int.from_bytes(body[at + 16:at + 20], "big")] = LIFE.unpack_from(body, at + 104)
    return out


def set_life(host, target, spi, life):
    """Of an SA of ESP over IPv4."""
    body = socket.inet_aton(target) + bytes(12) + struct.pack(">I", spi)
    body += struct.pack("=HBx", socket.AF_INET, socket.IPPROTO_ESP) + bytes(24)
    body += struct.pack("=HH", 4 + LIFE.size, LTIME_VAL) + LIFE.pack(*life)
    ask(host, NEWAE, REQUEST_REPLACE, body)


def take_lock(s):
    """With a socket of NETLINK_NETFILTER: the table that belongs to whoever serves with the
    kernel's plane (src/xfrm/lock.h). An errno; 0: it is this socket's, until that is closed."""
    import struct

    def attr(kind, data):
        return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)

    def message(kind, flags, body):
        return struct.pack("=IHHII", 16 + len(body), kind, flags, 1, 0) + body

    transaction = struct.pack(">BBH", 0, 0, 10)
    table = (struct.pack(">BBH", 1, 0, 0) + attr(1, b"vipsec-kernel-plane\0")
             + attr(2, struct.pack(">I", 2)))  # NFT_TABLE_F_OWNER
    s.send(message(16, 1, transaction) + message(10 << 8, 0x605, table)
           + message(17, 1, transaction))
    return -struct.unpack_from("=i", s.recv(4096), 16)[0]


def hold(host):
    """Has the kernel's IPsec to itself, as a daemon that serves has; ends with its close."""
    s = host.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
    error = take_lock(s)
    if error:
        raise OSError(error, os.strerror(error))
    return s


def asked_for(host):
    """The addresses for which the kernel waits for an SA: it does not ask again meanwhile."""
    at, out = SELECTOR.size, set()
    for _, body in ask(host, GETSA, REQUEST_DUMP, bytes(64)):
        if body[at + 16:at + 20] == bytes(4):
            out |= {socket.inet_ntop(socket.AF_INET, body[at:at + 4]),
                    socket.inet_ntop(socket.AF_INET6, body[at:at + 16])}
    return out
