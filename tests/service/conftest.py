"""The service's waits are short in all its tests."""

import pytest

from tests.quick import hurry


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)
