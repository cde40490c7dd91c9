"""An MQTT broker of other people's code: Eclipse Mosquitto (``sudo apt install mosquitto``), and a client that listens."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiomqtt import Client

from tests.runtime.desk import until

PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin"))
MOSQUITTO = shutil.which("mosquitto", path=PATH)
MOSQUITTO_PASSWD = shutil.which("mosquitto_passwd", path=PATH)

needs_mosquitto = pytest.mark.skipif(
    MOSQUITTO is None or MOSQUITTO_PASSWD is None,
    reason="Eclipse Mosquitto is not installed: sudo apt install mosquitto",
)


class Mosquitto:
    """A broker on a port of its own. It remembers nothing when it stops."""

    def __init__(self, folder: Path, *, user: str | None = None, password: str = "", tls: str = "") -> None:
        """``tls``: further lines for its listener."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.user, self.password = user, password
        self._configuration = folder / "mosquitto.conf"
        lines = [
            f"listener {self.port} 127.0.0.1",
            f"user {getpass.getuser()}",
            "persistence false",
            "log_type all",
            tls,
        ]
        if user is None:
            lines.append("allow_anonymous true")
        else:
            secrets = folder / "passwords"
            subprocess.run(
                [str(MOSQUITTO_PASSWD), "-b", "-c", str(secrets), user, password], check=True, capture_output=True
            )
            lines += ["allow_anonymous false", f"password_file {secrets}"]
        self._configuration.write_text("\n".join(lines) + "\n")
        self._log = folder / "mosquitto.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            command = [str(MOSQUITTO), "-c", str(self._configuration)]
            return subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    async def start(self) -> None:
        self._process = self._spawn()
        await until(self._answers, f"the broker: {self.log}")

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1.0):
            return True
        return False

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @asynccontextmanager
    async def listener(self) -> AsyncIterator[Listener]:
        """A client that hears everything while the context lasts."""
        login = {} if self.user is None else {"username": self.user, "password": self.password}
        async with Client("127.0.0.1", self.port, **login) as client:  # type: ignore[arg-type]
            listener = Listener(client)
            await client.subscribe("#", qos=1)
            hearing = asyncio.create_task(listener.hear())
            try:
                yield listener
            finally:
                hearing.cancel()
                await asyncio.gather(hearing, return_exceptions=True)


@dataclass
class Listener:
    """What was heard: the last payload by topic, and everything in order, with the moment (of the event loop's clock)."""

    client: Client
    last: dict[str, str] = field(default_factory=dict)
    heard: list[tuple[float, str, str, bool]] = field(default_factory=list)
    """When, topic, payload, whether the broker had kept it."""

    async def hear(self) -> None:
        loop = asyncio.get_running_loop()
        async for message in self.client.messages:
            assert isinstance(message.payload, bytes)
            topic, payload = str(message.topic), message.payload.decode()
            self.last[topic] = payload
            self.heard.append((loop.time(), topic, payload, message.retain))

    async def hears(self, topic: str, payload: str) -> None:
        """Wait until this is the last word at a topic."""
        await until(
            lambda: self.last.get(topic) == payload, f"{payload!r} at {topic}; it says {self.last.get(topic)!r}"
        )

    async def say(self, topic: str, payload: str, *, retain: bool = False) -> None:
        await self.client.publish(topic, payload, qos=1, retain=retain)


@asynccontextmanager
async def mosquitto(folder: Path, **options: str) -> AsyncIterator[Mosquitto]:
    """A broker that runs while the context lasts."""
    broker = Mosquitto(folder, **options)
    await broker.start()
    try:
        yield broker
    finally:
        broker.stop()
