#!/usr/bin/env python3
"""What a data plane is told besides, and what it says when it cannot: output marks, XFRM
interfaces, offload, full tables, a policy of somebody else's in the way.
test-timeout: 240

Most of it is the kernel plane's (VLAB_PLANE=kernel, in the virtual machine).
"""

import json
import os
import re
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from vlab import vipsec, xfrm
from vlab.core import KERNEL, Lab, now_ms, wait_until
from vlab.pair import CLIENT4, PEER_AUTH, PROTECTED, VIP4, Pair, client_conf, server_conf
from vlab.probes import Prober, Stream
from vlab.shut import Shut, rule_of_server, works
from vlab.tap import check, main
from vlab.vipsec import Rule, secure

MARK = 0x77


def client_of(mode="transport"):
    return client_conf(rules=[
        Rule("protected", f"from me to {VIP4} port {PROTECTED} proto udp mirrored",
             secure(mode, VIP4 if mode == "tunnel" else None), PEER_AUTH)])


def reload(daemon, text, code=0):
    daemon.configure(text)
    done = daemon.ctl("reload")
    check(done.returncode == code, done)
    return done


def events(daemon, kind):
    return [e for e in map(json.loads, daemon.ctl("--json", "events").stdout.splitlines())
            if e["kind"] == kind]


def problems(daemon):
    return daemon.json("status")["data"]["problems"]


# --- marks ---------------------------------------------------------------------------------

def marked(host):
    return int(re.search(r"packets (\d+)", host.out("nft list counter inet probe marked")).group(1))


def marks(tap, pair, prober):
    pair.s.run("nft -f -", text=f"""
        table inet probe {{
            counter marked {{ }}
            chain out {{
                type filter hook output priority 0;
                meta mark {MARK} meta l4proto esp counter name marked
            }}
        }}""")
    with tap.case("without an output mark ESP leaves without it"):
        works(prober)
        check(marked(pair.s) == 0, "none")
    with tap.case("an output mark: SAs are made anew, and ESP leaves with it"):
        reload(pair.server, server_conf(rules=rule_of_server(more=f" output-mark {MARK:#x};"),
                                        vip=(VIP4,)))
        wait_until(lambda: marked(pair.s) > 3, 20, "marked packets")
        works(prober)
        rows = pair.server.rows("child")
        check([r["output_mark"] for r in rows] == [f"{MARK:#x}/0xffffffff"], rows)
        check(f"output mark {MARK:#x}/" in pair.server.ctl("show", "child").stdout, "shown")
        if KERNEL:
            shown = pair.s.out("ip xfrm state")
            check(shown.count(f"output-mark {MARK:#x}") == 1, shown)
    with tap.case("a mask is the kernel's to give: refused for the other plane, with the place"):
        text = server_conf(rules=rule_of_server(more=" output-mark 0x7/0xf;"), vip=(VIP4,))
        done = reload(pair.server, text, 0 if KERNEL else 1)
        check(KERNEL or re.search(r"vipsec\.conf:\d+:\d+: error: a mask needs", done.stderr),
              done.stderr)
        if KERNEL:
            wait_until(lambda: "output-mark 0x7/0xf" in pair.s.out("ip xfrm state"), 20, "it")
            works(prober)


# --- others ----------------------------------------------------------------------------------

def in_the_way(tap, pair, prober):
    theirs = f"src {VIP4} dst 10.9.0.0/24 dir out"
    with tap.case("another program's policy in the way: told, a problem in status, nothing opens"):
        shut = Shut(pair)
        pair.s.ip(f"xfrm policy add {theirs} priority 5 action allow")
        wait_until(lambda: any("priority 5" in p for p in problems(pair.server)), 20, "it")
        said = next(p for p in problems(pair.server) if "priority 5" in p)
        check(said.startswith('web: rule "protected": another program'), said)
        check("comes first" in said and "delete that" in said, said)
        check([e["severity"] for e in events(pair.server, "plane-refused")] == ["error"], "once")
        done = pair.server.ctl("vip", "status", "web")
        check(done.returncode == 3 and "another program" in done.stdout, done)
        dropped = pair.server.rows("vip")[0]["guard"]["clear_out"]
        wait_until(lambda: pair.server.rows("vip")[0]["guard"]["clear_out"] > dropped, 20,
                   "the guard to drop what that policy let out")
        shut.end()
    with tap.case("it is gone: told, and all is well"):
        pair.s.ip(f"xfrm policy delete {theirs}")
        works(prober)
        wait_until(lambda: not any("another program" in p for p in problems(pair.server)), 20,
                   "no problem")
        check(events(pair.server, "plane-refused")[-1]["text"].startswith("over: web"), "told")
    with tap.case("one behind ours is nobody's concern"):
        pair.s.ip(f"xfrm policy add {theirs} priority 200000 action allow")
        start = now_ms()
        wait_until(lambda: now_ms() > start + 1500, 10, "a look")
        works(prober)
        check(not any("another program" in p for p in problems(pair.server)), "no problem")
        pair.s.ip(f"xfrm policy delete {theirs}")


