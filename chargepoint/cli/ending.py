"""How a running program ends: by itself, or by a signal."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Coroutine
from typing import Any

import click

from chargepoint.cli import EXIT_BUG


class Ending:
    """How a running program ends: by itself, or by a signal. The first signal is graceful, the second is not."""

    def __init__(self) -> None:
        self.event = asyncio.Event()
        self.signal: signal.Signals | None = None
        self._work: asyncio.Task[None] | None = None
        self._has_failed = False
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._on_signal, number)

    def _on_signal(self, number: signal.Signals) -> None:
        if self.signal is not None:
            click.echo("\nstopped at once", err=True)
            sys.stderr.flush()
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
            return
        self.signal = number
        click.echo("\nstopping in order; once more to stop at once", err=True)
        self.event.set()

    async def wait(self, seconds: float | None) -> bool:
        """Wait until the end or for ``seconds``; return whether the end has come."""
        try:
            await asyncio.wait_for(self.event.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def after(self, work: Coroutine[Any, Any, None]) -> None:
        """End when ``work`` has ended, too."""

        def over(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and task.exception() is not None:
                self._has_failed = True
                logging.getLogger(__name__).error("ended by a failure", exc_info=task.exception())
            self.event.set()

        self._work = asyncio.create_task(work)
        self._work.add_done_callback(over)

    @property
    def exit_code(self) -> int:
        if self._has_failed:
            return EXIT_BUG
        return 0 if self.signal is None else 128 + self.signal
