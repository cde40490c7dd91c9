"""Delivery of stored messages: what each failed transmission means, and when a message is given up.

A message leaves the queue on its CALLRESULT or after `TransactionMessageAttempts` failed transmissions, so that one
message which the central system cannot process does not block the rest (OCPP 1.6 3.7.1). Failed are a CALLERROR, a
time-out, an unusable CALLRESULT, and, as our choice where 3.7.1 is silent, a close frame of the central system while the
message was unanswered:

* 1009 (message too big) is one failed attempt each time; a StopTransaction is thinned before it is sent again,
* 1002, 1003, 1007, 1008 and 1011 are one failed attempt at every third close in a row with the same message; they give
  nothing up before `TransactionMessageClosePatience` has passed since the first of them, because a central system whose
  database is down closes on every transaction message,
* every other end of the connection counts nothing.

Before a close gives a message up, the session sends a Heartbeat on a new socket and holds the message back
(`Message.trial_code`). Source of the close codes: RFC 6455 section 7.4.1.
"""

from __future__ import annotations

import logging
from typing import Any, Protocol

from .errors import ErrorCode
from .journal import Journal, Undelivered
from .keys import Key, choice, integer
from .outbox import Effect
from .timebase import Action, Alarm, Clock, Timers
from .transaction import CLOSES_PER_ATTEMPT, KEPT_UNDELIVERED, Message, TransactionQueue
from .transaction_data import OTHER_SPELLING, respelled, slimmer, spelling_in

TRANSACTION_MESSAGE_ATTEMPTS = integer(
    "TransactionMessageAttempts",
    3,
    minimum=1,
    source="9.1.31",
    effect="transmissions of a transaction message, the first included, before it is kept as undelivered",
)
TRANSACTION_MESSAGE_RETRY_INTERVAL = integer(
    "TransactionMessageRetryInterval",
    60,
    unit="s",
    source="9.1.32",
    effect="wait before the next transmission, times the transmissions so far",
)
TRANSACTION_MESSAGE_CLOSE_PATIENCE = integer(
    "TransactionMessageClosePatience",
    3600,
    unit="s",
    source="3.7.1",
    effect="time since the first close frame on a transaction message before closes give it up; not for 1009",
)
AUTO = "auto"
TEMPERATURE_UNIT_SPELLING = choice(
    "TemperatureUnitSpelling",
    AUTO,
    (AUTO, "Celcius", "Celsius"),
    source="7.45, erratum 3.85",
    effect="unit of temperatures; auto: Celcius, then Celsius if the central system refuses that",
)

MESSAGE_TOO_BIG = 1009
BLAMING_CODES = frozenset({1002, 1003, 1007, 1008, 1011})
"""Close codes by which a server says that it could not take or process what it was sent."""

_NOT_OFFERED = frozenset({ErrorCode.NOT_IMPLEMENTED.value, ErrorCode.NOT_SUPPORTED.value})
_CONSTRAINTS = frozenset(
    {
        ErrorCode.FORMATION_VIOLATION.value,
        "FormatViolation",  # the spelling of OCPP 2.0.1, which some central systems use for 1.6 too
        ErrorCode.PROPERTY_CONSTRAINT_VIOLATION.value,
        ErrorCode.TYPE_CONSTRAINT_VIOLATION.value,
    }
)
LOST_SAMPLES = 3
"""MeterValues given up in a row after which further ones are sent once."""


class DeliveryHost(Protocol):
    """What the delivery of messages needs of its charger."""

    timers: Timers
    journal: Journal
    log: logging.LoggerAdapter[logging.Logger]

    def emit(self, effect: Effect) -> None: ...
    def setting(self, key: Key[Any]) -> Any: ...
    def undelivered(self, message: Message, reason: str, level: int, now_s: float) -> None: ...


