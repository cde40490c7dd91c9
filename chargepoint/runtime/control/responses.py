"""What can be asked of a charger, as documents: names and units are part of what others build on.

Energies are in Wh, powers in W, currents in A, durations in s of charger time, instants ISO 8601 UTC of the charger.
None means that there is none, or that this box cannot tell.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Document(BaseModel):
    """A value that is told; nothing reads it back."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")


class Bound(Document):
    """One reason why no more is offered; the least wins."""

    amps: float
    reason: str
    until: str | None = Field(None, description="when it may become another one")


class Fault(Document):
    """Something that is wrong now. ``connector`` 0: with the whole box."""

    connector: int
    trouble: str
    error_code: str = Field(description="ChargePointErrorCode, OCPP 1.6 7.6")
    info: str


class Pilot(Document):
    """The control pilot and the power path (IEC 61851-1)."""

    state: str = Field(description="A, B1, B2, C1, C2, D, E or F; index 2 means that current is offered")
    duty_percent: float = Field(description="100: steady +12 V, 0: steady -12 V")
    offered_a: float = Field(description="what the pilot signals now, per phase")
    is_contactor_closed: bool


class Meter(Document):
    """What the meter shows. Lists hold one value a phase; without ``at`` the meter does not answer."""

    register_wh: float
    at: str | None = Field(None, description="instant of the reading, by the charger's clock")
    power_w: float | None = None
    current_a: list[float | None] = []
    voltage_v: list[float | None] = []
    frequency_hz: float | None = None
    power_factor: float | None = None
    board_c: float | None = None


class Charge(Document):
    """The transaction that runs at a connector."""

    id_tag: str = Field(description="shortened")
    transaction_id: int | None = Field(description="as the central system named it; None: not yet")
    started: str
    duration_s: float
    energy_wh: float
    meter_start_wh: int
    reservation_id: int | None = None
    ending: str | None = Field(None, description="why it is about to end")


class Price(Document):
    """What charging or standing costs, in the main unit of the currency; decimals as texts, so that none is lost."""

    per_kwh: str | None = None
    per_hour: str | None = None
    flat_fee: str | None = None
    idle_per_hour: str | None = None
    idle_grace_minutes: int | None = None


class Cost(Document):
    """What a display shows of the price: what the central system told last, nothing that was computed here."""

    state: str = Field(description="Price, Charging, Idle, Follows (told once online again) or Finished (the total)")
    text: str = Field(description="in the language of the station; empty: none was told")
    amount: str | None = Field(description="so far, or in the end")
    at: str | None = Field(description="the moment that the amount stands for")
    price: Price
    next_price: Price | None
    next_price_at: str | None
    qr_code: str


class Connector(Document):
    """One connector, numbered from 1."""

    connector: int
    status: str = Field(description="ChargePointStatus, OCPP 1.6 7.7")
    error_code: str
    info: str
    needs_repair: bool = Field(default=False, description="a fault is latched until `confirm-repair`")
    is_operative: bool
    is_reserved: bool
    is_car_connected: bool
    is_car_asleep: bool = Field(default=False, description="it did not answer the wake-up either")
    has_cable: bool
    cable_rating_a: float | None
    is_locked: bool | None = Field(description="None: nothing to lock")
    light: str | None
    limit_a: float = Field(description="the current that may be offered, per phase; 0: nothing may flow")
    why: str = Field(description="why it is not more")
    bounds: list[Bound]
    most_a: float = Field(description="what the outlet can bear, per phase")
    local_limit_a: float | None = Field(description="what `limit` allows; 0: held, None: there is none")
    pilot: Pilot
    meter: Meter
    charge: Charge | None
    cost: Cost | None = Field(description="None: this charger shows no costs (CustomDisplayCostAndPrice)")
    has_reader: bool = Field(description="a card can be held to a reader that serves it")
    can_break: list[str] = Field(description="what `fault` takes here; empty on real hardware")
    broken: list[str] = Field(description="what of `can_break` is broken now")


class Charger(Document):
    """One charger."""

    id: str
    phase: str = Field(description="built, running, closing (down for a while) or stopped")
    board: str
    is_simulated: bool
    vendor: str
    model: str
    firmware_version: str | None
    is_connected: bool
    is_answering: bool = Field(
        description="accepted, and not known to leave calls unanswered; else the offline rules judge cards"
    )
    is_network_up: bool = Field(description="False: `network` took it away")
    registration: str
    time: str
    at_s: float = Field(description="the same instant as events tell theirs: charge time")
    speed: float
    waiting_messages: int = Field(description="transaction messages that the central system has not answered yet")
    undelivered_messages: int
    store_losses: list[str] = Field(description="what the store had lost at the starts of this process, one sentence each")
    faults: list[Fault]
    connectors: list[Connector]


class Summary(Document):
    """One charger in a line."""

    id: str
    phase: str
    is_connected: bool
    registration: str
    statuses: list[str]
    power_w: float
    energy_wh: float = Field(description="of the transactions that run")


class Chargers(Document):
    chargers: list[Summary]


class CommandResult(Document):
    """The command was done; its consequences show in the state."""

    done: str


class SendResult(CommandResult):
    """The answer to a call that was sent by hand, where it was waited for."""

    answer: Any = Field(default=None, description="payload of the CALLRESULT, secrets hidden; None: there is none")
    is_refused: bool = Field(False, description="a CALLERROR, an unusable answer, or a status that refuses")


class Key(Document):
    """One configuration key."""

    key: str
    value: str | None
    readonly: bool


class Keys(Document):
    keys: list[Key]
    unknown: list[str] = []


class KeyChanged(Document):
    status: str = Field(description="ConfigurationStatus, OCPP 1.6 7.19")
    reason: str


class Message(Document):
    """A transaction message in the stored queue, oldest first."""

    key: str
    action: str
    payload: dict[str, Any]
    transaction: str | None
    attempts: int
    is_undelivered: bool = Field(description="given up, and kept: `requeue` or `dismiss` it")


class Queue(Document):
    messages: list[Message]


class Period(Document):
    start_s: float
    limit: float
    phases: int | None


class ChargingProfile(Document):
    """One charging profile as installed."""

    id: int
    connector: int
    purpose: str
    stack_level: int
    kind: str
    unit: str
    valid_from: str | None
    valid_to: str | None
    start: str | None = Field(description="of its schedule; None: with the transaction")
    duration_s: int | None
    recurrence_s: int | None
    periods: list[Period]


class ChargingProfiles(Document):
    profiles: list[ChargingProfile]


class Session(Document):
    """One transaction that has ended."""

    number: int = Field(description="counted from 0 since the store was made")
    connector: int
    tag: str = Field(description="shortened")
    transaction_id: int | None = Field(description="None: the central system never said")
    started: str
    ended: str
    energy_wh: int
    in_use_s: float = Field(description="from begin to end")
    charging_s: float = Field(description="of these, with the contactor closed")
    reason: str = Field(description="Reason, OCPP 1.6 7.36")


class Sessions(Document):
    sessions: list[Session] = Field(description="the last ones, oldest first")


class Usage(Document):
    """Sessions that have ended, added up."""

    sessions: int
    energy_wh: int
    in_use_s: float
    charging_s: float


class Day(Usage):
    """A session counts for the day, in UTC, on which it ended."""

    day: str


class Statistics(Document):
    total: Usage = Field(description="since the store was made")
    days: list[Day] = Field(description="those with a session, oldest first")
