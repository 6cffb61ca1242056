"""count."""

from __future__ import annotations

from typing import Any

import click

from batchtui.cli import completion, words
from batchtui.cli.batch_choice import batch_or_run, run_option
from batchtui.cli.downloads import downloaded
from batchtui.cli.options import format_option
from batchtui.cli.output import print_json, show, terminal_width
from batchtui.cli.place import Destination, write_table
from batchtui.cli.row_choice import RowChoice, row_options
from batchtui.cli.session import Session, verb
from batchtui.present import counts as present
from batchtui.present import symbols

TOP = 30
"""Values shown on a terminal unless it is said how many."""


@verb("count")
@click.argument("id_", metavar="ID", shell_complete=completion.ids)
@click.argument("field", metavar="FIELD")
@click.argument("by", metavar="[BY]", required=False, default="")
@run_option("Merge the whole run, its retries included")
@row_options()
@format_option
@click.option(
    "--top",
    type=click.IntRange(min=0),
    metavar="N",
    help="text: show the N most frequent values, 0 for all; on a terminal 30 unless given.",
)
def count_(
    session: Session,
    id_: str,
    *,
    field: str,
    by: str,
    run: bool | None,
    chosen: RowChoice,
    format_: str,
    top: int | None,
) -> int:
    """Count how often each value of a field or column occurs, crossed with BY; numbers get quartiles and a histogram."""
    from batchtui.results.column_counts import count
    from batchtui.results.names import names_of

    service = session.service()
    record, run = batch_or_run(service, id_, run)
    records = downloaded(session, service, record, run=run)
    with session.work() as work:
        view = service.open_results(record.local_id, run=run, work=work)
        names = names_of(view, work)
        rows = chosen.rows(view)
        counts: Any = count(view, names, field, by, rows, work)
    words.say_not_included(records, run=run)
    words.say_of_figures(names.notes, view.repeats(rows))
    if session.json:
        print_json(present.to_json(counts))
        return 0
    if symbols.terminal_is_ascii():
        symbols.use(True)
    if format_ == "csv":
        write_table(Destination(None, "csv", replace=False), present.to_csv(counts))
        return 0
    width = terminal_width()
    for line in present.table(counts, width, most=top if top is not None else TOP if width else 0):
        show(line)
    return 0
