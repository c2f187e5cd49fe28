#!/usr/bin/env python3
"""Three clients behind one NAT in transport mode, with the same service and the same source
ports: each gets its own data, through new keys, another port at the NAT, and a move.
test-timeout: 240
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import vipsec
from vlab.core import Lab, now_ms, wait_until
from vlab.net import make_nat_router
from vlab.pair import VIP4, Pair
from vlab.tap import check, main
from vlab.vipsec import Rule, conf_text, secure
from vlab.wire import Tap

NAT, SERVICE, SOURCE, OTHER = "10.9.0.3", 7003, 5100, "10.9.0.4"
NUMBERS = (1, 2, 3)

# Says to each who connects what his first word was, again and again, and whatever he says
# once more; over UDP only the latter. Prints where each was seen.
SERVER = """
import socket, sys, threading, time
port = int(sys.argv[1])
def push(c, name):
    n = 0
    try:
        while True:
            c.sendall(b"push %s %d\\n" % (name, n))
            n += 1
            time.sleep(0.01)
    except OSError:
        pass
def serve(c, where):
    name = None
    try:
        for line in c.makefile("rb"):
            word = line.split()
            if name is None:
                name = word[0]
                print("tcp", name.decode(), where[1], flush=True)
                threading.Thread(target=push, args=(c, name), daemon=True).start()
            c.sendall(b"re " + line)
    except OSError:
        pass
    c.close()
def datagrams():
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    u.setsockopt(socket.IPPROTO_IP, 15, 1)  # IP_FREEBIND
    u.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    u.bind((sys.argv[2], port))
    known = set()
    while True:
        data, where = u.recvfrom(2000)
        if (data.split()[0], where) not in known:
            known.add((data.split()[0], where))
            print("udp", data.split()[0].decode(), where[1], flush=True)
        u.sendto(data, where)
threading.Thread(target=datagrams, daemon=True).start()
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("0.0.0.0", port))
s.listen(16)
print("ready", flush=True)
while True:
    threading.Thread(target=serve, args=s.accept(), daemon=True).start()
"""

# Connects from the given port, and again when it fails; looks at each word that comes.
# Prints, five times a second: good lines, wrong ones, connections.
CLIENT = """
import socket, sys, threading, time
kind, name, address, port, source = sys.argv[1], sys.argv[2].encode(), *sys.argv[3:4], \\
    *map(int, sys.argv[4:])
good = wrong = connections = 0
def say():
    while True:
        print(good, wrong, connections, flush=True)
        time.sleep(0.2)
threading.Thread(target=say, daemon=True).start()
def judge(line, words):
    global good, wrong
    word = line.split()
    if len(word) == words and word[-2] == name:
        good += 1
    else:
        wrong += 1
        print("wrong", line, file=sys.stderr, flush=True)
def ask(s):
    n = 0
    try:
        while True:
            s.sendall(b"%s %d\\n" % (name, n))
            n += 1
            time.sleep(0.01)
    except OSError:
        pass
def stream():
    global connections
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\\1\\0\\0\\0\\0\\0\\0\\0")
    s.setsockopt(socket.IPPROTO_TCP, 18, 3000)  # TCP_USER_TIMEOUT
    s.settimeout(3)
    s.bind(("0.0.0.0", source))
    try:
        s.connect((address, port))
        connections += 1
        threading.Thread(target=ask, args=(s,), daemon=True).start()
        for line in s.makefile("rb"):
            judge(line, 3)
    finally:
        s.close()
def datagrams():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(0.3)
    s.bind(("0.0.0.0", source))
    while True:
        try:
            s.sendto(name + b" 0", (address, port))
            judge(s.recv(2000), 2)
        except OSError:
            pass
        time.sleep(0.01)
while True:
    try:
        stream() if kind == "tcp" else datagrams()
    except OSError:
        time.sleep(0.2)
"""

UNASKED = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((sys.argv[1], int(sys.argv[2])))
s.sendto(b"secret 0", (sys.argv[3], int(sys.argv[4])))
"""


def drops(daemon):
    return daemon.json("status")["data"]["dataplane"]["drops"]


def rules(side, auth):
    return [Rule(proto, f"from {side} proto {proto} mirrored", secure("transport"), auth)
            for proto in ("tcp", "udp")]


