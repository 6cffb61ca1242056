"""README and docs say what the program does: every verb, option, setting and key; links that lead somewhere."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import pkgutil
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import pytest

from batchtui.cli import group
from batchtui.cli.verbs import VERBS
from batchtui.config import load
from batchtui.demo.faults import KINDS
from batchtui.domain.batch import BatchRecord
from batchtui.intake.options import FORMATS
from batchtui.tui import bindings

TOP = Path(__file__).parent.parent
PAGES = [
    *(TOP / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "examples/README.md", "bench/README.md")),
    *sorted((TOP / "docs").glob("*.md")),
]
REFERENCE = (TOP / "docs/reference.md").read_text("utf-8")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
MACHINE = re.compile(r"(?<![\w.~])/(work|opt|root|tmp/bt)/")


def section(title: str) -> str:
    """The part of the reference under a heading."""
    level = title.split(" ", maxsplit=1)[0]
    rest = REFERENCE.split(f"\n{title}\n", 1)[1]
    return re.split(rf"\n#{{1,{len(level)}}} ", rest, maxsplit=1)[0]


def command_of(verb: str) -> click.Command:
    command = group.get_command(click.Context(group), verb)
    assert command is not None
    return command


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_and_option_is_in_the_reference(verb: str) -> None:
    said = section(f"### {verb}")
    if "options of all verbs" in said:
        said += section("### Options of all verbs")
    for param in command_of(verb).params:
        if isinstance(param, click.Option):
            for option in (*param.opts, *param.secondary_opts):
                assert f"`{option}`" in said, option
            if isinstance(param.type, click.Choice):
                assert all(choice in said for choice in param.type.choices)
            elif not param.is_flag:
                told = next(
                    line for line in said.splitlines() if line.startswith("| `") and f"`{param.opts[-1]}`" in line
                )
                value = param.make_metavar(click.Context(command_of(verb))).replace("|", r"\|")
                assert f"`{value}`" in told.split(" | ")[0], param.opts


@pytest.mark.parametrize("verb", VERBS)
def test_the_reference_names_no_option_that_is_not_there(verb: str) -> None:
    there = {option for param in command_of(verb).params for option in (*param.opts, *param.secondary_opts)}
    assert set(re.findall(r"`(--[a-z-]+)`", section(f"### {verb}"))) <= there


def test_the_programs_own_options_are_in_the_reference() -> None:
    said = section("## Verbs").split("### ")[0]
    assert all(f"`{option}`" in said for param in group.params for option in param.opts)


@pytest.mark.parametrize("kind", [load.Config, load.Profile, load.Limits, load.Notify, load.Screen, load.Settle])
def test_every_setting_is_in_the_reference(kind: type[msgspec.Struct]) -> None:
    said = section("## config.toml")
    for name in set(kind.__struct_fields__) - {"name", "warnings", "path", "lines"}:
        assert f"`{name}`" in said or f"[{name}" in said, name


def test_every_field_of_a_record_is_in_the_reference() -> None:
    said = section("## JSON")
    assert [name for name in BatchRecord.__struct_fields__ if f"`{name}`" not in said] == []


def test_every_format_and_fault_is_in_the_reference() -> None:
    assert all(f"`{name}`" in section("## Sources and formats") for name in FORMATS)
    assert all(f"`{name}`" in section("## The demo server's faults") for name in KINDS)


def bound() -> Iterator[str]:
    """The names of all keys of all screens and widgets."""
    yield from bindings.bindings_of([importlib.import_module("batchtui.tui.app").BatchtuiApp])["BatchtuiApp"]
    yield str(bindings.PALETTE.id)
    tui = importlib.import_module("batchtui.tui")
    for found in pkgutil.walk_packages(tui.__path__, "batchtui.tui."):
        module = importlib.import_module(found.name)
        for value in vars(module).values():
            if inspect.isclass(value) and value.__module__ == module.__name__ and value.__name__ != "BatchtuiApp":
                yield from bindings.bindings_of([value])[value.__name__]


def test_every_key_is_in_the_reference_by_its_name() -> None:
    said = section("## Keys")
    assert sorted({name for name in bound() if f"`{name}`" not in said}) == []


def anchors(text: str) -> set[str]:
    """The anchors that a page's headings get."""
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TOP)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text("utf-8")):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        goal = page.parent / path if path else page
        assert goal.exists(), target
        if anchor:
            assert anchor in anchors(goal.read_text("utf-8")), target


