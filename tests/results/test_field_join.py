"""Columns that two processes read are joined row by row, whatever kinds each half has."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from batchtui.results import field_builder, field_process
from batchtui.results.field_process import FieldProcess
from results.result_lines import batch, good, message, request
from results.test_field_process import SCHEMA, read_anew

_HUGE = "1e999999999999999999999"


def _answer(number: int) -> str:
    later = number >= 12
    label = "GOOD" if later else "bad"
    kinds = json.dumps(str(number)) if later and number % 2 else str(number)
    return (
        f'{{"kinds": {kinds}, "label": "{label}", "held": [1.50, {_HUGE if number % 5 == 3 else 2}],'
        f' "huge": {_HUGE if number == 20 else number}, "small": 0.{"0" * 270}1, "zero": -0.0}}'
    )


def test_halves_of_different_kinds_are_joined_row_by_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(field_process, "_ALONE", 0)
    monkeypatch.setattr(field_process, "_HEAD_START", 0)
    monkeypatch.setattr(field_builder, "_FEW", 1)
    monkeypatch.setattr(field_builder, "_ROWS", 3)
    lines = [good(f"r{number}", _answer(number)) for number in range(26)]
    call = {"type": "tool_use", "id": "t", "name": "rate", "input": {"kinds": "called"}}
    lines[23] = message("r23", [{"type": "text", "text": "I call."}, call])
    asked = {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}
    requests = [request(f"r{number}", **(asked if number != 23 else {})) for number in range(26)]
    folder = tmp_path / ("Fälder" if sys.platform == "darwin" else os.fsdecode(b"F\xe4lder"))
    folder.mkdir()
    view = batch(folder, lines, requests=requests)
    answers = []
    real = FieldProcess.answer
    monkeypatch.setattr(FieldProcess, "answer", lambda self, work: answers.append(real(self, work)) or answers[-1])

    found = {}
    for name, processors, most_keys in (("two", 2, 64), ("one", 1, 64), ("any", 1, -1)):
        monkeypatch.setattr(field_process, "_processors", lambda count=processors: count)
        monkeypatch.setattr(field_builder, "_MOST_KEYS", most_keys)
        found[name] = read_anew(view)
    assert len(answers) == 1 and answers[0] is not None
    assert found["two"] == found["one"] == found["any"]

    kinds = found["two"]["kinds"][0]
    assert kinds[22:] == [("integer", "22"), ("text", "called"), ("integer", "24"), ("text", "25")]
    assert found["two"]["held"][0][13] == ("array", f'[1.50,"{_HUGE}"]')
    assert found["two"]["small"][1] == (25, {"number": 25}, 1, 0)
    assert found["two"]["label"][3] == {"good": ("GOOD",)}
