"""A data folder with batches in it and a real service over it, without a network, for the screens' tests."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Coroutine, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from batchtui.config.load import Config
from batchtui.domain.batch import BatchRecord, Counts
from batchtui.domain.plan import Estimate
from batchtui.results.storage import ResultSink
from batchtui.service import Service
from batchtui.store import files
from batchtui.tui.app import BatchtuiApp

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MODEL = "claude-haiku-5-5"
BLOCKS: dict[str, list[dict[str, Any]]] = {
    "markdown": [
        {
            "type": "text",
            "text": "# Verdict\n\nThe review is **positive**, with one `caveat`:\n\n- fast delivery\n- weak *packaging*\n\n"
            "| aspect | score |\n|---|---|\n| price | 4 |\n| quality | 5 |\n\n```python\nprint('ok')\n```\n\n> quoted\n",
        }
    ],
    "thinking": [
        {"type": "thinking", "thinking": "First I weigh both sides.\nThen I decide.", "signature": "abc"},
        {"type": "redacted_thinking", "data": "ZZZZZZZZ"},
        {"type": "text", "text": "Both sides have a point."},
    ],
    "tool-use": [
        {"type": "text", "text": "I look it up."},
        {
            "type": "tool_use",
            "id": "toolu_1",
            "name": "get_weather",
            "input": {"city": "Paris", "days": 3, "units": None},
        },
    ],
    "search": [
        {
            "type": "server_tool_use",
            "id": "srv_1",
            "name": "web_search",
            "input": {"query": "height of the Eiffel tower"},
        },
        {
            "type": "web_search_tool_result",
            "tool_use_id": "srv_1",
            "content": [{"type": "web_search_result", "url": "https://example.org/eiffel", "title": "Eiffel tower"}],
        },
        {
            "type": "text",
            "text": "It is 330 m high.",
            "citations": [
                {
                    "type": "web_search_result_location",
                    "url": "https://example.org/eiffel",
                    "title": "Eiffel tower",
                    "cited_text": "330 metres",
                }
            ],
        },
    ],
    "odd-block": [{"type": "hologram", "depth": 3}, {"type": "text", "text": "And some text."}],
}


def line(custom_id: str, result: dict[str, Any]) -> bytes:
    """One result line."""
    return json.dumps({"custom_id": custom_id, "result": result}).encode() + b"\n"


def answered(
    custom_id: str, content: list[dict[str, Any]], *, stop: str = "end_turn", used: tuple[int, int] = (412, 96)
) -> bytes:
    """A line that succeeded."""
    usage = {"input_tokens": used[0], "output_tokens": used[1]}
    message = {
        "model": MODEL,
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "content": content,
        "stop_reason": stop,
        "usage": usage,
    }
    return line(custom_id, {"type": "succeeded", "message": message})


def failed(custom_id: str, kind: str, message: str) -> bytes:
    """A line that errored."""
    return line(
        custom_id,
        {
            "type": "errored",
            "error": {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"},
        },
    )


def request(custom_id: str, prompt: str, **params: Any) -> bytes:
    """One request line."""
    whole = {"model": MODEL, "max_tokens": 300, "messages": [{"role": "user", "content": prompt}], **params}
    return json.dumps({"custom_id": custom_id, "params": whole}).encode() + b"\n"


def mixed(count: int = 24) -> tuple[list[bytes], list[bytes]]:
    """Requests and results with every kind of block and outcome; one request has no result."""
    requests, results = [], []
    for name, blocks in BLOCKS.items():
        requests.append(request(name, f"Please do {name}.", system="You are brief."))
        results.append(answered(name, blocks))
    for number in range(count):
        custom_id = f"row-{number:03}"
        requests.append(
            request(custom_id, f"Summarise document {number}: the quick brown fox jumps over the lazy dog.")
        )
        results.append(_result(custom_id, number))
    requests.append(request("never-came", "Is anybody there?"))
    return requests, results


def _result(custom_id: str, number: int) -> bytes:
    if number % 8 == 3:
        return failed(custom_id, "overloaded_error", "Overloaded")
    if number % 8 == 5:
        return failed(custom_id, "invalid_request_error", f"max_tokens: {9000 + number} > 8192, which is the maximum")
    if number % 8 == 6:
        return answered(
            custom_id, [{"type": "text", "text": "The document says that"}], stop="max_tokens", used=(380, 300)
        )
    if number % 12 == 10:
        return line(custom_id, {"type": "expired"})
    if number % 12 == 8:
        return line(custom_id, {"type": "canceled"})
    return answered(
        custom_id,
        [{"type": "text", "text": f"Document {number} is about a fox and a dog."}],
        used=(300 + number, 40 + number),
    )


def add_batch(
    service: Service,
    requests: Sequence[bytes],
    lines: Sequence[bytes] | None,
    /,
    *,
    local_id: str = "20261122T110000Z-aaaaaa",
    **fields: Any,
) -> BatchRecord:
    """A batch in the store; its results are stored unless they are None."""
    folder = service.history.folder(local_id)
    folder.mkdir(parents=True, mode=0o700)
    (folder / "requests.jsonl").write_bytes(b"".join(requests))
    tally = None
    if lines is not None:
        sink = ResultSink(folder, expected=sum(1 for each in lines if each.strip()), prices=service.prices)
        for each in lines:
            sink.write(each)
        tally = sink.finish(accept_short=True)
    record = BatchRecord(
        **{
            "local_id": local_id,
            "id": f"msgbatch_{local_id[-6:]}",
            "run": local_id,
            "title": "reviews",
            "status": "ended",
            "requests": len(requests),
            "bytes": sum(map(len, requests)),
            "models": {MODEL: len(requests)},
            "counts": Counts(succeeded=len(lines or ())),
            "created_at": NOW - timedelta(hours=1),
            "ended_at": NOW - timedelta(minutes=30),
            "expires_at": NOW + timedelta(hours=23),
            "results": "stored" if lines is not None else "none",
            "tally": tally,
            "cost_usd": tally.cost_usd if tally else None,
            "estimate": Estimate(
                input_tokens=(9000, 14000), output_tokens=(900, 9000), batch_usd=(Decimal("0.0011"), Decimal("0.0042"))
            ),
            **fields,
        }
    )
    from batchtui.store.records import encode_record

    files.write_atomic(folder / "batch.json", encode_record(record))
    return record


class QuietEngine:
    """Runs the service's coroutines on a loop of its own, without its poller."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self.pending: set[Future[Any]] = set()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def start(self) -> None:
        """Nothing looks at a service in these tests."""

    def stop(self, timeout: float = 3.0) -> None:
        """End the loop."""
        self._loop.call_soon_threadsafe(self._loop.stop)

    def call(self, coro: Coroutine[Any, Any, Any]) -> Future[Any]:
        """Run a coroutine."""
        future = asyncio.run_coroutine_threadsafe(coro, self._loop)
        self.pending.add(future)
        # One turn of the loop later, when whoever waits for it was told.
        future.add_done_callback(lambda done: self._loop.call_soon_threadsafe(self.pending.discard, done))
        return future


def make_service(data: Path, config: Config | None = None) -> Service:
    """A real service over an empty data folder."""
    return Service(data, config or Config(), clock=lambda: NOW)


def make_app(service: Service) -> BatchtuiApp:
    """The real app over a service, its clock standing still."""
    return BatchtuiApp(service, QuietEngine(), clock=lambda: NOW)  # type: ignore[arg-type]
