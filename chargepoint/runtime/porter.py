"""Who carries files for a charger: somebody who only pretends, or real transfers in threads.

Simulated chargers by the thousand, and everything on a clock that jumps, pretend: outcome and duration are written in the
plan. A charger that dials a real central system moves real files; what that needs is imported when the first one moves.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import re
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from chargepoint.model.outbox import CancelTransfer, Errand, Install, Ref, StartTransfer
from chargepoint.model.timebase import Timer, Timers
from chargepoint.model.transfer import Outcome, Transferred, failed
from profiles.firmware.diagnostics import KIND as DIAGNOSTICS

from .file_hosts import ANYWHERE, FileHosts
from .store import StoreError

if TYPE_CHECKING:
    from .charger import Charger
    from .diagnostics import Recollection
    from .transfer import TransferFailed

log = logging.getLogger(__name__)

NO_SFTP = "SFTP needs asyncssh, which is not installed: pip install asyncssh, or 'chargepoint[sftp]'"


def has_sftp() -> bool:
    """Whether the library for SFTP is installed; it is not imported."""
    return importlib.util.find_spec("asyncssh") is not None


def protocols() -> tuple[str, ...]:
    """Return how files can come and go here, as SupportedFileTransferProtocols lists it (OCPP 1.6, 8)."""
    return ("HTTP", "HTTPS", "FTP", "FTPS", *(("SFTP",) if has_sftp() else ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTrust:
    """Which file servers are trusted, and what proves us to them beside user and password of the URL."""

    ca_file: Path | None = None
    """Roots for HTTPS and FTPS, PEM; None trusts those of the operating system."""
    known_hosts: Path | None = None
    """Host keys for SFTP, in the format of OpenSSH; None is the user's ``~/.ssh/known_hosts``."""
    sftp_key: Path | None = None
    """A private key for SFTP, without a passphrase."""
    hosts: FileHosts = ANYWHERE
    """Where files may come from and go to."""


DEFAULT_TRUST = FileTrust()


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePlan:
    """How a charger moves files and installs firmware. ``None`` for an outcome: really; True and False: pretended."""

    download_succeeds: bool | None = True
    download_s: float = 10.0
    upload_succeeds: bool | None = True
    upload_s: float = 5.0
    install_succeeds: bool | None = True
    install_s: float = 20.0
    version: str | None = None
    """What the new firmware calls itself; None: what the name of its file says (``wall-2.1.0.bin``)."""
    restarts: bool = True
    """New firmware is in force after a restart, which follows the installation."""
    command: tuple[str, ...] = ()
    """Installs real firmware: it is run with the path of the file as its last argument, exit code 0 is success."""
    command_timeout_s: float = 600.0
    timeout_s: float = 30.0
    """Silence of a peer after which a transfer has failed."""
    limit_s: float = 1800.0
    """Longest time of one transfer."""
    failure_s: float = 30.0
    """A real transfer that fails ends no earlier, so that its time does not tell whether a port answers."""
    largest_bytes: int = 512 * 1024 * 1024
    http_method: str = "PUT"
    """How diagnostics go to an HTTP server: PUT or POST."""
    trust: FileTrust = DEFAULT_TRUST
    directory: Path | None = None
    """Where files lie meanwhile; needed for real ones."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Texts that diagnostics must not contain."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a transfer may cost."""

    timeout_s: float
    limit_s: float
    largest_bytes: int
    is_unwanted: Callable[[], bool] = lambda: False


def version_in(url: str) -> str | None:
    """Return the version that the name of a firmware file tells, None when it tells none."""
    name = re.split(r"[?#]", url)[0].rsplit("/", 1)[-1]
    found = re.search(r"\d{1,9}(?:\.\d{1,9})+(?:[-+][0-9A-Za-z]+)?", name)
    return None if found is None else found[0][:50]


AT_ONCE = 16
"""Transfers under way in one process. A thread each: 5,000 chargers may be asked for diagnostics in the same second."""


class Slots:
    """Lets so many begin at once; who comes later waits in order. Used in the thread of the event loop."""

    def __init__(self, count: int = AT_ONCE) -> None:
        self._free = count
        self._waiting: deque[Callable[[], bool]] = deque()

    def take(self, begin: Callable[[], bool]) -> None:
        """Call ``begin`` as soon as there is a slot. It says whether it began, and so keeps the slot until `give_back`."""
        self._waiting.append(begin)
        self._fill()

    def give_back(self) -> None:
        self._free += 1
        self._fill()

    def _fill(self) -> None:
        while self._free and self._waiting:
            self._free -= 1
            if not self._waiting.popleft()():
                self._free += 1


