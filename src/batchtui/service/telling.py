"""Tells once per batch that it ended, also when that was while the app was closed."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from batchtui.domain.batch import BatchRecord
from batchtui.domain.errors import BatchtuiError
from batchtui.service import events
from batchtui.service.context import Context

replace = msgspec.structs.replace


class Teller:
    """Marks a record as told under its lock, so that of two programs one tells."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def tell(self, records: Iterable[BatchRecord]) -> None:
        """Tell of every batch that has ended, with its results stored or gone, and was not told of yet."""
        for record in records:
            over = record.status == "ended" and record.results in ("stored", "gone")
            if not over or record.told or not self.context.mine(record):
                continue
            try:
                before, after = self.context.history.update(record.local_id, lambda r: replace(r, told=True))
            except BatchtuiError:
                continue
            self.context.noticed(after)
            if not before.told:
                late = after.ended_at is not None and after.ended_at < self.context.opened_at
                self.context.emit(events.Ended(after, late))
