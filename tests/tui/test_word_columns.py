"""Words that no id and no answer has are found in the own column that has them; the list and the verb say how."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from batchtui.cli.commands.help import TOPICS
from batchtui.results.filter import parse_filter
from batchtui.results.search import select
from batchtui.results.word_columns import column_with
from tests.cli.calling import Caller, call  # noqa: F401
from tests.tui.opened_results import opened
from tests.tui.picture import text_of
from tests.tui.waiting import until
from tests.tui.work import add_batch, answered, make_service, request

ROWS = [
    {"id": "a", "product": "rain jacket", "unit price": "7", "is": 'a "new" one'},
    {"id": "b", "product": "Rain hat", "unit price": "* 70", "is": "old"},
]


def stored(data: Path) -> tuple[object, str]:
    service = make_service(data)
    record = add_batch(
        service,
        [request(row["id"], "x") for row in ROWS],
        [answered(row["id"], [{"type": "text", "text": "fine"}]) for row in ROWS],
    )
    lines = (json.dumps({"custom_id": row["id"], "id": row["id"], "row": row}) + "\n" for row in ROWS)
    (service.history.folder(record.local_id) / "ids.jsonl").write_text("".join(lines))
    return service, record.local_id


@pytest.mark.parametrize(
    ("typed", "found", "count"),
    [
        ("rain", "product:rain", 2),
        ("rain jacket", "product:rain product:jacket", 1),
        ('"rain jacket"', 'product:"rain jacket"', 1),
        ('"a \\"new"', 'row.is:"a \\"new"', 1),
        ("*", 'row."unit price":"*"', 1),
        ("hat 70", "", 0),
        ("-rain", "", 0),
        ("rain id:a", "", 0),
        ("xyzzy", "", 0),
    ],
)
def test_what_is_typed_for_a_column_finds_its_rows(tmp_path: Path, typed: str, found: str, count: int) -> None:
    service, local_id = stored(tmp_path)
    view = service.open_results(local_id)  # type: ignore[attr-defined]
    told = column_with(view, parse_filter(typed))
    assert (told.filter if told else "", len(told.rows) if told else 0) == (found, count)
    if told:
        assert list(select(view, parse_filter(told.filter))) == list(told.rows)


async def test_an_empty_list_says_which_column_has_the_words(tmp_path: Path) -> None:
    service, local_id = stored(tmp_path)
    async with opened(service, local_id) as (app, pilot, screen):  # type: ignore[arg-type]
        screen.set_filter("rain")
        await until(pilot, lambda: "product:rain finds 2 rows by a column." in text_of(app))
        assert "No id or answer has “rain”." in text_of(app) and "Press Esc to clear the filter." in text_of(app)
        screen.set_filter("rain", tab="usable")
        await until(pilot, lambda: "No id or answer here has “rain”." in text_of(app))
        screen.set_filter("xyzzy")
        await until(pilot, lambda: "No result matches the filter." in text_of(app))
        screen.set_filter("product:rain")
        await until(pilot, lambda: len(screen.rows) == 2)


def test_the_verb_and_the_help_say_it_too(call: Caller) -> None:  # noqa: F811
    table, template = call.folder / "rows.csv", call.folder / "t.toml"
    table.write_text("id,product\na,rain jacket\nb,kettle\n")
    template.write_text('model = "claude-haiku-5-5"\nmax_tokens = 9\ncustom_id = "{{ id }}"\nprompt = "Go."\n')
    call("submit", table, "--template", template, "--wait")
    said = call("results", "last", "--filter", '"rain jacket"')
    assert "no result matches --filter\n" in said.err
    assert """--filter 'product:"rain jacket"' finds 1 row by a column""" in said.err
    assert "finds" not in call("results", "last", "--filter", "rain", "--only", "errored").err
    assert "not in columns" in TOPICS["filters"] and "product:kettle" in TOPICS["filters"]
