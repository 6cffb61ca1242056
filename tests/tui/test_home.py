"""Home, driven by its keys."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from batchtui.config.load import Config, Profile, Screen
from batchtui.domain.batch import RemoteBatch
from batchtui.domain.errors import NoNetwork
from batchtui.domain.schedule import LookState
from batchtui.domain.work import Progress
from batchtui.service import events
from batchtui.tui import terminal
from batchtui.tui.app import BatchtuiApp
from batchtui.tui.commands import last_error_text
from batchtui.tui.dialogs import Ask, Choose, Confirm, EditModal, Reading
from batchtui.tui.help import HelpScreen
from batchtui.tui.home.model import SORTS
from batchtui.tui.messages import Happened
from batchtui.tui.remote_batches import RemoteBatchesScreen
from batchtui.tui.widgets.key_line import KeyLine
from batchtui.tui.widgets.status_line import StatusLine
from tests.tui.home_data import ago, furnished, put
from tests.tui.waiting import settled, until
from tests.tui.work import NOW, add_batch, make_app, make_service, mixed

SIZE = (80, 24)


@pytest.fixture
def app(tmp_path: Path) -> BatchtuiApp:
    return make_app(furnished(tmp_path))


def title_at_cursor(app: BatchtuiApp) -> str:
    line = app.home.line
    return line.records[0].title if line else ""


async def go(app: BatchtuiApp, pilot: Pilot[Any], title: str) -> None:
    """Put the cursor on a batch."""
    app.home.go_to(next(r for r in app.home.model.records.values() if r.title == title))
    await pilot.pause()


def shown(app: BatchtuiApp) -> str:
    """The list's lines as they are on the screen."""
    batches = app.home.batches
    return "\n".join(batches._line(y).text for y in range(batches.size.height))


