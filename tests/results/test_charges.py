"""What an answer cost beyond its top-level tokens, and costs that can't be known whole."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.results.result_lines import PRICES, good, message

from batchtui.domain.outcome import meaning_of
from batchtui.present import numbers
from batchtui.results.charges import CODE_EXECUTION, ITERATIONS
from batchtui.results.line import message_facts, read_line
from batchtui.results.storage import open_results

TOP = {"input_tokens": 1_000, "output_tokens": 100}
TEXT = {"type": "text", "text": "Fine."}
COMPACTION = {"type": "compaction", "input_tokens": 50_000, "output_tokens": 2_000}
ADVISOR = {"type": "advisor_message", "model": "claude-opus-5-5", "input_tokens": 10_000, "output_tokens": 1_000}
RAN = {"type": "bash_code_execution_tool_result", "tool_use_id": "s", "content": {}}
FILTERED = {
    "type": "server_tool_use",
    "id": "s",
    "name": "web_search",
    "input": {},
    "caller": {"type": "code_execution_20260120", "tool_id": "t"},
}
SONNET = Decimal("0.0015")
"""Half of 1,000 tokens in at $2 and 100 out at $10 a million."""
CASES: list[tuple[str, list[Any], dict[str, Any], Decimal, tuple[str, ...]]] = [
    # what it is, content, usage beside TOP, dollars at batch price, what is not known
    ("plain", [TEXT], {}, SONNET, ()),
    ("iterations that the sums hold", [TEXT], {"iterations": [{"type": "message", **TOP}]}, SONNET, ()),
    ("no iterations", [TEXT], {"iterations": [], "server_tool_use": None}, SONNET, ()),
    ("compaction", [TEXT], {"iterations": [COMPACTION]}, SONNET + Decimal("0.06"), (ITERATIONS,)),
    ("advisor at its own price", [TEXT], {"iterations": [ADVISOR]}, SONNET + Decimal("0.03"), (ITERATIONS,)),
    (
        "advisor without a price",
        [TEXT],
        {"iterations": [{**ADVISOR, "model": "claude-next"}]},
        SONNET,
        (ITERATIONS, "no price for claude-next"),
    ),
    ("a new kind of iteration", [TEXT], {"iterations": [{"type": "dream"}]}, SONNET, ("usage of an unknown kind (dream)",)),
    ("web search", [TEXT], {"server_tool_use": {"web_search_requests": 3}}, SONNET + Decimal("0.03"), ()),
    ("web fetch", [TEXT], {"server_tool_use": {"web_fetch_requests": 3}}, SONNET, ()),
    (
        "a new server tool",
        [TEXT],
        {"server_tool_use": {"map_requests": 2, "web_search_requests": 1}},
        SONNET + Decimal("0.01"),
        ("fees of server tools (map)",),
    ),
    ("code", [TEXT, RAN], {}, SONNET, (CODE_EXECUTION,)),
    ("code for web search itself", [FILTERED, RAN, TEXT], {"server_tool_use": {"web_search_requests": 1}},
     SONNET + Decimal("0.01"), ()),
    ("an answer about code_execution", [{"type": "text", "text": "use code_execution"}], {}, SONNET, ()),
]  # fmt: skip


def test_costs_beyond_the_top_sums_one_by_one_and_together(tmp_path: Path) -> None:
    lines = [message(f"r{n}", content, **TOP, **usage) for n, (_, content, usage, _, _) in enumerate(CASES)]
    (tmp_path / "results.jsonl").write_bytes(b"".join(lines))
    view = open_results(tmp_path, PRICES)
    try:
        for number, (what, _, _, cost, missing) in enumerate(CASES):
            row = view.row(number)
            assert (what, row.cost_usd, row.at_least) == (what, cost, bool(missing))
        tally = view.tally
        assert tally.cost_usd == sum(each[3] for each in CASES)
        assert set(tally.cost_missing) == {reason for each in CASES for reason in each[4]}
        assert tally.input_tokens == 1_000 * len(CASES) + 50_000 + 2 * 10_000
        assert tally.standard_usd is not None and tally.cost_usd is not None
        # Fees of tools are not halved.
        assert tally.standard_usd == 2 * tally.cost_usd - Decimal("0.05")
    finally:
        view.close()


def test_a_batch_of_plain_answers_is_known_whole(tmp_path: Path) -> None:
    (tmp_path / "results.jsonl").write_bytes(b"".join(good(f"r{n}") for n in range(3)))
    view = open_results(tmp_path, PRICES)
    assert view.tally.cost_missing == () and not view.row(1).at_least
    view.close()


@pytest.mark.parametrize("size", [0, 3_000_000])
def test_the_quick_and_the_slow_reader_see_the_same_charges(size: int) -> None:
    content = [RAN, {"type": "text", "text": "x" * size or "."}]
    raw = message("r", content, **TOP, iterations=[COMPACTION])
    odd = raw.replace(b'"input_tokens":1000', b'"input_tokens":1000.0', 1)
    found = [read_line(each.strip()) for each in (raw, odd)]
    assert found[0].usage == found[1].usage and found[0].missing == found[1].missing == (ITERATIONS, CODE_EXECUTION)


def test_charges_that_are_no_charges_do_no_harm() -> None:
    for iterations in (5, "x", [None], [[]], [{"type": None}], [{"type": "compaction", "input_tokens": "many"}]):
        facts = message_facts(
            json.dumps({"model": "m", "content": [TEXT], "usage": {**TOP, "iterations": iterations}}).encode()
        )
        assert facts.usage.extra == () and facts.missing


def test_a_cost_that_is_not_whole_is_marked() -> None:
    assert numbers.at_least("$0.12", True) == "≥ $0.12"
    assert numbers.at_least("$0.12", False) == "$0.12"
    assert numbers.at_least("no price", True) == "no price"


@pytest.mark.parametrize(
    ("kind", "message", "code", "retry"),
    [
        ("invalid_request_error", "Your organization is disabled.", "", "later"),
        ("invalid_request_error", "The workspace has reached its API usage limit.", "", "later"),
        ("invalid_request_error", "Timed out while downloading https://a.example/b.pdf", "", "as_is"),
        ("rate_limit_error", "You have reached your organization's monthly spend limit.", "", "later"),
        ("rate_limit_error", "Number of requests exceeds the limit", "", "as_is"),
        ("rate_limit_error", "slow down", "ramp_limit_exceeded", "as_is"),
        ("invalid_request_error", "tools.0: 'reached your API usage limits' is no name", "", "changed"),
        ("invalid_request_error", "tool organization_disabled: input_schema: Field required", "", "changed"),
        ("invalid_request_error", "messages.0: spend_limit is not a role", "", "changed"),
    ],
)  # fmt: skip
def test_errors_are_judged_by_whole_phrases(kind: str, message: str, code: str, retry: str) -> None:
    assert meaning_of(kind, message, code).retry == retry
