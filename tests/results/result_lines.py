"""Makes result lines and batch folders for the tests of the store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from batchtui.domain.batch import Tally
from batchtui.domain.money import load_prices
from batchtui.results.storage import ResultSink, open_results
from batchtui.results.view import ResultSet

PRICES = load_prices()
MODEL = "claude-sonnet-5-5"


def line(custom_id: str, result: dict[str, Any]) -> bytes:
    return json.dumps({"custom_id": custom_id, "result": result}, separators=(",", ":")).encode() + b"\n"


def good(custom_id: str, text: str = "Fine.", *, stop: str = "end_turn", model: str = MODEL, **usage: Any) -> bytes:
    content = [{"type": "text", "text": text}]
    return message(custom_id, content, stop=stop, model=model, **usage)


def message(
    custom_id: str,
    content: list[Any],
    *,
    stop: str = "end_turn",
    model: str = MODEL,
    ascii_only: bool = True,
    **usage: Any,
) -> bytes:
    used = {"input_tokens": 100, "output_tokens": 20, **usage}
    whole = {
        "model": model,
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": used,
    }
    value = {"custom_id": custom_id, "result": {"type": "succeeded", "message": whole}}
    return json.dumps(value, separators=(",", ":"), ensure_ascii=ascii_only).encode() + b"\n"


def errored(custom_id: str, kind: str = "overloaded_error", text: str = "Overloaded", code: str | None = None) -> bytes:
    details = {"error_code": code} if code else None
    error = {"type": "error", "error": {"type": kind, "message": text, "details": details}, "request_id": None}
    return line(custom_id, {"type": "errored", "error": error})


def expired(custom_id: str) -> bytes:
    return line(custom_id, {"type": "expired"})


def canceled(custom_id: str) -> bytes:
    return line(custom_id, {"type": "canceled"})


def request(custom_id: str, prompt: str = "Say something.", **params: Any) -> bytes:
    whole = {"model": MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": prompt}], **params}
    return json.dumps({"custom_id": custom_id, "params": whole}, separators=(",", ":")).encode() + b"\n"


def batch(
    folder: Path, lines: list[bytes], ids: list[str] | None = None, *, requests: list[bytes] | None = None
) -> ResultSet:
    """A batch's folder with these results (and requests for ``ids``), opened."""
    store(folder, lines, ids, requests=requests)
    return open_results(folder, PRICES)


def store(
    folder: Path, lines: list[bytes], ids: list[str] | None = None, *, requests: list[bytes] | None = None
) -> Tally:
    """The same, closed: returns what the sink counted."""
    folder.mkdir(parents=True, exist_ok=True)
    if ids is not None or requests is not None:
        (folder / "requests.jsonl").write_bytes(b"".join(requests or [request(i) for i in ids or []]))
    sink = ResultSink(folder, expected=0, prices=PRICES)
    sink.write(b"".join(lines))
    return sink.finish(accept_short=True)
