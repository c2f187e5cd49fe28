"""A client of strongSwan's control protocol (VICI): no process is started for a command.

Messages are dictionaries of texts, lists of texts and dictionaries, as in swanctl.conf.
"""

import socket
import struct

REQUEST, RESPONSE, UNKNOWN, REGISTER, UNREGISTER, CONFIRM, _, EVENT = range(8)
SECTION, SECTION_END, VALUE, LIST, ITEM, LIST_END = range(1, 7)


class ViciError(Exception):
    """charon refused; the message is its reason."""


def _name(text):
    data = text.encode()
    return bytes([len(data)]) + data


def _value(value):
    data = value if isinstance(value, bytes) else str(value).encode()
    return struct.pack(">H", len(data)) + data


def encode(message):
    out = b""
    for name, value in message.items():
        if isinstance(value, dict):
            out += bytes([SECTION]) + _name(name) + encode(value) + bytes([SECTION_END])
        elif isinstance(value, (list, tuple)):
            out += bytes([LIST]) + _name(name)
            out += b"".join(bytes([ITEM]) + _value(item) for item in value)
            out += bytes([LIST_END])
        else:
            out += bytes([VALUE]) + _name(name) + _value(value)
    return out


class _Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, length):
        self.at += length
        return self.data[self.at - length:self.at]

    def name(self):
        return self.take(self.take(1)[0]).decode()

    def value(self):
        return self.take(struct.unpack(">H", self.take(2))[0]).decode(errors="replace")


def decode(data):
    reader = _Reader(data)
    root = {}
    stack = [root]
    items = None
    while reader.at < len(data):
        kind = reader.take(1)[0]
        if kind == SECTION:
            name = reader.name()
            stack.append(stack[-1].setdefault(name, {}))
        elif kind == SECTION_END:
            stack.pop()
        elif kind == VALUE:
            name = reader.name()
            stack[-1][name] = reader.value()
        elif kind == LIST:
            items = stack[-1].setdefault(reader.name(), [])
        elif kind == ITEM:
            items.append(reader.value())
    return root


class Session:
    """One connection to charon. Use as a context manager."""

    def __init__(self, path, timeout):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.socket.connect(path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def _send(self, kind, name, body=b""):
        packet = bytes([kind]) + _name(name) + body
        self.socket.sendall(struct.pack(">I", len(packet)) + packet)

    def _receive(self):
        length = struct.unpack(">I", self._exactly(4))[0]
        packet = self._exactly(length)
        return packet[0], packet[1:]

    def _exactly(self, length):
        data = b""
        while len(data) < length:
            more = self.socket.recv(length - len(data))
            if not more:
                raise ViciError("charon has hung up")
            data += more
        return data

    def call(self, command, message=None):
        """The answer to a command; ViciError where it says that it did not succeed."""
        self._send(REQUEST, command, encode(message or {}))
        kind, data = self._receive()
        if kind != RESPONSE:
            raise ViciError(f"charon does not know {command}")
        answer = decode(data)
        if answer.get("success", "yes") != "yes":
            raise ViciError(f"{command}: {answer.get('errmsg', 'refused')}")
        return answer

    def stream(self, command, event, message=None):
        """The events that come while a command is carried out."""
        self._send(REGISTER, event)
        if self._receive()[0] != CONFIRM:
            raise ViciError(f"charon has no events {event}")
        self._send(REQUEST, command, encode(message or {}))
        events = []
        while True:
            kind, data = self._receive()
            if kind == EVENT:
                events.append(decode(data[1 + data[0]:]))
            elif kind == RESPONSE:
                return events
            else:
                raise ViciError(f"charon does not know {command}")
