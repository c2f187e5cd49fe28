"""Watches addresses come and go on hosts (rtnetlink), with the time of each event."""

import os
import selectors
import socket
import struct
import threading
from collections import namedtuple

from .core import now_ms

AddrEvent = namedtuple("AddrEvent", "ms host what address")
RTMGRP_ADDRESSES = 0x10 | 0x100
RTM_NEWADDR, RTM_DELADDR = 20, 21
IFA_ADDRESS, IFA_LOCAL = 1, 2


def parse(data):
    """(what, address) of each message in one datagram of rtnetlink."""
    while len(data) >= 16:
        length, kind = struct.unpack_from("=IH", data)
        if length < 16 or length > len(data):
            return
        if kind in (RTM_NEWADDR, RTM_DELADDR) and length >= 24:
            family = data[16]
            found = {}
            at = 24
            while at + 4 <= length:
                size, attribute = struct.unpack_from("=HH", data, at)
                if size < 4:
                    break
                found[attribute] = data[at + 4:at + size]
                at += (size + 3) & ~3
            raw = found.get(IFA_LOCAL) or found.get(IFA_ADDRESS)
            if raw and family in (socket.AF_INET, socket.AF_INET6):
                yield ("add" if kind == RTM_NEWADDR else "del",
                       socket.inet_ntop(family, raw))
        data = data[(length + 3) & ~3:]


class AddrWatch:
    """One thread for all hosts; .events grows."""

    def __init__(self):
        self.events = []
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe()
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        self._new = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self):
        os.close(self._wake_write)
        self._thread.join(5)

    def add(self, host):
        sock = host.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        sock.bind((0, RTMGRP_ADDRESSES))
        sock.setblocking(False)
        self._new.append((sock, host.name))
        os.write(self._wake_write, b"w")

    def _run(self):
        while True:
            for key, _ in self._selector.select():
                if key.fd == self._wake_read:
                    if not os.read(self._wake_read, 100):
                        self._end()
                        return
                    while self._new:
                        sock, name = self._new.pop()
                        self._selector.register(sock, selectors.EVENT_READ, name)
                    continue
                try:
                    data = key.fileobj.recv(65536)
                except OSError:
                    continue
                stamp = now_ms()
                for what, address in parse(data):
                    self.events.append(AddrEvent(stamp, key.data, what, address))

    def _end(self):
        for key in list(self._selector.get_map().values()):
            if key.fd != self._wake_read:
                key.fileobj.close()
        os.close(self._wake_read)
        self._selector.close()

    def first(self, what, address, since_ms, host=None):
        for event in list(self.events):
            if (event.ms >= since_ms and event.what == what and event.address == address
                    and host in (None, event.host)):
                return event
        return None
