"""No test touches the person's own folders, key or network."""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.preloaded import FORKING, STARTERS
from tests.quick import read_certificates_once, trust_the_disk

_SCRUBBED = (
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_PROFILE",
    "ANTHROPIC_BASE_URL",
    "ANTHROPIC_CUSTOM_HEADERS",
)


settings.register_profile("short", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("long", settings.get_profile("short"), max_examples=500)


def pytest_configure(config: pytest.Config) -> None:
    """A shell has what runs in the background ignore SIGINT, nohup SIGHUP, and children would inherit that."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: None)  # A handler is not inherited; ours still outlives a hang-up.
    trust_the_disk()
    read_certificates_once()
    for name in STARTERS:
        importlib.import_module(name)
    settings.load_profile("long" if config.option.markexpr == "slow" else "short")
    # An app is a hundred thousand objects that live and die together: looking for garbage more often takes a fifth of a test.
    gc.set_threshold(300_000, 5, 5)


def pytest_collection_finish() -> None:
    """What is imported by now is never garbage."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Data, config, cache and home are new and empty for every test."""
    home = tmp_path_factory.mktemp("home")
    for name in _SCRUBBED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("BATCHTUI_DATA_DIR", str(home / "data"))
    monkeypatch.setenv("BATCHTUI_CONFIG_DIR", str(home / "config"))
    monkeypatch.setenv("BATCHTUI_CACHE_DIR", str(home / "cache"))
    monkeypatch.setenv("ANTHROPIC_CONFIG_DIR", str(home / "sdk"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return home


STARTING = frozenset({"test_template_process.py", "test_new_template_process.py"})
"""Files that test how a process of ours is started, and that it ends."""


@pytest.fixture(autouse=True)
def processes_are_forked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes of ours (the demo server, what renders templates) cost little to start."""
    for name in STARTERS if request.path.name not in STARTING else ():
        monkeypatch.setattr(sys.modules[name], "subprocess", FORKING)


os.environ.setdefault("LANG", "C.UTF-8")
