"""A source that changes between the check and the submit of one call is never sent unseen."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from batchtui.cli import words
from batchtui.cli.session import Session
from batchtui.domain.plan import Plan
from batchtui.domain.work import Progress, Work
from batchtui.intake.options import IntakeOptions
from batchtui.intake.plan import make_plan
from batchtui.intake.source_watch import changed
from batchtui.service import Service
from tests.cli.calling import Caller
from tests.tui.work import request


def after_check(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Do something once a plan was shown, as another program would."""
    say = words.say_plan

    def said(plan: Plan) -> None:
        say(plan)
        act()

    monkeypatch.setattr(words, "say_plan", said)


def test_without_a_person_nothing_is_sent(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    source = call.source()
    after_check(monkeypatch, lambda: source.write_bytes(request("late", "x")))
    said = call("submit", source, "--yes")
    assert said.code == 2
    assert f"{source} changed after the check; nothing was sent" in said.err
    assert call.demo.stats()["creates"] == 0
    assert json.loads(call("list", "--all", "--json").out) == []
    assert not list((call.folder / "data" / "plans").iterdir())


def test_a_template_that_changes_is_told_too(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    table, template = call.folder / "rows.csv", call.folder / "t.toml"
    table.write_text("id,text\na,hello\n")
    text = 'model = "claude-haiku-5-5"\nmax_tokens = 50\nprompt = "One: {{ text }}"\n'
    template.write_text(text)
    after_check(monkeypatch, lambda: template.write_text(text.replace("One", "Two")))
    said = call("submit", table, "--template", template, "--yes")
    assert said.code == 2 and f"{template} changed" in said.err
    assert call.demo.stats()["creates"] == 0


def test_a_person_sees_the_new_plan_and_is_asked_again(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    source = call.source(3)
    asked: list[str] = []

    def confirm(session: Session, question: str) -> bool:
        asked.append(question)
        if len(asked) == 1:
            with source.open("ab") as file:
                file.write(request("late", "x"))
        return True

    monkeypatch.setattr(Session, "asks", property(lambda session: True))
    monkeypatch.setattr(Session, "confirm", confirm)
    said = call("submit", source)
    assert said.code == 0 and "checking again" in said.err
    assert len(asked) == 2
    assert [each["requests"] for each in json.loads(call("list", "--all", "--json").out)] == [4]


def plan_of(sources: list[Path], staging: Path, **options: Any) -> Plan:
    from batchtui.domain.money import load_prices

    return make_plan([str(path) for path in sources], IntakeOptions(**options), prices=load_prices(), staging=staging)


def test_times_alone_tell_nothing_and_a_byte_tells_all(tmp_path: Path) -> None:
    import os

    source = tmp_path / "a.jsonl"
    source.write_bytes(request("a", "first"))
    plan = plan_of([source], tmp_path / "staged")
    assert plan.origin is not None and changed(plan.origin) == ()
    before = source.stat()
    os.utime(source, (1, 1))
    assert changed(plan.origin) == ()
    source.write_bytes(request("a", "other"))
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert source.stat().st_size == before.st_size
    assert changed(plan.origin) == (str(source),)
    source.unlink()
    assert changed(plan.origin) == (str(source),)


def test_a_folder_changes_with_each_of_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.jsonl").write_bytes(request("a", "x"))
    (folder / "notes.bin").write_bytes(b"\x00\x01" * 100)
    plan = plan_of([folder], tmp_path / "staged", skip_bad=True, skipped_path=folder / "bad.jsonl")
    assert plan.origin is not None and changed(plan.origin) == ()
    (folder / "bad.jsonl").write_text("ours")
    assert changed(plan.origin) == ()
    (folder / "b.jsonl").write_bytes(request("b", "x"))
    assert changed(plan.origin) == (str(folder),)
    (folder / "b.jsonl").unlink()
    assert changed(plan.origin) == ()


def test_a_file_that_is_written_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    source = tmp_path / "a.jsonl"
    source.write_bytes(request("a", "x" * 3_000_000) + request("b", "x" * 3_000_000))
    grown = False

    def grow(progress: Progress) -> None:
        nonlocal grown
        if not grown:
            grown = True
            with source.open("ab") as file:
                file.write(request("c", "x"))

    from batchtui.domain.money import load_prices

    plan = make_plan([str(source)], IntakeOptions(), prices=load_prices(), staging=tmp_path / "s", work=Work(grow))
    assert grown and not plan.ok
    assert any(group.code == "source_changed" for group in plan.problems)


async def test_the_service_refuses_what_changed(tmp_path: Path) -> None:
    from batchtui.domain.errors import SourceChanged
    from tests.tui.work import make_service

    service: Service = make_service(tmp_path / "data")
    source = tmp_path / "a.jsonl"
    source.write_bytes(request("a", "x"))
    plan = service.plan([str(source)])
    source.write_bytes(request("b", "x"))
    with pytest.raises(SourceChanged, match="changed after the check"):
        await service.submit(plan)
