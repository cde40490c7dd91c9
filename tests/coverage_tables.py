"""What of OCPP 1.6 this charger speaks, as tables made from the code: `docs/coverage.md`."""

from __future__ import annotations

import profiles
from chargepoint.model import wire
from chargepoint.runtime.assembly import roster_for
from hw.loader import plan_board
from profiles.absent import ANSWERS

BOARD = "ac22-sim-duo"
"""A board with everything: two sockets, locks, lights."""


def coverage() -> str:
    """Return the text of docs/coverage.md."""
    return "\n".join((_HEAD, *_messages(), "", "## Configuration keys", "", *_keys(), ""))


_HEAD = """# What of OCPP 1.6 there is

Made from the code by `./run test tests/test_coverage.py --rewrite-transcripts`; a test fails when it is stale.

## Messages
"""


def _messages() -> list[str]:
    roster = roster_for(plan_board(BOARD), tuple(profiles.ALL))
    lines = ["| message | direction | here |", "| --- | --- | --- |"]
    for action in sorted(wire.CALLS_FROM_CENTRAL_SYSTEM):
        if action in roster.handlers:
            index, _method = roster.handlers[action]
            here = f"served, {roster.classes[index].name}"
        elif action in ANSWERS:
            here = "absent, answered with the status for it"
        else:
            here = "absent: NotSupported"
        lines.append(f"| {action} | to the charger | {here} |")
    sent = {"StartTransaction", "StopTransaction"} | roster.answers.keys()
    for action in sorted(wire.CALLS_FROM_CHARGE_POINT):
        lines.append(f"| {action} | to the central system | {'sent' if action in sent else 'not sent'} |")
    return lines


def _keys() -> list[str]:
    keyring = roster_for(plan_board(BOARD), tuple(profiles.ALL), tuple(profiles.EXTENSIONS)).keyring
    lines = [
        "Those of California pricing are there only where costs are switched on; the switch is always there.",
        "",
        "| key | access | type | default | source | effect |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    rows: list[tuple[str, ...]] = []
    for key in keyring:
        default = keyring.default(key)
        text = "" if default is None else key.write(default)
        kind = f"{key.kind}, {key.unit}" if key.unit else key.kind
        rows.append((key.name, keyring.access(key).value, kind, text, key.source, key.effect))
    for family in keyring.families:
        rows.append((f"{family.name},…", "RW", family.kind, "", family.source, family.effect))
    lines += [f"| {' | '.join(row)} |" for row in sorted(rows, key=lambda each: each[0].lower())]
    return lines
