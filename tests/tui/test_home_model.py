"""Grouping, sorting, filtering, and the words for each state."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from rich.cells import cell_len

from batchtui.domain.batch import BatchRecord, Counts
from batchtui.domain.errors import InputError
from batchtui.domain.work import Progress
from batchtui.present import batch, numbers, symbols
from batchtui.present.fitting import FittingText, MiddleCut
from batchtui.tui.home.details import last_weeks
from batchtui.tui.home.filter import parse_filter
from batchtui.tui.home.model import SORTS, HomeModel
from batchtui.tui.home.rows import COLUMNS, HomeRows, chosen_columns
from tests.tui.home_data import ago, furnished, record, tally
from tests.tui.work import NOW

replace = msgspec.structs.replace


@pytest.fixture
def model(tmp_path: Path) -> HomeModel:
    model = HomeModel()
    model.replace(furnished(tmp_path).records())
    model.arrange(NOW)
    return model


def titles(model: HomeModel) -> list[str]:
    return [batch.name(line.records[0]) for line in model.lines if not line.child]


def test_a_retry_of_one_part_leaves_the_others_failures_to_the_person() -> None:
    ended = record(status="ended", ended_at=ago(minutes=1), **tally("0.1", succeeded=5, errored=5))
    one = replace(ended, local_id="20261122T060001Z-one000", part=1, parts=3)
    two = replace(ended, local_id="20261122T060002Z-two000", part=2, parts=3)
    lost = record(
        local_id="20261122T060003Z-lost00", id=None, part=3, parts=3, status="refused", intent_at=ago(minutes=1)
    )
    again = record(
        local_id="20261122T060004Z-again0", id="msgbatch_2", attempt=1, status="in_progress", retry_of=(one.local_id,)
    )
    model = HomeModel()
    model.replace([one, two, lost, again])
    model.arrange(NOW)
    assert {r.local_id for r in model.wanting(NOW)} == {two.local_id, lost.local_id}
    model.replace([one, two, lost, replace(again, retry_of=(one.local_id, two.local_id, lost.local_id))])
    model.arrange(NOW)
    assert model.wanting(NOW) == []
    model.replace([one, two, lost, replace(again, retry_of=())])
    model.arrange(NOW)
    assert model.wanting(NOW) == [], "what an older version wrote doesn't say which"


def test_what_wants_the_person_comes_first(model: HomeModel) -> None:
    assert titles(model)[:4] == ["translate-faq", "odd-ids", "march-eval", "poems"]
    assert {r.title for r in model.wanting(NOW)} == {"translate-faq", "odd-ids", "march-eval", "poems"}


def test_a_run_is_one_row_with_its_batches_below(model: HomeModel) -> None:
    lines = [line for line in model.lines if line.group.several]
    assert [line.child for line in lines] == [False, True, True, True]
    assert lines[-1].last
    assert lines[0].group.good == 5_000 and lines[0].group.requests == 10_000


def test_folding_hides_a_runs_batches_and_they_are_found_at_its_row(model: HomeModel) -> None:
    line = next(line for line in model.lines if line.child)
    before = len(model.lines)
    assert model.fold(line.group.run, True)
    model.arrange(NOW)
    assert len(model.lines) == before - 3
    assert model.lines[model.find(line.key) or 0].key == ("run", line.group.run)
    assert not model.fold(line.group.run, True)


def test_failures_that_were_retried_want_nobody(model: HomeModel) -> None:
    first = next(r for r in model.records.values() if r.title == "labels" and r.part == 1 and not r.attempt)
    assert first.needs_retry == 19 and model.retried(first)
    assert first not in model.wanting(NOW)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("status:running", {"news-summaries", "eval-sonnet-5"}),
        ("status:unconf", {"translate-faq"}),
        ("model:sonnet", {"eval-sonnet-5"}),
        ("model:opus too small", {"poems"}),
        ("age<1h status:active", {"news-summaries", "eval-sonnet-5", "translate-faq"}),
        ("age>20d", {"march-eval", "last-winter"}),
        ("cost>5", {"eval-sonnet-5", "good-as-gold"}),
        ("requests>=12000", {"good-as-gold"}),
        ("NEWS week 45", {"news week 45"}),
        ("profile:nobody", set()),
        ("status:failed", {"labels", "poems", "march-eval", "last-winter"}),
    ],
)
def test_filters(model: HomeModel, query: str, expected: set[str]) -> None:
    model.query = query
    model.arrange(NOW)
    assert set(titles(model)) == expected


@pytest.mark.parametrize("query", ["age<soon", "cost>lots", "requests=x"])
def test_a_comparison_that_cant_be_read_is_said(query: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_filter(query, NOW)
    assert caught.value.advice


@pytest.mark.parametrize("sort", ["name", "status", "age", "left", "cost"])
def test_every_sort_turns_round(model: HomeModel, sort: str) -> None:
    model.sort = sort
    model.arrange(NOW)
    forward = [group.run for group in model.groups]
    model.reverse = True
    model.arrange(NOW)
    assert sorted(forward) == sorted(group.run for group in model.groups)
    assert [group.run for group in model.groups] != forward


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("sort", ["requests", "cost", "name", "done", "age"])
def test_the_arrow_says_whether_the_largest_comes_first(model: HomeModel, sort: str, reverse: bool) -> None:
    model.sort, model.reverse = sort, reverse
    model.arrange(NOW)
    values = {
        "requests": [g.requests for g in model.groups],
        "cost": [g.cost.usd or 0 for g in model.groups],
        "name": [title.lower() for title in titles(model)],
        "done": [
            sum(r.counts.done for r in g.records) / (sum(r.counts.total for r in g.records) or 1) for g in model.groups
        ],
        "age": [NOW - g.newest for g in model.groups],
    }[sort]
    assert values == sorted(values, reverse=model.falling)  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("query", "test"),
    [
        ("status:running,refused", lambda r: r.status in ("in_progress", "refused")),
        ("title:labels", lambda r: "labels" in r.title),
        ("id:msgbatch", lambda r: bool(r.id)),
    ],
)
def test_fields_of_the_filter(model: HomeModel, query: str, test: Callable[[BatchRecord], bool]) -> None:
    model.query = query
    model.arrange(NOW)
    found = {r.local_id for g in model.groups for r in g.records}
    assert found and found == {r.local_id for r in model.records.values() if test(r)}


def test_status_needs_is_what_the_title_counts(model: HomeModel) -> None:
    model.query = "status:needs"
    model.arrange(NOW)
    assert {r.local_id for g in model.groups for r in g.records} == {r.local_id for r in model.wanting(NOW)}


@pytest.mark.parametrize("query", ["is:running", "cost:1", "status:ended,sleeping"])
def test_fields_that_home_does_not_have_are_said(query: str) -> None:
    with pytest.raises(InputError):
        parse_filter(query, NOW)


def test_names_are_sorted_as_names(model: HomeModel) -> None:
    model.sort = "name"
    model.arrange(NOW)
    assert titles(model) == sorted(titles(model))


def test_good_is_said_only_of_a_batch_whose_every_answer_is_usable() -> None:
    all_good = record(status="ended", ended_at=NOW, **tally("1", succeeded=10))
    one_short = record(status="ended", ended_at=NOW, **tally("1", succeeded=10, cut_short=1))
    one_missing = record(status="ended", ended_at=NOW, **tally("1", succeeded=10, missing=1))
    assert batch.state(all_good, NOW).sign == "✓"
    assert batch.state(one_short, NOW).sign == "▲"
    assert batch.state(one_missing, NOW).sign == "▲"


def test_every_state_has_a_sign_of_its_own() -> None:
    gone = record(status="ended", results="gone")
    going = record(status="ended", created_at=ago(days=28), ended_at=ago(days=27))
    states = [
        record(status="submitting", intent_at=NOW),
        record(status="in_progress"),
        record(status="canceling"),
        record(status="unconfirmed"),
        record(status="refused"),
        record(status="ended", ended_at=NOW),
        record(status="ended", **tally("1", succeeded=10)),
        record(status="ended", **tally("1", succeeded=9, errored=1)),
        gone,
        going,
    ]
    signs = [batch.state(each, NOW).sign for each in states]
    assert len(set(signs)) == len(signs)


def test_progress_that_does_not_move_is_told_honestly() -> None:
    running = record(status="in_progress", counts=Counts(processing=10))
    assert batch.progress_of(running, NOW, None).plain == "up to 24 h"
    assert batch.progress_of(running, NOW, (12, 35)).plain == "usually 12–35 min"
    late = replace(running, created_at=ago(minutes=50))
    assert "late" in batch.progress_of(late, NOW, (12, 35)).plain


def test_progress_that_moves_is_a_bar_with_its_count() -> None:
    moving = record(status="in_progress", requests=10_000, counts=Counts(processing=3_800, succeeded=6_212))
    assert batch.progress_of(moving, NOW, None).plain == "████░░░░ 6,212 of 10,012 (62%)"
    upload = batch.progress_text(Progress(stage="uploading", done=45, total=100))
    assert "45%" in upload.plain


def test_a_bar_is_neither_empty_nor_full_before_it_is() -> None:
    assert numbers.bar(1, 100_000) == "█░░░░░░░░░"
    assert numbers.bar(99_999, 100_000) == "█████████░"
    assert numbers.bar(5, 5) == "██████████"
    assert numbers.bar(0, 0) == "░░░░░░░░░░"


def test_costs_are_estimates_until_they_are_known(model: HomeModel) -> None:
    costs = {r.title: batch.cost(r) for r in model.records.values() if r.title != "labels"}
    assert costs["news-summaries"] == "~$3.10"
    assert costs["poems"] == "$1.87"
    assert costs["odd-ids"] == ""
    assert numbers.usd_short(Decimal("0.00042")) == "$0.0004"
    assert numbers.usd_range((Decimal("0.0002"), Decimal("0.0009"))) == "$0.0002–0.0009"


def test_a_text_says_the_same_in_less_room() -> None:
    counted = batch.progress_of(record(status="in_progress", counts=Counts(processing=95, succeeded=225)), NOW, None)
    assert isinstance(counted, FittingText)
    assert [counted.within(room).plain for room in (40, 26, 18, 12)] == [
        "█████░░░ 225 of 320 (70%)",
        "█████░░░ 225 of 320 (70%)",
        "225 of 320 (70%)",
        "█████░░░ 70%",
    ]
    assert counted.within(3).plain == "█████░░░ 70%"


def test_a_long_id_keeps_its_beginning_and_its_end() -> None:
    assert MiddleCut("article-2026-11-0001").within(20).plain == "article-2026-11-0001"
    assert MiddleCut("article-2026-11-0001").within(12).plain == "articl…-0001"
    for room in range(8, 20):
        assert cell_len(MiddleCut("编号编号编号编号编号-0001").within(room).plain) <= room


def test_the_profile_is_a_column_where_there_are_several() -> None:
    keys = [column.key for column in chosen_columns(())]
    assert "profile" in keys and len(chosen_columns((), several_profiles=False)) == len(keys) - 1
    assert [c.key for c in chosen_columns(("profile",), several_profiles=False)] == ["name", "profile"]


def test_sparklines() -> None:
    assert symbols.spark([0, 1, 100, 50, 0]) == "▁▂█▅▁" and symbols.spark([]) == ""
    shown = last_weeks([record(status="ended", **tally("2.50", succeeded=10))], NOW).plain.splitlines()
    assert shown[1].startswith("Batches") and shown[1].endswith("▁█ 1") and shown[2].endswith("▁█ $2.50")


def test_money_has_one_vocabulary() -> None:
    money = [Decimal(text) for text in ("0.153", "0.008118", "0.00041", "12.3", "0", "0.0000001")]
    assert [numbers.usd(each) for each in money] == ["$0.15", "$0.0081", "$0.00041", "$12.30", "$0.00", "<$0.000001"]
    assert numbers.usd_alike([Decimal("0.031"), Decimal("0.1")]) == ["$0.031", "$0.100"]
    assert numbers.usd_alike([Decimal("1234"), None, Decimal("0")]) == ["$1,234.00", "no price", "$0.00"]
    assert [numbers.usd_cell(Decimal(text)) for text in ("12345.67", "999.5")] == ["$12,346", "$999.50"]
    assert [numbers.usd_request(each) for each in money[1:3]] == ["$0.008118", "$0.000410"]
    assert numbers.usd_column([Decimal("0.008118"), Decimal("4.5")]) == ["$0.0081", "$4.50  "]


def test_spans_are_short() -> None:
    cases = [(5, "now"), (40, "30s"), (840, "14m"), (18_000, "5h"), (47 * 3600, "47h"), (12 * 86400, "12d")]
    assert [numbers.short(timedelta(seconds=s)) for s, _ in cases] == [text for _, text in cases]
    left = [(-1, "over"), (59, "0m"), (3_599, "59m"), (3_700, "1h01"), (85_560, "23h40"), (28 * 86400, "28d")]
    assert [numbers.left(timedelta(seconds=s)) for s, _ in left] == [text for _, text in left]


def test_columns_follow_the_config_and_unknown_ones_are_left_out() -> None:
    assert [c.key for c in chosen_columns(("cost", "nonsense", "age"))] == ["name", "cost", "age"]
    assert chosen_columns(()) == COLUMNS


def test_hostile_titles_are_shown_for_what_they_are() -> None:
    model = HomeModel()
    model.replace([record(title="\x1b[2J[red]x[/red]\u202eevil", status="refused", error="\x1b]52;c;AAAA\x07")])
    model.arrange(NOW)
    rows = HomeRows(model, lambda: NOW, lambda _: None, COLUMNS)
    shown = "".join(str(cell) for cell in rows.cells(0) if cell is not None)
    assert "\x1b" not in shown and "\x07" not in shown and "\u202e" not in shown and "[red]" in shown


def test_a_filter_that_can_not_be_read_leaves_the_rows_true() -> None:
    model = HomeModel()
    model.replace([record(local_id="a", run="a", status="in_progress")])
    model.query = "age<2y"
    model.arrange(NOW)
    assert model.filter_error is not None and len(model.lines) == 1
    model.records["a"] = record(local_id="a", run="a", status="ended")
    model.arrange(NOW)
    assert model.lines[0].records[0].status == "ended"
    model.query = "status:running"
    model.arrange(NOW)
    assert model.filter_error is None and not model.lines


@pytest.mark.parametrize("column", SORTS)
def test_every_column_sorts(column: str) -> None:
    model = HomeModel()
    model.replace([record(local_id=name, run=name) for name in "abc"])
    model.sort = column
    model.arrange(NOW)
    assert len(model.lines) == 3


@pytest.mark.parametrize(
    ("text", "said"), [("status:runing", "unknown status"), ("sttaus:running", "did you mean status:")]
)
def test_a_filter_with_a_slip_is_named(text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_filter(text, NOW)
    assert said in f"{caught.value} {caught.value.advice}"


@pytest.mark.parametrize("text", ["status:", "status:ru", "status:active", "a:b", "http://x"])
def test_a_filter_half_typed_or_of_plain_words_is_none(text: str) -> None:
    parse_filter(text, NOW)
