"""Who may charge: cards, Authorize, the authorization cache, and how long an authorisation waits for a cable.

Sources: OCPP 1.6 3.4, 3.5, 4.1, 5.4; keys 9.1.1, 9.1.2, 9.1.6, 9.1.12, 9.1.13.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ocpp.v16 import call, call_result
from ocpp.v16.enums import AuthorizationStatus, ClearCacheStatus

from chargepoint.model.authorization import Answer, Cache, Circumstances, TagInfo, Verdict, is_valid, verdict
from chargepoint.model.calls import Failure, Outcome
from chargepoint.model.chargepoint import ChargePoint
from chargepoint.model.composite import Profile
from chargepoint.model.connector import Connector
from chargepoint.model.connector_state import Authorisation, SessionState
from chargepoint.model.feature import FeatureProfile, answered, handles
from chargepoint.model.journal import ASKING
from chargepoint.model.keys import boolean, integer
from chargepoint.model.outbox import Ref
from chargepoint.model.record import Fields, RecordKind, Snapshot, numbered
from chargepoint.model.tags import same_tag
from chargepoint.model.timebase import Alarm, Timer, utc_seconds

from .boot import Boot

AUTHORIZATION_CACHE_ENABLED = boolean(
    "AuthorizationCacheEnabled", True, source="9.1.2", effect="the cache is consulted and filled"
)
ALLOW_OFFLINE_TX_FOR_UNKNOWN_ID = boolean(
    "AllowOfflineTxForUnknownId", False, source="9.1.1", effect="offline, tags in neither list nor cache may charge"
)
LOCAL_AUTHORIZE_OFFLINE = boolean(
    "LocalAuthorizeOffline", True, source="9.1.12", effect="offline, tags in list or cache may charge"
)
LOCAL_PRE_AUTHORIZE = boolean(
    "LocalPreAuthorize", False, source="9.1.13", effect="online, tags in list or cache start without Authorize"
)
CONNECTION_TIME_OUT = integer(
    "ConnectionTimeOut", 60, unit="s", source="9.1.6", effect="wait for the other half of cable and card; 0: for ever"
)

TAG_LENGTH = 20
"""CiString20Type (7.28)."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A tag whose Authorize is under way, and where it was presented."""

    tag: str
    connectors: tuple[int, ...]
    is_remote: bool
    charging_profile: Profile | None = None


@dataclass(frozen=True, slots=True)
class _Accepted:
    """What Authorize.conf said of a tag that waits for more news, and for how long."""

    parent: str | None
    patience: Timer


def _cached(_key: str, fields: Fields) -> tuple[float, TagInfo]:
    expires_s = fields.optional("expires", fields.instant)
    info = TagInfo(fields.text("status"), fields.optional("parent", fields.text), expires_s)
    return fields.instant("at", 0.0), info


def _held(key: str, fields: Fields) -> tuple[str, str | None]:
    numbered(key)
    return fields.text("tag"), fields.optional("parent", fields.text)


CACHE = RecordKind("cache", __name__, _cached, "what the authorization cache held of one card")
"""Keyed by tag in lower case: when it was told, in s of UTC, and what."""
HELD = RecordKind("held", __name__, _held, "whose card frees the cable that is locked at connector {key}")
"""Keyed by connector: tag and parent."""


