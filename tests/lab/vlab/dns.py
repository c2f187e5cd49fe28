"""A DNS server for the lab, with answers that a test changes, good and bad ones.

As a program (on a host) it answers by UDP from a file that is read for each question:
{NAME: {"a": [..], "aaaa": [..], "ttl": N, "how": HOW}}; HOW is good, many (addresses), silent,
garbage, huge (more than UDP may carry), loop (a compressed name that points to itself), other
(the answer to another question) or none.
"""

import json
import os
import socket
import struct
import sys

TYPES = {1: ("a", socket.AF_INET), 28: ("aaaa", socket.AF_INET6)}


class Dns:
    """The server on a host, and which host asks it."""

    def __init__(self, host, address):
        self.host, self.address = host, address
        self.path = f"{host.dir}/dns.json"
        self.records = {}
        self._write()
        self.child = host.spawn(["python3", os.path.abspath(__file__), address, self.path],
                                "dns.log")

    def _write(self):
        with open(self.path + ".new", "w") as file:
            json.dump(self.records, file)
        os.rename(self.path + ".new", self.path)

    def say(self, name, *addresses, ttl=1, how="good"):
        self.records[name] = {"a": [a for a in addresses if ":" not in a],
                              "aaaa": [a for a in addresses if ":" in a],
                              "ttl": ttl, "how": how}
        self._write()

    def serve(self, host, hosts=""):
        """What the host's resolver reads from now on."""
        for name, text in (("resolv.conf", f"nameserver {self.address}\n"), ("hosts", hosts)):
            with open(f"{host.dir}/{name}", "w") as file:
                file.write(text)
            host.run(f"grep -q ' /etc/{name} ' /proc/mounts || "
                     f"mount --bind {host.dir}/{name} /etc/{name}")

    def asked(self, name):
        """How often it was asked for it."""
        return self.host.log("dns.log").count(f" {name}\n")

    def stop(self):
        self.child.terminate()
        self.child.wait(timeout=10)


def question(packet):
    labels, at = [], 12
    while packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]].decode("ascii", "replace"))
        at += packet[at] + 1
    kind = struct.unpack(">H", packet[at + 1:at + 3])[0]
    return ".".join(labels).lower(), kind, packet[12:at + 5]


def record(kind, ttl, octets, name=b"\xc0\x0c"):
    return name + struct.pack(">HHIH", kind, 1, ttl, len(octets)) + octets


def answer(packet, records):
    name, kind, asked = question(packet)
    print(f"{kind} {name}", flush=True)
    row = records.get(name)
    how = row["how"] if row else "none"
    if how == "silent":
        return None
    if how == "garbage":
        return packet[:2] + b"\x84\x00" + os.urandom(200)
    word, family = TYPES.get(kind, (None, None))
    found = row[word] if row and word and how != "none" else []
    if how == "many" and word == "a":
        found = [f"203.0.113.{n + 1}" for n in range(25)]
    if how == "huge" and row:
        found = ["203.0.113.1" if word == "a" else "fd09::1"] * 60
    answers = [record(kind, row["ttl"], socket.inet_pton(family, a)) for a in found]
    if how == "loop":
        answers = [record(5, 1, b"\xc0" + bytes([12 + len(asked) + 12]))]
    if how == "other":
        asked = b"\x05other\x07example\x00" + asked[-4:]
    flags = 0x8403 if how == "none" else 0x8400
    return (packet[:2] + struct.pack(">HHHHH", flags, 1, len(answers), 0, 0) + asked
            + b"".join(answers))


def main(address, path):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, 53))
    while True:
        packet, peer = sock.recvfrom(4096)
        with open(path) as file:
            records = json.load(file)
        said = answer(packet, records)
        if said is not None:
            sock.sendto(said, peer)


if __name__ == "__main__":
    main(*sys.argv[1:])
