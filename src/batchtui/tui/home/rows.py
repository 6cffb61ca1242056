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
from batchtui.present.fitting import MiddleCut, fitting
from batchtui.present.symbols import GLYPHS
from batchtui.tui.bindings import key_of, sign_of
from batchtui.tui.home.model import Group, HomeModel, Line, Usual
from batchtui.tui.widgets.cells import Cell
from batchtui.tui.widgets.columns import Column

COLUMNS = (
    Column("name", "Batch", 12, flex=9, max_width=32),
    Column("status", "Status", 11),
    Column("done", "Progress", 14, flex=2, max_width=28),
    Column("usable", "Usable", 6, align="right", priority=3),
    Column("failed", "Failed", 6, align="right", priority=4),
    Column("requests", "Requests", 8, align="right", priority=7),
    Column("model", "Model", 16, flex=2, max_width=28, priority=8),
    Column("profile", "Profile", 10, priority=11),
    Column("age", "Age", 4, align="right", priority=2),
    Column("left", "Left", 5, align="right", priority=9),
    Column("cost", "Cost", 8, align="right", priority=1),
    Column("note", "Note", 14, flex=6, priority=10),
)
Unchecked = Callable[[BatchRecord], datetime | Literal[False] | None]
"""How old what is known of a batch is that is not looked after (None: not known); False for one that is."""


def chosen_columns(names: Sequence[str], *, several_profiles: bool = True) -> tuple[Column, ...]:
    """The columns that config.toml names, in its order, name first; when it names none, all that tell batches apart."""
    known = {column.key: column for column in COLUMNS}
    wanted = [known[name] for name in names if name in known and name != "name"]
    if wanted:
        return (known["name"], *wanted)
    return tuple(column for column in COLUMNS if column.key != "profile" or several_profiles)


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

    def take_columns(self, columns: Sequence[Column]) -> bool:
        """Make cells for these columns; False when they are those there were."""
        before, self._columns = self._columns, [column.key for column in columns]
        return before != self._columns

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
            "status": Text.assemble((f"{state.sign} ", state.style), state.word),
            "requests": numbers.count(record.requests),
            "model": models(record),
            "profile": safetext.line(record.profile, 40),
            "age": batch.age(record, now),
            "left": batch.left(record, now),
            "cost": batch.cost(record),
            "note": safetext.line(record.note, 200),
        }
        if batch.takes_sentence(record, now):
            key = key_of("open")
            words = batch.attention(record, now, retried=retried, left=self._model.left(record), opens=key)
            if record.status == "refused":
                words = f"refused: {record.error or 'was not created'}"
            plain = words.removesuffix(f": press {key}").removesuffix(f": {key}")
            said = dict.fromkeys((words, f"{plain} {sign_of('open')}", plain, plain.removesuffix(", not downloaded")))
            cells["status"] = fitting([Text(f"{state.sign} {safetext.line(each, 200)}", state.style) for each in said])
            return cells | dict.fromkeys(("done", "usable", "failed", "requests", "model", "profile"))
        if record.results == "gone":
            words = state.word if record.marked_gone else "results gone, not downloaded"
            said = dict.fromkeys((words, words.removesuffix(", not downloaded")))
            cells["status"] = fitting([Text.assemble((f"{state.sign} ", state.style), (w, "muted")) for w in said])
            return cells | dict.fromkeys(("done", "usable", "failed"))
        if record.status == "ended" and not record.results_due and record.local_id not in self.transfers:
            done = _processed(batch.answered(record), record.requests or record.counts.total)
            usable = numbers.count(batch.usable(record) or 0)
            return cells | {"done": done, "usable": usable, "failed": _failed(batch.failed(record))}
        # What has no counts yet has their room.
        return cells | {"done": self._progress(record, now), "usable": None, "failed": None}

    def _progress(self, record: BatchRecord, now: datetime) -> Text:
        """How far it is on its way to results on disk."""
        stale = self._stale(record)
        if record.local_id in self.transfers:
            return batch.progress_text(self.transfers[record.local_id])
        if stale is not False:
            return Text(batch.as_of(stale, now), "muted")
        if record.status != "ended":
            return batch.progress_of(record, now, self._usual(record))
        again = record.next_try_at
        wait = f", again in {numbers.words(again - now)}" if again is not None and again > now else ""
        here = f"{record.have:,} of {record.sent_or_counted:,} downloaded" if record.have else "not downloaded"
        return Text(f"{here}{wait}", "warn")

    def _whose(self, name: MiddleCut, record: BatchRecord) -> Cell:
        """With the profile behind it, for a batch that is another's and not looked at now."""
        if record.profile == self.own_profile:
            return name
        return name.followed(Text(f" @{safetext.line(record.profile, 40)}", "muted"))

    def _name(self, line: Line, record: BatchRecord) -> MiddleCut:
        part = batch.part_name(record)
        if not line.child:
            return MiddleCut(batch.name(record), after=Text(f"  {part}", "muted") if part else None)
        twig = GLYPHS.branch_end if line.last else GLYPHS.branch
        before = Text.assemble((f"{twig} ", "muted"), part)
        return MiddleCut("" if part else batch.name(record), before=before)

    def _run(self, group: Group) -> dict[str, Cell]:
        now = self._clock()
        first = group.whole[0]
        fold = GLYPHS.folded if group.folded else GLYPHS.unfolded
        worst = group.worst or group.states[0]
        good = group.good
        sign, style, word = worst.sign, worst.style, worst.word
        done: Cell = ""
        if group.active:
            share = f"{group.active} of {len(group.whole)}"
            long = f"{group.active} of {numbers.plural(len(group.whole), 'batch', 'batches')} in progress"
            done = fitting([Text(long), Text(f"{share} in progress"), Text(f"{share} active")])
        elif good is not None:
            sign, style = (GLYPHS.partial, "warn") if group.failed else (GLYPHS.good, "good")
            word, done = "ended", _processed(group.answered, group.requests)
        hidden = len(group.whole) - len(group.records)
        size = f" ({len(group.whole)}{f', {hidden} hidden' if hidden else ''})"
        return {
            "name": self._whose(
                MiddleCut(batch.name(first), "title", before=Text(f"{fold} ", "accent"), after=Text(size, "muted")),
                first,
            ),
            "status": Text.assemble((f"{sign} ", style), word),
            "done": done,
            "usable": None if group.failed is None else numbers.count(good or 0),
            "failed": None if group.failed is None else _failed(group.failed),
            "requests": numbers.count(group.requests),
            "model": models(*group.whole),
            "profile": safetext.line(first.profile, 40),
            "age": batch.age(first, now),
            "left": "",
            "cost": batch.cost_text(group.cost),
            "note": safetext.line(first.note, 200),
        }


def _processed(count: int, total: int) -> str:
    """``475 of 475``; with a percentage in place of a total that there is no room for."""
    said = f"{count:,} of {total:,}"
    return said if len(said) <= 14 else numbers.share(count, total)


def _failed(count: int | None) -> Text:
    return Text(f"{count or 0:,}", "bad" if count else "muted")


def models(*records: BatchRecord) -> str:
    """The models of some batches, the most used first, without the word they all share."""
    found: dict[str, int] = {}
    for record in records:
        for model, count in record.models.items():
            found[model] = found.get(model, 0) + count
    names = sorted(found, key=lambda model: -found[model])
    return safetext.line(", ".join(name.removeprefix("claude-") for name in names), 120)
