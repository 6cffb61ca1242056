"""demo, serve and web."""

from __future__ import annotations

import sys
from typing import Any

import click

from batchtui import paths
from batchtui.cli import completion
from batchtui.cli.open_tui import open_screen
from batchtui.cli.options import data_dir_option, log_option, profile_option
from batchtui.domain.errors import InputError


@click.command("demo")
@click.option(
    "--data-dir",
    metavar="FOLDER",
    help="Data folder (also BATCHTUI_DATA_DIR); the demo uses demo/ in it.",
)
@click.option("--fresh", is_flag=True, help="Delete the demo's batches and create new ones.")
@log_option
@click.pass_context
def demo_(ctx: click.Context, data_dir: str | None, fresh: bool, log_file: str | None) -> None:
    """Open the screen on the built-in demo server: no key, no cost, a data folder of its own."""
    if fresh:
        from batchtui.demo.seed import clear

        clear(paths.demo_dir(paths.data_dir(data_dir)))
    ctx.exit(open_screen(profile="", data_dir=data_dir, demo=True, log_file=log_file))


@click.command("serve")
@click.option(
    "--port", type=int, metavar="N", default=8765, show_default=True, help="Port on 127.0.0.1; 0 takes a free one."
)
@click.option("--host", metavar="ADDRESS", default="127.0.0.1", show_default=True, help="An address of this machine.")
@click.option("--data-dir", metavar="FOLDER", help="Data folder; the server keeps its batches under demo/ in it.")
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="NAME[:ARG][@CALL][*TIMES]",
    shell_complete=completion.faults,
    help="Simulate a fault: drop, refuse, status:529, html, slow:5, cut, tear, unknown, foreign-url, …",
)
@click.option(
    "--duration",
    type=float,
    metavar="SECONDS",
    help="Seconds that each batch takes (default: by its size).",
)
@click.option(
    "--speed", type=float, metavar="N", default=1.0, show_default=True, help="Divide the time that batches take by N."
)
@click.option("--moving-counts", is_flag=True, help="Update request_counts while a batch runs.")
@click.option("--queue-limit", type=int, metavar="N", help="Requests in the processing queue at once.")
@click.option("--rate-limit", type=int, metavar="N", help="Calls per minute before a 429.")
@click.option("--json", "as_json", is_flag=True, help="Print {base_url, pid} on standard output once it listens.")
def serve_(host: str, port: int, data_dir: str | None, faults: tuple[str, ...], as_json: bool, **how: Any) -> None:
    """Run the demo server for any client: set ANTHROPIC_BASE_URL to its address and use any key."""
    from batchtui.demo.faults import parse_fault
    from batchtui.demo.protocol import DemoOptions
    from batchtui.demo.runner import serve

    for fault in faults:
        parse_fault(fault)
    serve(host, port, paths.demo_dir(paths.data_dir(data_dir)), DemoOptions(faults=faults, **how), json=as_json)


@click.command("web")
@click.option("--port", type=int, metavar="N", default=8000, show_default=True, help="Port on 127.0.0.1.")
@click.option("--demo", is_flag=True, help="Use the built-in demo server.")
@profile_option
@data_dir_option
def web_(port: int, demo: bool, profile: str, data_dir: str | None) -> None:
    """Open the screen in a browser on this machine. Whoever can open the page can spend your money."""
    import shlex

    try:
        from textual_serve.server import Server
    except ImportError as error:
        raise InputError("the web extra is not installed", advice="pip install 'batchtui[web]'") from error
    command = [sys.executable, "-m", "batchtui", "demo"] if demo else [sys.executable, "-m", "batchtui"]
    command += ["--data-dir", data_dir] if data_dir else []
    command += ["--profile", profile] if profile and not demo else []
    Server(shlex.join(command), host="127.0.0.1", port=port, title="batchtui").serve()
