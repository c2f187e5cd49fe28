"""docs/INTEROP.md: what a run of the matrix has found."""

import textwrap

from cells import AUTHS, FAIL, NOT_THERE, PASS, ROLES, SCENARIOS, SETTINGS, Cell

HEAD = """# Interoperability

Written by `make interop`, which asks every cell of these tables anew; do not edit.
[TESTING.md](TESTING.md#interoperability) says how.

| | version |
|---|---|
{versions}

{passed} cells pass, {failed} fail, and {skipped} ask for what the peer has not got.

- **pass**: the SAs that were to be there are there at both ends, and no others; what a rule
  protects is on the wire as ESP alone; over a rekey no probe is lost.
  The IKE messages on the wire are decrypted with keys that vipsec's test build gives away:
  both AUTH payloads are of the method and have the AlgorithmIdentifier (RFC 7427) of their
  column, octet by octet; with PFS on, a rekeyed child has a KE payload in request and answer,
  with PFS off none in the answer; large certificates are in fragments of both sides; where
  vipsec calls, the key exchange is the one that it offers first.
- **fail**: with a number, explained below the table.
- **-**: the peer has not got it; the reason is below the table, too.

*Initiator* and *responder* is what vipsec is when the IKE SA is made. A NAT stands before
the side that calls, and changes its ports. Where nothing else is said the peer runs with its
default proposals and timers.
"""


def _mark(result, notes):
    if result is None:
        return "fail"
    if result.status == PASS:
        return "pass"
    reason = result.reason
    if reason not in notes:
        notes.append(reason)
    number = notes.index(reason) + 1
    return f"{'fail' if result.status == FAIL else '-'} ({number})"


def _section(setting, results):
    notes = []
    head = "| | " + " | ".join(f"{AUTHS[a]}, {r}" for a in AUTHS for r in ROLES) + " |"
    lines = [f"## {setting.title}", "", head, "|---" * (1 + len(AUTHS) * len(ROLES)) + "|"]
    for scenario, (title, _) in SCENARIOS.items():
        marks = [_mark(results.get(Cell(setting.key, auth, role, scenario)), notes)
                 for auth in AUTHS for role in ROLES]
        lines.append(f"| {title} | " + " | ".join(marks) + " |")
    lines.append("")
    for number, note in enumerate(notes, 1):
        lines += textwrap.wrap(f"{number}. {note}", 92, subsequent_indent="   ")
    return lines + ([""] if notes else [])


def counts(results):
    states = [result.status for result in results.values()]
    return tuple(states.count(state) for state in (PASS, FAIL, NOT_THERE))


def text(results, versions):
    passed, failed, skipped = counts(results)
    rows = "\n".join(f"| {name} | {version} |" for name, version in versions)
    lines = HEAD.format(versions=rows, passed=passed, failed=failed,
                        skipped=skipped).splitlines() + [""]
    for setting in SETTINGS:
        lines += _section(setting, results)
    return "\n".join(lines).rstrip() + "\n"
