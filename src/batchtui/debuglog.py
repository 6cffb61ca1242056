"""The debug log: what was asked of whom and how it ended, never a key, a header or a content."""

from __future__ import annotations

import io
import logging
from pathlib import Path

from batchtui import safetext


class _Safe(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        record.exc_info = None
        record.exc_text = None
        return safetext.line(super().format(record), 2000)


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
