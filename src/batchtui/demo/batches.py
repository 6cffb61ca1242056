"""The demo server's batches: kept on disk, advanced by its clock, with their results made in the background."""

from __future__ import annotations

import logging
import math
import os
import shutil
import subprocess
import sys
import threading
from array import array
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from batchtui import subpython
from batchtui.demo import results
from batchtui.demo.protocol import ApiError, DemoClock, DemoOptions, new_id
from batchtui.demo.results import Done, Halted, Job
from batchtui.domain.batch import RESULTS_KEPT, Counts
from batchtui.domain.errors import StoreError
from batchtui.store import files

_SMALL_REQUESTS = 2_000
_SMALL_BYTES = 4_000_000
_AGAIN_AFTER = 2.0
_log = logging.getLogger("batchtui.demo")


def make(job: Job, requests: int, size: int, stop: threading.Event) -> Done | None:
    """Do the job, again when the disk says no; None when it was stopped."""
    apart = requests > _SMALL_REQUESTS or size > _SMALL_BYTES
    while not stop.is_set():
        try:
            return _apart(job, stop) if apart else results.run(job, stop)
        except Halted:
            return None
        except (StoreError, OSError) as error:
            _log.warning("results of %s could not be written: %s", job.batch_id, error)
            stop.wait(_AGAIN_AFTER)
    return None


def _apart(job: Job, stop: threading.Event) -> Done:
    given = Path(os.fsdecode(job.out)).with_name("job.json")
    files.write_atomic(given, msgspec.json.encode(job))
    command = [sys.executable, "-m", "batchtui.demo.results", str(given)]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=subpython.inherited()
    ) as child:
        while True:
            try:
                out, _ = child.communicate(timeout=0.2)
                break
            except subprocess.TimeoutExpired:
                if stop.is_set():
                    child.kill()
                    raise Halted from None
    given.unlink(missing_ok=True)
    if stop.is_set():
        raise Halted
    if child.returncode != 0:
        raise StoreError(f"the process that makes the results ended with {child.returncode}")
    return msgspec.json.decode(out, type=Done)


LIFETIME = timedelta(hours=24)
META = "meta.json"
BODY = "body.json"
OFFSETS = "offsets.bin"
RESULTS = "results.jsonl"
STRUCK = "struck.bin"
_NEW = ".new-"
_TRASH = ".trash-"
_CANCEL_SHARE = 0.15
_CANCEL_MOST = 3.0


