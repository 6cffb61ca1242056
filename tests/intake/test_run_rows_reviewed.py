"""A verdict in a template is that of the very row, where several rows have one id too."""

from __future__ import annotations

from pathlib import Path

from batchtui.intake.run_rows import RunSource
from batchtui.results.row_ids import SourceMark, row_line, source_line
from batchtui.results.row_match import identities
from tests.tui.work import add_batch, answered, make_service, request


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
    said = {
        key: {"verdict": verdict, "right_value": "", "note": ""}
        for key, verdict in ((first, "right"), (second, "wrong"))
    }
    run = RunSource(view, run="x", name="x", only=("all",), reviewed=said)
    found = [row.run["verdict"] for row in run.with_answers(run.rows, ("run.verdict",))]
    assert found == ["right", "wrong", ""]
    run.close()
