"""Telling of an end: one safe line, nothing in it ends the sequence, the hook gets the record."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from batchtui.config.load import Notify
from batchtui.domain.batch import BatchRecord
from batchtui.service.events import Ended
from batchtui.service.notify import Notifier, sentence, terminal_codes
from tests.until import until


@given(st.text(max_size=60))
def test_a_title_can_not_write_to_the_terminal(title: str) -> None:
    record = BatchRecord(local_id="a", run="a", title=title)
    codes = terminal_codes(sentence(record, True), Notify())
    assert codes.startswith("\a\x1b]9;") and codes.count("\x1b") == 2 and codes.count("\x07") == 3
    assert codes.count(";") == 4 and not any(0x80 <= ord(c) < 0xA0 for c in codes)


def test_bell_and_terminal_can_be_turned_off() -> None:
    assert terminal_codes("x", Notify(bell=False, terminal=False)) == ""


def test_the_hook_gets_the_record_on_its_standard_input(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    heard: list[str] = []
    record = BatchRecord(local_id="a", run="a", title="; rm -rf $(x) `y`")
    Notifier(Notify(on_end=f"cat > '{out}.tmp' && mv '{out}.tmp' '{out}'"), heard.append)(Ended(record, False))
    until(out.exists)
    assert json.loads(out.read_bytes())["title"] == record.title
    assert len(heard) == 1


def test_a_hook_that_fails_is_told(tmp_path: Path) -> None:
    told: list[str] = []
    record = BatchRecord(local_id="a", run="a")
    Notifier(Notify(on_end="exit 7"), lambda codes: None, told.append)(Ended(record, False))
    until(lambda: told)
    assert told == ["on_end ended with 7"]
