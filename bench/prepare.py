"""Puts things in place before they are measured: records, stored results, batches at the demo server.

Its functions run in a process of their own, so that the measuring one stays small.
"""

from __future__ import annotations

import os
from array import array
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from batchtui.demo.batches import BODY, META, OFFSETS, RESULTS, Meta
from batchtui.domain.batch import BatchRecord, Counts
from batchtui.domain.money import load_prices
from batchtui.domain.plan import Estimate
from batchtui.results.storage import index_requests, open_results
from batchtui.store import files, records
from batchtui.store.records import History, encode_record

VERSION = "2026-10-21"


def _counts(results: Path) -> Counts:
    found: Counter[str] = Counter()
    line = msgspec.json.Decoder(_Line)
    with results.open("rb") as lines:
        for each in lines:
            found[line.decode(each).result.type] += 1
    return Counts(succeeded=found["succeeded"], errored=found["errored"], expired=found["expired"])


class _Result(msgspec.Struct):
    type: str


class _Line(msgspec.Struct):
    result: _Result


def ended_at_server(data: str, results: str) -> dict[str, Any]:
    """A batch that ended, with these results, in a demo server's folder; its id and counts."""
    folder = Path(data) / "server" / "batches" / "msgbatch_01benchended000000000000"
    folder.mkdir(parents=True)
    os.link(results, folder / RESULTS)
    counts = _counts(Path(results))
    now = datetime.now(UTC)
    meta = Meta(
        id=folder.name,
        seq=1,
        created_at=now - timedelta(minutes=30),
        requests=counts.total,
        bytes=counts.total * 2_500,
        duration=600,
        version=VERSION,
        ended_at=now - timedelta(minutes=20),
        counts=counts,
        results_bytes=Path(results).stat().st_size,
    )
    files.write_atomic(folder / META, msgspec.json.encode(meta))
    return {"seconds": 0, "id": meta.id, "counts": msgspec.structs.asdict(counts)}


def running_at_server(data: str, count: int, requests: int = 1, minutes: float = 0.0) -> dict[str, Any]:
    """Batches in a demo server's folder that run for hours yet, ``minutes`` old."""
    root = Path(data) / "server" / "batches"
    now = datetime.now(UTC)
    params = {"model": "claude-haiku-5-5", "max_tokens": 50, "messages": [{"role": "user", "content": "Hello"}]}
    lines = [msgspec.json.encode({"custom_id": f"req-{n}", "params": params}) for n in range(requests)]
    places, at = array("Q"), 13
    for line in lines:
        places.extend((at, at + len(line)))
        at += len(line) + 1
    body = b'{"requests":[' + b",".join(lines) + b"]}"
    ids = []
    for number in range(count):
        folder = root / f"msgbatch_01benchrunning{number:08}"
        folder.mkdir(parents=True)
        (folder / BODY).write_bytes(body)
        (folder / OFFSETS).write_bytes(places.tobytes())
        meta = Meta(
            id=folder.name,
            seq=number + 1,
            created_at=now - timedelta(minutes=minutes, seconds=count - number),
            requests=requests,
            bytes=len(body),
            duration=80_000,
            version=VERSION,
        )
        (folder / META).write_bytes(msgspec.json.encode(meta))
        ids.append(meta.id)
    return {"seconds": 0, "ids": ids}


def record(number: int, **fields: Any) -> BatchRecord:
    """A record, 40 minutes old at most unless ``fields`` say otherwise."""
    now = datetime.now(UTC)
    created = now - timedelta(seconds=60 * (number % 40) + 1)
    local_id = f"20261120T{number // 3600 % 24:02}{number // 60 % 60:02}{number % 60:02}Z-b{number:06}"
    dollars = (Decimal("1.20"), Decimal("3.40"))
    whole: dict[str, Any] = {
        "local_id": local_id,
        "id": f"msgbatch_01bench{number:08}",
        "run": local_id,
        "title": f"nightly-{number:05}",
        "base_url": os.environ.get("ANTHROPIC_BASE_URL", "https://api.anthropic.com"),
        "requests": 5_000,
        "bytes": 12_400_000,
        "models": {"claude-haiku-5-5": 5_000},
        "source": "/data/nightly.jsonl",
        "intent_at": created,
        "created_at": created,
        "expires_at": created + timedelta(hours=24),
        "seen_at": now,
        "told": True,
        "estimate": Estimate(
            input_tokens=(900_000, 1_400_000), output_tokens=(200_000, 900_000), batch_usd=dollars, standard_usd=dollars
        ),
        **fields,
    }
    return BatchRecord(**whole)


