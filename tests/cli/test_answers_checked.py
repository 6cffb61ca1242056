"""A labelling job from a template with [answer] to a retry of the invalid, on the command line and a real server."""

from __future__ import annotations

import csv
import json

from batchtui.demo import labels
from batchtui.demo.examples import examples_dir
from batchtui.demo.outcomes import decide
from tests.cli.calling import Caller

TEMPLATE = """model = "claude-haiku-5-5"
max_tokens = 500
custom_id = "{{ id }}"
prompt = "{{ text }}"

[answer]
label = ["yes", "no"]
urgency = { type = "integer", minimum = 1, maximum = 5 }
reason = { type = "string", maxLength = 90 }
"""


def rows_that(odd: str, count: int) -> list[tuple[str, str]]:
    """Ids and texts of rows to whose answers the demo does this."""
    found = []
    for number in range(50_000):
        name, text = f"r-{number}", f"text {number}"
        lot = decide(name, text.encode(), "", 0.05, set())
        if lot.odd == odd and not lot.failure and lot.dice % 211:
            found.append((name, text))
            if len(found) == count:
                break
    return found


def test_the_labelling_job(call: Caller) -> None:
    rows = [*rows_that("", 4), *rows_that("bound", 2), *rows_that("prose", 1), *rows_that("capitals", 1)]
    table, template = call.folder / "rows.csv", call.folder / "labels.toml"
    table.write_text("id,text\n" + "".join(f"{name},{text}\n" for name, text in rows))
    template.write_text(TEMPLATE)
    made = call("submit", table, "--template", template, "--wait", "--strict", "--json")
    record = made.json["batches"][0]
    assert made.code == 1 and record["tally"]["invalid"] == 3 and record["tally"]["cut_short"] == 0
    assert call("results", "last", "-o", call.folder / "all.jsonl").code == 0
    assert call("results", "last", "--strict", "--force", "-o", call.folder / "all.jsonl").code == 1
    shown = call("show", "last").out.decode()
    assert "3 invalid" in shown and "results      downloaded\n" in shown
    # What was sent has no bound that the API refuses; the whole schema is beside it.
    folder = next((call.folder / "data").rglob("answer.json")).parent
    sent = json.loads((folder / "requests.jsonl").read_text().splitlines()[0])["params"]["output_config"]["format"][
        "schema"
    ]
    assert "maxLength" not in json.dumps(sent) and sent["properties"]["urgency"]["enum"] == [1, 2, 3, 4, 5]
    assert "maxLength" in (folder / "answer.json").read_text()
    invalid = call("results", "last", "--only", "invalid", "--format", "json")
    assert len(json.loads(invalid.out)) == 3
    usable = json.loads(call("results", "last", "--only", "usable", "--format", "json").out)
    assert len(usable) == 5
    # A retry leaves the invalid alone unless they are asked for, and is checked by the same whole schema.
    said = call("retry", "last", "--dry-run")
    assert said.code == 2 and "nothing to retry" in said.err
    said = call("retry", "last", "--only", "invalid", "--wait", "--yes")
    assert said.code == 0, said.err
    assert len(list((call.folder / "data").rglob("answer.json"))) == 2
    whole = call("results", "last", "--run", "--strict", "--json", "-o", call.folder / "run.jsonl")
    assert (whole.code, whole.json["run"]["good"], whole.json["run"]["invalid"]) == (0, 8, 0)


def test_a_retry_names_what_it_leaves_out_only_while_that_is_not_usable(call: Caller) -> None:
    table, template = call.folder / "rows.csv", call.folder / "labels.toml"
    rows = [*rows_that("bound", 2), ("b-demo-api", "text")]
    table.write_text("id,text\n" + "".join(f"{name},{text}\n" for name, text in rows))
    template.write_text(TEMPLATE)
    call("submit", table, "--template", template, "--wait")
    said = call("retry", "last", "--dry-run")
    assert said.code == 0 and "2 invalid answers not retried: batchtui retry " in said.err, said.err
    call("retry", "last", "--only", "invalid", "--wait", "--yes")
    said = call("retry", "last", "--dry-run")
    assert said.code == 0 and "invalid" not in said.err, said.err


def test_a_schema_given_later(call: Caller) -> None:
    call("submit", call.source(3, n1="json"), "--wait")
    schema = call.folder / "schema.json"
    schema.write_text('{"type": "object", "required": ["label"]}')
    said = call("results", "last", "--schema", schema, "--only", "invalid", "--format", "json")
    assert sorted(json.loads(said.out)) == ["0-demo-ok", "2-demo-ok"] and "2 of 3 results invalid by" in said.err
    assert said.code == 0 and call("results", "last", "--schema", schema, "--strict").code == 1
    assert call("results", "last", "--strict").code == 0
    schema.write_bytes(b"\xef\xbb\xbf" + schema.read_bytes())
    assert "2 of 3 results invalid by" in call("results", "last", "--schema", schema).err
    for empty in ("", " ,"):
        said = call("results", "last", "--columns", empty, "--format", "csv")
        assert said.code == 2 and "names no column" in said.err
    for text, why in (("{", "not valid JSON"), ('{"type": "odd"}', "not a valid JSON Schema")):
        schema.write_text(text)
        said = call("results", "last", "--schema", schema)
        assert said.code == 2 and why in said.err


def test_better_models_agree_more_often_with_the_gold_columns() -> None:
    schema = {
        "type": "object",
        "properties": {"sentiment": {"type": "string", "enum": ["positive", "negative", "mixed"]}},
    }
    with (examples_dir() / "feedback.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    right = {}
    for model in ("claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5"):
        lot = decide("x", b"y", "", 0, set())._replace(odd="")
        answers = [
            json.loads(labels.answer(schema, f"Product: {r['product']}\n\n{r['text']}\n", "", model, lot)) for r in rows
        ]
        right[model] = sum(a["sentiment"] == r["gold_sentiment"] for a, r in zip(answers, rows, strict=True)) / len(
            rows
        )
    haiku, sonnet, opus = right.values()
    assert 0.65 < haiku < sonnet < opus < 1
