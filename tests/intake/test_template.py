"""Rows through templates: what is rendered, what is named, what is forbidden."""

import json
from pathlib import Path

import pytest

from batchtui.domain.plan import Plan
from batchtui.intake import template_protocol
from tests.intake.helpers import codes, group, plan_of, staged


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs away is stopped sooner."""
    monkeypatch.setattr(template_protocol, "MAX_SECONDS", 0.1)
    monkeypatch.setattr(template_protocol, "READ_SECONDS", 0.3)


HEAD = 'model = "claude-opus-5"\nmax_tokens = 5\n'


def render(tmp_path: Path, template: str, table: str = "id,text\n1,hello\n2,world\n", **options: object) -> Plan:
    (tmp_path / "in.csv").write_text(table)
    return plan_of(tmp_path / "in.csv", template_text=template, staging=tmp_path / "s", **options)


def kept_rows(plan: Plan) -> list[dict[str, object]]:
    path = plan.parts[0].ids_path
    assert path is not None
    return [line for line in map(json.loads, path.read_text().splitlines()) if "custom_id" in line]


def test_every_string_of_the_template_may_use_the_row(tmp_path: Path) -> None:
    template = """
model = "claude-opus-5"
max_tokens = "{{ 40 + id|int }}"
system = "You see {{ text|upper }}."
stop_sequences = ["{{ text }}!"]
metadata = { user_id = "u{{ id }}" }
messages = [
  { role = "user", content = [{ type = "text", text = "{% if id == '1' %}first{% else %}other{% endif %}" }] },
]
"""
    plan = render(tmp_path, template)
    assert plan.ok, [each.first[0].message for each in plan.problems]
    first, second = (each["params"] for each in staged(plan))
    assert first["max_tokens"] == 41
    assert first["system"] == "You see HELLO."
    assert first["stop_sequences"] == ["hello!"]
    assert first["metadata"] == {"user_id": "u1"}
    assert [each["messages"][0]["content"][0]["text"] for each in (first, second)] == ["first", "other"]


def test_ids_come_from_the_template_a_column_or_the_row_number(tmp_path: Path) -> None:
    prompt = HEAD + 'prompt = "{{ text }}"\n'
    by_column = render(tmp_path, prompt)
    assert [each["custom_id"] for each in staged(by_column)] == ["1", "2"]
    by_template = render(tmp_path, prompt + 'custom_id = "q-{{ id }}"\n')
    assert [each["custom_id"] for each in staged(by_template)] == ["q-1", "q-2"]
    made = render(tmp_path, prompt, "name,text\nx,hello\ny,world\n", mark="m")
    assert [each["custom_id"] for each in staged(made)] == ["m-000001", "m-000002"]
    assert not made.problems


def test_ids_that_can_not_be_are_turned_into_near_ones_and_the_rows_are_kept(tmp_path: Path) -> None:
    table = "id,text\nZoë & Co,a\nZoë & Co,b\n日本,c\n" + "x" * 80 + ",d\n,e\nm-000003,f\n"
    plan = render(tmp_path, HEAD + 'prompt = "{{ text }}"\n', table, mark="m")
    assert plan.ok
    ids = [each["custom_id"] for each in staged(plan)]
    assert ids == ["Zoe-Co", "Zoe-Co-2", "m-000003", "x" * 64, "m-000005", "m-000003-6"]
    kept = kept_rows(plan)
    assert [each["custom_id"] for each in kept] == ids
    assert [each["row_id"] for each in kept] == ["Zoë & Co", "Zoë & Co", "日本", "x" * 80, "", "m-000003"]
    assert kept[1]["row"] == {"id": "Zoë & Co", "text": "b"}
    assert group(plan, "id_made").count == 5


def test_a_thousand_equal_ids_are_told_apart(tmp_path: Path) -> None:
    table = "id,text\n" + "same,x\n" * 1000
    plan = render(tmp_path, HEAD + 'prompt = "{{ text }}"\n', table)
    assert plan.ok
    assert len({each["custom_id"] for each in staged(plan)}) == 1000


def test_kept_rows_follow_their_part(tmp_path: Path) -> None:
    table = "id,text\n" + "".join(f"{n},x\n" for n in range(10))
    plan = render(tmp_path, HEAD + 'prompt = "{{ text }}"\n', table, max_requests=4)
    for part in plan.parts:
        assert part.path is not None
        assert part.ids_path is not None
        ids = [json.loads(line)["custom_id"] for line in part.path.read_text().splitlines()]
        *rows, mark = map(json.loads, part.ids_path.read_text().splitlines())
        assert [row["custom_id"] for row in rows] == ids
        assert (mark["source"], len(mark["sha256"])) == (1, 64)


def test_an_undefined_name_names_the_row_and_the_columns(tmp_path: Path) -> None:
    plan = render(tmp_path, HEAD + 'prompt = "{{ txt }}"\n')
    found = group(plan, "template_undefined")
    assert found.count == 2
    assert "'txt' is undefined" in found.message
    assert "'id', 'text'" in found.message
    assert [each.where.rsplit(":", 1)[1] for each in found.first] == ["2", "3"]


def test_a_problem_of_a_rendered_request_names_the_row(tmp_path: Path) -> None:
    plan = render(tmp_path, HEAD + 'prompt = "{{ text }}"\nmax_token = 3\n', "id,text\n1,hello\n2,\n")
    assert group(plan, "content_empty").first[0].where == f"{tmp_path}/in.csv:3"
    assert group(plan, "unknown_field").count == 2


def test_rows_left_out_are_written_as_rows(tmp_path: Path) -> None:
    plan = render(tmp_path, HEAD + 'prompt = "{{ text }}"\n', "id,text\n1,hello\n2,\n", skip_bad=True)
    assert (plan.ok, plan.requests, plan.skipped) == (True, 1, 1)
    assert plan.skipped_kept is not None
    kept = json.loads(plan.skipped_kept.read_text())
    assert (kept["row"], kept["row_id"], kept["where"]) == ({"id": "2", "text": ""}, "2", f"{tmp_path}/in.csv:3")


def test_betas_of_a_template_hold_for_its_batch(tmp_path: Path) -> None:
    plan = render(tmp_path, HEAD + 'betas = ["skills-2025-10-02", "pdfs-2024-09-25"]\nprompt = "{{ text }}"\n')
    assert plan.parts[0].betas == ("pdfs-2024-09-25", "skills-2025-10-02")
    assert not plan.problems


@pytest.mark.parametrize(
    ("template", "line", "words"),
    [
        ("model = ", "template:1", "not valid TOML"),
        (HEAD + 'prompt = "{{ text }"\n', "template:3", "in prompt"),
        (HEAD + 'prompt = """\nline\n{% if %}\n"""\n', "template:5", "in prompt"),
        (HEAD + 'system = """\nline\n{{ x | nofilter }}\n"""\nprompt = "x"\n', "template:5", "nofilter"),
        (HEAD, "template", "neither prompt nor messages"),
        (HEAD + 'promt = "x"\n', "template", "did you mean prompt?"),
        (HEAD + 'prompt = "x"\nmessages = []\n', "template:4", "one of them"),
        (HEAD + 'prompt = "x"\nbetas = "b"\n', "template", "betas must be a list"),
        (HEAD + 'prompt = "x"\ncustom_id = 5\n', "template:4", "custom_id must be a text"),
    ],
)
def test_a_template_that_is_none_is_named_with_its_line(
    tmp_path: Path, template: str, line: str | None, words: str
) -> None:
    plan = render(tmp_path, template)
    assert not plan.ok
    problem = group(plan, "template").first[0]
    assert words in problem.message
    if line is not None:
        assert problem.where == line


def test_a_template_file_that_is_missing_or_not_utf_8_is_named(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,text\n1,a\n")
    (tmp_path / "t.toml").write_bytes(b"\xff\xfe")
    assert codes(plan_of(tmp_path / "in.csv", template=tmp_path / "none.toml")) == ["template"]
    assert codes(plan_of(tmp_path / "in.csv", template=tmp_path / "t.toml")) == ["template"]


@pytest.mark.parametrize(
    "expression",
    [
        "{{ 'x' * 10**9 }}",
        "{{ 10**(10**10) }}",
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% for a in range(99999) %}{{ text * 9999 }}{% endfor %}",
        "{% set ns = namespace(t='x') %}{% for a in range(60) %}{% set ns.t = ns.t ~ ns.t %}{% endfor %}{{ ns.t }}",
        "{% set ns = namespace(t='x') %}{% for a in range(60) %}{% set ns.t = ns.t + ns.t %}{% endfor %}{{ ns.t }}",
        "{% set ns = namespace(t=[1]) %}{% for a in range(60) %}{% set ns.t = ns.t + ns.t %}{% endfor %}{{ ns.t }}",
        "{{ text|center(10**9) }}",
        "{{ text.ljust(10**9) }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ '{:>1000000000}'.format(1) }}",
        "{{ '%1000000000d'|format(1) }}",
        "{% set big = 'x' * 100000 %}{{ big|replace('x', big) }}",
        "{{ range(10**9)|list }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ self.__init__.__globals__ }}",
        "{{ row.pop('id') }}",
        "{{ row.clear() }}",
        "{{ cycler('a') }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% include 'x' %}",
        "{{ (1,)|batch(10**9, 0)|list }}",
        "{{ [1]|slice(10**9)|list }}",
    ],
)
def test_a_template_that_asks_for_too_much_or_reaches_out_is_stopped(tmp_path: Path, expression: str) -> None:
    plan = render(tmp_path, HEAD + f"prompt = {json.dumps(expression)}\n", "id,text\n1,hello\n")
    assert not plan.ok
    assert {each.code for each in plan.problems} & {"template", "template_limit", "template_row", "template_undefined"}


def test_ordinary_templates_are_not_hindered(tmp_path: Path) -> None:
    template = HEAD + (
        "prompt = \"{% for w in text.split('l') %}{{ loop.index }}/{{ loop.length }}{{ w|trim }} {% endfor %}"
        "{{ text|replace('h', 'j')|capitalize }} {{ 'a' ~ id ~ 'b' }} {{ (1, 2)|join('-') }} {{ text[:3] }} "
        "{{ text|length * 2 }} {{ 'x' * 3 }} {{ text.upper() }} {{ [3, 1]|sort|first }} {{ text|default('none') }}\"\n"
    )
    plan = render(tmp_path, template, "id,text\n1,hello\n2,x\n")
    assert plan.ok, [each.first[0].message for each in plan.problems]
    assert (
        staged(plan)[0]["params"]["messages"][0]["content"] == "1/3he 2/3 3/3o Jello a1b 1-2 hel 10 xxx HELLO 1 hello"
    )


def test_the_shared_prefix_goes_under_a_one_hour_cache_on_demand(tmp_path: Path) -> None:
    plan = render(tmp_path, HEAD + 'system = "Rules."\nprompt = "{{ text }}"\n', cache_prefix=True)
    assert plan.ok
    system = staged(plan)[0]["params"]["system"]
    assert system == [{"type": "text", "text": "Rules.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
