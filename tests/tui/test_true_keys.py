"""Texts of the screens name the keys that are bound, also where [keys] in config.toml chooses others."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from textual.widgets import Button

from batchtui import tui
from batchtui.config.load import Config
from batchtui.tui import bindings, config_check
from batchtui.tui.dialogs import Confirm
from batchtui.tui.results.export import ExportScreen
from tests.tui.labelled import labels
from tests.tui.picture import text_of
from tests.tui.waiting import settled
from tests.tui.work import make_app, make_service

LITERAL = re.compile(
    r"""\b(?:[Pp]ress|with|then|or)\ (?!a\b|Enter|Esc\b)(?:\w|[^\w\s'"{`]|f\d+|ctrl\+\w)(?=[\s:,;.)]|$)  # press r
    |\bctrl\+\w|\^[a-z]\b                                                                     # anywhere
    |(?:^|[\s:;(])(?!a\b|I\b|s\b)(?:[a-zA-Z]|f\d+)\ (?:shows|opens|adds|lists|continues|checks|downloads|retries|exports)\b
    |\ \ [a-z]$                                                                               # on a button
    """,
    re.VERBOSE,
)
KEYS = {
    "results.tab1": "f6",
    "results.tab6": "f7",
    "yes": "J",
    "refresh": "f8",
    "export.columns": "f9",
    "import": "f10",
}


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """What a module says, its docstrings and declarations of keys apart."""
    tree = ast.parse(path.read_text())
    apart = set[int]()
    for node in ast.walk(tree):
        declares = isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("bind", "Binding", "Column")
        if declares or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            apart.update(map(id, ast.walk(node)))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in apart:
            yield node.lineno, node.value


def test_no_text_names_a_key_by_itself() -> None:
    root = Path(tui.__file__).parent
    said = [
        f"{path.relative_to(root)}:{line}: {text!r}"
        for path in sorted(root.rglob("*.py"))
        if path.name != "bindings.py"
        for line, text in texts(path)
        if " " in text and "{{" not in text and LITERAL.search(text)
    ]
    assert said == []


def test_one_name_has_one_first_key_everywhere() -> None:
    found: dict[str, set[str]] = {}
    for declared in bindings.bindings_of(config_check._classes()).values():
        for name, binding in declared.items():
            found.setdefault(name, set()).add(binding.key.split(",")[0])
    several = {name: keys for name, keys in found.items() if len(keys) > 1}
    assert several == {}


async def test_texts_name_the_keys_that_were_chosen(tmp_path: Path) -> None:
    service = make_service(tmp_path, Config(keys=KEYS))
    labels(service, 10)
    app = make_app(service)
    async with app.run_test(size=(160, 24)) as pilot:
        assert bindings.sign_of("import") == "f10"
        await pilot.press("enter")
        await settled(pilot)
        assert "f6 All" in text_of(app) and "2 Usable" in text_of(app)
        await pilot.press("f7")
        await settled(pilot)
        assert "No request was canceled." in text_of(app) and "Press f6 to show all results." in text_of(app)
        await pilot.press("f6", "x")
        await settled(pilot)
        assert isinstance(app.screen, ExportScreen)
        app.screen.query_one("#export-path").value = "a.csv"  # type: ignore[attr-defined]
        await settled(pilot)
        assert "f9: columns: default" in text_of(app)
        await app.push_screen(Confirm("Sure?", yes="Send"))
        await settled(pilot)
        assert str(app.screen.query_one("#yes", Button).label) == "Send  J"
        await pilot.press("J")
        assert isinstance(app.screen, ExportScreen)
