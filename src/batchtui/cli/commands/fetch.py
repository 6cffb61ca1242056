"""fetch."""

from __future__ import annotations

from collections.abc import Sequence

import click

from batchtui.cli import completion, words
from batchtui.cli.batch_choice import all_meant
from batchtui.cli.downloads import look, no_results_yet
from batchtui.cli.output import fail, print_json, say
from batchtui.cli.session import Session, verb
from batchtui.domain.batch import BatchRecord
from batchtui.domain.errors import BatchtuiError, IncompleteResults
from batchtui.present import batch
from batchtui.service import Service


@verb("fetch")
@click.argument("ids", nargs=-1, required=True, metavar="ID...", shell_complete=completion.ids)
def fetch_(session: Session, ids: tuple[str, ...]) -> int:
    """Download results again; they replace the ones on disk only if they hold more.

    Also for results that are already downloaded, lack requests, or count as gone.  Exit codes: 0 all results are
    here and succeeded; 1 some requests did not succeed, or are missing; 3 refused by the API, or no network.
    """
    service = session.service()
    named = all_meant(service, ids)
    records = [r for r in named if r.id] or named
    failed = session.run(lambda: _download(service, records), service)
    code = 0
    for record in records:
        after = service.resolve(record.local_id)
        error = failed.get(record.local_id)
        if error is None:
            say(batch.line(after))
            code = max(code, words.exit_code([after]))
            continue
        fail(error)
        code = max(code, 1 if isinstance(error, IncompleteResults) else error.exit_code)
    if session.json:
        print_json([service.resolve(r.local_id) for r in records])
    return code


async def _download(service: Service, records: Sequence[BatchRecord]) -> dict[str, BatchtuiError]:
    """Download each batch's results; the errors by local id."""
    await look(service, records)
    failed: dict[str, BatchtuiError] = {}
    for record in records:
        fresh = service.resolve(record.local_id)
        try:
            if fresh.status != "ended" and not fresh.unknown_looks:
                raise no_results_yet(fresh)
            await service.fetch(fresh.local_id, again=True)
        except BatchtuiError as error:
            failed[record.local_id] = error
    return failed
