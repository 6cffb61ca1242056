"""What rows hold, as templates see it: null, JSON spelling, dates, conversations; empty cells are counted."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from batchtui.config.load import load_config
from batchtui.domain.plan import Plan
from batchtui.intake.template import BadRow, RequestTemplate
from batchtui.intake.template_protocol import BadTemplate
from tests.intake.helpers import codes, group, plan_of, staged

HEAD = 'model = "claude-sonnet-5"\nmax_tokens = 10\n'


def filled(prompt: str, row: dict[str, Any], more: str = "") -> Any:
    params, _ = RequestTemplate(f"{HEAD}{more}prompt = '''{prompt}'''\n").render(row, 1)
    return json.loads(params)["messages"][0]["content"]


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("{{ none }}|{{ yes }}|{{ tags }}|{{ meta }}|{{ number }}|{{ text }}", '|true|["a", "it\'s"]|{"k": null}|7|é'),
        ("{{ 'x' ~ none ~ yes ~ tags }}", 'xtrue["a", "it\'s"]'),
        ("{{ none | default('n/a') }}|{{ text | default('n/a') }}|{{ absent | default('n/a') }}", "n/a|é|n/a"),
        (
            "{% if none %}no{% endif %}{% if none is none %}null{% endif %}{{ none | upper }}{{ yes | upper }}",
            "nullTRUE",
        ),
        ("{{ [none, yes, 1] | join('+') }}|{{ none | trim }}|{{ yes | string }}", "+true+1||true"),
        ("{{ row.none }}|{{ row['yes'] }}|{{ meta.k }}|{{ tags[0] }}", "|true||a"),
        ("{% for t in tags %}{{ loop.first }} {{ t }};{% endfor %}", "true a;false it's;"),
    ],
)
def test_values_are_spelled_as_json_and_null_is_empty(prompt: str, text: str) -> None:
    row = {"none": None, "yes": True, "tags": ["a", "it's"], "meta": {"k": None}, "number": 7, "text": "é"}
    assert filled(prompt, row) == text


@pytest.mark.parametrize(
    ("prompt", "hint"),
    [
        ("{{ Review ID }}", "did you mean {{ Review_ID }}?"),
        ("{{ Review ID | upper }}", "did you mean {{ Review_ID }}?"),
        ("{{ reveiw }}", "did you mean {{ review }}?"),
        ("{{ Review_Id }}", "did you mean {{ Review_ID }}?"),
        ("{{ star-rating }}", "did you mean {{ star_rating }}?"),
        ("{{ row.reveiw }}", "did you mean {{ review }}?"),
        ("{{ nothing }}", ""),
    ],
)
def test_a_column_that_was_meant_is_named(prompt: str, hint: str) -> None:
    with pytest.raises((BadRow, BadTemplate)) as bad:
        filled(prompt, {"Review ID": 1, "review": "x", "star-rating": 5})
    assert hint in str(bad.value) and ("did you mean" in str(bad.value)) == bool(hint)


def plan(tmp_path: Path, data: Any, template: str | None, name: str = "in.jsonl", **options: Any) -> Plan:
    path = tmp_path / name
    if isinstance(data, list):
        data = "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in data)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return plan_of(path, template_text=template, staging=tmp_path / "s", **options)


def test_empty_cells_that_the_template_uses_are_counted_and_repeated_keys_named(tmp_path: Path) -> None:
    rows = '{"id": null, "my text": "a"}\n{"id": "", "my text": null}\n{"id": "x", "my text": " ", "unused": null}\n'
    made = plan(
        tmp_path,
        rows + '{"id": "y", "my text": "b", "id": "z"}\n',
        HEAD + 'prompt = "T:{{ my_text }}"\ncustom_id = "{{ id }}"\n',
    )
    assert made.ok, made.problems
    said = {each.first[0].message: each.first[0].where.rsplit(":", 1)[1] for each in made.problems}
    assert said["my text is empty in 2 rows (also at 3)"] == "2"
    assert said["id is empty in 2 rows (also at 2)"] == "1"
    assert (
        "'id' appears twice in one object: the last" in group(made, "duplicate_key").message
        and group(made, "duplicate_key").level == "warning"
    )
    ids = [each["custom_id"] for each in staged(made)]
    assert ids[2:] == ["x", "z"] and all(each.startswith(made.mark) for each in ids[:2])


def test_parquet_values_are_what_people_mean(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {
        "id": pyarrow.array([UUID("123e4567-e89b-12d3-a456-426614174000").bytes], pyarrow.uuid()),
        "nan": pyarrow.array([float("nan")]),
        "price": pyarrow.array([Decimal("1.50")], pyarrow.decimal128(10, 2)),
        "span": pyarrow.array([93_784_500_000_001], pyarrow.duration("ns")),
        "clock": pyarrow.array([5_000_000_007], pyarrow.time64("ns")),
        "at": pyarrow.array([1_700_000_000_123_456_789], pyarrow.timestamp("ns", tz="UTC")),
        "us": pyarrow.array([datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)], pyarrow.timestamp("us")),
        "list": pyarrow.array([[True, None]]),
        "map": pyarrow.array([[("k", 1)]], pyarrow.map_(pyarrow.string(), pyarrow.int64())),
        "raw": pyarrow.array([b"\xff\xd8"]),
        "far": pyarrow.array([2**62], pyarrow.timestamp("ms")),
    }
    parquet.write_table(pyarrow.table(columns), tmp_path / "in.parquet")
    names = ["nan", "price", "span", "clock", "at", "us", "list", "map", "raw"]
    template = HEAD + "prompt = '''" + "|".join(f"{{{{ {name} }}}}" for name in names) + "'''\n"
    made = plan(tmp_path, (tmp_path / "in.parquet").read_bytes(), template, "in.parquet")
    assert made.ok, made.problems
    request = staged(made)[0]
    assert request["custom_id"] == "123e4567-e89b-12d3-a456-426614174000"
    assert request["params"]["messages"][0]["content"].split("|") == [
        *("", "1.50", "26:03:04.500000001", "00:00:05.000000007", "2023-11-14T22:13:20.123456789+00:00"),
        *("2026-01-02T03:04:05", "[true, null]", '{"k": 1}', "/9g="),
    ]
    assert "nan is empty in 1 row" in group(made, "column_empty").message


# --- conversations -----------------------------------------------------------------------------------------------------

SHARE = {
    "id": "c:1",
    "conversations": [
        {"from": "system", "value": "Be brief."},
        {"from": "human", "value": "hi"},
        {"from": "gpt", "value": "yo"},
        {"from": "human", "value": "more"},
        {"from": "gpt", "value": "no"},
    ],
}
HF = {"id": 7, "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}], "source": "x"}
TUNING = {
    "messages": [
        {"role": "system", "content": "S"},
        {"role": "user", "content": "weather?"},
        {
            "role": "assistant",
            "tool_calls": [{"id": "t1", "type": "function", "function": {"name": "w", "arguments": '{"c": 1}'}}],
        },
        {"role": "tool", "tool_call_id": "t1", "content": "sunny"},
        {"role": "assistant", "content": "Sunny.", "weight": 1},
    ],
    "tools": [{"type": "function", "function": {"name": "w", "parameters": {"type": "object", "properties": {}}}}],
    "parallel_tool_calls": False,
}


def test_columns_of_turns_are_requests_without_a_template(tmp_path: Path) -> None:
    made = plan(tmp_path, [SHARE, HF, TUNING], None, default_model="claude-sonnet-5")
    assert made.ok, made.problems
    assert made.format.startswith("chat turns")
    one, two, three = (each["params"] for each in staged(made))
    assert (one["system"], [turn["content"] for turn in one["messages"]]) == ("Be brief.", ["hi", "yo", "more"])
    assert two["messages"] == [{"role": "user", "content": "hi"}]
    assert [turn["role"] for turn in three["messages"]] == ["user", "assistant", "user"]
    assert three["tools"][0]["name"] == "w" and three["tool_choice"]["disable_parallel_tool_use"]
    assert group(made, "chat_answer").count == 3
    assert [each["custom_id"] for each in staged(made)][:2] == ["c-1", "7"]
    kept = [json.loads(line) for line in (tmp_path / "s" / "ids-001.jsonl").read_bytes().splitlines()]
    assert kept[0]["row_id"] == "c:1" and kept[1]["row"]["source"] == "x"
    assert "openai_model" in codes(plan(tmp_path, [HF], None))


def test_turns_of_a_parquet_file_are_requests_too(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": None, "tool_calls": []}]
    table = pyarrow.table({"messages": [turns, turns], "conversations": [SHARE["conversations"]] * 2})
    parquet.write_table(table, tmp_path / "in.parquet")
    made = plan_of(tmp_path / "in.parquet", default_model="claude-sonnet-5", staging=tmp_path / "s")
    assert (
        made.ok and [each["params"]["messages"] for each in staged(made)] == [[{"role": "user", "content": "hi"}]] * 2
    )


def test_turns_in_a_table_are_requests_too(tmp_path: Path) -> None:
    turns = json.dumps(HF["messages"]).replace('"', '""')
    made = plan(tmp_path, f'id,messages\na,"{turns}"\nb,"{turns}"\n', None, "in.csv", default_model="claude-sonnet-5")
    assert made.ok and made.requests == 2, made.problems


@pytest.mark.parametrize("spelling", ["{{ turns | tojson }}", "{{ turns }}", "{{ row.turns }}"])
def test_columns_of_turns_become_messages_in_a_template(spelling: str) -> None:
    template = RequestTemplate(f"{HEAD}system = 'You are {{{{ id }}}}.'\nmessages = '''{spelling}'''\n")
    params = json.loads(template.render({"id": "c", "turns": SHARE["conversations"]}, 1)[0])
    assert params["system"] == "You are c.\n\nBe brief."
    assert [turn["role"] for turn in params["messages"]] == ["user", "assistant", "user"]
    assert [code for code, _ in template.take_said()] == ["chat_answer"]
    ours = [
        {
            "role": "user",
            "content": [{"type": "text", "text": "q"}, {"type": "image", "source": {"type": "url", "url": "x"}}],
        }
    ]
    assert json.loads(template.render({"id": "c", "turns": ours}, 1)[0])["messages"] == ours
    with pytest.raises(BadRow, match="list of turns"):
        template.render({"id": "c", "turns": "plain words"}, 1)


def test_a_template_process_tells_of_turns_and_empty_cells(tmp_path: Path) -> None:
    made = plan(tmp_path, [HF, {"id": 8, "messages": None}], HEAD + 'messages = "{{ messages }}"\n')
    assert made.errors == 1 and "list of turns" in group(made, "template_messages").message
    assert group(made, "chat_answer").count == 1 and group(made, "column_empty").count == 1


# --- OpenAI's other endpoint, and its ids ------------------------------------------------------------------------------


def responses(custom_id: Any, **body: Any) -> dict[str, Any]:
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/responses", "body": {"model": "gpt-5", **body}}


def test_responses_are_translated_like_chat_completions(tmp_path: Path) -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    lines = [
        responses("r:1", input="Name a river.", max_output_tokens=200, store=False),
        responses(
            2,
            instructions="One word.",
            input=[
                {"role": "developer", "content": "Now."},
                {
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "See"},
                        {"type": "input_image", "image_url": "data:image/jpg;base64,/9j/4AAQ", "detail": "auto"},
                    ],
                },
                {
                    "type": "message",
                    "role": "assistant",
                    "content": [{"type": "output_text", "text": "ok", "annotations": []}],
                },
                {"type": "reasoning", "summary": []},
                {"type": "function_call", "call_id": "f1", "name": "w", "arguments": "{}"},
                {"type": "function_call", "call_id": "f2", "name": "w", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "f1", "output": "a"},
                {"type": "function_call_output", "call_id": "f2", "output": [{"type": "input_text", "text": "b"}]},
            ],
            max_output_tokens=100,
            tools=[
                {"type": "function", "name": "w", "parameters": {"type": "object", "properties": {}}, "strict": None}
            ],
            tool_choice={"type": "function", "name": "w"},
            text={"format": {"type": "json_schema", "name": "n", "schema": schema, "strict": True}},
            reasoning={"effort": "minimal"},
        ),
    ]
    made = plan(tmp_path, lines, None, default_model="claude-opus-5", skip_bad=True)
    assert made.skipped == 0, made.problems
    one, two = staged(made)
    assert (one["custom_id"], two["custom_id"]) == ("r-1", "2")
    assert (
        one["params"]["messages"] == [{"role": "user", "content": "Name a river."}]
        and one["params"]["max_tokens"] == 200
    )
    params = two["params"]
    assert params["system"] == "One word.\n\nNow."
    assert params["messages"][0]["content"][1]["source"]["media_type"] == "image/jpeg"
    assert [part["type"] for part in params["messages"][1]["content"]] == ["text", "tool_use", "tool_use"]
    assert [part["tool_use_id"] for part in params["messages"][2]["content"]] == ["f1", "f2"]
    assert params["tools"][0]["name"] == "w" and params["tool_choice"]["name"] == "w"
    assert params["output_config"] == {"format": {"type": "json_schema", "schema": schema}, "effort": "low"}
    kept = [json.loads(line) for line in (tmp_path / "s" / "ids-001.jsonl").read_bytes().splitlines()]
    assert kept[0]["row_id"] == "r:1" and kept[0]["custom_id"] == "r-1"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"input": "x", "previous_response_id": "resp_1"}, "'previous_response_id'"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "'item_reference'"),
        ({"input": "x", "tools": [{"type": "web_search"}]}, "named function"),
        ({}, "input is missing"),
    ],
)
def test_what_responses_have_alone_is_named(tmp_path: Path, body: dict[str, Any], words: str) -> None:
    made = plan(tmp_path, [responses("a", max_output_tokens=5, **body)], None, default_model="claude-opus-5")
    assert not made.ok and any(words in each.message for each in made.problems), made.problems


# --- files -------------------------------------------------------------------------------------------------------------


def test_text_of_a_folder_leaves_out_what_is_no_text_and_paths_are_meant(tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "a.txt").write_text("Hello")
    (folder / "b.md").write_bytes("café crème à Noël".encode("cp1252"))
    (folder / "c.txt").write_bytes("größer".encode("utf-16-le") + "\n".encode("utf-16-le"))
    for name, data in {
        "d.pdf": b"%PDF-1.7 x",
        "e.jpg": b"\xff\xd8\xff\xe0abc",
        "f.docx": b"PK\x03\x04xx",
        "g.doc": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "h.png": b"\x89PNG\r\n\x1a\n",
        "i.webp": b"RIFF\x10\x20\x30\x40WEBP",
    }.items():
        (folder / name).write_bytes(data)
    template = HEAD + 'prompt = "{{ text }}"\n'
    made = plan_of(folder, template_text=template, format="text", staging=tmp_path / "s")
    assert made.ok, made.problems
    assert [each["params"]["messages"][0]["content"].strip() for each in staged(made)] == [
        "Hello",
        "café crème à Noël",
        "größer",
    ]
    left = {Path(each.where).name for found in made.problems if found.code == "left_out" for each in found.first}
    assert left == {"d.pdf", "e.jpg", "f.docx", "g.doc", "h.png", "i.webp"}
    assert "encoding: cp1252 (detected)" in made.format
    assert not plan_of(folder / "d.pdf", template_text=template, format="text").ok
    assert f"did you mean {folder}/a.txt?" in group(plan_of(folder / "A.text"), "source").message
    assert f"did you mean {folder}?" in group(plan_of(tmp_path / "ntoes" / "a.txt"), "source").message
    found = plan_of(folder / "a.txt", template=folder / "a.tx").problems[0]
    assert f"did you mean {folder / 'a.txt'}?" in found.message


def test_files_of_settings_and_templates_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b"\xef\xbb\xbf" + b"max_cost = 5\n")
    assert load_config(tmp_path / "config.toml").max_cost == Decimal(5)
    (tmp_path / "t.toml").write_bytes(b"\xef\xbb\xbf" + (HEAD + 'prompt = "{{ text }}"\n').encode())
    (tmp_path / "in.csv").write_bytes("﻿id,text\n1,a\n2,b\n".encode())
    assert plan_of(tmp_path / "in.csv", template=tmp_path / "t.toml").ok


def test_wrong_options_of_tables_are_named(tmp_path: Path) -> None:
    from batchtui.intake.options import TableOptions

    made = plan(
        tmp_path, "id,text\n1,a\n", HEAD + 'prompt = "{{ text }}"\n', "in.csv", table=TableOptions(encoding="x")
    )
    assert codes(made) == ["table_options"]
