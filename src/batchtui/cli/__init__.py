"""The command line; each verb is a few lines around the service and is imported when it is used."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from batchtui import __version__

VERBS: dict[str, tuple[str, str]] = {
    "demo": ("demo", "the screen on the built-in demo server: no key, no cost"),
    "check": ("plans", "all problems at once, the plan, the cost; nothing is sent"),
    "submit": ("plans", "check, plan, send; --wait follows to the end"),
    "list": ("history", "the history of batches"),
    "show": ("history", "one batch"),
    "watch": ("history", "follow batches until they have ended"),
    "results": ("answers", "the results of a batch or a run"),
    "retry": ("answers", "what did not succeed, as a new batch of the same run"),
    "compare": ("answers", "two batches or runs side by side, by custom_id"),
    "cancel": ("changes", "cancel batches"),
    "delete": ("changes", "delete batches, at the service and here"),
    "adopt": ("changes", "say which batch an unconfirmed one is, or keep one made elsewhere"),
    "sync": ("changes", "fetch all that is due, adopt what was made elsewhere (fit for cron)"),
    "serve": ("demo", "the demo server alone, for any client"),
    "doctor": ("doctor", "look at key, network, clock, terminal and store; safe to paste in a bug report"),
    "config": ("shell", "where config.toml lies, made with comments on first use; --edit opens it"),
    "web": ("demo", "the same screens in a browser on this machine (needs the web extra)"),
    "completion": ("shell", "print the shell completion script for bash, zsh or fish"),
    "help": ("shell", "help on a verb or a topic (exit-codes, json, config, keys, files)"),
}
"""Each verb's module below cli and its line in the help, so that --help imports none of them."""


class _Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"batchtui.cli.{VERBS[cmd_name][0]}")
        command: click.Command = getattr(module, f"{cmd_name}_")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(name, line) for name, (_, line) in VERBS.items()])


@click.group(cls=_Verbs, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="batchtui")
@click.option("--profile", default="", help="Profile of config.toml.")
@click.option("--data-dir", default=None, help="Data folder (also BATCHTUI_DATA_DIR).")
@click.option("--log", "log_file", default=None, help="Write a debug log without keys or contents to FILE.")
@click.pass_context
def group(ctx: click.Context, profile: str, data_dir: str | None, log_file: str | None) -> None:
    """A terminal app for Anthropic's Message Batches API.

    Without a verb it opens the screen.  Options of a verb are written after it; batchtui VERB --help lists them.
    """
    if ctx.invoked_subcommand is None:
        from batchtui.cli.demo import open_screen

        ctx.exit(open_screen(profile=profile, data_dir=data_dir, demo=False, log_file=log_file))


def main(args: list[str] | None = None) -> Any:
    """The program: runs a verb and exits with its code (contract: design, exit codes)."""
    from batchtui.cli.ending import guarded

    sys.exit(guarded(lambda: group.main(args=args, prog_name="batchtui", standalone_mode=False)))
