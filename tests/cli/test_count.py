"""count: the same figures as text, JSON and CSV, readable in ASCII, and errors with the nearest name."""

from __future__ import annotations

from tests.cli.calling import Caller


def test_count_says_the_same_in_every_form(call: Caller) -> None:
    assert call("submit", call.source(), "--wait").code in (0, 1)
    told = call("count", "last", "outcome", "--json").json
    rows = {each["value"]: each["rows"] for each in told["values"]}
    assert told["form"] == "values" and sum(rows.values()) == told["rows"] > 0
    said = call("count", "last", "outcome")
    lines = said.out.decode().splitlines()
    assert lines[0].startswith("outcome") and all(any(value in line for line in lines) for value in rows)
    csv = call("count", "last", "outcome", "model", "--format", "csv").out.decode().splitlines()
    assert csv[0].startswith("value,kind,rows,share,") and len(csv) == 1 + len(rows)
    few = call("count", "last", "custom_id", "--top", "1", "--only", "usable").out.decode()
    assert "more values: --top 0 shows all" in few
    for wrong in (["outcom"], ["outcome", "modl"], ["outcome", "--filter", "modl:x"]):
        said = call("count", "last", *wrong)
        assert said.code == 2 and "did you mean" in said.err and not said.out
