"""Puts what was measured last (``last.json``) into README.md, between its markers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from bench.growth import table as growth_table
from bench.rows import Line
from bench.show import table

README = Path(__file__).parent / "README.md"


def update(last: dict[str, Any]) -> None:
    """Replace each part that ``last`` has figures for."""
    text = README.read_text(encoding="utf-8")
    for kind, told in last.items():
        shown = f"{_machine(told)}\n\n{_figures(kind, told)}"
        part = re.compile(rf"(<!-- {kind} -->\n).*?(<!-- end -->)", re.DOTALL)
        text = part.sub(lambda found, shown=shown: f"{found[1]}{shown}\n{found[2]}", text)  # type: ignore[misc]
    README.write_text(text, encoding="utf-8")


def _machine(told: dict[str, Any]) -> str:
    m = told["machine"]
    return (
        f"{m['at']}; {m['cpu']}, {m['cores']} cores, {m['memory_gb']} GB; {m['system']}; Python {m['python']}, "
        f"textual {m['textual']}, anthropic {m['anthropic']}, msgspec {m['msgspec']}; load at the start {m['load'][0]}; "
        f"{told['seconds']:.0f} s in all."
    )


def _figures(kind: str, told: dict[str, Any]) -> str:
    if kind == "table":
        known = set(Line.__dataclass_fields__)
        return table([Line(**{name: value for name, value in row.items() if name in known}) for row in told["rows"]])
    if kind == "growth":
        return growth_table(told["growth"])
    return "\n".join(f"- {name.replace('_', ' ')}: {_plain(value)}" for name, value in told["million"].items())


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {each:,}" for name, each in value.items())
    return f"{value:,}"
