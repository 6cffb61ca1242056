"""Numbers for what comes again and again in results: names, and the groups of those without a usable answer."""

from __future__ import annotations

from collections.abc import Iterable

from batchtui.domain.outcome import CANCELED, CUT_SHORT, EXPIRED, OUTCOMES, SUCCEEDED, normalise
from batchtui.store.index import GroupKey
from batchtui.store.lenient import ID_LIMIT, Facts

_MAX_NAMES = 60_000
_MAX_GROUPS = 2_000
_OTHER = "(many different messages)"


class Names(dict[str, int]):
    """Small numbers for names that come again and again; all share one when there are far too many."""

    def __init__(self) -> None:
        super().__init__({"": 0})

    def __missing__(self, name: str) -> int:
        return self.setdefault(name[:ID_LIMIT] if len(self) < _MAX_NAMES else "(other)", len(self))

    def all_of(self, names: list[str]) -> Iterable[int]:
        """The numbers of many names, most often of one that is the same for all."""
        if names.count(names[0]) == len(names):
            return [self[names[0]]] * len(names)
        return map(self.__getitem__, names)

    def all(self) -> tuple[str, ...]:
        """The names in the order of their numbers."""
        return tuple(self)


class Groups:
    """Numbers from 1 for the ways in which results ended without a usable answer."""

    def __init__(self) -> None:
        self._numbers: dict[GroupKey, int] = {}

    def of(self, facts: Facts) -> int:
        """The group of a line, 0 when its answer is good."""
        if facts.outcome == SUCCEEDED:
            return self.number(GroupKey(SUCCEEDED, CUT_SHORT[facts.cut])) if facts.cut else 0
        if facts.outcome in (CANCELED, EXPIRED):
            return self.number(GroupKey(facts.outcome, OUTCOMES[facts.outcome]))
        kind = facts.kind[:ID_LIMIT] or OUTCOMES[facts.outcome]
        return self.number(GroupKey(facts.outcome, kind, normalise(facts.message), facts.code[:ID_LIMIT]))

    def number(self, key: GroupKey) -> int:
        """A group's number; all of an outcome share one when there are far too many."""
        found = self._numbers.get(key)
        if found is None:
            if len(self._numbers) >= _MAX_GROUPS:
                key = GroupKey(key.outcome, OUTCOMES[key.outcome], _OTHER)
            found = self._numbers.setdefault(key, len(self._numbers) + 1)
        return found

    def all(self) -> tuple[GroupKey, ...]:
        """The groups in the order of their numbers."""
        return tuple(self._numbers)
