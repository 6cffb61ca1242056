"""Opening the screen; it imports no more than the first paint needs."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from pathlib import Path

from batchtui import paths
from batchtui.cli.output import say
from batchtui.config.first import write_first_config
from batchtui.config.load import load_config
from batchtui.domain.errors import ConfigError


def open_screen(
    *, profile: str = "", data_dir: str | None = None, demo: bool = False, log_file: str | None = None
) -> int:
    """Open the screen; without a terminal say so and name the verbs that do the same.  Returns the exit code."""
    # In a browser (batchtui web) Textual draws through a driver of its own, without a terminal.
    if not (sys.stdin.isatty() and sys.stdout.isatty()) and not os.environ.get("TEXTUAL_DRIVER"):
        what = "batchtui demo" if demo else "batchtui"
        say(
            f"{what} opens a screen, but this is not a terminal.\n"
            f"  → use the verbs: batchtui submit FILE{' --demo' if demo else ''} --wait -o out.jsonl; "
            f"batchtui list{' --demo' if demo else ''}; batchtui help"
        )
        return 2
    if os.environ.get("TERM") == "dumb" and not os.environ.get("TEXTUAL_DRIVER"):
        say(
            "The terminal can't draw a screen: TERM is dumb.\n"
            "  → set TERM to your terminal's type, such as xterm-256color, or use the verbs: batchtui help"
        )
        return 2
    # Until the first paint nothing that is made becomes garbage; looking for some takes a fifth of the start.
    gc.disable()
    if log_file:
        from batchtui.debuglog import open_log

        open_log(Path(log_file))
    config = load_config()
    data = paths.data_dir(data_dir)
    from batchtui.tui.app import run_app

    if not demo:
        from batchtui.service import Service

        with contextlib.suppress(ConfigError):
            write_first_config()
        return run_app(Service(data, config, profile=profile))
    from batchtui.cli.session import demo_service
    from batchtui.demo.runner import ensure
    from batchtui.demo.seed import seed

    seed(paths.demo_dir(data))
    handle = ensure(paths.demo_dir(data))
    try:
        return run_app(demo_service(paths.demo_dir(data), config, handle.base_url))
    finally:
        handle.close()
