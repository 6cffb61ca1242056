"""Drafts: what names one, what is in it, and which are listed."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from batchtui.intake.compose import Form, Turn
from batchtui.intake.drafts import (
    BegunDraft,
    Draft,
    UnreadableDraft,
    first_words,
    models_of,
    name_for,
    read_drafts,
    save_draft,
)
from batchtui.intake.options import RunChoice

TEMPLATE = 'model = "claude-haiku-5-5"\nprompt = """\nLabel the mood of this\nreview in one word: {{ text }}"""\n'
CHAT = '[[messages]]\nrole = "user"\ncontent = "Rank it"\n'
COMPOSED = (Form(model="claude-opus-5", turns=(Turn(text=" \n"), Turn(text="Which river\nis the longest?"))),)


@pytest.mark.parametrize(
    ("draft", "words", "models"),
    [
        (
            Draft(name="", title=" October  evaluation ", template_text=TEMPLATE),
            "October evaluation",
            "claude-haiku-5-5",
        ),
        (Draft(name="", template_text=TEMPLATE), "Label the mood of this review", "claude-haiku-5-5"),
        (Draft(name="", template_text=TEMPLATE, default_model="m"), "Label the mood of this review", "m"),
        (Draft(name="", template_text=CHAT), "Rank it", ""),
        (Draft(name="", template_text="prompt = [\n", sources=("data/a b.csv",)), "a b", ""),
        (Draft(name="", forms=COMPOSED), "Which river is the longest?", "claude-opus-5"),
        (
            Draft(name="", forms=COMPOSED, sources=("a.csv",), mode="write"),
            "Which river is the longest?",
            "claude-opus-5",
        ),
        (Draft(name="", forms=COMPOSED, sources=("a.csv",), template_text=CHAT, mode="files"), "Rank it", ""),
        (Draft(name=""), "", ""),
    ],
)
def test_a_draft_is_named_by_its_first_words(draft: Draft, words: str, models: str) -> None:
    assert first_words(draft) == words
    assert " ".join(models_of(draft)) == models


def test_the_name_of_a_file_is_free_and_its_date_stands_first() -> None:
    today = date(2026, 11, 28)
    draft = Draft(name="", title="Label: ../{{ x }}")
    assert name_for(draft, today, ()) == "2026-11-28-Label-..-x"
    assert name_for(draft, today, ("2026-11-28-Label-..-x", "2026-11-28-Label-..-x-2")) == "2026-11-28-Label-..-x-3"
    assert name_for(Draft(name="", title="分类"), today, ()) == name_for(Draft(name=""), today, ()) == "2026-11-28"


def test_drafts_are_read_latest_first_and_one_that_cant_be_read_does_not_hide_the_others(tmp_path: Path) -> None:
    for at, name in enumerate(("old", "bad", "new"), 1_800_000_000):
        os.utime(save_draft(tmp_path, Draft(name=name, requests=3, mode="files")), (at, at))
    bad = tmp_path / "drafts" / "bad.toml"
    bad.write_text("name = [")
    os.utime(bad, (1_800_000_001, 1_800_000_001))
    (tmp_path / "drafts" / "new.toml").rename(tmp_path / "drafts" / "copied by hand.toml")
    new, unreadable, old = read_drafts(tmp_path)
    assert isinstance(unreadable, UnreadableDraft) and "can't be read" in unreadable.problem
    assert isinstance(old, Draft) and (old.name, old.requests, old.mode) == ("old", 3, "files")
    assert isinstance(new, Draft) and new.name == "copied by hand"
    assert [each.name for each in read_drafts(tmp_path, 1)] == ["copied by hand"]


def test_a_draft_of_0_1_0_is_what_it_was(tmp_path: Path) -> None:
    (tmp_path / "drafts").mkdir()
    old = tmp_path / "drafts" / "one.toml"
    old.write_text('name = "one"\ntitle = ""\nsources = []\n\n[[forms]]\nmodel = "m"\nturns = [{text = "Hi"}]\n')
    os.utime(old, (1_800_000_000, 1_800_000_000))
    (draft,) = read_drafts(tmp_path)
    assert isinstance(draft, Draft) and draft.composing and first_words(draft) == "Hi"
    assert draft.saved_at == datetime.fromtimestamp(1_800_000_000, UTC) and draft.requests is None


def test_a_draft_keeps_which_rows_of_a_run_are_meant(tmp_path: Path) -> None:
    for choice in (RunChoice(), RunChoice(only=("all",), ids=frozenset({"a", "b"}), words="2 rows")):
        begun = BegunDraft(
            source="run:labels", choice=choice, again="20261127T000000Z-aaaaaa", words="2 rows of labels"
        )
        save_draft(tmp_path, Draft(name="one", begun=begun))
        (draft,) = read_drafts(tmp_path)
        assert isinstance(draft, Draft) and draft.begun == begun


def test_what_is_no_draft_hides_no_draft(tmp_path: Path) -> None:
    save_draft(tmp_path, Draft(name="one"))
    folder = tmp_path / "drafts"
    (folder / "link.toml").symlink_to(tmp_path / "nothing")
    (folder / "folder.toml").mkdir()
    os.mkfifo(folder / "pipe.toml")
    (folder / "newer.toml").write_text('name = "x"\nmode = "a third"\n')
    assert {each.name for each in read_drafts(tmp_path) if isinstance(each, UnreadableDraft)} == {
        "folder",
        "pipe",
        "newer",
    }
    assert [each.name for each in read_drafts(tmp_path) if isinstance(each, Draft)] == ["one"]
