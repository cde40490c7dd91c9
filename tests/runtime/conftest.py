"""What several tests of the runtime stand on."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that is fetched can be written."""

    class Full(io.FileIO):
        def write(self, block: Any) -> int:
            raise OSError(28, "No space left on device")

    real_open = Path.open
    monkeypatch.setattr(
        Path, "open", lambda self, mode="r": Full(self, "wb") if self.suffix == ".part" else real_open(self, mode)
    )