def server_text(more=""):
    text = conf_text(rules(f'vip "web" port {SERVICE} to any',
                           f'psk "lab" local-id "{vipsec.VIP_ID}" remote-id any'), vip=(VIP4,))
    made = text.replace("negotiate require;", 'negotiate require; proposal "short";')
    return f'proposal "short" {{ {more or "lifetime child 1h;"} }}\n' + made


def set_nat(router, ports):
    """Where each client's port 4500 is seen from now on; all mappings are made anew for
    whoever has another one now."""
    lines = "".join(f'\t\toifname "out0" ip saddr 10.8.0.{n + 1} udp sport 4500 '
                    f"masquerade to :{port}\n" for n, port in ports.items())
    router.run(["nft", "-f", "-"], text="flush chain ip nat out\ntable ip nat {\n"
               "\tchain out {\n\t\ttype nat hook postrouting priority srcnat\n" + lines +
               '\t\toifname "out0" masquerade\n\t}\n}\n')
    # What masquerades forgets its mappings when its address goes.
    router.ip(f"addr del {NAT}/24 dev out0", f"addr add {NAT}/24 dev out0")


class Client:
    def __init__(self, lab, pair, number):
        self.number, self.name = number, f"in{number}"
        self.host = vipsec.make_host(lab, self.name)
        pair.switch.plug(self.host, f"10.8.0.{number + 1}/24", bridge="inner",
                         gateway="10.8.0.1")
        self.daemon = vipsec.Vipsec(self.host)
        auth = f'psk "lab" local-id "{self.name}.vlab.example" remote-id "{vipsec.VIP_ID}"'
        self.daemon.configure(conf_text(rules(f"me to {VIP4} port {SERVICE}", auth),
                                        tuning={"idle-timeout": "2s"}))
        self.daemon.start()

    def talk(self):
        for kind in ("tcp", "udp"):
            self.host.spawn(["python3", "-c", CLIENT, kind, self.name, VIP4, str(SERVICE),
                             str(SOURCE)], f"{kind}.log")

    def counts(self, kind):
        """Good lines, wrong ones, connections, so far."""
        lines = [line for line in self.host.log(f"{kind}.log").splitlines()
                 if len(line.split()) == 3 and line.split()[0].isdigit()]
        return tuple(map(int, lines[-1].split())) if lines else (0, 0, 0)


def all_go_on(clients, what, timeout=30, lines=100):
    """Each gets that many more lines of its own over either protocol, and no other's."""
    before = {(c.name, k): c.counts(k)[0] for c in clients for k in ("tcp", "udp")}

    def lacking():
        return [key for c in clients for key in ((c.name, "tcp"), (c.name, "udp"))
                if c.counts(key[1])[0] < before[key] + lines]
    try:
        wait_until(lambda: not lacking(), timeout, what)
    finally:
        for client in clients:
            for kind in ("tcp", "udp"):
                check(client.counts(kind)[1] == 0,
                      f"{client.name} got what is another's: "
                      + client.host.log(f"{kind}.log")[-300:])
        check(not lacking(), f"{what}: nothing comes to {lacking()}")


def places(host, kind):
    """Where the server has seen each client: name -> ports."""
    seen = {}
    for line in host.log("server.log").splitlines():
        word = line.split()
        if len(word) == 3 and word[0] == kind:
            seen.setdefault(word[1], []).append(int(word[2]))
    return seen


def children(daemon):
    return {row["spi_in"] for row in daemon.rows("child")}


