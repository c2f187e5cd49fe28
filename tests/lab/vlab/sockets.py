"""Small listeners and senders, run inside hosts, for what the echo service cannot show."""

import socket
import sys
import threading

from .core import PATIENCE, wait_until

IP_FREEBIND = 15

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
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=60)
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


def _udp(host, address):
    """Held by this program: the start of another takes its time."""
    opened = host.socket(socket.AF_INET6 if ":" in address else socket.AF_INET,
                         socket.SOCK_DGRAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return opened


def listen(host, address, port):
    """A UDP listener; the function that it gives has a line "TEXT SENDER" for each datagram."""
    listener = _udp(host, address)
    listener.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
    listener.bind((address, port))
    lines = []

    def run():
        while True:
            data, sender = listener.recvfrom(65536)
            lines.append(f"{data.decode(errors='replace')} {sender[0]}")
    threading.Thread(target=run, daemon=True).start()
    return lambda: list(lines)


def send(host, to, port, text, source=None, sport=0):
    with _udp(host, to) as sender:
        if source:
            sender.bind((source, sport))
        try:
            sender.sendto(text.encode(), (to, port))
        except OSError:
            pass  # refused: whoever asks looks at what came of it


def serve_tcp(host, port):
    host.spawn([sys.executable, "-c", TCP_SERVER, port], "tcp.log")
    wait_until(lambda: "ready" in host.log("tcp.log"), 10, "the TCP server")


def tcp_round_trip(host, to, port, octets):
    """Sends and takes back so many octets on a socket that was never bound."""
    return host.out([sys.executable, "-c", TCP_CLIENT, to, port, octets],
                    timeout=40 * PATIENCE).split()
