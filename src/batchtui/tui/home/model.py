"""The home screen's rows: batches grouped by run, filtered and sorted, folded and unfolded.  Pure, no Textual."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from batchtui.domain.batch import EARLIEST, BatchRecord, not_retried
from batchtui.domain.errors import InputError
from batchtui.present import batch

Key = tuple[str, str]
"""``("batch", local_id)`` or ``("run", run)``."""
Usual = Callable[[BatchRecord], tuple[int, int] | None]
"""How long batches like one took before, in minutes, from and to; None where none is known."""

SORTS = (
    *("attention", "name", "status", "done", "usable", "failed", "requests"),
    *("model", "profile", "age", "left", "cost", "note"),
)
_LARGEST_FIRST = ("done", "usable", "failed", "requests", "cost")
_NEVER = datetime.max.replace(tzinfo=UTC)


class Group(msgspec.Struct):
    """A run: its batches in the order they were made, and whether they are folded away."""

    run: str
    records: list[BatchRecord]
    """Those that the filter shows."""
    whole: list[BatchRecord]
    """All of them: what the run's own row says is of these."""
    folded: bool = False
    states: list[batch.State] = []
    worst: batch.State | None = None
    """The most pressing state of all its batches."""
    rank: int = 9
    """What sorts it: its most pressing batch that is shown."""
    newest: datetime = EARLIEST
    """When its last batch was made."""

    @property
    def several(self) -> bool:
        """True when there is something to fold."""
        return len(self.records) > 1

    @property
    def requests(self) -> int:
        """Requests of the run, its retries not counted again."""
        return sum(r.requests for r in self.whole if not r.attempt) or max(r.requests for r in self.whole)

    @property
    def good(self) -> int | None:
        """Requests with a usable answer by now, each once; None while nothing is downloaded."""
        tallies = [r.tally for r in self.whole if r.tally is not None]
        return min(self.requests, sum(t.good for t in tallies)) if tallies else None

    @property
    def failed(self) -> int | None:
        """Requests without a usable answer by now; None while nothing is downloaded or a batch is in progress."""
        return None if self.good is None or self.active else max(0, self.requests - self.good)

    @property
    def answered(self) -> int:
        """Requests of the run that the API processed at least once, as far as its batches tell."""
        return min(self.requests, sum(batch.answered(r) for r in self.whole))

    def retried(self, record: BatchRecord) -> bool:
        """True when later batches of the run took up all that failed."""
        return _retried(record, self.whole)

    def left(self, record: BatchRecord) -> int:
        """Failed requests of a batch that no later batch of the run took up."""
        return not_retried(record, self.whole)

    @property
    def active(self) -> int:
        """Batches that are still in progress."""
        return sum(1 for r in self.whole if r.active)

    @property
    def cost(self) -> batch.Cost:
        """What it cost or will."""
        return batch.cost_of_run(self.whole)


class Line(msgspec.Struct, frozen=True):
    """One row: a batch by itself, a run's own row, or one of a run's batches below it."""

    group: Group
    record: BatchRecord | None
    child: bool = False
    last: bool = False

    @property
    def key(self) -> Key:
        """What the row list holds on to."""
        return ("batch", self.record.local_id) if self.record else ("run", self.group.run)

    @property
    def records(self) -> list[BatchRecord]:
        """The batches an action on this row means."""
        return [self.record] if self.record else self.group.records


def _retried(record: BatchRecord, run: Iterable[BatchRecord]) -> bool:
    """True when later batches of a run took up all that failed in this one."""
    later = any(
        r.attempt > record.attempt and r.status != "refused" and record.local_id in (r.retry_of or (record.local_id,))
        for r in run
    )
    return later and (record.status != "ended" or not not_retried(record, run))


def _place(record: BatchRecord) -> tuple[int, int, str]:
    return record.attempt, record.part, record.local_id


