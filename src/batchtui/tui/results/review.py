"""Review on the results screen: verdicts, notes, samples, and the marks in the list."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rich.text import Text

from batchtui import safetext
from batchtui.domain.errors import BatchtuiError
from batchtui.present import numbers
from batchtui.present import scores as present
from batchtui.present.cells import cut, name_of
from batchtui.present.fitting import fitting
from batchtui.present.matrix import NOT_USABLE
from batchtui.present.symbols import GLYPHS
from batchtui.results.field_scores import answered, usable_rows
from batchtui.results.gold import is_likely, labels_of
from batchtui.results.names import IN_LINES, Name, ValueNames, names_of
from batchtui.results.review import LONGEST_NOTE, REVIEW_FOLDER, Judged, Review, Verdict, draw, hash_of
from batchtui.results.row_match import identities
from batchtui.results.scores import label_of
from batchtui.results.view import ResultRow, View
from batchtui.tui.bindings import key_of
from batchtui.tui.dialogs import Ask, Choose
from batchtui.tui.results.table_columns import TableColumn
from batchtui.tui.widgets.cells import Cell
from batchtui.tui.widgets.columns import Column

if TYPE_CHECKING:
    from batchtui.tui.results.screen import ResultsScreen

_OTHER, _UNKNOWN = "\0other", "\0unknown"
"""Choices that are no value."""
MOST_VALUES = 100
SAMPLE = "review sample"
"""What the rows of a sample are called where they are shown."""
VALUE_WORDS = "value", "review: enter the value you think is right; then the answer is shown"
"""Label and tip of the keys of a verdict where the answer is hidden."""


class _Way(NamedTuple):
    """A way to draw a sample."""

    words: str
    equal: bool = False
    """The same number of each value, not whatever comes."""
    blind: bool = False
    """The answers are hidden until they have a verdict."""


class ReviewedView(NamedTuple):
    """A view, and what is known of its run's review."""

    view: View
    review: Review | None = None
    """None when nothing was said and nothing drawn yet, or it can't be read."""
    keys: Sequence[str] = ()
    """The identities of the view's rows, where there is a review."""
    trouble: str = ""
    """What of the review can't be read, in words; "" when all can."""


class _Asked(NamedTuple):
    """The answer that a verdict or a note is asked for, as it was shown then, and what had been said of it."""

    view: View
    row: int
    key: str
    hidden: bool
    older: bool
    before: Verdict | None
    names: ValueNames

    @property
    def name(self) -> str:
        """What the answer is called: by now the cursor may be on the next one."""
        return name_of(self.view.id(self.row))


