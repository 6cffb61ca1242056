"""All who read a result line take it the same way down: as documented, mended, leniently."""

from __future__ import annotations

import json
from typing import Any

import pytest

from batchtui.domain.outcome import ERRORED, SUCCEEDED, UNREADABLE
from batchtui.results.line import read_line
from batchtui.results.text import read_answer

Said = tuple[str | None, str, str, tuple[str, ...]]
"""Text, error, message, and what tools are called with."""

CALL = {"type": "tool_use", "id": "t", "name": "n", "input": {"a": 1}}
SAID = {"type": "text", "text": "Hello"}


def succeeded(content: object, **more: Any) -> dict[str, Any]:
    return {"type": "succeeded", "message": {"model": "m", "stop_reason": "end_turn", "content": content, **more}}


def errored(kind: object, message: object, **more: Any) -> dict[str, Any]:
    body = {"type": kind, "message": message, **more}
    return {"type": "errored", "error": {"type": "error", "error": body}}


CASES: list[tuple[object, dict[str, Any], int, Said]] = [
    # As documented.
    ("a", succeeded([SAID, CALL]), SUCCEEDED, ("Hello", "", "", ('{"a": 1}',))),
    ("a", errored("api_error", "boo"), ERRORED, (None, "api_error", "boo", ())),
    # A part that only one reader wants is odd: the others still read theirs.
    (5, succeeded([SAID, CALL]), SUCCEEDED, ("Hello", "", "", ('{"a": 1}',))),
    ("a", succeeded([CALL], usage="none"), SUCCEEDED, ('{"a": 1}', "", "", ('{"a": 1}',))),
    ("a", errored("api_error", "boo", details=7), ERRORED, (None, "api_error", "boo", ())),
    ("a", succeeded("Hello"), SUCCEEDED, ("Hello", "", "", ())),
    ("a", succeeded([None, SAID, {"type": None}]), SUCCEEDED, ("Hello", "", "", ())),
    # A lone surrogate is mended.
    ("a", succeeded([{"type": "text", "text": "x\ud83d"}, CALL]), SUCCEEDED, ("x�", "", "", ('{"a": 1}',))),
    # A success without a message is no answer.
    ("a", {"type": "succeeded", "message": 3}, UNREADABLE, (None, "unreadable", "", ())),
    ("a", {"type": "succeeded"}, UNREADABLE, (None, "unreadable", "", ())),
]


def said(line: bytes) -> Said:
    found = read_answer(line)
    return found.text, found.error, found.message, found.inputs


@pytest.mark.parametrize(("custom_id", "result", "outcome", "answer"), CASES)
def test_the_index_and_the_answer_agree(custom_id: object, result: dict[str, Any], outcome: int, answer: Said) -> None:
    line = json.dumps({"custom_id": custom_id, "result": result}).encode()
    assert read_line(line).outcome == outcome
    assert said(line) == answer
    assert read_line(b"\xef\xbb\xbf" + line).outcome == outcome
    assert said(b"\xef\xbb\xbf" + line) == answer


def test_what_a_crash_left_full_of_zeros_is_no_result() -> None:
    line = json.dumps({"custom_id": "a", "result": succeeded([SAID])}).encode().replace(b"Hello", b"He\0\0o")
    assert read_line(line).outcome == UNREADABLE