class SimulatedPorter:
    """Pretends: everything ends as planned, after as long as planned, in charge time."""

    def __init__(self, charger: Charger, timers: Timers, plan: FilePlan) -> None:
        self._charger = charger
        self._timers = timers
        self._plan = plan
        self._due: dict[Ref, Timer] = {}

    def carry(self, errand: Errand) -> None:
        plan = self._plan
        if isinstance(errand, CancelTransfer):
            timer = self._due.pop(errand.ref, None)
            if timer is not None:
                timer.cancel()
        elif isinstance(errand, Install):
            version = plan.version or version_in(errand.url)
            good = Transferred(Outcome.INSTALLED, version=version, needs_restart=plan.restarts)
            self._later(errand.ref, plan.install_s, plan.install_succeeds, good)
        elif errand.is_upload:
            self._later(errand.ref, plan.upload_s, plan.upload_succeeds, Transferred(Outcome.UPLOADED))
        else:
            self._later(errand.ref, plan.download_s, plan.download_succeeds, Transferred(Outcome.DOWNLOADED))

    def _later(self, ref: Ref, delay_s: float, succeeds: bool | None, good: Transferred) -> None:
        end = failed("planned so") if succeeds is False else good

        def arrive(_now_s: float) -> None:
            del self._due[ref]
            self._charger.on_transfer(ref, end)

        self._due[ref] = self._timers.at(self._timers.charge_s + delay_s, arrive)

    def stop(self) -> None:
        for timer in self._due.values():
            timer.cancel()
        self._due.clear()


def _failed(error: TransferFailed) -> Transferred:
    return failed(str(error), is_final=error.is_final, is_impossible=error.is_impossible)


Work = Callable[[threading.Event], Transferred]
"""What a thread does; the event is set when it is not wanted any more."""


