"""A stock strongSwan as a peer: charon with its userspace ESP (kernel-libipsec), or, where the
kernel has IPsec (in the virtual machine), with the kernel's.

kernel-libipsec does tunnel mode in UDP only. Its route into the TUN matches addresses, not
ports, so where the peer's own address is what is protected, charon's packets carry a mark
that passes by; a probe that is meant to go in clear carries the same mark.
Timers, proposals, MOBIKE and uniqueness are left at their defaults.
"""

import os
import re

from .core import PATIENCE, wait_until

BYPASS_MARK = 0x42
PLUGINS = ("nonce aes openssl sha1 sha2 hmac kdf gcm curve25519 random pem pkcs1 pkcs8 x509 "
           "pubkey revocation constraints kernel-libipsec kernel-netlink socket-default vici "
           "updown")

STRONGSWAN_CONF = f"""charon-systemd {{
	load = {PLUGINS}
	rsa_pss = RSA_PSS
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
PLUGIN_OPTIONS	}}
}}
"""
LIBIPSEC = f"""		kernel-libipsec {{
			allow_peer_ts = yes
		}}
		kernel-netlink {{
			fwmark = !{BYPASS_MARK:#x}
		}}
		socket-default {{
			fwmark = {BYPASS_MARK:#x}
		}}
"""

PPK_CONF = """		ppk_id = {id}
		ppk_required = yes
"""
PPK_SECRET = """	ppk-lab {{
		id-1 = {id}
		secret = "{key}"
	}}
"""

SWANCTL_CONF = """connections {{
	vip {{
		version = 2
		local_addrs = {local}
		remote_addrs = {remote}
		encap = {encap}
		proposals = {ike}
{more}		local {{
			auth = {auth}
			id = {local_id}
		}}
		remote {{
			auth = {auth}
			id = {remote_id}
		}}
		children {{
			udp {{
				mode = {mode}
				local_ts = {local_ts}
				remote_ts = {remote_ts}
				start_action = {start_action}
				{protocol}_proposals = {algorithms}
			}}
		}}
	}}
}}
secrets {{
{ppk_secret}	ike-lab {{
		secret = "{psk}"
	}}
}}
"""


def farms(lab):
    """Mounts for a host that runs strongSwan: /etc with places for its files."""
    return [lab.farm("/etc", dirs=["corosync", "vipsec", "swanctl"],
                     files=["hosts", "resolv.conf", "strongswan.conf"])]


class StrongSwan:
    """charon on a host made by make_host()."""

    def __init__(self, host, local, remote, local_ts, remote_ts, psk, local_id=None,
                 remote_id=None, start_action="none", esp="default",
                 ike="default", ppk=None, childless=None, rsa_pss=False, auth="psk",
                 ah=None, kernel=False, mode="tunnel"):
        """ah: proposals of AH, and none of ESP; it needs kernel."""
        self.host, self.start_action = host, start_action
        with open(f"{host.dir}/swanctl/swanctl.conf", "w") as file:
            file.write(SWANCTL_CONF.format(
                local=local, remote=remote, local_id=local_id or local,
                remote_id=remote_id or remote, local_ts=local_ts, remote_ts=remote_ts, psk=psk,
                start_action=start_action, protocol="ah" if ah else "esp",
                algorithms=ah or esp, ike=ike, auth=auth, mode=mode,
                encap="no" if kernel else "yes",
                more=(PPK_CONF.format(id=ppk[0]) if ppk else "") +
                (f"\t\tchildless = {childless}\n" if childless else ""),
                ppk_secret=PPK_SECRET.format(id=ppk[0], key=ppk[1]) if ppk else ""))
        with open(f"{host.dir}/strongswan.conf", "w") as file:
            text = STRONGSWAN_CONF.replace("RSA_PSS", "yes" if rsa_pss else "no")
            if kernel:
                text = text.replace("kernel-libipsec ", "")
            file.write(text.replace("PLUGIN_OPTIONS", "" if kernel else LIBIPSEC))

    @staticmethod
    def make_host(lab, name):
        folder = lab.host_dir(name)
        os.makedirs(f"{folder}/swanctl", exist_ok=True)
        open(f"{folder}/strongswan.conf", "w").close()
        host = lab.host(name, tmpfs=["/run"], binds=[
            *farms(lab), (f"{folder}/swanctl", "/etc/swanctl"),
            (f"{folder}/strongswan.conf", "/etc/strongswan.conf")])
        # Answers in clear come by eth0 although the route into the TUN covers their source.
        host.run("for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >$f; done")
        return host

    def start(self):
        self.process = self.host.spawn(["/usr/sbin/charon-systemd"], "charon.out")
        wait_until(lambda: self.host.ok("test -S /run/charon.vici"), 20, "charon")
        self.host.run(["swanctl", "--load-all", "--noprompt"], timeout=60 * PATIENCE)

    def calls_by_itself(self):
        """As soon as its configuration is loaded."""
        return "start" in self.start_action

    def initiate(self, timeout=20, check=True):
        return self.host.run(["swanctl", "--initiate", "--child", "udp", "--timeout",
                              str(timeout * PATIENCE)], check=check,
                             timeout=(timeout + 10) * PATIENCE)

    def terminate(self, child_only=False):
        self.host.run(["swanctl", "--terminate", *(["--child", "udp"] if child_only
                                                   else ["--ike", "vip"])], check=False)

    def sas(self):
        """(IKE SAs established, child SAs installed)."""
        text = self.host.run(["swanctl", "--list-sas"], check=False).stdout
        return (len(re.findall(r"^\S+: #\d+, ESTABLISHED", text, re.M)),
                len(re.findall(r"^\s+udp: #\d+, .*INSTALLED", text, re.M)))

    def log(self):
        return self.host.run(["cat", "/run/charon.log"], check=False).stdout

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=10)
