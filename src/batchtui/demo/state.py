"""The demo server's shared state, and the authentication of its calls."""

from __future__ import annotations

import re
import time
from collections import Counter, deque
from pathlib import Path

from starlette.requests import Request

from batchtui.demo.batches import BatchStore
from batchtui.demo.faults import FaultBook
from batchtui.demo.protocol import ApiError, DemoClock, DemoOptions, betas_of

_VERSION = re.compile(r"20\d\d-\d\d-\d\d\Z")
_BETA = re.compile(r"[a-z0-9-]+-20\d\d-\d\d-\d\d\Z")
_BAD_KEYS = ("bad", "wrong", "invalid", "revoked")


class Demo:
    """What all calls share: the batches, the faults in force, the clock, and what was counted."""

    def __init__(self, data: Path, options: DemoOptions) -> None:
        self.options = options
        self.clock = DemoClock()
        self.faults = FaultBook(options.faults)
        self.store = BatchStore(data / "server" / "batches", options, self.clock)
        self.calls: Counter[str] = Counter()
        """Requests seen, by call."""
        self.creates = 0
        """Batches made since the start."""
        self._recent: deque[float] = deque()

    def admit(self, request: Request) -> None:
        """Raise ApiError when the request has no good key, no version, or comes too soon."""
        key = (
            request.headers.get("x-api-key") or request.headers.get("authorization", "").removeprefix("Bearer").strip()
        )
        if not key:
            raise ApiError(401, "x-api-key header is required")
        words = key.lower().split("-")
        if any(word in words for word in _BAD_KEYS):
            raise ApiError(401)
        if "forbidden" in words:
            raise ApiError(403)
        if "broke" in words:
            raise ApiError(402)
        version = request.headers.get("anthropic-version", "")
        if not version:
            raise ApiError(400, "anthropic-version: header is required")
        if not _VERSION.match(version):
            raise ApiError(400, f'anthropic-version: "{version[:40]}" is not a valid version')
        for beta in betas_of(request):
            if not _BETA.match(beta):
                raise ApiError(400, f"Unexpected value(s) `{beta[:60]}` for the `anthropic-beta` header")
        self._pace()

    def _pace(self) -> None:
        limit = self.options.rate_limit
        if limit is None:
            return
        now = time.monotonic()
        while self._recent and self._recent[0] < now - 60:
            self._recent.popleft()
        if len(self._recent) >= limit:
            wait = max(1, int(self._recent[0] + 60 - now) + 1)
            raise ApiError(429, headers={"retry-after": str(wait)})
        self._recent.append(now)

    def age(self, call: str, batch_id: str) -> float | None:
        """Seconds since a batch was made, or for its results since it ended; None when it is not known."""
        try:
            batch = self.store.get(batch_id, None)
        except ApiError:
            return None
        since = batch.meta.ended_at if call == "results" else batch.meta.created_at
        return (self.clock.now() - since).total_seconds() if since else None
