"""The debug log: what was asked of whom and how it ended, never a key, a header or a content."""

from __future__ import annotations

import copy
import io
import logging
from pathlib import Path

from batchtui import safetext
from batchtui.unexpected import describe


class _Safe(logging.Formatter):
    """One line a record; of an error its type and places, never its text."""

    def format(self, record: logging.LogRecord) -> str:
        bare = copy.copy(record)
        bare.exc_info = bare.exc_text = bare.stack_info = None
        error = record.exc_info[1] if record.exc_info else None
        where = " | ".join(line.strip() for line in describe(error)) if error is not None else ""
        return safetext.line(f"{super().format(bare)}{' | ' if where else ''}{where}", 4000)


class _Lines(logging.StreamHandler[io.TextIOWrapper]):
    def handleError(self, record: logging.LogRecord) -> None:  # logging's name
        """A disk that is full costs the log its line, not the screen a traceback."""


def open_log(path: Path) -> None:
    """Append our own log to ``path`` (0600); the SDK's and the HTTP client's loggers, which hold headers, stay out."""
    from batchtui.store.files import explain, open_private

    try:
        file = open_private(path, "ab")
    except OSError as error:
        raise explain(error, f"can't write the log {path}") from error
    handler = _Lines(io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace"))
    handler.setFormatter(_Safe("%(asctime)s %(levelname)s %(message)s"))
    log = logging.getLogger("batchtui")
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    log.propagate = False
