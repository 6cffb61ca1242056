"""How much of a batch a file of results holds: whole is every request that was sent, once, not a number of lines."""

from __future__ import annotations

import msgspec

from batchtui.domain.batch import Tally
from batchtui.domain.outcome import UNREADABLE
from batchtui.results.index import NOTHING, Index


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What a file of results holds, counted by custom_id."""

    ours: int
    """Requests that a readable line is there for, each counted once; of a batch made elsewhere, different custom_ids."""
    sent: int
    """Requests that were sent; 0 when they are not here (made elsewhere)."""
    lines: int
    strangers: int
    """Lines of no request that was sent."""
    unreadable: int
    repeats: int
    ids: frozenset[str] = frozenset()
    """Of a batch made elsewhere, all its custom_ids when asked for: nothing else tells one batch's results from another's."""

    def whole(self, expected: int) -> bool:
        """True when there is a result for every request that was sent, and as many as are expected."""
        return self.ours >= self.sent and self.lines - self.repeats - self.unreadable >= expected

    def better_than(self, older: Held) -> bool:
        """True when it may take the place of ``older``: it holds more of the batch, and nothing says it is another's."""
        if self.ours == older.ours:
            return self.sent > 0 and self.strangers + self.unreadable < older.strangers + older.unreadable
        return self.ours > older.ours and self.same_batch(older)

    def same_batch(self, older: Held) -> bool:
        """False when these are two batches' results, as far as custom_ids tell."""
        return self.sent > 0 or len(self.ids & older.ids) * 2 >= len(older.ids)

    @property
    def of_another(self) -> bool:
        """True when most lines are of no request that was sent."""
        return self.strangers * 2 > self.lines

    def oddities(self) -> str:
        """What else came, in words; "" when nothing did."""
        odd = ((self.strangers, "not sent"), (self.unreadable, "unreadable"), (self.repeats, "sent twice"))
        said = ", ".join(f"{count:,} {what}" for count, what in odd if count)
        return f"; other lines: {said}" if said else ""


def held(made: Index, *, with_ids: bool = False) -> Held:
    """What the file that an index was made from holds."""
    columns, tally = made.columns, made.header.tally
    if made.header.requests == NOTHING:
        ids = frozenset(columns.id_texts()) if with_ids else frozenset[str]()
        ours = tally.lines - tally.duplicates - tally.unreadable
        return _held(tally, ours, sent=0, strangers=0, ids=ids)
    # Each request has a row, those without a line after all lines.
    sent = max(columns.seq, default=-1) + 1
    ours = sent - (len(columns) - tally.lines)
    if tally.unreadable:
        rows = zip(columns.seq, columns.outcome, range(tally.lines), strict=False)
        ours = len({seq for seq, outcome, _ in rows if seq >= 0 and outcome != UNREADABLE})
    return _held(tally, ours, sent=sent, strangers=tally.unexpected)


def _held(tally: Tally, ours: int, *, sent: int, strangers: int, ids: frozenset[str] = frozenset()) -> Held:
    return Held(
        ours=ours,
        sent=sent,
        lines=tally.lines,
        strangers=strangers,
        unreadable=tally.unreadable,
        repeats=tally.duplicates,
        ids=ids,
    )
