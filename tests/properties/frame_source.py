"""What a central system may send, right or wrong, drawn from a seed: the same seed draws the same frames.

Calls of every action are made from the schemas that the ``ocpp`` package ships, with values that mean something where a
name says what they mean, then broken: in the payload, in the frame, in the text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from copy import deepcopy
from random import Random
from typing import Any

from tests.properties.frame_oracle import SERVED, UNSERVED, schema

WEIGHTS = {"Reset": 0.15, "UpdateFirmware": 0.3, "UnlockConnector": 2.0}
"""How often an action is called, beside 1: after a restart a charger has forgotten much that was drawn before."""

MOMENTS = (
    "2026-01-01T00:10:00Z",
    "2026-01-01T01:00:00+02:00",
    "2026-01-01T02:00:00.123456789Z",
    "2026-01-01T03:00:00",
    "2026-01-02T00:00:00.5-11:30",
    "2030-02-28T23:59:59Z",
    "1969-12-31T23:59:59Z",
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59Z",
    "9999-12-31T23:59:59.999-12:00",
)
NO_MOMENTS = (
    "",
    "now",
    "2026-01-15",
    "10:00:00",
    "2026-02-30T10:00:00Z",
    "2026-13-01T10:00:00Z",
    "2026-01-15T25:00:00Z",
    "2026-01-15T10:00:00+25:00",
    "2026-01-15T10:00:00ZZ",
    "1767225600",
    "2026-01-15T10:00:00Z" * 50,
    "2026-01-15T\u0661\u0660:00:00Z",
    "2026-01-15T10:00:00\u0000",
    # Of these one may think so or not.
    "2026-01-15T10:00Z",
    "20260115T100000Z",
    "2026-W03-4T10:00:00Z",
    "2026-01-15T24:00:00Z",
    "2026-06-30T23:59:60Z",
    " 2026-01-15T10:00:00Z ",
)
TAGS = ("A1", "a1", "B2", "C3", "D4", "", "X" * 20, "Ä ß", "\u0000", "é" * 20, "\U0001f50c")
NUMBERS = (0, 1, 2, 3, 5, 60, 100, 3600, -1, -60, 2**31 - 1, -(2**31), 2**31, 2**62, -(2**62), 2**63 - 1, 1 - 2**63)
LARGE = (2**63, -(2**63), 2**64, 10**30, 10**300, 1.8e308, -1e300)
KEYS = (
    "HeartbeatInterval",
    "heartbeatinterval",
    "MeterValueSampleInterval",
    "ClockAlignedDataInterval",
    "ConnectionTimeOut",
    "MinimumStatusDuration",
    "LocalPreAuthorize",
    "LocalAuthListEnabled",
    "AuthorizationCacheEnabled",
    "AuthorizeRemoteTxRequests",
    "StopTransactionOnInvalidId",
    "MeterValuesSampledData",
    "StopTxnSampledData",
    "ConnectorPhaseRotation",
    "WebSocketPingInterval",
    "TransactionMessageRetryInterval",
    "LightIntensity",
    "MessageTimeout",
    "NumberOfConnectors",
    "SupportedFeatureProfiles",
    "NoSuchKey",
    "",
    "K" * 50,
)
VALUES = (
    "true",
    "false",
    "0",
    "30",
    "300",
    "-1",
    "1.5",
    "",
    " 60 ",
    "9" * 40,
    "1e9",
    "99999999999",
    "Energy.Active.Import.Register,Current.Import",
    "Energy.Active.Import.Register,Voltage.L1,Power.Offered",
    "1.RST",
    "1.RST,1.RST",
    ",,",
    "\u0000",
    "Ж" * 500,
)
WRONG: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1.0,
    1.5,
    "1",
    "",
    [],
    {},
    [1],
    {"a": 1},
    [[]],
    "x" * 700,
    [{}],
    -0.0,
    1e-7,
)
EXTRAS = ("idtag", "id_tag", "extra", "", "__class__", "connectorID", "customData", "ключ", "a\nb", "status")
HALVES = ("\ud83d", "\udc00x", "a\udfff")
DEEP = "\u0001deep\u0001"
"""Stands for arrays in arrays, which `json` itself does not write."""
DEPTHS = (3, 50, 500, 985, 1_100, 5_000, 100_000)
CONSTANTS = (float("nan"), float("inf"), float("-inf"))
NEVER_SEEN = "00000000-0000-4000-8000-000000000000"


class FrameSource:
    """Draws texts. ``own_ids`` and ``transactions`` are what the central system learned, and may name, rightly or not."""

    def __init__(self, rng: Random, actions: Collection[str] = SERVED) -> None:
        self.own_ids: list[str] = [NEVER_SEEN]
        """Ids of calls of the charger, newest last."""
        self.transactions = [1]
        self._rng = rng
        self._count = 0
        self._actions = sorted(actions)
        self._weights = [WEIGHTS.get(action, 1.0) for action in self._actions]
        self._last = "[]"

    def draw(self) -> str:
        """Return the next text."""
        kinds: tuple[Callable[[], str], ...] = (self._valid, self._mutated, self._odd_frame, self._junk, self._answer)
        if '"UnlockConnector"' in self._last[:80] and self._rng.random() < 0.3:
            return self._last  # the answer may wait for the lock
        kind = self._rng.choices(kinds, (40, 36, 12, 6, 6))[0]
        self._last = kind()
        return self._last

    # --- texts --------------------------------------------------------------------------------------------------------

    def _valid(self) -> str:
        action = self._action()
        return self._text([2, self._id(), action, self.payload(action)])

    def _mutated(self) -> str:
        action = self._action()
        payload = self.payload(action)
        for _ in range(self._rng.choice((1, 1, 1, 2, 3))):
            payload = self.broken(payload)
        return self._text([2, self._id(), action, payload])

    def _odd_frame(self) -> str:
        rng, action = self._rng, self._action()
        frame: list[Any] = [2, self._id(), action, self.payload(action)]
        match rng.randrange(11):
            case 0:
                frame[0] = rng.choice((0, 1, 5, -2, 2.0, True, "2", None, [], 2**70))
            case 1:
                frame = frame[: rng.randrange(4)]
            case 2:
                frame += rng.choice(([{}], [None, 1], ["x"] * 300))
            case 3:
                frame[1] = rng.choice((None, 17, [], {}, True, 1.5))
            case 4:
                frame[1] = rng.choice(("", "x" * 36, "x" * 37, "i" * 5_000, "ü" * 36, 'q"\\\n', *HALVES, "\u0000"))
            case 5:
                frame[2] = rng.choice((None, 5, [], {}, "", "Nonsense", action.lower(), f"{action} ", "x" * 3_000))
            case 6:
                frame[2] = rng.choice(sorted(UNSERVED))
            case 7:
                frame[3] = rng.choice((None, [], "", "{}", 0, 1.5, True, [frame[3]], {}))
            case 8:
                return self._last  # a repetition
            case 9:
                rng.shuffle(frame)
            case 10:
                return " \n\t" + self._text(frame).replace(",", " ,\r\n ", 4) + " "
        return self._text(frame)

    def _junk(self) -> str:
        rng, text = self._rng, self._valid()
        match rng.randrange(9):
            case 0:
                return text[: rng.randrange(len(text))]
            case 1:
                return "".join(chr(rng.randrange(256)) for _ in range(rng.randrange(200)))
            case 2:
                return rng.choice(
                    ("", " ", "null", "[]", "{}", "2", '"2"', "[[2]]", "\ufeff" + text, "[2,", "]", "ping")
                )
            case 3:
                at = rng.randrange(len(text))
                return text[:at] + rng.choice('[]{},:"\\0e.-\x00é') + text[at + rng.randrange(2) :]
            case 4:
                return text + rng.choice((text, "]", ",", " x", "\u0000"))
            case 5:
                return rng.choice(("[" * 100_000, '{"a":' * 5_000, f"[2,{'[' * 3_000}{']' * 3_000}]"))
            case 6:
                return f'[2,{json.dumps(self._id())},"DataTransfer",{{"vendorId":"V","data":"{"x" * 70_000}"}}]'
            case 7:
                return text.replace(":", f":{'9' * rng.choice((25, 400, 5_000))}", 1)
            case _:
                return text.replace('"', "'")

    def _answer(self) -> str:
        """An answer to what nobody asked, or to a call of the charger that is answered already, or twice."""
        rng = self._rng
        message_id = rng.choice((NEVER_SEEN, "", *self.own_ids[-3:]))
        return rng.choice(
            (
                self._text(
                    [3, message_id, rng.choice(({}, None, {"status": "Accepted"}, [], 5, {"currentTime": "x"}))]
                ),
                self._text([3, message_id]),
                self._text([3, message_id, {}, {}]),
                self._text([3, rng.choice((None, 5)), {}]),
                self._text([4, message_id, "InternalError", "made for a test", {}]),
                self._text([4, message_id]),
                self._text([4, message_id, None, 7, "x", [], 9]),
                self._text([4, message_id, "OccurrenceConstraintViolation", "", DEEP]),
            )
        )

    def _text(self, frame: Any) -> str:
        """Write a frame; letters beyond ASCII as they are or escaped, half characters always escaped."""
        text = json.dumps(frame, ensure_ascii=self._rng.random() < 0.5, separators=(",", ":"))
        text = "".join(each if not "\ud800" <= each <= "\udfff" else f"\\u{ord(each):04x}" for each in text)
        if "deep" in text:
            levels = self._rng.choice(DEPTHS)
            text = text.replace(json.dumps(DEEP), f"{'[' * levels}{']' * levels}")
        return text

    def _id(self) -> str:
        self._count += 1
        return f"f-{self._count}" if self._rng.random() < 0.95 else self._rng.choice(("always", f"ü{self._count}"))

    def _action(self) -> str:
        return self._rng.choices(self._actions, self._weights)[0]

    # --- payloads -----------------------------------------------------------------------------------------------------

    def payload(self, action: str) -> dict[str, Any]:
        """Return a payload that fits the schema of a request; what it wishes may make sense or not."""
        drawn: dict[str, Any] = self._value(action, schema(action))
        if action == "SetChargingProfile" and self._rng.random() < 0.8:
            self._sensible(drawn["csChargingProfiles"])
        elif action == "UpdateFirmware":
            drawn["location"] = "http://files.invalid/new.bin"
        elif action == "ChangeAvailability" and self._rng.random() < 0.8:
            drawn["type"] = "Operative"  # one that is out of service has little to say
        return drawn

    def _sensible(self, profile: dict[str, Any]) -> None:
        """Make a charging profile that is likely to be taken: else none would ever be installed."""
        rng = self._rng
        profile["stackLevel"] = rng.randrange(11)
        for name in ("validFrom", "validTo", "recurrencyKind", "transactionId"):
            profile.pop(name, None)
        profile["chargingProfileKind"] = rng.choice(("Absolute", "Relative", "Recurring"))
        schedule = profile["chargingSchedule"]
        schedule.pop("startSchedule", None)
        if profile["chargingProfileKind"] == "Recurring":
            profile["recurrencyKind"] = rng.choice(("Daily", "Weekly"))
            schedule["startSchedule"] = MOMENTS[0]
        starts = sorted({0, *(rng.randrange(1, 4_000) for _ in range(rng.randrange(8)))})
        schedule["chargingSchedulePeriod"] = [
            {"startPeriod": start, "limit": rng.choice((0, 5.9, 6, 16.0, 10.123456, 32, 0.1 + 0.2))} for start in starts
        ]
        schedule["duration"] = rng.choice((1, 60, 86_400, 4_001))

    def _value(self, name: str, node: dict[str, Any]) -> Any:
        rng = self._rng
        if node.get("format") == "date-time":
            return rng.choice(MOMENTS)
        if "enum" in node:
            return rng.choice(node["enum"])
        match node["type"]:
            case "object":
                required = node.get("required", ())
                return {
                    each: self._value(each, inner)
                    for each, inner in node.get("properties", {}).items()
                    if each in required or rng.random() < 0.5
                }
            case "array":
                most = rng.choice((1, 2, 4, 4, 30, 250 if name == "key" else 3))
                if name == "localAuthorizationList" and rng.random() < 0.01:
                    most = 600
                return [self._value(name, node["items"]) for _ in range(rng.randint(node.get("minItems", 0), most))]
            case "integer":
                return self._integer(name)
            case "number":
                return rng.choice((0, 6, 16.0, 21.4, 8.1, 7.35, 0.30000000000000004, 1e-9, -1, 1e6))
            case _:
                return self._string(name, node.get("maxLength", 3_000))

    def _integer(self, name: str) -> int:
        rng = self._rng
        if rng.random() < 0.08:
            return rng.choice(NUMBERS)
        match name:
            case "connectorId":
                return rng.choice((0, 1, 1, 1, 2, 3, -1))
            case "transactionId":
                return rng.choice((*self.transactions[-3:], 0, -1, 99))
            case "chargingProfileId" | "id":
                return rng.randrange(70)
            case "listVersion":
                return rng.choice((1, 2, 7, 50, 0, -1))
            case _:
                return rng.choice((0, 1, 2, 3, 60, 3_600, 86_400))

    def _string(self, name: str, longest: int) -> str:
        rng = self._rng
        match name:
            case "idTag" | "parentIdTag":
                return rng.choice(TAGS)
            case "key":
                return rng.choice(KEYS) if rng.random() < 0.9 else f"K{rng.randrange(300)}"
            case "value":
                return rng.choice(VALUES)
            case "location":
                return rng.choice(
                    ("ftp://files.invalid/", "http://[", "", "gopher://x/", "/etc/passwd", "ftp://u:p@h:x/")
                )
        length = rng.choice((0, 1, 7, longest // 2, longest))
        return "".join(rng.choice(("a", "Z", "0", " ", "é", "\u0000", "\\", '"', "漢", "\n")) for _ in range(length))

    def broken(self, payload: Any) -> Any:
        """Return a copy of a payload with something wrong in it, or at least odd."""
        rng = self._rng
        if rng.random() < 0.04:
            return rng.choice(({}, None, [], "{}", 3, [payload]))
        broken = deepcopy(payload)
        holders = [each for each in _holders(broken) if each]
        if not holders or rng.random() < 0.15:
            target = rng.choice(list(_holders(broken)) or [{}])
            if isinstance(target, dict):
                target[rng.choice(EXTRAS)] = rng.choice((None, 1, "x", {}, DEEP))
            return broken
        holder = rng.choice(holders)
        at: Any = rng.choice(list(holder)) if isinstance(holder, dict) else rng.randrange(len(holder))
        value = holder[at]
        match rng.randrange(9):
            case 0 | 1:
                del holder[at]
            case 2 | 3:
                holder[at] = rng.choice(WRONG)
            case 4:
                holder[at] = rng.choice((DEEP, *HALVES, *CONSTANTS, *LARGE))
            case 5 if isinstance(value, str):
                changes = (value + "x" * 600, value.lower(), value + " ", "\U0001f50c" * 300, rng.choice(NO_MOMENTS))
                holder[at] = rng.choice(changes)
            case 6 if isinstance(value, int | float):
                holder[at] = rng.choice((float(value), str(value), -value, value + 0.05, bool(value), *LARGE, *NUMBERS))
            case 7 if isinstance(value, list):
                holder[at] = rng.choice(([], [None], value * 3, value[0] if value else 0))
            case _:
                holder[at] = rng.choice((*WRONG, *NO_MOMENTS))
        return broken


def _holders(value: Any) -> list[Any]:
    """Return the objects and arrays in a value, itself included."""
    found = [value] if isinstance(value, dict | list) else []
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        found += _holders(each)
    return found