def test_every_picture_is_shown_and_can_be_made() -> None:
    shown = {Path(t).stem for page in PAGES for t in LINK.findall(page.read_text("utf-8")) if t.endswith(".svg")}
    script = (TOP / "screenshots/make.py").read_text("utf-8")
    assert all(f'"{name}": Picture(' in script for name in shown)
    made = re.findall(r'^ +"([\w-]+)": Picture\(', script, re.MULTILINE)
    assert sorted(made) == sorted(path.stem for path in (TOP / "screenshots").glob("*.svg"))


def test_the_marked_commands_are_one_line_each() -> None:
    readme = (TOP / "README.md").read_text("utf-8")
    wanted = {"run": "pip install . && batchtui demo", "test": "pip install -e '.[dev]' && python -m pytest"}
    for mark, command in wanted.items():
        assert f"<!-- {mark} -->\n```\n{command}\n```\n<!-- /{mark} -->" in readme


def committed() -> list[Path]:
    """The files under version control, or what a source archive has of them."""
    with contextlib.suppress(FileNotFoundError):  # git itself may be missing.
        found = subprocess.run(["git", "ls-files", "-z"], cwd=TOP, capture_output=True, text=True, check=False)
        if found.returncode == 0 and found.stdout:
            return [TOP / name for name in found.stdout.split("\0") if name]
    rooms = ("src", "tests", "docs", "examples", "bench", "screenshots")
    return [path for room in rooms for path in (TOP / room).rglob("*") if path.is_file()]


CODE = re.compile(r"`([^`\n]+)`")
FILE = re.compile(r"[\w./-]+\.(?:py|toml|tcss|jsonl|html)")
MADE = {"ids.jsonl", "review.jsonl", "recipe.toml", "snapshot_report.html"}
"""Files that are made while the program or the tests run."""
OF_CODE = re.compile(r"_?[A-Za-z]+[a-z]_?\w*(?:\.\w+)*")


def words_by_home() -> dict[str, set[str]]:
    """The words of the source files, all of them and by the classes that are beside them."""
    homes: dict[str, set[str]] = {}
    for path in (path for path in committed() if path.suffix in (".py", ".toml")):
        text = path.read_text("utf-8")
        words = set(re.findall(r"\w+", text))
        for home in ("", *re.findall(r"^class (\w+)", text, re.MULTILINE)):
            homes.setdefault(home, set()).update(words)
    return homes


def test_files_and_names_that_the_pages_for_developers_tell_are_there() -> None:
    paths = [f"/{path.relative_to(TOP).as_posix()}" for path in committed()]
    homes = words_by_home()
    for page in ("CONTRIBUTING.md", "docs/architecture.md"):
        told = set(CODE.findall(re.sub(r"```.*?```", "", (TOP / page).read_text("utf-8"), flags=re.DOTALL)))
        named = {each for each in told if FILE.fullmatch(each)}
        sought = {each for each in named - MADE if not re.search("NAME|NNN", each)}
        lost = {each for each in sought if not any(path.endswith(f"/{each}") for path in paths)}
        for each in told - named:
            first, *rest = each.split(".")
            if OF_CODE.fullmatch(each) and not (first in homes[""] and homes.get(first, homes[""]).issuperset(rest)):
                lost.add(each)
        assert lost == set(), page


def test_no_file_names_a_place_of_the_machine_it_was_made_on() -> None:
    named = []
    for path in committed():
        if path == Path(__file__) or not path.is_file() or "__pycache__" in path.parts:
            continue
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        named += [f"{path.relative_to(TOP)}: {found.group()}" for found in MACHINE.finditer(text)]
    assert named == []
