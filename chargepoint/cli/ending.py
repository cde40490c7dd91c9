"""How a running program ends: by itself, or by a signal.

The first SIGINT or SIGTERM ends it in order, within `IN_ORDER_S`; a second one at once. Neither depends on the event loop
to turn, nor on anybody to read what the program writes: a thread of its own takes the signals, and ends the process when
its time is over.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any

import click

from chargepoint.cli import EXIT_BUG, output
from chargepoint.runtime.shutdown import Shutdown, Urgency

SIGNALS = (signal.SIGINT, signal.SIGTERM)
IN_ORDER_S = 5.0
"""After the first signal the process has ended, whatever hangs."""
AT_ONCE_S = 1.0
"""The same after the second."""
LEAVE_S = 1.0
"""How long the process may take to end when its work is done: a look-up of a name may hang in a thread."""


class Ending:
    """How a running program ends. Use it as a context manager, in the main thread; `run` gives it an event loop."""

    def __init__(self) -> None:
        self.event = asyncio.Event()
        """The program is to end."""
        self.signal: signal.Signals | None = None
        self.shutdown = Shutdown()
        self.has_chargers = False
        """A second signal leaves the time to open contactors and to store stops."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._work: asyncio.Task[None] | None = None
        self._has_failed = False
        self._has_left_thread = False
        self._code = EXIT_BUG
        self._deadline: threading.Timer | None = None

    # --- signals ------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Ending:
        # Python writes the number of each signal into a socket, whatever the main thread is doing. That is what counts;
        # the handlers are there because without one nothing is written.
        self._receiving, self._sending = socket.socketpair()
        self._sending.setblocking(False)
        self._wakeup_before = signal.set_wakeup_fd(self._sending.fileno(), warn_on_full_buffer=False)
        self._handlers_before = [(number, signal.signal(number, _taken)) for number in SIGNALS]
        threading.Thread(target=self._take_signals, name="signals", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._handlers_before:
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup_before)
        self._sending.close()  # ends the thread
        if self._deadline is not None:
            self._deadline.cancel()
        if self._has_left_thread:
            # The interpreter would wait for it.
            output.finish()
            os._exit(self._code)

    def _take_signals(self) -> None:
        with self._receiving:
            while numbers := self._receiving.recv(64):
                for number in numbers:
                    if number in SIGNALS:
                        self._take(signal.Signals(number))

    def _take(self, number: signal.Signals) -> None:
        is_first = self.signal is None
        self.signal = self.signal or number
        self.shutdown.hurry(Urgency.SIGNALLED if is_first else Urgency.AT_ONCE)
        at_once_s = AT_ONCE_S if self.has_chargers else 0.0
        self._end_within(IN_ORDER_S if is_first else at_once_s, 128 + self.signal)
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: the program has ended
                self._loop.call_soon_threadsafe(self.event.set)
        click.echo("\nstopping in order; once more to stop at once" if is_first else "\nstopped at once", err=True)

    def _end_within(self, seconds: float, code: int) -> None:
        """End the process after so long, whatever hangs."""

        def leave() -> None:
            output.finish(0.1)
            os._exit(code)

        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = threading.Timer(seconds, leave)
        self._deadline.daemon = True
        self._deadline.start()

    # --- the program --------------------------------------------------------------------------------------------------

    def run(self, program: Coroutine[Any, Any, int]) -> int:
        """Run a program in an event loop of its own and return its exit code."""

        async def within() -> int:
            self._loop = asyncio.get_running_loop()
            if self.signal is not None:
                self.event.set()
            self._code = await program
            if self.signal is None:
                self._end_within(LEAVE_S, self._code)
            return self._code

        return asyncio.run(within())

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

    def leave_thread(self) -> None:
        """A thread hangs and will not end: the process ends without it."""
        self._has_left_thread = True

    @property
    def exit_code(self) -> int:
        if self._has_failed:
            return EXIT_BUG
        return 0 if self.signal is None else 128 + self.signal


def _taken(_number: int, _frame: FrameType | None) -> None:
    """`Ending` hears of the signal in its thread."""


def run_program(program: Callable[[Ending], Coroutine[Any, Any, int]]) -> int:
    """Run the program of a command until it ends by itself or by a signal; return its exit code."""
    with Ending() as ending:
        return ending.run(program(ending))
