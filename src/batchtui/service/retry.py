"""A run's requests sent again: never what has a usable answer by now, and never what is in progress."""

from __future__ import annotations

import contextlib
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from batchtui.domain.batch import BatchRecord
from batchtui.domain.errors import InputError, StoreError
from batchtui.domain.outcome import MISSING, SUCCEEDED, UNREADABLE, WAITING, ErrorGroup
from batchtui.domain.plan import Plan
from batchtui.domain.work import UNWATCHED, Work
from batchtui.intake.options import IntakeOptions
from batchtui.results.asked import carried, loses_bounds, read_pairs
from batchtui.results.requests_again import NOT_SUCCEEDED, changed, choose, difference, prepare, write_requests
from batchtui.results.row_ids import lines_again
from batchtui.results.run_view import open_run
from batchtui.results.storage import open_results
from batchtui.results.view import ResultSet, Rows
from batchtui.service import planning
from batchtui.service.context import Context
from batchtui.store import files
from batchtui.store.records import ANSWER

_NOT_HERE = frozenset({WAITING, MISSING, UNREADABLE})
_NO_LONGER = frozenset({"metadata", "model", "service_tier", "temperature", "top_k", "top_p"})
"""Params that leave an answer about as long as it was; the model's own history is asked for by its name."""

_OTHER_SCHEMA = "  Answers are checked by the changed schema alone: bounds that [answer] kept no longer apply."


class Notes(msgspec.Struct, frozen=True, kw_only=True):
    """What should be known before sending again."""

    useless: tuple[ErrorGroup, ...] = ()
    """Groups that sending again as they are won't help."""
    downloading: int = 0
    """Requests left out since their results are still downloaded again."""
    example: str = ""
    """The custom_id of the request that ``difference`` is of."""
    difference: tuple[str, ...] = ()
    """What the changes do to one request, as ``requests_again.difference`` tells it; not yet safe to show."""


def useless(groups: Iterable[ErrorGroup], *, changed: bool) -> list[ErrorGroup]:
    """Those of the groups that sending them again won't help, when they are ``changed`` or as they are."""
    # What waits among the rows was never sent: its batch was refused.
    return [group for group in groups if not changed and not group.retry_helps and group.kind != "waiting"]


