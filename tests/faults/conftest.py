"""The clock of tests that wait for what takes minutes."""

from __future__ import annotations

import pytest

from batchtui import clock

SPEED = 60.0
"""Seconds that pass in one of the machine's."""


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """One clock for the server, the commands and the service of a test."""
    monkeypatch.setenv(clock.VARIABLE, clock.Clock(SPEED).variable())
