"""Which runs a run was made from, and which were made from it: its recipe says the one, the others' recipes the other."""

from __future__ import annotations

import threading
from collections.abc import Iterable

import msgspec

from batchtui import plainfile
from batchtui.domain.batch import BatchRecord
from batchtui.domain.errors import StoreError
from batchtui.service import recipe
from batchtui.store.records import History


def title(record: BatchRecord) -> str:
    """What a run is called: its title, else its local id."""
    return record.title or record.run


class Relative(msgspec.Struct, frozen=True):
    """A run that another was made from, or that led to another."""

    run: str
    title: str
    deleted: bool = False


class Lineage:
    """The runs of one data folder by what they were made from.  A recipe never changes, so each is read once."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._made_from: dict[str, tuple[str, ...]] = {}
        self._reading = threading.Lock()

    def made_from(self, run: str) -> list[Relative]:
        """The runs that a run was made from, as its recipe names them."""
        first = self._firsts().get(run)
        return self._relatives(self._of(first) if first is not None else ())

    def led_to(self, run: str) -> list[Relative]:
        """The runs that were made from a run, the oldest first."""
        with self._reading:
            firsts = self._firsts()
            led = [first for first in firsts.values() if run in self._of(first)]
            return self._relatives(
                each.run for each in sorted(led, key=lambda each: (each.intent_at or each.made_at, each.run))
            )

    def origins(self, run: str) -> list[BatchRecord]:
        """The first batches of all runs that a run was made from in the end, the nearest first; deleted ones are left out."""
        firsts, seen, found = self._firsts(), {run}, []
        coming = [run]
        while coming:
            first = firsts.get(coming.pop(0))
            for each in self._of(first) if first is not None else ():
                # A run is made before what is made from it; a recipe that was edited by hand may say otherwise.
                if each not in seen:
                    seen.add(each)
                    coming.append(each)
                    found += [firsts[each]] if each in firsts else []
        return found

    def _firsts(self) -> dict[str, BatchRecord]:
        """The first batch that is left of each run."""
        found: dict[str, BatchRecord] = {}
        for each in self._history.all():
            first = found.get(each.run)
            if first is None or (each.attempt, each.part) < (first.attempt, first.part):
                found[each.run] = each
        return found

    def _relatives(self, runs: Iterable[str]) -> list[Relative]:
        firsts = self._firsts()
        return [Relative(run, title(firsts[run]) if run in firsts else run, run not in firsts) for run in runs]

    def _of(self, first: BatchRecord) -> tuple[str, ...]:
        found = self._made_from.get(first.local_id)
        if found is None:
            found = self._made_from[first.local_id] = self._read(first)
        return found

    def _read(self, first: BatchRecord) -> tuple[str, ...]:
        folder = self._history.folder(first.local_id)
        try:
            # Most runs are made from files: their recipes need not be read as TOML.
            if b"\nfrom = [" not in plainfile.read(folder / recipe.RECIPE, recipe.MAX_RECIPE):
                return ()
            held = recipe.read(folder)
        except (OSError, StoreError):
            return ()
        return held.made_of if held is not None else ()
