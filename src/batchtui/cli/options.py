"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from batchtui.cli import completion


def file_option(*names: str, help: str) -> Callable[[Any], Any]:
    """An option that names a file."""
    from pathlib import Path

    return click.option(*names, type=click.Path(path_type=Path), metavar="FILE", help=help)


profile_option = click.option(
    "--profile", default="", metavar="NAME", help="Profile of config.toml.", shell_complete=completion.profiles
)
data_dir_option = click.option(
    "--data-dir", metavar="FOLDER", help="Data folder (also BATCHTUI_DATA_DIR).", shell_complete=completion.folders
)
log_option = click.option(
    "--log", "log_file", metavar="FILE", help="Write a debug log to FILE, without keys or contents."
)
force_option = click.option("--force", is_flag=True, help="Replace FILE if it exists.")
strict_option = click.option("--strict", is_flag=True, help="Exit code 1 also when answers are cut short or invalid.")
format_option = click.option(
    "--format", "format_", type=click.Choice(["text", "csv"]), default="text", help="text (the default), or csv."
)
