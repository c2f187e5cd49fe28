"""Lab and Host: namespaces, processes and files that vanish with this program.

A host is a PID 1 (vlab-ns init) in network, mount, uts, ipc and pid namespaces of its own.
PID 1 lives as long as a pipe from this program is open, so even SIGKILL leaves nothing.
Files are kept on a tmpfs in a mount namespace of this program's own.
"""

import atexit
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))))
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
MS_REC_PRIVATE = 0x4000 | 0x40000
MS_BIND = 0x1000
libc = ctypes.CDLL(None, use_errno=True)

# The labs try the kernel plane, not the userspace one.
KERNEL = os.environ.get("VLAB_PLANE") == "kernel"
# In the emulated machine (vm/vm-run) all that is awaited takes longer.
PATIENCE = 6 if os.environ.get("VM") else 1


TABLES = "ip xfrm state; ip -s xfrm policy; grep -v ' 0$' /proc/net/xfrm_stat"


class LabError(Exception):
    """The lab cannot do what was asked; the message says what is missing."""


class LabTimeout(LabError):
    """Something awaited did not come."""


def syscall_ok(result, what):
    if result != 0:
        error = ctypes.get_errno()
        raise LabError(f"{what}: {os.strerror(error)}")


def mount(source, target, kind=None, flags=0, data=None):
    def text(value):
        return None if value is None else os.fsencode(value)
    syscall_ok(libc.mount(text(source), text(target), text(kind), flags, text(data)),
               f"mount {target}")


def build_dir():
    """Where make put its products: told by tests/run, or the usual places."""
    told = os.environ.get("VIPSEC_BUILDDIR")
    for folder in [told] if told else [os.path.join(SOURCE, "build"), SOURCE]:
        if os.path.exists(os.path.join(folder, "tests/lab/tools/vlab-ns")):
            return os.path.abspath(folder)
    raise LabError("the lab's helpers are not built: run make first")


def wait_until(condition, timeout, what, step=0.02):
    """Returns the first true value of condition(); LabTimeout after timeout seconds."""
    end = time.monotonic() + timeout * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise LabTimeout(f"waited {timeout} s in vain for: {what}")
        time.sleep(step)


def sanitizer_environ(folder, name):
    """What programs of a sanitized build are told: every finding goes into a file of this
    folder, also when the finder detaches or is killed later, and ends the program. The
    product's own crash handler must not hide one."""
    common = f"log_path={folder}/{name}:exitcode=99:handle_segv=2:handle_sigbus=2:handle_sigfpe=2"
    wishes = {
        "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
    }
    return {key: ":".join(filter(None, [wish, common, os.environ.get(key)]))
            for key, wish in wishes.items()}


def now_ms():
    return time.monotonic_ns() / 1e6


