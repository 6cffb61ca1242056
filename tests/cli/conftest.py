"""The caller of verbs, for all tests of the command line, with short waits of the service."""

import pytest

from tests.cli.calling import call
from tests.faults.conftest import fast
from tests.quick import hurry

__all__ = ["call", "fast"]


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)
