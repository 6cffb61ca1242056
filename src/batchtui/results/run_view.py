"""A run's results as one: each request once, with the best answer that any of the run's batches gave it."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path

from batchtui.domain.batch import Tally
from batchtui.domain.errors import StoreError
from batchtui.domain.money import PriceTable
from batchtui.domain.outcome import OUTCOMES, USABLE, standing
from batchtui.domain.work import UNWATCHED, Work
from batchtui.results.answer_check import Schema
from batchtui.results.index import DUPLICATE, KINDS, UNEXPECTED, Columns, GroupKey
from batchtui.results.storage import open_results
from batchtui.results.view import ResultSet, Rows, View, as_sent

_GOOD = USABLE.rank + 1
_IS_GOOD = bytes(rank == _GOOD for rank in range(256))


class RunView(View):
    """Several batches merged by custom_id: the higher rank holds (``domain.outcome.standing``), of equal ones the later.

    Rows are in the order of the source: the first attempt's parts in order, each in the order of its requests.  What
    another batch said of the same request is reachable by ``older``.
    """

    def __init__(self, members: Sequence[ResultSet], attempts: Sequence[int], *, left_out: Sequence[Path] = ()) -> None:
        self.members = tuple(members)
        self.left_out = tuple(left_out)
        """Folders of batches with neither results nor requests here."""
        self._attempts = tuple(attempts)
        self._member = array("I")
        self._place = array("I")
        self._rows_of: list[array[int]] = []
        self._older: dict[int, list[tuple[int, int]]] = {}
        self._first_good: Counter[int] = Counter()
        self._columns: dict[str, Sequence[int]] = {}
        self._names()
        self._merge()

    def __len__(self) -> int:
        return len(self._member)

    def close(self) -> None:
        for member in self.members:
            member.close()

    def _names(self) -> None:
        """One numbering of stop reasons, models and groups for all members."""
        stops, models = {"": 0}, {"": 0}
        groups: dict[GroupKey, int] = {}
        self._maps: dict[str, list[list[int]]] = {"stop": [], "model": [], "group": []}
        for member in self.members:
            self._maps["stop"].append([stops.setdefault(name, len(stops)) for name in member.stops])
            self._maps["model"].append([models.setdefault(name, len(models)) for name in member.models])
            self._maps["group"].append([0, *(groups.setdefault(key, len(groups) + 1) for key in member.group_keys)])
        self.stops, self.models, self.group_keys = tuple(stops), tuple(models), tuple(groups)

    def _merge(self) -> None:
        rows: dict[str, int] = {}
        best = bytearray()
        had_good = bytearray()
        for number, member in enumerate(self.members):
            columns = member.columns
            shown = array("I", bytes(4 * len(member)))
            order = as_sent(member)
            if not self._member and _all_differ(columns):
                ranks = self._take_first(number, columns, order)
                best += ranks
                had_good += ranks.translate(_IS_GOOD)
                if number + 1 < len(self.members):
                    rows.update(zip(columns.ids_of(order), range(len(order)), strict=True))
                for row, place in enumerate(order):
                    shown[place] = row
                self._rows_of.append(shown)
                continue
            ids = columns.id_texts()
            for place in order:
                custom_id = ids[place]
                rank = _rank(columns, place)
                row = rows.setdefault(custom_id, len(self._member)) if custom_id else len(self._member)
                shown[place] = row
                if row == len(self._member):
                    self._member.append(number)
                    self._place.append(place)
                    best.append(rank)
                    had_good.append(0)
                elif rank:
                    self._another(row, number, place, rank, best)
                if rank == _GOOD and not had_good[row]:
                    had_good[row] = 1
                    self._first_good[self._attempts[number]] += 1
            self._rows_of.append(shown)

    def _take_first(self, number: int, columns: Columns, order: Rows) -> bytes:
        """Show all results of a member whose requests are no one's yet, in this order; returns their ranks."""
        ranks = {pair: standing(*pair).rank + 1 for pair in set(zip(columns.outcome, columns.cut, strict=True))}
        self._member.extend(array("I", [number]) * len(order))
        self._place.extend(order)
        ended = zip(map(columns.outcome.__getitem__, order), map(columns.cut.__getitem__, order), strict=True)
        found = bytes(map(ranks.__getitem__, ended))
        self._first_good[self._attempts[number]] += found.count(_GOOD)
        return found

    def _another(self, row: int, number: int, place: int, rank: int, best: bytearray) -> None:
        """One more result for a row's request: the better, else the later, is shown, the other kept."""
        loser = (number, place)
        if rank >= best[row]:
            loser = (self._member[row], self._place[row])
            self._member[row], self._place[row] = number, place
            loser_rank, best[row] = best[row], rank
            if not loser_rank:
                return
        self._older.setdefault(row, []).append(loser)

    def attempt_of(self, member: int) -> int:
        return self._attempts[member]

    def good_after(self) -> list[tuple[int, int]]:
        """For each attempt, how many requests had a good answer after it."""
        total, found = 0, []
        for attempt in sorted(set(self._attempts)):
            total += self._first_good[attempt]
            found.append((attempt, total))
        return found

    def older_count(self, row: int) -> int:
        return len(self._older.get(row, ()))

    def older(self, row: int) -> list[tuple[int, int]]:
        return sorted(self._older.get(row, ()), key=lambda at: (self._attempts[at[0]], at), reverse=True)

    def column(self, name: str) -> Sequence[int]:
        """A column of the rows shown, made when it is first asked for; ``seq`` is the row number itself."""
        if name == "seq":
            return range(len(self))
        found = self._columns.get(name)
        if found is None:
            parts = [member.column(name) for member in self.members]
            places = zip(self._member, self._place, strict=True)
            if name in self._maps:
                maps = self._maps[name]
                found = array("I", (maps[member][parts[member][place]] for member, place in places))
            else:
                found = array(
                    KINDS[name],
                    map(parts[0].__getitem__, self._place)
                    if len(parts) == 1
                    else (parts[member][place] for member, place in places),
                )
            self._columns[name] = found
        return found

    def id(self, row: int) -> str:
        return self.members[self._member[row]].id(self._place[row])

    def ids(self) -> list[str]:
        """All custom_ids, made on each call."""
        parts = [member.ids() for member in self.members]
        return [parts[member][place] for member, place in zip(self._member, self._place, strict=True)]

    def place(self, row: int) -> tuple[int, int]:
        return self._member[row], self._place[row]

    def spots(self) -> tuple[Rows, Sequence[int]]:
        """The members of all rows, and their row numbers there."""
        return self._member, self._place

    def block(self, rows: Sequence[int]) -> bytes | None:
        if len(self.members) == 1:
            return self.members[0].read_block([self._place[row] for row in rows])
        return super().block(rows)

    def holders(self, rows: Iterable[int]) -> list[int]:
        """The members that have a result, or only the request, of any of these rows."""
        wanted = bytearray(len(self))
        for row in rows:
            wanted[row] = 1
        return [member for member, mine in enumerate(self._rows_of) if any(wanted[row] for row in mine)]

    def row_of(self, member: int, row: int) -> int:
        """The row that shows a member's row now, -1 when a better one is shown."""
        mine = self._rows_of[member][row]
        return mine if self._member[mine] == member and self._place[mine] == row else -1

    def request_raw(self, row: int) -> bytes | None:
        """The row's request as its batch sent it; of an earlier attempt when that batch's is not here."""
        found = super().request_raw(row)
        for member, place in () if found is not None else self.older(row):
            found = found or self.members[member].read_request(place)
        return found

    @property
    def tally(self) -> Tally:
        """Counts of the rows shown; tokens and costs of everything that was paid."""
        counts, flags = self.counts(), bytes(self.column("flags"))
        flagged = {flag: flags.count(flag) for flag in set(flags)}
        tallies = [member.tally for member in self.members]
        return Tally(
            lines=len(self) - counts["missing"] - counts["waiting"],
            **{name: counts[name] for name in OUTCOMES if name != "waiting"},
            cut_short=counts["cut_short"],
            invalid=counts["invalid"],
            unexpected=sum(count for flag, count in flagged.items() if flag & UNEXPECTED),
            duplicates=sum(count for flag, count in flagged.items() if flag & DUPLICATE),
            input_tokens=sum(tally.input_tokens for tally in tallies),
            output_tokens=sum(tally.output_tokens for tally in tallies),
            cache_write_tokens=sum(tally.cache_write_tokens for tally in tallies),
            cache_read_tokens=sum(tally.cache_read_tokens for tally in tallies),
            cost_usd=_sum(tally.cost_usd for tally in tallies),
            standard_usd=_sum(tally.standard_usd for tally in tallies),
            unpriced=tuple(sorted({model for tally in tallies for model in tally.unpriced})),
            cost_missing=tuple(sorted({reason for tally in tallies for reason in tally.cost_missing})),
        )