class Identification(FeatureProfile):
    """Turns cards and remote starts into authorisations of connectors."""

    __slots__ = ("_accepted", "_asked", "_floating", "_held", "_patience", "_sequence", "cache")

    name = "Core"
    keys = (
        AUTHORIZATION_CACHE_ENABLED,
        ALLOW_OFFLINE_TX_FOR_UNKNOWN_ID,
        LOCAL_AUTHORIZE_OFFLINE,
        LOCAL_PRE_AUTHORIZE,
        CONNECTION_TIME_OUT,
    )
    records = (CACHE, HELD)

    def __init__(self, host: ChargePoint) -> None:
        super().__init__(host)
        self.cache = Cache()
        self._asked: dict[str, _Asked] = {}
        self._accepted: dict[str, _Accepted] = {}
        """Of those asked about: who waits, by the same keys."""
        self._sequence = 0
        self._floating: set[int] = set()
        """Connectors that got an authorisation only because a card chooses none: the first cable takes it over."""
        self._held: dict[int, tuple[str, str | None]] = {}
        """Cables that stay locked after their transaction until its tag, or its group, is presented again."""
        self._patience: dict[int, Alarm] = {}

    def restored(self, snapshot: Snapshot, now_s: float) -> None:
        for tag, (_at_utc_s, info) in sorted(snapshot.of(CACHE).items(), key=lambda item: item[1][0]):
            self.cache.put(tag, info, 0.0)
        self._held = {int(number): whose for number, whose in snapshot.of(HELD).items()}

    # --- what is known ------------------------------------------------------------------------------------------------

    def verdict(self, tag: str, connector: Connector | None, now_s: float) -> Verdict | None:
        host = self.host
        utc_s = host.calendar.utc_s(now_s)
        if not host.session.is_online and not host.feature(Boot).was_accepted:
            # 4.2: a charger that was never accepted should not let anybody charge.
            return Verdict(Answer.REFUSE, "the central system has never accepted this charger")
        circumstances = Circumstances(
            is_online=host.session.is_answering,
            pre_authorize=host.setting(LOCAL_PRE_AUTHORIZE),
            authorize_offline=host.setting(LOCAL_AUTHORIZE_OFFLINE),
            allow_unknown_offline=host.setting(ALLOW_OFFLINE_TX_FOR_UNKNOWN_ID),
        )
        return verdict(host.listed(tag), self._cached(tag), circumstances, utc_s)

    def _cached(self, tag: str) -> TagInfo | None:
        return self.cache.find(tag) if self.host.setting(AUTHORIZATION_CACHE_ENABLED) else None

    def is_asking(self, connector: Connector) -> bool:
        """Whether the central system is being asked about a tag for this very connector."""
        return any(asked.connectors == (connector.number,) for asked in self._asked.values())

    def known_parent(self, tag: str, now_s: float) -> str | None:
        """Return the group of a tag that list or cache hold as valid now."""
        listed = self.host.listed(tag)
        info = listed or self._cached(tag)
        if info is None or not is_valid(info, self.host.calendar.utc_s(now_s), is_listed=listed is not None):
            return None
        return info.parent

    def learn(self, tag: str, told: Any, now_s: float) -> TagInfo:
        """Take an IdTagInfo of the central system: it goes into the cache, unless the tag is on the local list."""
        host = self.host
        expires_s = utc_seconds(told.expiry_date) if told.expiry_date else None
        info = TagInfo(str(told.status), told.parent_id_tag, expires_s)
        if host.listed(tag) is not None:
            host.list_conflict(tag, info, now_s)
        elif host.setting(AUTHORIZATION_CACHE_ENABLED):
            utc_s = host.calendar.utc_s(now_s)
            dropped = self.cache.put(tag, info, utc_s)
            if dropped is not None:
                host.save(CACHE.name, dropped, None)
            body = {"status": info.status, "parent": info.parent, "expires": info.expires_s, "at": utc_s}
            host.save(CACHE.name, tag.lower(), body)
        return info

    @handles(call.ClearCache)
    def _clear_cache(self, request: call.ClearCache, now_s: float) -> call_result.ClearCache:
        for key in self.cache.clear():
            self.host.save(CACHE.name, key, None)
        return call_result.ClearCache(status=ClearCacheStatus.accepted)

    # --- cards --------------------------------------------------------------------------------------------------------

    def tag_presented(self, tag: str, connectors: tuple[int, ...], now_s: float) -> None:
        """A card: it stops what it started, takes back what it began, frees its cable, or starts something new."""
        host = self.host
        if not tag or len(tag) > TAG_LENGTH or not tag.isprintable():
            host.present(ascii(tag), f"refused: a tag has 1 to {TAG_LENGTH} printable characters", now_s)
            return
        here = [host.connector(number) for number in connectors if host.has_connector(number)]
        for connector in here:
            transaction = connector.transaction
            if transaction is not None and same_tag(tag, transaction.id_tag):
                if connector.end("Local", tag, now_s):
                    host.present(tag, f"stops connector {connector.number}", now_s)
                return
        for connector in here:
            waiting = connector.authorisation
            if waiting is not None and same_tag(tag, waiting.id_tag) and connector.cancel(now_s):
                host.present(tag, f"takes back connector {connector.number}", now_s)
                return
        parent = self.known_parent(tag, now_s)
        is_asked_about = any(same_tag(tag, asked.tag) for asked in self._asked.values())
        if self._frees_cable(tag, parent, here, now_s) or is_asked_about:
            return
        self.identify(tag, here, now_s, is_remote=False)

    def identify(
        self,
        tag: str,
        here: Sequence[Connector],
        now_s: float,
        *,
        is_remote: bool,
        charging_profile: Profile | None = None,
    ) -> None:
        """Find out whether a tag may start, or stop its group's transaction, at one of the connectors."""
        host = self.host
        parent = self.known_parent(tag, now_s)
        target = self.target(tag, parent, here, is_remote=is_remote)
        may_belong = any(self._may_belong(tag, parent, connector) for connector in here)
        if target is None and not may_belong and not any(self._concerns_group(connector) for connector in here):
            host.present(tag, self._why_not(here), now_s)
            return
        if not is_remote and self._stops_group(parent, tag, here, now_s):
            return
        judged = host.judge(tag, target, now_s)
        if judged.answer is Answer.ASK:
            self._sequence += 1
            key = str(self._sequence)
            self._asked[key] = _Asked(tag, tuple(c.number for c in here), is_remote, charging_profile)
            host.present(tag, ASKING, now_s)
            host.send(call.Authorize(id_tag=tag), Ref("authorize", key), now_s)
        elif judged.answer is Answer.ALLOW and target is not None:
            host.present(tag, judged.reason, now_s)
            authorisation = Authorisation(tag, judged.parent, charging_profile=charging_profile)
            self.authorise(target, authorisation, here, now_s)
        elif judged.answer is Answer.ALLOW:
            host.present(tag, self._why_not(here), now_s)
        else:
            host.present(tag, f"refused: {judged.reason}", now_s)

    @answered(call.Authorize)
    def _authorized(self, about: Ref, outcome: Outcome, now_s: float) -> None:
        host = self.host
        asked = self._asked.pop(about.key, None)
        if asked is None:
            return
        here = [host.connector(number) for number in asked.connectors]
        if outcome.failure is Failure.LINK_LOST:
            # Really offline now: the offline rules decide. A central system that fails while online does not
            # switch to them (handbook, Authorize: "only after the link is really down").
            brought = asked.charging_profile
            self.identify(asked.tag, here, now_s, is_remote=asked.is_remote, charging_profile=brought)
            return
        if outcome.result is None:
            host.present(asked.tag, f"refused: Authorize {outcome.detail or outcome.failure}", now_s)
            return
        # The status decides. The expiryDate is "the date at which idTag should be removed from the Authorization Cache"
        # (7.27), whatever our clock makes of it.
        info = self.learn(asked.tag, outcome.result.id_tag_info, now_s)
        if info.status != AuthorizationStatus.accepted:
            host.present(asked.tag, f"refused: {info.status}", now_s)
            return
        if not asked.is_remote and (
            self._frees_cable(asked.tag, info.parent, here, now_s)
            or self._stops_group(info.parent, asked.tag, here, now_s)
        ):
            return
        wait_s = host.waits_s(asked.tag, now_s)
        if wait_s > 0:
            key = about.key
            self._asked[key] = asked
            self._accepted[key] = _Accepted(
                info.parent, host.timers.after_wire(wait_s, lambda later_s: self._go_on(key, later_s))
            )
        else:
            self._admit(asked, info.parent, now_s)

    def news_came(self, tag: str, now_s: float) -> None:
        for key in list(self._accepted):
            if same_tag(tag, self._asked[key].tag):
                self._go_on(key, now_s)

    def _go_on(self, key: str, now_s: float) -> None:
        asked, accepted = self._asked.pop(key), self._accepted.pop(key)
        accepted.patience.cancel()
        self._admit(asked, accepted.parent, now_s)

    def _admit(self, asked: _Asked, parent: str | None, now_s: float) -> None:
        """Let a tag start that the central system accepted."""
        host = self.host
        here = [host.connector(number) for number in asked.connectors]
        target = self.target(asked.tag, parent, here, is_remote=asked.is_remote)
        if target is None:
            host.present(asked.tag, self._why_not(here), now_s)
            return
        host.present(asked.tag, "accepted", now_s)
        authorisation = Authorisation(asked.tag, parent, charging_profile=asked.charging_profile)
        self.authorise(target, authorisation, here, now_s)

    def _concerns_group(self, connector: Connector) -> bool:
        """Whether a tag of a group could end something here: a transaction, or the hold on a cable."""
        transaction, held = connector.transaction, self._held.get(connector.number)
        running = connector.is_charging and transaction is not None and transaction.parent_id_tag is not None
        return running or (held is not None and held[1] is not None)

    def target(
        self, tag: str, parent: str | None, here: Sequence[Connector], *, is_remote: bool
    ) -> Connector | None:
        """The connector a start is meant for: one with a car, else one with a plug in its socket, else any that is free.

        A connector that is reserved for the tag comes before all others, one reserved for somebody else never. A card
        does not start on a cable that is held for somebody else's card; the central system may.
        """
        free = [c for c in here if c.is_free and (is_remote or not self.holds_cable(c))]
        admissions = {c.number: self.host.admission(c, tag, parent) for c in free}
        bound = [c for c in free if admissions[c.number].is_bound]
        free = bound or [c for c in free if admissions[c.number].is_admitted]
        plugged = [c for c in free if c.is_plugged]
        fresh = [c for c in plugged if c.state == SessionState.IDLE]
        idle = [c for c in free if c.state == SessionState.IDLE]
        waiting = sorted(idle or (free if is_remote else ()), key=lambda c: not c.is_occupied)
        return next(iter((*fresh, *plugged, *waiting)), None)

    def _may_belong(self, tag: str, parent: str | None, connector: Connector) -> bool:
        """Whether the tag could start here if it turned out to be of the right group (5.13)."""
        return connector.is_free and self.host.admission(connector, tag, parent).asks_parent

    def may_ask(self, tag: str, here: Sequence[Connector], now_s: float) -> bool:
        """Whether the central system is to be asked if a tag is of the group that one of ``here`` is reserved for."""
        parent = self.known_parent(tag, now_s)
        belongs = any(self._may_belong(tag, parent, connector) for connector in here)
        return belongs and self.host.judge(tag, None, now_s).answer is Answer.ASK

    def _why_not(self, here: Sequence[Connector]) -> str:
        if self.host.is_store_failing:
            return "refused: the store cannot be written, so no transaction can begin"
        is_reserved = any(connector.is_free and connector.is_reserved for connector in here)
        return "refused: reserved for somebody else" if is_reserved else "refused: no connector is free"

    def _stops_group(self, parent: str | None, tag: str, here: Sequence[Connector], now_s: float) -> bool:
        """A tag of the same group stops a transaction (3.4), unless it is meant for a car that waits at another one."""
        if parent is None or any(c.is_free and c.is_plugged for c in here):
            return False
        for connector in here:
            transaction = connector.transaction
            of_group = transaction is not None and same_tag(parent, transaction.parent_id_tag)
            if of_group and connector.end("Local", tag, now_s):
                self.host.present(tag, f"stops connector {connector.number} of its group", now_s)
                return True
        return False

    # --- authorised, waiting for the cable ----------------------------------------------------------------------------

    def authorise(
        self, target: Connector, authorisation: Authorisation, here: Sequence[Connector], now_s: float
    ) -> bool:
        """Let a tag charge at ``target``; while no cable is in, the first cable at one of ``here`` takes it over."""
        admission = self.host.admission(target, authorisation.id_tag, authorisation.parent_id_tag)
        if not admission.is_admitted:
            return False
        authorisation = replace(authorisation, reservation_id=admission.reservation_id)
        if not target.is_plugged and len(here) > 1 and not admission.is_bound:
            self._floating.add(target.number)
        if not target.authorise(authorisation, now_s):
            self._floating.discard(target.number)
            return False
        self.release_cable(target)
        if target.state == SessionState.AUTHORISED:
            self._wait(target, now_s)
        return True

    def car_came(self, connector: Connector, now_s: float) -> None:
        for number in list(self._floating):
            other = self.host.connector(number)
            authorisation = other.authorisation
            if other is connector or authorisation is None or other.is_plugged or not connector.is_free:
                continue
            admission = self.host.admission(connector, authorisation.id_tag, authorisation.parent_id_tag)
            if not admission.is_admitted:
                continue
            self._floating.discard(number)
            # Taken over before it is given up, so that a reservation of any connector is in somebody's hand throughout.
            connector.authorise(replace(authorisation, reservation_id=admission.reservation_id), now_s)
            other.cancel(now_s)
        if connector.state == SessionState.IDLE:
            self._wait(connector, now_s)

    def connector_changed(self, connector: Connector, now_s: float) -> None:
        if connector.authorisation is None:
            self._floating.discard(connector.number)
        if not connector.is_occupied:
            self.release_cable(connector)

    def _wait(self, connector: Connector, now_s: float) -> None:
        timeout_s = self.host.setting(CONNECTION_TIME_OUT)
        if not timeout_s:
            return
        number = connector.number
        if number not in self._patience:
            self._patience[number] = Alarm(
                self.host.timers, lambda later_s: self._waited(self.host.connector(number), later_s)
            )
        self._patience[number].set(now_s + timeout_s)

    def _waited(self, connector: Connector, now_s: float) -> None:
        """ConnectionTimeOut: an authorisation without a cable ends; a cable without an authorisation is in the way.

        One connector with a reader of its own stays Preparing: nobody else's card can start on this cable (4.9, B6).
        """
        if connector.state == SessionState.AUTHORISED:
            tag = connector.authorisation.id_tag if connector.authorisation else ""
            connector.cancel(now_s)
            self.host.present(tag, "timed out: no cable", now_s)
        if connector.is_reserved and connector.state == SessionState.IDLE:
            # It stays Reserved until its tag comes (4.9: there is no move to Finishing); look again when that is over.
            self._wait(connector, now_s)
        elif connector.is_plugged and len(self.host.connectors) > 1:
            connector.lapse(now_s)

    # --- cables that stay locked --------------------------------------------------------------------------------------

    def hold_cable(self, connector: Connector, tag: str, parent: str | None) -> None:
        """Keep a cable locked until this tag, or one of its group, is presented (4.8 and errata)."""
        if connector.lock is not None:
            self._held[connector.number] = (tag, parent)
            self.host.save(HELD.name, str(connector.number), {"tag": tag, "parent": parent})

    def holds_cable(self, connector: Connector) -> bool:
        return connector.number in self._held

    def release_cable(self, connector: Connector) -> None:
        if self._held.pop(connector.number, None) is not None:
            self.host.save(HELD.name, str(connector.number), None)

    def _frees_cable(self, tag: str, parent: str | None, here: Sequence[Connector], now_s: float) -> bool:
        for connector in here:
            held = self._held.get(connector.number)
            if held is not None and (same_tag(tag, held[0]) or same_tag(parent, held[1])):
                self.release_cable(connector)
                connector.unlock(now_s)
                self.host.present(tag, f"frees the cable of connector {connector.number}", now_s)
                return True
        return False
