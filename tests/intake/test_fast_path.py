"""Many ordinary requests at once come to the same as each of them by itself."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchtui.domain.plan import Plan
from batchtui.intake import fast_path
from tests.intake.helpers import MODEL, group, plan_of, request, staged, write_lines

TEXT = st.text(max_size=12) | st.sampled_from(
    ['"', "\\", "\n", " ", "\u00a0", "é", "日本", '"model":1', "x" * 50, "\u2028"]
)
TURN = st.fixed_dictionaries({"role": st.sampled_from(["user", "user", "assistant"]), "content": TEXT})
BLOCKS = st.fixed_dictionaries(
    {
        "role": st.just("user"),
        "content": st.lists(st.fixed_dictionaries({"type": st.just("text"), "text": TEXT}), max_size=2),
    }
)
PARAMS = st.fixed_dictionaries(
    {
        "model": st.sampled_from([MODEL, MODEL, "claude-opus-5", "claude-2.1", "who"]),
        "max_tokens": st.sampled_from([1, 100, 64_000, 0]),
        "messages": st.lists(TURN | BLOCKS, min_size=1, max_size=3),
    },
    optional={
        "system": TEXT,
        "metadata": st.fixed_dictionaries({"user_id": TEXT}),
        "stop_sequences": st.lists(TEXT, max_size=2),
        "tools": st.just([{"name": "f", "input_schema": {"type": "object", "properties": {"max_tokens": {}}}}]),
        "betas": st.just(["b-1"]),
        "inference_geo": st.just("us"),
        "temperature": st.just(0.5),
    },
)
STYLE = st.sampled_from([(",", ":"), (", ", ": "), (" ,", " :")])


def written(made: list[dict[str, Any]], style: tuple[str, str], ascii_only: bool) -> list[bytes]:
    lines = []
    for number, each in enumerate(made):
        whole = {"custom_id": f"a{number % 7 if number > 8 else number}", "params": each}
        lines.append(json.dumps(whole, separators=style, ensure_ascii=ascii_only).encode("utf-8", "replace"))
    return lines


def summary(plan: Plan) -> tuple[object, ...]:
    problems = {(each.code, each.message, each.count, tuple(p.where for p in each.first)) for each in plan.problems}
    parts = [(part.requests, part.bytes, part.betas, part.models, part.fingerprint) for part in plan.parts]
    return plan.requests, plan.bytes, plan.errors, problems, parts, plan.sample, plan.estimate.output_tokens


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(made=st.lists(PARAMS, min_size=1, max_size=10), style=STYLE, ascii_only=st.booleans(), skip=st.booleans())
def test_a_block_comes_to_the_same_as_its_lines(
    made: list[dict[str, Any]], style: tuple[str, str], ascii_only: bool, skip: bool
) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        source = write_lines(Path(folder) / "in.jsonl", *written(made, style, ascii_only))
        at_once = plan_of(source, staging=Path(folder) / "one", skip_bad=skip)
        patch.setattr(fast_path, "survey", lambda block, checker: None)
        one_by_one = plan_of(source, staging=Path(folder) / "two", skip_bad=skip)
        assert summary(at_once) == summary(one_by_one)


def plain(number: int, content: str = "Say hello.") -> dict[str, Any]:
    return request(f"a{number}", messages=[{"role": "user", "content": content}], system="Be brief.")


@pytest.mark.parametrize("style", [(",", ":"), (", ", ": ")])
def test_ordinary_blocks_are_taken_at_once(
    tmp_path: Path, style: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from batchtui.intake.checker import Checker

    def never(*_: object, **__: object) -> None:
        raise AssertionError("a line was taken by itself")

    monkeypatch.setattr(Checker, "take", never)
    lines = [json.dumps(plain(n, f'line\n"{n}" é'), separators=style, ensure_ascii=False).encode() for n in range(3000)]
    plan = plan_of(write_lines(tmp_path / "in.jsonl", *lines), staging=tmp_path / "s")
    assert plan.ok
    assert len(staged(plan)) == 3000
    assert plan.parts[0].path is not None
    assert plan.parts[0].path.read_bytes() == (tmp_path / "in.jsonl").read_bytes()


GOOD = b'{"custom_id":"x","params":{"model":"claude-opus-5","max_tokens":2,"messages":[{"role":"user","content":"x"}]}}'


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (GOOD.replace(b'"max_tokens":2', b'"max_tokens":1,"max_tokens":2'), "duplicate_key"),
        (GOOD.replace(b'"custom_id":"x"', b'"custom_id":"x","custom_id":"y"'), "duplicate_key"),
        (GOOD.replace(b'"content":"x"', b'"content":"x","content":"y"'), "duplicate_key"),
        (GOOD.replace(b'"custom_id":"x"', b'"custom_id":"a5"'), "duplicate_id"),
        (GOOD.replace(b'"content":"x"', b'"content":"\xff"'), "utf8"),
        (GOOD.replace(b'"content":"x"', b'"content":"\\udc00"'), "json"),
        (GOOD.replace(b'"content":"x"', b'"content":" \\n"'), "content_blank"),
        (GOOD.replace(b'"custom_id":"x"', b'"custom_id":"x y"'), "custom_id"),
    ],
)
def test_one_fault_in_a_block_is_named_alone_and_its_neighbours_pass(tmp_path: Path, bad: bytes, code: str) -> None:
    lines = [json.dumps(plain(n), separators=(",", ":")).encode() for n in range(1000)]
    lines.insert(700, bad)
    plan = plan_of(write_lines(tmp_path / "in.jsonl", *lines), skip_bad=True, staging=tmp_path / "s")
    assert group(plan, code).first[0].where.endswith(":701")
    assert (plan.requests, plan.skipped) == (1000, 1)


def test_two_objects_on_a_line_and_one_over_two_lines_are_both_named(tmp_path: Path) -> None:
    one = json.dumps(plain(1), separators=(",", ":")).encode()
    two, three = one.replace(b"a1", b"a2"), one.replace(b"a1", b"a3").replace(b',"params"', b'\n,"params"')
    plan = plan_of(write_lines(tmp_path / "in.jsonl", one + two, three), format="native")
    assert plan.requests == 0
    assert group(plan, "json").count == 1
    assert plan.errors == 3


def test_models_of_one_block_are_kept_apart(tmp_path: Path) -> None:
    kinds = [("claude-opus-5", "hi"), (MODEL, "word " * 400)]
    lines = [
        request(f"a{n}", model=kinds[n % 2][0], messages=[{"role": "user", "content": kinds[n % 2][1]}])
        for n in range(200)
    ]
    plan = plan_of(write_lines(tmp_path / "in.jsonl", *lines))
    tokens = {each.model: each.input_tokens for each in plan.estimate.models}
    assert tokens[MODEL][0] > 20 * tokens["claude-opus-5"][1]


def test_characters_that_lie_across_two_pieces_are_counted_once_and_torn_ones_are_found() -> None:
    for lead in range(4):
        text = "x" * lead + "東🎈é" * 20_000
        assert fast_path.characters(text.encode()) == len(text)
        assert fast_path.characters(text.encode()[:-1]) == -1
        assert fast_path.characters(text.encode()[:40_000] + b"\xff" + text.encode()[40_000:]) == -1
    assert fast_path.characters(b"plain") == 5
    assert fast_path.characters(b"") == 0