# --- a kernel that is full -------------------------------------------------------------------

FULL = "/run/full"


def full(tap, pair, prober):
    """The library answers for the kernel: real memory that is used up would stop the test."""
    pair.server.stop()
    pair.server.environ = {"LD_PRELOAD": f"{pair.lab.tool}/vlab-full.so", "VLAB_FULL": FULL}
    pair.s.run(f"echo policy >{FULL}")
    with tap.case("a full table of policies: told, a problem in status, nothing opens"):
        pair.server.start()
        pair.wait_bound()
        shut = Shut(pair)
        words = "the kernel has no memory left for a policy, and what it is for stays blocked"
        wait_until(lambda: any(words in p for p in problems(pair.server)), 20, "the problem")
        said = [p for p in problems(pair.server) if words in p]
        check(all(p.startswith("web: ") for p in said), said)
        check(any(words in e["text"] for e in events(pair.server, "plane-refused")), "the event")
        check(pair.server.ctl("status").returncode == 3, "degraded")
        check("reqid" not in pair.s.out("ip xfrm policy"), "the kernel has none of them")
        shut.end()
    with tap.case("there is room again: made within a second or two, told, and traffic passes"):
        pair.s.run(f"rm {FULL}")
        wait_until(lambda: not any(words in p for p in problems(pair.server)), 20, "no problem")
        check(any(e["text"].startswith("over: web") for e in
                  events(pair.server, "plane-refused")), "told")
        works(prober)
    with tap.case("a full table of SAs: told with the peer, which is called again; nothing opens"):
        pair.s.run(f"echo sa >{FULL}")
        pair.client.ctl("rekey", "child")
        words = "the kernel has no memory left for an SA: free some, or have fewer peers"
        shut = Shut(pair)
        wait_until(lambda: any(words in e["text"] for e in events(pair.server, "child-refused")),
                   30, "the event")
        last = events(pair.server, "child-refused")[-1]
        check(last["vip"] == "web" and CLIENT4 in last["peer"], last)
        check('rule "protected"' in last["text"], last)
        shut.end()
        pair.s.run(f"rm {FULL}")
        works(prober)
    pair.server.environ = {}
    pair.server.stop()
    pair.server.start()
    pair.wait_bound()
    works(prober)


# --- offload -----------------------------------------------------------------------------------

def offload(tap, pair, prober):
    def conf(mode):
        text = server_conf(rules=rule_of_server(), vip=(VIP4,))
        return text.replace("prefer kernel;", f"prefer kernel; offload {mode};")

    for mode, words in (("crypto", "offload crypto: "), ("packet", "offload packet: ")):
        with tap.case(f"offload {mode} on a link that has none: no SA, and words that say why"):
            reload(pair.server, conf(mode))
            pair.server.ctl("rekey", "child")
            wait_until(lambda m=words: any(m in e["text"] for e in
                                           events(pair.server, "child-refused")), 30, "the event")
            wait_until(lambda m=words: any(m in p["reason"] for p in pair.server.rows("peers")),
                       30, "the reason in status")
            last = events(pair.server, "child-refused")[-1]
            check(last["vip"] == "web" and CLIENT4 in last["peer"], last)
            check('rule "protected"' in last["text"] and "offload auto" in last["text"], last)
    with tap.case("offload auto goes without, and says what it got"):
        reload(pair.server, conf("auto"))
        pair.server.ctl("up")
        works(prober)
        check([r["offload_out"] for r in pair.server.rows("child")][-1:] == ["no"], "shown")
        check(pair.server.json("status")["data"]["dataplane"]["offload"] == "auto", "as asked")


# --- which of two sends ----------------------------------------------------------------------------

def younger_than_its_successor(tap, pair, prober):
    """The kernel takes the youngest by the wall clock's seconds, which was set back here."""
    def outgoing():
        return {int(r["spi_out"], 16) for r in pair.server.rows("child")}

    def both():
        found = xfrm.lives(pair.s)
        return found if len(outgoing() & set(found)) == 2 else None

    with tap.case("the older of two SAs, younger by the clock: made older, stays, and sends no more"):
        old, = wait_until(lambda: (lambda found: len(found) == 1 and found)(outgoing()), 20,
                          "one SA")
        before = xfrm.lives(pair.s)[old]
        xfrm.set_life(pair.s, CLIENT4, old, (*before[:2], before[2] + 3600, before[3]))
        check(xfrm.lives(pair.s)[old][2] == before[2] + 3600, "set")
        pair.server.ctl("rekey", "child")
        found = wait_until(both, 20, "both")
        new, = outgoing() - {old}
        check(found[old][2] < found[new][2], found)
        check(found[old][1] >= before[1], "it has its counters")
        later = wait_until(lambda: (lambda now: now[new][1] > 3 and now)(xfrm.lives(pair.s)), 20,
                           "packets on the new one")
        check(later.get(old, found[old])[1] <= found[old][1] + 1, (found[old], later))


