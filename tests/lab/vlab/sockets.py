"""Small listeners and senders, run inside hosts, for what the echo service cannot show."""

import sys

from .core import wait_until

LISTENER = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
s = socket.socket(family, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.setsockopt(socket.IPPROTO_IP, 15, 1)  # IP_FREEBIND
s.bind((sys.argv[1], int(sys.argv[2])))
print("ready", flush=True)
while True:
    data, sender = s.recvfrom(65536)
    print("got", data.decode(errors="replace"), sender[0], flush=True)
"""

SENDER = """
import socket, sys
source, sport, to, port, text = sys.argv[1:]
family = socket.AF_INET6 if ":" in to else socket.AF_INET
s = socket.socket(family, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
if source != "-":
    s.bind((source, int(sport)))
try:
    s.sendto(text.encode(), (to, int(port)))
except OSError as error:
    print("refused", error)
"""

TCP_SERVER = """
import socket, sys, threading
s = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("::", int(sys.argv[1])))
s.listen(16)
print("ready", flush=True)
def serve(c):
    total = 0
    while True:
        data = c.recv(65536)
        if not data:
            break
        total += len(data)
        c.sendall(data)
    c.close()
while True:
    c, _ = s.accept()
    threading.Thread(target=serve, args=(c,), daemon=True).start()
"""

TCP_CLIENT = """
import socket, sys, threading
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=20)
data = bytes(range(256)) * (int(sys.argv[3]) // 256)
threading.Thread(target=lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR))).start()
back = b""
while True:
    more = s.recv(65536)
    if not more:
        break
    back += more
print("same" if back == data else f"differs: {len(back)} of {len(data)}", s.getsockname()[0])
"""


def listen(host, address, port):
    """A UDP listener; its log has a line "got TEXT SENDER" for each datagram."""
    name = f"listen-{address.replace(':', '_')}-{port}.log"
    host.spawn([sys.executable, "-c", LISTENER, address, port], name)
    wait_until(lambda: "ready" in host.log(name), 10, f"listener on {address}")
    return lambda: [line[4:] for line in host.log(name).splitlines() if line.startswith("got")]


def send(host, to, port, text, source="-", sport=0):
    return host.out([sys.executable, "-c", SENDER, source, sport, to, port, text])


def serve_tcp(host, port):
    host.spawn([sys.executable, "-c", TCP_SERVER, port], "tcp.log")
    wait_until(lambda: "ready" in host.log("tcp.log"), 10, "the TCP server")


def tcp_round_trip(host, to, port, octets):
    """Sends and takes back so many octets on a socket that was never bound."""
    return host.out([sys.executable, "-c", TCP_CLIENT, to, port, octets], timeout=40).split()
