"""The verbs: where each is, and its line in the help, so that --help imports none of them."""

from __future__ import annotations

VERBS: dict[str, tuple[str, str]] = {
    "demo": ("batchtui.cli.commands.demo", "open the screen on the built-in demo server: no key, no cost"),
    "check": ("batchtui.cli.commands.submit", "list all problems, the plan and the cost; send nothing"),
    "submit": ("batchtui.cli.commands.submit", "check requests and send them as batches"),
    "again": ("batchtui.cli.commands.again", "run the same rows again with another model, template or params"),
    "list": ("batchtui.cli.commands.batches", "list batches"),
    "show": ("batchtui.cli.commands.batches", "show the details of a batch"),
    "watch": ("batchtui.cli.commands.batches", "follow batches until they have ended"),
    "results": ("batchtui.cli.commands.results", "write the results of a batch or a run"),
    "fetch": ("batchtui.cli.commands.fetch", "download results again"),
    "retry": ("batchtui.cli.commands.retry", "retry failed requests as a new batch"),
    "count": ("batchtui.cli.commands.count", "count how often each value of a field or column occurs"),
    "score": ("batchtui.cli.commands.score", "score a field against the right values"),
    "compare": ("batchtui.cli.commands.compare", "compare two batches or runs row by row, or by a field"),
    "cancel": ("batchtui.cli.commands.batches", "cancel batches"),
    "delete": ("batchtui.cli.commands.batches", "delete batches here and at the API"),
    "adopt": ("batchtui.cli.commands.batches", "confirm an unconfirmed batch, or adopt another one in this workspace"),
    "sync": (
        "batchtui.cli.commands.batches",
        "check all batches once, download results, adopt other batches (for cron)",
    ),
    "serve": ("batchtui.cli.commands.demo", "run the demo server for any client"),
    "doctor": (
        "batchtui.cli.commands.doctor",
        "check key, network, clock, terminal and data folder; safe to paste in a bug report",
    ),
    "config": (
        "batchtui.cli.commands.help",
        "print the path of config.toml, created on first use; --edit opens it",
    ),
    "web": ("batchtui.cli.commands.demo", "open the screen in a browser on this machine (needs the web extra)"),
    "completion": ("batchtui.cli.commands.help", "print the completion script for bash, zsh or fish"),
    "help": ("batchtui.cli.commands.help", "help on a verb or a topic"),
}
"""Each verb's module and its line in the help, so that --help imports none of them."""
