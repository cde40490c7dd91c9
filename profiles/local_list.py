"""Feature profile "LocalAuthListManagement": SendLocalList and GetLocalListVersion (OCPP 1.6 3.5.2, 5.10, 5.15; keys 9.2).

The list is kept by this class and judged where the cache is judged, in `chargepoint.model.authorization`: other parts ask
the host's `listed`. One record an entry is stored, because what a central system sends most often is one card more or one
less, and a whole list written for each would wear out the flash of a wallbox.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from sys import intern
from typing import Any

from ocpp.v16 import call, call_result
from ocpp.v16.datatypes import AuthorizationData
from ocpp.v16.enums import AuthorizationStatus, UpdateStatus, UpdateType

from chargepoint.model.authorization import TagInfo, is_valid
from chargepoint.model.chargepoint import ChargePoint
from chargepoint.model.faults import Trouble
from chargepoint.model.feature import FeatureProfile, handles
from chargepoint.model.keys import Access, boolean, integer
from chargepoint.model.outbox import Ref, Save, TrySave
from chargepoint.model.record import Fields, RecordKind, Snapshot
from chargepoint.model.serving import Later
from chargepoint.model.timebase import utc_seconds

LOCAL_AUTH_LIST_ENABLED = boolean(
    "LocalAuthListEnabled", True, source="9.2.1", effect="the list is consulted and may be sent; its content is kept"
)
LOCAL_AUTH_LIST_MAX_LENGTH = integer(
    "LocalAuthListMaxLength",
    10_000,
    minimum=1,
    unit="entries",
    access=Access.READ_ONLY,
    source="9.2.2",
    effect="a longer list is refused: Failed",
)
SEND_LOCAL_LIST_MAX_LENGTH = integer(
    "SendLocalListMaxLength",
    500,
    minimum=1,
    unit="entries",
    access=Access.READ_ONLY,
    source="9.2.3",
    effect="a longer SendLocalList is refused: Failed",
)

NOT_SUPPORTED_VERSION = -1
"""GetLocalListVersion.conf of a charge point that does not support the list, or has it disabled (5.10)."""
EMPTY_VERSION = 0
"""GetLocalListVersion.conf while the list is empty, whatever number came with the update that emptied it (5.10)."""


@lru_cache(maxsize=256)
def _shared(status: str, parent: str | None, expires_s: float | None) -> TagInfo:
    """Most entries of a list say the same: they share one value. Groups are few, so their names are shared as well."""
    return TagInfo(AuthorizationStatus(status).value, None if parent is None else intern(parent), expires_s)


def _entry(_key: str, fields: Fields) -> TagInfo:
    expires_s = fields.optional("expires", fields.instant)
    return _shared(fields.text("status"), fields.optional("parent", fields.text), expires_s)


LISTED = RecordKind("listed", __name__, _entry, "the entry of a card in the local authorization list")
"""Keyed by tag in lower case."""
VERSION = RecordKind(
    "list",
    __name__,
    lambda _key, fields: fields.integer("number", 0),
    "the version of the local authorization list: it is 0",
)
"""One, keyed ``version``."""
STORING = Ref("list")
"""What the answer to SendLocalList waits for."""


@dataclass(frozen=True, slots=True)
class Update:
    """What a list will be once it is stored."""

    entries: dict[str, TagInfo]
    version: int
    touched: tuple[str, ...] | None
    """The tags that a differential update speaks of; None: all."""


class LocalAuthList(FeatureProfile):
    """The local authorization list of one charger: what the central system sent, by tag in lower case."""

    __slots__ = ("_conflicts", "_entries", "_update", "_version")

    name = "LocalAuthListManagement"
    keys = (LOCAL_AUTH_LIST_ENABLED, LOCAL_AUTH_LIST_MAX_LENGTH, SEND_LOCAL_LIST_MAX_LENGTH)
    records = (LISTED, VERSION)

    def __init__(self, host: ChargePoint) -> None:
        super().__init__(host)
        self._entries: dict[str, TagInfo] = {}
        self._version = EMPTY_VERSION
        self._conflicts: dict[str, str] = {}
        """Tags of which the central system told something else than it listed, and what; not kept over a restart."""
        self._update: Update | None = None
        """What is being stored."""

    def restored(self, snapshot: Snapshot, now_s: float) -> None:
        self._entries = dict(snapshot.of(LISTED))
        self._version = snapshot.one(VERSION, "version") or EMPTY_VERSION

    # --- asked by the central system ----------------------------------------------------------------------------------

    @handles(call.GetLocalListVersion)
    def _tell_version(self, request: call.GetLocalListVersion, now_s: float) -> call_result.GetLocalListVersion:
        enabled = self.host.setting(LOCAL_AUTH_LIST_ENABLED)
        return call_result.GetLocalListVersion(list_version=self._version if enabled else NOT_SUPPORTED_VERSION)

    @handles(call.SendLocalList)
    def _send_local_list(self, request: call.SendLocalList, now_s: float) -> call_result.SendLocalList | Later:
        """The answer waits for the store: "Failed" is for an update that could not be stored as well (5.15, 7.47)."""
        judged = self._judge(request)
        if isinstance(judged, UpdateStatus):
            return call_result.SendLocalList(status=judged)
        self._update = judged
        self.host.emit(TrySave(STORING, self._saves(judged)))
        return Later(STORING)

    def _judge(self, request: call.SendLocalList) -> Update | UpdateStatus:
        """Return an update that can be taken, else the status to answer."""
        host = self.host
        if not host.setting(LOCAL_AUTH_LIST_ENABLED):
            return UpdateStatus.not_supported
        if self._update is not None:
            return self._refuse("the update before is not stored yet")
        is_full = request.update_type == UpdateType.full
        sent: list[AuthorizationData] = request.local_authorization_list or []
        if request.list_version <= EMPTY_VERSION:
            return self._refuse(f"version {request.list_version}: the first is 1 (erratum 3.52)")
        if not is_full and request.list_version <= self._version:
            host.log.info("local list stays at version %d, %d was sent", self._version, request.list_version)
            return UpdateStatus.version_mismatch
        most = host.setting(SEND_LOCAL_LIST_MAX_LENGTH)
        if len(sent) > most:
            return self._refuse(f"{len(sent)} entries in one message, at most {most} fit: send them in parts")
        told = {entry.id_tag.lower(): entry.id_tag_info for entry in sent}
        if len(told) < len(sent):
            return self._refuse("a tag stands twice in one message, upper and lower case being the same")
        if is_full and None in told.values():
            return self._refuse("an entry of a full list has no idTagInfo")
        entries = {} if is_full else dict(self._entries)
        for tag, info in told.items():
            if info is None:
                entries.pop(tag, None)
            else:
                entries[tag] = _listed_as(info)
        most = host.setting(LOCAL_AUTH_LIST_MAX_LENGTH)
        if len(entries) > most:
            return self._refuse(f"{len(entries)} entries, at most {most} fit")
        return Update(entries, request.list_version if entries else EMPTY_VERSION, None if is_full else tuple(told))

    def _refuse(self, reason: str) -> UpdateStatus:
        self.host.log.warning("SendLocalList failed: %s", reason)
        return UpdateStatus.failed

    def _saves(self, update: Update) -> tuple[Save, ...]:
        """What one commit is to hold. A full list leaves alone what it has in common with the old one."""
        touched = (*self._entries, *update.entries) if update.touched is None else update.touched
        saves = []
        for tag in dict.fromkeys(touched):
            info = update.entries.get(tag)
            if info != self._entries.get(tag):
                saves.append(Save(LISTED.name, tag, None if info is None else _body_of(info)))
        version = {"number": update.version} if update.entries else None
        return (*saves, Save(VERSION.name, "version", version))

    def stored(self, ref: Ref, succeeded: bool, now_s: float) -> None:
        update = self._update
        if ref != STORING or update is None:
            return
        self._update = None
        status = UpdateStatus.failed
        if succeeded:
            status = UpdateStatus.accepted
            self._entries, self._version = update.entries, update.version
            self._settle(update.touched, now_s)
        self.host.session.answer(STORING, call_result.SendLocalList(status=status), now_s)

    # --- what others ask ----------------------------------------------------------------------------------------------

    def listed(self, tag: str) -> TagInfo | None:
        return self._entries.get(tag.lower()) if self.host.setting(LOCAL_AUTH_LIST_ENABLED) else None

    # --- conflicts ----------------------------------------------------------------------------------------------------

    def list_conflict(self, tag: str, told: TagInfo, now_s: float) -> None:
        """Compare the validity that the central system reported with that on the list (3.5.2): only this is a conflict.

        ConcurrentTx in an answer says that a valid tag is in use elsewhere, which contradicts no list.
        """
        listed = self.listed(tag)
        if listed is None:
            return
        utc_s = self.host.calendar.utc_s(now_s)
        if is_valid(listed, utc_s, is_listed=True) == is_valid(told, utc_s, is_listed=True):
            self._settle((tag.lower(),), now_s)
        elif tag.lower() not in self._conflicts:
            # In short: this text is logged, and a log gives nobody a card. The peer knows which tag it just spoke of.
            short = tag if len(tag) <= 4 else f"{tag[:2]}..{tag[-2:]}"
            self._conflicts[tag.lower()] = f"{short}: {told.status_at(utc_s)}, listed {listed.status_at(utc_s)}"
            self._warn(now_s)

    def _settle(self, tags: Iterable[str] | None, now_s: float) -> None:
        """The list and the central system agree again about some tags, or about all of them (None)."""
        if not self._conflicts:
            return
        reported = next(iter(self._conflicts))
        for tag in tuple(self._conflicts) if tags is None else tags:
            self._conflicts.pop(tag, None)
        if reported not in self._conflicts:
            self.host.warn(Trouble.LOCAL_LIST_CONFLICT, False, now_s)
            self._warn(now_s)

    def _warn(self, now_s: float) -> None:
        """Report the oldest conflict, at connector 0 (3.5.2); the next one follows when it is settled."""
        for info in self._conflicts.values():
            self.host.warn(Trouble.LOCAL_LIST_CONFLICT, True, now_s, info)
            return

    def setting_changed(self, name: str, now_s: float) -> None:
        if name == LOCAL_AUTH_LIST_ENABLED.name:
            self._settle(None, now_s)


def _listed_as(told: Any) -> TagInfo:
    """Return the IdTagInfo of a message as it is kept."""
    return _shared(told.status, told.parent_id_tag, utc_seconds(told.expiry_date) if told.expiry_date else None)


def _body_of(info: TagInfo) -> dict[str, object]:
    """Write an entry for the store; what is not told takes no room."""
    body: dict[str, object] = {"status": info.status}
    if info.parent is not None:
        body["parent"] = info.parent
    if info.expires_s is not None:
        body["expires"] = info.expires_s
    return body
