"""strongSwan at its end of the bench: stock charon, configured and steered through VICI.

With kernel ESP, or with its userspace ESP (kernel-libipsec: tunnel mode, always in UDP).
Proposals, timers, MOBIKE, fragmentation and uniqueness are left at their defaults.
"""

import re
import subprocess

import vici
from links import PORT
from ours import PSK
from vlab.core import LabError, wait_until
from vlab.swan import BYPASS_MARK, StrongSwan

# What every configuration that a package installs has loaded anyway, and no more: with all
# plugins charon takes 15 s to start in the virtual machine.
PLUGINS = ("random nonce openssl kdf pem pkcs1 pkcs8 x509 pubkey revocation constraints "
           "curve25519 {kernel} kernel-netlink socket-default vici updown")

CONF = """charon-systemd {{
	load = {plugins}
	journal {{
		default = -1
	}}
	filelog {{
		log {{
			path = /run/charon.log
			time_format = %H:%M:%S
			time_add_ms = yes
			default = 1
			ike_name = yes
			flush_line = yes
		}}
	}}
	plugins {{
		{more}
	}}
}}
"""
LIBIPSEC = f"""kernel-libipsec {{
			allow_peer_ts = yes
		}}
		kernel-netlink {{
			fwmark = !{BYPASS_MARK:#x}
		}}
		socket-default {{
			fwmark = {BYPASS_MARK:#x}
		}}"""

# With "rsa/pss" alone it signs in the old way, with RSASSA-PKCS1-v1_5.
AUTHS = {"psk": "psk", "ecdsa": "ecdsa", "rsa-pss": "ike:rsa/pss-sha256-sha384-sha512",
         "ed25519": "pubkey"}


class Swan:
    title = "strongSwan"

    def __init__(self, lab, pki, userspace):
        self.userspace, self.pki = userspace, pki
        self.host = StrongSwan.make_host(lab, "p")
        kernel = "kernel-libipsec" if userspace else ""
        with open(f"{self.host.dir}/strongswan.conf", "w") as file:
            file.write(CONF.format(plugins=PLUGINS.format(kernel=kernel),
                                   more=LIBIPSEC if userspace else ""))

    def lacks(self, connection):
        """Why this peer cannot have such a connection, or None."""
        return None

    def _session(self, timeout=60):
        return vici.Session(f"/proc/{self.host.pid}/root/run/charon.vici", timeout)

    def _answers(self):
        try:
            with self._session() as session:
                return session.call("version")
        except OSError:
            return None  # its socket is there before it listens

    def start(self, connections):
        self.process = self.host.spawn(["/usr/sbin/charon-systemd"], "charon.out")
        wait_until(lambda: self._answers() or self.process.poll() is not None, 60,
                   "charon to answer")
        if self.process.poll() is not None:
            raise LabError("charon ended: " + self.host.log("charon.out")[-1000:])
        kinds = sorted({c.auth for c in connections} - {"psk"})
        with self._session() as session:
            session.call("load-shared", {"id": "lab", "type": "ike", "data": PSK})
            for kind in kinds:
                for name in ("root", "middle"):
                    session.call("load-cert", {"type": "X509", "flag": "CA",
                                               "data": self.pki.read(kind, f"{name}.pem")})
                for name in ("peer", "peer-large"):
                    session.call("load-key", {"type": "any",
                                              "data": self.pki.read(kind, f"{name}.key")})
            for connection in connections:
                session.call("load-conn", {connection.name: self._conf(connection)})

    def _conf(self, c):
        ours, theirs = "dynamic[udp]", f"dynamic[udp/{PORT}]"
        if c.mode == "tunnel":
            prefix = 128 if c.family == 6 else 32
            ours, theirs = f"{c.ours}/{prefix}[udp]", f"{c.theirs}/{prefix}[udp/{PORT}]"
        local = {"auth": AUTHS[c.auth], "id": c.their_id}
        if c.auth != "psk":
            local["certs"] = [self.pki.read(c.auth, f"{c.certificate[1]}.pem")]
        return {
            "version": 2, "local_addrs": [c.theirs], "remote_addrs": [c.ours_seen],
            **({"encap": "yes"} if self.userspace else {}),
            "local": local, "remote": {"auth": AUTHS[c.auth], "id": c.our_id},
            "children": {c.name: {
                "mode": c.mode, "local_ts": [theirs], "remote_ts": [ours],
                **({"esp_proposals": ["aes256gcm16-x25519", "aes128gcm16-x25519"]}
                   if c.pfs else {})}}}

    def initiate(self, connection):
        with self._session() as session:
            session.call("initiate", {"child": connection.name, "ike": connection.name,
                                      "timeout": 20000, "loglevel": -1})

    def terminate(self, connection):
        with self._session() as session:
            try:
                session.call("terminate", {"ike": connection.name, "timeout": 5000,
                                           "loglevel": -1})
            except vici.ViciError:
                pass  # there was none

    def rekey(self, connection, what):
        with self._session() as session:
            session.call("rekey", {what: connection.name})

    def sas(self, connection):
        with self._session() as session:
            events = session.stream("list-sas", "list-sa", {"ike": connection.name})
        ikes = [event[name] for event in events for name in event]
        live = [ike for ike in ikes if ike["state"] in ("ESTABLISHED", "REKEYING")]
        children = [child for ike in ikes for child in ike.get("child-sas", {}).values()
                    if child["state"] in ("INSTALLED", "REKEYING")]
        return ({ike["initiator-spi"] + ike["responder-spi"] for ike in live},
                {child["spi-in"] for child in children})

    def agrees(self, connection, kind):
        """LabError unless it says itself that both have proved themselves this way."""
        if kind != "rsa-pss":
            return
        log = self.log(connection)
        for name, how in ((connection.our_id, "successful"), (connection.their_id, "")):
            if not re.search(rf"authentication of '{name}' .*RSA_EMSA_PSS_SHA2.*{how}", log):
                raise LabError(f"charon says nothing of RSASSA-PSS and {name}")

    def alive(self):
        return self.process.poll() is None

    def log(self, connection):
        try:
            with open(f"/proc/{self.host.pid}/root/run/charon.log", errors="replace") as file:
                lines = file.read().splitlines()
        except OSError:
            lines = []
        return "\n".join([line for line in lines
                          if re.search(rf"<{connection.name}\|", line)
                          or connection.ours_seen + "[" in line][-60:])

    def end(self):
        self.process.terminate()
        self.process.wait(timeout=20)

    @staticmethod
    def version(_build):
        done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "charon-systemd"],
                              capture_output=True, text=True, timeout=20)
        return done.stdout
