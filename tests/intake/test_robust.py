"""Nothing that is read may end the reading: random bytes, torn files, enormous lines, any rows."""

import gzip
import io
import json
import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from batchtui.domain.batch import CUSTOM_ID
from batchtui.domain.plan import Plan
from batchtui.intake.json_array import Elements, one_line
from batchtui.intake.options import FORMATS, IntakeOptions
from batchtui.intake.plan import make_plan
from batchtui.intake.sources import SourceFault, lines
from tests.intake.helpers import MODEL, PRICES, params, plan_of, request, staged

TEMPLATE = 'model = "claude-opus-5"\nmax_tokens = 5\ncustom_id = "{{ row.id }}"\nprompt = "{{ row.a }}: {{ row }}"\n'
SLOW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def read(data: bytes, staging: Path | None = None, **options: Any) -> Plan:
    return make_plan(["-"], IntakeOptions(**options), prices=PRICES, staging=staging, stdin=io.BytesIO(data))


def check_sendable(plan: Plan) -> None:
    """What is staged is what a create takes: unique valid ids, whole JSON lines, limits kept."""
    seen: set[str] = set()
    for each in staged(plan):
        assert set(each) == {"custom_id", "params"}
        assert CUSTOM_ID.match(each["custom_id"])
        assert each["custom_id"] not in seen
        seen.add(each["custom_id"])
    assert len(seen) == plan.requests


@SLOW
@given(data=st.binary(max_size=400), kind=st.sampled_from([None, *FORMATS]), template=st.booleans())
@example(data=b"\xff\xfe", kind=None, template=True)
@example(data=b"PAR1", kind=None, template=True)
@example(data=b"\x1f\x8b", kind=None, template=False)
@example(data=b'"', kind="csv", template=True)
@example(data=b"[", kind="json", template=False)
@example(data=b"{" * 10_000, kind="native", template=False)
def test_random_bytes_end_in_a_plan_with_problems(data: bytes, kind: str | None, template: bool) -> None:
    plan = read(data, format=kind, template_text=TEMPLATE if template else None)
    assert plan.ok == (plan.errors == 0 and plan.requests > 0)
    assert plan.requests or plan.problems


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    [
        *(
            "model",
            "max_tokens",
            "messages",
            "system",
            "tools",
            "tool_choice",
            "thinking",
            "metadata",
            "stop_sequences",
        ),
        *("role", "content", "type", "text", "source", "temperature", "output_config", "service_tier", "cache_control"),
        "betas",
    ]
)
SHAPED = st.recursive(
    JSON | st.sampled_from([MODEL, "user", "assistant", "text", "image", "tool_use", "ephemeral", "enabled"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=5),
    max_leaves=15,
)


@settings(SLOW)
@given(changes=st.dictionaries(FIELDS, SHAPED, max_size=4), messages=st.none() | SHAPED)
def test_any_params_are_checked_without_a_crash(changes: dict[str, Any], messages: Any) -> None:
    made = {**params(), **changes}
    if messages is not None:
        made["messages"] = messages
    line = json.dumps({"custom_id": "a", "params": made}).encode()
    with TemporaryDirectory() as folder:
        plan = read(line, Path(folder), format="native")
        assert plan.requests or plan.errors
        if plan.ok:
            check_sendable(plan)
    translated = json.dumps({"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": made}).encode()
    assert read(translated, format="openai", default_model=MODEL)


CELL = st.text(max_size=20) | st.sampled_from(['"', "{{ x }}", "\x1b[31m", "\u202e", "=1+1", "a" * 70, "日本"])


@settings(SLOW, max_examples=10)  # Each starts a process.
@given(rows=st.lists(st.dictionaries(st.sampled_from(["id", "a", "b c", "é"]), CELL | JSON, max_size=4), max_size=8))
def test_any_rows_give_sendable_requests_or_problems_that_name_the_row(rows: list[dict[str, Any]]) -> None:
    data = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    with TemporaryDirectory() as folder:
        plan = read(data, Path(folder), format="rows", template_text=TEMPLATE, skip_bad=True)
        if plan.ok:
            check_sendable(plan)
        assert plan.requests + plan.skipped == len(rows)
        for group in plan.problems:
            assert rows == [] or all(problem.where.startswith("stdin:") for problem in group.first)


@settings(SLOW, max_examples=40)
@given(cut=st.integers(0, 2000), packed=st.booleans(), layout=st.sampled_from(["lines", "array", "pretty"]))
def test_a_file_cut_anywhere_is_read_to_the_cut_and_named(cut: int, packed: bool, layout: str) -> None:
    requests = [request(f"a{n}", system='"]}\\ é') for n in range(12)]
    data = {
        "lines": b"".join(json.dumps(each).encode() + b"\n" for each in requests),
        "array": json.dumps(requests).encode(),
        "pretty": json.dumps(requests, indent=1).encode(),
    }[layout]
    if packed:
        data = gzip.compress(data)
    cut %= len(data)
    plan = read(data[:cut])
    assert plan.requests <= len(requests)
    if layout != "lines" or packed:
        assert not plan.ok


@settings(SLOW)
@given(
    values=st.lists(st.dictionaries(st.text(max_size=6), JSON, min_size=1, max_size=3), max_size=6),
    indent=st.sampled_from([None, 1]),
    piece=st.integers(1, 30),
)
def test_elements_are_cut_out_as_they_are_whatever_the_pieces(
    values: list[Any], indent: int | None, piece: int
) -> None:
    class Small:
        def __init__(self, data: bytes) -> None:
            self._file = io.BytesIO(data)

        def read(self, size: int, /) -> bytes:
            return self._file.read(piece)

    text = json.dumps(values, indent=indent).encode()
    cut = [json.loads(one_line(element)) for element, _ in Elements(Small(text[1:]), 10_000, nested=True) if element]
    assert json.dumps(cut) == json.dumps(values)


@given(data=st.binary(max_size=300), size=st.integers(1, 50), limit=st.integers(1, 100))
@settings(max_examples=100, deadline=None)
def test_lines_are_the_same_whatever_the_pieces(data: bytes, size: int, limit: int) -> None:
    got = list(lines(io.BytesIO(data), limit, size))
    expected = data.split(b"\n")
    if expected[-1] == b"":
        expected.pop()
    assert len(got) == len(expected)
    for mine, line in zip(got, expected, strict=True):
        assert mine == line or (mine is None and len(line) > limit)


def test_deep_json_is_named_wherever_it_stands(tmp_path: Path) -> None:
    deep = (
        b'{"custom_id":"a","params":{"model":"claude-opus-5","max_tokens":1,"messages":'
        + b"[" * 50_000
        + b"]" * 50_000
        + b"}}"
    )
    for wanted in ("native", "params", "openai", "rows"):
        plan = read(deep, format=wanted, template_text=TEMPLATE if wanted == "rows" else None, default_model=MODEL)
        assert not plan.ok
    assert not read(b"[" + deep + b"]").ok


def test_broken_brackets_between_elements_are_refused() -> None:
    for text in (b'{"a":1} ] ', b'{"a":1}}'):
        with pytest.raises(SourceFault):
            list(Elements(io.BytesIO(text), 1000, nested=False))


MEMORY = """
import resource, sys
from pathlib import Path
from batchtui.domain.money import load_prices
from batchtui.intake.options import IntakeOptions
from batchtui.intake.plan import make_plan
base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
plan = make_plan([sys.argv[1]], IntakeOptions(), prices=load_prices(), staging=Path(sys.argv[2]))
print(plan.requests, plan.errors, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base) // 1024)
"""


def measured(source: Path, staging: Path) -> tuple[int, int, int]:
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(source), str(staging)], capture_output=True, text=True, check=True
    )
    requests, errors, megabytes = map(int, done.stdout.split())
    return requests, errors, megabytes


