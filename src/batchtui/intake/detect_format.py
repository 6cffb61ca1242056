"""Tells from its first bytes what a source holds; names and endings only help where content can't decide."""

from __future__ import annotations

import codecs
import re
from pathlib import PurePath
from typing import Any

import msgspec

from batchtui.intake.chat import is_chat
from batchtui.intake.decoding import breaks_rules
from batchtui.intake.dialect import DetectedTable, Dialect, table_of
from batchtui.intake.encodings import Guess, guess, is_utf8, known, marked, mostly_utf8, wide
from batchtui.intake.json_array import array_start
from batchtui.intake.options import IntakeOptions, TableOptions
from batchtui.intake.problems import error
from batchtui.intake.sources import HEAD, SourceFault, Stream
from batchtui.intake.wording import quoted

BOM = b"\xef\xbb\xbf"
_TEXT_NAMES = (".txt", ".md", ".rst", ".html", ".htm", ".xhtml", ".xml", ".svg")
_JSON_NAMES = (".json", ".jsonl", ".ndjson")
_TABLE_NAMES = (".csv", ".tsv", ".tab", ".mer", ".psv")
_JSON_KINDS = ("native", "params", "openai", "rows", "json", "chat")
_FIRST_KEY = re.compile(rb'\s*\{\s*"([^"\\]{1,60})"')


class DetectedFormat(msgspec.Struct, frozen=True):
    """What a source holds."""

    kind: str
    """One of FORMATS; json is settled by the first object met."""
    layout: str = "lines"
    """Of JSON: ``lines``, ``array`` or ``sequence``."""
    start: int = 0
    """Bytes before the first element of an array."""
    dialect: Dialect = Dialect()
    """Of a table."""
    encoding: str = ""
    """"" for UTF-8 as far as was seen."""
    guessed: Guess | None = None
    """The encoding, where it was detected by the letters."""
    header_said: str = ""
    """What stands before a table's header and is skipped."""
    others: tuple[str, ...] = ()
    """Keys beside the requests of a body."""


MOST_SEEN = 1 << 26
"""Bytes that are looked at before a source is judged by less than its first whole line."""


MOST_OF_TABLE = 1 << 24
_MOST_LINES = 200_000
"""Lines after which more of them, in few rows, tell no more."""
ENOUGH = 200
"""Rows after which more of them tell no more."""


def detect(stream: Stream, name: str, options: IntakeOptions) -> DetectedFormat:
    """What a source with this beginning holds; raises SourceFault when that can't be read at all."""
    wanted = options.format
    head = stream.peek()
    if wanted == "parquet" or (head.startswith(b"PAR1") and wanted != "text"):
        return DetectedFormat("parquet")
    encoding, guessed = _encoding(stream, options)
    if not encoding:
        refuse_binary(head)
    if wanted == "text":
        return DetectedFormat("text", encoding=encoding, guessed=guessed)
    _refuse_page(_text(head[:4096], encoding), name)
    size = HEAD
    while True:
        start = _text(head[:4096], encoding).lstrip()[:1]
        by_content = start in ("{", "[") and not options.table.sign
        if (wanted in _JSON_KINDS and wanted != "chat") or (wanted in (None, "chat") and by_content):
            body = head.removeprefix(BOM) if not encoding else _text(head, encoding).encode("utf-8", "replace")
            told = _json(body, wanted, options.has_template, whole=len(head) < size or size >= MOST_SEEN)
        else:
            text = _text(head, encoding)
            whole = len(head) < size or size >= MOST_OF_TABLE or text.count("\n") >= _MOST_LINES
            told = _tell(text, name, options, whole=whole, wide=encoding.startswith("utf-16"))
        if told is not None:
            return msgspec.structs.replace(told, encoding=encoding, guessed=guessed)
        size = max(size, len(head)) * 4
        head = stream.peek(size)


