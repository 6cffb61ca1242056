"""check and submit."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from batchtui.cli import completion, words
from batchtui.cli.downloads import bring_due
from batchtui.cli.output import print_json, say, show
from batchtui.cli.row_choice import filter_options
from batchtui.cli.session import Session, strict_option, verb
from batchtui.domain.batch import BatchRecord
from batchtui.domain.errors import InputError, SourceChanged, StoreError, changed_words
from batchtui.domain.outcome import ALL_OUTCOMES
from batchtui.domain.plan import Plan
from batchtui.intake.options import FORMATS, IntakeOptions, RunChoice, TableOptions
from batchtui.present import numbers
from batchtui.present import plan as plan_words
from batchtui.service import Service, run_sources

if TYPE_CHECKING:
    from batchtui.cli.place import Place

_SOURCES: list[Callable[[Any], Any]] = [
    click.argument("sources", nargs=-1, required=True, metavar="SOURCE...", shell_complete=completion.files),
    click.option(
        "--format",
        "format_",
        type=click.Choice(list(FORMATS)),
        default=None,
        help="Format of the sources (default: auto-detect).",
    ),
    click.option(
        "--delimiter",
        default="",
        metavar="CHARACTER",
        help="The character between the cells of a table, or tab; auto-detected without it.",
    ),
    click.option(
        "--encoding",
        default="",
        metavar="NAME",
        help="The encoding of the sources, such as cp1251 or shift_jis; auto-detected without it.",
    ),
    click.option("--skip-rows", type=int, default=0, metavar="N", help="Skip N lines before the header of a table."),
    click.option(
        "--comment", default="", metavar="TEXT", help="Skip the lines of a table that begin with TEXT, such as #."
    ),
    click.option(
        "--template",
        type=click.Path(path_type=Path),
        default=None,
        help="A TOML template that turns rows into requests.",
    ),
    click.option(
        "--skip-bad", is_flag=True, help="Skip requests with errors; they are kept with the batch and can be exported."
    ),
    click.option(
        "--bad-file",
        type=click.Path(path_type=Path),
        default=None,
        help="Also write what --skip-bad skips to FILE, unchanged.",
    ),
    click.option(
        "--cache-prefix", is_flag=True, help="Put the shared system prompt and tools in a 1-hour prompt cache."
    ),
    click.option(
        "--close-schemas",
        is_flag=True,
        help="Add additionalProperties: false to the objects of schemas (output_config.format, strict tools).",
    ),
    click.option(
        "--model", default=None, help="Model for requests without one; replaces a template's and another provider's."
    ),
    click.option("--api-version", default="", help="The anthropic-version to check and send with, e.g. 2023-06-01."),
    click.option(
        "--count-tokens",
        "count",
        is_flag=True,
        help="Count the tokens of a sample for a better estimate (free; needs a key).",
    ),
]


_RUN_ROWS: list[Callable[[Any], Any]] = [
    click.option(
        "--only",
        multiple=True,
        type=click.Choice(("all", "succeeded", *ALL_OUTCOMES)),
        help="run:ID: rows with these outcomes (repeatable; default: usable).",
    ),
    filter_options,
]


def dollars(text: str) -> Decimal:
    """An amount given as an option; raises click's usage error."""
    try:
        found = Decimal(text)
    except ArithmeticError:
        found = Decimal("nan")
    if not found.is_finite():
        raise click.BadParameter(f"{text!r} is not an amount of dollars")
    return found


def _source_options(command: Any) -> Any:
    for option in (*reversed(_RUN_ROWS), *reversed(_SOURCES)):
        command = option(command)
    return command


def _options(
    format_: str | None,
    template: Path | None,
    skip_bad: bool,
    bad_file: Path | None,
    cache_prefix: bool,
    close_schemas: bool,
    model: str | None,
    delimiter: str,
    encoding: str,
    skip_rows: int,
    comment: str,
    only: tuple[str, ...],
    filter_: str,
    case: bool,
    regex: bool,
) -> IntakeOptions:
    return IntakeOptions(
        choice=RunChoice(only=only, filter=filter_, case=case, regex=regex),
        table=TableOptions(delimiter=delimiter, encoding=encoding, skip_rows=skip_rows, comment=comment),
        format=format_,
        template=template,
        skip_bad=skip_bad,
        skipped_path=bad_file,
        cache_prefix=cache_prefix,
        close_schemas=close_schemas,
        default_model=model,
    )


