"""The cluster's configuration (CIB) as the lab loads it: the recipe of the README."""

from xml.sax.saxutils import quoteattr

from .core import PATIENCE

LIMIT = f"{20 * PATIENCE}s"  # of each action; 20 s is Pacemaker's own


def nvpairs(prefix, values):
    return "".join(f'<nvpair id="{prefix}-{n}" name="{n}" value={quoteattr(str(v))}/>'
                   for n, v in values.items() if v is not None)


def primitive(name, kind, parameters, monitor, meta=None, timeouts=None):
    """kind: class:provider:type, or class:type."""
    words = kind.split(":")
    where = f'class="{words[0]}"' + (f' provider="{words[1]}"' if len(words) == 3 else "")
    ops = f'<op id="{name}-monitor" name="monitor" interval="{monitor}" timeout="{LIMIT}"/>'
    for action, limit in (timeouts or {}).items():
        ops += f'<op id="{name}-{action}" name="{action}" interval="0" timeout="{limit}"/>'
    return (f'<primitive id="{name}" {where} type="{words[-1]}">'
            + (f'<meta_attributes id="{name}-meta">{nvpairs(name + "-m", meta)}'
               '</meta_attributes>' if meta else "")
            + (f'<instance_attributes id="{name}-ia">{nvpairs(name + "-ia", parameters)}'
               '</instance_attributes>' if parameters else "")
            + f'<operations>{ops}</operations></primitive>')


def fencing(nodes):
    """A fence device for each node, which never runs on that node."""
    resources = constraints = ""
    for node in nodes:
        resources += primitive(f"fence-{node}", "stonith:fence_vlab", {
            "plug": node, "pcmk_host_list": node, "pcmk_host_check": "static-list"}, "60s")
        constraints += (f'<rsc_location id="away-{node}" rsc="fence-{node}" node="{node}" '
                        'score="-INFINITY"/>')
    return resources, constraints


def vip_names(vips):
    """Of the resources that hold the addresses: vip-ip, vip-ip2 and so on."""
    return ["vip-ip" if n == 1 else f"vip-ip{n}" for n in range(1, len(vips) + 1)]


def vip_addresses(vips, monitor):
    """vips: parameters of IPaddr2 for each address: ip, cidr_netmask, perhaps more."""
    return "".join(primitive(name, "ocf:heartbeat:IPaddr2", {**vip, "nic": "eth0"}, monitor)
                   for name, vip in zip(vip_names(vips), vips))


def bare(vips, monitor):
    """A VIP and nothing else."""
    return (f'<group id="vip-group">{vip_addresses(vips, monitor)}</group>', "")


def with_vipsec(vips, monitor, vip_parameters, daemon_parameters=None):
    """Clone of the daemon; the VIP and its IPsec service in a group after it.

    Mandatory order and colocation tie the clone to ocf:vipsec:vip only; between the clone
    and the address the order is optional, so a restart of the daemon moves no address.
    """
    resources = (
        '<clone id="vipsec-daemon-clone">'
        + primitive("vipsec-daemon", "ocf:vipsec:daemon", daemon_parameters or {}, monitor)
        + '<meta_attributes id="vipsec-clone-meta"><nvpair id="vipsec-clone-interleave" '
        'name="interleave" value="true"/></meta_attributes></clone>'
        f'<group id="vip-group">{vip_addresses(vips, monitor)}'
        + primitive("vip-ipsec", "ocf:vipsec:vip", vip_parameters, monitor) + '</group>')
    constraints = (
        '<rsc_order id="daemon-before-ipsec" first="vipsec-daemon-clone" then="vip-ipsec" '
        'kind="Mandatory"/>'
        + "".join(f'<rsc_order id="guard-before-{name}" first="vipsec-daemon-clone" '
                  f'then="{name}" kind="Optional"/>' for name in vip_names(vips)) +
        '<rsc_colocation id="ipsec-with-daemon" rsc="vip-ipsec" '
        'with-rsc="vipsec-daemon-clone" score="INFINITY"/>')
    return resources, constraints


def whole(nodes, service, fence=True, properties=None):
    """service: (resources, constraints) of one of the above."""
    resources, constraints = service
    if fence:
        more = fencing(nodes)
        resources, constraints = resources + more[0], constraints + more[1]
    options = {"stonith-enabled": "true" if fence else "false", "no-quorum-policy": "stop",
               "dc-deadtime": "2s", "stonith-action": "off",
               "cluster-recheck-interval": "60s", **(properties or {})}
    return (
        '<cib admin_epoch="1" epoch="1" num_updates="0" validate-with="pacemaker-3.9">'
        '<configuration><crm_config><cluster_property_set id="cib-bootstrap-options">'
        f'{nvpairs("opt", options)}</cluster_property_set></crm_config><nodes/>'
        f'<resources>{resources}</resources><constraints>{constraints}</constraints>'
        '<rsc_defaults><meta_attributes id="defaults"><nvpair id="defaults-sticky" '
        'name="resource-stickiness" value="100"/></meta_attributes></rsc_defaults>'
        '<op_defaults><meta_attributes id="op-defaults"><nvpair id="op-defaults-timeout" '
        f'name="timeout" value="{LIMIT}"/></meta_attributes></op_defaults>'
        '</configuration><status/></cib>')