def _encoding(stream: Stream, options: IntakeOptions) -> tuple[str, Guess | None]:
    """The source's encoding, "" for UTF-8 as far as can be seen; and what it was guessed by, if it was."""
    head = stream.peek()
    if options.table.encoding:
        return known(options.table.encoding), None
    found = marked(head) or wide(head)
    if found:
        return "" if found == "utf-8-sig" else found, None
    if head.isascii() or is_utf8(head, cut=len(head) >= HEAD) or mostly_utf8(head) or options.format == "text":
        return "", None
    if head.lstrip()[:1] in (b"{", b"[") or b"\x00" in head:
        return "", None
    refuse_binary(head)
    if len(head) - len(head.translate(None, _HIGH)) < _FEW:
        head = stream.peek(len(head) * 16)
    guessed = guess(head)
    return guessed.encoding, guessed


_HIGH = bytes(range(128, 256))
_FEW = 400
"""Bytes beyond ASCII, of which more are looked for before an encoding is guessed."""


def _text(head: bytes, encoding: str) -> str:
    if not encoding:
        return head.removeprefix(BOM).decode(errors="replace")
    try:
        return codecs.getincrementaldecoder(encoding)(errors="replace").decode(head).removeprefix("\ufeff")
    except UnicodeError as bad:
        raise breaks_rules(encoding, bad) from bad


def _tell(text: str, name: str, options: IntakeOptions, *, whole: bool, wide: bool) -> DetectedFormat | None:
    """What this beginning of a source is, ``wide`` when in UTF-16; None when more of it has to be seen."""
    wanted = options.format
    table = table_of(text, _signed(options), whole=whole)
    if (
        not whole
        and (table.records < 3 or (not table.sure and table.records < ENOUGH))
        and _may_be_table(name, options)
    ):
        return None
    if table.doubt:
        what = "a backslash before a quote can be read in two ways here: write a quote inside quotes twice"
        raise SourceFault(error("csv", what), table.doubt)
    if wanted in ("csv", "tsv"):
        return DetectedFormat(wanted, dialect=table.dialect, header_said=table.said)
    found = _table_or_text(table, name, options.has_template, given=bool(options.table.sign), wide=wide)
    if found.kind == "text" and text.strip() and _ending(name) in _JSON_NAMES:
        raise SourceFault(error("format", f"not JSON: it begins with {quoted(text.strip()[:40])}"))
    return found


def _may_be_table(name: str, options: IntakeOptions) -> bool:
    """Whether it is worth to look further for the rows of a table."""
    ending = _ending(name)
    return ending not in _TEXT_NAMES or options.format in ("csv", "tsv") or bool(options.table.sign)


def _signed(options: IntakeOptions) -> TableOptions:
    """The table's options, with the tab that a TSV means."""
    if options.format == "tsv" and not options.table.sign:
        return msgspec.structs.replace(options.table, delimiter="tab")
    return options.table


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
    if is_chat(value):
        return "chat"
    if "messages" in value or ("model" in value and "max_tokens" in value):
        return "params"
    return "rows"