def _all_differ(columns: Columns) -> bool:
    """Whether each row has a custom_id, and none has another's."""
    hashes = array("q", map(hash, columns.ids_of(range(len(columns)))))
    return hash("") not in hashes and len(set(hashes)) == len(hashes)


def _rank(columns: Columns, place: int) -> int:
    """The rank of a result, one more than its standing's: 0 when there is nothing yet."""
    return standing(columns.outcome[place], columns.cut[place]).rank + 1


def _sum(amounts: Iterable[Decimal | None]) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if known else None


def open_run(
    members: Sequence[tuple[Path, int]], prices: PriceTable, work: Work = UNWATCHED, schema: Schema | None = None
) -> RunView:
    """A run's batches, given as (folder, attempt), opened and merged; the order of one attempt's parts is kept.

    A folder with neither results nor requests is left out and named in ``left_out``.  Raises StoreError, Stopped.
    """
    opened: list[ResultSet] = []
    attempts: list[int] = []
    left_out: list[Path] = []
    for number, (folder, attempt) in enumerate(sorted(members, key=lambda each: each[1])):
        work.check("stopped while opening the run")
        try:
            found = open_results(folder, prices, work)
            if schema is not None:
                from batchtui.results.fields import check_answers

                check_answers(found, schema, work)
            opened.append(found)
            attempts.append(attempt)
        except StoreError:
            left_out.append(folder)
        work.tell("opening the run", number + 1, len(members), "batches")
    return RunView(opened, attempts, left_out=left_out)
