"""The power switch: out of band, reached by fence_vlab through a Unix socket."""

import os
import socket
import threading

from .core import now_ms


class PowerSwitch:
    """Asked by fence agents; acts through the cluster's crash() and start()."""

    def __init__(self, lab, cluster):
        self.cluster = cluster
        self.log = []             # (ms, action, plug, asking host)
        self.unreachable = set()  # names of hosts whose requests are not heard
        folder = lab.host_dir("power")
        self.folder = folder
        self._server = socket.socket(socket.AF_UNIX)
        directory = os.open(folder, os.O_PATH)
        self._server.bind(f"/proc/self/fd/{directory}/power")
        os.close(directory)
        self._server.listen(16)
        self._closing = False
        threading.Thread(target=self._serve, daemon=True).start()
        lab.on_close.append(self.close)

    def close(self):
        """The thread sits in accept(): a last connection tells it to go."""
        self._closing = True
        with socket.socket(socket.AF_UNIX) as last:
            self._connect(last)

    def _connect(self, sock):
        directory = os.open(self.folder, os.O_PATH)
        try:
            sock.connect(f"/proc/self/fd/{directory}/power")
        finally:
            os.close(directory)

    def _serve(self):
        while True:
            client, _ = self._server.accept()
            if self._closing:
                client.close()
                self._server.close()
                return
            with client:
                client.settimeout(5)
                try:
                    client.sendall(self._answer(client.recv(256).decode()).encode())
                except OSError:
                    pass

    def _answer(self, request):
        words = request.split()
        if len(words) != 3:
            return "1\n"
        action, plug, asker = words
        if asker in self.unreachable:
            return "1 not reachable\n"
        known = plug in self.cluster.names
        if action in ("off", "reboot") and known:
            self.log.append((now_ms(), action, plug, asker))
            if self.cluster.is_up(plug):
                self.cluster.crash(plug)
            return "0\n"
        if action == "status" and known:
            return "0\n" if self.cluster.is_up(plug) else "2\n"
        if action == "list":
            return "0 " + "".join(f"{n},\n" for n in self.cluster.names)
        return "0\n" if action in ("monitor", "on") else "1\n"
