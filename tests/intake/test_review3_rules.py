"""Faults that a review found in checks and templates: what each fast form overlooked, and what left as a traceback."""

import json
from pathlib import Path
from typing import Any

import pytest

from batchtui.intake.sandbox import Sandbox
from batchtui.intake.template import BadRow, RequestTemplate
from tests.intake.helpers import codes, group, plan_for, request


@pytest.mark.parametrize("blank", ["  ", "\n", "\u2003", [{"type": "text", "text": "\t"}]])
@pytest.mark.parametrize("options", [{}, {"stop_sequences": ["x"]}])
def test_a_blank_system_prompt_is_refused_whatever_stands_beside_it(
    tmp_path: Path, blank: Any, options: dict[str, Any]
) -> None:
    plan = plan_for(tmp_path, request(system=blank, **options))
    assert group(plan, "content_blank").level == "error"


@pytest.mark.parametrize("kind", [[], {}, [1], None, 5])
def test_an_edit_whose_type_is_no_text_is_named(tmp_path: Path, kind: Any) -> None:
    plan = plan_for(tmp_path, request(context_management={"edits": [{"type": kind}, {"type": "x"}]}))
    assert "context_management" in codes(plan)


@pytest.mark.parametrize(
    "text",
    ["{{ row.items }}", "{{ order.items }}", "{{ order.items | tojson }}", "a {{ dict }}", "{{ order.keys ~ 'x' }}"],
)
def test_a_method_is_not_sent_in_a_prompt(text: str) -> None:
    template = RequestTemplate(f'model = "m"\nmax_tokens = 5\nprompt = {json.dumps(text)}\n')
    with pytest.raises(BadRow, match="is a function here, not a value: for a field of that name write"):
        template.render({"order": {"items": ["pen"]}, "items": 3}, 1)


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("{{ order['items'] }}", '["pen"]'),
        ("{{ row['items'] }}", "3"),
        ("{% for k, v in order.items() %}{{ k }}{{ v[0] }}{% endfor %}", "itemspen"),
        ("{{ missing | default('none') }}", "none"),
    ],
)
def test_what_a_method_or_a_key_gives_is_sent(text: str, made: str) -> None:
    sandbox = Sandbox()
    names = {**sandbox.globals, "order": {"items": ["pen"]}, "row": {"items": 3}}
    assert sandbox.rendered(sandbox.compiled(text), names) == made