def bring_runs(session: Session, service: Service, sources: Iterable[str]) -> None:
    """Download what is due of the runs among the sources.  Raises InputError for one that there isn't."""
    for source in filter(run_sources.is_run, sources):
        bring_due(session, service, service.run_of(run_sources.record_of(service.context, source)))


def _plan(session: Session, service: Service, sources: tuple[str, ...], options: IntakeOptions, *, keep: bool) -> Plan:
    with session.work() as work:
        return service.plan(sources, options, keep=keep, work=work, stdin=sys.stdin.buffer if "-" in sources else None)


@verb("check")
@_source_options
def check_(session: Session, sources: tuple[str, ...], count: bool, api_version: str, **how: Any) -> int:
    """List all problems of SOURCE, the plan and the cost.  Nothing is sent.

    SOURCE is a file, a folder, - for standard input, or run:ID for the rows of a run with their answers.  Exit code 0 when
    it can be sent, 2 when it can't.
    """
    service = session.service()
    if api_version:
        service.use_api_version(api_version)
    bring_runs(session, service, sources)
    plan = _plan(session, service, sources, _options(**how), keep=count)
    try:
        if count and plan.ok:
            plan = session.run(lambda: service.count_sample(plan), service)
    finally:
        service.discard(plan)
    if session.json:
        print_json(words.plan_json(plan))
    else:
        for line in [*plan_words.problem_lines(plan), *plan_words.plan_lines(plan)]:
            show(line)
    return 0 if plan.ok else InputError.exit_code


@verb("submit")
@_source_options
@click.option("--title", default="", help="Title of the run.")
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
@click.option(
    "--allow-duplicate", "again", is_flag=True, help="Send even if the same requests are already in progress."
)
@strict_option
def submit_(
    session: Session,
    sources: tuple[str, ...],
    count: bool,
    title: str,
    note: str,
    wait: bool,
    output: Path | None,
    force: bool,
    max_cost: Decimal | None,
    again: bool,
    strict: bool,
    api_version: str,
    **how: Any,
) -> int:
    """Check SOURCE, plan its batches and send them, each once.

    Exit codes: 0 all done; 1 done, but some requests did not succeed; 2 bad input, nothing sent; 3 refused by the API, or no
    network; 4 sent, and the outcome is unknown (batchtui sync checks again).
    """
    service = session.service()
    if max_cost is not None:
        service.limit_cost(max_cost)
    if api_version:
        service.use_api_version(api_version)
    place = output_place(session, output, force=force, sources=sources)
    bring_runs(session, service, sources)
    plan, blocked, agreed = _agreed_plan(session, service, sources, _options(**how), count)
    if not agreed:
        service.discard(plan)
        if plan.ok:
            say("nothing was sent" + (f": {blocked}" if blocked else ""))
        if session.json:
            print_json(words.plan_json(plan))
        return InputError.exit_code
    label = title or _title(service, sources, how["template"])
    try:
        return send_and_follow(
            session,
            service,
            lambda: service.submit(plan, title=label, note=note, allow_cost=blocked is not None, again=again),
            wait=wait or place is not None,
            place=place,
            strict=strict,
        )
    except SourceChanged:
        service.discard(plan)
        raise


def _title(service: Service, sources: tuple[str, ...], template: Path | None) -> str:
    """A title for a run: of one made from another run, that one's title and the template's name."""
    named = [
        run_sources.title(run_sources.record_of(service.context, source)) if run_sources.is_run(source) else source
        for source in sources
    ]
    made = plan_words.title_of(named)
    return f"{made} {template.stem}" if template is not None and run_sources.is_run(sources[0]) else made


def _agreed_plan(
    session: Session, service: Service, sources: tuple[str, ...], options: IntakeOptions, count: bool
) -> tuple[Plan, str | None, bool]:
    """The plan, why max_cost stops it, and whether it is to be sent; checked again when a source changed before the yes."""
    while True:
        plan = _plan(session, service, sources, options, keep=True)
        if count and plan.ok:
            plan = session.run(functools.partial(service.count_sample, plan), service)
        words.say_plan(plan)
        blocked = service.max_cost_problem(plan) if plan.ok else None
        agreed = plan.ok and _agreed(session, plan, blocked)
        changed = service.changed_sources(plan) if agreed and session.asks and "-" not in sources else ()
        if not changed:
            return plan, blocked, agreed
        say(f"{changed_words(changed)} after the check: checking again; nothing was sent yet")
        service.discard(plan)