def body(tap):
    with Lab() as lab:
        pair = Pair(lab)
        pair.switch.host.ip("link add inner type bridge forward_delay 0 stp_state 0",
                            "link set inner up")
        router = make_nat_router(lab, pair.switch, f"{NAT}/24", "10.8.0.1/24", "inner")
        ports = {n: 20000 + n for n in NUMBERS}
        set_nat(router, ports)
        other_host = vipsec.make_host(lab, "s2")
        pair.switch.plug(other_host, f"{OTHER}/24")
        other = vipsec.Vipsec(other_host)
        for host in (pair.s, other_host):
            host.spawn(["python3", "-c", SERVER, str(SERVICE), VIP4], "server.log")
            wait_until(lambda: "ready" in host.log("server.log"), 10, "the service")
        pair.start_server(server_text())
        other.configure(server_text("lifetime child 10s;"))
        other.start()
        pair.add_vip(families=(4,))
        pair.wait_bound()
        watch = Tap(pair.switch.host, VIP4, [SERVICE], ["p-s", "p-s2", "p-nat"], esp=True)
        clients = [Client(lab, pair, n) for n in NUMBERS]
        tap.on_failure.append(lambda: "".join(
            h.log("vipsecd.log")[-2500:] for h in (pair.s, other_host, clients[0].host)))
        for client in clients:
            client.talk()

        with tap.case("three clients with one source port: each gets its own data"):
            all_go_on(clients, "three streams and three exchanges of datagrams")
        with tap.case("they have one address at the server, and a port each"):
            for kind in ("tcp", "udp"):
                seen = places(pair.s, kind)
                check(sorted(seen) == [c.name for c in clients], seen)
                last = [ports[-1] for ports in seen.values()]
                check(len(set(last)) == 3 and SOURCE in last, f"{kind}: {seen}")
            check(all(c.counts("tcp")[2] == 1 for c in clients), "connected more than once")
        with tap.case("`show child` and `explain` say so"):
            rows = pair.server.rows("child")
            check(all(r["flows"] >= 2 for r in rows if r["packets_in"] > 0), rows)
            check(sum(r["flows_moved"] for r in rows) >= 4, rows)
            check(all(r["flow_taken"] == 0 for r in rows), rows)
            text = pair.server.ctl("show", "child").stdout
            check("under another port" in text, text)
            text = pair.server.ctl("explain", VIP4, NAT, "tcp", str(SERVICE), str(SOURCE)).stdout
            check("share the other address" in text, text)
        with tap.case("nobody gets what none of them has asked for"):
            pair.s.run(["python3", "-c", UNASKED, VIP4, str(SERVICE), NAT, str(SOURCE + 1)])
            wait_until(lambda: drops(pair.server)["flow_nobody"] == 1, 5, "it to be dropped")
            check(drops(pair.server)["flow_taken"] == 0, drops(pair.server))
            check("none of them has asked" in pair.server.ctl("events").stdout, "not told")

        with tap.case("the NAT gives one client another port: it goes on, the others do not notice"):
            ports[2] = 30002
            set_nat(router, ports)
            all_go_on(clients, "all of them after the change")
            wait_until(lambda: any(r["remote"] == f"{NAT}:30002"
                                   for r in pair.server.rows("child")), 15, "its SA to move")
            check(all(c.counts("tcp")[2] == 1 for c in clients), "connected anew")

        with tap.case("the VIP moves: all come to the other host"):
            pair.remove_vip(families=(4,))
            pair.add_vip(other_host, families=(4,))
            wait_until(lambda: other.vip_state("web") == "bound", 10, "the other host to have it")
            all_go_on(clients, "all of them at the other host", timeout=60)
            seen = places(other_host, "tcp")
            check(sorted(seen) == [c.name for c in clients], seen)
            check(len({ports[-1] for ports in seen.values()}) == 3, seen)

        with tap.case("new keys: the same connections, each with its own data"):
            before = children(other)
            connected = [c.counts("tcp")[2] for c in clients]
            wait_until(lambda: not children(other) & before, 40, "new keys for all")
            all_go_on(clients, "all of them with new keys")
            check(connected == [c.counts("tcp")[2] for c in clients], "connected anew")

        with tap.case("one client goes and comes back: nobody else got anything of it"):
            clients[0].daemon.stop()
            all_go_on(clients[1:], "the others", lines=200)
            clients[0].daemon.start()
            all_go_on(clients, "all of them again")

        with tap.case("nothing was in clear"):
            clear = watch.seen("tcp", "udp", "frag", since_ms=0, until_ms=now_ms())
            check(not clear, clear[:3])
            sources = {s.sport for s in watch.seen("esp") if s.src == NAT}
            check(sources >= {20001, 20002, 20003, 30002}, sources)


if __name__ == "__main__":
    main(body, vipsec.missing_programs)
