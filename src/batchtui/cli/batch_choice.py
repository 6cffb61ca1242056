"""Which batches a verb means by its ID: one batch by an id of its own, or all batches of a run by its title or ``last``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import click

from batchtui.cli.output import say
from batchtui.domain.batch import BatchRecord
from batchtui.service import Service


def run_option(what: str) -> Callable[[Any], Any]:
    """The option that says whether the whole run is meant, None where what was named tells it."""
    return click.option(
        "--run/--no-run", default=None, help=f"{what}; the default for a title and last, --no-run takes one batch."
    )


def names_run(record: BatchRecord, text: str) -> bool:
    """Whether the text that a record was found by names its run: a title or ``last``, and no id of the batch."""
    by_id = record.local_id.startswith(text) or (record.id or "").startswith(text)
    return text == record.title or not by_id


def batch_or_run(service: Service, text: str, run: bool | None) -> tuple[BatchRecord, bool]:
    """The record that is named, and whether its run of several batches is meant; raises InputError.

    Where one batch of several is meant only by its id, that is said.
    """
    record = service.resolve(text)
    several = len(service.run_of(record))
    if run is None and several > 1 and not names_run(record, text):
        say(f"{record.local_id} is one of the {several} batches of its run; --run takes all")
    return record, (several > 1 and names_run(record, text)) if run is None else run


def all_meant(service: Service, texts: Iterable[str]) -> list[BatchRecord]:
    """The batches that are named, those of a run for a title or ``last``, each once; raises InputError."""
    found: dict[str, BatchRecord] = {}
    for text in texts:
        record = service.resolve(text)
        for each in service.run_of(record) if names_run(record, text) else [record]:
            found[each.local_id] = each
    return list(found.values())
