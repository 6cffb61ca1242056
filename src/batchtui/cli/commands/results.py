"""results, compare."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from batchtui import safetext
from batchtui.cli import completion, words
from batchtui.cli.output import print_json, say
from batchtui.cli.session import Session, verb
from batchtui.domain.batch import BatchRecord
from batchtui.domain.errors import IncompleteResults, InputError, ServiceError
from batchtui.present import batch, numbers
from batchtui.results.filter import EVERYTHING, Filter, parse_filter
from batchtui.results.search import select
from batchtui.results.view import View
from batchtui.service import Service

FORMATS = ("jsonl", "json", "csv", "markdown", "files", "parquet")
OUTCOMES = ("succeeded", "cut_short", "errored", "canceled", "expired", "missing", "unreadable", "unknown")
_ONLY = click.option("--only", multiple=True, type=click.Choice(OUTCOMES), help="Only these outcomes (repeatable).")


def filter_options(command: Any) -> Any:
    """The options that say which results are meant."""
    for option in (
        click.option("--case", is_flag=True, help="Match case in --filter."),
        click.option("--regex", is_flag=True, help="Read the words of --filter as a regular expression."),
        click.option(
            "--filter",
            "filter_",
            default="",
            help='Words and fields as on the screen, e.g. "tokens>1000 stop:max_tokens".',
        ),
    ):
        command = option(command)
    return command


def wanted_filter(text: str, case: bool, regex: bool) -> Filter:
    """The filter as typed; raises InputError for what the screen would leave out."""
    found = parse_filter(text, case=case, regex=regex)
    if found.problem:
        raise InputError(f"--filter {found.problem}", advice="batchtui help filters lists fields and values")
    return found


@verb("results")
@click.argument("id_", metavar="ID", shell_complete=completion.ids)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), default=None, help="Write to FILE (a folder for --format files)."
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    default="jsonl",
    help="jsonl: as received; json: {custom_id: text}.",
)
@_ONLY
@filter_options
@click.option("--run", is_flag=True, help="Merge the whole run, its retries included.")
@click.option("--unfold", is_flag=True, help="csv: one column per field of JSON answers.")
@click.option(
    "--all-rows",
    is_flag=True,
    help="Every row of the source, also skipped rows (not sent) and rows without a result (no answer).",
)
@click.option("--raw", is_flag=True, help="Keep control characters, even on a terminal.")
def results_(
    session: Session,
    id_: str,
    *,
    output: Path | None,
    format_: str,
    only: tuple[str, ...],
    filter_: str,
    regex: bool,
    case: bool,
    run: bool,
    unfold: bool,
    all_rows: bool,
    raw: bool,
) -> int:
    """Write the results of a batch, or of its whole run, to standard output or to FILE."""
    service = session.service()
    wanted = wanted_filter(filter_, case, regex)
    record = service.resolve(id_)
    if all_rows and (only or not wanted.empty):
        raise InputError("--all-rows can't be combined with --only or --filter", advice="leave out one of them")
    if output is None and format_ in ("files", "parquet"):
        raise InputError(f"--format {format_} needs -o")
    records = service.run_of(record) if run else [record]
    if any(r.active or r.results_due for r in records):
        session.run(lambda: bring(service, records), service)
        records = [service.resolve(r.local_id) for r in records]
    written = write_results(
        session,
        service,
        record,
        run=run,
        dest=output,
        format_=format_,
        only=only,
        wanted=wanted,
        unfold=unfold,
        all_rows=all_rows,
        raw=raw,
    )
    if not written and (only or filter_) and not session.json:
        say("no result matches --only and --filter")
    if output is not None:
        say(f"{numbers.plural(written, 'result')} written to {output}")
    if not all_rows:
        for each in records:
            words.say_skipped(service, each, "; --all-rows includes them")
    sent_again = {local_id for r in records for local_id in r.retry_of}
    for each in (r for r in records if r.active or r.results_due or (run and r.status == "refused")):
        if each.local_id in sent_again:
            continue
        say(f"not in it: {batch.line(each)}")
    whole = _whole_run(service, record) if run else None
    if session.json:
        print_json(
            {
                "records": records,
                "output": str(output) if output else None,
                "skipped": sum(r.skipped for r in records),
                **({"run": whole} if whole else {}),
            }
        )
    elif whole is not None:
        say(_run_line(whole))
    return words.exit_code(records) if whole is None else int(whole["succeeded"] < whole["requests"])


def _whole_run(service: Service, record: BatchRecord) -> dict[str, Any]:
    """How a run stands with its retries merged, and what all of it cost."""
    view = service.open_results(record.local_id, run=True)
    tally, good = view.tally, view.counts()["good"]
    after = [{"attempt": attempt, "good": total} for attempt, total in view.good_after()]
    view.close()
    return {
        "requests": len(view),
        "succeeded": tally.succeeded,
        "good": good,
        "good_after": after,
        "cost_usd": None if tally.unpriced else tally.cost_usd,
        "cost_missing": tally.cost_missing,
    }


def _run_line(whole: dict[str, Any]) -> str:
    steps = ", ".join(f"{each['good']:,} after attempt {each['attempt'] + 1}" for each in whole["good_after"])
    return (
        f"the run: {whole['good']:,} of {whole['requests']:,} good ({steps}), "
        f"{numbers.at_least(numbers.usd(whole['cost_usd']), bool(whole['cost_missing']))} in all"
    )


async def bring(service: Service, records: Sequence[BatchRecord]) -> None:
    """Look, and fetch what has ended; a batch that is still running is an error of its own only when it is the only one."""
    if any(r.active for r in records):
        state = await service.refresh()
        if state.blind_since is not None:
            raise ServiceError(state.error, advice=state.advice)
    for record in records:
        fresh = service.resolve(record.local_id)
        if fresh.results_due and fresh.id:
            try:
                await service.fetch(fresh.local_id)
            except IncompleteResults as error:
                if not service.resolve(fresh.local_id).have:
                    raise
                # What is here can be had; what lacks is said and counts in the exit code.
                say(f"warning: {fresh.local_id}: {error}" + (f"\n  → {error.advice}" if error.advice else ""))
    if len(records) == 1:
        fresh = service.resolve(records[0].local_id)
        if fresh.status != "ended":
            advice = f"batchtui watch {fresh.local_id} follows it until it ends"
            raise ServiceError(
                f"{batch.full_name(fresh)} has no results yet: it is {batch.status(fresh)}", advice=advice
            )


def chosen_rows(view: View, only: Sequence[str], wanted: Filter) -> array[int] | None:
    """Rows by outcome and filter, None for all."""
    if not only and wanted.empty:
        return None
    rows = select(view, wanted) if not wanted.empty else None
    if only:
        kept: set[int] = set()
        for name in only:
            kept.update(select(view, parse_filter(f"outcome:{name}")))
        rows = array("I", (r for r in (rows if rows is not None else range(len(view))) if r in kept))
    return rows


def write_results(
    session: Session,
    service: Service,
    record: BatchRecord,
    *,
    run: bool,
    dest: Path | None,
    format_: str = "jsonl",
    only: Sequence[str] = (),
    wanted: Filter = EVERYTHING,
    unfold: bool = False,
    all_rows: bool = False,
    raw: bool = False,
) -> int:
    """Write results to a file or to standard output; how many there were."""
    with session.work(dest is not None) as work:
        view = service.open_results(record.local_id, run=run, work=work)
        rows = chosen_rows(view, only, wanted)
        out: Any
        if dest is not None:
            out = dest
        elif session.json:
            return 0
        else:
            out = _SafeOut() if sys.stdout.isatty() and not raw else sys.stdout.buffer
        try:
            return service.export(view, rows, format_, out, unfold=unfold, all_rows=all_rows, work=work)
        finally:
            sys.stdout.flush()


class _SafeOut:
    """A terminal as a binary file: what is written passes safetext, newlines apart."""

    def __init__(self) -> None:
        self._rest = b""

    def write(self, data: bytes) -> int:
        """Show whole lines, made safe."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            sys.stdout.write(safetext.line(line.decode("utf-8", "replace"), 1_000_000) + "\n")
        return len(data)

    def flush(self) -> None:
        """Show what is left of the last line."""
        if self._rest:
            sys.stdout.write(safetext.line(self._rest.decode("utf-8", "replace"), 1_000_000) + "\n")
            self._rest = b""
        sys.stdout.flush()


@verb("compare")
@click.argument("left", metavar="ID", shell_complete=completion.ids)
@click.argument("right", metavar="ID", shell_complete=completion.ids)
@click.option("--run", is_flag=True, help="Compare the whole runs.")
@click.option("--all", "everything", is_flag=True, help="List requests with equal answers too.")
def compare_(session: Session, left: str, right: str, *, run: bool, everything: bool) -> int:
    """Compare two batches or runs row by row of their source: outcomes that changed, answers that differ, tokens and cost."""
    service = session.service()
    from batchtui.results.compare import compare

    with session.work() as work:
        views = [service.open_results(service.resolve(i).local_id, run=run, work=work) for i in (left, right)]
        found: Any = compare(views[0], views[1], work)
    if session.json:
        print_json(found.summary())
        return 0
    for line in found.lines(everything):
        print(safetext.line(line, 2000))
    return 0
