"""Writes what a device of a host carries into a pcap file, and asks tshark about it."""

import shutil
import socket
import struct
import subprocess
import threading
import time

from .core import LabError

ETH_P_ALL = 3
LINKTYPE_ETHERNET = 1


class Capture:
    def __init__(self, host, device):
        self.path = f"{host.dir}/{device}.pcap"
        self._socket = host.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self._socket.bind((device, 0))
        self._socket.settimeout(0.1)
        self._stop = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        with open(self.path, "wb", buffering=0) as file:
            file.write(struct.pack("=IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535,
                                   LINKTYPE_ETHERNET))
            while not self._stop:
                try:
                    frame = self._socket.recv(65535)
                except socket.timeout:
                    continue
                now = time.time()
                file.write(struct.pack("=IIII", int(now), int(now % 1 * 1e6), len(frame),
                                       len(frame)) + frame)

    def bytes(self):
        with open(self.path, "rb") as file:
            return file.read()

    def close(self):
        self._stop = True
        self._thread.join(5)
        self._socket.close()


def tshark(path, *options):
    """tshark's answer on a capture, as lines."""
    program = shutil.which("tshark")
    if not program:
        raise LabError("tshark is not installed")
    done = subprocess.run([program, "-n", "-r", path, *options], capture_output=True,
                          text=True, timeout=60)
    if done.returncode != 0:
        raise LabError(f"tshark: {done.stderr[-500:]}")
    return [line for line in done.stdout.splitlines() if line.strip()]