class Delivery:
    """The head of the queue on its way: retries, waits, and the end of what cannot be delivered."""

    __slots__ = (
        "_closing",
        "_closing_wire_s",
        "_host",
        "_is_full",
        "_is_held",
        "_lost_samples",
        "_queue",
        "_refused",
        "_retry",
        "_spelling",
    )

    def __init__(self, host: DeliveryHost, queue: TransactionQueue, retry: Action) -> None:
        """``retry`` is called when the wait before the next transmission is over."""
        self._host = host
        self._queue = queue
        self._retry = Alarm(host.timers, retry, Clock.WIRE)
        self._closing: Message | None = None
        """The message with which the last blaming close came, at ``_closing_wire_s``."""
        self._closing_wire_s = 0.0
        self._is_held = False
        self._lost_samples = 0
        self._refused: str | None = None
        """Key of the first MeterValues of this boot that got NotImplemented or NotSupported."""
        self._spelling: str | None = None
        self._is_full = False
        """Undelivered meter values have made room for others, and the log says so."""

    @property
    def head(self) -> Message | None:
        """The message that may be sent now, None while a retry waits or the queue is held."""
        return None if self._retry.is_set or self._is_held else self._queue.head

    @property
    def temperature_unit(self) -> str:
        """The spelling of degrees Celsius for new meter values: as set, else as the central system takes it."""
        told: str = self._host.setting(TEMPERATURE_UNIT_SPELLING)
        return told if told != AUTO else self._spelling or "Celcius"

    def hold(self) -> None:
        """Send nothing from now on: what is stored about a message could not be changed."""
        self._is_held = True

    def release(self) -> None:
        """Send messages again."""
        self._is_held = False

    def link_lost(self) -> None:
        """The socket is gone: a retry does not wait any longer than the next socket takes."""
        self._retry.clear()

    def delivered(self, message: Message) -> None:
        """The central system answered with a CALLRESULT; its content is dealt with already."""
        self._retry.clear()
        if message.action == "MeterValues":
            self._lost_samples = 0
        if message.is_respelled and self._spelling != (spelling := spelling_in(message.payload)):
            self._spelling = spelling
            self._host.log.warning("the central system takes temperatures in %s only: used from now on", spelling)
        self._queue.delivered(message)

    # --- failures on an open socket -----------------------------------------------------------------------------------

    def failed(self, message: Message, code: str, detail: str, now_s: float) -> bool:
        """A transmission failed on an open socket. Return whether the message was given up.

        ``code`` is that of a CALLERROR, "" when there was none.
        """
        message.attempts += 1
        message.closes -= message.closes % CLOSES_PER_ATTEMPT  # they are no longer in a row
        if code in _CONSTRAINTS and self._respell(message):
            self._retry.clear()  # new content needs no wait, and what stands behind it has waited long enough
            return False
        allowed = self._allowed(message, code)
        if self._is_used_up(message, allowed):
            self.give_up(message, detail, now_s)
            return True
        self._queue.renew(message)
        self._wait(message)
        return False

    def postpone(self, message: Message) -> None:
        """A transmission to a central system that answers nothing failed, which is no attempt."""
        self._queue.renew(message)
        self._wait(message)

    def _allowed(self, message: Message, code: str) -> int:
        """Return how many transmissions a message has; a meter value that is refused for good has fewer."""
        allowed: int = self._host.setting(TRANSACTION_MESSAGE_ATTEMPTS)
        if message.action != "MeterValues":
            return allowed
        if code in _NOT_OFFERED:
            self._refused = self._refused or message.key
            return min(allowed, 2 if self._refused == message.key else 1)
        if code in _CONSTRAINTS or self._lost_samples >= LOST_SAMPLES:
            return 1
        return allowed

    def _respell(self, message: Message) -> bool:
        """Change the unit of temperatures to its other spelling, once in the life of a message."""
        spelling = spelling_in(message.payload)
        if message.is_respelled or spelling is None or self._host.setting(TEMPERATURE_UNIT_SPELLING) != AUTO:
            return False
        message.is_respelled = True
        message.payload = respelled(message.payload, OTHER_SPELLING[spelling])
        self._queue.renew(message)
        return True

    # --- close frames -------------------------------------------------------------------------------------------------

    def closed(self, message: Message, code: int, size: int, now_s: float) -> None:
        """The central system closed the socket while a message of ``size`` bytes was unanswered; see the module."""
        allowed: int = self._host.setting(TRANSACTION_MESSAGE_ATTEMPTS)
        before = message.failed_attempts
        is_slimmer = False
        if code == MESSAGE_TOO_BIG:
            message.attempts += 1
            is_slimmer = self._slim(message, 0 if message.attempts >= allowed - 1 else size // 4)
        elif code in BLAMING_CODES:
            message.closes += 1
            self._count_time(message)
        else:
            return
        is_counted = message.failed_attempts > before
        if not is_slimmer:
            message.trial_code = code if is_counted and self._is_used_up(message, allowed) else 0
            self._queue.save_message(message)
        if not is_counted:
            return
        if message.trial_code:
            then = "a Heartbeat is sent before it is given up"
        else:
            then = f"sent again after {self._wait(message):.0f} s at the earliest"
        self._host.log.warning(
            "%s %s: attempt %d of %d failed; %s", message.action, message.key, message.failed_attempts, allowed, then
        )

    def _count_time(self, message: Message) -> None:
        """Add up how long such closes go on; of a restart only the time in the dark is not counted."""
        wire_s = self._host.timers.wire_s
        if self._closing is message:
            message.closing_s += wire_s - self._closing_wire_s
        self._closing, self._closing_wire_s = message, wire_s

    def _slim(self, message: Message, largest: int) -> bool:
        """Thin the transactionData of a StopTransaction. The result is new content, so it gets a new message id."""
        if message.action != "StopTransaction":
            return False
        payload = slimmer(message.payload, largest)
        if payload is None:
            return False
        self._host.log.warning(
            "StopTransaction %s is thinned from %d to %d bytes: the central system took it for too big",
            message.key,
            len(message.payload),
            len(payload),
        )
        message.payload = payload
        self._queue.renew(message)
        return True

    def acquit(self, message: Message) -> None:
        """The central system closes on a Heartbeat too, or does not answer it: the last close counts nothing."""
        if message.trial_code == MESSAGE_TOO_BIG:
            message.attempts -= 1
        else:
            message.closes -= CLOSES_PER_ATTEMPT
        message.trial_code = 0
        self._queue.save_message(message)
        self._host.log.warning(
            "%s %s is kept: the central system does not answer a Heartbeat either", message.action, message.key
        )

    # --- the end ------------------------------------------------------------------------------------------------------

    def _is_used_up(self, message: Message, allowed: int) -> bool:
        if message.attempts >= allowed:
            return True
        has_lasted = message.closing_s >= self._host.setting(TRANSACTION_MESSAGE_CLOSE_PATIENCE)
        return message.failed_attempts >= allowed and has_lasted

    def _wait(self, message: Message) -> float:
        wait_s = float(self._host.setting(TRANSACTION_MESSAGE_RETRY_INTERVAL) * max(1, message.failed_attempts))
        if wait_s > 0:
            self._retry.set(self._host.timers.wire_s + wait_s)
        return wait_s

    def give_up(self, message: Message, detail: str, now_s: float) -> None:
        """Keep a message as undelivered, and go on with the next."""
        self._retry.clear()
        level = logging.ERROR
        if message.action == "MeterValues":
            level = logging.INFO if self._lost_samples >= LOST_SAMPLES else logging.ERROR
            self._lost_samples += 1
        if self._queue.give_up(message) and not self._is_full:
            self._is_full = True
            self._host.log.warning("%d messages are undelivered: the oldest meter values make room", KEPT_UNDELIVERED)
        self._host.journal.write(now_s, Undelivered(message.key, message.action, detail))
        self._host.undelivered(message, detail, level, now_s)
        if message.action == "MeterValues" and self._lost_samples == LOST_SAMPLES:
            self._host.log.warning(
                "%d MeterValues in a row could not be delivered: until one is accepted, each is sent once",
                LOST_SAMPLES,
            )