_KNOWN_BINARY: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "a ZIP archive or an office file: unpack it, or save the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "an office file: save the sheet as CSV, or the text as UTF-8"),
    (b"%PDF", "a PDF: convert it to text first"),
    (b"{\\rtf", "a rich text file: save it as plain text"),
    (b"SQLite format 3", "an SQLite database: export the rows as CSV"),
    (b"\x28\xb5\x2f\xfd", "packed with zstd: unpack it first"),
    (b"BZh", "packed with bzip2: unpack it first"),
    (b"\xfd7zXZ", "packed with xz: unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "packed with 7-Zip: unpack it first"),
    (b"Rar!\x1a\x07", "packed with RAR: unpack it first"),
    (b"\x89PNG\r\n", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GIF8", "an image"),
    (b"II*\x00", "an image"),
    (b"MM\x00*", "an image"),
    (b"8BPS", "an image"),
    (b"PAR1", "a Parquet file"),
    (b"ARROW1", "an Arrow file: save the table as Parquet or CSV"),
    (b"ID3", "a sound file"),
    (b"OggS", "a sound file"),
    (b"fLaC", "a sound file"),
    (b"\x7fELF", "a program"),
    (b"\xca\xfe\xba\xbe", "a program"),
)


def refuse_binary(head: bytes) -> None:
    """Raise SourceFault for what is no text."""
    for magic, what in _KNOWN_BINARY:
        if head.startswith(magic):
            raise SourceFault(error("format", what))
    if head[:4] == b"RIFF" or head[4:8] == b"ftyp":
        kind = "an image" if head[8:12] in (b"WEBP", b"avif", b"heic", b"mif1") else "a sound or film file"
        raise SourceFault(error("format", kind))
    if b"\x00" in head:
        raise SourceFault(error("format", "binary data, no text: JSON lines, JSON, CSV, TSV or Parquet are read"))


def _json(head: bytes, wanted: str | None, has_template: bool, *, whole: bool) -> DetectedFormat | None:
    kind = wanted or "json"
    text = head.lstrip()
    opening = array_start(head) if text[:1] == b"[" or _FIRST_KEY.match(head) else None
    if opening is not None and (text[:1] == b"[" or not _first_line_is_request(head)):
        start, others = opening
        return DetectedFormat(kind, "array", start, others=tuple(others))
    if not whole and b"\n" not in text:
        return None
    if has_template and kind in ("json", "rows") and whole and _is_columns(_object(text)):
        what = "one object of columns, not a list of rows: save it with one object per row (pandas: orient='records')"
        raise SourceFault(error("format", what))
    if _spread_over_lines(head):
        return DetectedFormat(kind, "sequence")
    if kind == "json":
        kind = _kind_of_lines(head, has_template)
    return DetectedFormat(kind)


def _is_columns(value: Any) -> bool:
    """Whether an object holds a whole table, column by column: lists, or objects with the numbers of the rows as keys."""
    if not isinstance(value, dict) or len(value) < 2:
        return False
    columns = list(value.values())
    if all(isinstance(each, dict) for each in columns):
        return "0" in columns[0] and all(list(each) == list(columns[0]) for each in columns)
    if not all(isinstance(each, list) for each in columns):
        return False
    plain = not any(isinstance(cell, dict | list) for each in columns for cell in each)
    return {"columns", "data"} <= set(value) or (plain and len(columns[0]) > 1 and len(set(map(len, columns))) == 1)


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


def _ending(name: str) -> str:
    return PurePath(name.removesuffix(".gz")).suffix.lower()


def _refuse_page(text: str, name: str) -> None:
    """Raise SourceFault for what came instead of the file that was meant."""
    start = text.lstrip()[:200].lower()
    if start.startswith("version https://git-lfs.github.com/spec/"):
        what = "a Git LFS pointer, not the file itself: fetch that with git lfs pull"
    elif _ending(name) in _TEXT_NAMES:
        return
    elif start.startswith(("<!doctype html", "<html")):
        what = "an HTML page, such as a download's error page: download the file again, or read the page with --format text"
    elif start.startswith("<?xml"):
        what = "an XML file: save the data as CSV or JSON, or read the text with --format text"
    else:
        return
    raise SourceFault(error("format", what))


def _table_or_text(table: DetectedTable, name: str, has_template: bool, *, given: bool, wide: bool) -> DetectedFormat:
    ending = _ending(name)
    # What Excel saves as Unicode text is a table.
    given = given or (wide and ending == ".txt" and table.sure and table.dialect.delimiter == "\t")
    sure, dialect = table.sure or given, table.dialect
    if not sure and ending in _TABLE_NAMES:
        sign = "\t" if ending in (".tsv", ".tab") else "|" if ending == ".psv" else ","
        sure, dialect = True, msgspec.structs.replace(dialect, delimiter=sign)
    if sure and (given or ending in _TABLE_NAMES or ending not in _TEXT_NAMES):
        kind = "tsv" if dialect.delimiter == "\t" else "csv"
        return DetectedFormat(kind, dialect=dialect, header_said=table.said)
    if not has_template and not ending:
        raise SourceFault(error("format", "no requests and no table: give JSON lines, or a template with rows"))
    return DetectedFormat("text")
