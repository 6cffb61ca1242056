"""Errors that nobody foresaw: when, of which type and where in batchtui, never a message's text, a variable or a content."""

from __future__ import annotations

import logging
import traceback
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec

from batchtui import safetext
from batchtui.domain.errors import BatchtuiError

log = logging.getLogger("batchtui")
log.addHandler(logging.NullHandler())
GOES_ON = "It is tried again. The command palette's Last error shows where it happened; please report it."
MOST_FRAMES = 40
"""Frames named of one error, the innermost first."""
MOST_CAUSES = 6
_KEPT: deque[Unexpected] = deque(maxlen=8)


class Unexpected(msgspec.Struct, frozen=True, kw_only=True):
    """One error as it may be shown, logged and pasted into a report."""

    when: datetime
    """Aware UTC."""
    doing: str
    """What batchtui was about, in a few words of our own."""
    lines: tuple[str, ...]
    """Type and places, those of its causes after it."""

    @property
    def title(self) -> str:
        """Its type and innermost place, on one line."""
        return " ".join(line.strip() for line in self.lines[:2])


def note(error: BaseException, doing: str) -> Unexpected:
    """Keep an error for *Last error*, and write it to the debug log."""
    made = Unexpected(when=datetime.now(UTC), doing=doing, lines=tuple(describe(error)))
    _KEPT.append(made)
    log.error("unexpected error: %s", doing, exc_info=error)
    return made


def last() -> Unexpected | None:
    """The latest one of this process."""
    return _KEPT[-1] if _KEPT else None


def forget() -> None:
    """Keep none."""
    _KEPT.clear()


def describe(error: BaseException) -> Iterator[str]:
    """Type and places of an error and of its causes, a line each; the text only of errors of our own types."""
    chain: BaseException | None = error
    for number in range(MOST_CAUSES):
        if chain is None:
            return
        said = f": {safetext.line(str(chain), 300)}" if isinstance(chain, BatchtuiError) else ""
        yield f"{'caused by ' if number else ''}{_type_name(chain)}{said}"
        yield from (f"  {place}" for place in _places(chain))
        if isinstance(chain, BaseExceptionGroup) and chain.exceptions:
            chain = chain.exceptions[0]
        else:
            chain = chain.__cause__ or (None if chain.__suppress_context__ else chain.__context__)


def _type_name(error: BaseException) -> str:
    kind = type(error)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def _places(error: BaseException) -> list[str]:
    """``module:line`` of each frame within batchtui, the innermost first, after the one that raised it."""
    frames = [
        (str(frame.f_globals.get("__name__", "?")), line) for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    ours = [f"{module}:{line}" for module, line in reversed(frames) if module.partition(".")[0] == "batchtui"]
    if frames and frames[-1][0].partition(".")[0] != "batchtui":
        ours.insert(0, f"{frames[-1][0]}:{frames[-1][1]}")
    return ours[:MOST_FRAMES]
