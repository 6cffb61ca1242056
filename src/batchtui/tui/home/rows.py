"""The home screen's rows as a source for the row list."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from datetime import datetime
from typing import Literal

from rich.text import Text

from batchtui import safetext
from batchtui.domain.batch import BatchRecord
from batchtui.domain.work import Progress
from batchtui.present import batch, numbers
from batchtui.present.symbols import GLYPHS
from batchtui.tui.home.model import Group, HomeModel, Line
from batchtui.tui.widgets.cells import Cell
from batchtui.tui.widgets.columns import Column

COLUMNS = (
    Column("name", "Batch", 12, flex=9, max_width=32),
    Column("status", "Status", 11),
    Column("done", "Done", 18, flex=1, max_width=28),
    Column("requests", "Requests", 9, align="right", priority=7),
    Column("model", "Model", 16, flex=2, max_width=28, priority=8),
    Column("profile", "Profile", 10, priority=9),
    Column("age", "Age", 4, align="right", priority=2),
    Column("left", "Left", 5, align="right", priority=3),
    Column("cost", "Cost", 8, align="right", priority=1),
    Column("note", "Note", 14, flex=6, priority=10),
)
Unchecked = Callable[[BatchRecord], datetime | Literal[False] | None]
"""How old what is known of a batch is that is not looked after (None: not known); False for one that is."""
Usual = Callable[[BatchRecord], tuple[int, int] | None]


def chosen_columns(names: Sequence[str]) -> tuple[Column, ...]:
    """The columns that config.toml names, in its order, name first; all of them when it names none."""
    known = {column.key: column for column in COLUMNS}
    wanted = [known[name] for name in names if name in known and name != "name"]
    return (known["name"], *wanted) if wanted else COLUMNS


class HomeRows:
    """The rows of a model; the clock, the usual times and the transfers are asked as a row is seen."""

    def __init__(
        self, model: HomeModel, clock: Callable[[], datetime], usual: Usual, columns: Sequence[Column]
    ) -> None:
        self._model = model
        self._clock = clock
        self._usual = usual
        self._columns = [column.key for column in columns]
        self.transfers: dict[str, Progress] = {}
        self.own_profile = ""
        self.unchecked: Unchecked = lambda record: False

    def __len__(self) -> int:
        return len(self._model.lines)

    def key(self, index: int) -> Hashable:
        return self._model.lines[index].key

    def find(self, key: Hashable) -> int | None:
        return self._model.find(key)

    def style(self, index: int) -> str:
        line = self._model.lines[index]
        return "muted" if line.record is not None and self._stale(line.record) is not False else ""

    def _stale(self, record: BatchRecord) -> datetime | Literal[False] | None:
        """False for a batch that is looked after, or that nothing more is to be learned of."""
        return self.unchecked(record) if record.active or record.results_due else False

    def cells(self, index: int) -> Sequence[Cell]:
        line = self._model.lines[index]
        made = self._batch(line, line.record) if line.record else self._run(line.group)
        cells = [made.get(column, "") for column in self._columns]
        return [None if cell is None and i == 0 else cell for i, cell in enumerate(cells)]

    def _batch(self, line: Line, record: BatchRecord) -> dict[str, Cell]:
        now = self._clock()
        retried = self._model.retried(record)
        state = batch.state(record, now, retried=retried)
        cells: dict[str, Cell] = {
            "name": self._whose(self._name(line, record), record),
            "requests": numbers.count(record.requests),
            "model": models(record),
            "profile": safetext.line(record.profile, 40),
            "age": batch.age(record, now),
            "left": batch.left(record, now),
            "cost": batch.cost(record),
            "note": safetext.line(record.note, 200),
        }
        stale = self._stale(record)
        if (
            record.status in ("unconfirmed", "refused")
            or record.unknown
            or batch.results_going(record, now) is not None
        ):
            words = batch.wants(record, now, retried=retried, left=self._model.left(record))
            if record.status == "refused":
                words = safetext.line(record.error or "was not created", 200)
            cells["status"] = Text.assemble((f"{state.sign} ", state.style), (f"{state.word}: {words}", state.style))
            if record.status != "refused":
                cells["status"] = Text(f"{state.sign} {words}", state.style)
            cells |= dict.fromkeys(("done", "requests", "model", "profile", "age", "left"))
            if record.status == "refused":
                cells |= {"age": batch.age(record, now), "left": ""}
            return cells
        if stale is not False and record.local_id not in self.transfers:
            sign = Text.assemble((f"{state.sign} ", state.style), state.word)
            return cells | {"status": sign, "done": Text(batch.as_of(stale, now), "muted")}
        if record.status == "ended" and record.local_id not in self.transfers:
            return cells | self._ended(record, state, now)
        done = batch.progress_of(record, now, self._usual(record), self.transfers.get(record.local_id))
        return cells | {"status": Text.assemble((f"{state.sign} ", state.style), state.word), "done": done}

    def _ended(self, record: BatchRecord, state: batch.State, now: datetime) -> dict[str, Cell]:
        counts = batch.outcome_counts(record)
        sign = Text(f"{state.sign} ", state.style)
        if record.results == "gone":
            words = "marked as gone" if record.marked_gone else "results gone, not downloaded"
            return {"status": sign.append(words, "muted"), "done": None}
        if record.results_due:
            again = record.next_try_at
            wait = f", again in {numbers.words(again - now)}" if again is not None and again > now else ""
            here = f"{record.have:,} of {record.sent_or_counted:,} downloaded" if record.have else "not stored yet"
            return {"status": sign.append("ended", ""), "done": Text(f"{here}{wait}", "warn")}
        text = batch.counts_text(counts, 29)
        word = "ended  " if text.cell_len <= 22 else ""
        return {"status": Text.assemble(sign, (word, ""), text), "done": None}

    def _whose(self, name: Cell, record: BatchRecord) -> Cell:
        """With the profile behind it, for a batch that is another's and not looked at now."""
        if record.profile == self.own_profile or not isinstance(name, str | Text):
            return name
        return Text.assemble(name, (f" @{safetext.line(record.profile, 40)}", "muted"))

    def _name(self, line: Line, record: BatchRecord) -> Cell:
        if not line.child:
            part = batch.part_name(record)
            name = batch.name(record)
            return Text.assemble(name, (f"  {part}", "muted")) if part else name
        twig = GLYPHS.branch_end if line.last else GLYPHS.branch
        return Text.assemble((f"{twig} ", "muted"), batch.part_name(record) or batch.name(record))

    def _run(self, group: Group) -> dict[str, Cell]:
        now = self._clock()
        first = group.whole[0]
        fold = GLYPHS.folded if group.folded else GLYPHS.unfolded
        total, guessed = group.cost
        least = not guessed and any(map(batch.at_least, group.whole))
        cost = "" if total is None else numbers.at_least(f"{'~' if guessed else ''}{batch.cents(total)}", least)
        worst = group.worst or group.states[0]
        good = group.good
        sign, style, words = worst.sign, worst.style, numbers.plural(len(group.whole), "batch", "batches")
        hidden = len(group.whole) - len(group.records)
        if good is not None and not group.active:
            short = group.requests - good
            sign, style = (GLYPHS.good, "good") if short <= 0 else (GLYPHS.partial, "warn")
            words = f"{good:,} of {group.requests:,} good"
        elif group.active:
            words += f", {group.active} active"
        words += f", {hidden} hidden" if hidden else ""
        return {
            "name": self._whose(Text.assemble((f"{fold} ", "accent"), (batch.name(first), "title")), first),
            "status": Text.assemble((f"{sign} ", style), (words, "muted" if group.folded is False else "")),
            "done": None,
            "requests": numbers.count(group.requests),
            "model": models(*group.whole),
            "profile": safetext.line(first.profile, 40),
            "age": batch.age(first, now),
            "left": "",
            "cost": cost,
            "note": safetext.line(first.note, 200),
        }


def models(*records: BatchRecord) -> str:
    """The models of some batches, the most used first, without the word they all share."""
    found: dict[str, int] = {}
    for record in records:
        for model, count in record.models.items():
            found[model] = found.get(model, 0) + count
    names = sorted(found, key=lambda model: -found[model])
    return safetext.line(", ".join(name.removeprefix("claude-") for name in names), 120)
