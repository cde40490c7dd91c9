"""The connection of one charger to its MQTT broker: tells what changed, takes orders, comes back after outages.

Nothing here can make a charger wait, and nothing grows: a topic is told at most once in `TELL_EVERY_S`, the latest value
only, and each message is acknowledged before the next one leaves.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from random import Random

from aiomqtt import Client, Message, MqttCodeError, MqttError, Will
from paho.mqtt.reasoncodes import ReasonCode

from chargepoint.runtime.address import Tls
from chargepoint.runtime.charger import Charger
from chargepoint.runtime.control import views
from chargepoint.runtime.control.dispatcher import CommandDispatcher
from chargepoint.runtime.control.responses import CommandResult, Document
from chargepoint.runtime.control.waiting import Waiting
from hw.errors import ChargePointError

from .broker import Broker
from .entities import OFFLINE, ONLINE, Topics, UnknownOrder

log = logging.getLogger(__name__)

TELL_EVERY_S = 1.0
ANSWER_S = 10.0
"""How long the broker may take for any answer."""
KEEP_ALIVE_S = 30
"""After one and a half times this the broker declares a silent charger dead, by its last will (MQTT 3.1.1, 3.1.2.10).

After once this aiomqtt closes the socket of an attempt that it gave up: back-off bounds how many there are.
"""
FIRST_RETRY_S = 1.0
LONGEST_RETRY_S = 60.0
STEADY_S = 10.0
"""A connection that lasted so long ends the back-off: two clients of one name would throw each other out every second."""
GOODBYE_S = 3.0
"""How long the broker may take to hear that we go."""
WAITING_ORDERS = 100
"""Orders that may wait; of a flood the rest is dropped."""
LOGIN_REFUSED = (134, 135)
"""Bad user name or password, not authorised: what MQTT 5 calls the return codes 4 and 5 of MQTT 3.1.1."""


class Bridge:
    """Joins a charger to a broker from `start` to `close`."""

    def __init__(self, desk: CommandDispatcher, charger: Charger, broker: Broker, rng: Random) -> None:
        self._desk = desk
        self._charger = charger
        self._broker = broker
        self._rng = rng
        self._topics = Topics(broker, charger.identity)
        self._told: dict[str, str] = {}
        """What was told over this connection, by topic."""
        self._is_asked_for_all = False
        self._closing = asyncio.Event()
        self._is_connected = False
        self._task: asyncio.Task[None] | None = None
        self._problem = ""
        self._retry_s = FIRST_RETRY_S

    def start(self) -> None:
        """Connect in the background, now and whenever the connection is lost."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Say that the charger is offline, and go."""
        self._closing.set()
        if self._task is not None:
            if self._is_connected:
                await asyncio.wait([self._task], timeout=GOODBYE_S)
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    # --- the connection -----------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while not self._closing.is_set():
            try:
                async with self._client() as client:
                    await self._serve(client)
            except MqttError as error:
                self._complain(self._explained(error))
            except Exception as error:
                # Whatever it is: the charger goes on, and so does the bridge.
                self._complain(f"MQTT failed: {error!r}", error)
            await self._pause(self._retry_s * self._rng.uniform(0.5, 1.0))
            self._retry_s = min(2.0 * self._retry_s, LONGEST_RETRY_S)

    def _client(self) -> Client:
        broker = self._broker
        return Client(
            broker.host,
            broker.port,
            identifier=self._topics.client_id,
            username=broker.user,
            password=broker.password,
            will=Will(self._topics.availability, OFFLINE, qos=1, retain=True),
            keepalive=KEEP_ALIVE_S,
            timeout=ANSWER_S,
            max_queued_incoming_messages=WAITING_ORDERS,
            tls_context=None if broker.ca_file is None else Tls(ca_file=broker.ca_file).context(),
        )

    async def _serve(self, client: Client) -> None:
        """Tell and listen until the end. Raises MqttError when the connection is lost."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        self._is_asked_for_all = self._is_connected = True
        try:
            await self._subscribe(client)
            await self._tell_and_listen(client)
        finally:
            self._is_connected = False
            if loop.time() - began_s >= STEADY_S:
                self._problem, self._retry_s = "", FIRST_RETRY_S

    async def _tell_and_listen(self, client: Client) -> None:
        tasks = [asyncio.create_task(self._listen(client)), asyncio.create_task(self._tell(client))]
        try:
            done, _running = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _subscribe(self, client: Client) -> None:
        for topic in (*self._topics.orders(), self._topics.birth):
            for code in await client.subscribe(topic, qos=1):
                if isinstance(code, ReasonCode) and code.is_failure:
                    log.warning(
                        "the MQTT broker does not let us listen at %s", topic, extra={"charger": self._charger.identity}
                    )

    async def _pause(self, seconds: float) -> None:
        """Wait, or until we are to close."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)

    def _explained(self, error: MqttError) -> str:
        broker = self._broker
        place = f"{broker.host}:{broker.port}"
        if isinstance(error, MqttCodeError) and isinstance(error.rc, ReasonCode) and error.rc.value in LOGIN_REFUSED:
            who = "nobody: give user and password_file" if broker.user is None else f"{broker.user!r}"
            return f"the MQTT broker at {place} refuses {who}: wrong user or password"
        return f"no MQTT broker at {place}: {error}"

    def _complain(self, problem: str, error: Exception | None = None) -> None:
        """Say what is wrong, once and not at every attempt."""
        if problem != self._problem:
            self._problem = problem
            log.warning("%s; trying again", problem, exc_info=error, extra={"charger": self._charger.identity})

    # --- what goes out ------------------------------------------------------------------------------------------------

    async def _tell(self, client: Client) -> None:
        await self._tell_changes(client)
        broker = self._broker
        log.info("on the MQTT broker at %s:%d", broker.host, broker.port, extra={"charger": self._charger.identity})
        while not self._closing.is_set():
            await self._pause(TELL_EVERY_S)
            await self._tell_changes(client)
        await self._publish(client, self._topics.availability, OFFLINE)

    async def _tell_changes(self, client: Client) -> None:
        if self._is_asked_for_all:
            self._is_asked_for_all = False
            self._told.clear()
        for topic, payload in self._topics.messages(views.charger(self._charger, self._desk.clock)):
            if self._told.get(topic) != payload:
                await self._publish(client, topic, payload)
                self._told[topic] = payload

    async def _publish(self, client: Client, topic: str, payload: str) -> None:
        await client.publish(topic, payload, qos=1, retain=True)

    # --- what comes in ------------------------------------------------------------------------------------------------

    async def _listen(self, client: Client) -> None:
        async for message in client.messages:
            self._take(message)

    def _take(self, message: Message) -> None:
        topic = str(message.topic)
        payload = message.payload if isinstance(message.payload, bytes) else b""
        if topic == self._topics.birth:
            if payload == ONLINE.encode():
                self._is_asked_for_all = True
        elif message.retain:
            # What somebody once wanted is no order for now: it would come again with every connection.
            log.warning("a retained message at %s is no order", topic, extra={"charger": self._charger.identity})
        else:
            self._obey(topic, payload)

    def _obey(self, topic: str, payload: bytes) -> None:
        try:
            name, arguments = self._topics.command(topic, payload)
            result = self._desk.do(self._desk.command(name), self._charger, arguments)
        except (ChargePointError, UnknownOrder) as error:
            log.warning("refused over MQTT: %s", error, extra={"charger": self._charger.identity})
        else:
            if isinstance(result, Waiting):
                waiting = result
                waiting.when_done(lambda: self._log_end(name, waiting))
            else:
                self._log_done(name, result)

    def _log_end(self, name: str, waiting: Waiting) -> None:
        try:
            self._log_done(name, waiting.result())
        except ChargePointError as error:
            log.warning("failed over MQTT: %s", error, extra={"charger": self._charger.identity})

    def _log_done(self, name: str, result: Document) -> None:
        done = result.done if isinstance(result, CommandResult) else name
        log.info("over MQTT: %s", done, extra={"charger": self._charger.identity})
