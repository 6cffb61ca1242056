"""One pace for the service's waits: what is done and how often stays as it is, only the seconds between are fewer."""

from __future__ import annotations

import functools
import os
import ssl
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import httpcore2
import pytest

from batchtui.config import load
from batchtui.domain.batch import BatchRecord
from batchtui.service import fetcher, poll_loop, presence, reconcile, sender
from batchtui.service.poll_loop import Poller

PACE = 0.05
"""The share that is left of the wait before the poller's next look."""
HURRIED = """import sys
import pytest
from tests.quick import hurry
hurry(pytest.MonkeyPatch())
from batchtui.cli import main
main(sys.argv[1:])
"""
"""The program with these waits, for a ``tests.preloaded.Child``."""
SOON = 0.02
"""Seconds before whatever failed is tried again, and between looks at the disk of one who waits."""


def trust_the_disk() -> None:
    """No wait for the disk: no test switches the machine off, and what a killed process wrote is there all the same."""

    def fsync(file: Any) -> None:
        os.fstat(file if isinstance(file, int) else file.fileno())

    os.fsync = os.fdatasync = fsync


def read_certificates_once() -> None:
    """Every client reads the system's certificates, which takes longer than a whole call to the demo server."""
    real = httpcore2.default_ssl_context

    @functools.cache
    def read(trust_env: bool, file: str | None, folder: str | None) -> ssl.SSLContext:
        return real(_trust_env=trust_env)

    def context(*, _trust_env: bool = True) -> ssl.SSLContext:
        return read(_trust_env, os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))

    httpcore2.default_ssl_context = context


def unbounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a config.toml ask for fewer and quicker checks than a person's may."""
    monkeypatch.setattr(load, "SETTLE_BOUNDS", {})


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make all waits between looks and tries short."""
    real = poll_loop.next_look

    def sooner(records: Iterable[BatchRecord], now: datetime, last: datetime) -> datetime:
        return last + (real(records, now, last) - last) * PACE

    monkeypatch.setattr(poll_loop, "next_look", sooner)
    monkeypatch.setattr(poll_loop, "after_failure", lambda error, failures: SOON)
    monkeypatch.setattr(presence, "UNKNOWN_AFTER", timedelta(seconds=SOON))
    monkeypatch.setattr(presence, "unknown_delay", lambda looks: SOON)
    monkeypatch.setattr(reconcile, "settle_delay", lambda looks: SOON)
    monkeypatch.setattr(sender, "settle_delay", lambda looks: SOON)
    monkeypatch.setattr(sender, "resend_delay", lambda posts: SOON)
    monkeypatch.setattr(sender, "_TRY_AFTER", SOON)
    monkeypatch.setattr(fetcher, "fetch_delay", lambda tries: SOON)
    for loop in (Poller.until, Poller.until_clear):
        monkeypatch.setitem(loop.__kwdefaults__, "tick", SOON)