def _agreed(session: Session, plan: Plan, blocked: str | None) -> bool:
    """What costs money asks first; what max_cost stops needs a person's yes to exactly that."""
    if blocked:
        return session.asks and session.confirm(f"{blocked}.  Send anyway?")
    return session.demo or session.confirm(f"Send {plan_words.batches(plan)} for {plan_words.cost(plan)}?")


def output_place(session: Session, output: Path | None, *, force: bool, sources: tuple[str, ...] = ()) -> Place | None:
    """Where the results go in the end, agreed on before anything is sent; None without ``-o``.  Raises InputError."""
    if output is None:
        return None
    from batchtui.cli.place import agree_on

    return agree_on(session, output, force=force, sources=sources)


def send_and_follow(
    session: Session,
    service: Service,
    send: Callable[[], Any],
    *,
    wait: bool,
    place: Place | None,
    strict: bool = False,
) -> int:
    """Send, settle what is in doubt, follow to the end when asked, write the results; the exit code."""
    before = {r.local_id for r in service.records()}
    try:
        records: list[BatchRecord] = session.run(lambda: _follow(session, service, send, wait), service)
    except KeyboardInterrupt:
        _say_what_goes_on([r for r in service.records() if r.local_id not in before])
        raise
    for record in records:
        words.say_skipped(service, record)
        for each in record.candidates:
            say(
                f"  it may be {each.id}, created {each.created_at:%H:%M:%S} UTC: batchtui adopt {record.local_id} {each.id}"
            )
    if place is not None and any(r.results == "stored" for r in records):
        from batchtui.cli.commands.results import write_results

        try:
            written = write_results(session, service, records[0], run=len(records) > 1, place=place)
        except InputError as error:
            # All was sent: this is no error of what was asked for.
            advice = f"batchtui results {records[0].local_id} -o FILE writes the results"
            raise StoreError(str(error), advice=advice) from error
        say(f"{numbers.plural(written, 'result')} written to {place.dest or 'standard output'}")
    if session.json:
        print_json({"run": records[0].run if records else None, "batches": records})
    if session.troubles and any(r.waiting for r in records):
        say("waiting batches are sent by batchtui sync, or while batchtui runs; do not submit again")
        return StoreError.exit_code
    return words.exit_code(records, waited=wait, strict=strict)


def _say_what_goes_on(records: list[BatchRecord]) -> None:
    """After an interrupt: what runs at the API all the same, and what still waits here."""
    waiting = [r for r in records if r.waiting]
    owed = [r for r in records if r.results_due]
    doubtful = [r for r in records if r.status == "unconfirmed"]
    running = [r for r in records if r.active and not r.waiting and r not in doubtful]
    if doubtful:
        say(f"{words.ids(doubtful)} may have been created: batchtui sync checks, and never sends twice")
    if owed:
        say(f"{words.ids(owed)} has ended and is not downloaded: batchtui sync downloads the results")
    if running:
        say(f"{words.ids(running)} is still running: batchtui watch follows it, batchtui cancel stops it")
    if waiting:
        say(f"{words.ids(waiting)} is waiting to be sent: batchtui sync sends it, batchtui cancel cancels it")


async def _follow(session: Session, service: Service, send: Callable[[], Any], wait: bool) -> list[BatchRecord]:
    import asyncio

    if wait:
        await service.start(others=False)
    sent: list[BatchRecord] = await send()
    ids = [r.local_id for r in sent]
    narrator = words.Narrator(set(ids), session.bars)
    for record in sent:
        narrator.tell(record)
    if wait:
        ends = [service.subscribe(narrator), service.subscribe(words.BlindSayer())]
        try:
            await service.wait(ids)
        finally:
            for end in ends:
                end()
    elif any(r.status == "unconfirmed" or (r.waiting and r.next_try_at is not None) for r in sent):
        say("no clear reply; checking whether the batch was created …")
        try:
            async with asyncio.timeout(service.context.machine_seconds(words.SETTLE_PATIENCE)):
                await service.settle(ids)
        except TimeoutError:
            say("not confirmed yet: run batchtui sync later; it checks again and never sends twice")
    records = [r for i in ids if (r := service.history.get(i)) is not None]
    for record in records:
        narrator.tell(record)
    return records
