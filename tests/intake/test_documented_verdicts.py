"""Small requests with the verdict that the documentation gives each: the checker says it, and the demo server refuses the same.

``documented_verdicts.jsonl`` holds a case a line: the verdict, its name, what it changes in a request to Claude Haiku 4.5,
the API version and the betas where they matter.  Verdicts: E an error, W a warning, F fine, U unknown to the checker (a
warning, as the API may have learned it since) and refused by the demo server.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from batchtui.demo import request_check as demo
from batchtui.intake.rules import check_params
from tests.intake.test_rules_agree import (
    CLOSED,
    FACTS,
    NEW,
    OLD,
    TOOL,
    base64_of,
    many,
    pdf,
    png,
    request,
    turns,
)

CASES = Path(__file__).with_name("documented_verdicts.jsonl")
Case = tuple[str, str, dict[str, Any], str, tuple[str, ...]]
MODELS = {
    # What §2 of the facts of November 2026 says: enabled, adaptive, disabled, between_tools, forced tools, prefill, sampling,
    # both of temperature and top_p, 300k output.
    **dict.fromkeys(("claude-fable-5-2", "claude-mythos-5-2"), "E F E W W E E E W"),
    **dict.fromkeys(("claude-fable-5-1", "claude-mythos-5-1"), "E F E W E E E E E"),
    **dict.fromkeys(("claude-fable-5", "claude-mythos-5"), "E F E W W E E E E"),
    "claude-opus-5-5": "E F E W E E E E F",
    "claude-sonnet-5-5": "E F E high E E E E F",
    **dict.fromkeys(("claude-opus-5", "claude-haiku-5-5"), "E F high W F E E E F"),
    **dict.fromkeys(("claude-opus-4-8", "claude-opus-4-7", "claude-sonnet-5"), "E F F W F E E E F"),
    **dict.fromkeys(("claude-opus-4-6", "claude-sonnet-4-6"), "W F F W F E F F F"),
    **dict.fromkeys(("claude-opus-4-5", "claude-opus-4-5-20251101"), "F E F W F F F F E"),
    **dict.fromkeys(("claude-haiku-4-5", "claude-haiku-4-5-20251001", "claude-sonnet-4-5"), "F E F W F F F E E"),
}
LEAVING = "claude-sonnet-4-5"
EFFORTS = ("low", "medium", "high", "xhigh", "max")


def of_model(model: str, row: str) -> Iterator[Case]:
    """What a model takes and refuses, by its row."""
    enabled, adaptive, disabled, between, forced, prefill, sampling, both, long_output = row.split()
    old = "4-5" in model
    thinking = {"enabled": enabled, "adaptive": adaptive, "disabled": disabled, "between_tools": between}
    for kind, want in thinking.items():
        config = {"type": kind, "budget_tokens": 1024} if kind == "enabled" else {"type": kind}
        changed = {"max_tokens": 3000, "thinking": config}
        yield ("F" if want == "high" else want), kind, changed, NEW, ()
        for effort in ("high", "xhigh", "max") if want == "high" else ():
            wanted = "F" if effort == "high" else "E"
            yield wanted, f"{kind} {effort}", {**changed, "output_config": {"effort": effort}}, NEW, ()
    for choice in ({"type": "any"}, {"type": "tool", "name": "f"}):
        yield forced, str(choice), {"tools": [TOOL], "tool_choice": choice}, NEW, ()
    for kind in ("auto", "none"):
        yield "F", kind, {"tools": [TOOL], "tool_choice": {"type": kind}}, NEW, ()
    yield prefill, "prefill", {"messages": turns("a", "b")}, NEW, ()
    efforts = EFFORTS[:3] if "opus-4-5" in model else () if old else EFFORTS
    for effort in EFFORTS:
        unconfirmed = "4-6" in model and effort == "xhigh"
        yield (
            "W" if unconfirmed else "F" if effort in efforts else "E",
            effort,
            {"output_config": {"effort": effort}},
            NEW,
            (),
        )
    yield sampling, "temperature", {"temperature": 0.5}, OLD, ()
    yield sampling, "top_k", {"top_k": 5}, OLD, ()
    yield "F", "temperature 1", {"temperature": 1}, OLD, ()
    yield "E", "temperature under the new version", {"temperature": 1}, NEW, ()
    yield both, "temperature and top_p", {"temperature": 0.5, "top_p": 0.9}, OLD, ()
    limit = 64_000 if old else 128_000
    yield "F", "limit", {"max_tokens": limit}, NEW, ()
    yield "E", "over the limit", {"max_tokens": limit + 1}, NEW, ()
    yield long_output, "300k", {"max_tokens": 300_000}, NEW, ("output-300k-2026-03-24",)
    yield "E", "over 300k", {"max_tokens": 300_001}, NEW, ("output-300k-2026-03-24",)
    yield "E" if old else "F", "geo", {"inference_geo": "us"}, NEW, ()
    yield "F", "format", {"output_config": {"format": {"type": "json_schema", "schema": CLOSED}}}, NEW, ()
    most = 100 if old else 600
    for count, want in ((most, "F"), (most + 1, "E")):
        yield (
            want,
            "images",
            {"messages": turns(many(count, lambda n: base64_of("image", "image/png", png())))},
            NEW,
            (),
        )
        yield want, "pages", {"messages": turns([base64_of("document", "application/pdf", pdf(count))])}, NEW, ()


def all_cases() -> Iterator[Case]:
    for line in CASES.read_text(encoding="utf-8").splitlines():
        want, name, changed, *rest = json.loads(line)
        yield want, name, changed, (rest[0] if rest else NEW), tuple(rest[1] if rest[1:] else ())
    for model, row in MODELS.items():
        for want, name, changed, version, betas in of_model(model, row):
            softened = "W" if model == LEAVING and want == "F" else want
            yield softened, f"{model}: {name}", {"model": model, **changed}, version, betas


def refusal(params: dict[str, Any], version: str, betas: tuple[str, ...]) -> str:
    try:
        demo.read(msgspec.json.encode(params), version=version, betas=betas)
    except demo.BadParams as refused:
        return str(refused)
    return ""


def test_each_request_gets_the_verdict_of_the_documentation_from_the_checker_and_the_demo_server() -> None:
    wrong, count = [], 0
    for want, name, changed, version, betas in all_cases():
        count += 1
        params = {**request(), **changed}
        found = list(check_params(params, FACTS, version, betas))
        got = "E" if any(each.level == "error" for each in found) else "W" if found else "F"
        refused = refusal({key: value for key, value in params.items() if key != "betas"}, version, betas)
        if got != want.replace("U", "W") or (bool(refused) != (want in "EU") and "betas" not in changed):
            wrong.append((want, got, name, [each.text for each in found], refused))
    assert not wrong, "\n".join(map(str, wrong))
    assert count > 1_000
