"""Which columns a blind review hides."""

from __future__ import annotations

from batchtui.results.names import RUN
from batchtui.tui.results import review
from batchtui.tui.results.table_columns import TableColumn
from batchtui.tui.widgets.columns import Column


def test_all_that_is_read_from_the_answer_is_hidden() -> None:
    def column(name: str, *, answered: bool = False) -> TableColumn:
        return TableColumn(Column(name, name, 4), lambda view, row: "", name, answered)

    hidden = [name for name in RUN if review._of_answer(column(f"run.{name}"))]
    of_answer = ["answer", "error_message", "tool_calls", "compaction", "stop_details", "thinking", "content"]
    assert hidden == of_answer
    assert review._of_answer(column("answer.x", answered=True)) and not review._of_answer(column("row.answer"))