class Lab:
    """One laboratory. Use as a context manager."""

    def __init__(self, keep=None):
        """keep: folder that gets a copy of all logs at the end (or $VLAB_KEEP)."""
        if os.geteuid() != 0:
            raise LabError("the lab needs root: it makes namespaces")
        self.build = build_dir()
        self.tool = os.path.join(self.build, "tests/lab/tools")
        self.keep = keep or os.environ.get("VLAB_KEEP")
        self.hosts = {}
        self.closed = False
        self.on_close = []
        self.complaints = []  # faults of the product that no case of the test looks for
        self._make_scratch()
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: sys.exit(1))
        atexit.register(self.close)

    def _make_scratch(self):
        self.dir = tempfile.mkdtemp(prefix="vlab-")
        self.janitor = subprocess.Popen([f"{self.tool}/vlab-ns", "janitor", self.dir],
                                        stdin=subprocess.PIPE, start_new_session=True)
        syscall_ok(libc.unshare(CLONE_NEWNS), "a mount namespace")
        mount(None, "/", flags=MS_REC_PRIVATE)
        mount("tmpfs", self.dir, "tmpfs", data="mode=755")
        for name in ("farm", "host", "findings"):
            os.makedirs(f"{self.dir}/{name}")
        os.chmod(f"{self.dir}/findings", 0o1777)

    def farm(self, path, dirs=(), files=(), links=None, variant=""):
        """A folder that shows what PATH shows, and more, without touching PATH.

        dirs and files are made empty, as places to mount on; links is name -> target.
        Made once for each path and variant. The answer is a pair for Host(binds=...).
        """
        place = f"{self.dir}/shown/{path.strip('/').replace('/', '-')}{variant}"
        original = place + ".orig"
        if not os.path.exists(place):
            os.makedirs(original)
            os.makedirs(place)
            mount(path, original, flags=MS_BIND)
            extra = set(dirs) | set(files) | set(links or {})
            for name in os.listdir(original):
                if name not in extra:
                    os.symlink(self._farm_target(path, original, name), f"{place}/{name}")
            for name in dirs:
                os.makedirs(f"{place}/{name}")
            for name in files:
                open(f"{place}/{name}", "w").close()
            for name, target in (links or {}).items():
                os.symlink(target, f"{place}/{name}")
        return (place, path)

    @staticmethod
    def _farm_target(path, original, name):
        """A relative link that leaves the folder would lead elsewhere from here."""
        full = f"{path}/{name}"
        if os.path.islink(full) and os.readlink(full).startswith(".."):
            return os.path.realpath(full)
        return f"{original}/{name}"

    def host_dir(self, name):
        folder = f"{self.dir}/host/{name}"
        os.makedirs(folder, exist_ok=True)
        return folder

    def host(self, name, binds=(), tmpfs=()):
        host = Host(self, name, binds, tmpfs)
        self.hosts[name] = host
        return host

    def keep_tables(self, when):
        """What the kernel's IPsec of each host is like, for whoever reads the log."""
        folder = os.environ.get("TEST_KEEP")
        if not KERNEL or not folder:
            return
        os.makedirs(folder, exist_ok=True)
        for host in self.hosts.values():
            if host.alive():
                with open(f"{folder}/{host.name}.xfrm", "a") as file:
                    file.write(f"==== {when}\n" + host.run(TABLES, check=False).stdout)

    def close(self):
        if self.closed:
            return
        self.closed = True
        self.keep_tables("at the end")
        for done in self.on_close:
            done()
        for host in list(self.hosts.values()):
            host.kill(wait=False)
        for host in list(self.hosts.values()):
            host.reap()
        if self.keep:
            shutil.copytree(f"{self.dir}/host", self.keep, symlinks=True, dirs_exist_ok=True,
                            ignore=_ignore_special)
        found = self.findings()
        libc.umount2(os.fsencode(self.dir), 2)
        self.janitor.stdin.close()
        self.janitor.wait()
        if found:
            raise LabError(found)

    def findings(self):
        """Complaints, and what the sanitizers of the programs under test have found."""
        text = "\n".join(self.complaints)
        for name in sorted(os.listdir(f"{self.dir}/findings")):
            with open(f"{self.dir}/findings/{name}", errors="replace") as file:
                found = file.read()[:8000]
            text += f"--- {name}\n{found}" if found else ""
        return text

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _ignore_special(folder, names):
    return [n for n in names if not (os.path.isdir(f"{folder}/{n}")
                                     or os.path.isfile(f"{folder}/{n}"))]


