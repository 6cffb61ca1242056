"""A tested answer is judged as the results of a batch are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from batchtui.results.asked import SchemaPair
from batchtui.results.lone_answer import check_alone
from batchtui.store.records import ANSWER

WHOLE = {"type": "object", "properties": {"urgency": {"type": "integer", "maximum": 5}}, "required": ["urgency"]}
SENT = {"type": "object", "properties": {"urgency": {"type": "integer"}}, "required": ["urgency"]}
TOOL = {"name": "rate", "input_schema": WHOLE}


def request(**params: Any) -> bytes:
    return msgspec.json.encode({"custom_id": "a", "params": {"model": "m", **params}})


def asks(schema: object) -> bytes:
    return request(output_config={"format": {"type": "json_schema", "schema": schema}})


def message(text: str = "", stop: str = "end_turn", **call: Any) -> bytes:
    block = {"type": "tool_use", "id": "t", **call} if call else {"type": "text", "text": text}
    return msgspec.json.encode({"type": "message", "content": [block], "stop_reason": stop, "usage": {}})


FORCED = request(tools=[TOOL], tool_choice={"type": "tool", "name": "rate"})


@pytest.mark.parametrize(
    ("asked", "answer", "told"),
    [
        (asks(SENT), message('{"urgency": 5}'), (True, "fits what was asked for")),
        (asks(SENT), message('{"urgency": 7}'), (False, "invalid: urgency is 7, at most 5")),
        (asks(SENT), message("I can't tell from this text."), (False, "invalid: not JSON")),
        (asks(SENT), message('{"urg', "max_tokens"), (False, "cut short: max tokens")),
        (FORCED, message(name="rate", input={"urgency": 7}), (False, "invalid: urgency is 7, at most 5")),
        (FORCED, message("five"), (False, "invalid: no call of the tool rate")),
        (request(), message("five"), None),
        (request(), message("five", "refusal"), (False, "cut short: refusal")),
        (asks({"type": "object", "pattern": 1}), message("{}"), False),
        (asks(SENT), b'{"content": 1}', (False, "cut short: empty")),
    ],
)
def test_an_answer_is_judged_by_the_whole_schema(tmp_path: Path, asked: bytes, answer: bytes, told: object) -> None:
    (tmp_path / ANSWER).write_bytes(msgspec.json.encode([SchemaPair(SENT, WHOLE)]))
    found = check_alone(asked, answer, tmp_path)
    if told is False:
        assert found is not None and found.words.startswith("not checked: the schema can't be compiled (")
    else:
        assert found == told
    # Without the whole schema beside it what was sent is checked by.
    alone = check_alone(asks(SENT), message('{"urgency": 7}'), None)
    assert alone is not None and alone.usable


def test_the_schema_library_is_imported_only_for_a_schema() -> None:
    code = (
        "import sys; from batchtui.results.lone_answer import check_alone;"
        f"check_alone({request()!r}, {message('five')!r}, None); print('jsonschema_rs' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"False\n"
