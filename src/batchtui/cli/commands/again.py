"""again."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from batchtui import safetext
from batchtui.cli import completion, words
from batchtui.cli.commands.submit import download_runs
from batchtui.cli.downloads import download_ended
from batchtui.cli.options import file_option
from batchtui.cli.output import print_json, say
from batchtui.cli.sending import Sending, agreed_to, output_place, send, send_options, set_option, settings_of
from batchtui.cli.session import Session, verb
from batchtui.domain.errors import InputError
from batchtui.service import Service
from batchtui.service.again import AgainChange


@verb("again")
@click.argument("id_", metavar="ID", shell_complete=completion.ids)
@click.argument("sources", nargs=-1, metavar="[SOURCE...]", shell_complete=completion.files)
@click.option("--reread", is_flag=True, help="Read the files that the run was made from as they are now.")
@click.option("--model", default="", metavar="MODEL", help="Another model for every request.")
@file_option("--template", help="Another template for the rows.")
@set_option
@send_options
@click.option("--dry-run", is_flag=True, help="Only check, price and show what differs from the run.")
def again_(
    session: Session,
    id_: str,
    sources: tuple[str, ...],
    *,
    reread: bool,
    model: str,
    template: Path | None,
    changes: tuple[str, ...],
    sending: Sending,
    dry_run: bool,
) -> int:
    """Make a run again as a new run: the same rows, or those of SOURCE, with another model, template or params.

    The rows come from the data folder, so the files need not be there any more; --reread reads them as they are now.  What
    differs from the run is shown before anything is sent.
    """
    if reread and sources:
        raise InputError("--reread reads the run's own files: leave it out, or the SOURCE")
    service = session.service()
    if sending.max_cost is not None:
        service.limit_cost(sending.max_cost)
    record = service.resolve(id_)
    place = output_place(session, sending, sources)
    settings = {**settings_of(changes), **({"model": msgspec.json.encode(model).decode()} if model else {})}
    change = AgainChange(sources=sources, reread=reread, template=template, set=settings)
    _download(session, service, service.again(record).recipe_runs, sources)
    with session.work() as work:
        again = service.again(record)
        plan = service.plan_again(again, change, work=work, stdin=sys.stdin.buffer if "-" in sources else None)
        difference = again.difference(plan, work) if plan.ok else []
    words.say_plan(plan)
    for line in difference:
        say(safetext.line(line, 300))
    blocked = service.max_cost_problem(plan) if plan.ok else None
    if not (plan.ok and not dry_run and agreed_to(session, service, plan, blocked, sending)):
        service.discard(plan)
        if session.json:
            print_json({**words.plan_json(plan), "difference": difference})
        return 0 if plan.ok and dry_run else InputError.exit_code
    title = sending.title or again.default_title(change)
    return send(session, service, plan, sending, place, title=title, allow_cost=blocked is not None)


def _download(session: Session, service: Service, runs: tuple[str, ...], sources: tuple[str, ...]) -> None:
    """Download what is due of the runs that rows are taken from."""
    download_runs(session, service, sources)
    download_ended(session, service, [r for r in service.records() if r.run in runs])
