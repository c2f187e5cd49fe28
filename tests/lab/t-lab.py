#!/usr/bin/env python3
"""The laboratory itself: what it promises to every other test."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__))))

from vlab import vipsec
from vlab.addrwatch import AddrWatch
from vlab.core import Lab, LabError, now_ms, wait_until
from vlab.net import Switch, make_nat_router
from vlab.pair import Pair
from vlab.probes import Prober, Stream, start_echo
from vlab.tap import check, main
from vlab.wire import Tap

HOLD_A_LAB = f"""
import sys, time
sys.path.insert(0, {os.path.dirname(os.path.abspath(__file__))!r})
from vlab.core import Lab
with Lab() as lab:
    host = lab.host("a")
    host.spawn(["sleep", "1000"], "sleep.log")
    print(host.pid, lab.dir, flush=True)
    time.sleep(1000)
"""


def pairs(lab):
    switch = Switch(lab)
    a, b = lab.host("a"), lab.host("b")
    switch.plug(a, "10.9.0.1/24", "fd09::1/64")
    switch.plug(b, "10.9.0.2/24", "fd09::2/64")
    return switch, a, b


def nothing_stays(tap):
    for how in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
        with tap.case(f"nothing stays of a lab ended by {how.name}"):
            where = tempfile.mkdtemp()
            program = subprocess.Popen([sys.executable, "-c", HOLD_A_LAB], text=True,
                                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                       env={**os.environ, "TMPDIR": where})
            pid, folder = program.stdout.readline().split()
            check(os.path.exists(f"/proc/{pid}"), "the host runs")
            program.send_signal(how)
            program.wait(20)
            program.stdout.close()
            wait_until(lambda: not os.path.exists(f"/proc/{pid}"), 10, "PID 1 to end")
            wait_until(lambda: not os.path.exists(folder), 10, "the folder to go")
            os.rmdir(where)


def body(tap):
    links = sorted(os.listdir("/sys/class/net"))
    nothing_stays(tap)
    complaints(tap)
    with Lab() as lab:
        switch, a, b = pairs(lab)
        start_echo(b, 7001, 7002)
        for version, address in (("IPv4", "10.9.0.2"), ("IPv6", "fd09::2")):
            with tap.case(f"probes are answered over {version}, with the time and the device"):
                prober = Prober(lab, [Stream(1, a, address, 7001)])
                reply = prober.wait_reply(1, now_ms(), 10)
                prober.close()
                check((reply.node, reply.node_device, reply.device) == ("b", "eth0", "eth0"),
                      reply)
                check(0 <= reply.ms - reply.sent_ms < 1000, reply)

        with tap.case("a gap in the answers is measured"):
            prober = Prober(lab, [Stream(1, a, "10.9.0.2", 7001)])
            start = prober.wait_reply(1, now_ms(), 10).ms
            switch.cut("p-b")
            cut = now_ms()
            wait_until(lambda: now_ms() > cut + 200, 5, "the time to pass")
            healed = now_ms()  # an answer may come before heal() is back
            switch.heal("p-b")
            prober.wait_reply(1, healed, 10)
            gap, end = prober.outage(1, start, now_ms())
            prober.close()
            check(195 <= gap <= now_ms() - start, f"gap of {gap} ms")
            check(end >= healed - 5, "the gap ends after the link is back")

        with tap.case("a tap sees what is in clear, with its direction, and nothing else"):
            watch = Tap(switch.host, "10.9.0.2", [7001], ["p-a", "p-b"])
            prober = Prober(lab, [Stream(1, a, "10.9.0.2", 7001), Stream(2, a, "10.9.0.2", 7002)])
            prober.wait_reply(1, now_ms(), 10)
            prober.wait_reply(2, now_ms(), 10)
            prober.close()
            seen = wait_until(lambda: watch.seen("udp"), 5, "packets")
            watch.close()
            check({s.device for s in seen} == {"p-a", "p-b"}, "both ports")
            check(all(7001 in (s.sport, s.dport) for s in seen), "no other port")
            check(all((s.way == "in") == ((s.device == "p-a") == (s.src == "10.9.0.1"))
                      for s in seen), "direction")

        with tap.case("addresses are seen coming and going"):
            watch = AddrWatch()
            watch.add(b)
            start = now_ms()
            b.ip("addr add 10.9.0.50/24 dev eth0", "addr del 10.9.0.50/24 dev eth0")
            added = wait_until(lambda: watch.first("add", "10.9.0.50", start), 5, "add")
            gone = wait_until(lambda: watch.first("del", "10.9.0.50", start), 5, "del")
            check(added.host == "b" and gone.ms >= added.ms, (added, gone))

        with tap.case("hosts behind the NAT router share one outside address"):
            switch.host.ip("link add inner type bridge forward_delay 0 stp_state 0",
                           "link set inner up")
            make_nat_router(lab, switch, "10.9.0.3/24", "10.8.0.1/24", "inner")
            watch = Tap(switch.host, "10.9.0.3", [7001], ["p-b"])
            streams = []
            for i in (1, 2):
                inside = lab.host(f"in{i}")
                switch.plug(inside, f"10.8.0.{10 + i}/24", bridge="inner", gateway="10.8.0.1")
                streams.append(Stream(i, inside, "10.9.0.2", 7001, 10))
            prober = Prober(lab, streams)
            for stream in streams:
                prober.wait_reply(stream.id, now_ms(), 10)
            prober.close()
            ports = {s.sport for s in watch.seen("udp") if s.src == "10.9.0.3"}
            check(len(ports) == 2, f"two mappings of one address: {ports}")

        with tap.case("a datagram of 4,000 octets goes both ways"):
            prober = Prober(lab, [Stream(1, a, "10.9.0.2", 7001, 20, 0, 4000)])
            prober.wait_reply(1, now_ms(), 10)
            prober.close()

        with tap.case("the machine's own network is as it was"):
            check(sorted(os.listdir("/sys/class/net")) == links, "links of the machine")
            check(socket.if_nameindex()[0][1] == "lo", "this program is still at home")


def complained(lab):
    """What the end of this lab complains of."""
    try:
        lab.close()
    except LabError as why:
        return str(why)
    return ""


def complaints(tap):
    with tap.case("what a sanitizer writes down does, too"):
        lab = Lab()
        host = lab.host("a")
        place = re.search(r"log_path=([^:]*)", host.environ()["ASAN_OPTIONS"]).group(1)
        host.run(f"echo found >{place}.1")
        check("found" in complained(lab), "the end of the lab says so")
    with Lab() as lab:
        if not vipsec.sanitized(lab.build):
            return
    with tap.case("sanitized: a fault of a daemon that is not to be traced is written down"):
        lab = Lab()
        pair = Pair(lab)
        pair.start_server()
        pair.s.signal("vipsecd", signal.SIGSEGV)
        pair.server.process.wait(timeout=20)
        check("SEGV" in complained(lab), "the end of the lab says so")


if __name__ == "__main__":
    main(body)
