"""Links: a host that is a switch, cables from it to other hosts, and a NAT router."""


class Switch:
    """A host full of bridges. The port of HOST on it is called p-HOST (or as told)."""

    def __init__(self, lab, bridges=("lan",), mtu=1500):
        self.lab, self.mtu = lab, mtu
        self.host = lab.host("switch")
        for bridge in bridges:
            self.host.ip(f"link add {bridge} type bridge forward_delay 0 stp_state 0 "
                         "mcast_snooping 0", f"link set {bridge} mtu {mtu} up")

    def plug(self, host, *addresses, bridge="lan", device="eth0", port=None, gateway=None):
        """A cable from `device` of host to the bridge."""
        port = port or f"p-{host.name}"
        self.host.ip(f"link add {port} mtu {self.mtu} type veth peer name {device} "
                     f"mtu {self.mtu} netns {host.pid}", f"link set {port} master {bridge} up")
        lines = [f"addr add {a} dev {device}" + (" nodad" if ":" in a else "")
                 for a in addresses]
        host.ip(*lines, f"link set {device} up",
                *([f"route add default via {gateway}"] if gateway else []))
        return port

    def cut(self, port):
        self.host.ip(f"link set {port} down")

    def heal(self, port):
        self.host.ip(f"link set {port} up")

    def unplug(self, port):
        self.host.run(["ip", "link", "del", port], check=False)


def make_nat_router(lab, switch, outside, inside, inner_bridge):
    """A router whose inside hosts all appear behind one outside address. outside, inside: an
    address, or one of each family."""
    outside, inside = ([a] if isinstance(a, str) else a for a in (outside, inside))
    router = lab.host("nat")
    switch.plug(router, *outside, bridge="lan", device="out0", port="p-nat")
    switch.plug(router, *inside, bridge=inner_bridge, device="in0", port="p-nat-in")
    for address in outside:
        family, knob = (("ip6", "ipv6/conf/all/forwarding") if ":" in address
                        else ("ip", "ipv4/ip_forward"))
        router.run(f"echo 1 >/proc/sys/net/{knob}")
        router.run(["nft", "-f", "-"], text=f"""
table {family} nat {{
	chain out {{
		type nat hook postrouting priority srcnat
		oifname "out0" masquerade
	}}
}}
""")
    return router
