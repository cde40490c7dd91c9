"""Metrics in the Prometheus format, drawn when they are asked for. Labels are states, never chargers: a fleet has many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from chargepoint.runtime.control import views
from chargepoint.runtime.control.dispatcher import CommandDispatcher
from chargepoint.runtime.control.events import Events


class _Chargers:
    """A collector, as prometheus-client wants it."""

    def __init__(self, desk: CommandDispatcher, events: Events, energies: Sequence[views.Energy]) -> None:
        self._desk = desk
        self._events = events
        self._energies = energies

    def collect(self) -> Iterator[Metric]:
        chargers = list(self._desk.chargers.values())
        phases = Counter(each.phase.value for each in self._desk.all_chargers.values())
        yield _by("chargepoint_chargers", "Chargers", "phase", phases)
        registrations = Counter(each.model.session.registration.value for each in chargers)
        yield _by("chargepoint_registrations", "Chargers by registration", "status", registrations)
        statuses = Counter(views.status(each, connector) for each in chargers for connector in each.model.connectors)
        yield _by("chargepoint_connectors", "Connectors by ChargePointStatus", "status", statuses)
        connected = sum(views.is_connected(each) for each in chargers)
        yield GaugeMetricFamily("chargepoint_connected", "Chargers with an open socket", connected)
        power_w = sum(each.power_w for each in self._energies)
        yield GaugeMetricFamily("chargepoint_power_watts", "Sum of the power that the meters show", power_w)
        register_wh = sum(each.register_wh for each in self._energies)
        yield GaugeMetricFamily("chargepoint_register_watt_hours", "Sum of the meter registers", register_wh)
        waiting = sum(len(each.model.queue) for each in chargers)
        yield GaugeMetricFamily("chargepoint_waiting_messages", "Transaction messages without an answer", waiting)
        undelivered = sum(len(each.model.queue.undelivered) for each in chargers)
        yield GaugeMetricFamily("chargepoint_undelivered_messages", "Transaction messages given up", undelivered)
        failing = int(self._desk.is_store_failing())
        yield GaugeMetricFamily("chargepoint_store_failing", "1 while nothing can be stored, and so little sent", failing)
        yield CounterMetricFamily("chargepoint_events", "Journal entries of all chargers", self._events.last)


def _by(name: str, help_text: str, label: str, counts: Counter[str]) -> Metric:
    family = GaugeMetricFamily(name, help_text, labels=[label])
    for value, count in sorted(counts.items()):
        family.add_metric([value], count)
    return family


def exposition(desk: CommandDispatcher, events: Events, energies: Sequence[views.Energy]) -> tuple[bytes, str]:
    """Return the metrics as text, and its content type; ``energies`` are those of all chargers."""
    registry = CollectorRegistry()
    registry.register(_Chargers(desk, events, energies))
    return generate_latest(registry), CONTENT_TYPE_LATEST
