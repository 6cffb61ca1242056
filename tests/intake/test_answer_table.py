"""The ``[answer]`` table of a template: the whole schema, what is sent of it, and what is wrong with it."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchtui.intake.answer_table import AnswerFault, answer_of, sent_schema, whole_schema
from batchtui.intake.schema_rules import check_schema
from batchtui.intake.template import RequestTemplate
from batchtui.intake.template_protocol import BadTemplate

TABLE = """
[answer]
sentiment = ["positive", "negative", "mixed"]
topic = "string"
urgency = { type = "integer", minimum = 1, maximum = 5 }
share = { type = "number", minimum = 0, maximum = 1, description = "How sure." }
tags = { type = "array", items = "string", maxItems = 3 }
code = { type = "string", minLength = 2, pattern = "^(?!x)" }
level = [1, 2, 3]
[answer.scores]
tone = "boolean"
type = ["a", "b"]
"""


def test_the_short_way_is_a_whole_schema_and_a_sent_one() -> None:
    pair = answer_of(TABLE)
    assert pair is not None
    sent, whole = pair
    assert whole["required"] == ["sentiment", "topic", "urgency", "share", "tags", "code", "level", "scores"]
    assert whole["properties"]["urgency"] == {"type": "integer", "minimum": 1, "maximum": 5}
    fields = sent["properties"]
    assert fields["sentiment"] == {"type": "string", "enum": ["positive", "negative", "mixed"]}
    assert fields["topic"] == {"type": "string"}
    assert fields["urgency"] == {"type": "integer", "enum": [1, 2, 3, 4, 5]}
    assert fields["share"] == {"type": "number", "description": "How sure. At least 0, at most 1."}
    assert fields["tags"] == {"type": "array", "items": {"type": "string"}, "description": "At most 3 items."}
    assert fields["code"]["description"] == "At least 2 characters, must match ^(?!x)."
    assert fields["level"] == {"enum": [1, 2, 3]}
    assert fields["scores"]["properties"]["type"] == {"type": "string", "enum": ["a", "b"]}
    assert sent["additionalProperties"] is fields["scores"]["additionalProperties"] is False
    assert check_schema(sent, "schema").problems == []
    assert answer_of('prompt = "x"') is None


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('a = "strng"', "did you mean string?"),
        ('a = "enum"', "is no type"),
        ("a = []", "lists no values"),
        ("a = [1, 1]", "lists a value twice"),
        ("a = [{b = 1}]", "lists tables"),
        ("a = 5", "not a number"),
        ("a = {}", "has no fields"),
        ('a = {type = "array"}', "without items"),
        ('a = {type = "object"}', "without properties"),
        ('a = {type = "integer", minimum = 5, maximum = 1}', "minimum is over maximum in answer.a"),
        ("a = [1, 1.0]", "lists a value twice"),
        ("a = 2026-11-28", "not a date"),
        (
            'a = {type = "integer", exclusiveMinimum = 5, exclusiveMaximum = 6}',
            "no number is within the bounds of answer.a",
        ),
        ('a = {type = "integer", minimum = 1.2, maximum = 1.8}', "no number is within"),
        ('a = {type = "number", minimum = 5, exclusiveMaximum = 5}', "no number is within"),
        ('a = {type = "integer", minimum = 11, maximum = 19, multipleOf = 10}', "no number is within"),
        (
            'a = {type = "string", maxlength = 5}',
            "'maxlength' in answer.a is not a keyword of JSON Schema, did you mean maxLength?",
        ),
        ('a = {type = "integer", min = 1}', "did you mean minimum?"),
        ('a = {type = "string", max_length = 5}', "did you mean maxLength?"),
        ("a = {minimum = 1, maximum = 5}", 'answer.a has minimum and no type: add type = "integer"'),
        ("", "answer has no fields"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(table: str, said: str) -> None:
    text = f'model = "m"\nprompt = "x"\n\n[answer]\n{table}\n'
    with pytest.raises(BadTemplate) as bad:
        RequestTemplate(text)
    assert said in bad.value.found.message
    assert bad.value.line == 4


@pytest.mark.parametrize(
    "field",
    [
        '{type = "number", minimum = 0.3, maximum = 0.3, multipleOf = 0.1}',
        '{type = "integer", minimum = 10, maximum = 10, multipleOf = 10}',
        '{type = "integer", exclusiveMinimum = 1, exclusiveMaximum = 3}',
        '{type = "string", example = "x", title = "X", x-note = "y"}',
        "[1, true]",
        '{min = "integer", format = "string"}',
    ],
)
def test_what_some_answer_fits_is_taken(field: str) -> None:
    RequestTemplate(f'model = "m"\nprompt = "x"\n\n[answer]\na = {field}\n')


def test_a_template_puts_the_sent_schema_into_each_request() -> None:
    template = RequestTemplate(
        'model = "m"\nprompt = "{{ a }}"\n[output_config]\neffort = "low"\n[answer]\nl = ["{{ a }}", "b"]\n'
    )
    params, _ = template.render({"a": "x"}, 1)
    assert b'"effort":"low"' in params and b'"enum":["{{ a }}","b"]' in params and b'"content":"x"' in params
    with pytest.raises(BadTemplate, match="give one of them"):
        RequestTemplate('prompt = "x"\n[output_config.format]\ntype = "json_schema"\n[answer]\na = "string"\n')
    with pytest.raises(BadTemplate, match="must be a table"):
        RequestTemplate('answer = 5\nprompt = "x"\n')


_small = st.integers(-3, 12)
_fields = st.one_of(
    st.sampled_from(["string", "integer", "number", "boolean"]),
    st.lists(st.text(max_size=3), min_size=1, max_size=3, unique=True),
    st.fixed_dictionaries(
        {"type": st.just("integer")}, optional={"minimum": _small, "maximum": _small, "multipleOf": st.integers(1, 3)}
    ),
    st.fixed_dictionaries(
        {"type": st.just("string")}, optional={"minLength": st.integers(0, 3), "maxLength": st.integers(3, 5)}
    ),
)
_tables = st.dictionaries(
    st.text(max_size=4),
    _fields | st.dictionaries(st.sampled_from(["x", "y"]), _fields, min_size=1),
    min_size=1,
    max_size=3,
)
_answers = st.recursive(
    st.none() | st.booleans() | _small | st.text(max_size=4),
    lambda inner: st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=4,
)


@settings(max_examples=80, deadline=None)
@given(_tables, _answers)
def test_the_api_takes_what_is_sent_and_it_refuses_nothing_that_fits(table: dict[str, Any], answer: Any) -> None:
    try:
        whole = whole_schema(table)
    except AnswerFault:
        return
    sent = sent_schema(whole)
    assert check_schema(sent, "schema").problems == []
    strict, loose = jsonschema_rs.validator_for(whole), jsonschema_rs.validator_for(sent)
    for tried in (answer, dict.fromkeys(table, answer)):
        assert loose.is_valid(tried) or not strict.is_valid(tried)


def test_a_misspelled_answer_table_is_an_error_with_its_line() -> None:
    for wrong in ("anwser", "Answer", "answers"):
        with pytest.raises(BadTemplate) as told:
            RequestTemplate(f'prompt = "x"\n[{wrong}]\nok = "boolean"\n')
        assert "did you mean [answer]?" in str(told.value)
        assert told.value.line == 2
    RequestTemplate('prompt = "x"\n[metadata]\nuser_id = "u"\n')
