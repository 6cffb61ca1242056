"""Answers are checked by what their own request asked for; the table of what an outcome means is walked everywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from batchtui.cli.words import tally_failed
from batchtui.domain.outcome import ALL_OUTCOMES, CODES, FLAWS, STANDINGS, meaning_of, standing
from batchtui.results import index
from batchtui.results.answer_check import Schema
from batchtui.results.answer_parts import parts_of
from batchtui.results.asked import SchemaPair
from batchtui.results.fields import check_answers, open_fields
from batchtui.results.filter import parse_filter
from batchtui.results.requests_again import NOT_SUCCEEDED, ONLY, choose
from batchtui.results.run_view import open_run
from batchtui.results.search import select
from batchtui.results.storage import open_results
from batchtui.results.view import ResultSet
from batchtui.store.records import ANSWER, INDEX
from batchtui.tui.results.rows import in_tab, tabs
from results.result_lines import PRICES, batch, canceled, errored, expired, good, line, message, request, store

SCHEMA = {
    "type": "object",
    "properties": {
        "sentiment": {"type": "string", "enum": ["positive", "negative"]},
        "urgency": {"type": "integer", "minimum": 1, "maximum": 5},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
        "note": {"anyOf": [{"type": "null"}, {"type": "string", "maxLength": 3}]},
        "code": {"type": "string", "pattern": "^[A-Z]+$"},
    },
    "required": ["sentiment", "urgency"],
    "additionalProperties": False,
}
REASONS = [
    ('{"sentiment": "positive", "urgency": 3}', ""),
    ('{"sentiment": "Positive", "urgency": 3}', ""),
    ('```json\n{"sentiment": "positive", "urgency": 3}\n```', ""),
    ('{"sentiment": "positive", "urgency": 7}', "urgency is 7, at most 5"),
    ('{"sentiment": "positive", "urgency": 0}', "urgency is 0, at least 1"),
    ('{"sentiment": "good", "urgency": 3}', 'sentiment is "good", not one of "positive", "negative"'),
    ('{"sentiment": "positive"}', "urgency is missing"),
    ('{"sentiment": "positive", "urgency": "high"}', 'urgency is "high", not a whole number'),
    ('{"sentiment": "positive", "urgency": 3, "x": 1}', "x was not asked for"),
    ('{"sentiment": "positive", "urgency": 3, "tags": ["a", "b", "c"]}', "tags has 3 items, at most 2"),
    ('{"sentiment": "positive", "urgency": 3, "tags": ["a", 1]}', "tags[2] is 1, not a text"),
    ('{"sentiment": "positive", "urgency": 3, "code": "ab"}', 'code is "ab", does not match ^[A-Z]+$'),
    ('{"sentiment": "positive", "urgency": 3, "note": "long"}', 'note is "long": none of the forms asked for'),
    ("[]", "the answer is [], not an object"),
    ("I can't say.", "not JSON"),
    ('{"sentiment": "positive", "urgency": ', "not JSON"),
    ("[" * 100_000, "nested too deep to be checked"),
]


def asking(custom_id: str, schema: Any = SCHEMA, **params: Any) -> bytes:
    return request(custom_id, output_config={"format": {"type": "json_schema", "schema": schema}}, **params)


def test_reasons_in_words(tmp_path: Path) -> None:
    schema = Schema(SCHEMA)
    for text, reason in REASONS:
        flaw = schema.flaw_in_text(text)
        assert (flaw.text if flaw else "") == reason, text
    # The same from an index, by row, and in groups.
    lines = [good(f"r{n}", text) for n, (text, _) in enumerate(REASONS)]
    view = batch(tmp_path, lines, requests=[asking(f"r{n}") for n in range(len(lines))])
    assert [view.why_invalid(row) for row in range(len(view))] == [reason for _, reason in REASONS]
    assert view.tally.invalid == sum(bool(reason) for _, reason in REASONS)
    assert view.tally.good == 3
    groups = {group.message: group.count for group in view.groups()}
    assert groups["urgency: at most 5"] == 1 and groups["not JSON"] == 2
    assert all(group.kind == "invalid" and group.retry_helps for group in view.groups())


def test_each_answer_is_checked_by_its_own_requests_schema(tmp_path: Path) -> None:
    number = {"type": "object", "properties": {"n": {"type": "number"}}, "required": ["n"]}
    tool = {"name": "label", "input_schema": number, "strict": True}
    loose = {"name": "label", "input_schema": number}
    other = {"name": "other", "input_schema": {"type": "object"}}

    def call(name: str, given: Any) -> dict[str, Any]:
        return {"type": "tool_use", "id": "t", "name": name, "input": given}

    force = {"type": "tool", "name": "label"}
    cases: list[tuple[bytes, bytes, str]] = [
        (asking("a", number), good("a", '{"n": 1}'), ""),
        (asking("b", number), good("b", '{"sentiment": "positive", "urgency": 1}'), "n is missing"),
        (asking("c"), good("c", '{"n": 1}'), "sentiment is missing"),
        (request("d"), good("d", "anything"), ""),
        (request("e", tools=[tool]), message("e", [call("label", {"n": "x"})]), 'n is "x", not a number'),
        (request("f", tools=[tool]), good("f", "no call is needed"), ""),
        (request("g", tools=[loose]), message("g", [call("label", {"n": "x"})]), ""),
        (request("h", tools=[loose, other], tool_choice=force), message("h", [call("label", {"n": 2.5})]), ""),
        (request("i", tools=[loose, other], tool_choice=force), good("i", "no"), "no call of the tool label"),
        (asking("j", number, tools=[other]), message("j", [call("other", {})], stop="tool_use"), ""),
        (asking("k", number), good("k", '{"n": ', stop="max_tokens"), ""),
        (asking("l", {"type": "nonsense"}), good("l", "not checked"), ""),
        (asking("m", {"$ref": "http://127.0.0.1:1/x"}), good("m", "nothing is fetched"), ""),
        (
            asking("n", number),
            message("n", [{"type": "thinking", "thinking": "{}"}, {"type": "text", "text": "{}"}]),
            "n is missing",
        ),
    ]
    view = batch(tmp_path, [answer for _, answer, _ in cases], requests=[asked for asked, _, _ in cases])
    assert [view.why_invalid(row) for row in range(len(view))] == [why for _, _, why in cases]
    assert view.row(10).cut_short == "max_tokens"


def test_the_whole_schema_beside_the_requests_checks_what_was_sent_of_it(tmp_path: Path) -> None:
    sent = {
        "type": "object",
        "properties": {"u": {"type": "integer"}},
        "required": ["u"],
        "additionalProperties": False,
    }
    whole = {**sent, "properties": {"u": {"type": "integer", "maximum": 5}}}
    (tmp_path / ANSWER).write_bytes(msgspec.json.encode([SchemaPair(sent, whole)]))
    requests = [asking("a", sent), asking("b", sent), asking("c", {**sent, "required": []})]
    view = batch(tmp_path, [good(each, '{"u": 7}') for each in "abc"], requests=requests)
    assert [row.invalid for row in map(view.row, range(3))] == [True, True, False]
    # Without the whole schema the index is made anew, and only what was sent is asked.
    (tmp_path / ANSWER).unlink()
    assert open_results(tmp_path, PRICES).tally.invalid == 0


def test_an_index_of_before_is_made_anew(tmp_path: Path) -> None:
    view = batch(tmp_path, [good("a", "no JSON")], requests=[asking("a")])
    made = index.Index(msgspec.structs.replace(view.header, version=1), view.columns)
    view.columns.cut[0] = 0
    index.save(tmp_path / INDEX, made)
    assert open_results(tmp_path, PRICES).row(0).invalid


def test_a_schema_given_later_checks_what_was_asked_for_without_one(tmp_path: Path) -> None:
    store(
        tmp_path,
        [good("a", "prose"), good("b", '{"n": 1}'), good("c", "prose"), errored("d")],
        requests=[request("a"), request("b"), asking("c", {"type": "object"}), request("d")],
    )
    schema = Schema({"type": "object", "required": ["n"]})
    view = open_run([(tmp_path, 0)], PRICES, schema=schema)
    assert [view.row(row).state for row in range(4)] == ["invalid", "usable", "invalid", "errored"]
    assert (view.tally.invalid, view.tally.good) == (2, 1)
    assert open_results(tmp_path, PRICES).tally.invalid == 1
    for bad in ({"type": "nonsense"}, {"$ref": "file:///etc/hosts"}):
        with pytest.raises(ValueError, match=r"."):
            Schema(bad)


ODD_TEXTS = (
    *(text for text, _ in REASONS[:-1]),
    *('{"n": 0.30000000000000001}', '{"n": 0.99999999999999999999}', '{"n": 1.0}', '{"n": 1e400}', '{"n": 1E2}'),
    *('{"n": 1, "n": "x"}', " [1, 1.0]\n", "[1, 1.00000000000000000001]", '"text"', "7", "1e400", "null", "\ufeff{}"),
    *('See: {"n": 2}', '{"n": NaN}', '{"n": "\\ud800"}', '{"é": "東京"}', "", "{" * 2_000),
)
ODD_SCHEMAS: tuple[Any, ...] = (
    SCHEMA,
    {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}},
    {"properties": {"n": {"maximum": 0.3}}},
    {"properties": {"n": {"exclusiveMaximum": 1}}},
    {"properties": {"n": {"not": {"enum": [1, 0.3]}}}},
    {"properties": {"n": {"enum": [1, 0.3]}}},
    {"properties": {"n": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"multipleOf": 0.1}}},
    {"type": "array", "uniqueItems": True},
    {"type": "number"},
    {"type": ["object", "string"]},
    {"$ref": "https://json-schema.org/draft/2020-12/schema"},
    True,
)


@pytest.mark.parametrize("schema", ODD_SCHEMAS, ids=[*map(str, range(len(ODD_SCHEMAS)))])
def test_what_is_decoded_once_for_fields_gets_the_same_verdict(tmp_path: Path, schema: Any) -> None:
    texts = ODD_TEXTS
    blocks = [[{"type": "text", "text": text}] for text in texts]
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {"n": 1}}
    blocks += [[{"type": "thinking", "thinking": "", "signature": "s"}, *blocks[0]], [*blocks[0], call], [call]]
    store(tmp_path, [message(f"r{number}", content) for number, content in enumerate(blocks)])
    view = open_run([(tmp_path, 0)], PRICES, schema=Schema(schema))
    checker = view.members[0].checker
    for row in range(len(view)):
        if view.column("cut")[row] in (0, FLAWS.index("invalid")):
            flaw = checker.flaw(view.column("seq")[row], parts_of(view.members[0].read(row)))
            assert view.row(row).invalid == (flaw is not None), blocks[row]
    assert open_fields(view.members[0]).names


def one_of_each(folder: Path) -> ResultSet:
    names = [*ALL_OUTCOMES]
    results = {
        "usable": good("usable", '{"sentiment": "positive", "urgency": 1}'),
        "cut_short": good("cut_short", "half", stop="max_tokens"),
        "invalid": good("invalid", "prose"),
        "errored": errored("errored"),
        "canceled": canceled("canceled"),
        "expired": expired("expired"),
        "unknown": line("unknown", {"type": "novel"}),
        "unreadable": b'{"custom_id": "unreadable"}\n',
    }
    return batch(folder, [*results.values()], requests=[asking(name) for name in names])


def test_the_table_of_what_an_outcome_means(tmp_path: Path) -> None:
    table = {
        # tab, retried, rank, exit, strict, counted, gold
        "usable": (2, False, 5, 0, 0, "", True),
        "cut_short": (3, False, 3, 0, 1, "cut short", False),
        "invalid": (4, False, 4, 0, 1, "invalid", False),
        "errored": (5, True, 2, 1, 1, "no answer", False),
        "canceled": (6, True, 1, 1, 1, "no answer", False),
        "expired": (7, True, 1, 1, 1, "no answer", False),
        "missing": (8, True, 0, 1, 1, "no answer", False),
        "unknown": (9, False, 0, 1, 1, "no answer", False),
        "unreadable": (9, False, 0, 1, 1, "no answer", False),
    }
    held = {s.name: (s.tab, s.retried, s.rank, s.exit_code, s.strict, s.counted, s.gold) for s in STANDINGS if s.tab}
    assert held == table
    view = one_of_each(tmp_path)
    state = {view.id(row): row for row in range(len(view))}
    assert set(state) == set(table)
    shown = tabs(view)
    for name, row in state.items():
        assert view.row(row).state == name
        assert view.counts()[name] == 1
        # Filters and --only.
        assert list(select(view, parse_filter(f"outcome:{name}"))) == [row]
        # Its tab, by its key.
        assert row in in_tab(view, shown[table[name][0] - 1].id)
        # Retried unless said otherwise.
        assert (row in choose(view)) == table[name][1] == (name in NOT_SUCCEEDED)
        assert (name in ONLY) == (name != "usable")
        # Exit codes.
        alone = msgspec.structs.replace(
            view.tally, **{other: int(other == name) for other in table if other != "usable"}
        )
        alone = msgspec.structs.replace(alone, succeeded=int(name in ("usable", "cut_short", "invalid")))
        assert (tally_failed(alone, strict=False) > 0, tally_failed(alone, strict=True) > 0) == tuple(
            map(bool, table[name][3:5])
        )
        if name != "usable":
            assert meaning_of(name).advice
    # Tabs add up.
    assert shown[0].count == len(view) == sum(tab.count for tab in shown[1:])
    assert [tab.id for tab in shown] == ["all", *[n for n in table if table[n][0] < 9], "other"]
    assert len(select(view, parse_filter("outcome:succeeded"))) == 3


def test_in_a_run_the_higher_rank_holds_and_of_equal_ones_the_later(tmp_path: Path) -> None:
    ladder = {
        "usable": good("q", '{"sentiment": "positive", "urgency": 1}'),
        "invalid": good("q", "prose"),
        "cut_short": good("q", "half", stop="max_tokens"),
        "errored": errored("q"),
        "expired": expired("q"),
    }
    ranks = {
        name: standing(
            CODES.get(name, 0),
            FLAWS.index({"cut_short": "max_tokens"}.get(name, name)) if name in ("invalid", "cut_short") else 0,
        ).rank
        for name in ladder
    }
    for number, (one, first) in enumerate(ladder.items()):
        for other, second in ladder.items():
            folders = [tmp_path / f"{number}-{other}-{n}" for n in range(2)]
            for folder, answer in zip(folders, (first, second), strict=True):
                batch(folder, [answer], requests=[asking("q")]).close()
            run = open_run([(folders[0], 0), (folders[1], 1)], PRICES)
            wanted = one if ranks[one] > ranks[other] else other
            assert run.row(0).state == wanted, (one, other)
            assert run.row(0).attempt == (0 if ranks[one] > ranks[other] else 1)
            assert run.tally.invalid == (wanted == "invalid")
            run.close()


def test_blocks_of_lines_and_lines_alone_are_checked_alike(tmp_path: Path) -> None:
    texts = ['{"sentiment": "positive", "urgency": 1}', "prose", '{"sentiment": "x", "urgency": 1}']
    lines = [good(f"r{n}", texts[n % 3]) for n in range(300)]
    requests = [asking(f"r{n}") for n in range(300)]
    together = batch(tmp_path / "a", lines, requests=requests)
    # A line that is no JSON has every line of its block read alone.
    apart = batch(tmp_path / "b", [*lines, b"{odd\n"], requests=requests)
    for view in (together, apart):
        assert [view.columns.cut[row] for row in range(300)] == [
            FLAWS.index("invalid") if n % 3 else 0 for n in range(300)
        ]
        assert view.tally.invalid == 200
    assert json.dumps(sorted(group.message for group in together.groups())) == json.dumps(
        sorted(group.message for group in apart.groups() if group.outcome == "succeeded")
    )


def test_a_schema_given_later_counts_only_what_it_checks(tmp_path: Path) -> None:
    asked = {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}
    lines = [good("a", "{}"), good("b", "{}"), good("c", '{"zz": 1}'), expired("d")]
    view = batch(tmp_path, lines, requests=[request("a", **asked), *map(request, "bcd")])
    check_answers(view, Schema({"required": ["zz"]}))
    assert view.checked_by_other() == (3, 1, 1)
