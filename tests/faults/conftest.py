"""Time in the tests of faults: the service's waits are short, or one clock runs fast for all processes."""

from __future__ import annotations

import pytest

from batchtui import clock
from tests.quick import hurry

SPEED = 60.0
"""Seconds that pass in one of the machine's."""


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """One clock for the server, the commands and the service of a test."""
    monkeypatch.setenv(clock.VARIABLE, clock.Clock(SPEED).variable())


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service of a test waits shortly."""
    hurry(monkeypatch)
