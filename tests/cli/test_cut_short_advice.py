"""The command that ``retry`` names for answers that are cut short fits why they are."""

from __future__ import annotations

import pytest

from tests.cli.calling import Caller


@pytest.mark.parametrize(
    ("word", "reason", "advice", "change"),
    [
        ("refuse", "refusal", "change the prompt or the model", "--set model=…"),
        ("cut", "max_tokens", "raise max_tokens", "--set max_tokens=…"),
    ],
)
def test_a_retry_advises_what_helps(call: Caller, word: str, reason: str, advice: str, change: str) -> None:
    call("submit", call.source(3, n0=word, n1="error"), "--wait", "--yes")
    local_id = call("list", "--json").json[0]["local_id"]
    said = call("retry", "last", "--dry-run").err
    command = f"batchtui retry {local_id} --only cut_short {change}\n"
    assert f"1 cut short answer not retried ({reason}): {advice}: {command}" in said
