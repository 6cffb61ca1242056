"""The process that renders the template of the new screen: one while the form is open, none afterwards; wide tables."""

from __future__ import annotations

from pathlib import Path

import psutil
from textual.widgets import Input, Static, TextArea

from batchtui.intake.template_process import WORKER
from batchtui.service import Service
from batchtui.tui.new.screen import NewScreen
from batchtui.tui.widgets.answer_view import AnswerView
from batchtui.tui.widgets.tab_line import TabLine
from tests.tui.new_form import TABLE, TEMPLATE, opened, preview
from tests.tui.waiting import until


def renderers() -> list[psutil.Process]:
    found = []
    for each in psutil.Process().children(recursive=True):
        try:
            if each.status() != psutil.STATUS_ZOMBIE and WORKER in each.cmdline():
                found.append(each)
        except psutil.Error:
            continue
    return found


async def test_one_process_while_the_form_is_open_and_none_afterwards(service: Service, tmp_path: Path) -> None:
    table = tmp_path / "reviews.csv"
    table.write_text(TABLE)
    async with opened(service, size=(120, 40)) as (app, pilot, screen):
        screen.query_one("#source-path", Input).value = str(table)
        await pilot.press("enter")
        await until(pilot, lambda: screen.query_one("#new-panes", TabLine).chosen == "template")
        text = screen.query_one("#template-text", TextArea)
        text.text = TEMPLATE
        await until(pilot, lambda: "Label: Great, really" in preview(screen))
        await until(pilot, lambda: screen.plan is not None and len(renderers()) == 1)
        [kept] = renderers()
        text.text = TEMPLATE.replace("Label", "Tag")
        await until(pilot, lambda: "Tag: Great, really" in preview(screen))
        await until(pilot, lambda: screen.plan is not None)
        assert renderers() == [kept]
        await until(pilot, lambda: not screen.checker.running)
        app.pop_screen()
        await until(pilot, lambda: not isinstance(app.screen, NewScreen) and not renderers())


async def test_a_template_that_runs_away_is_told_in_the_preview(service: Service, tmp_path: Path) -> None:
    table = tmp_path / "reviews.csv"
    table.write_text(TABLE)
    async with opened(service, size=(120, 40)) as (_, pilot, screen):
        screen.query_one("#source-path", Input).value = str(table)
        await pilot.press("enter")
        await until(pilot, lambda: screen.query_one("#new-panes", TabLine).chosen == "template")
        screen.query_one("#template-text", TextArea).text = TEMPLATE.replace("{{ text }}", "{{ 'x' * 10 ** 10 }}")
        await until(pilot, lambda: "of memory" in preview(screen))
        screen.query_one("#template-text", TextArea).text = TEMPLATE
        await until(pilot, lambda: "Label: Great, really" in preview(screen))


async def test_a_table_of_forty_thousand_columns_opens(service: Service, tmp_path: Path) -> None:
    wide = 40_000
    names = ",".join(f"c{number}" for number in range(wide))
    table = tmp_path / "wide.csv"
    table.write_text(f"id,text,{names}\n" + f"1,hello,{','.join('x' * wide)}\n" * 3)
    async with opened(service, size=(120, 40)) as (_, pilot, screen):
        screen.query_one("#source-path", Input).value = str(table)
        await pilot.press("enter")
        await until(pilot, lambda: screen.query_one("#new-panes", TabLine).chosen == "template")
        assert f"and {wide + 2 - 200:,} more" in str(screen.query_one("#template-columns", Static).content)
        screen.query_one("#template-text", TextArea).text = TEMPLATE
        await until(pilot, lambda: "Label: hello" in preview(screen))
        assert screen.query_one("#template-preview", AnswerView).is_attached