class ReviewModel:
    """What a results screen knows of its run's review; it belongs to one view."""

    def __init__(self, screen: ResultsScreen) -> None:
        self._screen = screen
        self._view: View | None = None
        self._review: Review | None = None
        self._keys: Sequence[str] = ()
        self._rows: dict[str, int] = {}
        self.field: Name | None = None
        """The field that verdicts are about, once one was given; ``run.answer`` is the answer as a whole."""
        self.trouble = ""
        """What of the review can't be read, in words; "" when all can."""
        self._older: dict[tuple[int, str], bool] = {}
        self._column = TableColumn(Column("run.review", "Rev", 3), self._cell, "run.review")

    async def read(self, view: View) -> ReviewedView:
        """The review of a view's run, and the identities of its rows where there is one; before its rows are shown."""
        try:
            folder = view.kept[REVIEW_FOLDER]
            assert isinstance(folder, Path)
            review = await self._screen.in_thread(Review, folder)
            trouble = present.unreadable_verdicts(review.unreadable)
            if not len(review) and review.sample is None:
                return ReviewedView(view, trouble=trouble)
            return ReviewedView(view, review, await self._screen.in_thread(identities, view), trouble)
        except BatchtuiError as error:
            return ReviewedView(view, trouble=error.with_advice)

    def take(self, found: ReviewedView) -> None:
        """From now on this view is shown; what is hidden in the one before stays so until then."""
        self._view, self._review, self._keys, self.trouble = found
        self._rows = {key: row for row, key in enumerate(self._keys) if key}
        self._older.clear()

    async def find_field(self) -> None:
        """Take the sample's field for the one under review, once names are read."""
        if self._review is not None and self.field is None:
            try:
                await self._ready()
            except BatchtuiError as error:
                self._screen.fail(error)

    async def _ready(self) -> Review:
        """The review with what a verdict needs.  Raises StoreError."""
        view, record = self._screen.view, self._screen.record
        assert view is not None and record is not None
        held, keys = self._review, self._keys
        review = held if held is not None else await self._screen.in_thread(self._screen.service.review, record)
        if not keys:
            keys = await self._screen.in_thread(identities, view)
        await self._screen.in_thread(review.reload)
        if self._screen.view is not view:  # Opened anew meanwhile.
            return await self._ready()
        if review is not self._review or keys is not self._keys:
            self.take(ReviewedView(view, review, keys, self.trouble))
        sample = review.sample
        if self.field is None and sample is not None:
            names = await self._screen.in_thread(names_of, view)
            self.field = self._named(names, sample.field)
        return review

    @staticmethod
    def _named(names: ValueNames, judged: str) -> Name | None:
        return names.find(f"answer.{judged}" if judged else "run.answer")

    @property
    def _judged(self) -> str:
        return "" if self.field is None or self.field.scope == "run" else self.field.key

    @property
    def _field_shown(self) -> str:
        return name_of(self.field.bare) if self.field is not None and self.field.scope != "run" else "answer"

    # --- what the list shows ----------------------------------------------------------------------------------------

    def columns(self, columns: tuple[TableColumn, ...]) -> tuple[TableColumn, ...]:
        """The list's columns with the marks in front, where there are any, and answers hidden that are to be."""
        plain = tuple(each for each in columns if each is not self._column)
        if self._review is None or self._view is not self._screen.view:
            return plain
        if self.hidden:
            plain = tuple(self._hiding(each) if self._leads(each) else each for each in plain)
        return (self._column, *plain)

    def _leads(self, each: TableColumn) -> bool:
        """Whether a column would lead the verdict: it shows the answer, or what is likely the right value."""
        scope, _, name = each.name.partition(".")
        key = self._judged.rpartition(".")[2]
        return _of_answer(each) or (scope == "row" and is_likely(name.strip('"'), key))

    def _hiding(self, each: TableColumn) -> TableColumn:
        cell = each.cell

        def shown(view: View, row: ResultRow) -> Cell:
            return _hidden_cell() if self.hides(row.number) else cell(view, row)

        return replace(each, cell=shown, hides=self.hides)

    @property
    def hidden(self) -> frozenset[int]:
        """Rows of a blind sample without a verdict yet, whose answers nothing is to show."""
        review = self._review
        return frozenset() if review is None else frozenset(self._rows[k] for k in review.hidden() if k in self._rows)

    def hides(self, row: int) -> bool:
        """Whether a row's answer is hidden."""
        review = self._review
        if review is None or review.sample is None or not review.sample.blind or row >= len(self._keys):
            return False
        found = review.of(self._keys[row], review.sample.field)
        return self._keys[row] in review.drawn and (found is None or not found.verdict)

    def refuses(self, rows: Iterable[int]) -> bool:
        """Whether an answer of these rows is hidden, so that nothing may be made of them; says so."""
        hidden = self.hidden
        count = sum(row in hidden for row in rows) if hidden else 0
        if count:
            self._screen.say(
                present.hidden(count),
                advice=f"{key_of('results.sample')} continues the sample, or shows the answers",
                level="warn",
            )
        return bool(count)

    def of(self, row: int) -> Verdict | None:
        """What was said of a row: about the field under review, else about any."""
        if self._review is None or row >= len(self._keys):
            return None
        found = self._review.of(self._keys[row], self._judged)
        if found is None and self.field is None:
            each = (self._review.of(self._keys[row], field) for field in self._review.fields())
            found = next(filter(None, each), None)
        return found

    def _cell(self, view: View, row: ResultRow) -> Cell:
        found = self.of(row.number)
        if found is None:
            return ""
        sign, style = {"right": ("+", "good"), "wrong": ("-", "bad"), "": ("", "muted")}[found.verdict]
        return Text(f"{sign}{'t' if found.note else ''}{'~' if self.is_older(row.number) else ''}", style=style)

    def is_older(self, row: int) -> bool:
        """Whether a row has a newer answer than the one that was reviewed."""
        found, view = self.of(row), self._view
        if found is None or not found.result or view is None:
            return False
        key = row, found.result
        if key not in self._older:
            try:
                self._older[key] = hash_of(view.raw(row)) != found.result
            except BatchtuiError:
                return False
        return self._older[key]

    def facts(self, row: int | None) -> list[str]:
        """What the status line says: how far the review is, and what was said of the row under the cursor."""
        if self._review is None or self._view is not self._screen.view:
            return []
        parts = [present.review_line(self._review)]
        found = self.of(row) if row is not None else None
        if row is not None and found is not None:
            value = found.value if found.verdict == "wrong" and found.value else ""
            said = [f"{found.verdict}, right value {name_of(value, 24)}" if value else found.verdict]
            said += ["an older answer was reviewed"] if self.is_older(row) else []
            said += [f"note: {cut(safetext.line(found.note, 200), 40)}"] if found.note else []
            parts.append(", ".join(filter(None, said)))
        return [part for part in parts if part]

    # --- verdicts ---------------------------------------------------------------------------------------------------

    async def judge(self, right: bool) -> None:
        """Say that the answer under the cursor is right or wrong; the same again removes the verdict."""
        asked = await self._asked()
        if asked is None or self.field is None:
            return
        before, names = asked.before, asked.names
        verdict: Judged = "right" if right else "wrong"
        if before is not None and before.verdict == verdict and not asked.older:
            await self._say(asked, "", None, before.note)
            self._screen.say("Verdict removed.")
            return
        own = (await self._screen.in_thread(answered, asked.view, names, self.field))[asked.row]
        if asked.hidden:
            found = await self._blind_verdict(asked, own)
        else:
            found = await self._open_verdict(asked, verdict, own)
        if found is not None:
            review = await self._say(asked, *found, before.note if before is not None else "")
            if self._screen.view is asked.view:
                self._next(review, asked.row)

    async def _asked(self) -> _Asked | None:
        """The answer under the cursor, once it is known which field is judged; None when there is none, when that was left,
        or when other results are shown by then.
        """
        row, view = self._screen.cursor_row, self._screen.view
        if row is None or view is None:
            return None
        review = await self._ready()
        names = await self._field_known()
        if names is None or self._screen.view is not view:
            return None
        key = self._keys[row]
        return _Asked(view, row, key, self.hides(row), self.is_older(row), review.of(key, self._judged), names)

    async def _blind_verdict(self, asked: _Asked, own: str | None) -> tuple[Judged, str | None] | None:
        """The verdict on a hidden answer by the value that you give, and that value; None when that was left."""
        value = await self._right_value(asked.names, f"What is the right {self._field_shown} of {asked.name}?", None)
        if value is None:
            return None
        if value and value == own:
            self._screen.say("Right", level="good")
            return "right", value
        self._screen.say(f"Wrong: the model answered {name_of(own or NOT_USABLE)}", level="warn")
        return "wrong", value or None

    async def _open_verdict(self, asked: _Asked, verdict: Judged, own: str | None) -> tuple[Judged, str | None] | None:
        """The verdict on an answer that is shown, and the right value where it has one; None when none was given."""
        if not self._judged:
            return verdict, None
        if verdict == "wrong":
            value = await self._right_value(
                asked.names, f"Wrong. What is the right {self._field_shown} of {asked.name}?", own
            )
            return None if value is None else (verdict, value or None)
        if own is None:
            wrong = key_of("review.wrong")
            self._screen.say(f"This answer is not usable. Press {wrong} to give the right value.", level="warn")
            return None
        return verdict, own

    async def note(self) -> None:
        """Write a note on the answer under the cursor; an empty one takes it away."""
        asked = await self._asked()
        if asked is None:
            return
        before = asked.before
        typed = await self._screen.app.push_screen_wait(
            Ask(f"Note on {asked.name}", value=before.note if before is not None else "")
        )
        if typed is not None:
            kept = (before.verdict, before.value) if before is not None else ("", None)
            await self._say(asked, kept[0], kept[1], typed.strip()[:LONGEST_NOTE])

    async def _field_known(self) -> ValueNames | None:
        """The names, once it is known which field is judged; None when that was left."""
        from batchtui.tui.results.score import choose_field

        names = await self._screen.in_thread(names_of, self._screen.view)
        if self.field is None:
            self.field = await choose_field(self._screen, names, "Review which field?")
        return names if self.field is not None else None

    async def _right_value(self, names: ValueNames, title: str, own: str | None) -> str | None:
        """The right value, "" when it isn't said, None when left."""
        field = self.field
        assert field is not None
        found = await self._screen.in_thread(lambda: labels_of(names.column(field)))
        values = [value for value, _ in Counter(found).most_common(MOST_VALUES) if value is not None and value != own]
        choices = [(value, safetext.line(value, 60)) for value in values if len(value) <= 200]
        choices += [(_OTHER, "another value…"), (_UNKNOWN, "leave empty")]
        chosen = await self._screen.app.push_screen_wait(Choose(title, choices))
        if chosen == _OTHER:
            typed = await self._screen.app.push_screen_wait(Ask("Right value", value=""))
            return None if typed is None else label_of(typed[:LONGEST_NOTE]) or ""
        return "" if chosen == _UNKNOWN else chosen

    async def _say(self, asked: _Asked, verdict: Judged, value: str | None, note: str) -> Review:
        """Keep what was said of the answer that was asked about, whatever is shown by now; returns the review."""
        review = await self._ready()
        line = await self._screen.in_thread(asked.view.raw, asked.row)
        said = Verdict(
            row=asked.key,
            custom_id=asked.view.id(asked.row),
            field=self._judged,
            verdict=verdict,
            value=value,
            note=note,
            at=datetime.now(UTC),
            result=hash_of(line),
        )
        await self._screen.in_thread(review.say, said)
        names = self._screen.view.kept.get("names") if self._screen.view is not None else None
        if isinstance(names, ValueNames):
            names.forget_review()
        self._screen.verdict_given()
        return review

    def _next(self, review: Review, row: int) -> None:
        """To the next row of the sample without a verdict, or say what the sample says."""
        sample = review.sample
        drawn = {each.row for each in sample.rows} if sample is not None and sample.field == self._judged else set()
        if self._keys[row] not in drawn:
            self._screen.action_step(1)
            return
        done, total = review.progress()
        if done == total:
            self._screen.say(f"Sample reviewed: {present.estimate(review.accuracy())}", level="good")
            return
        shown = self._screen.rows
        place = next((n for n, each in enumerate(shown) if each == row), -1)
        for each in (*shown[place + 1 :], *shown[: max(place, 0)]):
            found = review.of(self._keys[each], self._judged)
            if self._keys[each] in drawn and (found is None or not found.verdict):
                self._screen.move_to(each)
                return

    # --- samples ----------------------------------------------------------------------------------------------------

    async def sample(self) -> None:
        """Go on with the sample, or draw one of the usable answers shown, of all while a sample is shown."""
        review = await self._ready()
        if review.sample is not None:
            done, total = review.progress()
            again = [("go", f"Continue the sample: {done:,} of {total:,} reviewed"), ("new", "Draw a new sample")]
            if review.hidden():
                again.append(("show", "Show the hidden answers; the sample is not blind any more"))
            chosen = await self._screen.app.push_screen_wait(Choose("Review", again))
            if chosen is None:
                return
            if chosen == "show":
                await self._screen.in_thread((await self._ready()).show_hidden)
                self._screen.verdict_given()
                return
            if chosen == "go":
                names = await self._screen.in_thread(names_of, self._screen.view)
                self.field = self._named(names, review.sample.field)
                self._show_sample(await self._ready())
                return
        await self._draw()

    async def _draw(self) -> None:
        from batchtui.tui.results.score import choose_field

        view = self._screen.view
        assert view is not None
        await self._ready()
        names = await self._screen.in_thread(names_of, view)
        usable = await self._screen.in_thread(usable_rows, view)
        if self._screen.view is not view:
            return
        rows = [row for row in self._screen.sampled_rows() if usable[row]]
        keys = [self._keys[row] for row in rows]
        if not rows:
            self._screen.say("No usable answers are shown.", advice="Choose another tab, or clear the filter.")
            return
        self.field = await choose_field(self._screen, names, "Review which field?")
        if self.field is None:
            return
        size = await self._sample_size(len(rows))
        if size is None:
            return
        way = await self._way_to_draw(self.field)
        if way is None:
            return
        labels = await self._screen.in_thread(answered, view, names, self.field) if way.equal else None
        drawn = draw(
            keys,
            size,
            at=datetime.now(UTC),
            field=self._judged,
            by=self.field.bare if labels is not None else "",
            values=[labels[row] or "" for row in rows] if labels is not None else None,
            blind=way.blind,
        )
        review = await self._ready()
        await self._screen.in_thread(review.begin, drawn)
        self._show_sample(review)

    async def _sample_size(self, usable: int) -> int | None:
        """How many answers are drawn; None when that was left, or is no number."""
        typed = await self._screen.app.push_screen_wait(
            Ask(
                f"Sample how many of {numbers.plural(usable, 'usable answer')}?",
                value=str(min(30, usable)),
                replaced=True,
            )
        )
        if typed is None:
            return None
        if not typed.strip().isdecimal() or not int(typed):
            self._screen.say(f"{typed} is not a number of answers.", level="warn")
            return None
        return int(typed)

    async def _way_to_draw(self, field: Name) -> _Way | None:
        """How answers are drawn; None when that was left."""
        if field.scope != "answer":
            ways = [_Way("At random")]
        else:
            equal = f"The same number of each {safetext.line(field.bare, 40)}"
            ways = [
                *(_Way("At random"), _Way("At random, answers hidden until your verdict", blind=True)),
                *(_Way(equal, equal=True), _Way(f"{equal}, answers hidden until your verdict", equal=True, blind=True)),
            ]
        choices = [(str(number), way.words) for number, way in enumerate(ways)]
        chosen = await self._screen.app.push_screen_wait(Choose("Draw the sample", choices))
        return None if chosen is None else ways[int(chosen)]

    def _show_sample(self, review: Review) -> None:
        assert review.sample is not None
        drawn = [self._rows[each.row] for each in review.sample.rows if each.row in self._rows]
        self._screen.verdict_given()
        open_rows = [row for row in drawn if (found := self.of(row)) is None or not found.verdict]
        self._screen.show_rows(SAMPLE, array("I", drawn), first=open_rows[0] if open_rows else None)


def _hidden_cell() -> Cell:
    return fitting([Text(text, style="muted") for text in ("(hidden)", "hidden", GLYPHS.ellipsis)])


def _of_answer(each: TableColumn) -> bool:
    # Why an answer is invalid says what it holds.
    return each.answered or (each.name.startswith("run.") and each.name.removeprefix("run.") in IN_LINES)
