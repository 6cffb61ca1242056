"""The program's verbs as click sees them; each verb's module is imported when it is used."""

from __future__ import annotations

import gc
import importlib

import click

from batchtui import __version__, safetext
from batchtui.cli.options import data_dir_option, log_option, profile_option
from batchtui.cli.verbs import VERBS


class _Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(VERBS[cmd_name][0])
        if not gc.isenabled():
            # What was made since the start stays: the collector need never look at it.
            gc.freeze()
            gc.enable()
        command: click.Command = getattr(module, f"{cmd_name}_")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in VERBS and not name.startswith("-"):
            import difflib

            near = difflib.get_close_matches(name.lower().replace("_", "-"), VERBS, n=1, cutoff=0.6)
            hint = f" Did you mean {near[0]}?" if near else ""
            shown = safetext.line(name, 60)
            ctx.fail(f"No such verb {shown!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(name, line) for name, (_, line) in VERBS.items()])


@click.group(
    cls=_Verbs,
    invoke_without_command=True,
    subcommand_metavar="[VERB [ARGS]...]",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="batchtui")
@profile_option
@data_dir_option
@log_option
@click.pass_context
def group(ctx: click.Context, profile: str, data_dir: str | None, log_file: str | None) -> None:
    """A terminal app for Anthropic's Message Batches API.

    Without a verb it opens the screen.  Options of a verb are written after it; batchtui VERB --help lists them.
    """
    given = {"profile": profile, "data_dir": data_dir, "log_file": log_file}
    # What stands before the verb holds for it too: a profile that is silently dropped would have another account pay.
    ctx.default_map = {verb: {name: value for name, value in given.items() if value} for verb in VERBS}
    if ctx.invoked_subcommand is None:
        from batchtui.cli.open_tui import open_screen

        ctx.exit(open_screen(profile=profile, data_dir=data_dir, demo=False, log_file=log_file))
