"""Filters find what the person meant, in fields and in text, and nothing that is only JSON."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Event

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from result_lines import batch, canceled, errored, expired, good, line, message, request

from batchtui.domain.errors import InputError
from batchtui.domain.work import Work
from batchtui.results import regex, search
from batchtui.results.filter import drop_unknown, group_filter, number, parse_filter, sort
from batchtui.results.search import select
from batchtui.results.view import ResultSet

LINES = [
    good("alpha-1", "The quick brown fox", input_tokens=2000, output_tokens=10),
    good("alpha-2", 'He said "Hello/World" \\ and left\nthen', stop="max_tokens", output_tokens=64),
    good("beta-1", "Ärger über Straßen", model="claude-haiku-5-5"),
    errored("beta-2", "invalid_request_error", "prompt is too long: 9 tokens"),
    errored("beta-3", "overloaded_error", "Overloaded"),
    expired("gamma-1"),
    canceled("gamma-2"),
    message(
        "gamma-3",
        [{"type": "thinking", "thinking": "secretly", "signature": "zzzsig"}, {"type": "text", "text": "日本語 <b>"}],
    ),
    message("gamma-4", [{"type": "tool_use", "id": "t1", "name": "lookup", "input": {"city": "Bern"}}]),
    good("next-1", "unpriced", model="claude-next-9"),
]
IDS = [json.loads(each)["custom_id"] for each in LINES] + ["lost-1"]


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> ResultSet:
    requests = [request(each, f"Question about {each}, please") for each in IDS]
    return batch(tmp_path_factory.mktemp("filters"), LINES, requests=requests)


def found(view: ResultSet, text: str, **options: bool) -> list[str]:
    return [view.id(row) for row in select(view, parse_filter(text, **options))]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", IDS),
        ("quick", ["alpha-1"]),
        ("QUICK", ["alpha-1"]),
        ("quick fox", ["alpha-1"]),
        ('"quick fox"', []),
        ('"quick brown"', ["alpha-1"]),
        ("alpha -quick", ["alpha-2"]),
        ("-alpha -beta -gamma -next", ["lost-1"]),
        ("Hello/World", ["alpha-2"]),
        ("\\", ["alpha-2"]),
        ("left\nthen", ["alpha-2"]),
        ("ärger", ["beta-1"]),
        ("ÄRGER", ["beta-1"]),
        ("Straßen", ["beta-1"]),
        ("日本", ["gamma-3"]),
        ("<b>", ["gamma-3"]),
        ("secretly", ["gamma-3"]),
        ("bern", ["gamma-4"]),
        ("lookup", ["gamma-4"]),
        ("lost", ["lost-1"]),
        ("overloaded", ["beta-3"]),
        ("stop_reason", []),
        ("custom_id", []),
        ("zzzsig", []),
        ("id:beta", ["beta-1", "beta-2", "beta-3"]),
        ("-id:a", ["next-1", "lost-1"]),
        ("stop:max", ["alpha-2"]),
        ("error:overloaded", ["beta-3"]),
        ("error:too", ["beta-2"]),
        ("outcome:errored", ["beta-2", "beta-3"]),
        ("outcome:exp", ["gamma-1"]),
        ("is:cut_short", ["alpha-2"]),
        ("is:cut-short", ["alpha-2"]),
        ("is:missing", ["lost-1"]),
        ("is:unpriced", ["next-1"]),
        ("is:bad -is:missing", ["alpha-2", "beta-2", "beta-3", "gamma-1", "gamma-2"]),
        ("is:good model:haiku", ["beta-1"]),
        ("tokens>1000", ["alpha-1"]),
        ("tokens>1k", ["alpha-1"]),
        ("out>=64", ["alpha-2"]),
        ("out<20 out>0", ["alpha-1"]),
        ("-in<2000", ["alpha-1"]),
        ("cost>0.001", ["alpha-1", "next-1"][:1]),
        ("cost>$0.001 quick", ["alpha-1"]),
        ("line:3", ["beta-1"]),
        ("prompt:gamma-2", ["gamma-2"]),
        ("prompt:please id:beta-2", ["beta-2"]),
        ("-prompt:question", []),
        ('"http:foo"', []),
        ("http://foo", []),
        ("10:30", []),
        ("std::foo", []),
    ],
)
@pytest.mark.parametrize("few", [1, 1000])
def test_a_filter_finds(view: ResultSet, monkeypatch: pytest.MonkeyPatch, text: str, ids: list[str], few: int) -> None:
    monkeypatch.setattr(search, "_FEW", few)
    assert found(view, text) == ids


def test_case_matters_when_asked(view: ResultSet) -> None:
    assert found(view, "Quick", case=True) == []
    assert found(view, "quick", case=True) == ["alpha-1"]
    assert found(view, "Ärger", case=True) == ["beta-1"]
    assert found(view, "ärger", case=True) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [("tokens>", "tokens"), ("tokens>abc", "abc"), ("is:wonderful", "wonderful"), ("stop:", "stop")],
)
def test_a_field_still_being_typed_is_left_out_and_named(view: ResultSet, text: str, problem: str) -> None:
    chosen = drop_unknown(view, parse_filter(f"quick {text}"))
    assert problem in chosen.problem
    assert [view.id(row) for row in select(view, chosen)] == ["alpha-1"]


def test_expressions_look_in_the_decoded_text(view: ResultSet) -> None:
    assert found(view, r"^The\b.*fox$", regex=True) == ["alpha-1"]
    assert found(view, r"ärger|bern$", regex=True) == ["beta-1", "gamma-4"]
    assert found(view, r"ärger", regex=True, case=True) == []
    assert found(view, r"gamma-\d is:good", regex=True) == ["gamma-3", "gamma-4"]
    assert found(view, "lost-[0-9]", regex=True) == ["lost-1"]
    assert "regular expression" in parse_filter("(", regex=True).problem


def test_an_expression_that_never_ends_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regex, "PATIENCE", 0.7)
    bad = batch(tmp_path, [good("x", "a" * 60 + "!")])
    with pytest.raises(InputError, match="too long"):
        select(bad, parse_filter(r"(a+)+$", regex=True))


def test_a_group_opens_as_a_filter(view: ResultSet) -> None:
    for group in view.groups():
        rows = select(view, group_filter(group))
        assert len(rows) == group.count
        assert {view.row(row).group for row in rows} == {group.number}


def test_a_stopped_search_keeps_what_it_found(view: ResultSet) -> None:
    stop = Event()
    stop.set()
    assert list(select(view, parse_filter("quick"), Work(stop=stop))) == []
    assert len(select(view, parse_filter("is:good"), Work(stop=stop))) == 5


@settings(deadline=None)
@given(st.text(max_size=30), st.booleans(), st.booleans())
def test_parsing_never_fails(text: str, case: bool, as_regex: bool) -> None:
    parse_filter(text, case=case, regex=as_regex)


NEEDLES = st.text(st.sampled_from("abAB \"\\/<>&'\n\tüÜé日😀ß\u2028."), min_size=1, max_size=5)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(NEEDLES, st.text(max_size=8), st.booleans(), st.booleans(), st.integers(0, 60), st.sampled_from([-1, 600, 1e9]))
def test_text_is_found_however_it_is_written_and_wherever_a_block_ends(
    tmp_path: Path, needle: str, around: str, ascii_only: bool, case: bool, shift: int, rare: float
) -> None:
    block = search.BLOCK, search.FOLDED_BLOCK, search._FEW, search._RARE
    search.BLOCK, search.FOLDED_BLOCK, search._FEW = 64, 64, 0
    search._RARE = rare
    try:
        text = "x" * shift + around.replace("\ud800", "") + needle + around
        raw = message("a", [{"type": "text", "text": text}], ascii_only=ascii_only)
        view = batch(tmp_path, [good("b", "nothing"), raw])
        word = search.Word(needle)
        rows = [r for some in search.find(view, search.Filter(words=(word,), case=case)) for r in some]
        assert 1 in rows
    finally:
        search.BLOCK, search.FOLDED_BLOCK, search._FEW, search._RARE = block


def test_every_row_is_found_once(tmp_path: Path) -> None:
    lines = [good(f"r{n}", "same words " * (1 + n % 5)) for n in range(3000)]
    view = batch(tmp_path, lines, [f"r{n}" for n in range(3000)])
    assert list(select(view, parse_filter("words"))) == list(range(3000))
    assert list(select(view, parse_filter("prompt:something"))) == list(range(3000))


@pytest.mark.parametrize(
    ("key", "order"),
    [
        ("id", ["a", "b", "c", "d"]),
        ("tokens", ["d", "a", "c", "b"]),
        ("outcome", ["a", "b", "c", "d"]),
        ("source", ["c", "a", "b", "d"]),
        ("file", ["b", "a", "c", "d"]),
        ("cost", ["d", "a", "c", "b"]),
        ("words", ["d", "c", "b", "a"]),
    ],
)
def test_sorting(tmp_path: Path, key: str, order: list[str]) -> None:
    lines = [
        good("b", "M", output_tokens=900),
        good("a", "Z", output_tokens=10),
        good("c", "B", output_tokens=30),
        errored("d", text="A"),
    ]
    view = batch(tmp_path, lines, ["c", "a", "b", "d"])
    shown = [view.id(row) for row in sort(view, range(4), key)]
    if key == "outcome":
        assert shown == ["b", "a", "c", "d"]
    else:
        assert shown == order


@pytest.mark.parametrize(
    ("text", "value"), [("1000", 1000), ("1,000", 1000), ("1.5k", 1500), ("5MB", 5_000_000), ("x", None), ("", None)]
)
def test_numbers_as_people_write_them(text: str, value: int | None) -> None:
    assert number(text) == value


def test_an_unknown_type_can_be_found_by_its_words(tmp_path: Path) -> None:
    view = batch(tmp_path, [line("a", {"type": "postponed", "why": "a holiday"})])
    assert found(view, "holiday") == ["a"]
    assert found(view, "is:unknown") == ["a"]
