"""Makes the results of a batch from its requests: a pure, repeatable job on files.

Small batches are done in a thread of the server, large ones in a process of their own (``python -m
batchtui.demo.results JOB``, a file of JSON), so that the server keeps answering.
"""

from __future__ import annotations

import mmap
import os
import random
import sys
import threading
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from batchtui.demo import answers, outcomes
from batchtui.demo.protocol import NO_CREDIT
from batchtui.demo.request_check import BadParams, DemoParams, read
from batchtui.domain.batch import Counts
from batchtui.store import files

_WINDOW = 1_024
_FLUSH = 256 * 1024
_ENCODE = msgspec.json.Encoder().encode
_FAILED = {
    "overloaded_error": ("Overloaded", "Overloaded. Please try again later"),
    "api_error": ("Internal server error", "An unexpected error occurred while processing request {key}"),
    "timeout_error": ("Request timed out after {seconds} seconds",),
    "rate_limit_error": (
        "This request would exceed the rate limit for your organization of {seconds},000 input tokens per minute",
    ),
}


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """All that the results of one batch depend on."""

    body: bytes
    offsets: bytes
    """Paths, as the file system has them: the body as received, and where its requests lie in it."""
    out: bytes
    """Where the results go, whole or not at all."""
    batch_id: str
    version: str
    betas: tuple[str, ...] = ()
    failure_rate: float = 0.055
    answer_bytes: int | None = None
    canceled_after: float = 2.0
    """Share of the batch's time after which requests are canceled; above 1 none is."""
    expired_after: float = 2.0
    """Share of the batch's time after which requests expire; above 1 none does."""
    struck: tuple[int, ...] = ()
    """Keys of requests that failed by chance before, and will not now."""


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a job."""

    counts: Counts
    bytes: int
    struck: tuple[int, ...]
    """Keys that chance struck, or spared because it had before."""


class Halted(Exception):
    """The job was stopped; nothing was left behind."""


class _Element(msgspec.Struct):
    custom_id: str
    params: msgspec.Raw


_ELEMENT = msgspec.json.Decoder(_Element)


def run(job: Job, stop: threading.Event | None = None) -> Done:
    """Write the results file of a batch; raises Halted when ``stop`` is set, StoreError for the disk."""
    counts = dict.fromkeys(("succeeded", "errored", "canceled", "expired"), 0)
    hits: list[int] = []
    before = frozenset(job.struck)
    pending = bytearray()
    total = 0
    with files.atomic(Path(os.fsdecode(job.out))) as out:
        for piece in _pieces(job):
            if stop is not None and stop.is_set():
                raise Halted
            custom_id, result, hit = _result(job, piece, before)
            if hit is not None:
                hits.append(hit)
            counts[result["type"]] += 1
            pending += _ENCODE({"custom_id": custom_id, "result": result})
            pending += b"\n"
            if len(pending) > _FLUSH:
                total += out.write(pending)
                pending.clear()
        total += out.write(pending)
    return Done(counts=Counts(**counts), bytes=total, struck=tuple(hits))


def _pieces(job: Job) -> Iterator[bytes]:
    """The requests in an order of their own: shuffled within windows, as results come in any order."""
    places = array("Q")
    raw = Path(os.fsdecode(job.offsets)).read_bytes()
    places.frombytes(raw)
    shuffle = random.Random(job.batch_id).shuffle  # noqa: S311 - an order, not a secret
    with Path(os.fsdecode(job.body)).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as body:
        for first in range(0, len(places) // 2, _WINDOW):
            window = list(range(first, min(first + _WINDOW, len(places) // 2)))
            shuffle(window)
            for number in window:
                yield body[places[2 * number] : places[2 * number + 1]]
            done = places[2 * window[0]] - places[2 * window[0]] % mmap.PAGESIZE
            if hasattr(body, "madvise") and done:
                body.madvise(mmap.MADV_DONTNEED, 0, done)


def _result(job: Job, piece: bytes, before: frozenset[int]) -> tuple[str, dict[str, Any], int | None]:
    """(custom_id, the result, the key when chance had a hand in it)."""
    element = _ELEMENT.decode(piece)
    try:
        params = read(element.params, version=job.version, betas=job.betas)
    except BadParams as error:
        return element.custom_id, _errored(error.kind, str(error)), None
    question = answers.question_of(params)
    outcome = _outcome(job, element.custom_id, params, question, before)
    share = outcome.share
    if share > job.canceled_after:
        return element.custom_id, {"type": "canceled"}, None
    if share > job.expired_after:
        return element.custom_id, {"type": "expired"}, None
    if outcome.word == "error":
        result = _errored("invalid_request_error", "messages.0.content: the demo was told to refuse this request")
    elif outcome.word == "credit":
        result = _errored("invalid_request_error", NO_CREDIT)
    elif outcome.failure == "expired":
        result = {"type": "expired"}
    elif outcome.failure:
        choices = _FAILED[outcome.failure]
        words = choices[outcome.dice % len(choices)].format(key=f"{outcome.key:016x}", seconds=60 + outcome.dice % 540)
        result = _errored(outcome.failure, words)
    else:
        result = _succeeded(job, params, question, outcome)
    strays = outcome.odd_key and not outcome.failure and answers.schema_of(params) is not None
    return element.custom_id, result, outcome.noted if outcome.counted else outcome.odd_key if strays else None


def _succeeded(job: Job, params: DemoParams, question: str, outcome: outcomes.SimulatedOutcome) -> dict[str, Any]:
    try:
        message = answers.message(params, question, outcome, answer_bytes=job.answer_bytes)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        # Params that the check let through and the simulation can't follow fail alone, as they do at the API.
        return _errored("api_error", "Internal server error")
    return {"type": "succeeded", "message": message}


def _outcome(
    job: Job, custom_id: str, params: DemoParams, question: str, before: frozenset[int]
) -> outcomes.SimulatedOutcome:
    user_id = str((params.metadata or {}).get("user_id") or "")
    asked = question.encode("utf-8", "surrogatepass")
    return outcomes.decide(custom_id, asked, user_id, job.failure_rate, before, params.model)


def _errored(kind: str, words: str) -> dict[str, Any]:
    error = {"details": {"error_visibility": "user_facing"}, "type": kind, "message": words}
    return {"type": "errored", "error": {"type": "error", "error": error, "request_id": None}}


def main() -> None:
    """Do the job in the file that is named; what came of it goes to standard output as JSON."""
    job = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Job)
    sys.stdout.buffer.write(msgspec.json.encode(run(job)))


if __name__ == "__main__":
    main()
