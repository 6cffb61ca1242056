"""Problems as they are found, kept as groups so that a hundred thousand of them cost no memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from batchtui.domain.plan import Level, Problem, ProblemGroup

FIRST = 20
"""Problems of a group that are kept with their place."""
MAX_GROUPS = 300
"""Past this many groups, problems of one code share one more group."""


class Found(NamedTuple):
    """Something wrong, without its place.  ``message`` is the same for equal problems, ``detail`` tells this one's own."""

    code: str
    level: Level
    message: str
    detail: str = ""

    @property
    def text(self) -> str:
        """Message and detail in one."""
        return f"{self.message} ({self.detail})" if self.detail else self.message


def error(code: str, message: str, detail: str = "") -> Found:
    """A problem that stops."""
    return Found(code, "error", message, detail)


def warning(code: str, message: str, detail: str = "") -> Found:
    """A problem that does not stop."""
    return Found(code, "warning", message, detail)


class _Group:
    __slots__ = ("count", "first", "found", "message")

    def __init__(self, found: Found, message: str) -> None:
        self.found = found
        self.message = message
        self.count = 0
        self.first: list[Problem] = []


class Problems:
    """Collects problems; ``on_problem`` hears of those that are kept, as they come."""

    def __init__(self, on_problem: Callable[[Problem], None] | None = None) -> None:
        self._groups: dict[tuple[str, str], _Group] = {}
        self._on_problem = on_problem
        self.errors = 0
        self.warnings = 0

    def add(self, found: Found, where: str, custom_id: str = "") -> None:
        """Count one problem and keep it if it is among the first of its kind."""
        if found.level == "error":
            self.errors += 1
        else:
            self.warnings += 1
        group = self._group(found)
        group.count += 1
        if len(group.first) >= FIRST:
            return
        problem = Problem(
            code=found.code, level=found.level, where=where, custom_id=custom_id[:200], message=found.text[:1000]
        )
        group.first.append(problem)
        if self._on_problem is not None:
            self._on_problem(problem)

    def groups(self) -> tuple[ProblemGroup, ...]:
        """Errors first, then in the order they were met."""
        ordered = sorted(self._groups.values(), key=lambda group: group.found.level != "error")
        return tuple(
            ProblemGroup(
                code=group.found.code,
                level=group.found.level,
                message=group.message,
                count=group.count,
                first=tuple(group.first),
            )
            for group in ordered
        )

    def _group(self, found: Found) -> _Group:
        group = self._groups.get((found.code, found.message))
        if group is None:
            message = found.message[:1000]
            key = (found.code, found.message)
            if len(self._groups) >= MAX_GROUPS:
                key, message = (found.code, ""), f"more problems of this kind: {found.code.replace('_', ' ')}"
            group = self._groups.setdefault(key, _Group(found, message))
        return group
