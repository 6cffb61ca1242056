"""Hostile sources and templates: each ends in a message that names it, within a bounded time."""

from __future__ import annotations

import base64
import zlib
from pathlib import Path
from typing import Any

import pytest

from batchtui import tomltext
from batchtui.domain.errors import StoreError
from batchtui.domain.money import load_prices
from batchtui.intake.answer_table import AnswerFault, checked_schema, sent_schema, whole_schema
from batchtui.intake.encodings import wide
from batchtui.intake.media import read_pdf
from batchtui.intake.options import IntakeOptions, TableOptions
from batchtui.intake.plan import make_plan
from batchtui.service import recipe


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ('{type = "string", pattern = "(("}', "answer.a.pattern"),
        ('{type = "string", pattern = 3}', "answer.a.pattern"),
        ('{type = "string", pattern = "((a{1000}){1000}){1000}"}', "answer.a.pattern"),
        ('{type = "number", minimum = "x"}', "answer.a.minimum"),
        ("{anyOf = 3}", "answer.a.anyOf"),
        ('{type = "integer", minimum = 1, description = 3}', "answer.a.description"),
        ('{type = "object", properties = {x = "string"}, required = "x"}', "answer.a.required"),
        ('{type = "object", properties = {x = "string"}, required = ["z"]}', "requires 'z'"),
        ('{type = [["string"]]}', "answer.a.type lists tables"),
        ('{"$ref" = "#/$defs/none"}', "/$defs/none"),
        ('{"$ref" = "http://127.0.0.1:9/x"}', "127.0.0.1:9"),
    ],
)
def test_what_answers_cannot_be_checked_by_is_named(field: str, said: str) -> None:
    with pytest.raises(AnswerFault) as bad:
        checked_schema(tomltext.loads(f"a = {field}"))
    assert said in str(bad.value)


def test_dates_and_wide_ranges_make_schemas_at_once() -> None:
    table = tomltext.loads(
        "day = [2026-01-01]\n"
        'far = {type = "integer", minimum = 0, maximum = 1000000000000, multipleOf = 100000000000}\n'
        'low = {type = "integer", exclusiveMinimum = -7, maximum = 9, multipleOf = 3}'
    )
    fields = sent_schema(checked_schema(table))["properties"]
    assert fields["far"]["enum"] == [number * 100_000_000_000 for number in range(11)]
    assert fields["low"]["enum"] == [-6, -3, 0, 3, 6, 9]
    assert whole_schema(table)["properties"]["far"]["multipleOf"] == 100_000_000_000


def test_zero_bytes_in_plain_text_are_not_taken_for_wide_text() -> None:
    assert wide(b"id,text\n1,a\x00b\n2,\x00\n") == ""
    for name in ("utf-16-le", "utf-16-be"):
        assert wide("id,text\n1,häß\n2,b\n".encode(name)) == name
        assert wide("id,text\n1,はいま\n2,いにい\n".encode(name)) == name


def _problems(path: Path, **options: Any) -> list[str]:
    given = IntakeOptions(default_model="claude-haiku-4-5", **options)
    made = make_plan([str(path)], given, prices=load_prices(), staging=None)
    return [f"{each.where} {each.message}" for group in made.problems for each in group.first if each.level == "error"]


def test_a_deep_schema_of_another_provider_is_a_problem_of_its_line(tmp_path: Path) -> None:
    deep = '{"type":"object","properties":{"a":' * 490 + "{}" + "}}" * 490
    line = '{"custom_id":"a","method":"POST","url":"/v1/%s","body":{"model":"g",%s}}\n'
    path = tmp_path / "batch.jsonl"
    path.write_text(
        line % ("responses", f'"input":"x","text":{{"format":{{"type":"json_schema","name":"x","schema":{deep}}}}}')
        + line % ("responses", '"input":"x"')
    )
    found = _problems(path)
    assert len(found) == 1
    assert found[0].endswith("nested too deeply")
    assert ":1" in found[0]


def test_an_encoding_whose_rules_a_file_breaks_is_named(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("id,text\n1,a\n")
    template = tmp_path / "t.toml"
    template.write_text('model = "claude-haiku-4-5"\nmax_tokens = 9\nprompt = "{{ text }}"\n')
    found = _problems(path, template=template, table=TableOptions(encoding="utf-16"))
    assert len(found) == 1
    assert "table.csv" in found[0]
    assert "UTF-16" in found[0]


def test_a_pdf_of_many_compressed_streams_is_counted_in_time() -> None:
    one = zlib.compress(b"1 0 <</Type /Page>> " * 5)
    head = b"1 0 obj<</Type/ObjStm/N 1/First 5/Filter/FlateDecode>>stream\n"
    raw = b"%PDF-1.7\n" + (head + one + b"\nendstream endobj\n") * 5_000 + head * 5_000
    found = read_pdf(base64.b64encode(raw).decode())
    assert found is not None
    assert found.pages == 25_000
    whole = zlib.compress(b"<</Type/Pages/Count 12>>" + b" /Type /Page " * 12 + b"\0" * 1_000_000)
    found = read_pdf(base64.b64encode(b"%PDF-1.7\n" + head + whole + b"\nendstream endobj\n").decode())
    assert found is not None
    assert found.pages == 12


@pytest.mark.parametrize(
    "content",
    [
        b"\xff",
        b'sources = "x"',
        b"schema = 99",
        b"a=" + b"[" * 50_000,
        b".".join([b"a"] * 50_000) + b"=1",
        b"#" * 16_000_001,
    ],
    ids=["binary", "type", "newer", "deep", "dots", "large"],
)
def test_a_recipe_that_cannot_be_read_is_said_with_its_path(tmp_path: Path, content: bytes) -> None:
    (tmp_path / recipe.RECIPE).write_bytes(content)
    with pytest.raises(StoreError, match=r"recipe\.toml"):
        recipe.read(tmp_path)


def test_a_recipe_with_times_is_read_as_it_was_written(tmp_path: Path) -> None:
    text = 'schema = 1\r\n[[sources]]\r\nname = "a"\r\nsize = 3\r\nmodified_at = 2026-01-02 03:04:05+00:00\r\nsha256 = ""\r\n'
    (tmp_path / recipe.RECIPE).write_bytes(text.encode())
    found = recipe.read(tmp_path)
    assert found is not None
    assert found.sources[0].modified_at.tzinfo is not None
