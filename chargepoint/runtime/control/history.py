"""Sessions and statistics, drawn from the records that a charger's store keeps of its use."""

from __future__ import annotations

from chargepoint.model.record import Records, Snapshot
from chargepoint.model.timebase import utc_text
from chargepoint.model.usage import (
    ACCOUNTS,
    DAYS,
    HISTORY,
    HISTORY_KINDS,
    SESSION_IDS,
    SESSIONS,
    TOTALS,
    USAGE,
    Totals,
)

from . import responses

KINDS = frozenset({*HISTORY, USAGE})
"""What to load for the functions here."""


def sessions(records: Records, last: int) -> responses.Sessions:
    """Draw the ``last`` sessions, oldest first. Records that are damaged are left out."""
    kept = Snapshot(records, HISTORY_KINDS)
    numbered = dict(kept.of(SESSION_IDS).values())
    found = sorted(kept.of(SESSIONS).values(), key=lambda session: session.number)[-last:]
    return responses.Sessions(
        sessions=[
            responses.Session(
                number=session.number,
                connector=session.connector,
                tag=session.tag,
                transaction_id=numbered.get(session.number, session.transaction_id),
                started=utc_text(session.started_utc_s),
                ended=utc_text(session.ended_utc_s),
                energy_wh=session.energy_wh,
                in_use_s=round(session.in_use_s, 1),
                charging_s=session.charging_s,
                reason=session.reason,
            )
            for session in found
        ]
    )


def statistics(records: Records, days: int) -> responses.Statistics:
    """Draw the totals of ever and of the last ``days`` on which a session ended. Records that are damaged are left out."""
    kept = Snapshot(records, HISTORY_KINDS)
    accounts = kept.one(ACCOUNTS, TOTALS)
    if accounts is None:
        return responses.Statistics(total=_usage(Totals()), days=[])
    by_day: dict[str, Totals] = {}
    for day, one in (*kept.of(DAYS).values(), (accounts.day, accounts.latest)):
        sums = by_day.setdefault(day, Totals())
        sums.sessions += one.sessions
        sums.energy_wh += one.energy_wh
        sums.in_use_s += one.in_use_s
        sums.charging_s += one.charging_s
    told = [responses.Day(day=day, **_usage(totals).model_dump()) for day, totals in sorted(by_day.items())]
    return responses.Statistics(total=_usage(accounts.total), days=told[-days:])


def _usage(totals: Totals) -> responses.Usage:
    return responses.Usage(
        sessions=totals.sessions,
        energy_wh=totals.energy_wh,
        in_use_s=round(totals.in_use_s, 1),
        charging_s=round(totals.charging_s, 1),
    )
