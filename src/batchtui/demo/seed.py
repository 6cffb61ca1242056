"""Seeds the demo with batches: each on the server, and as a record here."""

from __future__ import annotations

import hashlib
import math
import shutil
import time
from array import array
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from batchtui.demo import seed_data
from batchtui.demo.batches import BODY, RESULTS, Batch, BatchStore, Meta
from batchtui.demo.examples import examples_dir
from batchtui.demo.protocol import DemoClock, DemoOptions, base58, new_id
from batchtui.demo.request_check import BadParams, read, tokens
from batchtui.demo.request_rules import NEW_VERSION
from batchtui.demo.runner import alone, server_dir
from batchtui.demo.seed_data import SeedBatch
from batchtui.domain.batch import BatchRecord, Status, new_local_id
from batchtui.domain.errors import StoreError
from batchtui.domain.money import PriceTable, Usage, load_prices
from batchtui.domain.plan import Estimate
from batchtui.results.storage import ResultSink
from batchtui.store import files
from batchtui.store.records import REQUESTS, History

BASE_URL = "http://demo.localhost"
"""The name that records have for the demo server, whose port changes."""
_HEAD, _TAIL = b'{"requests":[', b"]}"
_WAIT = 60.0
_HELD_BACK = timedelta(minutes=58)

Request = tuple[str, dict[str, Any]]


