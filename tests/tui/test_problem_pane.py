"""The request a problem is about: found at its place in every format, and shown beside the problems."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from textual.widgets import Static

from batchtui.domain.errors import Stopped
from batchtui.domain.work import Work
from batchtui.intake.options import IntakeOptions
from batchtui.intake.preview import Previewer
from batchtui.service import Service
from batchtui.tui.new.check import CheckInput
from batchtui.tui.new.preview import request_at
from batchtui.tui.new.problem_list import ProblemList
from batchtui.tui.new.problem_pane import ProblemPane
from tests.tui.new_form import opened
from tests.tui.waiting import until
from tests.tui.work import request

TEMPLATE = 'model = "claude-haiku-5-5"\nmax_tokens = 9\nprompt = "Say {{ text }}"\n'


def texts(pane: ProblemPane) -> str:
    return "\n".join(str(each.content) for each in pane.query_one("#problem-request").query(Static))


def test_the_request_at_a_place(service: Service, tmp_path: Path) -> None:
    lines, table, array = tmp_path / "a.jsonl", tmp_path / "a.csv", tmp_path / "a.json"
    lines.write_bytes(b"".join(request(f"r{n}", f"Text {n}") for n in range(5_000)) + b"{not json\n")
    table.write_text('id,text\n1,plain\n2,"two\nlines"\n3,after\n')
    array.write_text(json.dumps([json.loads(request(f"e{n}", f"Element {n}")) for n in range(3)]))
    previewer, source = Previewer(), CheckInput(paths=(str(lines), str(table), str(array)))

    def shown(where: str, given: CheckInput = source) -> str:
        found = request_at(service, previewer, given, where, Work())
        return "\n".join(f"{each.title} {each.body}" for each in found)

    assert "Text 4321" in shown(f"{lines}:4322")
    assert "can't be read as a request" in shown(f"{lines}:5001")
    assert "Element 1" in shown(f"{array}[2]")
    rows = replace(source, paths=(str(table),), options=IntakeOptions(template_text=TEMPLATE))
    assert "Say after" in shown(f"{table}:5", rows) and "text: after" in shown(f"{table}:5", rows)
    assert "two\\nlines" in repr(shown(f"{table}:3", rows))
    assert "can't be shown" in shown("missing.toml:2")
    assert shown("run:labels").strip() == "", "a problem of a whole source names no line"
    composed = CheckInput(lines=request("mine", "Composed"))
    assert "Composed" in shown("stdin:1", composed) and shown("max_tokens", composed) == ""
    stopped = Work()
    stopped.stop()
    with pytest.raises(Stopped):
        request_at(service, previewer, source, f"{lines}:9", stopped)
    previewer.close()


async def test_it_stands_beside_below_or_not_at_all(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(request("fine", "x") + b'{"custom_id": "here", "params": {"modle": 1, "max_tokens": 5}}\n')
    async with opened(service, path, size=(120, 40)) as (_, pilot, screen):
        pane, options = screen.query_one(ProblemPane), screen.query_one(ProblemList).query_one("OptionList")
        await until(pilot, lambda: '"modle"' in texts(pane))
        request_view = pane.query_one("#problem-request")
        assert request_view.region.x >= options.region.right - 1
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: request_view.region.y >= options.region.bottom)
        await pilot.resize_terminal(60, 20)
        await until(pilot, lambda: not request_view.display)
