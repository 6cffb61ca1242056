"""A template that only puts values between texts is joined without jinja, and comes to the same as jinja makes of it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchtui.intake.row import RunParts, is_empty
from batchtui.intake.sandbox import Sandbox, scope
from batchtui.intake.template import BadRow, RequestTemplate

PIECES = st.sampled_from(
    [
        *(
            "{{ a }}",
            "{{- a -}}",
            "{{b}}",
            "{{ row }}",
            "{{ row_number }}",
            "{# note #}",
            "{#- note -#}",
            "\n",
            "  \n  ",
        ),
        *(
            "text",
            "{",
            "}}",
            "%",
            "{{ a.x }}",
            "{{ a|upper }}",
            "{% if a %}y{% endif %}",
            "{{ self }}",
            "{{ range }}",
            "\n\n",
        ),
        *("{{ gone }}", "{{ 'a' }}", "{{ none }}", "{{ a ~ b }}", "{% raw %}{{ a }}{% endraw %}", "\r\n", "é"),
    ]
)
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.lists(st.none(), max_size=2)
)


def made(template: RequestTemplate, row: dict[str, Any]) -> tuple[bytes, str | None] | str:
    try:
        return template.render(row, 7)
    except BadRow as bad:
        return bad.found.text


@settings(max_examples=150, deadline=None)
@given(pieces=st.lists(PIECES, max_size=6), row=st.fixed_dictionaries({"a": VALUES, "b": VALUES}))
def test_joined_texts_are_what_jinja_makes(pieces: list[str], row: dict[str, Any]) -> None:
    text = "model = 'm'\nprompt = '''x" + "".join(pieces).replace("'''", "") + "'''\n"
    try:
        quick = RequestTemplate(text)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Sandbox, "pieces_of", lambda self, text: None)
            careful = RequestTemplate(text)
    except Exception:
        return
    assert made(quick, row) == made(careful, row)


def test_what_is_joined_and_what_is_not() -> None:
    sandbox = Sandbox()
    assert sandbox.pieces_of("Stars: {{ stars }}\n{{ text }}!") == [
        *(("Stars: ", "stars", ""), ("\n", "text", ""), ("!", "", ""))
    ]
    assert sandbox.pieces_of("{{ answer.label }}") == [("", "answer", "label"), ("", "", "")]
    for other in (
        "{{ a.b.c }}",
        "{{ a[0] }}",
        "{{ a|upper }}",
        "{% if a %}{% endif %}",
        "{{ self }}",
        "{{ range }}",
        "{{ 1 }}",
    ):
        assert sandbox.pieces_of(other) is None
    template = RequestTemplate('model = "m"\nprompt = "{{ answer }} of {{ row }}"')
    row = RunParts(msgspec.Raw(), "r", True, {"label": "price"}, {"answer": "all"}, {"n": 1})
    assert b'"all of {\\"n\\": 1}"' in template.render(row.wire, 1, scoped=True)[0]
    template = RequestTemplate('model = "m"\nprompt = "{{ answer.label }} {{ row.n }} {{ answer.items }} {{ a.x }}"')
    row = RunParts(
        msgspec.Raw(), "r", True, {"label": None, "items": [1]}, {"answer": "all"}, {"n": 1, "a": {"x": True}}
    )
    assert b'" 1 [1] true"' in template.render(row.wire, 1, scoped=True)[0]
    with pytest.raises(BadRow, match="gone"):
        RequestTemplate('model = "m"\nprompt = "{{ answer.gone }}"').render(row.wire, 1, scoped=True)
    assert str(scope("all", {})) == "all"


LAID_OUT = """
model = "m"
max_tokens = "{{ n }}"
temperature = 0.5
system = [{ type = "text", text = "of {{ a }} \\"x\\"" , cache_control = { type = "ephemeral" } }, { type = "text", text = "é" }]
tools = []
metadata = { user_id = "{{ b }}" }
thinking = { type = "enabled", budget_tokens = "{{ n }}" }
messages = [{ role = "user", content = "{{ a }}{% if b %}{{ b }}{% endif %}" }, { role = "user", content = [] }]
custom_id = "{{ n }}"
[answer]
label = ["a", "{{ a }}"]
"""


@given(a=st.text(), b=st.text(), n=st.integers() | st.text())
@settings(max_examples=30, deadline=None)
def test_params_that_are_laid_out_once_are_those_that_are_made_field_by_field(a: str, b: str, n: Any) -> None:
    template, row, fields = RequestTemplate(LAID_OUT), {"a": a, "b": b, "n": n}, list[str]()

    def made(*enter: Any) -> Any:
        try:
            return template.render(row, 1, *enter)
        except BadRow as bad:
            return str(bad)

    assert made() == made(fields.append)
    assert fields[:2] == ["model", "max_tokens"]
    assert template.empty == any(map(is_empty, (a, b, n)))
