"""A text shown as Markdown keeps its tags and what stands between them: prompts and answers are full of them."""

from __future__ import annotations

import pytest
from textual.app import App, ComposeResult
from textual.widgets.markdown import MarkdownBlock

from batchtui.tui.widgets.answer_view import AnswerView, Section
from tests.tui.waiting import until

TEXTS = (
    "Is this right?\n\n<comment>\nToo **expensive**.\n</comment>\n\n<label>\nnegative\n</label>",
    "<answer>only this</answer>",
    "Say <b>twice</b>, <!-- aside --> then stop.",
    "- <item>one</item>\n- two",
    "See [1].\n\n[1]: http://example.org/source",
)


class Shown(App[None]):
    def compose(self) -> ComposeResult:
        yield AnswerView("answer")


@pytest.mark.parametrize("text", TEXTS)
async def test_no_word_between_tags_is_left_out(text: str) -> None:
    async with Shown().run_test(size=(80, 24)) as pilot:
        view = pilot.app.query_one(AnswerView)
        await view.show([Section("", text, "prose")])

        def words() -> str:
            return " ".join(str(each._content) for each in view.query(MarkdownBlock))

        wanted = text.replace("*", " ").replace("- ", " ").split()
        await until(pilot, lambda: words() != "")
        assert [word for word in wanted if word not in words()] == []
