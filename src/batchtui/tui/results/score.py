"""The score screen: a field against gold, figures and a matrix in which Enter opens a cell's rows."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.widgets import Static

from batchtui import safetext
from batchtui.domain.batch import BatchRecord
from batchtui.domain.errors import BatchtuiError
from batchtui.present import numbers
from batchtui.present import scores as present
from batchtui.present.cells import dot, name_of
from batchtui.present.matrix import NOT_USABLE, Matrix
from batchtui.results.field_scores import FieldScore, score_field
from batchtui.results.filter import sort
from batchtui.results.gold import Gold, is_likely
from batchtui.results.names import Name, ValueNames, names_of
from batchtui.results.spreadsheet import csv_line
from batchtui.results.view import Rows, View
from batchtui.tui.base import BaseScreen, run_task
from batchtui.tui.bindings import bind, key_of
from batchtui.tui.dialogs import Ask, Choose
from batchtui.tui.results.heading import two_ended
from batchtui.tui.results.matrix import MatrixView
from batchtui.tui.results.save_table import save_table
from batchtui.tui.widgets.key_line import KeyLine
from batchtui.tui.widgets.status_line import StatusLine

if TYPE_CHECKING:
    from batchtui.tui.results.screen import ResultsScreen

_FILE = "\0file"
"""The choice of a file among the choices of gold; no column is called so."""
_REVIEW = "review"
_HINT = "CSV, TSV, JSON, JSONL or Parquet with a column id and one with the right values"

ScoredRows = tuple[str, Rows]
"""What some rows are, and which they are."""


class ScoreScreen(BaseScreen[ScoredRows | None]):
    """Dismisses with the rows of the cell that was chosen and what they are; None when left."""

    CSS_PATH: ClassVar[str | PurePath | list[str | PurePath] | None] = "score.tcss"
    KEY_LINE: ClassVar[tuple[str, ...]] = ("matrix.open", "score.wrong", "export")
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("escape,q", "leave", "back", "back", "back to the list", key_display="esc"),
        bind("w", "wrong", "wrong rows", "score.wrong", "show all rows that are wrong"),
        bind("x", "export", "export", "export", "save the matrix and the classes as CSV"),
    ]

    def __init__(
        self, found: FieldScore, made: str = "", at: tuple[str, str | None] | None = None, lacking: str = ""
    ) -> None:
        """``made`` says what the answers are of: models and cost; the cursor begins on the cell ``at``; ``lacking`` says
        which batches of the run are not included.
        """
        super().__init__()
        self.lacking = lacking
        self.found = found
        self.made = made
        self.at = at
        """The cell under the cursor: its gold and its answer."""

    def compose(self) -> ComposeResult:
        yield Static("", id="score-title", markup=False)
        yield Static("", id="score-figures", markup=False)
        yield MatrixView(id="score-matrix")
        yield Static("", id="score-notes", markup=False)
        yield StatusLine()
        yield KeyLine(self.KEY_LINE, last=("help", "back"))

    def on_mount(self) -> None:
        """The matrix has the keys."""
        self.query_one(MatrixView).focus()
        self._show()

    def on_resize(self) -> None:
        """The matrix goes by the room."""
        self._show()

    def _show(self) -> None:
        found, width, height = self.found, self.size.width, self.size.height
        notes = [note for note in (self.lacking, *present.score_notes(found)) if note]
        title = present.score_title(found)
        self.query_one("#score-title", Static).update(two_ended(title, self.made, width - 2))
        figures = present.score_figures(found)
        self.query_one("#score-figures", Static).update(Content("\n".join(figures)))
        self.query_one("#score-notes", Static).update(Content("\n".join(notes)))
        self.query_one("#score-notes").display = bool(notes)
        room = height - 4 - len(figures) - len(notes)
        none = Matrix(
            [f"No row has gold. Press Esc, then {key_of('results.score')} to choose another column or file."], []
        )
        drawn = present.score_matrix(found, width - 2, max(room, 5)) if found.score.rows else none
        self.query_one(MatrixView).show(drawn, self.at)

    @on(MatrixView.Moved)
    def _moved(self) -> None:
        spot = self.query_one(MatrixView).spot
        if spot is not None:
            self.at = spot.row, spot.column
            self.query_one(StatusLine).tell(dot(self._words(spot.row, spot.column), numbers.plural(spot.rows, "row")))

    def _words(self, gold: str, answer: str | None) -> str:
        said = NOT_USABLE if answer is None else f"answer {name_of(answer)}"
        return f"gold {name_of(gold)}, {said}"

    @on(MatrixView.Chosen)
    def _chosen(self, event: MatrixView.Chosen) -> None:
        spot = event.spot
        rows = self.found.cell(spot.row, spot.column)
        if rows:
            self.dismiss((self._words(spot.row, spot.column), rows))
        else:
            self.say("This cell has no rows.")

    def action_wrong(self) -> None:
        """Show all rows that are wrong."""
        rows = self.found.wrong()
        if rows:
            self.dismiss((f"{name_of(self.found.field)} wrong", rows))
        else:
            self.say("No row is wrong.", level="good")

    def action_export(self) -> None:
        """Save matrix and classes as CSV."""
        lines = (csv_line(row) for row in present.score_csv(self.found))
        name = f"score-{safetext.filename(self.found.field)}.csv"
        run_task(self, save_table(self, "Save the score as CSV", name, lines), opens=True)


async def score(screen: ResultsScreen) -> None:
    """Ask which field and which gold, score the rows shown, and show the rows of the cell that is chosen; from these rows,
    go back to the matrix.
    """
    view, record, before = screen.view, screen.record, screen.scored
    assert view is not None and record is not None
    if before is not None:
        await _show_score(screen, view, ScoreScreen(before.found, before.made, before.at, before.lacking))
        return
    rows = None if len(screen.rows) == len(view) else screen.rows
    names = await screen.in_thread(names_of, view)
    field = await choose_field(screen, names, "Score which field?")
    if field is None:
        return
    gold = await choose_gold(screen, view, names, field, record)
    if gold is None:
        return
    found = await screen.in_thread(score_field, view, names, field, gold, rows)
    models = ", ".join(safetext.line(model.removeprefix("claude-"), 40) for model in view.models[:3] if model)
    cost = numbers.at_least(numbers.usd(view.tally.cost_usd), bool(view.tally.cost_missing))
    await _show_score(screen, view, ScoreScreen(found, dot(models, cost), lacking=screen.not_included))


async def _show_score(screen: ResultsScreen, view: View, shown: ScoreScreen) -> None:
    chosen: ScoredRows | None = await screen.app.push_screen_wait(shown)
    if chosen is not None and screen.view is not view:
        screen.say(f"The results have changed since. Press {key_of('results.score')} to score them anew.", level="warn")
    elif chosen is not None:
        what, found_rows = chosen
        ordered = await screen.in_thread(sort, view, found_rows, "source")
        # A review goes on in these rows, and its verdicts are gold then: it is scored anew.
        screen.show_rows(what, ordered, first=ordered[0], of=shown if shown.found.gold.kind != "review" else None)


async def choose_field(screen: BaseScreen[None], names: ValueNames, title: str) -> Name | None:
    """One of the fields, the text of the answer where there is none; None when left."""
    fields = names.answers[:200]
    if not fields:
        return names.resolve("run.answer")
    if len(fields) == 1:
        return fields[0]
    choices = [(name.full, safetext.line(name.bare, 60)) for name in fields]
    chosen = await screen.app.push_screen_wait(Choose(title, [*choices, ("run.answer", "whole answer, as text")]))
    return names.resolve(chosen) if chosen is not None else None


async def choose_gold(
    screen: BaseScreen[None], view: View, names: ValueNames, field: Name, record: BatchRecord
) -> Gold | None:
    """A column, the review or a file with the right values; None when left.  Raises BatchtuiError."""
    review = await screen.in_thread(screen.service.review, record)
    judged = sum(each.field == ("" if field.scope == "run" else field.key) for each in review.verdicts())
    choices = [(name.full, f"column {safetext.line(name.bare, 60)}") for name in _likely(names, field)[:60]]
    if judged:
        choices.append((_REVIEW, f"your review ({numbers.plural(judged, 'verdict')})"))
    choices.append((_FILE, "a file with ids and values…"))
    chosen = await screen.app.push_screen_wait(
        Choose(f"What holds the right values of {safetext.line(field.bare, 40)}?", choices)
    )
    if chosen == _FILE:
        chosen = await screen.app.push_screen_wait(Ask("Gold file", placeholder="~/data/labels.csv", hint=_HINT))
    if not chosen:
        return None
    try:
        return await screen.in_thread(screen.service.gold, view, names, field, chosen, record)
    except BatchtuiError as error:
        screen.fail(error)
        return None


def _likely(names: ValueNames, field: Name) -> list[Name]:
    """The rows' columns, those first that are called like the field or like gold."""
    key = field.key.rpartition(".")[2].lower()

    def rank(name: Name) -> int:
        own = name.key.lower()
        golden = is_likely(own)
        return 0 if key in own and golden else 1 if own == key else 2 if key in own else 3 if golden else 4

    return sorted(names.own, key=rank)
