"""vipsec at its end of the bench: one daemon with a rule for each connection."""

import json
import os
import shutil
import subprocess
import threading

from links import PORT
from vlab import vipsec
from vlab.cluster import find_program
from vlab.core import LabError, build_dir

KEY_LOG = "/run/vipsec-keys"
PSK = "a word for the matrix, long enough"


def key_log_build():
    return os.environ.get("VIPSEC_KEYLOG_BUILDDIR") or f"{build_dir()}/key-log"


def _action(connection):
    words = "negotiate require; "
    if connection.mode == "transport":
        words += "mode transport;"
    elif connection.variant == "nat-peer":
        words += "mode tunnel;"  # only the peer can call
    else:
        words += f"mode tunnel to {connection.theirs};"
    return words + (" pfs yes;" if connection.pfs else "")


def _auth(connection):
    how = ('psk "lab"' if connection.auth == "psk"
           else f'cert "{connection.auth}-{connection.certificate[0]}"')
    return f'{how} local-id "{connection.our_id}" remote-id "{connection.their_id}"'


def _rule(connection):
    return vipsec.Rule(
        connection.name,
        f"from {connection.ours} to {connection.rule_to} port {PORT} proto udp mirrored",
        _action(connection), _auth(connection))


def _identities(connections):
    wanted = sorted({(c.auth, c.certificate[0]) for c in connections if c.auth != "psk"})
    folder = "/etc/vipsec/certs"
    return "".join(
        f'identity "{kind}-{name}" {{ cert "{folder}/{kind}/{name}-chain.pem"; '
        f'key "{folder}/{kind}/{name}.key"; ca "{folder}/{kind}/root.pem"; }}\n'
        for kind, name in wanted)


def conf_text(connections):
    return vipsec.conf_text([_rule(c) for c in connections],
                            more=_identities(connections))


class Control:
    """Requests to the daemon over one connection: the start of a process for each would take
    most of the time in the virtual machine."""

    def __init__(self, host):
        self.child = subprocess.Popen(
            host._argv([f"{host.lab.tool}/vlab-ctl"]), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, start_new_session=True)
        host.children.append(self.child)
        self.lock = threading.Lock()

    def ask(self, verb, **args):
        """The answer's data; LabError with the daemon's reason."""
        with self.lock:
            try:
                print(json.dumps({"verb": verb, "args": args}), file=self.child.stdin,
                      flush=True)
                line = self.child.stdout.readline()
            except OSError:
                line = ""
        if not line.strip():
            raise LabError("vipsecd does not answer")
        answer = json.loads(line)
        if answer["code"] not in (0, 3):
            raise LabError(f"vipsec {verb}: {answer['error']}")
        return answer["data"]


class Ours:
    """The build that gives its keys away (configure --enable-key-log), and is else the same."""

    def __init__(self, lab, pki):
        self.host = vipsec.make_host(lab, "v", key_log_build())
        self.daemon = vipsec.Vipsec(self.host)
        self.daemon.start_options = ["-k", KEY_LOG]
        self.folder = f"{self.host.dir}/etc-vipsec"
        self.lacking = {}  # connection -> why the configuration has no rule for it
        shutil.copytree(pki.dir, f"{self.folder}/certs",
                        ignore=shutil.ignore_patterns("nss", "peer*", "*.p12", "ext"))

    def _refusal(self, connections):
        """What `vipsec check` says against these, or None."""
        self.daemon.configure(conf_text(connections), PSK)
        done = self.daemon.ctl("check", "/etc/vipsec/vipsec.conf")
        lines = (done.stderr + done.stdout).strip().splitlines()
        return None if done.returncode == 0 else lines[0] if lines else "no reason given"

    def start(self, connections):
        """What this version's configuration refuses is left out, kind by kind."""
        if self._refusal(connections):
            for kind in {(c.auth, c.variant) for c in connections}:
                some = [c for c in connections if (c.auth, c.variant) == kind]
                why = self._refusal(some[:1])
                if why:
                    self.lacking.update((c, f"vipsec refuses it: {why}") for c in some)
        self.connections = [c for c in connections if c not in self.lacking]
        self.daemon.configure(conf_text(self.connections), PSK)
        self.daemon.start(timeout=60)
        self.control = Control(self.host)

    def must_serve(self, plane):
        """No column is about another plane than it says."""
        serves = self.control.ask("status")["dataplane"]
        if serves["name"] != plane:
            raise LabError(f"vipsec is on the {serves['name']} plane: {serves['note']}")

    def initiate(self, connection):
        self.control.ask("up", vip="host", rule=connection.name)

    def terminate(self, connection):
        self.control.ask("down", vip="host", rule=connection.name)

    def rekey(self, connection, what):
        """what: child or ike."""
        self.control.ask("rekey", key=what, vip="host", rule=connection.name)

    def tune(self, setting, value):
        self.daemon.ctl("tune", setting, value, check=True)

    def rows(self, what, connection):
        return [row for row in self.control.ask("show", what=what)
                if row["rule"] == connection.name]

    def sas(self, connection):
        """(IKE SAs, child SAs): what tells one from another."""
        return ({row["spi_i"] + row["spi_r"] for row in self.rows("ike", connection)},
                {row["spi_in"] for row in self.rows("child", connection)})

    def group(self, connection):
        """The key exchange of its IKE SA."""
        return [row["suite"].split("-")[-1] for row in self.rows("ike", connection)]

    def keys(self):
        with open(f"/proc/{self.host.pid}/root{KEY_LOG}") as file:
            return file.read()

    def nat(self, connection):
        """On which sides of this connection the daemon has found one."""
        return [side for row in self.rows("ike", connection)
                for side in ("nat_local", "nat_remote") if row[side]]

    def calls_in_vain(self, connection):
        """How often the peer has not answered in time."""
        return len([line for line in self.host.log("vipsecd.log").splitlines()
                    if f"peer={connection.theirs_seen}:" in line and ": no answer" in line])

    def alive(self):
        return self.daemon.process.poll() is None

    def log(self, connection):
        lines = self.host.log("vipsecd.log").splitlines()
        ends = (connection.theirs_seen, connection.name, connection.their_id)
        return "\n".join([line for line in lines if any(end in line for end in ends)][-25:])

    def end(self):
        if self.alive():
            self.daemon.stop()

    @staticmethod
    def version(source):
        done = subprocess.run([find_program(key_log_build(), "vipsecd"), "-V"],
                              capture_output=True, text=True, timeout=20,
                              stdin=subprocess.DEVNULL)
        commit = subprocess.run(["git", "-C", source, "describe", "--always", "--dirty"],
                                capture_output=True, text=True, timeout=20)
        words = (done.stdout.split() or ["vipsecd"])[-1]
        return f"{words} ({commit.stdout.strip() or os.path.basename(source)})"
