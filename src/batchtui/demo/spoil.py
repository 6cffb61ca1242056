"""Spoils results as faults ask for: cut, torn, stalled, and lines that should not be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import msgspec

from batchtui.demo.faults import RESULT_FAULTS, Fault

_EVERY = 10
_DEEP = 20_000
_PIECE = 64 * 1024


def spoils(faults: Sequence[Fault]) -> bool:
    """True when any fault changes the results."""
    return any(fault.name in RESULT_FAULTS or fault.name == "unknown" for fault in faults)


async def spoiled(path: Path, faults: Sequence[Fault], break_off: Callable[[], None]) -> AsyncIterator[bytes]:
    """The results file as the faults leave it; ``break_off`` closes the connection under it."""
    size = path.stat().st_size
    ending = next((fault for fault in faults if fault.name in ("cut", "tear", "stall")), None)
    until = int(size * ending.number) if ending else size
    pending = bytearray()
    sent = 0
    with path.open("rb") as file:
        for number, line in enumerate(file):
            if sent + len(line) > until:
                if ending and ending.name != "cut":
                    pending += line[: max(1, len(line) // 2)]
                break
            sent += len(line)
            pending += _changed(line, number, faults)
            if len(pending) > _PIECE:
                yield bytes(pending)
                pending.clear()
                await asyncio.sleep(0)
    yield bytes(pending)
    if ending and ending.name == "tear":
        break_off()
        await asyncio.sleep(0.05)
    elif ending and ending.name == "stall":
        await asyncio.sleep(3600)


def _changed(line: bytes, number: int, faults: Sequence[Fault]) -> bytes:
    for fault in faults:
        change = _CHANGES.get(fault.name)
        if change is not None and line:
            line = change(line, number, fault)
    return line


def _every_tenth(change: Callable[[bytes], bytes]) -> Callable[[bytes, int, Fault], bytes]:
    return lambda line, number, fault: change(line) if number % _EVERY == _EVERY // 2 else line


def _unknown(line: bytes, number: int, fault: Fault) -> bytes:
    body = msgspec.json.decode(line)
    body["sent_by"] = "a newer service"
    if number % _EVERY == _EVERY // 2:
        body["result"] = {"type": "deferred", "until": "2027-01-01T00:00:00Z", "reason": {"code": "simulated"}}
    elif body["result"]["type"] == "succeeded":
        message = body["result"]["message"]
        message["mood"] = "[simulated] a field of the future"
        message["usage"]["daydream_tokens"] = 3
        message["content"].append({"type": "hologram", "data": "[simulated] a block of the future"})
    return msgspec.json.encode(body) + b"\n"


def _in_text(line: bytes, more: bytes) -> bytes:
    return line.replace(b"[simulated]", b"[simulated]" + more, 1)


def _long(line: bytes, number: int, fault: Fault) -> bytes:
    return _in_text(line, b" long" * (int(fault.number) // 5)) if number == 0 else line


def _only_sixth(change: Callable[[bytes], bytes]) -> Callable[[bytes, int, Fault], bytes]:
    return lambda line, number, fault: change(line) if number == _EVERY // 2 else line


def _of_another(line: bytes) -> bytes:
    return line.replace(b'"custom_id":"', b'"custom_id":"stranger-', 1)


_CHANGES: dict[str, Callable[[bytes, int, Fault], bytes]] = {
    "unknown": _unknown,
    "short-count": _every_tenth(lambda line: b""),
    "duplicate-lines": _every_tenth(lambda line: line + line),
    "blank-lines": _every_tenth(lambda line: line + b"\n   \n"),
    "foreign-ids": _every_tenth(_of_another),
    "other-batch": lambda line, number, fault: _of_another(line),
    "garbage-line": _only_sixth(lambda line: b"<html>not JSON</html>\n"),
    "foreign-line": _only_sixth(_of_another),
    "surrogate": _every_tenth(lambda line: _in_text(line, b"\\ud83d lone \\udc00")),
    "bad-line": _every_tenth(lambda line: line + b'{"custom_id":"half\n<html>not JSON</html>\n'),
    "bad-utf8": _every_tenth(lambda line: _in_text(line, b"\xff\xc3(")),
    "deep-line": _every_tenth(lambda line: line.rstrip()[:-1] + b',"deep":' + b"[" * _DEEP + b"]" * _DEEP + b"}\n"),
    "long-line": _long,
}
