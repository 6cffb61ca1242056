"""compare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from batchtui import safetext
from batchtui.cli import completion, words
from batchtui.cli.batch_choice import batch_or_run, run_option
from batchtui.cli.output import print_json, say, show, terminal_width
from batchtui.cli.place import Destination, table_options, table_place, write_table
from batchtui.cli.session import Session, verb
from batchtui.domain.errors import InputError
from batchtui.present import batch, numbers
from batchtui.present import scores as present

if TYPE_CHECKING:
    from batchtui.domain.batch import BatchRecord
    from batchtui.domain.work import Work
    from batchtui.results.compare import Comparison
    from batchtui.results.field_scores import Agreement, FieldComparison
    from batchtui.results.names import Name, ValueNames
    from batchtui.results.view import View
    from batchtui.service import Service


@verb("compare")
@click.argument("left", metavar="ID", shell_complete=completion.ids)
@click.argument("right", metavar="ID", shell_complete=completion.ids)
@run_option("Compare the whole runs")
@click.option("--all", "everything", is_flag=True, help="List requests with equal answers too.")
@click.option(
    "--field", default="", metavar="FIELD", help="Compare a field: agreement, kappa, a matrix, rows that differ."
)
@click.option(
    "--gold",
    default="",
    metavar="COLUMN|FILE",
    help="With --field: which of the two is right how often, with McNemar's exact test; as for score.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "csv"]),
    help="With --field: text (the default), or csv: the rows that differ.",
)
@table_options
def compare_(
    session: Session,
    left: str,
    right: str,
    *,
    run: bool | None,
    everything: bool,
    field: str,
    gold: str,
    format_: str | None,
    output: Path | None,
    force: bool,
) -> int:
    """Compare two batches or runs by source row: outcomes that changed, answers that differ, tokens and cost."""
    for asked, option in ((gold, "--gold"), (format_, "--format"), (output, "-o")):
        if asked and not field:
            raise InputError(f"{option} needs --field", advice="name a field, such as --field sentiment")
    service = session.service()
    place = table_place(session, output, format_, force=force)
    sides = batch_or_run(service, left, run), batch_or_run(service, right, run)
    records = sides[0][0], sides[1][0]
    with session.work() as work:
        views = tuple(service.open_results(each.local_id, run=whole, work=work) for each, whole in sides)
        if field:
            names, found = _field_compared(service, records, views, (field, gold), work)
        else:
            rows, fields = _rows_compared(views, work)
    for each, whole in sides:
        words.say_not_included(service.run_of(each) if whole else [each], run=whole)
    if not field:
        return _tell_rows(session, rows, fields, everything)
    titles = present.told_apart([batch.full_name(each) for each in records])
    return _tell_field(session, found, titles, (views[0], names), place, everything)


def _rows_compared(views: tuple[View, ...], work: Work) -> tuple[Comparison, list[Agreement]]:
    from batchtui.results.compare import compare

    found = compare(views[0], views[1], work)
    return found, _agreements(views, work) if found.counts()["only_left"] < len(found) else []


def _tell_rows(session: Session, found: Comparison, fields: list[Agreement], everything: bool) -> int:
    from batchtui.present.compared import compared_lines

    if session.json:
        print_json({**found.summary(), "fields": fields})
        return 0
    for line in present.agreement_lines(fields):
        show(line)
    for line in compared_lines(found, everything=everything):
        print(safetext.line(line, 2000))
    return 0


def _agreements(views: tuple[View, ...], work: Work) -> list[Agreement]:
    from batchtui.results.field_scores import agreements
    from batchtui.results.names import names_of
    from batchtui.results.row_match import matched

    one, other = views
    return agreements((one, other), (names_of(one, work), names_of(other, work)), matched(one, other))


def _field_compared(
    service: Service,
    records: tuple[BatchRecord, BatchRecord],
    views: tuple[View, ...],
    asked: tuple[str, str],
    work: Work,
) -> tuple[ValueNames, FieldComparison]:
    from batchtui.results.field_scores import compare_field
    from batchtui.results.names import names_of

    one, other = views
    names = names_of(one, work), names_of(other, work)
    field, gold = asked
    resolved = _name_in(names[0], records[0], field), _name_in(names[1], records[1], field)
    for note in dict.fromkeys((*names[0].notes, *names[1].notes)):
        say(note)
    right = service.gold(one, names[0], resolved[0], gold, records[0]) if gold else None
    return names[0], compare_field((one, other), names, resolved, right)


def _name_in(names: ValueNames, record: BatchRecord, field: str) -> Name:
    try:
        return names.resolve(field)
    except InputError as error:
        raise InputError(f"{batch.full_name(record)}: {error}", advice=error.advice) from error


def _tell_field(
    session: Session,
    found: FieldComparison,
    titles: tuple[str, str],
    rows_of: tuple[View, ValueNames],
    place: Destination | None,
    everything: bool,
) -> int:
    view, names = rows_of
    if session.json:
        print_json(present.comparison_json(found, titles))
    elif place is None:
        for line in present.comparison_lines(found, titles, terminal_width()):
            show(line)
    if place is not None:
        own = [(name, names.column(name)) for name in names.own]
        write_table(place, present.comparison_csv(found, view.id, own, titles, everything=everything))
        said = "row" if everything else "row that differs", "rows" if everything else "rows that differ"
        written = len(found.pairs) if everything else len(found.differing())
        where = f" written to {place.dest}" if place.dest is not None else ""
        say(f"{numbers.plural(written, *said)}{where}" if found.pairs else present.no_rows_shared())
    return 0