async def test_the_first_row_is_what_wants_the_person(app: BatchtuiApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        assert title_at_cursor(app) == "translate-faq"
        assert "4 need attention" in str(app.home.query_one("#title").render())


async def test_an_empty_list_says_what_to_do_first(tmp_path: Path) -> None:
    app = make_app(make_service(tmp_path))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        text = str(app.home.query_one("#empty").render())
        assert app.home.query_one("#empty").display
        assert "import a file" in text and "batchtui demo" in text


async def test_a_changed_record_changes_its_row_and_nothing_else(app: BatchtuiApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        record = next(r for r in app.home.model.records.values() if r.title == "news-summaries")
        await settled(pilot)
        app.post_message(Happened(events.RecordChanged(record, record)))
        await until(pilot, lambda: not app.home._dirty)
        assert not app.home.batches._repaint_regions
        app.post_message(Happened(events.RecordChanged(msgspec.structs.replace(record, title="renamed"), record)))
        await until(pilot, lambda: "renamed" in shown(app))
        app.post_message(Happened(events.RecordRemoved(record.local_id)))
        await until(pilot, lambda: "renamed" not in shown(app))


async def test_a_transfer_shows_in_its_row_while_it_lasts(app: BatchtuiApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        record = next(r for r in app.home.model.records.values() if r.title == "march-eval")
        other = next(r for r in app.home.model.records.values() if r.title == "good-as-gold")
        for each in (record, other):
            app.post_message(Happened(events.Transfer(each.local_id, Progress(stage="storing", done=37, total=100))))
        await until(pilot, lambda: "37% storing" in shown(app))
        app.post_message(Happened(events.Transfer(other.local_id, None)))
        await until(pilot, lambda: "12,000" in shown(app))


async def test_the_line_of_facts_tells_when_it_looked_and_since_when_it_is_blind(app: BatchtuiApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        line = app.home.query_one(StatusLine)
        await pilot.pause()
        assert line._facts[0] == "checked 5 s ago · next check in 20 s"
        blind = LookState(last_ok=ago(minutes=9), blind_since=ago(minutes=5), next_at=NOW, error="no connection")
        app.post_message(Happened(events.Looked(blind)))
        await until(pilot, lambda: "offline since 11:55" in line._facts[0])
        assert line._facts[1] == "warn" and "no connection" in line._facts[0]


async def test_trouble_stays_readable_until_escape(app: BatchtuiApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        app.post_message(Happened(events.Trouble("the disk is full", "free some room")))
        line = app.home.query_one(StatusLine)
        await until(pilot, lambda: line.said == "the disk is full")
        await pilot.press("j", "k")
        assert line.said == "the disk is full"
        await pilot.press("escape")
        assert line.said == ""


async def test_filter_narrows_as_one_types_and_escape_takes_it_away(app: BatchtuiApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("slash", *"model:opus")
        assert len(app.home.model.lines) == 1 and title_at_cursor(app) == "poems"
        await pilot.press("enter")
        assert app.home.batches.has_focus and len(app.home.model.lines) == 1
        await pilot.press("slash", *" age<soon")
        assert "can't read age" in app.home.query_one(StatusLine).said
        await pilot.press("escape", "escape")
        assert len(app.home.model.lines) > 10 and app.home.batches.has_focus


async def test_sort_goes_round_and_turns(app: BatchtuiApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("s")
        assert app.home.model.sort == "name" and "Batch▴" in shown(app)
        await pilot.press("S")
        assert "Batch▾" in shown(app)
        for _ in SORTS[1:]:
            await pilot.press("s")
        assert app.home.model.sort == "attention"


async def test_a_run_folds_and_unfolds(app: BatchtuiApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await go(app, pilot, "labels")
        before = len(app.home.model.lines)
        await pilot.press("left")
        assert len(app.home.model.lines) == before - 3 and title_at_cursor(app) == "labels"
        await pilot.press("right")
        assert len(app.home.model.lines) == before
        await pilot.press("z")
        assert len(app.home.model.lines) == before - 3


async def test_cancel_asks_with_no_in_focus_and_does_only_what_a_yes_says(app: BatchtuiApp, monkeypatch: Any) -> None:
    asked: list[list[str]] = []

    async def cancel(local_ids: list[str]) -> dict[str, Any]:
        asked.append(local_ids)
        return {i: NoNetwork("no connection", advice="try again") for i in local_ids}

    monkeypatch.setattr(app.service, "cancel", cancel)
    async with app.run_test(size=SIZE) as pilot:
        await go(app, pilot, "news-summaries")
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        assert app.focused is not None and app.focused.id == "no"
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is app.home)
        assert asked == []
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: asked and app.home.query_one(StatusLine).said)
        assert "no connection" in app.home.query_one(StatusLine).said


async def test_cancel_of_what_has_ended_says_so(app: BatchtuiApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await go(app, pilot, "poems")
        await pilot.press("c")
        await until(pilot, lambda: "nothing to cancel" in app.home.query_one(StatusLine).said)


async def test_an_action_never_touches_another_profiles_batch(tmp_path: Path) -> None:
    service = furnished(tmp_path)
    put(service, "theirs", title="theirs", profile="work")
    app = make_app(service)
    async with app.run_test(size=SIZE) as pilot:
        await go(app, pilot, "theirs")
        await pilot.press("c")
        await until(pilot, lambda: "profile work" in app.home.query_one(StatusLine).said)
        assert app.screen is app.home


async def test_delete_keeps_by_default_and_deletes_here_for_what_was_marked(app: BatchtuiApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await go(app, pilot, "news week 44")
        await pilot.press("space", "space", "d")
        await until(pilot, lambda: isinstance(app.screen, Choose))
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is app.home)
        count = len(app.service.records())
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, Choose))
        await pilot.press("j", "j", "enter")
        await until(pilot, lambda: len(app.service.records()) == count - 2)
        await until(pilot, lambda: not app.home.batches.marks)


async def test_an_unconfirmed_batch_is_put_to_the_person(app: BatchtuiApp, monkeypatch: Any) -> None:
    taken: list[str] = []

    async def adopt(local_id: str, remote_id: str) -> Any:
        taken.append(remote_id)
        return app.service.resolve(local_id)

    monkeypatch.setattr(app.service, "adopt_candidate", adopt)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, Choose))
        assert app.screen.query_one(OptionList).highlighted == 0
        await pilot.press("j", "j", "enter")
        await until(pilot, lambda: taken == ["msgbatch_01bbbb"])


async def test_giving_up_an_unconfirmed_batch_makes_it_refused(app: BatchtuiApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, Choose))
        await pilot.press("up", "enter")
        record = next(r for r in app.service.records() if r.title == "translate-faq")
        await until(pilot, lambda: app.service.resolve(record.local_id).status == "refused")


async def test_title_and_note_are_changed_in_place(app: BatchtuiApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await go(app, pilot, "poems")
        await pilot.press("e")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await pilot.press("end", *" two", "enter", "end", "enter")
        await until(pilot, lambda: "poems two" in shown(app))


async def test_enter_on_what_runs_shows_its_facts(app: BatchtuiApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await go(app, pilot, "news-summaries")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, Reading))
        await pilot.press("escape")
        assert app.screen is app.home


async def test_many_marked_batches_are_exported_into_a_folder(tmp_path: Path) -> None:
    service = make_service(tmp_path / "data")
    requests, results = mixed(8)
    for number in range(2):
        add_batch(
            service, requests, results[:-1], local_id=f"20261122T11000{number}Z-aaaaa{number}", title=f"set {number}"
        )
    app = make_app(service)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("asterisk", "x")
        await until(pilot, lambda: isinstance(app.screen, Ask))
        app.screen.query_one(Input).value = str(tmp_path / "out")
        await pilot.press("enter")
        await until(pilot, lambda: app.home.query_one(StatusLine).said.startswith("Exported"))
    lines = (tmp_path / "out" / "set-0.jsonl").read_text().splitlines()
    assert len(lines) == len(results) - 1 and json.loads(lines[0])["custom_id"]


async def test_batches_made_elsewhere_come_page_by_page_and_are_adopted(app: BatchtuiApp, monkeypatch: Any) -> None:
    pages = {None: (0, "p1"), "p1": (30, None)}

    async def elsewhere(after_id: str | None = None) -> Any:
        start, following = pages[after_id]
        made = [
            RemoteBatch(id=f"msgbatch_x{start + i:02}", processing_status="ended", created_at=NOW) for i in range(30)
        ]
        return made, following

    monkeypatch.setattr(app.service, "untracked", elsewhere)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("o")
        await until(pilot, lambda: isinstance(app.screen, RemoteBatchesScreen) and len(app.screen.rows) == 30)
        screen = app.screen
        assert isinstance(screen, RemoteBatchesScreen)
        await pilot.press("G")
        await until(pilot, lambda: len(screen.rows) == 60)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, EditModal))
        await pilot.press(*"theirs", "enter", *"by cron", "enter")
        kept = lambda r: r.title == "theirs" and r.note == "by cron" and r.foreign  # noqa: E731
        await until(pilot, lambda: any(map(kept, app.service.records())))
        await pilot.press("escape")
        assert app.screen is app.home


