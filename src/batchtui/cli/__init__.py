"""The command line; each verb is a few lines around the service and is imported when it is used."""

from __future__ import annotations

import gc
import os
import sys
from typing import Any


def __getattr__(name: str) -> Any:
    """``group``, with click, when it is asked for: opening the screen needs neither."""
    if name != "group":
        raise AttributeError(name)
    from batchtui.cli.program import group

    return group


def main(args: list[str] | None = None) -> Any:
    """The program: runs a verb and exits with its code."""
    # Until a verb is loaded, or the screen is drawn, nothing that is made becomes garbage.
    gc.disable()
    from batchtui.cli.output import guarded, leave
    from batchtui.cli.streams import take_streams

    take_streams()
    # A shell that asks for completions calls the program without words, and says so in this variable (click).
    if args is None and len(sys.argv) == 1 and "_BATCHTUI_COMPLETE" not in os.environ:
        from batchtui.cli.open_tui import open_screen

        leave(guarded(open_screen))
    from batchtui.cli.program import group

    leave(guarded(lambda: group.main(args=args, prog_name="batchtui", standalone_mode=False)))
