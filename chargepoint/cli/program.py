"""What this program is called by whoever started it, so that what a hint says can be typed."""

from __future__ import annotations

import os
import re
import sys

USUAL = "chargepoint"
VARIABLE = "CHARGEPOINT_PROGRAM"
"""Set by the script `run`, which is not what it starts."""
COMPLETE_VARIABLE = "_CHARGEPOINT_COMPLETE"
"""Set by a shell that completes, whatever the program is called."""
_COMMANDS = "demo|run|fleet|csms|ctl|stats|doctor|backend|board|keys|config|completion"
_COMMAND = re.compile(rf"(?<![\w/.-]){USUAL} ({_COMMANDS})\b")


def name() -> str:
    """Return the program as it was called, without arguments."""
    told = os.environ.get(VARIABLE)
    if told:
        return told
    called = sys.argv[0]
    if os.path.basename(called) == "__main__.py":
        return f"python -m {USUAL}"
    from shutil import which  # imports compression

    is_elsewhere = os.path.basename(called) == USUAL and which(USUAL) != called
    return called if is_elsewhere and os.sep in called else USUAL


def spoken(text: str) -> str:
    """Return a text that names commands as `chargepoint …` with the program as it was called."""
    return _called(text, name())


def lasting(text: str) -> str:
    """Return the same for a file that is kept: a path of this machine means nothing where it is read later."""
    return _called(text, USUAL if os.path.isabs(name()) else name())


def _called(text: str, program: str) -> str:
    return text if program == USUAL else _COMMAND.sub(lambda found: f"{program} {found[1]}", text)
