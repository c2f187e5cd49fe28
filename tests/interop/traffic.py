"""Probes through a connection and back, from sockets that this program holds in both hosts."""

import selectors
import socket
import threading
import time
from contextlib import contextmanager

from links import PORT

STEP = 0.02  # s between the probes of a stream


def _socket(host, family, address, port):
    opened = host.socket(socket.AF_INET6 if family == 6 else socket.AF_INET, socket.SOCK_DGRAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    opened.bind((address, port))
    return opened


class Echo:
    """At the peer's end of every connection: sends back what comes, and knows what came."""

    def __init__(self, host, connections):
        self.selector = selectors.DefaultSelector()
        self.came = {c: set() for c in connections}
        for c in connections:
            opened = _socket(host, c.family, c.theirs, PORT)
            opened.setblocking(False)
            self.selector.register(opened, selectors.EVENT_READ, self.came[c])
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            for key, _ in self.selector.select():
                try:
                    data, sender = key.fileobj.recvfrom(2048)
                    key.data.add(int(data))
                    key.fileobj.sendto(data, sender)
                except (OSError, ValueError):
                    continue


class Lost(Exception):
    """Probes that were not answered: how many; which, for the log."""


def clock(seconds):
    """As in the daemons' logs."""
    whole = time.strftime("%H:%M:%S", time.localtime(seconds))
    return f"{whole}.{int(seconds * 1000) % 1000:03d}"


class Flow:
    """At our end of one connection."""

    def __init__(self, host, connection, echo):
        self.connection = connection
        self.came = echo.came[connection]
        self.socket = _socket(host, connection.family, connection.ours, connection.sport)
        self.socket.settimeout(0.1)
        self.target = (connection.rule_to, PORT)
        self.number = 0
        self.sent_at = {}
        self.refused = {}  # number -> the kernel's reason
        self.answered = set()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while True:
            try:
                self.answered.add(int(self.socket.recv(2048)))
            except socket.timeout:
                continue
            except (ValueError, ConnectionError):
                continue
            except OSError:
                return

    def send(self):
        self.number += 1
        self.sent_at[self.number] = time.time()
        try:
            self.socket.sendto(str(self.number).encode(), self.target)
        except OSError as error:  # an ICMP error about one before it, or the guard
            self.refused[self.number] = error.strerror
        return self.number

    def ask(self, timeout):
        """Probes until one of these is answered; False in vain."""
        sent = set()
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            sent.add(self.send())
            pause = time.monotonic() + 0.1
            while time.monotonic() < pause:
                if sent & self.answered:
                    return True
                time.sleep(0.005)
        return bool(sent & self.answered)

    @contextmanager
    def stream(self, patience):
        """Probes without pause around what is done; Lost if one is not answered."""
        stop = threading.Event()
        first = self.number + 1

        def run():
            while not stop.wait(STEP):
                self.send()
        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
        wanted = set(range(first, self.number + 1))
        end = time.monotonic() + patience
        while not wanted <= self.answered and time.monotonic() < end:
            time.sleep(STEP)
        missing = wanted - self.answered
        if missing:
            raise Lost(f"{len(missing)} of {len(wanted)} probes lost",
                       "\n".join(map(self._fate, sorted(missing))))

    def _fate(self, number):
        when = clock(self.sent_at[number])
        if number in self.refused:
            return f"{when} probe {number} was not sent: {self.refused[number]}"
        way = "back" if number in self.came else "there"
        return f"{when} probe {number} was sent, and lost on the way {way}"

    def close(self):
        self.socket.close()