# --- what the kernel has asked for -----------------------------------------------------------------

def asked(tap, pair):
    flows = Prober(pair.lab, [Stream(n, pair.c, VIP4, PROTECTED, 50) for n in (1, 2, 3)],
                   name="flows")
    with tap.case("what has asked for an SA asks again when that goes, and does not wait 30 s"):
        for _ in range(2):
            start = now_ms()
            pair.client.ctl("down")
            down = now_ms()
            for n in (1, 2, 3):
                flows.wait_reply(n, down, 20)
            check(now_ms() - start < 20000, f"back after {now_ms() - start:.0f} ms: the kernel "
                  "forgets after 30 s what it has asked for")
            wait_until(lambda: not xfrm.asked_for(pair.c), 15, "the kernel to ask for nothing")
    flows.close()


# --- events that got lost ---------------------------------------------------------------------------

FLOOD = 8000


def drops(host):
    """How often the kernel had no room left for what it says of IPsec."""
    rows = [line.split() for line in host.out("cat /proc/net/netlink").splitlines()[1:]]
    return sum(int(r[8]) for r in rows if r[1] == "6")


def lost(tap, pair, prober):
    def ours():
        return len(re.findall("reqid [1-9]", pair.s.out("ip xfrm policy")))

    with tap.case("events that got lost: what was taken away meanwhile is missed all the same"):
        works(prober)
        before = ours()
        pair.s.signal("vipsecd", signal.SIGSTOP)
        pair.s.run("ip -batch -", text="".join(
            f"xfrm policy add src 198.18.{n // 250}.{n % 250} dst 198.18.255.1 dir out\n"
            for n in range(FLOOD)))
        check(drops(pair.s) > 0, "some are lost")
        pair.s.ip("xfrm policy flush")
        check(ours() == 0, "all are gone")
        pair.s.signal("vipsecd", signal.SIGCONT)
        wait_until(lambda: ours() == before, 20, "the policies")
        works(prober)
        check(any("policies of vipsec" in e["text"] for e in events(pair.server, "xfrm")), "told")


# --- interfaces -----------------------------------------------------------------------------------

def interface(tap, pair):
    pair.client.stop()
    pair.server.stop()
    pair.server.configure(server_conf(rules=rule_of_server("tunnel", " if-id 7;"), vip=(VIP4,)))
    pair.client.configure(client_of("tunnel"))
    pair.server.start()
    pair.client.start()
    pair.wait_bound()
    link = ("link add ipsec7 type xfrm dev eth0 if_id 7", "link set ipsec7 up",
            "route add default dev ipsec7 table 77")
    prober = Prober(pair.lab, [Stream(1, pair.c, VIP4, PROTECTED, 50)], name="interface")
    with tap.case("if-id without its interface: the kernel delivers nothing of what it decrypts"):
        wait_until(lambda: sum(r["packets_in"] for r in pair.server.rows("child")) > 3, 20,
                   "packets on the SA")
        check(prober.last_ms(1) == 0, "no answer")
    with tap.case("with it traffic passes, and ip and vipsec show the number"):
        pair.s.ip(*link, f"rule add pref 100 from {VIP4} ipproto udp sport {PROTECTED} lookup 77")
        works(prober)
        shown = pair.s.out("ip xfrm state")
        check(shown.count("if_id 0x7") == 2, shown)
        check("if_id 0x7" in pair.s.out("ip xfrm policy"), "policies, too")
        check({r["if_id"] for r in pair.server.rows("child")} == {7}, "child")
        check("XFRM interface 7" in pair.server.ctl("show", "child").stdout, "shown")
    prober.close()


def body(tap):
    with Lab() as lab:
        pair = Pair(lab)
        tap.on_failure.append(lambda: "".join(
            h.log("vipsecd.log")[-3000:] for h in (pair.s, pair.c)))
        pair.add_vip(families=(4,))
        stranger = Prober(lab, [Stream(1, pair.x, VIP4, PROTECTED, 50)], name="stranger")
        pair.server.configure(server_conf(rules=rule_of_server(), vip=(VIP4,)))
        pair.server.start()
        pair.client.configure(client_of())
        pair.client.start()
        pair.wait_bound()
        prober = Prober(lab, [Stream(1, pair.c, VIP4, PROTECTED, 50)])
        marks(tap, pair, prober)
        if KERNEL:
            reload(pair.server, server_conf(rules=rule_of_server(), vip=(VIP4,)))
            works(prober)
            younger_than_its_successor(tap, pair, prober)
            asked(tap, pair)
            lost(tap, pair, prober)
            in_the_way(tap, pair, prober)
            full(tap, pair, prober)
            offload(tap, pair, prober)
        prober.close()
        stranger.close()
        if KERNEL:
            interface(tap, pair)


if __name__ == "__main__":
    main(body, vipsec.missing_programs)
