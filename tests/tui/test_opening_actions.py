"""Whatever opens a screen or hands the terminal over from a worker is marked, so that what is typed meanwhile waits for it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import batchtui.tui

OPENERS = frozenset({"push_screen", "push_screen_wait", "switch_screen", "suspend"})
OURS = frozenset({"self", "me", "screen", "home", "app", "super()"})
"""What functions of the screens are called on."""


class Function:
    """A function of the screens: what it calls itself, and what it runs beside."""

    def __init__(self, module: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.module = module
        self.name = node.name
        self.worker = any(_name(each) == "work" for each in node.decorator_list)
        self.calls: set[str] = set()
        self.beside: list[tuple[int, set[str], bool]] = []
        """Each ``run_task``: its line, what it runs, whether it is marked as opening."""
        left: list[ast.AST] = list(node.body)
        while left:
            each = left.pop()
            if isinstance(each, ast.Call):
                self._take(each)
            if not (isinstance(each, ast.Call) and _name(each) == "run_task"):
                left += ast.iter_child_nodes(each)

    def _take(self, call: ast.Call) -> None:
        name = _name(call)
        if name == "run_task":
            marked = any(each.arg == "opens" for each in call.keywords)
            self.beside.append((call.lineno, _coroutines(call.args[1]), marked))
        elif name in OPENERS or not isinstance(call.func, ast.Attribute):
            self.calls.add(name)
        else:
            on = call.func.value
            last = on.attr.lstrip("_") if isinstance(on, ast.Attribute) else ast.unparse(on)
            self.calls |= {name} if last in OURS else set()


def _name(node: ast.AST) -> str:
    found = node.func if isinstance(node, ast.Call) else node
    return found.attr if isinstance(found, ast.Attribute) else found.id if isinstance(found, ast.Name) else ""


def _coroutines(given: ast.expr) -> set[str]:
    """Names of the coroutine functions that an argument of ``run_task`` may come from."""
    if isinstance(given, ast.Call):
        return _coroutines(given.func)
    if isinstance(given, ast.IfExp):
        return _coroutines(given.body) | _coroutines(given.orelse)
    return {_name(given)}


@cache
def functions() -> list[Function]:
    """Every function of the screens."""
    root = Path(batchtui.tui.__file__).parent
    trees = {str(each): ast.parse(each.read_text("utf-8")) for each in sorted(root.rglob("*.py"))}
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [Function(name, node) for name, tree in trees.items() for node in ast.walk(tree) if isinstance(node, kinds)]


@cache
def meant(module: str, name: str) -> list[Function]:
    """The functions that a call in a module may mean: the module's own before others'."""
    all_ = [each for each in functions() if each.name == name]
    return [each for each in all_ if each.module == module] or all_


@cache
def opening() -> frozenset[Function]:
    """Functions that open something, themselves or by others."""
    known: set[Function] = {each for each in functions() if each.calls & OPENERS}
    while True:
        more = {
            each for each in functions() if any(not known.isdisjoint(meant(each.module, name)) for name in each.calls)
        }
        if more <= known:
            return frozenset(known)
        known |= more


def works() -> Iterator[tuple[str, set[str], bool, bool]]:
    """Each ``run_task`` in the code: where, what it runs, whether it is marked, and whether it opens anything."""
    for each in functions():
        for line, names, marked in each.beside:
            opens = any(not opening().isdisjoint(meant(each.module, name)) for name in names)
            yield f"{Path(each.module).name}:{line} {each.name}", names, marked, opens


def test_whatever_opens_something_from_a_worker_is_marked() -> None:
    found = list(works())
    assert len(found) > 30
    assert sum(opens for *_, opens in found) > 15
    assert [where for where, _, marked, opens in found if opens and not marked] == []


def test_what_opens_nothing_holds_no_keys_back() -> None:
    # A screen that is left once its draft is kept changes what a key means as well.
    held = [where for where, names, marked, opens in works() if marked and not opens and names != {"_leave"}]
    assert held == []


def test_no_other_worker_opens_anything() -> None:
    assert [each.name for each in functions() if each.worker and each in opening()] == []
    assert [each.name for each in functions() if "run_worker" in each.calls] == ["run_task"]
