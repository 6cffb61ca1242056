"""results."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Unpack

import click
import msgspec

from batchtui import plainfile, safetext
from batchtui.cli import completion, words
from batchtui.cli.batch_choice import batch_or_run, run_option
from batchtui.cli.downloads import download_joined, downloaded
from batchtui.cli.options import file_option, force_option, strict_option
from batchtui.cli.output import print_json, say
from batchtui.cli.place import Destination, choose_destination
from batchtui.cli.row_choice import EVERY_ROW, RowChoice, row_options
from batchtui.cli.session import Session, verb
from batchtui.domain.batch import BatchRecord, Tally
from batchtui.domain.errors import InputError
from batchtui.domain.outcome import STANDINGS
from batchtui.present import batch, numbers
from batchtui.results.export import FORMATS, ExportOptions, check_options
from batchtui.results.names import split_names
from batchtui.results.spreadsheet import BOM
from batchtui.results.view import View
from batchtui.service import Service

if TYPE_CHECKING:
    from batchtui.results.answer_check import Schema

_MAX_SCHEMA = 16_000_000
"""Bytes of a schema file."""


@verb("results")
@click.argument("id_", metavar="ID", shell_complete=completion.ids)
@file_option(
    "-o",
    "--output",
    help="Write to FILE; its ending says the format. A folder for --format files, - for standard output.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    help="jsonl (the default): as received; json: {custom_id: text}.",
)
@force_option
@click.option(
    "--columns",
    metavar="NAMES",
    help="csv, parquet, sqlite: only these columns, in this order: topic,answer.sentiment,run.cost_usd.",
)
@row_options()
@run_option("Merge the whole run, its retries included")
@click.option(
    "--unfold/--no-unfold",
    default=None,
    help="csv, parquet: fields of JSON answers as columns; the default where a structured output or a tool was asked for.",
)
@click.option("--parsed", is_flag=True, help="json: the values of JSON answers and tool calls instead of text.")
@click.option("--bom", is_flag=True, help="csv: begin with a byte order mark, for Excel.")
@click.option(
    "--all-rows",
    is_flag=True,
    help="Every row of the source, also skipped rows (not sent) and rows without a result (no answer).",
)
@file_option("--schema", "schema_file", help="Check answers by this JSON Schema where the request asked for none.")
@click.option(
    "--with-origin",
    is_flag=True,
    help="csv, parquet, sqlite: also the columns and fields of the runs this one was made from.",
)
@click.option(
    "--with",
    "others",
    multiple=True,
    metavar="ID",
    shell_complete=completion.ids,
    help="csv, parquet, sqlite: also the columns and fields of another run over the same rows (repeatable).",
)
@strict_option
@click.option("--raw", is_flag=True, help="Keep control characters, even on a terminal.")
def results_(
    session: Session,
    id_: str,
    *,
    output: Path | None,
    format_: str | None,
    force: bool,
    chosen: RowChoice,
    run: bool | None,
    columns: str | None,
    unfold: bool | None,
    parsed: bool,
    bom: bool,
    all_rows: bool,
    schema_file: Path | None,
    with_origin: bool,
    others: tuple[str, ...],
    strict: bool,
    raw: bool,
) -> int:
    """Write the results of a batch, or of its whole run, to standard output or to FILE, in the order of the source."""
    service = session.service()
    names = split_names(columns or "")
    if columns is not None and not names:
        raise InputError("--columns names no column", advice="leave it out for all columns")
    schema = _read_schema(schema_file) if schema_file is not None else None
    record, run = batch_or_run(service, id_, run)
    if all_rows and chosen.options:
        raise InputError("--all-rows can't be combined with --only or --filter", advice="leave out one of them")
    place = choose_destination(session, output, format_, force=force)
    joined = _others(service, record, with_origin, others)
    check_options(place.format_, columns=columns, unfold=unfold, parsed=parsed, bom=bom, joined=joined)
    records = downloaded(session, service, record, run=run)
    download_joined(session, service, joined)
    _warn_of_hidden(service, record)
    how = ExportOptions(columns=names, unfold=unfold, parsed=parsed, bom=bom, all_rows=all_rows)
    written = write_results(
        session,
        service,
        record,
        run=run,
        place=place,
        chosen=chosen,
        raw=raw,
        schema=schema,
        others=joined,
        **how,
    )
    if not written.total and chosen.options and not session.json:
        say(f"no result matches {' and '.join(chosen.options)}")
    if place.dest is not None:
        say(written.line(str(place.dest)))
    _say_left_out(service, records, skipped=not all_rows, run=run)
    if not run and schema is None:
        _tell(session, records, place)
        return words.exit_code(records, strict=strict)
    counted = _counted(service, record, run, schema)
    if schema is not None:
        say(counted.by_schema(safetext.line(str(schema_file), 80)))
    _tell(session, records, place, counted.run)
    return counted.exit_code(records, strict)


def _warn_of_hidden(service: Service, record: BatchRecord) -> None:
    if hidden := service.hidden_answers([record]):
        from batchtui.present.scores import hidden_exported

        say(f"warning: {hidden_exported(hidden)}")


def _tell(
    session: Session, records: Sequence[BatchRecord], place: Destination, run: dict[str, Any] | None = None
) -> None:
    """The records, where their results went and how the run stands, as JSON; without --json only how the run stands."""
    if session.json:
        print_json(
            {
                "records": records,
                "output": str(place.dest) if place.dest else None,
                "skipped": sum(r.skipped for r in records),
                **({"run": run} if run else {}),
            }
        )
    elif run is not None:
        say(_run_line(run))


def _say_left_out(service: Service, records: Sequence[BatchRecord], *, skipped: bool, run: bool) -> None:
    """What was not written: requests that were skipped, and batches without results."""
    for each in records if skipped else ():
        words.say_skipped(service, each, "; --all-rows includes them")
    words.say_not_included(records, run=run)


def _others(service: Service, record: BatchRecord, with_origin: bool, others: Sequence[str]) -> list[BatchRecord]:
    """The first batches of the runs whose columns are written too; raises InputError."""
    found = service.lineage.origins(record.run) if with_origin else []
    if with_origin and not found:
        raise InputError(
            f"{batch.name(record)} was not made from another run that is still here", advice="--with ID names a run"
        )
    for each in service.lineage.made_from(record.run) if with_origin else ():
        if each.deleted:
            say(f"warning: {each.run} is deleted: its columns are left out")
    found += [service.run_of(service.resolve(each))[0] for each in others]
    by_run = {each.run: each for each in found if each.run != record.run}
    return list(by_run.values())


def _read_schema(path: Path) -> Schema:
    """A JSON Schema from a file; raises InputError."""
    from batchtui.results.answer_check import Schema

    try:
        given = msgspec.json.decode(plainfile.read(path, _MAX_SCHEMA).removeprefix(BOM))
        if not isinstance(given, dict | bool):
            raise InputError(f"{path} is not a valid JSON Schema: expected an object")
        return Schema(given)
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror or error}") from error
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise InputError(f"{path} is not valid JSON: {safetext.line(str(error), 120)}") from error
    except ValueError as error:
        why = safetext.line(str(error).partition("\n")[0], 160)
        raise InputError(f"{path} is not a valid JSON Schema: {why}") from error


class ResultsWritten(NamedTuple):
    """Results that were written."""

    total: int
    standing: str
    """How they ended, in words; "" where all are usable."""

    def line(self, where: str) -> str:
        """How many there are, where, and how they ended."""
        ended = f": {self.standing}" if self.standing else ""
        return f"{numbers.plural(self.total, 'result')} written to {where}{ended}"


class _Counted(NamedTuple):
    """What was written, counted; of a run also how it stands merged, and what all of it cost."""

    tally: Tally
    run: dict[str, Any] | None
    checked: tuple[int, int, int]
    """Results that --schema checks, the invalid ones of these, and results whose requests asked for a schema."""

    def by_schema(self, name: str) -> str:
        """What --schema found."""
        results, invalid, others = self.checked
        if others and not results:
            return f"{name} was not used: every request asked for a schema of its own"
        rest = f"; {numbers.plural(others, 'other')} checked by the schema that the request asked for" if others else ""
        return f"{invalid:,} of {numbers.plural(results, 'result')} invalid by {name}{rest}"

    def exit_code(self, records: Sequence[BatchRecord], strict: bool) -> int:
        """1 when some of the run did not succeed; of a batch alone as its record says, and with ``strict`` as counted."""
        if self.run is not None:
            return int(self.run["good" if strict else "succeeded"] < self.run["requests"])
        code = words.exit_code(records, strict=strict)
        return code or int(strict and words.tally_failed(self.tally, strict=True) > 0)


def _counted(service: Service, record: BatchRecord, run: bool, schema: Schema | None) -> _Counted:
    view = service.open_results(record.local_id, run=run, schema=schema)
    with contextlib.closing(view):
        checked = view.checked_by_other() if schema is not None else (0, 0, 0)
        return _Counted(view.tally, _merged(view) if run else None, checked)


def _merged(view: View) -> dict[str, Any]:
    """How a run stands, as --json tells it."""
    tally = view.tally
    return {
        "requests": len(view),
        "succeeded": tally.succeeded,
        "cut_short": tally.cut_short,
        "invalid": tally.invalid,
        "good": view.counts()["good"],
        "good_after": [{"attempt": attempt, "good": total} for attempt, total in view.good_after()],
        "cost_usd": None if tally.unpriced else tally.cost_usd,
        "cost_missing": tally.cost_missing,
    }


def _run_line(run: dict[str, Any]) -> str:
    steps = ", ".join(f"{each['good']:,} after attempt {each['attempt'] + 1}" for each in run["good_after"])
    paid = numbers.at_least(numbers.usd(run["cost_usd"]), bool(run["cost_missing"]))
    return f"whole run: {run['good']:,} of {run['requests']:,} usable ({steps}), {paid} in all"


def write_results(
    session: Session,
    service: Service,
    record: BatchRecord,
    *,
    run: bool,
    place: Destination,
    chosen: RowChoice = EVERY_ROW,
    raw: bool = False,
    schema: Schema | None = None,
    others: Sequence[BatchRecord] = (),
    **how: Unpack[ExportOptions],
) -> ResultsWritten:
    """Write results to a file or to standard output."""
    dest, format_, how["replace"] = place
    how["note"] = say
    with session.work(dest is not None) as work:
        view = service.open_results(record.local_id, run=run, work=work, schema=schema)
        rows = chosen.rows(view)
        if unchecked := batch.unchecked(view.unchecked):
            say(f"warning: {unchecked}; --schema FILE checks by another")
        if dest is None and session.json:
            return ResultsWritten(0, "")
        how["joined"] = joined = service.join_runs(view, others, work) if others else []
        try:
            count = service.export(view, rows, format_, dest or _stdout(raw), work=work, **how)
            return ResultsWritten(count, _standing(view, rows, format_, count))
        finally:
            for each in joined:
                each.close()
            sys.stdout.flush()


def _standing(view: View, rows: Sequence[int] | None, format_: str, count: int) -> str:
    """How the rows ended that were written, in words; "" where all are usable, or where they are not just these rows."""
    counts = view.counts(rows)
    if format_ in ("jsonl", "files") and count < counts["all"]:
        counts |= {"missing": 0, "waiting": 0}  # They have no line.
    if format_ == "files":
        counts = {name: counts[name] for name in ("usable", "cut_short", "invalid")}
    written = sum(counts.get(each.name, 0) for each in STANDINGS)
    told = batch.by_standing(counts)
    if count > written and told:
        told += f", {count - written:,} not sent"
    return told if count >= written else ""


def _stdout(raw: bool) -> Any:
    """Standard output as a binary file; on a terminal made safe unless it is to be ``raw``."""
    return _SafeOut() if sys.stdout.isatty() and not raw else sys.stdout.buffer


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