def _put(data: Path, made: BatchRecord) -> Path:
    folder = data / "batches" / made.local_id
    folder.mkdir(parents=True, mode=0o700)
    (folder / records.RECORD).write_bytes(encode_record(made))
    return folder


def ended_records(data: str, count: int) -> float:
    """Records of batches that ended and are settled."""
    for number in range(count):
        made = record(
            number, status="ended", results="stored", counts=Counts(succeeded=5_000), cost_usd=Decimal("2.10")
        )
        created = datetime.now(UTC) - timedelta(hours=number % 600 + 2)
        made = msgspec.structs.replace(made, created_at=created, ended_at=created + timedelta(minutes=20))
        _put(Path(data), made)
    return 0.0


def running_records(data: str, ids: list[str], requests: int = 1, minutes: float = 0.0) -> float:
    """Records of batches that run at the server."""
    for number, batch_id in enumerate(ids):
        created = datetime.now(UTC) - timedelta(minutes=minutes)
        counts = Counts(processing=requests)
        made = record(number, id=batch_id, status="in_progress", requests=requests, counts=counts, created_at=created)
        _put(Path(data), made)
    return 0.0


def results_due(data: str, batch_id: str, counts: dict[str, int], requests: str, wait: float = 0.0) -> dict[str, Any]:
    """The record of a batch that ended and whose results are not here yet, with its requests, as submit leaves them.

    The poller leaves it alone for ``wait`` seconds.
    """
    now, told = datetime.now(UTC), Counts(**counts)
    at = now + timedelta(seconds=wait) if wait else None
    made = record(0, id=batch_id, status="ended", counts=told, requests=told.total, ended_at=now, next_try_at=at)
    folder = _put(Path(data), made)
    os.link(requests, folder / records.REQUESTS)
    index_requests(folder, load_prices())
    return {"seconds": 0, "local_id": made.local_id}


def stored(data: str, requests: str, results: str, index: bool = True) -> dict[str, Any]:
    """A batch with its results stored and indexed."""
    counts = _counts(Path(results))
    now = datetime.now(UTC)
    made = record(0, status="ended", results="stored", counts=counts, requests=counts.total, ended_at=now)
    folder = _put(Path(data), made)
    os.link(requests, folder / records.REQUESTS)
    os.link(results, folder / records.RESULTS)
    if index:
        view = open_results(folder, load_prices())
        made = msgspec.structs.replace(made, tally=view.tally, cost_usd=view.tally.cost_usd)
        files.write_atomic(folder / records.RECORD, encode_record(made))
    return {"seconds": 0, "local_id": made.local_id}


def answered_table(data: str, source: str, template: str) -> dict[str, Any]:
    """A batch made of a table's rows, each with an answer, stored and indexed."""
    from batchtui.intake.options import IntakeOptions
    from batchtui.service import Service

    service = Service(Path(data))
    plan = service.plan([source], IntakeOptions(template=Path(template)))
    (part,) = plan.parts
    assert part.path is not None and part.ids_path is not None
    now, counts = datetime.now(UTC), Counts(succeeded=part.requests)
    made = record(
        0, status="ended", results="stored", counts=counts, requests=part.requests, ended_at=now, ids_kept=True
    )
    folder = _put(Path(data), made)
    part.path.rename(folder / records.REQUESTS)
    part.ids_path.rename(folder / records.IDS)
    with (folder / records.REQUESTS).open("rb") as given, (folder / records.RESULTS).open("wb") as out:
        for line in given:
            out.write(_ANSWERED % msgspec.json.encode(msgspec.json.decode(line, type=_Request).custom_id))
    open_results(folder, load_prices())
    service.discard(plan)
    return {"seconds": 0, "local_id": made.local_id}


class _Request(msgspec.Struct):
    custom_id: str


_ANSWERED = (
    b'{"custom_id":%s,"result":{"type":"succeeded","message":{"id":"msg_1","type":"message","role":"assistant",'
    b'"model":"claude-haiku-5-5","content":[{"type":"text","text":"{\\"label\\":\\"price\\"}"}],'
    b'"stop_reason":"end_turn","usage":{"input_tokens":90,"output_tokens":12}}}}\n'
)


def stir(data: str, count: int, every: float, seconds: float) -> float:
    """Change ``count`` records every ``every`` seconds, as another batchtui would, until ``seconds`` are over."""
    import time

    store = History(Path(data))
    chosen = [each.local_id for each in store.all()[:count]]
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(every)
        for local_id in chosen:
            store.update(local_id, _further)
    return 0.0


def _further(old: BatchRecord) -> BatchRecord:
    done = old.counts.done + 37
    return msgspec.structs.replace(old, counts=Counts(processing=old.requests - done, succeeded=done))
