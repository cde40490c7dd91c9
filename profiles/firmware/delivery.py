"""One file on its way, tried again as often as the central system allows (OCPP 1.6 6.25 and 6.55: retries)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from chargepoint.model.chargepoint import ChargePoint
from chargepoint.model.outbox import CancelTransfer, Ref, StartTransfer
from chargepoint.model.record import Fields
from chargepoint.model.timebase import Alarm, Clock
from chargepoint.model.transfer import Outcome, Transferred, failed

RETRIES = 3
"""Where the request names none: 6.25 and 6.55 leave it to the charge point."""
RETRY_INTERVAL_S = 30
LIMIT_S = 3600.0
"""How long one attempt may take, in wall time; whoever carries the file has shorter limits of its own."""


@dataclass(slots=True)
class Parcel:
    """What is to be moved. ``attempts`` counts those that were begun; ``retries`` are those after the first."""

    key: str
    url: str
    retries: int
    interval_s: int
    name: str = ""
    is_upload: bool = False
    since_utc_s: float | None = None
    until_utc_s: float | None = None
    attempts: int = 0
    is_ordered: bool = False
    """The central system said how many retries there are."""

    def body(self) -> dict[str, Any]:
        """Return it as plain values for the store."""
        return asdict(self)

    @classmethod
    def restored(cls, fields: Fields) -> Parcel:
        """Build it again from `body`. Raises RecordError."""
        return cls(
            key=fields.text("key"),
            url=fields.text("url"),
            retries=fields.integer("retries", 0),
            interval_s=fields.integer("interval_s", 0),
            name=fields.text("name"),
            is_upload=fields.flag("is_upload"),
            since_utc_s=fields.optional("since_utc_s", fields.number),
            until_utc_s=fields.optional("until_utc_s", fields.number),
            attempts=fields.integer("attempts", 0),
        )


class Delivery:
    """Carries one parcel at a time. ``keep`` stores it before each attempt, ``done`` hears of the end, once."""

    __slots__ = ("_deadline", "_done", "_host", "_keep", "_kind", "_retry", "parcel")

    def __init__(
        self,
        host: ChargePoint,
        kind: str,
        keep: Callable[[], None],
        done: Callable[[Transferred, float], None],
    ) -> None:
        self.parcel: Parcel | None = None
        self._host = host
        self._kind = kind
        self._keep = keep
        self._done = done
        self._retry = Alarm(host.timers, self._attempt, Clock.WIRE)
        self._deadline = Alarm(host.timers, self._too_late, Clock.WIRE)

    def begin(self, parcel: Parcel, now_s: float) -> None:
        """Move a parcel now. One that was under way in an earlier life has spent the attempt that was cut off."""
        self.parcel = parcel
        if parcel.attempts > parcel.retries:
            self._end(failed("cut off by a restart in its last attempt"), now_s)
        else:
            self._attempt(now_s)

    def cancel(self) -> None:
        """Forget the parcel; ``done`` does not hear of it."""
        parcel, self.parcel = self.parcel, None
        self._retry.clear()
        self._deadline.clear()
        if parcel is not None:
            self._host.emit(CancelTransfer(self._ref(parcel)))

    def on_transfer(self, ref: Ref, ended: Transferred, now_s: float) -> None:
        """Take the end of an attempt; that of an earlier one, or of something else, is left alone."""
        parcel = self.parcel
        if parcel is None or not self._deadline.is_set or ref != self._ref(parcel):
            return
        self._deadline.clear()
        if ended.outcome is Outcome.FAILED and self._is_retried(parcel, ended):
            self._host.log.info("%s: %s; again in %d s", self._kind, ended.reason, parcel.interval_s)
            self._retry.set_after(max(1, parcel.interval_s))
            return
        self._end(ended, now_s)

    @staticmethod
    def _is_retried(parcel: Parcel, ended: Transferred) -> bool:
        """6.25 and 6.55 with erratum 3.50: `retries` is how often the charge point must retry before it gives up.

        Where the request has none, it is left to us, and what can only end the same way is not tried again. A location
        with which no attempt can be made, such as one of an unknown scheme, has nothing that could be tried again.
        """
        if parcel.attempts > parcel.retries or ended.is_impossible:
            return False
        return parcel.is_ordered or not ended.is_final

    def _ref(self, parcel: Parcel) -> Ref:
        return Ref(self._kind, f"{parcel.key}.{parcel.attempts}")

    def _attempt(self, now_s: float) -> None:
        parcel = self.parcel
        if parcel is None:
            return
        parcel.attempts += 1
        self._keep()
        self._deadline.set_after(LIMIT_S)
        self._host.emit(
            StartTransfer(
                self._ref(parcel), parcel.url, parcel.name, parcel.is_upload, parcel.since_utc_s, parcel.until_utc_s
            )
        )

    def _too_late(self, now_s: float) -> None:
        parcel = self.parcel
        if parcel is not None:
            self._host.emit(CancelTransfer(self._ref(parcel)))
            self._deadline.set_after(LIMIT_S)  # what ends now is still the attempt under way
            self.on_transfer(self._ref(parcel), failed(f"no end after {LIMIT_S:.0f} s"), now_s)

    def _end(self, ended: Transferred, now_s: float) -> None:
        self.parcel = None
        self._retry.clear()
        self._deadline.clear()
        if ended.outcome is Outcome.FAILED:
            self._host.log.warning("%s failed: %s", self._kind, ended.reason)
        self._done(ended, now_s)