def test_a_50_megabyte_line_is_read_or_named(tmp_path: Path) -> None:
    large = msgspec.json.encode(request("large", messages=[{"role": "user", "content": "word " * 10_000_000}]))
    (tmp_path / "in.jsonl").write_bytes(
        b"\n".join([msgspec.json.encode(request("a")), large, msgspec.json.encode(request("b"))])
    )
    plan = plan_of(tmp_path / "in.jsonl")
    assert plan.requests == 3
    assert {each.code for each in plan.problems} == {"request_huge", "context"}
    refused = plan_of(tmp_path / "in.jsonl", max_bytes=20_000_000)
    assert (refused.requests, [each.code for each in refused.problems]) == (2, ["request_size"])


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    line = msgspec.json.encode(request("ID", system="word " * 500))
    sizes = []
    for count in (2_000, 20_000):
        source = tmp_path / f"{count}.jsonl"
        with source.open("wb") as file:
            for number in range(count):
                file.write(line.replace(b"ID", str(number).encode(), 1) + b"\n")
        requests, errors, megabytes = measured(source, tmp_path / f"s{count}")
        assert (requests, errors) == (count, 0)
        sizes.append(megabytes)
    assert sizes[1] < sizes[0] + 15


@pytest.mark.slow
def test_a_million_ids_fit_into_little_memory(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    line = msgspec.json.encode(request("ID"))
    with source.open("wb") as file:
        for number in range(1_000_000):
            file.write(line.replace(b"ID", b"some-longer-id-%d" % number, 1) + b"\n")
    requests, errors, megabytes = measured(source, tmp_path / "s")
    assert (requests, errors) == (1_000_000, 0)
    assert megabytes < 100
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 130 * 1024