async def test_help_lists_the_true_keys(tmp_path: Path) -> None:
    app = make_app(furnished(tmp_path, Config(keys={"cancel": "ctrl+k", "nonsense": "x", "retry": "n"})))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        footer = str(app.home.query_one(KeyLine).render())
        assert "^k cancel" in footer and "c cancel" not in footer.replace("^k cancel", "")
        complaints = " ".join(app.config_problems)
        assert "'nonsense' is not an action" in complaints and "both" in complaints
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
        assert "^k" in str(app.screen._text)


async def test_a_switch_of_profile_shows_whose_rows_are_whose(tmp_path: Path) -> None:
    app = make_app(furnished(tmp_path, Config(profiles={"work": Profile(base_url="http://127.0.0.1:9")})))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("p")
        await until(pilot, lambda: isinstance(app.screen, Choose))
        await pilot.press("down", "enter")
        await until(pilot, lambda: app.service.profile.name == "work")
        await until(pilot, lambda: app.home.rows.own_profile == "work")
        app.service_thread.stop()


async def test_the_palette_finds_a_batch_by_name(app: BatchtuiApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("ctrl+p")
        await pilot.pause()
        await pilot.press(*"good-as")
        await until(pilot, lambda: app.screen.query_one(OptionList).option_count >= 1)
        await settled(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: title_at_cursor(app) == "good-as-gold")


async def test_an_error_in_a_handler_is_shown_and_the_app_lives_on(
    app: BatchtuiApp, bugs: list[Any], monkeypatch: Any
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise KeyError("oops")

    async with app.run_test(size=SIZE) as pilot:
        monkeypatch.setattr(app.home, "sort_by", broken)
        await pilot.press("s")
        await until(pilot, lambda: "KeyError" in app.home.query_one(StatusLine).said)
        await pilot.press("j")
        assert app.home.batches.cursor == 1
        assert "KeyError" in last_error_text() and app.is_running
    assert len(bugs) == 1
    bugs.clear()


async def test_quitting_asks_only_while_something_is_sent(tmp_path: Path) -> None:
    service = furnished(tmp_path)
    put(service, "sendin", title="sending", status="submitting", id=None)
    app = make_app(service)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("q")
        assert isinstance(app.screen, Confirm)
        await pilot.press("n")
        assert app.is_running and app.screen is app.home
        await pilot.press("q", "y")
        await until(pilot, lambda: app.return_value == 0)


async def test_config_chooses_theme_columns_and_signs(tmp_path: Path) -> None:
    screen = Screen(theme="high-contrast", ascii=True, columns=("cost", "age"))
    app = make_app(furnished(tmp_path, Config(screen=screen)))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        assert app.theme == "high-contrast"
        assert shown(app).isascii()
        assert shown(app).splitlines()[0].split() == ["Batch", "Cost", "Age"]


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (200, 60), (20, 8)])
async def test_every_size_can_be_drawn(app: BatchtuiApp, size: tuple[int, int]) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await pilot.resize_terminal(*size)
        await pilot.press("j", "v", "escape", "question_mark", "escape", "dollar_sign", "escape")
        assert app.home.has_class("wide") == (size[0] >= 110)


