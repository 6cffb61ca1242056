"""Rows through a template into the checker."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from batchtui.domain.plan import CheckedSource
from batchtui.intake.checker import Checker
from batchtui.intake.options import IntakeOptions
from batchtui.intake.origin import checked_file
from batchtui.intake.problems import Found, error, warning
from batchtui.intake.sources import SourceFault
from batchtui.intake.words import quoted
from batchtui.safetext import line as safe

if TYPE_CHECKING:
    from batchtui.intake.template import RequestTemplate

_ID_COLUMNS = ("custom_id", "id", "ID", "Id", "uuid")
"""Columns that give a request its id when the template names none."""
MAX_LIMIT_FAULTS = 10
MAX_TEMPLATE = 4_000_000
"""Bytes of a template file."""


def load_template(options: IntakeOptions) -> tuple[RequestTemplate | None, list[tuple[str, Found]]]:
    """The options' template, compiled; or what is wrong with it, each with its place.  Neither when there is none."""
    if not options.has_template:
        return None, []
    text = options.template_text
    name = options.template_name if text is not None else str(options.template)
    if text is None:
        assert options.template is not None
        text, _, found = read_template(options.template)
        if found is not None:
            return None, [(name, found)]
    from batchtui.intake.template import BadTemplate, RequestTemplate

    try:
        return RequestTemplate(text), []
    except BadTemplate as bad:
        return None, [(f"{name}:{bad.line}" if bad.line else name, bad.found)]


def read_template(path: Path) -> tuple[str, CheckedSource | None, Found | None]:
    """A template's text with its file as it was read, or what is wrong with it."""
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            data = file.read(MAX_TEMPLATE + 1)
        if len(data) > MAX_TEMPLATE:
            return "", None, error("template", "too large for a template")
        checked = checked_file(path, data, found) if stat.S_ISREG(found.st_mode) else None
        text = io.TextIOWrapper(io.BytesIO(data), "utf-8-sig").read()
        return text, checked, None
    except OSError as bad:
        return "", None, error("template", f"can't be read: {bad.strerror or bad}")
    except UnicodeDecodeError:
        return "", None, error("template", "not valid UTF-8: save the file as UTF-8")


class Renderer:
    """Makes a request of each row: params from the template, an id from it, from a column, or from the row's number."""

    def __init__(self, template: RequestTemplate, checker: Checker, count: int = 0) -> None:
        self._template = template
        self._checker = checker
        self._count = count
        self._limits = 0

    def render(self, row: dict[str, Any], number: int) -> None:
        """Render one row and hand it on; what is wrong is named with the row's place."""
        self._count += 1
        checker = self._checker
        try:
            line, row_id, custom_id = self.request(row)
        except RowFault as bad:
            checker.report(bad.found, number)
            self._give_up_after(bad.found)
            checker.skipped.add(_json(row), [bad.found.text], checker.where(number), "")
            return
        if row_id and row_id != custom_id:
            what = (
                "a row's id can't be a custom_id, or stands there twice: a near one is made, and the row's own is kept"
            )
            checker.report(warning("id_made", what, f"{quoted(row_id)} became {custom_id}"), number, custom_id)
        given = _json(row) if checker.skipped.wanted else b""
        checker.take(line, number, (row_id or str(self._count), row), given, self._template.betas)

    def _give_up_after(self, found: Found) -> None:
        """A template that always asks for too much would take hours over a large table."""
        self._limits += found.code == "template_limit"
        if self._limits >= MAX_LIMIT_FAULTS:
            raise SourceFault(
                error("template_limit", "the template asks for too much in row after row: the rest is not read")
            )

    def one(self, row: dict[str, Any], number: int) -> tuple[bytes, str]:
        """The request of a single row, checked, and the row's own id; raises RowFault."""
        self._count += 1
        line, row_id, _ = self.request(row)
        self._checker.take(line, number, betas=self._template.betas)
        return line, row_id

    def request(self, row: dict[str, Any]) -> tuple[bytes, str, str]:
        """The request of a row as a JSON line, the row's own id (empty when it has none), and its custom_id.

        Raises RowFault.
        """
        from batchtui.intake.template import BadRow

        try:
            params, wanted = self._template.render(row, self._count)
        except BadRow as bad:
            raise RowFault(bad.found) from bad
        row_id = wanted if wanted is not None else _column_id(row)
        custom_id, _ = self._checker.free_id(row_id or f"row-{self._count}", self._count)
        try:
            return msgspec.json.encode({"custom_id": custom_id, "params": params}), row_id, custom_id
        except (UnicodeEncodeError, TypeError, ValueError, RecursionError, OverflowError) as bad:
            raise RowFault(
                error("template_row", "the rendered request can't be written as JSON", safe(str(bad), 120))
            ) from bad


class RowFault(Exception):
    """A row that makes no request; ``found`` says why."""

    def __init__(self, found: Found) -> None:
        super().__init__(found.text)
        self.found = found


def _column_id(row: dict[str, Any]) -> str:
    for name in _ID_COLUMNS:
        value = row.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip():
            return str(value)
    return ""


def _json(row: dict[str, Any]) -> bytes:
    """The row as a line of JSON, for what is left out."""
    try:
        return msgspec.json.encode(row)
    except (UnicodeEncodeError, TypeError, ValueError, RecursionError, OverflowError):
        return safe(repr(row), 10_000).encode()
