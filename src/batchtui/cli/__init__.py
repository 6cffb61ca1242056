"""The command line; each verb is a few lines around the service and is imported when it is used."""

from __future__ import annotations

import os
import sys
from typing import Any

VERBS: dict[str, tuple[str, str]] = {
    "demo": ("batchtui.cli.demo", "the screen on the built-in demo server: no key, no cost"),
    "check": ("batchtui.cli.plans", "all problems at once, the plan, the cost; nothing is sent"),
    "submit": ("batchtui.cli.plans", "check, plan, send; --wait follows to the end"),
    "list": ("batchtui.cli.history", "the history of batches"),
    "show": ("batchtui.cli.history", "one batch"),
    "watch": ("batchtui.cli.history", "follow batches until they have ended"),
    "results": ("batchtui.cli.answers", "the results of a batch or a run"),
    "fetch": ("batchtui.cli.fetch", "download the results again, whole"),
    "retry": ("batchtui.cli.retry", "what did not succeed, as a new batch of the same run"),
    "compare": ("batchtui.cli.answers", "two batches or runs side by side, row by row"),
    "cancel": ("batchtui.cli.changes", "cancel batches"),
    "delete": ("batchtui.cli.changes", "delete batches, at the service and here"),
    "adopt": ("batchtui.cli.changes", "say which batch an unconfirmed one is, or keep one made elsewhere"),
    "sync": ("batchtui.cli.changes", "fetch all that is due, adopt what was made elsewhere (fit for cron)"),
    "serve": ("batchtui.cli.demo", "the demo server alone, for any client"),
    "doctor": ("batchtui.cli.doctor", "look at key, network, clock, terminal and store; safe to paste in a bug report"),
    "config": ("batchtui.cli.shell", "where config.toml lies, made with comments on first use; --edit opens it"),
    "web": ("batchtui.cli.demo", "the same screens in a browser on this machine (needs the web extra)"),
    "completion": ("batchtui.cli.shell", "print the shell completion script for bash, zsh or fish"),
    "help": ("batchtui.cli.shell", "help on a verb or a topic (exit-codes, json, config, keys, files)"),
}
"""Each verb's module and its line in the help, so that --help imports none of them."""


def __getattr__(name: str) -> Any:
    """``group``, with click, when it is asked for: opening the screen needs neither."""
    if name != "group":
        raise AttributeError(name)
    from batchtui.cli.program import group

    return group


def main(args: list[str] | None = None) -> Any:
    """The program: runs a verb and exits with its code (contract: design, exit codes)."""
    from batchtui.cli.ending import guarded, leave
    from batchtui.cli.streams import take_streams

    take_streams()
    # A shell that asks for completions calls the program without words, and says so in this variable (click).
    if args is None and len(sys.argv) == 1 and "_BATCHTUI_COMPLETE" not in os.environ:
        from batchtui.cli.screen import open_screen

        leave(guarded(open_screen))
    from batchtui.cli.program import group

    leave(guarded(lambda: group.main(args=args, prog_name="batchtui", standalone_mode=False)))