class HomeModel:
    """All records by run; ``lines`` are the rows to show after ``arrange``."""

    def __init__(self) -> None:
        self.records: dict[str, BatchRecord] = {}
        self.groups: list[Group] = []
        self.lines: list[Line] = []
        self.sort = "attention"
        self.reverse = False
        self.query = ""
        self._applied = ""
        self.filter_error: InputError | None = None
        """What is wrong with ``query``, which is not applied then."""
        self._folds: dict[str, bool] = {}
        self._places: dict[Key, int] = {}
        self._wanting: tuple[datetime, list[BatchRecord]] | None = None

    def replace(self, records: Iterable[BatchRecord]) -> None:
        """Take these records for all there are."""
        self.records = {r.local_id: r for r in records}

    def retried(self, record: BatchRecord) -> bool:
        """True when later batches of the same run took up all that failed."""
        return _retried(record, self._runs.get(record.run, ()))

    def left(self, record: BatchRecord) -> int:
        """Failed requests of a batch that no later batch of its run took up."""
        return not_retried(record, self._runs.get(record.run, ()))

    @property
    def falling(self) -> bool:
        """True when the largest comes first, which the arrow in the header says."""
        return (self.sort in _LARGEST_FIRST) != self.reverse

    def arrange(self, now: datetime) -> None:
        """Group, filter, sort and fold."""
        self._wanting = None
        self._runs: dict[str, list[BatchRecord]] = {}
        for record in self.records.values():
            self._runs.setdefault(record.run, []).append(record)
        wanted = self._readable(now)
        groups = []
        for run, records in self._runs.items():
            seen = [r for r in records if wanted(r)]
            if seen:
                groups.append(self._group(run, seen, records, now))
        self.groups = sorted(groups, key=self._order(), reverse=self.reverse)
        self.lines = [line for group in self.groups for line in _lines(group)]
        self._places = {line.key: i for i, line in enumerate(self.lines)}

    def _group(self, run: str, seen: list[BatchRecord], records: list[BatchRecord], now: datetime) -> Group:
        if len(records) == 1:
            # Most runs are one batch, and there may be thousands.
            state = batch.state(seen[0], now)
            return Group(run, seen, seen, True, [state], state, state.rank, seen[0].made_at)
        seen.sort(key=_place)
        whole = sorted(records, key=_place)
        every = {r.local_id: batch.state(r, now, retried=self.retried(r)) for r in whole}
        states = [every[r.local_id] for r in seen]
        rank = min(state.rank for state in states)
        worst = min(every.values(), key=lambda state: state.rank)
        folded = self._folds.get(run, rank >= 5)
        return Group(run, seen, whole, folded, states, worst, rank, max(r.made_at for r in whole))

    def _readable(self, now: datetime) -> Callable[[BatchRecord], bool]:
        """The filter, or the last that could be read: what is typed half must not keep the rows from being true."""
        try:
            wanted = self._filter(self.query, now)
        except InputError as error:
            self.filter_error = error
            return self._filter(self._applied, now)
        self._applied, self.filter_error = self.query, None
        return wanted

    def _filter(self, query: str, now: datetime) -> Callable[[BatchRecord], bool]:
        if not query:
            return lambda record: True
        from batchtui.tui.home.filter import parse_filter

        return parse_filter(query, now, self.retried)

    def find(self, key: object) -> int | None:
        """The row of a key; a batch that is folded away is found at its run's row."""
        place = self._places.get(key)  # type: ignore[call-overload]
        if place is None and isinstance(key, tuple) and key[0] == "batch" and key[1] in self.records:
            return self._places.get(("run", self.records[key[1]].run))
        return place  # type: ignore[no-any-return]

    def fold(self, run: str, folded: bool | None = None) -> bool:
        """Fold or unfold a run (None: the other way); False when that changes nothing."""
        group = next((g for g in self.groups if g.run == run and g.several), None)
        if group is None or group.folded == folded:
            return False
        self._folds[run] = (not group.folded) if folded is None else folded
        return True

    def wanting(self, now: datetime) -> list[BatchRecord]:
        """The batches that need attention, counted once a minute."""
        minute = now.replace(second=0, microsecond=0)
        if self._wanting is None or self._wanting[0] != minute:
            ranks = {r.local_id: s.rank for g in self.groups for r, s in zip(g.records, g.states, strict=True)}
            found = []
            for record in self.records.values():
                rank = ranks.get(record.local_id)
                if rank is None:
                    rank = batch.state(record, now, retried=self.retried(record)).rank
                if rank < 2:
                    found.append(record)
            self._wanting = minute, found
        return self._wanting[1]

    def _order(self) -> Callable[[Group], tuple[object, ...]]:
        def newest_first(group: Group) -> float:
            newest = group.newest
            return -newest.timestamp() if newest > EARLIEST else 0.0

        def share_done(group: Group) -> float:
            total = sum(r.counts.total for r in group.records)
            return sum(r.counts.done for r in group.records) / total if total else 0.0

        def runs_out(group: Group) -> datetime:
            found = [(r.gone_at if r.status == "ended" else r.expires_at) or _NEVER for r in group.records]
            return min(found)

        return {
            "attention": lambda g: (g.rank, newest_first(g), g.run),
            "name": lambda g: (batch.name(g.records[0]).lower(), newest_first(g)),
            "status": lambda g: (g.states[0].word, g.rank, newest_first(g)),
            "done": lambda g: (-share_done(g), newest_first(g)),
            "usable": lambda g: (-(g.good or 0), newest_first(g)),
            "failed": lambda g: (-(g.failed or 0), newest_first(g)),
            "requests": lambda g: (-g.requests, newest_first(g)),
            "model": lambda g: (sorted({name for r in g.records for name in r.models}), newest_first(g)),
            "profile": lambda g: (g.records[0].profile, newest_first(g)),
            "note": lambda g: (not g.records[0].note, g.records[0].note.lower(), newest_first(g)),
            "age": lambda g: (newest_first(g), g.run),
            "left": lambda g: (runs_out(g), newest_first(g)),
            "cost": lambda g: (-(g.cost.usd or Decimal(0)), newest_first(g)),
        }[self.sort]


def _lines(group: Group) -> list[Line]:
    if not group.several:
        return [Line(group, group.records[0])]
    head = Line(group, None)
    if group.folded:
        return [head]
    end = len(group.records) - 1
    return [head, *(Line(group, r, child=True, last=i == end) for i, r in enumerate(group.records))]
