"""A verdict in a template is that of the very row, where several rows have one id too."""

from __future__ import annotations

import json
from pathlib import Path

from batchtui.domain.batch import BatchRecord
from batchtui.intake.options import IntakeOptions, RunChoice
from batchtui.results.field_columns import ABSENT, as_text
from batchtui.results.review import Verdict
from batchtui.results.review_columns import review_column
from batchtui.results.row_ids import SourceMark, row_line, source_line
from batchtui.results.row_match import identities
from batchtui.service import Service, run_sources
from tests.tui.work import NOW, add_batch, answered, make_service, request

TEMPLATE = """
model = "claude-haiku-5-5"
max_tokens = 200
prompt = "{{ run.verdict.mood }}|{{ run.verdict.answer }}|{{ verdict['run.answer'] }}|{{ run.right_value.answer }}|\
{{ run.note.answer }}|{{ run.verdict }}"
"""


def test_rows_of_one_id_have_their_own_verdicts(tmp_path: Path) -> None:
    service = make_service(tmp_path)
    names = ["r-0", "r-1", "r-2"]
    answers = [answered(name, [{"type": "text", "text": name}]) for name in names]
    record = add_batch(service, [request(name, "do it") for name in names], answers, title="labels")
    lines = [row_line(name, "twice", 1, number, {"n": number}) for number, name in enumerate(names, 2)]
    ids = service.history.folder(record.local_id) / "ids.jsonl"
    ids.write_bytes(b"\n".join([*lines, source_line(SourceMark(1, "in.csv", "f" * 64))]) + b"\n")
    view = service.open_results("labels")
    first, second, _ = identities(view)
    review = service.review(record)
    review.say(Verdict(row=first, verdict="right", at=NOW))
    review.say(Verdict(row=second, verdict="wrong", at=NOW))
    assert verdicts(service, record, "run.verdict") == ["right", "wrong", ""]


def test_verdicts_on_several_fields_are_all_there_by_field(tmp_path: Path) -> None:
    service = make_service(tmp_path)
    answers = [answered(name, [{"type": "text", "text": '{"mood": "good", "answer": "no"}'}]) for name in ("a", "b")]
    record = add_batch(service, [request(name, "do it") for name in ("a", "b")], answers, title="labels")
    view = service.open_results("labels")
    row = identities(view)[0]
    review = service.review(record)
    review.say(Verdict(row=row, field="mood", verdict="right", value="good", at=NOW))
    assert verdicts(service, record, "run.verdict") == ["right", ""]
    review.say(Verdict(row=row, field="answer", verdict="wrong", value="yes", note="see the text", at=NOW))
    review.say(Verdict(row=row, verdict="wrong", at=NOW))
    names = service.plan(["run:labels"], IntakeOptions(template_text=TEMPLATE)).sample
    assert [json.loads(each)["params"]["messages"][0]["content"] for each in names] == [
        'right|wrong|wrong|yes|see the text|{"mood": "right", "answer": "wrong", "run.answer": "wrong"}',
        '|||||{"mood": "", "answer": "", "run.answer": ""}',
    ]
    column = review_column(service.open_results("labels"), "review")
    assert as_text(column[0]) == '{"mood":"right","answer":"wrong","run.answer":"wrong"}' and column[1] is ABSENT


def verdicts(service: Service, record: BatchRecord, name: str) -> list[object]:
    run = run_sources.answers_of(service.context, record, RunChoice(only=("all",)))
    try:
        return [row.run[name.removeprefix("run.")] for row in run.with_answers(run.rows, (name,))]
    finally:
        run.close()
