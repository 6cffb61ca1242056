"""What requests asked for is kept in the index, and read again where that does not fit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from batchtui.domain.money import load_prices
from batchtui.results import asked as asked_room
from batchtui.results import view as view_room
from batchtui.results.asked import AskedReader, keep, read_asked, taken
from batchtui.results.storage import index_requests, open_results
from batchtui.store.records import ANSWER, REQUESTS, RESULTS

SCHEMA = {"type": "object", "properties": {"mood": {"enum": ["good", "bad"]}}}


def _request(number: int, **more: object) -> str:
    return json.dumps({"custom_id": f"r-{number}", "params": {"model": "m", "messages": [], **more}}) + "\n"


def _result(number: int, mood: str) -> str:
    content = [{"type": "text", "text": json.dumps({"mood": mood})}]
    message = {"model": "m", "stop_reason": "end_turn", "content": content, "usage": {}}
    return json.dumps({"custom_id": f"r-{number}", "result": {"type": "succeeded", "message": message}}) + "\n"


def _filled(folder: Path) -> None:
    asking = {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}
    lines = [_request(1), "\n", _request(2, **asking), _request(3, **asking), _request(4)]
    (folder / REQUESTS).write_text("".join(lines))


def test_opened_results_ask_their_index_and_not_the_requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _filled(tmp_path)
    index_requests(tmp_path, load_prices())
    with monkeypatch.context() as shut:
        shut.setattr("batchtui.results.storage.read_asked", None)
        (tmp_path / RESULTS).write_text("".join(_result(n, "odd") for n in (4, 3, 2, 1)))
        open_results(tmp_path, load_prices()).close()
        shut.setattr(view_room, "read_asked", None)
        found = open_results(tmp_path, load_prices())
        assert [found.asked.of(seq).text for seq in range(4)] == [None, SCHEMA, SCHEMA, None]
        assert [found.row(row).state for row in range(4)] == ["usable", "invalid", "invalid", "usable"]
        found.close()
    # Whole schemas that came later are not those of the index.
    whole = {**SCHEMA, "properties": {"mood": {"enum": ["odd"]}}}
    (tmp_path / ANSWER).write_text(json.dumps([{"sent": SCHEMA, "whole": whole}]))
    found = open_results(tmp_path, load_prices())
    assert found.asked.of(1).text == whole and found.tally.invalid == 0
    found.close()


def test_what_is_too_much_for_an_index_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _filled(tmp_path)
    asked = read_asked(tmp_path)
    again = taken(keep(asked))
    assert again is not None and (again.wanted, again.numbers()) == (asked.wanted, asked.numbers())
    monkeypatch.setattr(asked_room, "_MOST_KEPT", 10)
    assert taken(keep(asked)) is None
    (tmp_path / RESULTS).write_text(_result(2, "odd"))
    found = open_results(tmp_path, load_prices())
    assert found.asked.of(1).text == SCHEMA
    found.close()


def test_a_key_written_with_escapes_is_seen(tmp_path: Path) -> None:
    reader = AskedReader(tmp_path)
    line = _request(1, output_config={"format": {"type": "json_schema", "schema": SCHEMA}})
    reader.take(_request(0).encode(), 1)
    reader.take(line.replace('"output', r'"\u006futput').encode(), 1)
    assert [reader.asked.of(seq).text for seq in range(2)] == [None, SCHEMA]