class Seeder:
    """Makes one batch after the other, at the server and as a record in the history."""

    def __init__(self, data: Path) -> None:
        self.history = History(data)
        self.prices: PriceTable = load_prices()
        self.clock = DemoClock()
        self.now = self.clock.now()
        self.store = BatchStore(server_dir(data) / "batches", DemoOptions(), self.clock)
        self.made: list[tuple[SeedBatch, list[Request], Batch]] = []
        self.runs: dict[str, str] = {}
        """The local id of each run's first batch, by title."""

    def make_all(self) -> None:
        """Make every batch of the seed data.  Raises StoreError."""
        try:
            for number, entry in enumerate(seed_data.SEED_BATCHES, start=1):
                requests = entry.requests or self._failures(entry.retry_of)
                lines = [msgspec.json.encode({"custom_id": name, "params": params}) for name, params in requests]
                batch = self._at_server(entry, lines, number)
                self.made.append((entry, requests, batch))
                self._on_record(entry, requests, lines, batch)
        finally:
            self.store.close()

    def _at_server(self, entry: SeedBatch, lines: list[bytes], number: int) -> Batch:
        created = self.now - entry.age
        upload = self.store.new_folder()
        places, at = array("Q"), len(_HEAD)
        for line in lines:
            places.extend((at, at + len(line)))
            at += len(line) + 1
        body = _HEAD + b",".join(lines) + _TAIL
        files.write_atomic(upload / BODY, body)
        meta = Meta(
            id=new_id("msgbatch"),
            seq=number,
            created_at=created,
            requests=len(lines),
            bytes=len(body),
            duration=entry.lasts.total_seconds(),
            version=NEW_VERSION,
            failure_rate=entry.failure_rate,
            cancel_initiated_at=created + entry.canceled if entry.canceled else None,
        )
        batch = self.store.place(upload, places, meta)
        if meta.ends_at <= self.now:
            self._wait_for_end(batch)
        return batch

    def _wait_for_end(self, batch: Batch) -> None:
        """Wait for its results; it is not settled before, or it would have ended only now."""
        until = time.monotonic() + _WAIT
        while batch.done is None:
            if time.monotonic() > until:
                raise StoreError("the demo's batches could not be set up", advice="check that the disk has free space")
            time.sleep(0.005)
        self.store.settle(batch)

    def _failures(self, titles: tuple[str, ...]) -> list[Request]:
        """The requests of earlier batches that got no answer."""
        failed: list[Request] = []
        for entry, requests, batch in self.made:
            if entry.title not in titles:
                continue
            by_id = dict(requests)
            for line in (batch.folder / RESULTS).read_bytes().splitlines():
                told = msgspec.json.decode(line)
                if told["result"]["type"] != "succeeded":
                    failed.append((told["custom_id"], by_id[told["custom_id"]]))
        return sorted(failed)

    def _on_record(self, entry: SeedBatch, requests: list[Request], lines: list[bytes], batch: Batch) -> None:
        meta = batch.meta
        sent = b"".join(line + b"\n" for line in lines)
        status: Status = "ended" if meta.ended_at else "in_progress"
        local_id = new_local_id(meta.created_at, base58(meta.id.encode(), 6).lower())
        run = self.runs.setdefault(entry.title, local_id)
        record = BatchRecord(
            local_id=local_id,
            id=meta.id,
            run=run,
            attempt=entry.attempt,
            part=entry.part,
            parts=entry.parts,
            title=entry.title,
            note=entry.note,
            profile="demo",
            base_url=BASE_URL,
            status=status,
            counts=self.store.counts(batch),
            requests=meta.requests,
            bytes=len(sent),
            fingerprint=hashlib.sha256(sent).hexdigest(),
            models=dict(Counter(params["model"] for _, params in requests)),
            source=entry.source,
            intent_at=meta.created_at - timedelta(seconds=1),
            created_at=meta.created_at,
            expires_at=meta.expires_at,
            ended_at=meta.ended_at,
            cancel_initiated_at=meta.cancel_initiated_at,
            seen_at=meta.ended_at or self.now,
            estimate=self._estimate(requests),
            told=status == "ended",
        )
        folder = self.history.create(record)
        files.write_atomic(folder / REQUESTS, sent)
        if meta.ended_at and entry.stored:
            self._store_results(record, folder, batch)
        elif meta.ended_at:
            self._hold_back(record, meta.ended_at)

    def _store_results(self, record: BatchRecord, folder: Path, batch: Batch) -> None:
        sink = ResultSink(folder, expected=record.counts.total, prices=self.prices)
        sink.write((batch.folder / RESULTS).read_bytes())
        tally = sink.finish()
        cost = None if tally.unpriced else tally.cost_usd
        self.history.update(
            record.local_id, lambda r: msgspec.structs.replace(r, results="stored", tally=tally, cost_usd=cost)
        )

    def _hold_back(self, record: BatchRecord, ended_at: datetime) -> None:
        """Leave results at the server, as after a fetch that failed, until the person asks for them or time has passed."""
        words = "results: no space left on the disk"
        self.history.update(
            record.local_id,
            lambda r: msgspec.structs.replace(
                r, error=words, looks=3, seen_at=ended_at, next_try_at=self.now + _HELD_BACK
            ),
        )

    def _estimate(self, requests: list[Request]) -> Estimate:
        """What was expected, by the rule of thumb, a fifth to either side."""
        most: Counter[str] = Counter()
        given: Counter[str] = Counter()
        for _, params in requests:
            model = params["model"]
            try:
                given[model] += tokens(read(msgspec.json.encode(params), version=NEW_VERSION))
            except BadParams:
                given[model] += 60
            most[model] += params["max_tokens"]
        few = [Usage(model=m, input_tokens=int(n * 0.8), output_tokens=most[m] // 10) for m, n in given.items()]
        many = [Usage(model=m, input_tokens=math.ceil(n * 1.2), output_tokens=most[m]) for m, n in given.items()]
        return Estimate(
            input_tokens=(int(given.total() * 0.8), math.ceil(given.total() * 1.2)),
            output_tokens=(most.total() // 10, most.total()),
            batch_usd=(self._cost(few, batch=True), self._cost(many, batch=True)),
            standard_usd=(self._cost(few, batch=False), self._cost(many, batch=False)),
        )

    def _cost(self, usages: list[Usage], *, batch: bool) -> Decimal:
        return sum((self.prices.cost(usage, batch) or Decimal(0) for usage in usages), Decimal(0))


def clear(data: Path) -> None:
    """Throw a demo data folder away; raises StoreError while a demo server runs on it."""
    if not data.is_dir():
        return
    with alone(data):
        for entry in sorted(data.iterdir()):
            if entry.is_dir() and entry.name != "server":
                shutil.rmtree(entry, ignore_errors=True)
            elif entry.is_file():
                entry.unlink(missing_ok=True)
        shutil.rmtree(server_dir(data) / "batches", ignore_errors=True)


def seed(data: Path) -> bool:
    """Fill an empty demo data folder with batches in different states; True when it was filled now.

    A folder with batches, one that was seeded before, and one whose server runs are left as they are.
    Raises StoreError.
    """
    mark = files.make_private_dir(data) / "furnished"
    if mark.exists():
        return False

    try:
        with alone(data):
            if any(_names(data / "batches")) or any(_names(server_dir(data) / "batches")):
                return False
            copy_examples(data)
            Seeder(data).make_all()
            files.write_atomic(mark, b"the demo's batches were set up here\n")
    except StoreError:
        if any(_names(data / "batches")):
            return False
        raise
    return True


def copy_examples(data: Path) -> Path:
    """Put the example files into ``<data>/examples``; files that are there stay."""
    target = files.make_private_dir(data / "examples")
    if examples_dir().is_dir():
        for source in sorted(examples_dir().iterdir()):
            if source.is_file() and not (target / source.name).exists():
                files.write_atomic(target / source.name, source.read_bytes())
    return target


def _names(folder: Path) -> Iterable[str]:
    return (entry.name for entry in folder.iterdir()) if folder.is_dir() else ()
