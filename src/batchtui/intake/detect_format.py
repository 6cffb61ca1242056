"""Tells from its first bytes what a source holds; names and endings only help where content can't decide."""

from __future__ import annotations

import csv
import re
from pathlib import PurePath
from typing import Any

import msgspec

from batchtui.intake.json_array import array_start
from batchtui.intake.problems import Found, error
from batchtui.intake.sources import SourceFault

BOM = b"\xef\xbb\xbf"
_DELIMITERS = ",\t;|"
_TABLE_NAMES = (".csv", ".tsv", ".tab", ".psv")
_JSON_KINDS = ("native", "params", "openai", "rows", "json")
_FIRST_KEY = re.compile(rb'\s*\{\s*"([^"\\]{1,60})"')


class DetectedFormat(msgspec.Struct, frozen=True):
    """What a source holds."""

    kind: str
    """One of FORMATS; json is settled by the first object met."""
    layout: str = "lines"
    """Of JSON: ``lines``, ``array`` or ``sequence``."""
    start: int = 0
    """Bytes before the first element of an array."""
    delimiter: str = ","
    encoding: str = "utf-8"
    others: tuple[str, ...] = ()
    """Keys beside the requests of a body."""


def tell(head: bytes, name: str, wanted: str | None, has_template: bool) -> DetectedFormat:
    """What a source with this beginning holds; raises SourceFault when that can't be read at all."""
    if wanted in ("parquet",) or head.startswith(b"PAR1"):
        return DetectedFormat("parquet")
    encoding = "utf-8"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
        head = head[: len(head) // 2 * 2].decode("utf-16", "replace").encode("utf-8", "replace")
    elif not wanted:
        _refuse_binary(head)
    head = head.removeprefix(BOM)
    text = head.lstrip()
    if wanted == "text":
        return DetectedFormat("text", encoding=encoding)
    if wanted in _JSON_KINDS or (not wanted and text[:1] in (b"{", b"[")):
        if encoding != "utf-8":
            raise SourceFault(error("encoding", "JSON in UTF-16: save the file as UTF-8"))
        return _json(head, wanted, has_template)
    if wanted in ("csv", "tsv"):
        delimiter = "\t" if wanted == "tsv" else _delimiter(head) or ","
        return DetectedFormat(wanted, delimiter=delimiter, encoding=encoding)
    return _table_or_text(head, name, has_template, encoding)


def classify(value: Any, has_template: bool) -> str:
    """What kind of source an object of it belongs to."""
    if not isinstance(value, dict):
        return "native"
    if has_template:
        return "rows"
    if "body" in value and ("url" in value or "method" in value):
        return "openai"
    if "custom_id" in value or isinstance(value.get("params"), dict):
        return "native"
    if "messages" in value or ("model" in value and "max_tokens" in value):
        return "params"
    return "rows"


def _refuse_binary(head: bytes) -> None:
    known: list[tuple[bytes, Found]] = [
        (b"PK\x03\x04", error("format", "a ZIP archive or a spreadsheet: unpack it, or save the sheet as CSV")),
        (b"%PDF", error("format", "a PDF: convert it to text first")),
        (b"SQLite format 3", error("format", "an SQLite database: export the rows as CSV")),
        (b"\x28\xb5\x2f\xfd", error("format", "packed with zstd: unpack it first")),
        (b"BZh", error("format", "packed with bzip2: unpack it first")),
        (b"\xfd7zXZ", error("format", "packed with xz: unpack it first")),
    ]
    for magic, found in known:
        if head.startswith(magic):
            raise SourceFault(found)
    if b"\x00" in head:
        raise SourceFault(error("format", "binary data, no text: JSON lines, JSON, CSV, TSV or Parquet are read"))


def _json(head: bytes, wanted: str | None, has_template: bool) -> DetectedFormat:
    kind = wanted or "json"
    text = head.lstrip()
    opening = array_start(head) if text[:1] == b"[" or _FIRST_KEY.match(head) else None
    if opening is not None and (text[:1] == b"[" or not _first_line_is_request(head)):
        start, others = opening
        return DetectedFormat(kind, "array", start, others=tuple(others))
    if _spread_over_lines(head):
        return DetectedFormat(kind, "sequence")
    if kind == "json":
        kind = _kind_of_lines(head, has_template)
    return DetectedFormat(kind)


def _first_line_is_request(head: bytes) -> bool:
    value = _object(head.lstrip().split(b"\n", 1)[0])
    return isinstance(value, dict) and "requests" not in value


def _spread_over_lines(head: bytes) -> bool:
    """True when the first object does not end on its line and the next line does not begin another."""
    lines = [line for line in head.split(b"\n")[:50] if line.strip()]
    if len(lines) < 2 or _object(lines[0]) is not None:
        return False
    return not lines[1].startswith(b"{")


def _kind_of_lines(head: bytes, has_template: bool) -> str:
    for line in head.split(b"\n")[:50]:
        value = _object(line)
        if isinstance(value, dict):
            return classify(value, has_template)
    first = _FIRST_KEY.match(head)
    if first and not has_template:
        if first.group(1) in (b"model", b"messages", b"max_tokens", b"system"):
            return "params"
        if first.group(1) in (b"method", b"url", b"body"):
            return "openai"
    return "rows" if has_template else "native"


def _object(line: bytes) -> Any:
    try:
        return msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _table_or_text(head: bytes, name: str, has_template: bool, encoding: str) -> DetectedFormat:
    ending = PurePath(name.removesuffix(".gz")).suffix.lower()
    delimiter = _delimiter(head)
    if delimiter is None and ending in _TABLE_NAMES:
        delimiter = "\t" if ending in (".tsv", ".tab") else ","
    if delimiter is not None and (ending in _TABLE_NAMES or ending not in (".txt", ".md", ".rst", ".html", ".xml")):
        return DetectedFormat("tsv" if delimiter == "\t" else "csv", delimiter=delimiter, encoding=encoding)
    if not has_template and not ending:
        raise SourceFault(error("format", "no requests and no table: give JSON lines, or a template with rows"))
    return DetectedFormat("text", encoding=encoding)


def _delimiter(head: bytes) -> str | None:
    """The sign that cuts the first lines into equally many cells, None when none does."""
    text = head.decode("utf-8", "replace")
    whole = text if len(head) < 4096 or "\n" not in text else text[: text.rfind("\n") + 1]
    best: tuple[int, str] | None = None
    for delimiter in _DELIMITERS:
        try:
            rows = [
                len(row)
                for row, _ in zip(
                    csv.reader(whole.splitlines(keepends=True), delimiter=delimiter), range(50), strict=False
                )
                if row
            ]
        except csv.Error:
            continue
        if len(rows) > 2 and len(head) >= 4096:
            rows.pop()
        if len(rows) > 1 and rows[0] > 1:
            equal = sum(1 for cells in rows if cells == rows[0])
            if equal * 10 >= len(rows) * 8 and (best is None or rows[0] > best[0]):
                best = rows[0], delimiter
    return best[1] if best else None
