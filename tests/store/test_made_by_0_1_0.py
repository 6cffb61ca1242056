"""A data folder and a config.toml that 0.1.0 wrote are read as they were; nothing but records and indexes is written anew.

``made_by_0_1_0`` was made with 0.1.0's own program and its demo server: three submits and a retry, two drafts.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from batchtui.config.load import Config, Profile, load_config
from batchtui.domain.batch import SCHEMA_VERSION
from batchtui.intake.compose import Form, Turn
from batchtui.intake.drafts import Draft, list_drafts, load_draft
from batchtui.results.text import read_answer
from batchtui.service import Service

MADE = Path(__file__).parent / "made_by_0_1_0"
DERIVED = ("batch.json", "results.index", ".lock")
"""Records are brought up to date, indexes are made from the rest."""
ENDED = {
    # local id: title, attempt, succeeded, cut short, errored
    "20261127T233531Z-t8wjhr": ("questions", 0, 2, 0, 0),
    "20261127T233614Z-dbw7py": ("Cities", 0, 0, 0, 3),
    "20261127T233652Z-je577k": ("Towns", 0, 3, 3, 0),
    "20261127T233716Z-tt79ay": ("Towns", 1, 3, 0, 0),
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A copy, private as 0.1.0 made it."""
    made = tmp_path / "data"
    shutil.copytree(MADE / "data", made)
    for path in (made, *made.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    return made


def service_over(data: Path) -> Service:
    """A service as the demo's profile, which these batches are of."""
    who = Profile(name="demo", base_url="http://demo.localhost")
    return Service(data, Config(profiles={"demo": who}), profile="demo")


def contents(data: Path) -> dict[str, str]:
    return {
        str(path.relative_to(data)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in data.rglob("*")
        if path.is_file() and path.name not in DERIVED
    }


def test_records_hold_what_they_held(data: Path) -> None:
    service = service_over(data)
    for local_id, (title, attempt, succeeded, cut_short, errored) in ENDED.items():
        record = service.resolve(local_id)
        assert (record.title, record.attempt, record.status, record.results) == (title, attempt, "ended", "stored")
        assert record.tally is not None
        assert (record.tally.succeeded, record.tally.cut_short, record.tally.errored) == (succeeded, cut_short, errored)
    assert len(service.records()) == len(ENDED) and not service.unreadable()
    for path in data.rglob("batch.json"):
        before: dict[str, Any] = json.loads((MADE / "data" / path.relative_to(data)).read_bytes(), parse_float=Decimal)
        after: dict[str, Any] = json.loads(path.read_bytes(), parse_float=Decimal)
        assert (before.pop("schema"), after.pop("schema")) == (1, SCHEMA_VERSION)
        assert {name: after[name] for name in before} == before
        assert path.with_name("batch.json.v1").read_bytes() == (MADE / "data" / path.relative_to(data)).read_bytes()


def test_results_answers_runs_and_retries_are_as_they_were(data: Path) -> None:
    before = contents(data)
    service = service_over(data)
    for local_id, (_, _, succeeded, _, errored) in ENDED.items():
        view = service.open_results(local_id)
        lines = (data / "batches" / local_id / "results.jsonl").read_bytes().splitlines()
        assert sorted(view.raw(row) for row in range(len(view))) == sorted(lines)
        answers = [read_answer(view.raw(row)) for row in range(len(view))]
        assert sum(each.text is not None for each in answers) == succeeded
        assert sum(bool(each.error) for each in answers) == errored
        assert service.resolve(local_id).tally == view.tally
    run = service.open_results("20261127T233716Z-tt79ay", run=True)
    assert (len(run), run.counts()["good"], run.good_after()) == (3, 3, [(0, 0), (1, 3)])
    with service.retry(["20261127T233614Z-dbw7py"]) as retry:
        plan = retry.plan(retry.rows())
    assert plan.retried == {"20261127T233614Z-dbw7py": 3}
    service.discard(plan)
    assert before.items() <= contents(data).items()


def test_drafts_open_as_they_were_left(data: Path) -> None:
    assert sorted(list_drafts(data)) == ["towns", "two-questions"]
    towns, questions = load_draft(data, "towns"), load_draft(data, "two-questions")
    assert (towns.title, towns.sources, towns.template_path) == ("Towns", ("cities.csv",), "ask.toml")
    assert towns.skip_bad and "known for?" in towns.template_text
    assert questions == Draft(
        name="two-questions",
        saved_at=questions.saved_at,
        title="By hand",
        cache_prefix=True,
        forms=(
            Form(
                custom_id="a",
                model="claude-haiku-4-5",
                max_tokens="500",
                system="Be brief.",
                turns=(Turn("user", "Which river is the longest?"), Turn("assistant", "The")),
            ),
            Form(
                custom_id="b",
                extra_json='{"metadata": {"user_id": "u1"}}',
                turns=(Turn("user", "Und der höchste Berg?"),),
            ),
        ),
    )


def test_every_setting_of_its_config_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    shutil.copy(MADE / "config.toml", path)
    before = os.stat(path).st_mtime_ns, path.read_bytes()
    config = load_config(path)
    assert not config.warnings
    profile = config.profile()
    assert (profile.name, profile.api_key_env, profile.queue_limit) == ("work", "WORK_ANTHROPIC_KEY", 200_000)
    assert (config.max_cost, profile.max_cost) == (Decimal("25.0"), Decimal("10.0"))
    assert (config.settle.looks, config.settle.seconds, config.settle.leeway_seconds) == (6, 180.0, 300.0)
    assert (config.screen.theme, config.keys) == ("textual-dark", {"cancel": "ctrl+k"})
    assert (os.stat(path).st_mtime_ns, path.read_bytes()) == before