class RealPorter:
    """Moves real files, each in a thread of its own, as many at once as there are ``slots``.

    What the plan pretends is left to a `SimulatedPorter`. Create it where the event loop runs.
    """

    def __init__(
        self,
        charger: Charger,
        timers: Timers,
        plan: FilePlan,
        recollection: Recollection | None = None,
        slots: Slots | None = None,
    ) -> None:
        """``slots`` may be shared by many chargers. Raises ValueError for a plan without a directory."""
        if plan.directory is None:
            raise ValueError("real transfers need a directory")
        self._charger = charger
        self._plan = plan
        self._directory = plan.directory
        self._pretended = SimulatedPorter(charger, timers, plan)
        self._recollection = recollection
        self._slots = slots or Slots()
        self._loop = asyncio.get_running_loop()
        self._unwanted: dict[Ref, threading.Event] = {}
        """Set to end what is under way."""
        self._sweep("*.part", f"{DIAGNOSTICS}-*")  # what a power cut left in the middle

    @property
    def is_busy(self) -> bool:
        """A real transfer or installation is under way."""
        return bool(self._unwanted)

    def carry(self, errand: Errand) -> None:
        plan = self._plan
        if isinstance(errand, CancelTransfer):
            self._pretended.carry(errand)
            unwanted = self._unwanted.pop(errand.ref, None)
            if unwanted is not None:
                unwanted.set()
            self._remove(errand.ref)
        elif isinstance(errand, Install):
            if plan.command:
                self._start(errand.ref, lambda: lambda _is_unwanted: self._install(errand.ref), failure_s=0.0)
            elif plan.install_succeeds is not None:
                self._pretended.carry(errand)
            else:
                problem = "nothing installs firmware here: give firmware: {command: […]} in the configuration"
                self._loop.call_soon(self._charger.on_transfer, errand.ref, failed(problem, is_final=True))
        elif (plan.upload_succeeds if errand.is_upload else plan.download_succeeds) is not None:
            self._pretended.carry(errand)
        elif errand.is_upload:
            self._start(errand.ref, lambda: self._upload(errand), failure_s=plan.failure_s)
        else:
            self._start(
                errand.ref, lambda: lambda unwanted: self._download(errand, unwanted), failure_s=plan.failure_s
            )

    def stop(self) -> None:
        self._pretended.stop()
        for unwanted in self._unwanted.values():
            unwanted.set()
        self._unwanted.clear()

    def _file(self, ref: Ref) -> Path:
        return self._directory / f"{ref.kind}-{re.sub('[^0-9A-Za-z.-]', '_', ref.key)}"

    def _remove(self, ref: Ref) -> None:
        try:
            self._file(ref).unlink(missing_ok=True)
        except OSError as error:
            log.warning(
                "a file that has served cannot be removed: %s",
                error.strerror,
                extra={"charger": self._charger.identity},
            )

    def _sweep(self, *patterns: str) -> None:
        for pattern in patterns:
            for path in self._directory.glob(pattern):
                with suppress(OSError):
                    path.unlink(missing_ok=True)

    def _start(self, ref: Ref, prepare: Callable[[], Work], *, failure_s: float) -> None:
        """``prepare`` is called in the loop's thread when a slot is free, what it returns in a thread.

        A failure is reported ``failure_s`` after the begin at the earliest.
        """
        is_unwanted = self._unwanted[ref] = threading.Event()

        def begin() -> bool:
            if is_unwanted.is_set():
                return False
            try:
                work = prepare()
                # A daemon: a peer that does not answer must not keep the program from ending.
                threading.Thread(target=run, args=(work,), name=ref.kind, daemon=True).start()
            except Exception as error:
                ended = failed(str(error)) if isinstance(error, StoreError) else broken(error)
                self._loop.call_soon(self._tell, ref, is_unwanted, ended)
                return False
            return True

        def broken(error: Exception) -> Transferred:
            # The message may hold the URL, and that a password.
            if not is_unwanted.is_set():
                log.error("%s ended with %s", ref.kind, type(error).__name__, extra={"charger": self._charger.identity})
            return failed(f"internal error: {type(error).__name__}")

        def run(work: Work) -> None:
            earliest_s = self._loop.time() + failure_s
            try:
                ended = work(is_unwanted)
            except Exception as error:
                ended = broken(error)
            try:
                self._loop.call_soon_threadsafe(self._arrive, ref, is_unwanted, earliest_s, ended)
            except RuntimeError:
                log.debug("the program ended before %s did", ref.kind, extra={"charger": self._charger.identity})

        self._slots.take(begin)

    def _arrive(self, ref: Ref, is_unwanted: threading.Event, earliest_s: float, ended: Transferred) -> None:
        self._slots.give_back()
        if ended.outcome is Outcome.FAILED and not ended.is_impossible and earliest_s > self._loop.time():
            # A host that may not be used, one that does not answer and one that answers with an error end alike.
            self._loop.call_at(earliest_s, self._tell, ref, is_unwanted, ended)
        else:
            self._tell(ref, is_unwanted, ended)

    def _tell(self, ref: Ref, is_unwanted: threading.Event, ended: Transferred) -> None:
        if is_unwanted.is_set() or self._unwanted.get(ref) is not is_unwanted:
            return
        del self._unwanted[ref]
        self._charger.on_transfer(ref, ended)

    # --- in a thread --------------------------------------------------------------------------------------------------

    def _download(self, order: StartTransfer, is_unwanted: threading.Event) -> Transferred:
        from . import transfer

        self._sweep(f"{order.ref.kind}-*")
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            transfer.download(order.url, self._file(order.ref), self._limits(is_unwanted), self._plan.trust)
        except transfer.TransferFailed as error:
            return _failed(error)
        except OSError as error:
            return failed(f"no place for the file: {error.strerror or type(error).__name__}")
        if is_unwanted.is_set():
            self._remove(order.ref)  # it came whole at the moment it was cancelled
        return Transferred(Outcome.DOWNLOADED)

    def _upload(self, order: StartTransfer) -> Work:
        """Take what the archive tells, where nothing changes meanwhile; packing and sending take their time."""
        from . import diagnostics

        contents = diagnostics.contents(
            self._charger, self._recollection, order.since_utc_s, order.until_utc_s, self._plan.secrets
        )

        def work(is_unwanted: threading.Event) -> Transferred:
            from . import transfer

            path = self._file(order.ref)
            try:
                diagnostics.pack(path, contents)
                limits, method = self._limits(is_unwanted), self._plan.http_method
                transfer.upload(path, order.url, order.name, limits, method, self._plan.trust)
            except transfer.TransferFailed as error:
                return _failed(error)
            except OSError as error:
                return failed(f"the archive cannot be written: {error.strerror or type(error).__name__}")
            finally:
                self._remove(order.ref)
            return Transferred(Outcome.UPLOADED)

        return work

    def _limits(self, is_unwanted: threading.Event) -> Limits:
        return Limits(self._plan.timeout_s, self._plan.limit_s, self._plan.largest_bytes, is_unwanted.is_set)

    def _install(self, ref: Ref) -> Transferred:
        """Hand the file to the command that was configured; nothing that was fetched is ever run."""
        import subprocess

        path = self._file(ref)
        if not path.is_file() and self._plan.download_succeeds is None:
            return failed("the file that was fetched is gone", is_final=True)
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            with (self._directory / "install.log").open("wb") as told:
                done = subprocess.run(
                    [*self._plan.command, str(path.absolute())],
                    stdin=subprocess.DEVNULL,
                    stdout=told,
                    stderr=subprocess.STDOUT,
                    timeout=self._plan.command_timeout_s,
                    check=False,
                )
        except subprocess.TimeoutExpired:
            return failed(
                f"{self._plan.command[0]} did not end within {self._plan.command_timeout_s:g} s and was killed"
            )
        except OSError as error:
            return failed(f"{self._plan.command[0]} cannot be run: {error.strerror}", is_final=True)
        if done.returncode:
            return failed(f"{self._plan.command[0]} ended with {done.returncode}; install.log has what it said")
        return Transferred(Outcome.INSTALLED, version=self._plan.version, needs_restart=self._plan.restarts)
