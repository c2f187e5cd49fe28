"""What is asked: peers, roles, ways to prove who one is, and what then happens.

A cell is one of each. Its answer is a Result, a line of JSON on its way from the program
that ran it (maybe in the virtual machine) to the one that draws the table.
"""

import json
from collections import namedtuple

PASS, FAIL, NOT_THERE = "pass", "fail", "not there"

# One make of peer with one data plane in one mode, and vipsec on one of its planes: a table
# of its own. Place: a worker of its own, in namespaces of this machine or of a virtual one.
Setting = namedtuple("Setting", "key title place peer mode")
IN_MACHINE = {"vm": "userspace", "vm-kernel": "kernel"}


def _in_machine(place):
    """What the peers do with the kernel's ESP, against vipsec on the plane of this place."""
    plane = IN_MACHINE[place]
    end = "-kernel" if plane == "kernel" else ""
    return [Setting(f"{peer}-{mode}{end}", f"{name}, {mode} mode with kernel ESP, in the virtual "
                    f"machine; vipsec on the {plane} plane", place, peer, mode)
            for peer, name in (("swan", "strongSwan"), ("libre", "libreswan"))
            for mode in ("transport", "tunnel")]


SETTINGS = [
    Setting("swan-libipsec", "strongSwan, tunnel mode through its userspace ESP "
            "(kernel-libipsec), in namespaces; vipsec on the userspace plane", "here", "swan",
            "tunnel"),
    Setting("libre-ike", "libreswan without ESP, in namespaces: IKE alone", "here", "libre",
            "tunnel"),
    *_in_machine("vm"),
    *_in_machine("vm-kernel"),
]

AUTHS = {"psk": "PSK", "ecdsa": "ECDSA", "rsa-pss": "RSA-PSS", "ed25519": "Ed25519"}

# What vipsec is when the IKE SA is made.
ROLES = ("initiator", "responder")

# scenario -> (what the table calls it, the connection on which it runs)
SCENARIOS = {
    "establish": ("establish, traffic both ways", "plain"),
    # The peer's comes first: what it asks after the answer to it shows that the child is
    # shared, and until then a responder waits with a rekey of its own.
    "rekey-child-peer": ("rekey child by the peer, PFS off", "plain"),
    "rekey-child-vipsec": ("rekey child by vipsec, PFS off", "plain"),
    "rekey-child-peer-pfs": ("rekey child by the peer, PFS on", "pfs"),
    "rekey-child-vipsec-pfs": ("rekey child by vipsec, PFS on", "pfs"),
    "rekey-ike-vipsec": ("rekey IKE by vipsec", "plain"),
    "rekey-ike-peer": ("rekey IKE by the peer", "plain"),
    "delete-vipsec": ("delete by vipsec", "plain"),
    "delete-peer": ("delete by the peer", "plain"),
    "dead-peer": ("peer silent, declared dead, back", "plain"),
    "nat": ("through a NAT", "nat"),
    "v6": ("IPv6", "v6"),
    "large": ("large certificates in fragments", "large"),
}

Cell = namedtuple("Cell", "setting auth role scenario")
Result = namedtuple("Result", "cell status reason ms log", defaults=("", 0, ""))


# A connection of its own each: how it differs from the plain one.
VARIANTS = ("plain", "pfs", "v6", "nat-vipsec", "nat-peer", "large")


def variant_of(scenario, role):
    """The NAT stands before the side that calls."""
    name = SCENARIOS[scenario][1]
    if name != "nat":
        return name
    return "nat-vipsec" if role == "initiator" else "nat-peer"


def cells_of(setting):
    return [Cell(setting.key, auth, role, scenario)
            for role in ROLES for scenario in SCENARIOS for auth in AUTHS]


def to_line(result):
    return json.dumps({**result._asdict(), "cell": list(result.cell)})


def from_line(line):
    values = json.loads(line)
    return Result(Cell(*values.pop("cell")), **values)
