"""score."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from batchtui.cli import completion, words
from batchtui.cli.batch_choice import batch_or_run, run_option
from batchtui.cli.downloads import downloaded
from batchtui.cli.options import format_option
from batchtui.cli.output import print_json, say, show, terminal_width
from batchtui.cli.place import table_options, table_place, write_table
from batchtui.cli.row_choice import RowChoice, row_options
from batchtui.cli.session import Session, verb
from batchtui.present import scores as present


@verb("score")
@click.argument("id_", metavar="ID", shell_complete=completion.ids)
@click.argument("field", metavar="FIELD")
@click.option(
    "--gold",
    "gold",
    required=True,
    metavar="COLUMN|FILE",
    help="A column with the right values, a file by id (FILE:COLUMN names its column), review, or review:ID.",
)
@run_option("Merge the whole run, its retries included")
@row_options()
@format_option
@table_options
def score_(
    session: Session,
    id_: str,
    *,
    field: str,
    gold: str,
    run: bool | None,
    chosen: RowChoice,
    format_: str,
    output: Path | None,
    force: bool,
) -> int:
    """Score a field against gold: accuracy with its 95% interval, kappa, scores by class, a confusion matrix.

    Gold are the right values.  The scores of a class are precision, recall and F1.
    """
    from batchtui.results.field_scores import score_field
    from batchtui.results.names import names_of

    service = session.service()
    record, run = batch_or_run(service, id_, run)
    records = downloaded(session, service, record, run=run)
    place = table_place(session, output, format_, force=force)
    with session.work() as work:
        view = service.open_results(record.local_id, run=run, work=work)
        names = names_of(view, work)
        name = names.resolve(field)
        rows = chosen.rows(view)
        found: Any = score_field(view, names, name, service.gold(view, names, name, gold, record), rows)
    words.say_not_included(records, run=run)
    words.say_of_figures(names.notes, view.repeats(rows))
    if session.json:
        print_json(present.score_json(found))
    elif place is None:
        for line in present.score_lines(found, terminal_width()):
            show(line)
    if place is not None:
        write_table(place, present.score_csv(found))
        if place.dest is not None:
            say(f"score written to {place.dest}")
        for note in present.score_notes(found):
            say(note)
    return 0
