"""A server whose rule is for one port, and that it stays shut to who asks in clear."""

from .core import now_ms, wait_until
from .pair import PROTECTED, SERVER_AUTH, VIP4
from .tap import check
from .vipsec import Rule, secure
from .wire import Tap


def rule_of_server(mode="transport", more=""):
    return [Rule("protected", f'from vip "web" port {PROTECTED} to any proto udp mirrored',
                 secure(mode) + more, SERVER_AUTH)]


def works(prober):
    prober.wait_reply(1, now_ms(), 20)


class Shut:
    """The stranger asks in clear all the time; from now on nobody may answer it so."""

    def __init__(self, pair):
        self.wire = Tap(pair.switch.host, VIP4, [PROTECTED], ["p-s"])

    def end(self):
        def asked():
            return len([p for p in self.wire.seen("udp") if p.dst == VIP4])
        before = asked()
        wait_until(lambda: asked() > before + 5, 20, "more questions in clear")
        answers = [p for p in self.wire.seen("udp") if p.src == VIP4]
        check(not answers, f"in clear on the wire: {answers[:3]}")
        self.wire.close()
