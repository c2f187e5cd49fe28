#!/usr/bin/env python3
"""Ten thousand addresses fall upon a daemon: it keeps little, and friends do not notice.
test-timeout: 200
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import vipsec
from vlab.core import PATIENCE, Lab, now_ms, wait_until
from vlab.pair import PROTECTED, STRANGER4, VIP4, Pair
from vlab.probes import Prober, Stream
from vlab.tap import check, main

ADDRESSES = 10000
HALF_OPEN_S = 30
GREW_KIB_MAX = 24 << 10  # of the daemon's memory: what strangers may keep, and some heap

# argv: where to, how many addresses, "blind" (answers are not heard) or "heard" (cookies are
# shown, and what is half open gets garbage, whole and in fragments).
FLOOD = r"""
import random, socket, struct, sys, time
to, count, heard = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "heard"
rng = random.Random(7)
IP_PKTINFO = 8
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
s.bind(("", 500))
s.setblocking(False)

def transform(last, kind, number, bits=0):
    attr = struct.pack(">HH", 0x800E, bits) if bits else b""
    return struct.pack(">BBHBBH", 0 if last else 3, 0, 8 + len(attr), kind, 0, number) + attr

def payload(following, body):
    return struct.pack(">BBH", following, 0, 4 + len(body)) + body

def header(spi_i, spi_r, first, exchange, number, length):
    return struct.pack(">QQBBBBII", spi_i, spi_r, first, 0x20, exchange, 0x08, number, length)

def message(spi_i, spi_r, first, exchange, number, body):
    return header(spi_i, spi_r, first, exchange, number, 28 + len(body)) + body

SUITE = transform(False, 1, 20, 256) + transform(False, 2, 6) + transform(True, 4, 31)
SA = struct.pack(">BBHBBBB", 0, 0, 8 + len(SUITE), 1, 1, 0, 3) + SUITE

def ask(n, cookie=b""):
    own = random.Random(n)
    body = payload(34, SA) + payload(40, struct.pack(">HH", 31, 0) + own.randbytes(32)) \
        + payload(0, own.randbytes(32))
    if cookie:
        body = payload(33, struct.pack(">BBH", 0, 0, 16390) + cookie) + body
    return message(n + 1, 0, 41 if cookie else 33, 34, 0, body)

def address(n):
    return bytes([198, 18 + (n >> 16), n >> 8 & 255, n & 255])

def send(n, octets):
    info = struct.pack("i4s4s", 0, address(n), b"\0" * 4)
    s.sendmsg([octets], [(socket.IPPROTO_IP, IP_PKTINFO, info)], 0, (to, 500))

def garbage(n, spi_r):
    send(n, message(n + 1, spi_r, 46, 35, 1, payload(35, rng.randbytes(200))))
    for number in (1, 2):
        half = struct.pack(">HH", number, 3) + rng.randbytes(300)
        send(n, message(n + 1, spi_r, 53, 35, 1, payload(35 if number == 1 else 0, half)))

def listen():
    while True:
        try:
            octets = s.recvmsg(4096)[0]
        except BlockingIOError:
            return
        if len(octets) < 36:
            continue
        spi_i, spi_r, first = struct.unpack(">QQB", octets[:17])
        if first == 41 and octets[34:36] == struct.pack(">H", 16390):
            send(spi_i - 1, ask(spi_i - 1, octets[36:]))
            seen["cookies"] += 1
        elif first == 33:
            garbage(spi_i - 1, spi_r)
            seen["answers"] += 1

seen = {"cookies": 0, "answers": 0}
for n in range(count):
    send(n, ask(n))
    if n % 50 == 0:
        long = rng.choice((4097, 9000, 60000))
        send(n, header(n + 1, 0, 33, 34, 0, long) + bytes(long - 28))
        send(n, rng.randbytes(rng.randrange(1400)))
    if heard:
        listen()
    if n % 20 == 0:
        time.sleep(0.005)
if heard:
    time.sleep(0.2)
    listen()
