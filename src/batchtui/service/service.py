"""The use cases both faces share."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from batchtui.config.load import Config
from batchtui.domain.batch import BatchRecord, RemoteBatch
from batchtui.domain.errors import BatchtuiError, InputError, SourceChanged
from batchtui.domain.plan import Plan, Problem
from batchtui.domain.schedule import LookState
from batchtui.service import history_stats
from batchtui.service.context import Context, Listener
from batchtui.service.events import Selection, SyncReport, Tell, TryResult
from batchtui.service.other_profiles import Others, Reach, joined
from batchtui.store.records import SKIPPED

if TYPE_CHECKING:
    from batchtui.api.gateway import Gateway
    from batchtui.domain.money import PriceTable
    from batchtui.domain.plan import ModelInfo
    from batchtui.intake.options import IntakeOptions
    from batchtui.results.view import View
    from batchtui.service.parts import Parts
    from batchtui.service.planning import KeptModels

replace = msgspec.structs.replace
Result = BatchRecord | BatchtuiError
OnProblem = Callable[[Problem], None] | None


class Service:
    """All that can be done with batches under one profile and one data folder.

    Async methods run on the loop that runs the service; the others may be called from any thread, and those that take
    ``progress`` and ``stop`` are slow and belong in one.  Every method raises errors of domain.errors only.
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
        """The profile's way to the service."""
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
        """The record for a local id, a service's id, a unique beginning of either, or ``last``; raises InputError."""
        return self.history.resolve(text)

    def look_state(self) -> LookState:
        """What the last look was worth."""
        return self._made.looker.state if self._made is not None else LookState()

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
        progress: Tell = None,
        stop: threading.Event | None = None,
        on_problem: OnProblem = None,
        stdin: BinaryIO | None = None,
    ) -> Plan:
        """Check sources and plan their batches; ``keep`` stages them so that the plan can be submitted."""
        from batchtui.service import planning

        return planning.plan(
            self.context, sources, options, keep=keep, progress=progress, stop=stop, on_problem=on_problem, stdin=stdin
        )

    def plan_retry(
        self,
        local_ids: Sequence[str],
        chosen: Selection | None = None,
        changes: Mapping[str, str] | None = None,
        *,
        progress: Tell = None,
        stop: threading.Event | None = None,
    ) -> Plan:
        """Plan what did not succeed of these batches (of one run) as its next attempt; raises InputError when nothing is left."""
        from batchtui.service import planning

        return planning.plan_retry(
            self.context, local_ids, chosen or Selection(), changes or {}, progress=progress, stop=stop
        )

    def retry_notes(
        self, local_ids: Sequence[str], chosen: Selection | None = None, changes: Mapping[str, str] | None = None
    ) -> list[str]:
        """What should be known before a retry: where it won't help, and what the changes do to the first request."""
        from batchtui.service import planning

        return planning.retry_notes(self.context, local_ids, chosen or Selection(), changes or {})

    def discard(self, plan: Plan) -> None:
        """Throw a plan's staged files away."""
        if plan.staging is not None:
            self.parts.committer.discard(plan.staging)

    def changed_sources(self, plan: Plan) -> tuple[str, ...]:
        """Names of the sources that are not any more what the plan was made from; slow, for a thread."""
        from batchtui.intake.source_watch import changed

        return changed(plan.origin) if plan.origin is not None else ()

    def max_cost_problem(self, plan: Plan) -> str | None:
        """Why max_cost stops this plan, None when it does not."""
        from batchtui.service import planning

        return planning.max_cost_problem(self.context, plan)

    def limit_cost(self, dollars: Decimal) -> None:
        """Use another max_cost for this call."""
        self.profile = self.context.profile = replace(self.profile, max_cost=dollars)

    def use_api_version(self, version: str) -> None:
        """Check and send under another anthropic-version for this call."""
        self.profile = self.context.profile = replace(self.profile, api_version=version)

    def duplicate_of(self, plan: Plan) -> BatchRecord | None:
        """A batch that is under way with the same requests, if any."""
        return self.parts.changer.duplicate_of(plan)

    # Results: slow, for a thread.

    def open_results(
        self, local_id: str, *, run: bool = False, progress: Tell = None, stop: threading.Event | None = None
    ) -> View:
        """A batch's stored results, or with ``run`` those of its whole run merged; raises InputError when there are none."""
        from batchtui.service import reading

        return reading.open_view(self.context, local_id, run=run, progress=progress, stop=stop)

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
        unfold: bool = False,
        all_rows: bool = False,
        progress: Tell = None,
        stop: threading.Event | None = None,
    ) -> int:
        """Write results out (jsonl, json, csv, markdown, files, parquet); returns how many."""
        from batchtui.results.export import export as write_export

        return write_export(view, rows, format, dest, unfold=unfold, all_rows=all_rows, progress=progress, stop=stop)

    # What asks the service, on its loop.

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
            self._loop_task = asyncio.create_task(self.parts.looker.run(), name="poller")

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
        lock_timeout: float = 600.0,
    ) -> list[BatchRecord]:
        """Send a plan's batches, one after the other, each once; the records tell how each fared.

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
                raise InputError(problem, advice="raise max_cost, or say yes to exactly this cost")
            return await self.parts.changer.submit(
                plan, title=title, note=note, retry_of=retry_of, again=again, lock_timeout=lock_timeout
            )
        finally:
            self.submitting -= 1

    async def refresh(self, *, asked: bool = True) -> LookState:
        """Look now; ``asked`` calls the service though nothing is under way, since a person wants to know."""
        return await self.parts.looker.look(asked=asked)

    async def wait(self, local_ids: Sequence[str], *, settled: bool = False) -> None:
        """Wait until batches have ended with their results stored, or with ``settled`` only until none is in doubt."""
        await self.parts.looker.until(local_ids, settled=settled)

    async def settle(self, local_ids: Sequence[str]) -> None:
        """Look for unconfirmed batches until each is adopted, refused, sent again, or put to the person."""
        await self.parts.looker.until_clear(local_ids)

    async def fetch(self, local_id: str, *, again: bool = False) -> BatchRecord:
        """Fetch an ended batch's results now; with ``again`` also those that are stored, or were given up as gone.

        What comes replaces what is here only when it holds more of the batch.
        """
        record = self.history.get(local_id)
        if record is not None:
            await self.context.ready_for(record)
            if again and record.id is not None and (record.results == "gone" or record.unknown_looks):
                await self.parts.looker.look_at(record)
        return await self.parts.fetcher.fetch(local_id, again=again)

    async def cancel(self, local_ids: Sequence[str]) -> dict[str, Result]:
        """Cancel batches; a part that still waits is simply not sent.  Errors come back beside the id."""
        return {i: await self.parts.changer.cancel(i) for i in local_ids}

    async def delete(
        self, local_ids: Sequence[str], *, here: bool = True, there: bool = True
    ) -> dict[str, BatchtuiError | None]:
        """Delete batches at the service (``there``, only once ended) and their folders (``here``)."""
        return {i: await self.parts.changer.delete(i, here=here, there=there) for i in local_ids}

    async def edit(self, local_id: str, *, title: str | None = None, note: str | None = None) -> BatchRecord:
        """Change a batch's title or note."""
        return self.context.change(
            local_id,
            lambda r: replace(r, title=r.title if title is None else title, note=r.note if note is None else note),
        )

    async def adopt_candidate(self, local_id: str, remote_id: str) -> BatchRecord:
        """The person says which batch at the service an unconfirmed record is."""
        record = await self.parts.settler.choose(local_id, remote_id)
        self.parts.looker.wake()
        return record

    async def give_up(self, local_id: str) -> BatchRecord:
        """The person marks an unconfirmed batch as not created."""
        return self.parts.settler.give_up(local_id)

    async def mark_gone(self, local_id: str) -> BatchRecord:
        """The person says that a batch that the API does not know is gone; undone when it knows it again."""
        from batchtui.service import presence

        record = self.context.change(local_id, presence.mark_gone)
        if record.marked_gone is None:
            raise InputError(
                f"{record.local_id} can't be marked as gone: the API knows it, or has not been asked often enough",
                advice="batchtui sync checks again",
            )
        return record

    async def elsewhere(self, after_id: str | None = None) -> tuple[list[RemoteBatch], str | None]:
        """A page of the workspace's batches that are not in our store, and where the next page begins (None: no more)."""
        return await self.parts.elsewhere.page(after_id)

    async def adopt(self, remote: RemoteBatch, title: str = "", note: str = "") -> BatchRecord:
        """Keep a record of a batch made elsewhere; its results are fetched like our own."""
        record = self.parts.elsewhere.adopt(remote, title, note, by_hand=True)
        self.parts.looker.wake()
        return record

    async def sync(self, tell: Tell = None, *, others: bool = False) -> SyncReport:
        """Take up what a kill left, look, settle, fetch all that is due, adopt what was made elsewhere, send what waits.

        With ``others`` for every profile that has something open, one after the other.
        """
        self.parts.sender.hold.clear()  # Who asks for it has made room, or wants to know that there is none.
        await self.parts.sender.recover()
        report = await self.parts.elsewhere.sync(self.parts.looker, self.parts.fetcher, tell)
        if others and not self.is_demo:
            report = joined(report, await self.others.sync(tell))
        return report

    async def models(self) -> list[ModelInfo]:
        """The models to choose from: the service's list, a cached one, or the built-in one offline."""
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
