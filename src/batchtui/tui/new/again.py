"""Opens the new screen filled in with a run once more, from home and from results."""

from __future__ import annotations

from typing import Any

from batchtui.domain.batch import BatchRecord
from batchtui.tui.base import BaseScreen
from batchtui.tui.new.prefill import again_of
from batchtui.tui.new.screen import NewScreen


async def open_again(screen: BaseScreen[Any], record: BatchRecord) -> None:
    """Open the new screen with a run's recipe and rows.  Raises StoreError."""
    prefilled = await screen.in_thread(again_of, screen.service, record)
    await screen.app.push_screen(NewScreen(prefilled=prefilled))
