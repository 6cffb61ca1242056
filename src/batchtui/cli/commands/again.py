"""again."""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path

import click
import msgspec

from batchtui import safetext
from batchtui.cli import completion, words
from batchtui.cli.commands.retry import settings_of
from batchtui.cli.commands.submit import bring_runs, dollars, output_place, send_and_follow
from batchtui.cli.downloads import bring_due
from batchtui.cli.output import print_json, say
from batchtui.cli.session import Session, strict_option, verb
from batchtui.domain.errors import InputError, SourceChanged
from batchtui.domain.plan import Plan
from batchtui.present import plan as plan_words
from batchtui.service import Service
from batchtui.service.again import AgainChange


@verb("again")
@click.argument("id_", metavar="ID", shell_complete=completion.ids)
@click.argument("sources", nargs=-1, metavar="[SOURCE...]", shell_complete=completion.files)
@click.option("--reread", is_flag=True, help="Read the files that the run was made from as they are now.")
@click.option("--model", default="", help="Another model for every request.")
@click.option("--template", type=click.Path(path_type=Path), default=None, help="Another template for the rows.")
@click.option(
    "--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change a param of all requests: max_tokens=4096."
)
@click.option("--title", default="", help="Title of the new run.")
@click.option("--note", default="", help="Note kept with the run.")
@click.option("--wait", is_flag=True, help="Wait until the batches have ended and download the results.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=None,
    help="Write the results to FILE once all batches have ended (implies --wait); its ending says the format.",
)
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@click.option("--max-cost", type=dollars, default=None, help="Dollars; send nothing if the high estimate is above.")
@click.option("--allow-duplicate", is_flag=True, help="Send even if the same requests are already in progress.")
@strict_option
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
    title: str,
    note: str,
    wait: bool,
    output: Path | None,
    force: bool,
    max_cost: Decimal | None,
    allow_duplicate: bool,
    strict: bool,
    dry_run: bool,
) -> int:
    """Make a run again as a new run: the same rows, or those of SOURCE, with another model, template or params.

    The rows come from the data folder, so the files need not be there any more; --reread reads them as they are now.  What
    differs from the run is shown before anything is sent.
    """
    if reread and sources:
        raise InputError("--reread reads the run's own files: leave it out, or the SOURCE")
    service = session.service()
    if max_cost is not None:
        service.limit_cost(max_cost)
    record = service.resolve(id_)
    place = output_place(session, output, force=force, sources=sources)
    settings = {**settings_of(changes), **({"model": msgspec.json.encode(model).decode()} if model else {})}
    change = AgainChange(sources=sources, reread=reread, template=template, set=settings)
    _bring(session, service, service.again(record).recipe_runs, sources)
    with session.work() as work:
        again = service.again(record)
        plan = service.plan_again(again, change, work=work, stdin=sys.stdin.buffer if "-" in sources else None)
        difference = again.difference(plan, work) if plan.ok else []
    words.say_plan(plan)
    for line in difference:
        say(safetext.line(line, 300))
    blocked = service.max_cost_problem(plan) if plan.ok else None
    if not (plan.ok and not dry_run and _agreed(session, plan, blocked)):
        service.discard(plan)
        if session.json:
            print_json({**words.plan_json(plan), "difference": difference})
        return 0 if plan.ok and dry_run else InputError.exit_code
    try:
        return send_and_follow(
            session,
            service,
            lambda: service.submit(
                plan,
                title=title or again.default_title(change),
                note=note,
                allow_cost=blocked is not None,
                again=allow_duplicate,
            ),
            wait=wait or place is not None,
            place=place,
            strict=strict,
        )
    except SourceChanged:
        service.discard(plan)
        raise


def _bring(session: Session, service: Service, runs: tuple[str, ...], sources: tuple[str, ...]) -> None:
    """Download what is due of the runs that rows are taken from."""
    bring_runs(session, service, sources)
    bring_due(session, service, [r for r in service.records() if r.run in runs])


def _agreed(session: Session, plan: Plan, blocked: str | None) -> bool:
    """Whether this plan may be sent: max_cost allows it, and whoever is there says yes."""
    if blocked:
        agreed = session.asks and session.confirm(f"{blocked}.  Send anyway?")
    else:
        agreed = session.demo or session.confirm(f"Send {plan_words.batches(plan)} for {plan_words.cost(plan)}?")
    if not agreed:
        say("nothing was sent" + (f": {blocked}" if blocked else ""))
    return agreed