class Meta(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored of a batch beside its requests and results."""

    id: str
    seq: int
    created_at: datetime
    requests: int
    bytes: int
    duration: float
    """Seconds it takes when nothing stops it."""
    version: str
    betas: tuple[str, ...] = ()
    workspace: str = ""
    failure_rate: float = 0.055
    answer_bytes: int | None = None
    cancel_initiated_at: datetime | None = None
    ended_at: datetime | None = None
    counts: Counts | None = None
    results_bytes: int = 0

    @property
    def expires_at(self) -> datetime:
        """When processing ends at the latest."""
        return self.created_at + LIFETIME

    @property
    def ends_at(self) -> datetime:
        """When it ends, if the results are ready by then."""
        if self.cancel_initiated_at:
            wait = timedelta(seconds=min(_CANCEL_MOST, self.duration * _CANCEL_SHARE))
            return min(self.cancel_initiated_at + wait, self.expires_at)
        return min(self.created_at + timedelta(seconds=self.duration), self.expires_at)


class Batch:
    """A batch in memory: its meta, and the results in the making."""

    __slots__ = ("done", "folder", "meta", "stop", "told_at")

    def __init__(self, meta: Meta, folder: Path) -> None:
        self.meta = meta
        self.folder = folder
        self.done: Done | None = None
        self.stop = threading.Event()
        self.told_at = meta.created_at

    @property
    def status(self) -> str:
        """in_progress, canceling or ended."""
        if self.meta.ended_at:
            return "ended"
        return "canceling" if self.meta.cancel_initiated_at else "in_progress"


class BatchStore:
    """All batches of one demo data folder.  Used from one thread; results are made beside it."""

    def __init__(self, root: Path, options: DemoOptions, clock: DemoClock) -> None:
        self.root = files.make_private_dir(root)
        self.options = options
        self.clock = clock
        self._batches: dict[str, Batch] = {}
        self._struck: set[int] = set()
        self._makers = ThreadPoolExecutor(2, thread_name_prefix="demo-results")
        self._load()

    def close(self) -> None:
        """Stop making results; what is unfinished starts anew next time."""
        for batch in self._batches.values():
            batch.stop.set()
        self._makers.shutdown(wait=True, cancel_futures=True)

    def _load(self) -> None:
        metas = []
        for folder in sorted(self.root.iterdir()):
            if folder.name.startswith((_NEW, _TRASH)):
                shutil.rmtree(folder, ignore_errors=True)
                continue
            try:
                metas.append(msgspec.json.decode((folder / META).read_bytes(), type=Meta))
            except (OSError, msgspec.DecodeError):
                continue
        for meta in sorted(metas, key=lambda m: (m.ended_at or m.ends_at, m.seq)):
            batch = Batch(meta, self.root / meta.id)
            self._batches[meta.id] = batch
            if meta.ended_at:
                self._strike(batch.folder)
            else:
                for left in batch.folder.glob(".*.tmp"):
                    left.unlink(missing_ok=True)
                self._make(batch)

    def _strike(self, folder: Path) -> None:
        keys = array("Q")
        if (folder / STRUCK).exists():
            keys.frombytes((folder / STRUCK).read_bytes())
        self._struck.symmetric_difference_update(keys)

    def new_folder(self) -> Path:
        """A folder for a create in progress; ``add`` takes it over, or throw it away."""
        return files.make_private_dir(self.root / f"{_NEW}{new_id('upload')}")

    def add(
        self, upload: Path, offsets: Sequence[int], *, version: str, betas: tuple[str, ...] = (), workspace: str = ""
    ) -> Batch:
        """Make a batch of an uploaded body; raises ApiError when the queue is full."""
        requests = len(offsets) // 2
        limit = self.options.queue_limit
        if limit is not None and self.in_queue() + requests > limit:
            raise ApiError(
                429,
                f"Number of requests in the batch processing queue would exceed your organization's limit of {limit:,}",
            )
        meta = Meta(
            id=new_id("msgbatch"),
            seq=1 + max((b.meta.seq for b in self._batches.values()), default=0),
            created_at=self.clock.now(),
            requests=requests,
            bytes=(upload / BODY).stat().st_size,
            duration=self._duration(requests),
            version=version,
            betas=betas,
            workspace=workspace,
            failure_rate=self.options.failure_rate,
            answer_bytes=self.options.answer_bytes,
        )
        return self.place(upload, offsets, meta)

    def place(self, upload: Path, offsets: Sequence[int], meta: Meta) -> Batch:
        """Turn an upload into the batch that ``meta`` tells of."""
        files.write_atomic(upload / OFFSETS, array("Q", offsets).tobytes())
        files.write_atomic(upload / META, msgspec.json.encode(meta))
        folder = upload.rename(self.root / meta.id)
        batch = self._batches[meta.id] = Batch(meta, folder)
        self._make(batch)
        return batch

    def _duration(self, requests: int) -> float:
        if self.options.duration is not None:
            return self.options.duration / self.options.speed
        return (8 + 17 * min(1.0, math.log10(requests) / 5)) / self.options.speed

    def in_queue(self) -> int:
        """Requests of all batches that have not ended."""
        return sum(b.meta.requests for b in self._batches.values() if not self.settle(b).meta.ended_at)

    def _make(self, batch: Batch) -> None:
        batch.stop = stop = threading.Event()
        batch.done = None

        def work() -> None:
            try:
                done = make(self._job(batch), batch.meta.requests, batch.meta.bytes, stop)
            except Exception:
                _log.exception("no results could be made for %s", batch.meta.id)
                return
            if not stop.is_set():
                batch.done = done

        self._makers.submit(work)

    def _job(self, batch: Batch) -> Job:
        meta = batch.meta
        seconds = meta.duration or 1e-9
        canceled = meta.cancel_initiated_at
        return Job(
            body=os.fsencode(batch.folder / BODY),
            offsets=os.fsencode(batch.folder / OFFSETS),
            out=os.fsencode(batch.folder / RESULTS),
            batch_id=meta.id,
            version=meta.version,
            betas=meta.betas,
            failure_rate=meta.failure_rate,
            answer_bytes=meta.answer_bytes,
            canceled_after=(canceled - meta.created_at).total_seconds() / seconds if canceled else 2.0,
            expired_after=LIFETIME.total_seconds() / seconds,
            struck=tuple(self._struck),
        )

    def settle(self, batch: Batch) -> Batch:
        """Let a batch end when its time has come and its results are ready."""
        now = self.clock.now()
        if batch.meta.ended_at:
            return batch
        done = batch.done
        if done is None or now < batch.meta.ends_at:
            batch.told_at = now
            return batch
        ended_at = min(max(batch.meta.ends_at, batch.told_at), batch.meta.expires_at)
        files.write_atomic(batch.folder / STRUCK, array("Q", done.struck).tobytes())
        self._change(batch, ended_at=ended_at, counts=done.counts, results_bytes=done.bytes)
        self._struck.symmetric_difference_update(done.struck)
        for spent in (BODY, OFFSETS):
            (batch.folder / spent).unlink(missing_ok=True)
        return batch

    def _change(self, batch: Batch, **fields: object) -> None:
        meta = msgspec.structs.replace(batch.meta, **fields)
        files.write_atomic(batch.folder / META, msgspec.json.encode(meta))
        batch.meta = meta

    def get(self, batch_id: str, workspace: str | None = "") -> Batch:
        """One batch as it is now; raises ApiError 404.  ``workspace`` None looks in all."""
        batch = self._batches.get(batch_id)
        if batch is None or (workspace is not None and batch.meta.workspace != workspace):
            raise ApiError(404, f"Message batch with id {batch_id[:80]} not found")
        return self.settle(batch)

    def newest_first(self, workspace: str | None = "") -> list[Batch]:
        """All batches of a workspace (None: of all), newest first."""
        mine = [b for b in self._batches.values() if workspace is None or b.meta.workspace == workspace]
        mine.sort(key=lambda b: (b.meta.created_at, b.meta.seq), reverse=True)
        return [self.settle(batch) for batch in mine]

    def cancel(self, batch: Batch) -> None:
        """Begin to cancel; raises ApiError 400 when it has ended."""
        if batch.meta.ended_at:
            raise ApiError(400, f"Batch {batch.meta.id} cannot be canceled because it has already ended")
        if batch.meta.cancel_initiated_at is None:
            batch.stop.set()
            self._change(batch, cancel_initiated_at=self.clock.now())
            self._make(batch)

    def delete(self, batch: Batch) -> None:
        """Forget a batch that ended; raises ApiError 400 when it has not."""
        if not batch.meta.ended_at:
            raise ApiError(400, f"Batch {batch.meta.id} cannot be deleted while it is processing; cancel it first")
        trash = batch.folder.with_name(f"{_TRASH}{batch.meta.id}")
        batch.folder.rename(trash)
        del self._batches[batch.meta.id]
        self._makers.submit(shutil.rmtree, trash, ignore_errors=True)

    def results(self, batch: Batch) -> Path:
        """The results file; raises ApiError while there is none, or none any more."""
        if not batch.meta.ended_at:
            raise ApiError(404, f"Batch {batch.meta.id} has no available results yet; its processing has not ended")
        path = batch.folder / RESULTS
        if self.archived_at(batch) or not path.exists():
            raise ApiError(404, f"The results of batch {batch.meta.id} are no longer available")
        return path

    def archived_at(self, batch: Batch) -> datetime | None:
        """When its results went, None while they are there."""
        gone = batch.meta.created_at + RESULTS_KEPT
        return gone if self.clock.now() >= gone else None

    def counts(self, batch: Batch) -> Counts:
        """request_counts as they are told now."""
        meta = batch.meta
        if meta.ended_at and meta.counts:
            return meta.counts
        done = batch.done
        if not self.options.moving_counts or done is None:
            return Counts(processing=meta.requests)
        share = min(1.0, max(0.0, (self.clock.now() - meta.created_at).total_seconds() / (meta.duration or 1e-9)))
        moved = {
            name: int(getattr(done.counts, name) * share) for name in ("succeeded", "errored", "canceled", "expired")
        }
        return Counts(processing=meta.requests - sum(moved.values()), **moved)
