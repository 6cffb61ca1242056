"""The ways that docs/architecture.md tells: the functions it names are called, one after the other, as it says."""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType

import pytest

import batchtui
from batchtui.store.records import History
from tests.cli.calling import Caller, call
from tests.quick import hurry
from tests.service.harness import request

__all__ = ["call"]
PAGE = Path(__file__).parent.parent / "docs" / "architecture.md"
ROOT = str(Path(batchtui.__file__).parent)

POST = """
    submit_ _agreed_plan Service.plan planning.staging options_for make_plan expand open_source detect_format.detect
    Reader.read Checker.take_block fast_path.survey PlanBuilder.place_block Splitter.part_for Splitter.finish
    estimate.total Service.max_cost_problem agreed_to send Service.submit Service.changed_sources
    Service.duplicate_of PlanCommitter.commit Sender.send_waiting Sender._cleared Sender._send_once Gateway.create
    Gateway._send SplicedBody Sender._made
"""
RESULTS = """
    Poller.look Poller._update presence.update_record Context.change Poller._fetch_due Fetcher.begin Fetcher._download
    Gateway.results Download.receive ResultSink.write ResultSink.finish LineSplitter.feed decode_block plain_lines
    RequestMatcher.find CostSum.add_all completeness.held index.save Fetcher._stored results_ write_results
    Service.open_results open_results Service.export export.export in_source_order _write_csv Table.flat View.row
    read_answer safe_cell
"""
RETRY = """
    retry_ Service.retry Retry.rows Retry.plan write_requests make_plan Retry._with_row_ids Retry.notes Service.submit
    Sender._cleared Sender._send_once Gateway.create
"""


@contextmanager
def traced() -> Iterator[list[CodeType]]:
    """The functions of ours that are called, in any thread."""
    calls: list[CodeType] = []

    def hear(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(ROOT):
            calls.append(frame.f_code)

    threading.setprofile(hear)
    sys.setprofile(hear)
    try:
        yield calls
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]


def names_of(code: CodeType) -> set[str]:
    """What the page may call a function; the demo server's are not meant."""
    path, name = Path(code.co_filename), code.co_qualname
    return set() if path.parent.name == "demo" else {name, f"{path.stem}.{name}", *name.split(".")}


def follow(told: str, calls: list[CodeType]) -> str:
    """The first function that was not called after the ones before it, "" when all were."""
    place = 0
    for name in told.split():
        while place < len(calls) and name not in names_of(calls[place]):
            place += 1
        if place == len(calls):
            return name
        place += 1
    return ""


def section(title: str) -> str:
    return PAGE.read_text().split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


def test_the_ways_are_as_the_page_tells_them(call: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)
    source = tmp_path / "s.jsonl"
    names = ("a-demo-ok", "b-demo-api")
    source.write_text("".join(json.dumps(request(name)) + "\n" for name in names))
    call("submit", call.source(1, "first.jsonl"), "--yes")  # What is imported now is not traced below.
    with traced() as calls:
        assert call("submit", source, "--yes").code == 0
    assert follow(POST, calls) == ""
    history = History(tmp_path / "data")
    ours = next(record.local_id for record in history.all() if record.requests == len(names))
    with traced() as calls:
        while any(record.results != "stored" for record in history.all()):
            call("sync")
        call("results", ours, "--format", "csv", "-o", tmp_path / "out.csv")
    assert follow(RESULTS, calls) == ""
    with traced() as calls:
        assert call("retry", ours, "--yes").code == 0
    assert follow(RETRY, calls) == ""


def test_the_page_names_them() -> None:
    pages = {
        POST: section("From a source to the POST"),
        RESULTS: section("From a result line to a cell on the screen and in a CSV file"),
        RETRY: section("From `r` to a new batch") + section("From a source to the POST"),
    }
    for told, text in pages.items():
        said = set(re.findall(r"`([\w.]+)`", text))
        short = {name.rsplit(".", 1)[-1] for name in said}
        assert not [name for name in told.split() if name not in said and name.rsplit(".", 1)[-1] not in short]
