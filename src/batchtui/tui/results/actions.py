"""Actions of the results screen: errors, retry, export, copy, compare, fetch."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, cast

from batchtui import safetext
from batchtui.domain.errors import BatchtuiError
from batchtui.domain.outcome import ErrorGroup
from batchtui.present import batch, numbers
from batchtui.store import files
from batchtui.tui import bindings
from batchtui.tui.base import run_task
from batchtui.tui.dialogs import Choose
from batchtui.tui.results.detail import DetailPane
from batchtui.tui.terminal import edit_text
from batchtui.tui.widgets.row_list import RowList

if TYPE_CHECKING:
    from batchtui.tui.results.screen import ResultsScreen

OSC52_LIMIT = 70_000
"""Terminals and tmux cut longer clipboard writes, in bytes of base64."""


class Hands:
    """Mixed into the results screen: its actions that open something else or leave the program for a while."""

    @property
    def _me(self) -> ResultsScreen:
        return cast("ResultsScreen", self)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that would do nothing here are not offered."""
        me = self._me
        if action == "fetch":
            return me.record is not None and me.record.id is not None and me.record.status == "ended"
        if action == "run":
            return me.record is not None and (me.run or self._run_size() > 1)
        if action in (
            "groups",
            "retry",
            "export",
            "copy",
            "pager",
            "editor",
            "compare",
            "filter",
            "sort",
            "reverse",
            "mode",
        ):
            return me.view is not None
        return True

    def _run_size(self) -> int:
        me = self._me
        return sum(record.run == me.record.run for record in me.service.records()) if me.record is not None else 0

    def chosen_rows(self) -> list[int]:
        """What an action is meant for: the marked rows, or all that are shown; in the order of the view."""
        me = self._me
        marks = me.query_one(RowList).marks
        return sorted(cast("frozenset[int]", marks)) if marks else sorted(me.rows)

    def action_groups(self) -> None:
        """Errors grouped, of the rows that are shown."""
        run_task(self._me, self._groups(), opens=True)

    async def _groups(self) -> None:
        from batchtui.tui.results.error_groups import GroupsScreen

        me = self._me
        assert me.view is not None
        groups = await me.in_thread(me.view.groups, me.rows)
        if not groups:
            shown = "Every request shown" if len(me.rows) < len(me.view) else "Every request"
            me.say(f"{shown} has a usable answer." if me.rows else "Nothing is shown here.", level="good")
            return
        chosen: tuple[ErrorGroup, bool] | None = await me.app.push_screen_wait(GroupsScreen(groups))
        if chosen is None:
            return
        group, again = chosen
        column = me.view.column("group")
        rows = sorted(row for row in me.rows if column[row] == group.number)
        me.show_group(group)
        if again:
            await self._retry(rows)

    def action_retry(self) -> None:
        """Send again what is marked, or what is shown."""
        run_task(self._me, self._retry(), opens=True)

    async def _retry(self, group: list[int] | None = None) -> None:
        """Send again what is marked or shown, or the rows of a ``group``."""
        from batchtui.tui.results.retry import RetryScreen, failed_or_short, not_usable

        me = self._me
        assert me.view is not None and me.record is not None
        view, rows = me.view, self.chosen_rows() if group is None else group
        alone = sum(1 for r in me.service.records() if r.run == me.record.run) == 1
        if not (me.run or alone):
            # What another batch of the run answered by now is not to be paid again.
            view = await me.in_thread(me.service.open_results, me.local_id, run=True)
            names = {me.view.id(row) for row in rows}
            rows = [row for row, name in enumerate(view.ids()) if name in names]
        if group is not None or not me.query_one(RowList).marks:
            chosen = await failed_or_short(me.app, *not_usable(view, rows))
            if chosen is None:
                return
            rows = chosen
        if not rows:
            me.say("Nothing shown here needs a retry; mark rows with space to send good ones again.")
            return
        await me.app.push_screen_wait(RetryScreen(me.record, view, rows))

    def action_export(self) -> None:
        """Write what is shown, or marked, to a file."""
        run_task(self._me, self._export(), opens=True)

    async def _export(self) -> None:
        from batchtui.tui.results.export import ExportScreen

        me = self._me
        assert me.view is not None and me.record is not None
        marks = me.query_one(RowList).marks
        rows = self.chosen_rows() if marks else list(me.rows)
        name = safetext.filename(re.sub(r"\.[a-z]+$", "", batch.name(me.record)))
        said = await me.app.push_screen_wait(ExportScreen(me.view, rows, name, whole=len(rows) == len(me.view)))
        if said:
            me.say(said, level="good")

    def action_copy(self, raw: bool = False) -> None:
        """Copy the answer, and keep it in a file for terminals that refuse; ``raw`` copies it as received."""
        run_task(self._me, self._copy(raw or self._me.service.config.screen.copy_raw))

    async def _copy(self, raw: bool) -> None:
        me = self._me
        if not me.rows:
            me.say("Nothing is shown here that could be copied.")
            return
        await me.show_now()
        received = me.query_one(DetailPane).text()
        clean = received if raw else safetext.copied(received)
        text = clean.encode("utf-8", "replace")
        path = me.service.data / "copied.txt"
        await me.in_thread(files.write_atomic, path, text)
        other = "" if raw or safetext.copied_whole(received) else self._how_raw()
        if len(text) * 4 // 3 <= OSC52_LIMIT:
            me.tui.copy_to_clipboard(text.decode("utf-8"), raw=raw)
            said = f"Copied {numbers.plural(len(clean), 'character')}{' as received' if raw else ''}"
            me.say(f"{said}. {other}Also saved to {path}", level="good")
        else:
            me.say(f"Too long for a terminal's clipboard. {other}Saved to {path}", level="warn")

    def _how_raw(self) -> str:
        """What cleaning changed, and the key that copies the answer as received."""
        key = bindings.true_key(self._me.service.config.keys, type(self._me), "copy.raw")
        return f"Control characters are copied as signs; press {key} to copy them as received. "

    def action_pager(self) -> None:
        """Request and answer in $PAGER."""
        run_task(self._me, self._outside(os.environ.get("PAGER") or "less"), opens=True)

    def action_editor(self) -> None:
        """Request and answer in $EDITOR."""
        run_task(self._me, self._outside(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"), opens=True)

    async def _outside(self, command: str) -> None:
        me = self._me
        await me.show_now()
        text = safetext.block(me.query_one(DetailPane).whole(), 100_000_000, 10_000_000)
        _, trouble = edit_text(me.app, text, command, ".md")
        if trouble:
            me.say(trouble, advice="set PAGER or EDITOR", level="bad")

    def action_run(self) -> None:
        """The whole run merged, or this batch alone."""
        me = self._me
        me.run = not me.run
        me.open()

    def action_fetch(self) -> None:
        """Fetch the results now."""
        run_task(self._me, self._fetch())

    async def _fetch(self) -> None:
        me = self._me
        if me.view is None:
            me.show_message("Downloading the results…")
        else:
            me.say("Downloading the results again…")
        before = me.record.results if me.record is not None else ""
        try:
            after = await me.ask(me.service.fetch(me.local_id, again=True))
        except BatchtuiError as error:
            me.open()
            me.fail(error)
            return
        if before == "stored":
            me.say("Downloaded again: what is here holds all that came.", level="good")
        me.record = after
        me.open()

    def action_compare(self) -> None:
        """Choose another batch or run, and compare."""
        run_task(self._me, self._compare(), opens=True)

    async def _compare(self) -> None:
        from batchtui.tui.results.compare import CompareScreen

        me = self._me
        assert me.view is not None and me.record is not None
        run = me.record.run if me.run else ""
        others = [
            r
            for r in me.service.records()
            if r.results == "stored" and r.local_id != me.local_id and (r.run != run or not run)
        ]
        if not others:
            me.say("There is no other batch with results to compare with.")
            return
        choices = [
            (
                r.local_id,
                f"{batch.name(r)} {batch.part_name(r)}  {numbers.plural(r.requests, 'request')}  {batch.cost(r)}",
            )
            for r in others[:200]
        ]
        chosen = await me.app.push_screen_wait(Choose("Compare with", choices))
        if chosen is not None:
            await me.app.push_screen(CompareScreen(me.local_id, chosen, runs=me.run))
