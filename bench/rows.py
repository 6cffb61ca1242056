"""What a row of the table is, and what all rows share."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.measure import Figure

PYTHON = sys.executable


@dataclass(frozen=True)
class Line:
    """One line of the table: a piece of work beside one peer, or against a limit of its own."""

    work: str
    ours: float
    unit: str = "s"
    peer: str = ""
    theirs: float | None = None
    target: float | None = None
    """The highest ratio allowed; without a peer the highest value itself, in ``unit``."""
    peak: float = 0.0
    peer_peak: float = 0.0
    note: str = ""
    rounds: tuple[float, ...] = ()
    peer_rounds: tuple[float, ...] = ()

    @property
    def ratio(self) -> float | None:
        """Ours to theirs; None without a peer's figure."""
        return self.ours / self.theirs if self.theirs else None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where there is nothing to compare."""
        if self.target is None:
            return None
        if self.peer:
            return None if self.ratio is None else self.ratio <= self.target
        return self.ours <= self.target


@dataclass
class Bench:
    """The settings of one call and what was found missing."""

    count: int = 100_000
    """Requests in the large files."""
    rounds: int = 3
    idle: float = 60.0
    """Seconds for which bytes to the terminal are counted."""
    missing: set[str] = field(default_factory=set)

    def has(self, program: str) -> bool:
        """Whether a peer is on this machine."""
        if shutil.which(program):
            return True
        self.missing.add(program)
        return False

    def scaled(self, full: int) -> int:
        """A count that shrinks with --size quick."""
        return max(10, full * self.count // 100_000)


def beside(
    work: str, ours: Figure, theirs: dict[str, Figure], targets: Sequence[tuple[str, float | None]], note: str = ""
) -> list[Line]:
    """A line for each peer; one that is not there is said so."""
    lines = []
    for peer, target in targets:
        found = theirs.get(peer)
        lines.append(
            Line(
                work,
                ours.value,
                peer=peer,
                theirs=found.value if found else None,
                target=target,
                peak=ours.peak,
                peer_peak=found.peak if found else 0.0,
                note=note if found else "peer not on this machine",
                rounds=ours.rounds,
                peer_rounds=found.rounds if found else (),
            )
        )
    return lines
