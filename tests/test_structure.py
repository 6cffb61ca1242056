"""How the code hangs together: no import leads back, and what the bench names is there."""

from __future__ import annotations

import ast
import functools
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import batchtui
from batchtui.tui import config_check

ROOT = Path(batchtui.__file__).parent


def modules() -> dict[str, Path]:
    found = {}
    for path in ROOT.rglob("*.py"):
        name = ".".join(("batchtui", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
        found[name] = path
    return found


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def typed_only(tree: ast.AST) -> set[ast.AST]:
    """What stands under ``if TYPE_CHECKING``."""
    blocks = (n for n in ast.walk(tree) if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.unparse(n.test))
    return {each for block in blocks for statement in block.body for each in ast.walk(statement)}


def test_no_module_leads_back_to_itself() -> None:
    known = modules()
    graph: dict[str, set[str]] = {}
    for name, path in known.items():
        tree = parsed(path)
        left_out = typed_only(tree) if "TYPE_CHECKING" in path.read_text() else set()
        wanted: set[str] = set()
        for node in ast.walk(tree):
            if node in left_out:
                continue
            if isinstance(node, ast.ImportFrom) and node.module:
                inside = {f"{node.module}.{each.name}" for each in node.names}
                wanted |= {each if each in known else node.module for each in inside}
            elif isinstance(node, ast.Import):
                wanted |= {each.name for each in node.names}
        graph[name] = {each for each in wanted if each in known and each != name}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError(" -> ".join(error.args[1])) from error


def test_every_piece_of_work_that_the_bench_names_is_there() -> None:
    bench = ROOT.parent.parent / "bench"
    for path in bench.glob("*.py"):
        for module, name in re.findall(r'"bench\.(\w+):(\w+)"', path.read_text()):
            assert f"def {name}(" in (bench / f"{module}.py").read_text(), f"{path.name}: {module}:{name}"


def test_style_sheets_name_classes_that_there_are() -> None:
    known = {
        node.name for path in modules().values() for node in ast.walk(parsed(path)) if isinstance(node, ast.ClassDef)
    }
    textual = {"Button", "Input", "OptionList", "Screen", "Static", "TextArea", "ToastRack"}
    for path in ROOT.rglob("*.tcss"):
        named = set(re.findall(r"^([A-Z]\w+)", path.read_text(), re.MULTILINE))
        assert named <= known | textual, f"{path.name}: {named - known - textual}"


def test_a_class_has_its_name_for_itself() -> None:
    found: dict[str, list[str]] = {}
    for name, path in modules().items():
        for node in parsed(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found.setdefault(node.name, []).append(name)
    assert {name: where for name, where in found.items() if len(where) > 1} == {}


def test_a_file_has_its_name_for_itself_in_its_room() -> None:
    found: dict[tuple[str, str], list[str]] = {}
    for path in ROOT.rglob("*.py"):
        inside = path.relative_to(ROOT)
        # What every screen may have is called the same in each.
        screens = inside.parts[0] == "tui" and path.name in ("screen.py", "actions.py", "rows.py")
        if path.name != "__init__.py" and not screens:
            found.setdefault((inside.parts[0], path.name), []).append(str(inside))
    assert {where: paths for where, paths in found.items() if len(paths) > 1} == {}


def test_keys_of_a_list_are_checked_on_every_screen_that_has_one() -> None:
    having = {
        node.name
        for path in (ROOT / "tui").rglob("*.py")
        for node in parsed(path).body
        if isinstance(node, ast.ClassDef)
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "RowList"
    }
    assert having == set(config_check._WITH_LIST)