def test_nothing_in_a_title_ends_the_window_title_early() -> None:
    assert terminal.window_title("a\x07b\x1b]0;x").count("\x07") == 1


async def test_pages_with_hardly_a_batch_of_others_are_gone_through_until_the_screen_is_full(
    app: BatchtuiApp, monkeypatch: Any
) -> None:
    asked: list[str | None] = []

    async def elsewhere(after_id: str | None = None) -> Any:
        asked.append(after_id)
        number = len(asked)
        made = [RemoteBatch(id=f"msgbatch_y{number:02}", processing_status="ended", created_at=NOW)]
        return made if number % 2 else [], f"p{number}" if number < 7 else None

    monkeypatch.setattr(app.service, "untracked", elsewhere)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("o")
        await until(pilot, lambda: isinstance(app.screen, RemoteBatchesScreen) and len(app.screen.rows) == 4)
        assert asked == [None, *(f"p{n}" for n in range(1, 7))]
        await pilot.press("m")
        await until(pilot, lambda: "No more batches" in app.screen.query_one(StatusLine).said)


async def test_a_page_that_fails_says_no_more_than_what_is_known(app: BatchtuiApp, monkeypatch: Any) -> None:
    async def elsewhere(after_id: str | None = None) -> Any:
        raise NoNetwork("the service can't be reached", advice="see that there is a network")

    monkeypatch.setattr(app.service, "untracked", elsewhere)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("o")
        await until(pilot, lambda: isinstance(app.screen, RemoteBatchesScreen))
        line = app.screen.query_one(StatusLine)
        await until(pilot, lambda: "can't be reached" in line.said)
        assert "tracked here" not in app.export_screenshot()


