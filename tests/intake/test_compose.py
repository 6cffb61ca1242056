"""Forms, drafts, peeks and previews: what the new screen stands on."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from batchtui.domain.errors import InputError
from batchtui.intake.compose import Form, Turn, request_from_form
from batchtui.intake.drafts import Draft, delete_draft, list_drafts, load_draft, save_draft
from batchtui.intake.options import IntakeOptions
from batchtui.intake.preview import Preview, Previewer, peek
from tests.intake.helpers import MODEL, PRICES, params, request, write_lines

OPTIONS = IntakeOptions()
TEMPLATE = 'model = "claude-opus-5"\nmax_tokens = 5\nprompt = "{{ text }}"\n'


def form(**changed: Any) -> tuple[bytes | None, dict[str, str]]:
    given = Form(custom_id="a", model=MODEL, max_tokens="1,024", turns=(Turn("user", "Hello"),))
    line, problems = request_from_form(msgspec.structs.replace(given, **changed), OPTIONS, PRICES)
    return line, {problem.where: problem.message for problem in problems}


def test_a_form_becomes_a_request() -> None:
    line, problems = form(system="Be brief.", extra_json='{"stop_sequences": ["x"]}')
    assert problems == {}
    assert line is not None
    assert json.loads(line) == request("a", max_tokens=1024, system="Be brief.", stop_sequences=["x"])


def test_problems_of_a_form_stand_at_their_field() -> None:
    assert "whole number" in form(max_tokens="many")[1]["max_tokens"]
    assert "letters" in form(custom_id="a b")[1]["custom_id"]
    assert "retired" in form(model="claude-2.1")[1]["model"]
    assert "empty" in form(turns=(Turn("user", ""),))[1]["turns"]
    assert "not valid JSON" in form(extra_json='{"a": 1,\n  b}')[1]["extra:2:3"]
    assert "expected an object" in form(extra_json="[1]")[1]["extra"]
    assert "field of its own" in form(extra_json='{"model": "x"}')[1]["extra"]
    assert "tools" in form(extra_json='{"tools": 5}')[1]["extra"]
    assert form(turns=(Turn("user", "\ud800"),))[0] is None


def test_a_draft_comes_back_as_it_was(tmp_path: Path) -> None:
    draft = Draft(
        name="My draft / 1",
        title="T",
        sources=("a.csv", "-"),
        template_text='prompt = """\r\nx\ty "quoted" \\ é\x1b"""',
        forms=(Form(turns=(Turn(text="hi"), Turn(role="assistant", text="yo"))),),
    )
    path = save_draft(tmp_path, draft)
    assert path == tmp_path / "drafts" / "My-draft-1.toml"
    assert path.stat().st_mode & 0o777 == 0o600
    back = load_draft(tmp_path, "My draft / 1")
    assert (back.sources, back.template_text, back.forms) == (draft.sources, draft.template_text, draft.forms)
    assert back.saved_at is not None
    assert list_drafts(tmp_path) == ("My-draft-1",)
    delete_draft(tmp_path, "My draft / 1")
    assert list_drafts(tmp_path) == ()


def test_a_draft_that_can_not_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no draft"):
        load_draft(tmp_path, "../../etc/passwd")
    (tmp_path / "drafts").mkdir()
    (tmp_path / "drafts" / "bad.toml").write_bytes(b"\xff")
    with pytest.raises(InputError, match="can't be read"):
        load_draft(tmp_path, "bad")


def test_a_peek_shows_columns_and_first_rows_without_a_template(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,text\n" + "".join(f"{n},x\n" for n in range(100)))
    seen = peek([str(tmp_path / "in.csv")], OPTIONS, prices=PRICES, limit=3)
    assert seen.columns == ("id", "text")
    assert [row["id"] for row in seen.rows] == ["0", "1", "2"]
    assert seen.format == "rows of CSV"
    assert seen.problems == ()


def test_a_peek_shows_first_requests(tmp_path: Path) -> None:
    source = write_lines(tmp_path / "in.jsonl", *(params() for _ in range(9)))
    seen = peek([str(source)], OPTIONS, prices=PRICES, limit=2)
    assert [json.loads(line)["custom_id"] for line in seen.requests] == ["row-000001", "row-000002"]
    assert peek(["-"], OPTIONS, prices=PRICES, stdin=io.BytesIO(b'{"q": 1}\n{"q": 2}\n')).columns == ("q",)
    assert peek([str(tmp_path / "none")], OPTIONS, prices=PRICES).problems[0].code == "source"


@pytest.fixture
def previewer() -> Iterator[Previewer]:
    made = Previewer()
    yield made
    made.close()


def test_a_preview_renders_and_checks_one_row(previewer: Previewer) -> None:
    def preview(row: dict[str, str], number: int, options: IntakeOptions) -> Preview:
        made = previewer.preview(row, number, options, prices=PRICES)
        assert made is not None
        return made

    options = IntakeOptions(template_text=TEMPLATE)
    good = preview({"id": "x y", "text": "hello"}, 7, options)
    assert json.loads(good.request)["custom_id"] == "x-y"
    assert good.row_id == "x y"
    assert good.problems == ()
    assert json.loads(preview({"text": "hello"}, 7, options).request)["custom_id"] == "row-000007"
    undefined = preview({"txt": "hello"}, 1, options)
    assert undefined.request == b""
    assert "'txt'" in undefined.problems[0].message
    assert preview({"text": ""}, 1, options).problems[0].code == "content_empty"
    broken = preview({"text": ""}, 1, IntakeOptions(template_text="x ="))
    assert broken.problems[0].where == "template:1"
