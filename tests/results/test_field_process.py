"""Fields that are read by two processes, or by known keys, are those that one reads of anything."""

from __future__ import annotations

import json
import signal
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchtui import subpython
from batchtui.domain.work import Stopped, Work
from batchtui.results import field_builder, field_process, index
from batchtui.results.field_columns import ABSENT, as_text, entry_key, kind_of
from batchtui.results.fields import ViewFields, view_fields
from batchtui.results.view import View
from batchtui.store.records import FIELDS, INDEX
from results.result_lines import batch, canceled, errored, expired, good, message, request


def told(fields: ViewFields, rows: int) -> dict[str, Any]:
    """All that fields tell, whatever the numbers of their codes."""
    found: dict[str, Any] = {"notes": fields.notes}
    for field in fields.names:
        column = fields.column(field.path)
        values = [column[row] for row in range(rows)]
        held = [value for value in column.entries if value in values]
        assert len({*map(entry_key, held)}) == len(held)
        found[field.path] = (
            [None if value is ABSENT else (kind_of(value), as_text(value)) for value in values],
            (field.rows, field.kinds, field.distinct, field.long),
            column.sizes,
            {as_text(column.value_of(code)): texts for code, texts in column.respelled.items()},
        )
    return found


def read_anew(view: View) -> dict[str, Any]:
    (view.members[0].folder / FIELDS).unlink(missing_ok=True)
    fields = view_fields(view)
    return told(fields, len(view))


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even few answers are shared with a second process."""
    monkeypatch.setattr(field_process, "_ALONE", 0)
    monkeypatch.setattr(field_process, "_HEAD_START", 0)
    monkeypatch.setattr(field_process, "_processors", lambda: 2)


ANSWERS = [
    {"label": "Good", "score": 0.5, "n": 1, "why": "short"},
    {"label": "good", "score": 0.50, "n": 2, "why": "w" * 400},
    {"label": "bad", "score": "0.5", "n": True, "why": None, "more": {"a": [1.10], "b": {}}},
]
SCHEMA = {"type": "object", "properties": {"label": {"type": "string", "enum": ["good", "bad"]}}}


def mixed(folder: Path, *, many: int = 30) -> View:
    """A batch with answers of all kinds, in both halves."""
    lines, requests = [], []
    for number in range(many):
        custom_id = f"r{number}"
        answer = ANSWERS[number % 3] | {"id": f"{number:03}", "big": number * 10**20}
        text = json.dumps(answer).replace("0.5,", ("0.5,", "0.50,", "5e-1,")[number % 3])
        lines.append(
            [
                good(custom_id, text),
                message(custom_id, [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": text}]),
                message(
                    custom_id,
                    [
                        {"type": "text", "text": "I call."},
                        {"type": "tool_use", "id": "t1", "name": "label", "input": {"score": 0.5, "x": number}},
                        {"type": "tool_use", "id": "t2", "name": "other", "input": {"z": number}},
                    ],
                ),
                good(custom_id, f"Here: ```json\n{text}\n```"),
                good(custom_id, text),
                errored(custom_id),
                good(custom_id, "no JSON"),
                good(custom_id, "[1, 2.50]"),
                canceled(custom_id) if number % 2 else expired(custom_id),
                good(custom_id, json.dumps({f"late{number}": 1, "deep": [0.10]})),
            ][number % 10]
        )
        asked = {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}} if number % 2 == 0 else {}
        requests.append(request(custom_id, **asked))
    return batch(folder, lines, requests=requests)


def test_two_processes_tell_what_one_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: None) -> None:
    started = []
    monkeypatch.setattr(
        subpython, "start", lambda module, start=subpython.start: started.append(module) or start(module)
    )
    view = mixed(tmp_path)
    both = read_anew(view)
    assert started == ["batchtui.results.field_worker"]
    monkeypatch.setattr(field_process, "_processors", lambda: 1)
    alone = read_anew(view)
    assert len(started) == 1
    assert both == alone and len(both) > 12
    assert told(view_fields(view), len(view)) == alone  # As they are stored.


def _none(_: str) -> subprocess.Popen[bytes]:
    raise OSError(11, "Resource temporarily unavailable")


def _killed(module: str, start: Any = subpython.start) -> subprocess.Popen[bytes]:
    child = start(module)
    child.send_signal(signal.SIGKILL)
    return child  # type: ignore[no-any-return]


def _silent(_: str, start: Any = subpython.start) -> subprocess.Popen[bytes]:
    return start("batchtui.results.regex_worker")  # type: ignore[no-any-return]


@pytest.mark.parametrize("trouble", [_none, _killed, _silent, "no index", "too many fields"])
def test_what_the_second_process_does_not_manage_is_read_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: None, trouble: Any
) -> None:
    view = mixed(tmp_path)
    if callable(trouble):
        monkeypatch.setattr(subpython, "start", trouble)
    elif trouble == "no index":
        (tmp_path / INDEX).unlink()
    else:
        monkeypatch.setattr(field_builder, "MAX_PATHS", 8)
    both = read_anew(view)
    monkeypatch.setattr(field_process, "_processors", lambda: 1)
    assert both == read_anew(view)


def test_values_that_there_is_no_room_for_are_read_from_their_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: None
) -> None:
    view = mixed(tmp_path)
    whole = read_anew(view)
    monkeypatch.setattr(field_builder, "_KEPT", 1_500)
    both = read_anew(view)
    assert both != whole  # Which values are held depends on what was read together.
    for name in whole.keys() - {"notes"}:
        assert both[name][0] == whole[name][0], name


def test_a_second_process_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: None) -> None:
    children = []

    def stopped(module: str, start: Any = subpython.start) -> subprocess.Popen[bytes]:
        children.append(start(module))
        children[0].send_signal(signal.SIGSTOP)
        return children[0]  # type: ignore[no-any-return]

    monkeypatch.setattr(subpython, "start", stopped)
    monkeypatch.setattr(field_process, "_PATIENCE", 0.1)
    view = mixed(tmp_path)
    both = read_anew(view)
    assert children[0].poll() is not None
    monkeypatch.setattr(field_process, "_processors", lambda: 1)
    assert both == read_anew(view)


def test_who_stops_need_not_wait_for_the_second_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: None
) -> None:
    children = []

    def stopped(module: str, start: Any = subpython.start) -> subprocess.Popen[bytes]:
        children.append(start(module))
        children[0].send_signal(signal.SIGSTOP)
        work.stop()
        return children[0]  # type: ignore[no-any-return]

    monkeypatch.setattr(subpython, "start", stopped)
    work = Work()
    with pytest.raises(Stopped):
        view_fields(mixed(tmp_path), work)
    assert children[0].poll() is not None and not (tmp_path / FIELDS).exists()


def test_few_answers_are_read_by_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subpython, "start", _none)
    view = mixed(tmp_path)
    assert field_process.second_share(view.members[0]) == view.members[0].header.lines


def test_an_index_of_other_files_gives_no_lines(tmp_path: Path) -> None:
    held = mixed(tmp_path).members[0].header
    assert index.load_lines(tmp_path / INDEX, (1, 1), held.requests) is None
    found = index.load_lines(tmp_path / INDEX, held.results, held.requests)
    assert found is not None and len(found.columns.offset) == held.rows and not found.columns.cost
    torn = bytearray((tmp_path / INDEX).read_bytes())
    torn[-100] ^= 1
    (tmp_path / INDEX).write_bytes(torn)
    assert index.load_lines(tmp_path / INDEX, held.results, held.requests) is None


_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from(["1", "1.0", "1e0", "a", "A", "x" * 300, "true", "null"])
    | st.sampled_from([Decimal("1.0"), Decimal("1.00"), Decimal("1E+5"), Decimal("0.1")])
)
_leaves = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=3,
)
_roots = st.dictionaries(st.sampled_from(["a", "b", "c d", 'q"', ""]), _leaves, max_size=4)


def _written(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}: {_written(held)}" for key, held in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    return str(value).lower() if isinstance(value, Decimal) else json.dumps(value)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        _roots | st.sampled_from(["prose", "[1]", '{"a": 1, "a": 2.0}', '{"a": 1e999999999999999999999}']), max_size=12
    )
)
def test_known_keys_change_nothing(tmp_path_factory: pytest.TempPathFactory, roots: list[Any]) -> None:
    texts = [root if isinstance(root, str) else _written(root) for root in roots]
    view = batch(tmp_path_factory.mktemp("f"), [good(f"r{n}", text) for n, text in enumerate(texts)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(field_builder, "_FEW", 1)
        patch.setattr(field_builder, "_ROWS", 3)
        found = read_anew(view)
        patch.setattr(field_builder, "_MOST_KEYS", -1)
        plain = read_anew(view)
    assert found == plain
