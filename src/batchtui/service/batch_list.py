"""A look at the workspace's list that knows whether it saw everything back to a time.

Only a whole look says of a batch that it is not there.  The list is newest first and cut into pages; neither is taken on
trust: where the order does not prove that nothing younger follows, the list is read to its end.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from batchtui.api.call import MOST_PAGES
from batchtui.domain.batch import EARLIEST, RemoteBatch

if TYPE_CHECKING:
    from batchtui.api.gateway import Gateway

_FIRST, _MORE = 100, 1000


class Look(msgspec.Struct, frozen=True):
    """What a look brought: each batch once, newest first, and why the list may hold more ("" when it can't)."""

    batches: tuple[RemoteBatch, ...]
    flaw: str = ""

    @property
    def ids(self) -> frozenset[str]:
        """The batches' ids."""
        return frozenset(b.id for b in self.batches)


async def look_back(gateway: Gateway, since: Callable[[], datetime | None]) -> Look:
    """Look at the batches created at ``since`` or later; None reads the whole list.  Raises errors of the API.

    ``since`` is asked after each page: how the API's clock stands to ours is only known once a reply came.
    """
    seen: dict[str, RemoteBatch] = {}
    ordered, unread = True, 0
    last: datetime | None = None
    after: str | None = None
    for _ in range(MOST_PAGES):
        page = await gateway.page(_MORE if after else _FIRST, after)
        unread += page.refused
        new = [b for b in page.data if b.id not in seen]
        for batch in new:
            made = batch.created_at
            ordered = ordered and made is not None and (last is None or made <= last)
            last = made or last
            seen[batch.id] = batch
        if not page.has_more:
            return _look(seen, _unread(unread))
        if not new:
            return _look(seen, "the list announces more batches and does not return them")
        # One batch alone is in any order.
        if ordered and len(seen) > 1 and _reaches(page.data[-1].created_at, since()):
            return _look(seen, _unread(unread))
        after = page.data[-1].id
    return _look(seen, f"the list did not end after {MOST_PAGES} pages")


def _unread(entries: int) -> str:
    return f"{entries} entries of the list can't be read" if entries else ""


def _reaches(oldest: datetime | None, since: datetime | None) -> bool:
    return since is not None and oldest is not None and oldest < since


def _look(seen: dict[str, RemoteBatch], flaw: str = "") -> Look:
    # A batch without a time may be the youngest.
    newest = sorted(seen.values(), key=lambda b: (b.created_at is None, b.created_at or EARLIEST, b.id), reverse=True)
    return Look(tuple(newest), flaw)
