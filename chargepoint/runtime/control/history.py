"""Sessions and statistics, drawn from the records that a charger's store keeps of its use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chargepoint.model.timebase import utc_text
from chargepoint.model.usage import DAY, HISTORY, SESSION, SESSION_ID, TOTALS, USAGE, Totals

from . import responses

KINDS = frozenset({*HISTORY, USAGE})
"""What to load for the functions here."""

Records = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Kind, key, body."""


def sessions(records: Records, last: int) -> responses.Sessions:
    """Draw the ``last`` sessions, oldest first."""
    numbered = {body["number"]: body["id"] for body in records.get(SESSION_ID, {}).values()}
    bodies = sorted(records.get(SESSION, {}).values(), key=lambda body: int(body["number"]))[-last:]
    return responses.Sessions(
        sessions=[
            responses.Session(
                number=body["number"],
                connector=body["connector"],
                tag=body["tag"],
                transaction_id=numbered.get(body["number"], body["id"]),
                started=utc_text(body["started"]),
                ended=utc_text(body["ended"]),
                energy_wh=body["energy_wh"],
                in_use_s=round(body["ended"] - body["started"], 1),
                charging_s=body["charging_s"],
                reason=body["reason"],
            )
            for body in bodies
        ]
    )


def statistics(records: Records, days: int) -> responses.Statistics:
    """Draw the totals of ever and of the last ``days`` on which a session ended."""
    kept = records.get(USAGE, {}).get(TOTALS)
    if kept is None:
        return responses.Statistics(total=_usage(Totals()), days=[])
    by_day: dict[str, Totals] = {}
    latest = {"day": kept["day"], **kept["latest"]}
    for body in (*records.get(DAY, {}).values(), latest):
        one, sums = Totals.restored(body), by_day.setdefault(body["day"], Totals())
        sums.sessions += one.sessions
        sums.energy_wh += one.energy_wh
        sums.in_use_s += one.in_use_s
        sums.charging_s += one.charging_s
    told = [responses.Day(day=day, **_usage(totals).model_dump()) for day, totals in sorted(by_day.items())]
    return responses.Statistics(total=_usage(Totals.restored(kept["total"])), days=told[-days:])


def _usage(totals: Totals) -> responses.Usage:
    return responses.Usage(
        sessions=totals.sessions,
        energy_wh=totals.energy_wh,
        in_use_s=round(totals.in_use_s, 1),
        charging_s=round(totals.charging_s, 1),
    )