class Retry:
    """What of some batches of a run is sent again: the run is opened once, then asked for rows, notes and plans.

    Slow, for a thread.  Raises InputError for batches that can't be retried together, StoreError and Stopped.
    """

    def __init__(self, context: Context, records: Sequence[BatchRecord], work: Work = UNWATCHED) -> None:
        if len({r.run for r in records}) != 1:
            raise InputError("these batches are of different runs", advice="retry one run at a time")
        for record in records:
            context.must_be_mine(record)
        if len({r.betas for r in records}) > 1:
            raise InputError("these batches were sent with different betas", advice="retry them one at a time")
        self._context = context
        self._names = [r.local_id for r in records]
        self._open(work)

    def _open(self, work: Work) -> None:
        """Merge the run as it is now."""
        context, named = self._context, set(self._names)
        self._run = run = context.history.of_run(context.history.resolve(self._names[0]).run)
        by_name = {r.local_id: r for r in run}
        self._records = records = [by_name[name] for name in self._names if name in by_name]
        self.view = open_run([(context.history.folder(r.local_id), r.attempt) for r in run], context.prices, work)
        self._coming = self._expected([r for r in run if r.results_due])
        self._left_out = self._ids([r for r in run if r.active]) | self._coming
        self._among = None if named >= {r.local_id for r in run if not r.active} else self._ids(records)

    def close(self) -> None:
        """Give the files back."""
        self.view.close()

    def __enter__(self) -> Retry:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def rows(self, only: Iterable[str] = NOT_SUCCEEDED, *, custom_ids: Iterable[str] | None = None) -> Rows:
        """Rows of ``view`` to send again: those that ended in one of the ways ``only``, or those with these custom_ids.

        Requests in progress and those of other batches are left out.  When another program changed the run since it
        was opened it is opened anew, and rows from before are of no use.
        """
        if self._run != self._context.history.of_run(self._run[0].run):
            self.close()
            self._open(UNWATCHED)
        if custom_ids is not None:
            found = choose(self.view, custom_ids=custom_ids)
        else:
            only = tuple(only)
            found = choose(self.view, only)
            if only == NOT_SUCCEEDED:
                found = array("I", sorted({*found, *self._never_sent()}))
        among, left_out, name_of = self._among, self._left_out, self.view.id
        keep = (row for row in found if (name := name_of(row)) not in left_out and (among is None or name in among))
        return array("I", keep)

    def _never_sent(self) -> Rows:
        """Rows of batches that were refused, or whose results are gone, that no other batch of the run has an outcome for."""
        names = self._ids([r for r in self._records if r.status == "refused" or r.results == "gone"])
        if not names:
            return array("I")
        outcome = self.view.column("outcome")
        rows = choose(self.view, custom_ids=names)
        return array("I", (row for row in rows if outcome[row] in (WAITING, MISSING)))

    def _expected(self, records: Sequence[BatchRecord]) -> set[str]:
        """Requests of ended batches whose results are still downloaded again: to send them now could pay twice."""
        found: set[str] = set()
        for record in records:
            # A batch made elsewhere has no requests here, and nothing of it may have come yet.
            with contextlib.suppress(StoreError):
                member = self._member(record)
                found.update(
                    member.id(row) for row, outcome in enumerate(member.columns.outcome) if outcome in _NOT_HERE
                )
        return found

    def _ids(self, records: Sequence[BatchRecord]) -> set[str]:
        return {custom_id for record in records for custom_id in self._member(record).ids()}

    def _member(self, record: BatchRecord) -> ResultSet:
        """A batch of the run as the view has it; of one that the view had to leave out, this raises why."""
        folder = self._context.history.folder(record.local_id)
        found = next((member for member in self.view.members if member.folder == folder), None)
        return found if found is not None else open_results(folder, self._context.prices)

    def notes(self, rows: Rows, changes: Mapping[str, str]) -> Notes:
        """What should be known before these rows are sent again with these changes.  Raises InputError."""
        raw = self.view.request_raw(rows[0]) if len(rows) and changes else None
        lines = difference(raw, changes) if raw is not None else []
        if raw is not None:
            pairs = [pair for r in self._run for pair in read_pairs(self._context.history.folder(r.local_id))]
            lines[:0] = [_OTHER_SCHEMA] if loses_bounds(raw, changed(raw, prepare(changes)), pairs) else []
        return Notes(
            useless=tuple(useless(self.view.groups(rows), changed=bool(changes))),
            downloading=len(self._coming),
            example=self.view.id(rows[0]) if raw is not None else "",
            difference=tuple(lines),
        )

    def plan(self, rows: Rows, changes: Mapping[str, str] | None = None, work: Work = UNWATCHED) -> Plan:
        """Plan these rows as the run's next attempt, changed by ``changes``; raises InputError when there are none."""
        from batchtui.intake.plan import make_plan

        context, first, changes = self._context, self._records[0], changes or {}
        with planning.staging(context, True, "can't prepare the retry") as folder:
            assert folder is not None
            path = folder / "retry-source.jsonl"
            retried = self._write(rows, changes, path, work)
            made = make_plan([str(path)], self._options(changes), prices=context.prices, staging=folder, work=work)
            path.unlink(missing_ok=True)
            schemas = carried([context.history.folder(r.local_id) for r in self._run])
            if schemas is not None:
                files.write_atomic(folder / ANSWER, schemas)
            made = msgspec.structs.replace(
                made, source=first.source, retry_of=tuple(retried), retried=retried, origin=None
            )
            return self._with_row_ids(made)

    def _options(self, changes: Mapping[str, str]) -> IntakeOptions:
        """How the requests are checked and priced: as those of their first batch, the changes taken into account."""
        first = self._records[0]
        options = planning.complete_options(self._context, None, first.source, first.template)
        options = msgspec.structs.replace(options, format="native", betas=first.betas)
        if first.api_version:
            options = msgspec.structs.replace(options, api_version=first.api_version)
        if any(change.path[0] not in _NO_LONGER for change in prepare(changes)):
            # What answers took before tells nothing of a larger max_tokens or another prompt.
            options = msgspec.structs.replace(options, history=lambda model: None)
        return options

    def _write(self, rows: Rows, changes: Mapping[str, str], path: Path, work: Work) -> dict[str, int]:
        """Write the requests to send again as JSONL; the batches they were in, and how many failed ones of each.

        Raises InputError when there are none.
        """
        view = self.view
        written = write_requests(view, rows, path, changes, work)
        holders = dict.fromkeys((view.members[member].folder.name for member in view.holders(rows)), 0)
        failed = Counter(view.place(row)[0] for row in rows if view.column("outcome")[row] != SUCCEEDED)
        holders |= {view.members[member].folder.name: count for member, count in failed.items()}
        if written.requests:
            return holders
        if written.without:
            raise InputError(
                "the requests of this batch are not on this machine: it was not submitted from here",
                advice="submit its source instead",
            )
        if any(r.results_due for r in self._records):
            raise InputError(
                "there is nothing to retry yet: the results of this batch are not all downloaded",
                advice="batchtui fetch downloads them again; what stays missing can be retried after some hours",
            )
        raise InputError(
            "there is nothing to retry", advice="every request has an answer or is in progress again; see --only"
        )

    def _with_row_ids(self, plan: Plan) -> Plan:
        """The plan with what the run's first batches know of the rows that its requests were made from.

        Its custom_ids were made here when all those of the batches that its requests were in were.
        """
        assert plan.staging is not None
        if not plan.ok:  # Of what can't be sent nothing is staged.
            return plan
        kept = [self._context.history.folder(r.local_id) for r in self._run if r.attempt == 0 and r.ids_kept]
        again = [r for r in self._run if r.local_id in plan.retry_of]
        made = bool(again) and all(r.ids_made for r in again)
        parts = []
        for number, part in enumerate(plan.parts, 1):
            dest = plan.staging / f"ids-{number:03}.jsonl"
            assert part.path is not None
            with files.atomic(dest) as out:
                out.writelines(lines_again(part.path, kept))
            parts.append(msgspec.structs.replace(part, ids_path=dest, ids_made=made))
        return msgspec.structs.replace(plan, parts=tuple(parts))
