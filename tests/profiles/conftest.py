"""Chargers for the tests of the feature profiles."""

from __future__ import annotations

import pytest

from tests.world import World


@pytest.fixture
def world() -> World:
    """A tethered 11 kW box, booted and accepted."""
    return World()


@pytest.fixture
def socket() -> World:
    """A box with a socket and a lock."""
    return World(board="ac11-sim-socket")


@pytest.fixture
def duo() -> World:
    """Two sockets that share a reader."""
    return World(board="ac22-sim-duo")
