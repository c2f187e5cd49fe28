"""libreswan at its end of the bench: pluto, configured by ipsec.conf, steered by whack.

The package cannot be installed beside strongSwan's, so its files are unpacked
(fetch-libreswan) and shown to this host alone. Proposals and timers are its defaults.
"""

import os
import re
import shutil
import socket
import subprocess

from links import PORT
from ours import PSK
from vlab.core import LabError, wait_until

AUTHS = {"psk": "secret", "ecdsa": "ecdsa", "rsa-pss": "rsa-sha2"}
WHACK = "/usr/libexec/ipsec/whack"


def _conn(c):
    lines = {
        "left": c.theirs, "leftid": f"@{c.their_id}", "leftprotoport": f"udp/{PORT}",
        "right": c.ours_seen, "rightid": f"@{c.our_id}", "rightprotoport": "udp",
        "type": c.mode, "authby": AUTHS[c.auth], "ikev2": "insist", "auto": "add",
        "leftupdown": "/bin/true",  # its script takes seconds in the virtual machine
        "pfs": "yes" if c.pfs else "no",
    }
    if c.family == 6:
        lines["hostaddrfamily"] = "ipv6"
    if c.mode == "tunnel":
        prefix = 128 if c.family == 6 else 32
        lines.update(leftsubnet=f"{c.theirs}/{prefix}", rightsubnet=f"{c.ours}/{prefix}")
    if c.auth != "psk":
        large = "-large" if c.variant == "large" else ""
        lines.update(leftcert=f"{c.auth}{large}", leftsendcert="always", sendca="all",
                     rightca="%any")
    return f"conn {c.name}\n" + "".join(f"    {k}={v}\n" for k, v in lines.items())


class States:
    """Asks pluto what `whack --showstates` asks. The question, which is whack's own affair,
    is taken down once, so that no process is started for each answer."""

    def __init__(self, host):
        path = f"{host.dir}/question"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen(1)
            child = host.spawn([WHACK, "--ctlsocket", path, "--showstates"], "question.out")
            listener.settimeout(30)
            asking, _ = listener.accept()
            with asking:
                self.question = asking.recv(65536)
            child.wait(timeout=30)
        self.path = f"/proc/{host.pid}/root/run/pluto/pluto.ctl"

    def ask(self):
        answer = b""
        with socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(20)
            asking.connect(self.path)
            asking.sendall(self.question)
            while data := asking.recv(65536):
                answer += data
        return answer.decode(errors="replace")