print(seen["cookies"], seen["answers"])
"""


def memory_kib(host):
    status = host.out(f"cat /proc/{host.pidof('vipsecd')[0]}/status")
    return int(next(line for line in status.splitlines() if "VmRSS" in line).split()[1])


def handshake_ms(pair, prober):
    """The client lets go, and its traffic makes it call anew: how long until that is back."""
    before = {r["spi_i"] for r in pair.client.rows("ike")}

    def is_anew():
        rows = pair.client.rows("ike")
        return pair.client.rows("child") and rows and before.isdisjoint({r["spi_i"] for r in rows})
    start = now_ms()
    check(pair.client.ctl("down", "host").returncode == 0, "down")
    wait_until(is_anew, 10, "another IKE SA", step=0.005)
    took = now_ms() - start
    prober.wait_reply(1, now_ms(), 10)
    return took


def rekey(pair, what, rows, key):
    """While strangers come, an SA that is up gets new keys at once."""
    before = {r[key] for r in pair.client.rows(rows)}
    done = pair.client.ctl("rekey", what)
    check(done.returncode == 0, done.stdout + done.stderr)
    wait_until(lambda: before.isdisjoint({r[key] for r in pair.client.rows(rows)}), 1,
               f"{what}: new keys")


def ike(pair):
    return pair.server.json("status")["data"]["ike"]


def flood(tap, pair, prober, how):
    with tap.case(f"{ADDRESSES} addresses, {how}: a friend gets in as ever, its traffic goes on"):
        quiet = handshake_ms(pair, prober)
        before, kib = ike(pair), memory_kib(pair.s)
        start = now_ms()
        pair.x.spawn(["python3", "-c", FLOOD, VIP4, str(ADDRESSES), how], f"flood-{how}.log")
        wait_until(lambda: ike(pair)["received"] - before["received"] > ADDRESSES / 4, 20,
                   "strangers come")
        called = now_ms()
        took = handshake_ms(pair, prober)
        back = now_ms()
        rekey(pair, "child", "child", "spi_in")
        rekey(pair, "ike", "ike", "spi_i")
        check(took < quiet + 1000 * PATIENCE, f"called in {took:.0f} ms, in quiet {quiet:.0f}")
        wait_until(lambda: pair.x.log(f"flood-{how}.log").strip(), 60, "the flood's end")
        end = now_ms()
        for at, until in ((start, called), (back, end)):
            lost, _ = prober.outage(1, at, until)
            check(lost < 300, f"the friend's traffic went on: an outage of {lost:.0f} ms")
        now, grew = ike(pair), memory_kib(pair.s) - kib
        tap.note(f"{how}: friend's call {took:.0f} ms, in quiet {quiet:.0f}; memory {grew} KiB; "
                 f"{now['received'] - before['received']} messages in {end - start:.0f} ms; "
                 f"cookies asked {now['cookies_sent'] - before['cookies_sent']}, "
                 f"refused {now['half_open_refused'] - before['half_open_refused']}; "
                 f"seen by them (cookies, answers): {pair.x.log(f'flood-{how}.log').strip()}")
        check(grew < GREW_KIB_MAX, f"memory grew by {grew} KiB")
        check(now["cookies_sent"] > before["cookies_sent"], "cookies were asked")
        if how == "heard":
            check(now["forged"] > before["forged"], "garbage was not believed")
        halves = [r for r in pair.server.rows("ike") if not r["established"]]
        check(0 < len(halves) <= (1000 if how == "heard" else 100), f"{len(halves)} half open")
    with tap.case(f"{how}: nothing of it is left"):
        wait_until(lambda: len(pair.server.rows("ike")) == 1, HALF_OPEN_S + 10,
                   "the friend's SA alone", step=0.5)
        check(pair.server.rows("ike")[0]["established"], pair.server.rows("ike"))


def body(tap):
    with Lab() as lab:
        pair = Pair(lab)
        for host in (pair.s, pair.x):
            host.run("for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >$f; done")
        pair.s.ip(f"route add 198.18.0.0/15 via {STRANGER4}")
        pair.x.ip("route add local 198.18.0.0/15 dev lo")
        tap.on_failure = [lambda: pair.s.log("vipsecd.log")[-3000:]]
        pair.start_server()
        pair.add_vip(families=(4,))
        pair.wait_bound()
        pair.start_client()
        prober = Prober(lab, [Stream(1, pair.c, VIP4, PROTECTED, 20)])
        prober.wait_reply(1, now_ms(), 15)
        for how in ("blind", "heard"):
            flood(tap, pair, prober, how)
        with tap.case("strangers are not logged by the line"):
            lines = [x for x in pair.s.log("vipsecd.log").splitlines() if "198.1" in x]
            check(len(lines) < 60, f"{len(lines)} lines")
        prober.close()


if __name__ == "__main__":
    main(body, vipsec.missing_programs)
