"""The connections of one bench, and where their ends live.

Each connection has addresses of its own at both ends, so that many run side by side on one
daemon a side. PORT at the peer's end is what is protected.
"""

from cells import AUTHS, VARIANTS

PORT = 7001
NETS = ("10.9.0.0/16", "fd09::/64")
# The routers' addresses inside, where the ends behind them find them.
ROUTER_VIPSEC, ROUTER_PEER = "10.8.255.254", "10.7.255.254"


class Connection:
    """ours, theirs: the addresses that each end itself has. ours_seen, theirs_seen: as the
    other end sees them. rule_to: what our rule says of the peer, and where probes go."""

    def __init__(self, number, mode, auth, variant):
        self.number, self.mode, self.auth, self.variant = number, mode, auth, variant
        self.name = f"{auth}-{variant}-{mode}"
        self.ours = self.ours_seen = f"10.9.{number}.1"
        self.theirs = self.theirs_seen = self.rule_to = f"10.9.{number}.2"
        if variant == "v6":
            self.ours = self.ours_seen = f"fd09::{number:x}:1"
            self.theirs = self.theirs_seen = self.rule_to = f"fd09::{number:x}:2"
        elif variant == "nat-vipsec":
            self.ours, self.ours_seen = f"10.8.{number}.1", f"10.9.{number}.3"
        elif variant == "nat-peer":
            self.theirs, self.theirs_seen = f"10.7.{number}.2", f"10.9.{number}.4"
            self.rule_to = self.theirs if mode == "tunnel" else self.theirs_seen
        self.our_id = our_name(auth, variant, mode)
        self.their_id = their_name(auth, variant, mode)
        self.sport = 20000 + number

    @property
    def pfs(self):
        return self.variant == "pfs"

    @property
    def family(self):
        return 6 if self.variant == "v6" else 4

    @property
    def certificate(self):
        """The name of the certificates' files, at our end and at theirs."""
        end = "-large" if self.variant == "large" else ""
        return f"vipsec{end}", f"peer{end}"

    def on_the_wire(self):
        """The two addresses that are seen on the peer's link."""
        return frozenset((self.ours_seen, self.theirs))


def our_name(auth, variant, mode):
    return f"v.{auth}-{variant}-{mode}.interop.example"


def their_name(auth, variant, mode):
    return f"p.{auth}-{variant}-{mode}.interop.example"


def certificate_names():
    """For the PKI: side -> function of kind."""
    def names(of):
        return lambda kind: [of(kind, variant, mode) for variant in VARIANTS
                             for mode in ("transport", "tunnel")]
    return {"vipsec": names(our_name), "peer": names(their_name)}


def make(modes):
    """All connections of a bench that runs these modes."""
    kinds = [(mode, auth, variant) for mode in modes for auth in AUTHS for variant in VARIANTS
             if not (variant == "large" and auth == "psk")]
    return [Connection(number, *kind) for number, kind in enumerate(kinds, 1)]
