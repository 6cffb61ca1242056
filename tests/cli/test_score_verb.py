"""score and compare --field: the same figures on the terminal, as JSON and as CSV, and what their errors say."""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Iterator

import pytest

from batchtui.cli import session
from batchtui.cli.commands import compare
from batchtui.cli.output import show
from batchtui.cli.session import Bar
from tests.cli.calling import Caller

TEMPLATE = """model = "claude-haiku-5-5"
max_tokens = 500
custom_id = "{{ id }}"
prompt = "{{ text }}"

[answer]
sentiment = ["positive", "negative", "mixed"]
"""


@contextlib.contextmanager
def bars_watched() -> Iterator[list[str]]:
    """The lines that compare prints while a progress bar may stand on the terminal."""
    late: list[str] = []
    bars: list[Bar] = []

    class Watched(Bar):
        def __init__(self, shown: bool) -> None:
            super().__init__(shown)
            bars.append(self)

        def clear(self) -> None:
            super().clear()
            bars.remove(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "Bar", Watched)
        patch.setattr(compare, "show", lambda line: (late.extend([line] if bars else []), show(line)))
        yield late


def test_score_and_compare_a_field(call: Caller) -> None:
    rows = call.folder / "rows.csv"
    golds = ["positive", "Negative", "mixed", ""] * 4
    rows.write_text("id,text,gold_sentiment\n" + "".join(f"r{n},text {n},{gold}\n" for n, gold in enumerate(golds)))
    (call.folder / "t.toml").write_text(TEMPLATE)
    one, other = (
        call("submit", rows, "--template", call.folder / "t.toml", "--wait", "--json", *more).json["batches"][0]
        for more in ((), ("--model", "claude-sonnet-5-5"))
    )
    ids = one["local_id"], other["local_id"]
    found = call("score", ids[0], "sentiment", "--gold", "gold_sentiment", "--json").json
    assert found["rows"] == 12 and found["without_gold"] == 4 and found["few"]
    assert set(found["matrix"]) | set(found["not_usable"]) == {"positive", "negative", "mixed"}
    said = call("score", ids[0], "sentiment", "--gold", "gold_sentiment")
    assert said.code == 0 and b"accuracy" in said.out and "–".encode() in said.out and b"negative" in said.out
    table = call("score", ids[0], "sentiment", "--gold", f"{rows}:gold_sentiment", "--format", "csv")
    lines = list(csv.DictReader(io.StringIO(table.out.decode())))
    right = sum(int(line[f"answer:{line['gold']}"]) for line in lines)
    assert right == found["accuracy"]["hits"] and "without gold" in table.err
    filtered = call("score", ids[0], "sentiment", "--gold", str(rows), "--filter", "id:r1", "--json").json
    assert filtered["rows"] + filtered["without_gold"] == 7
    for gold, code, words in (
        ("gold_sentimen", 2, "did you mean gold_sentiment"),
        ("sentiment", 2, "its own gold"),
        ("review", 2, "no row has a verdict"),
        (f"{rows}:nothing", 2, "has no column nothing"),
    ):
        wrong = call("score", ids[0], "sentiment", "--gold", gold)
        assert wrong.code == code and words in wrong.err, wrong.err

    by_field = call("compare", *ids, "--field", "sentiment", "--gold", "gold_sentiment", "--json").json
    right = by_field["right"]
    assert by_field["rows"] == 16 and sum(right[name] for name in ("both", "left", "right", "neither")) == 12
    with bars_watched() as late:
        assert "vs" in call("compare", *ids, "--field", "sentiment").out.decode()
        assert call("compare", *ids).out and not late, "printed beside a progress bar"
    out = call.folder / "differ.csv"
    said = call("compare", *ids, "--field", "sentiment", "--gold", "gold_sentiment", "-o", out)
    written = list(csv.DictReader(out.open(newline="", encoding="utf-8")))
    assert said.code == 0 and len(written) == by_field["differ"] and "rows that differ" in said.err
    assert not written or {"id", "text", "gold", "correct"} <= set(written[0])
    assert call("compare", *ids, "--field", "sentiment", "-o", out).code == 2
    assert len(call("compare", *ids, "--field", "sentiment", "--all", "--format", "csv").out.splitlines()) == 17
    assert call("compare", *ids, "--gold", "gold_sentiment").code == 2
    fields = call("compare", *ids, "--json").json["fields"]
    assert [each["field"] for each in fields] == ["sentiment"]
