"""Stops one thread of a process, as nothing else can: signals stop all of them.

data_thread() does it to a host's vipsecd, by running this file inside the host as a program:
freeze.py PID [THREAD]; without THREAD, the process's only other thread. The thread is
ptrace-stopped until the program ends, and can still be killed.
"""

import ctypes
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from vlab.core import LabError, wait_until

PTRACE_SEIZE, PTRACE_INTERRUPT = 0x4206, 0x4207
WALL = 0x40000000  # os.waitpid does not know __WALL: threads are "clone children"

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def ptrace(request, thread):
    if libc.ptrace(request, thread, None, None) != 0:
        sys.exit(f"ptrace {request:#x} of {thread}: {os.strerror(ctypes.get_errno())}")


def only_other_thread(pid):
    others = [int(t) for t in os.listdir(f"/proc/{pid}/task") if int(t) != pid]
    if len(others) != 1:
        sys.exit(f"{pid} has the threads {others} beside its first")
    return others[0]


def data_thread(host):
    """Stops the data thread of the host's vipsecd, until what is returned is ended."""
    log = "freeze.log"
    before = len(host.log(log).splitlines())
    tracer = host.spawn([sys.executable, __file__, host.pidof("vipsecd")[0]], log)
    wait_until(lambda: len(host.log(log).splitlines()) > before, 10, "the thread to stop")
    if tracer.poll() is not None:
        raise LabError(host.log(log))
    return tracer


def main():
    pid = int(sys.argv[1])
    thread = int(sys.argv[2]) if len(sys.argv) > 2 else only_other_thread(pid)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # the kernel lets the thread go
    ptrace(PTRACE_SEIZE, thread)
    ptrace(PTRACE_INTERRUPT, thread)
    while True:
        _, status = os.waitpid(thread, WALL)
        if not os.WIFSTOPPED(status):
            return  # killed; a tracer must collect it, or its process stays a zombie
        print(thread, flush=True)


if __name__ == "__main__":
    main()
