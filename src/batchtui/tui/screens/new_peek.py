"""What the new screen reads beside the check: first rows, one row rendered, the text a problem is about."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from batchtui.domain.money import PriceTable
from batchtui.intake.options import IntakeOptions
from batchtui.intake.preview import Peek, Previewer, peek
from batchtui.intake.sources import Source as SourceFile
from batchtui.intake.sources import SourceFault, Stream, open_source
from batchtui.paths import expanded
from batchtui.tui.screens.new_check import Source
from batchtui.tui.screens.results_sections import request_sections
from batchtui.tui.widgets.answer_view import Section

LINE_SHOWN = 64_000
"""Of a line that a problem is about, in bytes."""
_PLACE = re.compile(r"(.+):(\d+)\Z", re.DOTALL)


def first_rows(make: Callable[[], Source], prices: PriceTable) -> Peek:
    """The first rows of a source; for a thread."""
    source = make()
    return peek(source.paths, source.options, prices=prices)


def render_row(
    previewer: Previewer, text: str, row: Mapping[str, Any], number: int, options: IntakeOptions, prices: PriceTable
) -> list[Section] | None:
    """A row through a template, or what is wrong with either; None when another is wanted by now.  For a thread."""
    options = msgspec.structs.replace(options, template_text=text, template=None)
    made = previewer.preview(row, number + 1, options, prices=prices)
    if made is None:
        return None
    sections = [
        Section(
            f"{'✗' if problem.level == 'error' else '!'} {problem.where}",
            problem.message,
            "plain",
            "bad" if problem.level == "error" else "warn",
        )
        for problem in made.problems[:8]
    ]
    return [*sections, *(request_sections(made.request) if made.request else [])]


def text_at(where: str) -> str:
    """The line of a file that a problem names, cut when it is very long; what is there instead when it can't be read."""
    found = _PLACE.match(where)
    name, number = (found.group(1), int(found.group(2))) if found else (where, 1)
    path = expanded(name)
    if not path.is_file():
        return f"{where} can't be shown: it is no line of a file."
    try:
        raw = open_source(SourceFile(name, path), None)
        with raw:
            return _line(Stream(raw), number)
    except SourceFault as fault:
        return f"{where} can't be read: {fault.found.text}"


def _line(stream: Stream, number: int) -> str:
    """Line ``number`` of a stream, from 1."""
    at, kept = 1, b""
    while at <= number and (block := stream.read(1 << 18)):
        pieces = block.split(b"\n")
        if at <= number < at + len(pieces) and len(kept) < LINE_SHOWN:
            kept += pieces[number - at][: LINE_SHOWN - len(kept)]
        at += len(pieces) - 1
    return kept.decode("utf-8", "replace") if at >= number else f"There is no line {number}."
