"""check and submit."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from batchtui.cli import completion, words
from batchtui.cli.downloads import download_ended
from batchtui.cli.options import file_option
from batchtui.cli.output import print_json, say, show
from batchtui.cli.row_choice import filter_options
from batchtui.cli.sending import Sending, agreed_to, output_place, send, send_options
from batchtui.cli.session import Session, verb
from batchtui.domain.errors import InputError, changed_words
from batchtui.domain.outcome import ALL_OUTCOMES
from batchtui.domain.plan import Plan
from batchtui.intake.options import FORMATS, IntakeOptions, RunChoice, TableOptions
from batchtui.present import plan as plan_words
from batchtui.service import Service, lineage, run_sources

_SOURCES: list[Callable[[Any], Any]] = [
    click.argument("sources", nargs=-1, required=True, metavar="SOURCE...", shell_complete=completion.files),
    click.option(
        "--format",
        "format_",
        type=click.Choice(list(FORMATS)),
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
        "--no-header", is_flag=True, help="The first row of a table is a row: its columns are column_1, column_2, …"
    ),
    file_option("--template", help="A TOML template that turns rows into requests."),
    click.option(
        "--skip-bad", is_flag=True, help="Skip requests with errors; they are kept with the batch and can be exported."
    ),
    file_option("--bad-file", help="Also write what --skip-bad skips to FILE, unchanged."),
    click.option(
        "--cache-prefix", is_flag=True, help="Put the shared system prompt and tools in a 1-hour prompt cache."
    ),
    click.option(
        "--close-schemas",
        is_flag=True,
        help="Add additionalProperties: false to the objects of schemas (output_config.format, strict tools).",
    ),
    click.option(
        "--model",
        metavar="MODEL",
        help="Model for requests without one; replaces a template's and another provider's.",
    ),
    click.option(
        "--api-version",
        default="",
        metavar="VERSION",
        help="The anthropic-version to check and send with, e.g. 2023-06-01.",
    ),
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
    no_header: bool,
    only: tuple[str, ...],
    filter_: str,
    case: bool,
    regex: bool,
) -> IntakeOptions:
    return IntakeOptions(
        choice=RunChoice(only=only, filter=filter_, case=case, regex=regex),
        table=TableOptions(
            delimiter=delimiter, encoding=encoding, skip_rows=skip_rows, comment=comment, no_header=no_header
        ),
        format=format_,
        template=template,
        skip_bad=skip_bad,
        skipped_path=bad_file,
        cache_prefix=cache_prefix,
        close_schemas=close_schemas,
        default_model=model,
    )


def download_runs(session: Session, service: Service, sources: Iterable[str]) -> None:
    """Download what has ended of the runs among the sources.  Raises InputError for one that there isn't."""
    for source in filter(run_sources.is_run, sources):
        download_ended(session, service, service.run_of(run_sources.record_of(service.context, source)))


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
    download_runs(session, service, sources)
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
@send_options
def submit_(
    session: Session,
    sources: tuple[str, ...],
    count: bool,
    sending: Sending,
    api_version: str,
    **how: Any,
) -> int:
    """Check SOURCE, plan its batches and send them, each once.

    Exit codes: 0 all done; 1 done, but some requests did not succeed; 2 bad input, nothing sent; 3 refused by the API, or no
    network; 4 sent, and the outcome is unknown (batchtui sync checks again).
    """
    service = session.service()
    if sending.max_cost is not None:
        service.limit_cost(sending.max_cost)
    if api_version:
        service.use_api_version(api_version)
    place = output_place(session, sending, sources)
    download_runs(session, service, sources)
    plan, blocked, agreed = _agreed_plan(session, service, sources, _options(**how), count, sending)
    if not agreed:
        service.discard(plan)
        if session.json:
            print_json(words.plan_json(plan))
        return InputError.exit_code
    label = sending.title or _title(service, sources, how["template"])
    return send(session, service, plan, sending, place, title=label, allow_cost=blocked is not None)


def _title(service: Service, sources: tuple[str, ...], template: Path | None) -> str:
    """A title for a run: of one made from another run, that one's title and the template's name."""
    named = [
        lineage.title(run_sources.record_of(service.context, source)) if run_sources.is_run(source) else source
        for source in sources
    ]
    made = plan_words.title_of(named)
    return f"{made} {template.stem}" if template is not None and run_sources.is_run(sources[0]) else made


def _agreed_plan(
    session: Session,
    service: Service,
    sources: tuple[str, ...],
    options: IntakeOptions,
    count: bool,
    sending: Sending,
) -> tuple[Plan, str | None, bool]:
    """The plan, why max_cost stops it, and whether it is to be sent; checked again when a source changed before the yes."""
    while True:
        plan = _plan(session, service, sources, options, keep=True)
        if count and plan.ok:
            plan = session.run(functools.partial(service.count_sample, plan), service)
        words.say_plan(plan)
        blocked = service.max_cost_problem(plan) if plan.ok else None
        agreed = plan.ok and agreed_to(session, service, plan, blocked, sending)
        changed = service.changed_sources(plan) if agreed and session.asks and "-" not in sources else ()
        if not changed:
            return plan, blocked, agreed
        say(f"{changed_words(changed)} after the check: checking again; nothing was sent yet")
        service.discard(plan)
