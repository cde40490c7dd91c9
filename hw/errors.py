"""The root of the error tree, and the two branches that hardware and input files need.

    ChargePointError
     ├── InputFileError        what a user wrote: file, line, column, what was found and expected
     │    └── BoardFileError   the same, in a board file
     ├── HardwareError         a line or a device: the charger goes to Faulted and lives
     └── PeerError             the central system (chargepoint.model.errors)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


class ChargePointError(Exception):
    """Base of every error this project raises on purpose."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in an input file; line and column count from 1.

    Line 0: ``file`` names what has no lines, such as an environment variable.
    """

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class InputFileError(ChargePointError):
    """Something a user wrote cannot be used. Prints as ``file:line:column: problem``, one line a mistake.

    ``further`` are the other mistakes that were found in the same reading, in the order of the file.
    """

    def __init__(self, mark: Mark, problem: str) -> None:
        super().__init__(mark, problem)
        self.mark = mark
        self.problem = problem
        self.further: tuple[InputFileError, ...] = ()

    def __str__(self) -> str:
        return "\n".join([self._line(), *map(str, self.further)])

    def _line(self) -> str:
        return f"{self.mark}: {self.problem}"

    @property
    def mistakes(self) -> tuple[InputFileError, ...]:
        """Every mistake by itself, this one first."""
        return (self, *self.further)


def first_of(mistakes: Iterable[InputFileError]) -> InputFileError:
    """Return the first mistake of at least one, in the order of lines, with the others as its ``further`` ones.

    Of several at one place the first that was found is kept. Files keep the order in which they were found.
    """
    at: dict[Mark, InputFileError] = {}
    for mistake in mistakes:
        at.setdefault(mistake.mark, mistake)
    files = list(dict.fromkeys(mark.file for mark in at))
    first, *others = sorted(at.values(), key=lambda each: (files.index(each.mark.file), each.mark.line, each.mark.column))
    first.further = tuple(others)
    return first


class BoardFileError(InputFileError):
    """A board file cannot be used."""


class HardwareError(ChargePointError):
    """A line or a device failed; ``device`` names it in the board file's words."""

    def __init__(self, device: str, problem: str) -> None:
        super().__init__(device, problem)
        self.device = device
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.device}: {self.problem}"
