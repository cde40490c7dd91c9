"""What the tests of the command line share: nobody's configuration, and logging put back.

A command sets up logging for its process, which here is everybody's. What the person who runs the tests has configured
for real stays out of them.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from chargepoint.runtime import layers


@pytest.fixture(autouse=True)
def system_file(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stand in a directory without configuration, with a home and a system file of our own; return the latter."""
    nobody = tmp_path_factory.mktemp("nobody")
    for name in [name for name in os.environ if name.startswith("CHARGEPOINT_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("HOME", str(nobody / "home"))
    monkeypatch.setattr(layers, "SYSTEM_FILE", nobody / "etc" / "config.yaml")
    (nobody / "here").mkdir()
    monkeypatch.chdir(nobody / "here")
    return nobody / "etc" / "config.yaml"


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    names = (None, "asyncio", "chargepoint.runtime.link")
    before = [(logging.getLogger(name), logging.getLogger(name).level) for name in names]
    root = logging.getLogger()
    handlers = list(root.handlers)
    yield
    root.handlers[:] = handlers
    for logger, level in before:
        logger.setLevel(level)
