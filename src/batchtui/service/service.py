"""The use cases both faces share."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, Unpack

import msgspec

from batchtui import safetext
from batchtui.config.load import Config
from batchtui.domain.batch import CANCELED_UNSENT, BatchRecord, RemoteBatch
from batchtui.domain.errors import BatchtuiError, InputError, SourceChanged, StoreError
from batchtui.domain.plan import Plan, Problem
from batchtui.domain.schedule import LookState
from batchtui.domain.work import UNWATCHED, Work
from batchtui.service import history_stats
from batchtui.service.context import Context, Listener
from batchtui.service.events import SyncReport, TryResult
from batchtui.service.lineage import Lineage
from batchtui.service.other_profiles import Others, Reach, joined
from batchtui.store.records import PART, RESULTS, SKIPPED

if TYPE_CHECKING:
    from batchtui.api.gateway import Gateway
    from batchtui.domain.money import PriceTable
    from batchtui.domain.plan import ModelInfo
    from batchtui.intake.options import IntakeOptions
    from batchtui.intake.preview import Peek
    from batchtui.results.answer_check import Schema
    from batchtui.results.export import ExportOptions
    from batchtui.results.gold import Gold
    from batchtui.results.joined_run import JoinedRun
    from batchtui.results.names import Name, ValueNames
    from batchtui.results.review import Review
    from batchtui.results.view import ResultSet, View
    from batchtui.service.again import Again, AgainChange
    from batchtui.service.parts import Parts
    from batchtui.service.planning import KeptModels
    from batchtui.service.reconcile import Unclear
    from batchtui.service.retry import Retry

T = TypeVar("T")
replace = msgspec.structs.replace


class Service:
    """All that can be done with batches under one profile and one data folder.

    Async methods run on the loop that runs the service; the others may be called from any thread, and those that take
    ``work`` are slow and belong in one.  Every method raises errors of domain.errors only.
    """

    def __init__(
        self,
        data: Path,
        config: Config | None = None,
        *,
        profile: str = "",
        gateway: Gateway | None = None,
        clock: Callable[[], datetime] | None = None,
        opened_at: datetime | None = None,
    ) -> None:
        """``opened_at`` is when the program began, for a service that takes over from another profile's."""
        self.data = data
        self.config = config or Config()
        self.profile = self.config.profile(profile)
        self.context = Context(data, self.config, self.profile, clock, gateway)
        self.context.opened_at = opened_at or self.context.opened_at
        self.history = self.context.history
        self.submitting = 0
        """Plans that were confirmed and are not all sent yet; at first nothing of them is on record."""
        self._made: Parts | None = None
        self._making = threading.Lock()
        self._loop_task: asyncio.Task[None] | None = None
        self._others_task: asyncio.Task[None] | None = None
        self.others = Others(self)
        self.lineage = Lineage(self.history)

    @property
    def is_demo(self) -> bool:
        """True on the built-in demo server, whose batches are no one's account's."""
        return self.context.is_demo

    @property
    def parts(self) -> Parts:
        """What does the work; made when first needed, since a first paint needs none of it."""
        with self._making:
            if self._made is None:
                from batchtui.service.parts import Parts

                self._made = Parts(self.context)
            return self._made

    @property
    def gateway(self) -> Gateway:
        """The profile's way to the API."""
        return self.context.gateway

    @property
    def prices(self) -> PriceTable:
        """The prices, with config.toml's rows over the built-in ones."""
        return self.context.prices

    # What is known, from memory.

    def records(self) -> list[BatchRecord]:
        """All records, newest first."""
        return self.history.all()

    def resolve(self, text: str) -> BatchRecord:
        """The record for a local id, an id of the API, a unique beginning of either, or ``last``; raises InputError."""
        return self.history.resolve(text)

    def run_of(self, record: BatchRecord) -> list[BatchRecord]:
        """All batches of a record's run, by attempt and part."""
        return self.history.of_run(record.run)

    def look_state(self) -> LookState:
        """What the last look was worth."""
        return self._made.poller.state if self._made is not None else LookState()

    def unreadable(self) -> list[tuple[str, str]]:
        """Records that were set aside or left alone: (path, why)."""
        return self.history.unreadable()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Tell ``listener`` every event, on the service's thread; the result ends that."""
        return self.context.subscribe(listener)

    def spending(self) -> history_stats.Spending:
        """What was spent: today, this month, by profile and by model."""
        return history_stats.spending(self.history.all(), self.context.clock())

    def usual_minutes(self, record: BatchRecord) -> tuple[int, int] | None:
        """How many minutes batches like this one took before (low, high), from our own history."""
        return history_stats.usual_minutes(self.history.all(), record)

    # Plans: slow, for a thread.

    def plan(
        self,
        sources: Sequence[str],
        options: IntakeOptions | None = None,
        *,
        keep: bool = True,
        work: Work = UNWATCHED,
        on_problem: Callable[[Problem], None] | None = None,
        stdin: BinaryIO | None = None,
    ) -> Plan:
        """Check sources and plan their batches; ``keep`` stages them so that the plan can be submitted."""
        from batchtui.intake.options import IntakeOptions
        from batchtui.intake.plan import make_plan
        from batchtui.memory import give_back
        from batchtui.service import planning, run_sources

        with (
            planning.staging(self.context, keep, "can't read the source or keep its copy") as folder,
            run_sources.with_runs(self.context, sources, options or IntakeOptions(), work) as (named, opened),
        ):
            made = make_plan(
                named,
                planning.options_for(self.context, named, opened),
                prices=self.prices,
                staging=folder,
                work=work,
                on_problem=on_problem,
                stdin=stdin,
            )
        give_back(made.requests)
        return made

    def peek(
        self,
        sources: Sequence[str],
        options: IntakeOptions,
        again: tuple[Again, AgainChange] | None = None,
        *,
        stdin: BinaryIO | None = None,
        at: str = "",
        work: Work = UNWATCHED,
    ) -> Peek:
        """The first rows of sources, runs among them, or of a run that is made again; with ``at`` the one at this place.

        Raises InputError, StoreError, Stopped.
        """
        from batchtui.intake.preview import peek
        from batchtui.service import run_sources

        if again is not None:
            sources, options = again[0].with_rows(again[0].options(again[1], options), again[1], UNWATCHED)
        with run_sources.with_runs(self.context, sources, options, UNWATCHED) as (named, opened):
            return peek(named, opened, prices=self.prices, stdin=stdin, at=at, work=work)

    def again(self, record: BatchRecord) -> Again:
        """A record's run, to be made again.  Raises StoreError."""
        from batchtui.service.again import Again

        return Again(self.context, record)

    def plan_again(
        self,
        again: Again,
        change: AgainChange,
        options: IntakeOptions | None = None,
        *,
        work: Work = UNWATCHED,
        stdin: BinaryIO | None = None,
    ) -> Plan:
        """Plan a run once more with what is changed, staged; raises InputError, StoreError and Stopped."""
        from batchtui.service import planning
        from batchtui.service.again import plan_again

        with planning.staging(self.context, True, "can't read the source or keep its copy") as folder:
            assert folder is not None
            complete = planning.options_for(self.context, change.sources, again.options(change, options))
            return plan_again(self.context, again, change, complete, folder, work=work, stdin=stdin)

    def retry(self, local_ids: Sequence[str], work: Work = UNWATCHED) -> Retry:
        """What of these batches (of one run) is to be sent again: opens the run; close it.  Raises InputError."""
        from batchtui.service.retry import Retry

        return Retry(self.context, [self.resolve(local_id) for local_id in local_ids], work)

    def discard(self, plan: Plan) -> None:
        """Throw a plan's staged files away."""
        if plan.staging is not None:
            self.parts.committer.discard(plan.staging)

    def changed_sources(self, plan: Plan) -> tuple[str, ...]:
        """Names of the sources that are not any more what the plan was made from; slow, for a thread."""
        from batchtui.intake.source_watch import changed

        return changed(plan.origin) if plan.origin is not None else ()

    @property
    def max_cost(self) -> Decimal | None:
        """Dollars that no plan may cost more than: the profile's, else config.toml's; None for no limit."""
        return self.profile.max_cost if self.profile.max_cost is not None else self.config.max_cost

    def max_cost_problem(self, plan: Plan) -> str | None:
        """Why max_cost stops this plan: too dear, or of unknown cost; None when it does not."""
        limit = self.max_cost
        if limit is None:
            return None
        if plan.estimate.unpriced:
            names = ", ".join(safetext.line(m, 60) for m in plan.estimate.unpriced[:5])
            return f"max_cost is ${limit}, and the cost is unknown: no price for {names}"
        high = plan.estimate.batch_usd[1]
        if high > limit:
            shown = f"{high:.2f}" if high >= Decimal("0.01") else f"{high:.6f}"
            return f"this may cost up to ${shown}, more than max_cost ${limit}"
        return None

    def limit_cost(self, dollars: Decimal) -> None:
        """Use another max_cost for this call."""
        self.profile = self.context.profile = replace(self.profile, max_cost=dollars)

    def use_api_version(self, version: str) -> None:
        """Check and send under another anthropic-version for this call."""
        self.profile = self.context.profile = replace(self.profile, api_version=version)

    def duplicate_of(self, plan: Plan) -> BatchRecord | None:
        """A batch that is under way with the same requests, if any."""
        prints = {p.fingerprint for p in plan.parts if p.fingerprint}
        known = [*self.records(), *self.parts.committer.pending()]
        return next((r for r in known if r.active and r.fingerprint in prints and self.context.in_reach(r)), None)

    def unclear_before(self, plan: Plan) -> list[Unclear]:
        """Batches with a plan's requests, sent a short while ago, that a list which lags might still hide."""
        return self.parts.reconciler.unclear(plan.retry_of, (part.fingerprint for part in plan.parts))

    # Results: slow, for a thread.

    def open_results(
        self, local_id: str, *, run: bool = False, work: Work = UNWATCHED, schema: Schema | None = None
    ) -> View:
        """A batch's results, or with ``run`` its run's, where what was not sent or has not ended is a request that waits.

        With ``schema`` the answers of requests that asked for none are checked by it, in this view only.
        Raises InputError when there are none.
        """
        from batchtui.memory import give_back
        from batchtui.results.review import REVIEW_FOLDER
        from batchtui.results.run_view import open_run
        from batchtui.results.storage import open_results

        record = self.resolve(local_id)
        records = self.run_of(record) if run else [record]
        if not any(self._has_results(r) or (run and r.status == "refused") for r in records):
            raise InputError(f"no results of {record.local_id} are downloaded", advice=_why_none(record))
        view: View
        if run:
            view = open_run([(self.history.folder(r.local_id), r.attempt) for r in records], self.prices, work, schema)
        else:
            view = opened = open_results(self.history.folder(record.local_id), self.prices, work)
            if schema is not None:
                from batchtui.results.fields import check_answers

                check_answers(opened, schema, work)
            give_back(len(view))
        by_name = {r.local_id: r for r in records}
        for member in view.members if schema is None else ():
            self._agree(by_name[member.folder.name], member)
        view.kept[REVIEW_FOLDER] = self.history.run_folder(record.run)
        return view

    def review(self, record: BatchRecord) -> Review:
        """The verdicts and samples of a batch's run.  Raises StoreError."""
        from batchtui.service.gold import review_of

        return review_of(self.context, record.run)

    def verdicts(self, records: Sequence[BatchRecord]) -> int:
        """How many verdicts are kept in the folders of these batches: those of the runs they are the first batch of."""
        count = 0
        for record in records:
            if self.run_of(record)[0].local_id == record.local_id:
                with contextlib.suppress(StoreError):
                    count += len(self.review(record))
        return count

    def hidden_answers(self, records: Sequence[BatchRecord]) -> int:
        """How many answers of the runs of these batches a blind sample hides; a review that can't be read counts none."""
        from batchtui.results.review import Review

        count = 0
        for run in {record.run for record in records}:
            with contextlib.suppress(StoreError):
                count += len(Review(self.history.run_folder(run)).hidden())
        return count

    def gold(self, view: View, names: ValueNames, field: Name, text: str, record: BatchRecord) -> Gold:
        """Gold for a field as ``--gold`` names it: a column, ``review``, ``review:ID``, a file by id.

        Raises InputError, StoreError.
        """
        from batchtui.service.gold import find_gold

        return find_gold(self.context, self.prices, view, names, field, text, record.run)

    def _has_results(self, record: BatchRecord) -> bool:
        """True when there is something to read: stored results, or a part of them."""
        folder = self.history.folder(record.local_id)
        return (folder / RESULTS).exists() or (record.results in ("partial", "gone") and (folder / PART).exists())

    def _agree(self, record: BatchRecord, opened: ResultSet) -> None:
        """Have the record say what its results cost now: prices may have changed since they were stored."""
        tally = opened.tally
        if record.results != "stored" or opened.partial or tally == record.tally:
            return
        cost = None if tally.unpriced else tally.cost_usd
        with contextlib.suppress(BatchtuiError):
            self.context.change(
                record.local_id,
                lambda r: replace(r, tally=tally, cost_usd=cost) if r.results == "stored" else r,
            )

    def join_runs(self, view: View, records: Sequence[BatchRecord], work: Work = UNWATCHED) -> list[JoinedRun]:
        """The columns of these records' runs for the rows of a view, each run under its title; to be closed."""
        from batchtui.results.joined_run import JoinedRun
        from batchtui.results.row_columns import RowColumns
        from batchtui.service.lineage import title
        from batchtui.service.run_sources import opened

        titles = [title(r) for r in records]
        columns = RowColumns(view)
        own = columns.names
        columns.close()
        found: list[JoinedRun] = []
        try:
            for record, name in zip(records, titles, strict=True):
                called = name if titles.count(name) == 1 else record.run
                found.append(JoinedRun(view, opened(self.context, record, work), called, own, work))
        except BaseException:
            for each in found:
                each.close()
            raise
        return found

    def skipped_path(self, record: BatchRecord) -> Path:
        """Where the requests are that were skipped since they had errors; of a run, its first batch has them."""
        return self.history.folder(record.local_id) / SKIPPED

    def export(
        self,
        view: View,
        rows: Sequence[int] | None,
        format: str,
        dest: Path | BinaryIO,
        *,
        work: Work = UNWATCHED,
        **how: Unpack[ExportOptions],
    ) -> int:
        """Write results out in one of ``results.export.FORMATS``; returns how many.  ``how`` is what ``export`` takes."""
        from batchtui.results.export import export as write_export

        return write_export(view, rows, format, dest, work=work, **how)

    # What asks the API, on its loop.

    def reach(self, record: BatchRecord) -> Reach:
        """Whether a batch is being looked after: this profile's, and those of others that could be asked."""
        if self.context.mine(record):
            return Reach(checked=True)
        return self.others.reach(record)

    async def start(self, *, others: bool = True) -> None:
        """Take up what a kill left, then keep looking in the background; with ``others`` after all profiles' batches."""
        if others and self._others_task is None and not self.is_demo:
            self._others_task = asyncio.create_task(self.others.run(), name="others")
        if self._loop_task is None:
            self.history.sweep()
            with contextlib.suppress(BatchtuiError):
                await self.parts.sender.recover()
            self._loop_task = asyncio.create_task(self.parts.poller.run(), name="poller")

    async def close(self) -> None:
        """Stop looking and close all connections."""
        tasks = [task for task in (self._others_task, self._loop_task) if task is not None]
        self._others_task = self._loop_task = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.others.close()
        with contextlib.suppress(Exception):
            await self.gateway.close()

    async def submit(
        self,
        plan: Plan,
        *,
        title: str = "",
        note: str = "",
        retry_of: BatchRecord | None = None,
        allow_cost: bool = False,
        again: bool = False,
        send_now: bool = False,
        lock_timeout: float = 600.0,
    ) -> list[BatchRecord]:
        """Send a plan's batches, one after the other, each once; the records tell how each fared.

        Those that ``unclear_before`` finds are waited for, unless ``send_now``; they are looked for once more in any case.
        Raises InputError when the plan was used up, is stopped by its cost, or is under way already, SourceChanged when a
        source is another than the one that was checked, NoKey when there is none: in all of these nothing was sent.
        """
        self.submitting += 1
        try:
            changed = await asyncio.to_thread(self.changed_sources, plan)
            if changed:
                raise SourceChanged(changed)
            problem = None if allow_cost else self.max_cost_problem(plan)
            if problem:
                raise InputError(problem, advice="raise max_cost, or confirm exactly this cost")
            guard = None if again else lambda: self._refuse_twin(plan)
            if guard is not None:
                guard()
            await self.gateway.ready()
            commit = self.parts.committer.commit
            records = await _to_its_end(
                asyncio.to_thread(
                    commit, plan, title=title, note=note, retry_of=retry_of, send_now=send_now, guard=guard
                )
            )
            try:
                await self.parts.sender.send_waiting(timeout=lock_timeout)
            except StoreError as error:
                # They are on record and wait: an error here would say that nothing was sent, and never will be.
                self.context.trouble(error, records[0].local_id)
            self.parts.poller.wake()
            wanted = {r.local_id for r in records}
            return sorted((r for r in self.records() if r.local_id in wanted), key=lambda r: r.part)
        finally:
            self.submitting -= 1

    def _refuse_twin(self, plan: Plan) -> None:
        twin = self.duplicate_of(plan)
        if twin is not None:
            raise InputError(
                f"the same requests are in progress as {twin.local_id} ({twin.status})",
                advice="use --allow-duplicate to send them twice",
            )

    async def refresh(self, *, asked: bool = True) -> LookState:
        """Look now; ``asked`` calls the API though nothing is under way, since a person wants to know."""
        return await self.parts.poller.look(asked=asked)

    async def ask_after(self, local_id: str) -> None:
        """Ask how one batch stands; nothing else is asked, settled or sent.  Raises what the API said."""
        record = self.history.get(local_id)
        if record is not None and record.id is not None:
            await self.context.ready_for(record)
            await self.parts.poller.look_at(record)

    async def wait(self, local_ids: Sequence[str]) -> None:
        """Wait until batches have ended with their results stored, or can't be had."""
        await self.parts.poller.until(local_ids)

    async def settle(self, local_ids: Sequence[str]) -> None:
        """Look for unconfirmed batches until each is adopted, refused, sent again, or put to the person."""
        await self.parts.poller.until_clear(local_ids)

    async def fetch(self, local_id: str, *, again: bool = False) -> BatchRecord:
        """Fetch an ended batch's results now; with ``again`` also those that are stored, or were given up as gone.

        What comes replaces what is here only when it holds more of the batch.
        """
        record = self.history.get(local_id)
        if record is not None:
            await self.context.ready_for(record)
            if again and record.id is not None and (record.results == "gone" or record.unknown_looks):
                await self.parts.poller.look_at(record)
        return await self.parts.fetcher.fetch(local_id, again=again)

    async def cancel(self, local_ids: Sequence[str]) -> dict[str, BatchRecord | BatchtuiError]:
        """Cancel batches; a part that still waits is simply not sent.  Errors come back beside the id."""
        done: dict[str, BatchRecord | BatchtuiError] = {}
        for local_id in local_ids:
            try:
                done[local_id] = await self._cancel(local_id)
            except BatchtuiError as error:
                done[local_id] = error
        return done

    async def _cancel(self, local_id: str) -> BatchRecord:
        record = self.resolve(local_id)
        await self.context.ready_for(record)
        if record.waiting:
            record = self._drop(record)
            if record.status == "refused":
                return record
        if record.status == "unconfirmed" and record.resend_at is not None:
            return self.context.change(record.local_id, _not_again)
        if record.id is None or record.status != "in_progress":
            raise InputError(f"{record.local_id} is {record.status}: there is nothing to cancel")
        after = self.parts.remote.take(record.local_id, await self.gateway.cancel(record.id))
        self.parts.poller.wake()
        return after

    def _drop(self, record: BatchRecord) -> BatchRecord:
        """Take a part that waits out of the queue; the record tells whether its sending had begun before that."""
        return self.context.change(
            record.local_id,
            lambda r: replace(r, status="refused", error=CANCELED_UNSENT, next_try_at=None) if r.waiting else r,
        )

    async def delete(
        self, local_ids: Sequence[str], *, here: bool = True, there: bool = True
    ) -> dict[str, BatchtuiError | None]:
        """Delete batches at the API (``there``, only once ended) and their folders (``here``)."""
        done: dict[str, BatchtuiError | None] = {}
        for local_id in local_ids:
            try:
                await self._delete(local_id, here=here, there=there)
                done[local_id] = None
            except BatchtuiError as error:
                done[local_id] = error
        return done

    async def _delete(self, local_id: str, *, here: bool, there: bool) -> None:
        record = self.resolve(local_id)
        if record.waiting:
            record = self._drop(record)
        if record.active:
            raise InputError(
                f"{record.local_id} is {record.status}", advice="cancel it first, and wait until it has ended"
            )
        if there and record.id is not None:
            await self.context.ready_for(record)
            await self.parts.remote.delete(record)
            if record.results_due:
                # Nobody is to ask for hours after results that were deleted on purpose.
                gone = "deleted at the API, not downloaded"
                self.context.change(record.local_id, lambda r: replace(r, results="gone", error=gone, next_try_at=None))
        if here:
            if not there and record.id is not None:
                self.parts.remote.forget(record.id)
            self.history.delete(record.local_id)
            self.context.removed(record.local_id)

    async def edit(self, local_id: str, *, title: str | None = None, note: str | None = None) -> BatchRecord:
        """Change a batch's title or note."""
        return self.context.change(
            local_id,
            lambda r: replace(r, title=r.title if title is None else title, note=r.note if note is None else note),
        )

    async def adopt_candidate(self, local_id: str, remote_id: str) -> BatchRecord:
        """The person says which batch at the API an unconfirmed record is."""
        record = await self.parts.reconciler.choose(local_id, remote_id)
        self.parts.poller.wake()
        return record

    async def give_up(self, local_id: str) -> BatchRecord:
        """The person marks an unconfirmed batch as not created."""
        return self.parts.reconciler.give_up(local_id)

    async def mark_gone(self, local_id: str) -> BatchRecord:
        """The person says that a batch that the API does not know is gone; undone when it knows it again."""
        from batchtui.service import presence

        record = self.context.change(local_id, presence.mark_gone)
        if record.marked_gone is None:
            raise InputError(
                f"{record.local_id} can't be marked as gone: the API knows it, or needs more checks",
                advice="batchtui sync checks again",
            )
        return record

    async def untracked(self, after_id: str | None = None) -> tuple[list[RemoteBatch], str | None]:
        """A page of the workspace's batches that are not in our store, and where the next page begins (None: no more)."""
        return await self.parts.remote.page(after_id)

    async def adopt(self, remote: RemoteBatch, title: str = "", note: str = "") -> BatchRecord:
        """Keep a record of a batch made elsewhere; its results are fetched like our own."""
        record = self.parts.remote.adopt(remote, title, note, by_hand=True)
        self.parts.poller.wake()
        return record

    async def sync(self, work: Work = UNWATCHED, *, others: bool = False) -> SyncReport:
        """Take up what a kill left, look, settle, fetch all that is due, adopt what was made elsewhere, send what waits.

        With ``others`` for every profile that has something open, one after the other.
        """
        self.parts.sender.hold.clear()  # Who asks for it has made room, or wants to know that there is none.
        await self.parts.sender.recover()
        report = await self.parts.remote.sync(self.parts.poller, self.parts.fetcher, work)
        if others and not self.is_demo:
            report = joined(report, await self.others.sync(work))
        return report

    async def models(self) -> list[ModelInfo]:
        """The models to choose from: the API's list, a cached one, or the built-in one offline."""
        from batchtui.service import planning

        return await planning.models(self.context)

    async def refresh_models(self) -> KeptModels:
        """Ask the API for its models, limits and capabilities now, and keep them for later checks."""
        from batchtui.service import planning

        return await planning.refresh_models(self.context)

    async def count_sample(self, plan: Plan, n: int = 8) -> Plan:
        """The plan with its estimate calibrated by count_tokens on a few of its requests (free)."""
        from batchtui.service import planning

        return await planning.count_sample(self.context, plan, n)

    async def try_one(self, request_line: bytes) -> TryResult:
        """Send one request to the plain Messages endpoint, at standard price."""
        from batchtui.service import planning

        return await planning.try_one(self.context, request_line)


async def _to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """Work that a cancellation waits for: whoever interrupts it is told what is on record, and nothing comes after."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _not_again(record: BatchRecord) -> BatchRecord:
    """A part that would be sent again by itself, once looks found nothing, is not."""
    if record.status != "unconfirmed" or record.resend_at is None:
        return record
    words = f"{CANCELED_UNSENT} again; checking whether it was created"
    return replace(record, resend_at=None, error=words)


def _why_none(record: BatchRecord) -> str:
    if record.status != "ended":
        return f"the batch is {record.status.replace('_', ' ')}"
    if record.results == "gone":
        return "the API deleted them 29 days after the batch was created"
    return "batchtui sync downloads them"
