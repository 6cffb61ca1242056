"""retry."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence

import click

from batchtui import safetext
from batchtui.cli import completion, words
from batchtui.cli.batch_choice import batch_or_run, run_option
from batchtui.cli.downloads import download_due
from batchtui.cli.output import print_json, say
from batchtui.cli.row_choice import RowChoice, filtered, row_options
from batchtui.cli.sending import (
    Sending,
    follow_options,
    output_place,
    say_not_sent,
    say_sent_too,
    send,
    set_option,
    settings_of,
    warn_of_unclear,
)
from batchtui.cli.session import Session, verb
from batchtui.domain.batch import BatchRecord
from batchtui.domain.errors import InputError
from batchtui.domain.outcome import cut_advice, cut_reasons
from batchtui.domain.plan import Plan
from batchtui.present import numbers
from batchtui.present import plan as plan_words
from batchtui.results.requests_again import NOT_SUCCEEDED, ONLY
from batchtui.service import Service
from batchtui.service.retry import Notes, Retry


@verb("retry")
@click.argument("id_", metavar="ID", shell_complete=completion.ids)
@row_options(ONLY)
@set_option
@run_option("Retry all batches of the run")
@follow_options
@click.option("--dry-run", is_flag=True, help="Only check, price and show the changes.")
def retry_(
    session: Session,
    id_: str,
    *,
    chosen: RowChoice,
    changes: tuple[str, ...],
    run: bool | None,
    sending: Sending,
    dry_run: bool,
) -> int:
    """Retry failed requests as a new batch of the same run; requests with a usable answer are left out."""
    service = session.service()
    record, run = batch_or_run(service, id_, run)
    place = output_place(session, sending)
    settings = settings_of(changes)
    over = [r for r in service.run_of(record) if r.status in ("ended", "refused")] if run else []
    records = over or [record]
    download_due(session, service, records)
    with session.work() as work, service.retry([r.local_id for r in records], work) as retry:
        rows = retry.rows(chosen.only or NOT_SUCCEEDED)
        if not chosen.filter.empty:
            passed = set(filtered(retry.view, chosen.filter, work))
            rows = array("I", (row for row in rows if row in passed))
        plan = retry.plan(rows, settings, work)
        notes = retry.notes(rows, settings)
        left_alone = {} if chosen.only else {each: _flaws(retry, each) for each in ("invalid", "cut_short")}
    words.say_plan(plan)
    _say_left_alone(left_alone, records)
    _say_notes(notes)
    if not (plan.ok and not dry_run and _agreed(session, service, plan, sending)):
        service.discard(plan)
        if session.json:
            print_json(words.plan_json(plan))
        return 0 if plan.ok and dry_run else InputError.exit_code
    return send(session, service, plan, sending, place, retry_of=record)


def _flaws(retry: Retry, only: str) -> list[int]:
    """Why each of the answers that ended this way is not usable, as numbers in FLAWS."""
    rows = retry.rows([only])
    flaw = retry.view.column("cut")
    return [flaw[row] for row in rows]


def _say_left_alone(flaws: Mapping[str, Sequence[int]], records: Sequence[BatchRecord]) -> None:
    """Answers that are not usable and are retried only when --only says so, by how they ended."""
    run = " --run" if len(records) > 1 else ""
    for only, found in flaws.items():
        retry = f"batchtui retry {records[0].local_id}{run} --only {only}"
        if found and only == "invalid":
            say(f"{numbers.plural(len(found), 'invalid answer')} not retried: {retry}")
        elif found:
            words, change = cut_advice(found)
            say(
                f"{numbers.plural(len(found), 'cut short answer')} not retried ({cut_reasons(found)}): {words}: "
                f"{' '.join(filter(None, (retry, change)))}"
            )


def _say_notes(notes: Notes) -> None:
    for group in notes.useless:
        text = safetext.line(group.title, 160)
        say(f"warning: {group.count:,} × {text} (fails again as is)", group.advice)
    if notes.downloading:
        say(f"{notes.downloading:,} requests are not sent: their results are still being downloaded")
    for line in notes.difference:
        say(safetext.line(line, 200))


def _agreed(session: Session, service: Service, plan: Plan, sending: Sending) -> bool:
    """Whether this plan may be sent: max_cost allows it, and whoever is there says yes."""
    blocked = service.max_cost_problem(plan)
    say_sent_too(service)
    question = f"Retry {plan_words.batches(plan)} for {plan_words.cost(plan)}{warn_of_unclear(service, plan, sending)}?"
    if not blocked and (session.demo or session.confirm(question)):
        return True
    say_not_sent(blocked)
    return False
