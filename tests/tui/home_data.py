"""Batches for the screens: records in every state a batch can be in, over a real service without a network."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from batchtui.config.load import Config
from batchtui.domain.batch import BatchRecord, Candidate, Counts, Tally
from batchtui.domain.plan import Estimate
from batchtui.domain.schedule import LookState
from batchtui.service import Service
from batchtui.store import files
from batchtui.store.records import encode_record
from tests.tui.work import NOW, make_service


def ago(**span: float) -> Any:
    """A moment before now."""
    return NOW - timedelta(**span)


def estimate(low: str, high: str) -> Estimate:
    """An estimate of these dollars."""
    pair = (Decimal(low), Decimal(high))
    return Estimate(
        input_tokens=(900_000, 1_400_000),
        output_tokens=(200_000, 900_000),
        batch_usd=pair,
        standard_usd=(pair[0] * 2, pair[1] * 2),
    )


def tally(cost: str, **counts: int) -> dict[str, Any]:
    """Fields of a record whose results are stored."""
    lines = sum(counts.get(k, 0) for k in ("succeeded", "errored", "canceled", "expired", "unknown"))
    money = Decimal(cost)
    made = Tally(
        lines=lines, input_tokens=1_234_000, output_tokens=412_000, cost_usd=money, standard_usd=money * 2, **counts
    )
    return {"tally": made, "cost_usd": money, "results": "stored", "requests": lines + counts.get("missing", 0)}


def put(service: Service, name: str, **fields: Any) -> BatchRecord:
    """Write one record; ``name`` makes its ids."""
    local_id = f"20261122T06{len(service.records()):02}00Z-{name:a<6.6}"
    created = fields.get("created_at", ago(minutes=14))
    whole = {
        "local_id": local_id,
        "id": f"msgbatch_01{name}",
        "run": local_id,
        "title": name,
        "profile": "default",
        "base_url": "https://api.anthropic.com",
        "status": "in_progress",
        "requests": 5_000,
        "bytes": 12_400_000,
        "counts": Counts(processing=5_000),
        "models": {"claude-haiku-5-5": 5_000},
        "source": f"/home/ana/work/{name}.jsonl",
        "intent_at": created,
        "created_at": created,
        "expires_at": created + timedelta(hours=24) if created else None,
        "seen_at": ago(seconds=8),
        "told": True,
        **fields,
    }
    record = BatchRecord(**whole)
    folder = service.history.folder(local_id)
    folder.mkdir(parents=True, mode=0o700)
    files.write_atomic(folder / "batch.json", encode_record(record))
    return record


def furnish(service: Service) -> None:
    """The batches of design.md, and some more."""
    for number in range(3):
        put(
            service,
            f"news-{number}",
            title=f"news week {44 + number}",
            status="ended",
            created_at=ago(days=9 + number),
            ended_at=ago(days=9 + number) + timedelta(minutes=12 + 9 * number),
            **tally("3.02", succeeded=5_000),
        )
    put(service, "news", title="news-summaries", estimate=estimate("2.60", "3.60"))
    put(
        service,
        "eval",
        title="eval-sonnet-5",
        models={"claude-sonnet-5": 9_000},
        requests=9_000,
        created_at=ago(minutes=41),
        counts=Counts(processing=2_788, succeeded=6_200, errored=12),
        estimate=estimate("10.10", "15.50"),
    )
    first = put(
        service,
        "labels",
        title="labels",
        parts=2,
        status="ended",
        created_at=ago(hours=1),
        ended_at=ago(minutes=20),
        estimate=estimate("3.90", "4.60"),
        **tally("4.12", succeeded=4_981, errored=12, expired=7),
    )
    put(
        service,
        "label2",
        title="labels",
        run=first.run,
        part=2,
        parts=2,
        status="canceling",
        created_at=ago(hours=1),
        counts=Counts(processing=5_000),
        estimate=estimate("3.90", "4.30"),
    )
    put(
        service,
        "label3",
        title="labels",
        run=first.run,
        part=1,
        parts=2,
        attempt=1,
        status="ended",
        created_at=ago(minutes=9),
        ended_at=ago(minutes=2),
        **tally("0.02", succeeded=19),
    )
    put(
        service,
        "march",
        title="march-eval",
        status="ended",
        created_at=ago(days=27),
        ended_at=ago(days=26, hours=23),
        counts=Counts(succeeded=4_800, errored=200),
        results="none",
    )
    put(
        service,
        "lost",
        title="translate-faq",
        id=None,
        status="unconfirmed",
        created_at=None,
        intent_at=ago(minutes=6),
        looks=7,
        candidates=(
            Candidate("msgbatch_01aaaa", ago(minutes=6), 5_000),
            Candidate("msgbatch_01bbbb", ago(minutes=5), 5_000),
        ),
    )
    put(
        service,
        "refus",
        title="odd-ids",
        id=None,
        status="refused",
        created_at=None,
        intent_at=ago(hours=3),
        error="requests.0.custom_id: string does not match pattern '^[a-zA-Z0-9_-]{1,64}$'",
    )
    put(
        service,
        "short",
        title="poems",
        status="ended",
        created_at=ago(hours=5),
        ended_at=ago(hours=4, minutes=20),
        models={"claude-opus-5-5": 300},
        **tally("1.87", succeeded=300, cut_short=41),
        note="max_tokens was too small",
    )
    put(
        service,
        "all",
        title="good-as-gold",
        status="ended",
        created_at=ago(days=2),
        ended_at=ago(days=2) + timedelta(minutes=33),
        **tally("7.40", succeeded=12_000),
    )
    put(
        service,
        "gone",
        title="last-winter",
        status="ended",
        created_at=ago(days=40),
        ended_at=ago(days=39),
        results="gone",
        counts=Counts(succeeded=5_000),
    )
    service.parts.poller.state = LookState(last_ok=ago(seconds=8), next_at=NOW + timedelta(seconds=22))


def furnished(data: Path, config: Config | None = None) -> Service:
    """A service with these batches."""
    service = make_service(data, config)
    furnish(service)
    return service


def record(**fields: object) -> BatchRecord:
    base = BatchRecord(
        local_id="20261122T060000Z-aaaaaa", id="msgbatch_1", run="r", created_at=ago(minutes=5), requests=10
    )
    return msgspec.structs.replace(base, **fields)