class Host:
    """A machine made of namespaces. Its folder (self.dir) outlives a power cut."""

    def __init__(self, lab, name, binds=(), tmpfs=()):
        self.lab, self.name = lab, name
        self.dir = lab.host_dir(name)
        wishes = []
        for place in tmpfs:
            wishes += ["-T" if place in ("/dev/shm", "/tmp") else "-t", place]
        for source, target in binds:
            wishes += ["-b", f"{source}={target}"]
        self.init = subprocess.Popen(
            [f"{lab.tool}/vlab-ns", "init", name, *wishes], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, start_new_session=True)
        line = self.init.stdout.readline()
        if not line:
            raise LabError(f"host {name} did not come up")
        self.pid = int(line)
        self.children = []
        self.run("ip link set lo up")

    def environ(self):
        return {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", "HOSTNAME": self.name,
                **{k: v for k, v in os.environ.items() if k == "VLAB_PLANE"},
                **sanitizer_environ(f"{self.lab.dir}/findings", self.name)}

    def _argv(self, command, how="exec"):
        if isinstance(command, str):
            command = ["/bin/sh", "-c", command]
        return [f"{self.lab.tool}/vlab-ns", how, str(self.pid), *map(str, command)]

    def run(self, command, check=True, timeout=60, text=None, env=None):
        """Runs to its end; a string goes through the shell. Gives a CompletedProcess."""
        done = subprocess.run(self._argv(command), input=text, capture_output=True, text=True,
                              timeout=timeout * PATIENCE,
                              env={**self.environ(), **(env or {})}, start_new_session=True,
                              **({} if text is not None else {"stdin": subprocess.DEVNULL}))
        if check and done.returncode != 0:
            raise LabError(f"{self.name}: {command}: status {done.returncode}: "
                           f"{done.stdout[-800:]}{done.stderr[-800:]}")
        return done

    def xfrm_stat(self):
        """The counters of the kernel's IPsec: what it has dropped, and why."""
        rows = [line.split() for line in self.out("cat /proc/net/xfrm_stat").splitlines()]
        return {name: int(value) for name, value in rows}

    def ok(self, command, timeout=60):
        return self.run(command, check=False, timeout=timeout).returncode == 0

    def out(self, command, timeout=60):
        return self.run(command, timeout=timeout).stdout

    def ip(self, *lines):
        """Lines for ip(8), in this host's network, with this program's view of pids."""
        done = subprocess.run(
            [f"{self.lab.tool}/vlab-ns", "net", str(self.pid), "ip", "-batch", "-"],
            input="\n".join(lines) + "\n", capture_output=True, text=True,
            timeout=60 * PATIENCE,
            env=self.environ(), start_new_session=True)
        if done.returncode != 0:
            raise LabError(f"{self.name}: ip {lines}: {done.stderr}")

    def spawn(self, command, log, env=None):
        """Starts a process that runs on; its output goes to the file `log`."""
        with open(f"{self.dir}/{log}", "ab") as out:
            child = subprocess.Popen(self._argv(command), stdin=subprocess.DEVNULL, stdout=out,
                                     stderr=subprocess.STDOUT, start_new_session=True,
                                     env={**self.environ(), **(env or {})})
        self.children.append(child)
        return child

    def log(self, name):
        try:
            with open(f"{self.dir}/{name}", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def pidof(self, name):
        """Pids of processes with this name, as seen inside the host. One in state X is being
        reaped: it is listed for a moment, and no longer there."""
        alive = self.run(f'for p in $(pidof {name}); do read -r _ _ s _ </proc/$p/stat && '
                         '[ $s != X ] && echo $p; done 2>/dev/null', check=False)
        return [int(p) for p in alive.stdout.split()]

    def signal(self, name, number):
        """Sends a signal to the processes with this name; says how many there were."""
        pids = self.pidof(name)
        if pids:
            self.run(["kill", f"-{int(number)}", *pids], check=False)
        return len(pids)

    @contextmanager
    def network(self):
        """Meanwhile this program is in this host's network."""
        with open("/proc/self/ns/net") as home, open(f"/proc/{self.pid}/ns/net") as there:
            syscall_ok(libc.setns(there.fileno(), CLONE_NEWNET), f"enter {self.name}")
            try:
                yield
            finally:
                syscall_ok(libc.setns(home.fileno(), CLONE_NEWNET), "come home")

    def socket(self, *args):
        """A socket in this host's network, held by this program."""
        with self.network():
            return socket.socket(*args)

    def set(self, settings):
        """Below /proc/sys/net, without a process: {"ipv4/ip_forward": 1, ...}"""
        with self.network():
            for name, value in settings.items():
                with open(f"/proc/sys/net/{name}", "w") as file:
                    file.write(f"{value}\n")

    def alive(self):
        return self.init.poll() is None

    def kill(self, wait=True):
        """Power off, without any goodbye."""
        if self.alive():
            try:
                os.kill(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if wait:
            self.reap()

    def reap(self):
        self.init.wait(timeout=20)
        for child in self.children:
            try:
                child.wait(timeout=20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self.children.clear()
        self.init.stdin.close()
        self.init.stdout.close()