class Libre:
    title = "libreswan"

    def __init__(self, lab, pki, userspace):
        self.without_esp = userspace
        files = os.environ["INTEROP_LIBRESWAN"]  # where its package is unpacked
        folder = lab.host_dir("p")
        shutil.copytree(f"{pki.dir}/nss", f"{folder}/nss")
        os.makedirs(f"{folder}/ipsec.d/policies", exist_ok=True)
        for name in ("ipsec.conf", "ipsec.secrets"):
            open(f"{folder}/{name}", "w").close()
        os.makedirs("/usr/libexec", exist_ok=True)
        self.host = lab.host("p", tmpfs=["/run"], binds=[
            lab.farm("/etc", dirs=["ipsec.d"], files=["ipsec.conf", "ipsec.secrets"],
                     variant="-libreswan"),
            lab.farm("/usr/libexec", links={"ipsec": f"{files}/usr/libexec/ipsec"},
                     variant="-libreswan"),
            lab.farm("/usr/sbin", links={"ipsec": f"{files}/usr/sbin/ipsec"},
                     variant="-libreswan"),
            lab.farm("/var/lib", dirs=["ipsec"], variant="-libreswan"),
            (f"{folder}/ipsec.d", "/etc/ipsec.d"),
            (f"{folder}/ipsec.conf", "/etc/ipsec.conf"),
            (f"{folder}/ipsec.secrets", "/etc/ipsec.secrets")])

    def lacks(self, connection):
        if connection.auth not in AUTHS:
            return "libreswan 4 has no Ed25519"
        if connection.mode == "transport" and connection.variant.startswith("nat"):
            return ("libreswan 4 does not put the addresses that it sees into the selectors of "
                    "transport mode behind a NAT (RFC 7296 2.23.1), on either side")
        return None

    def start(self, connections):
        folder = self.host.dir
        with open(f"{folder}/ipsec.conf", "w") as file:
            file.write("config setup\n    virtual-private=\n    protostack=xfrm\n\n")
            file.write("\n".join(map(_conn, connections)))
        with open(f"{folder}/ipsec.secrets", "w") as file:
            file.writelines(f'@{c.their_id} @{c.our_id} : PSK "{PSK}"\n'
                            for c in connections if c.auth == "psk")
        os.chmod(f"{folder}/ipsec.secrets", 0o600)
        self.host.run("mkdir -p /run/pluto")
        self.process = self.host.spawn(
            ["/usr/libexec/ipsec/pluto", "--nofork", "--config", "/etc/ipsec.conf",
             "--nssdir", f"{folder}/nss", "--logfile", f"{folder}/pluto.log"], "pluto.out")
        path = f"/proc/{self.host.pid}/root/run/pluto/pluto.ctl"
        wait_until(lambda: os.path.exists(path) or self.process.poll() is not None, 60,
                   "pluto's socket")
        if self.process.poll() is not None:
            raise LabError("pluto ended: " + self.host.log("pluto.out")[-1000:]
                           + self.host.log("pluto.log")[-1000:])
        wait_until(lambda: self.host.ok([WHACK, "--listen"]), 30, "pluto to answer")
        loaded = self.host.run(["/usr/libexec/ipsec/addconn", "--config", "/etc/ipsec.conf",
                                "--autoall"], check=False, timeout=120)
        if loaded.returncode != 0:
            raise LabError(f"addconn: {loaded.stdout[-500:]}{loaded.stderr[-500:]}")
        self.states = States(self.host)

    def _whack(self, connection, *words):
        return self.host.run([WHACK, "--name", connection.name, *words], check=False,
                             timeout=60)

    def initiate(self, connection):
        self._whack(connection, "--initiate", "--asynchronous")

    def terminate(self, connection):
        self._whack(connection, "--terminate")

    def rekey(self, connection, what):
        self._whack(connection, "--rekey-ike" if what == "ike" else "--rekey-ipsec",
                    "--asynchronous")

    def sas(self, connection):
        mine = [line for line in self.states.ask().splitlines()
                if f'"{connection.name}"' in line]
        found = ([], [])
        for line in mine:
            number = re.search(r"#(\d+):", line)
            if number and "ESTABLISHED_IKE_SA" in line:
                found[0].append(number.group(1))
            elif number and "ESTABLISHED_CHILD_SA" in line:
                found[1].append(number.group(1))
        return set(found[0]), set(found[1])

    def alive(self):
        return self.process.poll() is None

    def agrees(self, connection, kind):
        """LabError unless it says itself that we have proved ourselves this way. (Of its own
        proof it says nothing.)"""
        if kind == "rsa-pss" and "RSASSA-PSS with SHA2" not in self.log(connection):
            raise LabError("pluto says nothing of RSASSA-PSS")

    def authenticated(self, connection):
        """How often the other end has been."""
        return len(re.findall(rf'"{connection.name}".*; authenticated peer',
                              self.host.log("pluto.log")))

    def log(self, connection):
        lines = self.host.log("pluto.log").splitlines()
        return "\n".join([line for line in lines if f'"{connection.name}"' in line
                          or connection.ours_seen + ":" in line][-60:])

    def end(self):
        self.host.run([WHACK, "--shutdown"], check=False, timeout=30)
        self.process.wait(timeout=20)

    @staticmethod
    def version(_build):
        done = subprocess.run(
            [f"{os.environ['INTEROP_LIBRESWAN']}/usr/libexec/ipsec/pluto", "--version"],
            capture_output=True, text=True, timeout=20)
        found = re.search(r"Libreswan (\S+)", done.stdout + done.stderr)
        return found.group(1) if found else "4"
