import json
from datetime import date
from pathlib import Path
from typing import Any

from batchtui.domain.money import load_prices
from batchtui.domain.plan import Plan, ProblemGroup
from batchtui.intake.options import IntakeOptions
from batchtui.intake.plan import make_plan

PRICES = load_prices()
TODAY = date(2026, 11, 22)
MODEL = "claude-sonnet-4-6"


def params(**changed: Any) -> dict[str, Any]:
    """Params without fault, with some fields changed; None leaves a field out."""
    made = {"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}], **changed}
    return {name: value for name, value in made.items() if value is not None}


def request(custom_id: str = "a", **changed: Any) -> dict[str, Any]:
    return {"custom_id": custom_id, "params": params(**changed)}


def write_lines(path: Path, *requests: Any) -> Path:
    lines = [each if isinstance(each, bytes) else json.dumps(each, ensure_ascii=False).encode() for each in requests]
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def plan_of(*sources: Path | str, staging: Path | None = None, **options: Any) -> Plan:
    options.setdefault("today", TODAY)
    return make_plan([str(each) for each in sources], IntakeOptions(**options), prices=PRICES, staging=staging)


def plan_for(tmp_path: Path, *requests: Any, **options: Any) -> Plan:
    return plan_of(write_lines(tmp_path / "in.jsonl", *requests), **options)


def group(plan: Plan, code: str) -> ProblemGroup:
    found = [each for each in plan.problems if each.code == code]
    assert found, [(each.code, each.message) for each in plan.problems]
    return found[0]


def codes(plan: Plan) -> list[str]:
    return [each.code for each in plan.problems]


def staged(plan: Plan) -> list[dict[str, Any]]:
    made = []
    for part in plan.parts:
        assert part.path is not None
        data = part.path.read_bytes()
        assert data.endswith(b"\n")
        assert len(data) == part.bytes
        made += [json.loads(line) for line in data.splitlines()]
    return made