async def test_marks_that_a_filter_hides_are_left_alone_and_counted(app: BatchtuiApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        home = app.home
        await until(pilot, lambda: len(home.model.lines) > 2)
        await pilot.press("asterisk")
        marked = len(home.batches.marks)
        home.model.query = "status:running"
        home.rearrange()
        shown = {line.key for line in home.model.lines}
        assert 0 < len(home.hidden_marks()) < marked
        assert all(("batch", r.local_id) in shown or ("run", r.run) in shown for r in home.chosen())
        home.model.query = "nothing-is-called-so"
        home.rearrange()
        assert home.chosen() == []
        await pilot.press("c")
        await until(pilot, lambda: "all marked batches are hidden" in home.query_one(StatusLine).said)


async def test_the_title_counts_what_is_looked_at_and_a_run_is_reckoned_whole_under_a_filter(tmp_path: Path) -> None:
    service = furnished(tmp_path)
    put(service, "theirs", profile="other", status="in_progress")
    app = make_app(service)
    async with app.run_test(size=SIZE) as pilot:
        home = app.home
        await until(pilot, lambda: len(home.model.lines) > 2)
        running = sum(
            1
            for r in home.model.records.values()
            if r.status in ("in_progress", "canceling") and r.profile == "default"
        )
        assert f"{running} running" in home.query_one("#title").render().plain  # type: ignore[union-attr]
        run = next(g for g in home.model.groups if len(g.whole) > 2)
        before = run.requests, run.good, run.cost
        home.model.query = f"status:{run.records[0].status}"
        home.rearrange()
        again = next(g for g in home.model.groups if g.run == run.run)
        assert (again.requests, again.good, again.cost) == before


async def test_batches_of_two_profiles_are_not_exported_together(tmp_path: Path) -> None:
    service = make_service(tmp_path / "data")
    for end in ("aaaaaa", "bbbbbb"):
        add_batch(service, *mixed(3), local_id=f"20261122T110000Z-{end}")
    record = service.records()[0]
    service.history.update(record.local_id, lambda r: msgspec.structs.replace(r, profile="other"))
    app = make_app(service)
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: len(app.home.model.lines) == 2)
        await pilot.press("asterisk", "x")
        await until(pilot, lambda: "different profiles" in app.home.query_one(StatusLine).said)
        assert app.screen is app.home


async def test_what_a_batch_of_a_run_is_called_by_itself_outlives_a_name_for_the_run(tmp_path: Path) -> None:
    service = make_service(tmp_path / "data")
    for end, title in (("aaaaaa", "eval"), ("bbbbbb", "eval"), ("cccccc", "the odd one")):
        name = f"20261122T110000Z-{end}"
        add_batch(service, *mixed(3), local_id=name, run="20261122T000000Z-run", title=title)
    app = make_app(service)
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: len(app.home.model.lines) > 0)
        app.home.batches.move_to_key(("run", "20261122T000000Z-run"))
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, EditModal))
        await pilot.press("ctrl+u", *"march", "ctrl+s")
        await until(pilot, lambda: sorted(r.title for r in service.records()) == ["march", "march", "the odd one"])


async def test_asking_anew_while_a_page_is_on_its_way_begins_with_the_first(app: BatchtuiApp, monkeypatch: Any) -> None:
    asked: list[str | None] = []
    held = asyncio.Event()

    async def let_go() -> None:
        held.set()

    async def elsewhere(after_id: str | None = None) -> Any:
        asked.append(after_id)
        if len(asked) == 1:
            await held.wait()
            return [RemoteBatch(id="msgbatch_old", processing_status="ended", created_at=NOW)], "p1"
        return [RemoteBatch(id="msgbatch_new", processing_status="ended", created_at=NOW)], None

    monkeypatch.setattr(app.service, "untracked", elsewhere)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("o")
        await until(pilot, lambda: asked == [None])
        await pilot.press("R")
        await until(pilot, lambda: asked == [None, None])
        app.service_thread.call(let_go())
        screen = app.screen
        assert isinstance(screen, RemoteBatchesScreen)
        await until(pilot, lambda: [b.id for b in screen.rows.batches] == ["msgbatch_new"])
        await settled(pilot)
        assert [b.id for b in screen.rows.batches] == ["msgbatch_new"] and len(asked) == 2
