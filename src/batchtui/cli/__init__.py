"""The command line; each verb is a few lines around the service and is imported when it is used."""

from __future__ import annotations

import os
import sys
from typing import Any

VERBS: dict[str, tuple[str, str]] = {
    "demo": ("batchtui.cli.commands.demo", "the screen on the built-in demo server: no key, no cost"),
    "check": ("batchtui.cli.commands.submit", "all problems at once, the plan, the cost; nothing is sent"),
    "submit": ("batchtui.cli.commands.submit", "check, plan, send; --wait follows to the end"),
    "list": ("batchtui.cli.commands.batches", "the history of batches"),
    "show": ("batchtui.cli.commands.batches", "one batch"),
    "watch": ("batchtui.cli.commands.batches", "follow batches until they have ended"),
    "results": ("batchtui.cli.commands.results", "the results of a batch or a run"),
    "fetch": ("batchtui.cli.commands.fetch", "download the results again, whole"),
    "retry": ("batchtui.cli.commands.retry", "what did not succeed, as a new batch of the same run"),
    "compare": ("batchtui.cli.commands.results", "two batches or runs side by side, row by row"),
    "cancel": ("batchtui.cli.commands.batches", "cancel batches"),
    "delete": ("batchtui.cli.commands.batches", "delete batches, at the service and here"),
    "adopt": ("batchtui.cli.commands.batches", "say which batch an unconfirmed one is, or keep one made elsewhere"),
    "sync": ("batchtui.cli.commands.batches", "fetch all that is due, adopt what was made elsewhere (fit for cron)"),
    "serve": ("batchtui.cli.commands.demo", "the demo server alone, for any client"),
    "doctor": (
        "batchtui.cli.commands.doctor",
        "look at key, network, clock, terminal and store; safe to paste in a bug report",
    ),
    "config": (
        "batchtui.cli.commands.help",
        "where config.toml lies, made with comments on first use; --edit opens it",
    ),
    "web": ("batchtui.cli.commands.demo", "the same screens in a browser on this machine (needs the web extra)"),
    "completion": ("batchtui.cli.commands.help", "print the shell completion script for bash, zsh or fish"),
    "help": ("batchtui.cli.commands.help", "help on a verb or a topic (exit-codes, json, config, keys, files)"),
}
"""Each verb's module and its line in the help, so that --help imports none of them."""


def __getattr__(name: str) -> Any:
    """``group``, with click, when it is asked for: opening the screen needs neither."""
    if name != "group":
        raise AttributeError(name)
    from batchtui.cli.program import group

    return group


def main(args: list[str] | None = None) -> Any:
    """The program: runs a verb and exits with its code."""
    from batchtui.cli.output import guarded, leave
    from batchtui.cli.streams import take_streams

    take_streams()
    # A shell that asks for completions calls the program without words, and says so in this variable (click).
    if args is None and len(sys.argv) == 1 and "_BATCHTUI_COMPLETE" not in os.environ:
        from batchtui.cli.open_tui import open_screen

        leave(guarded(open_screen))
    from batchtui.cli.program import group

    leave(guarded(lambda: group.main(args=args, prog_name="batchtui", standalone_mode=False)))
