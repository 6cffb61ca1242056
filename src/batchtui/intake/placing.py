"""Puts checked requests into parts, sums what they will use, and keeps a few for showing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from batchtui.domain.money import PriceTable
from batchtui.intake import measure
from batchtui.intake.bulk import Bulk
from batchtui.intake.estimate import Meter, tokens_of, usages
from batchtui.intake.facts import ModelFacts
from batchtui.intake.split import Part, Splitter

SAMPLES = 5
SHOWN = 1_000_000
"""Longer requests are not kept for showing, in bytes."""
_MAX_PREFIXES = 50_000

Row = tuple[str, dict[str, Any]]
"""A row's own id ("" when it has none), and its columns."""


class Ready(NamedTuple):
    """A request that may be sent."""

    line: bytes
    custom_id: str
    facts: ModelFacts
    max_tokens: int
    geo: str
    size: measure.Size
    prefix: measure.Prefix | None
    betas: tuple[str, ...]
    row: Row | None
    source: int
    number: int
    """Its place: the source's number in the plan, from 1, and the line or item there."""


class Placer:
    """Fills the parts of one plan."""

    def __init__(self, splitter: Splitter, prices: PriceTable, mark: str) -> None:
        self._made = f"{mark}-"
        self._made_head = f'{{"custom_id":"{mark}-'.encode()
        self._splitter = splitter
        self._prices = prices
        self._prefixes: set[int] = set()
        self.requests = 0
        self.bytes = 0
        self.sample: list[str] = []
        self.longest = b""

    def place(self, ready: Ready) -> None:
        """Put one request into its part; raises TooManyBetas."""
        line, size = ready.line, ready.size
        part = self._splitter.part_for(ready.betas, 1, len(line) + 1)
        self._count(1, len(line) + 1)
        meter = _meter(part, ready.facts, ready.geo)
        price = ready.facts.price
        if ready.prefix is None and (price is None or not 0 < price.step_tokens <= size.octets):
            meter.add(size, ready.max_tokens)
        else:
            self._meter_special(meter, ready)
        made = ready.custom_id.startswith(self._made)
        if part.file is not None:
            if made:
                part.file.made = self._made_head
            part.file.add(line)
        if made or ready.row is not None:
            row_id, row = ready.row or ("", None)
            part.note_row(ready.custom_id, row_id, ready.source, ready.number, row, made=made)
        else:
            part.note_own(1, ready.source, ready.number)
        self._show(line)

    def has_room(self, betas: tuple[str, ...], bulk: Bulk, size: int) -> bool:
        """Whether a block of ``size`` bytes fits the open part of its betas as a whole."""
        return self._splitter.has_room(betas, len(bulk.ids), size + 1)

    def place_block(self, block: bytes, bulk: Bulk, betas: tuple[str, ...], source: int, number: int) -> None:
        """Put a block of lines, which fits and begins with this line of a source, into its part at once."""
        part = self._put(block, bulk, betas)
        part.note_own(len(bulk.ids), source, number)

    def place_rows(
        self,
        block: bytes,
        bulk: Bulk,
        betas: tuple[str, ...],
        source: int,
        numbers: Sequence[int],
        rows: Sequence[Row],
    ) -> None:
        """The same for the requests of these rows of a source."""
        part = self._put(block, bulk, betas)
        for custom_id, number, (row_id, row) in zip(bulk.ids, numbers, rows, strict=True):
            part.note_row(custom_id, row_id, source, number, row, made=custom_id.startswith(self._made))

    def _put(self, block: bytes, bulk: Bulk, betas: tuple[str, ...]) -> Part:
        part = self._splitter.part_for(betas, len(bulk.ids), len(block) + 1)
        self._count(len(bulk.ids), len(block) + 1)
        for tally in bulk.tallies:
            _meter(part, tally.facts, tally.geo).add_tally(tally)
        if part.file is not None:
            if any(custom_id.startswith(self._made) for custom_id in bulk.ids):
                part.file.made = self._made_head
            part.file.add(block)
        if len(self.sample) < SAMPLES:
            for line in block.split(b"\n", SAMPLES)[:SAMPLES]:
                self._show(line)
        start, end = bulk.longest
        if len(self.longest) < end - start <= SHOWN:
            self.longest = block[start:end]
        return part

    def _count(self, requests: int, size: int) -> None:
        self.requests += requests
        self.bytes += size

    def _show(self, line: bytes) -> None:
        if len(self.sample) < SAMPLES and len(line) <= SHOWN:
            self.sample.append(line.decode())
        if len(self.longest) < len(line) <= SHOWN:
            self.longest = line

    def _meter_special(self, meter: Meter, ready: Ready) -> None:
        size, prefix, facts = ready.size, ready.prefix, ready.facts
        tokens = tokens_of(size.chars, size.octets, size.fixed, facts)
        seen = prefix is not None and prefix.key in self._prefixes
        if prefix is not None and len(self._prefixes) < _MAX_PREFIXES:
            self._prefixes.add(prefix.key)
        both = usages(facts.name, ready.geo, tokens, prefix, seen, facts)
        meter.add_special(tokens, ready.max_tokens, both, self._prices)


def _meter(part: Part, facts: ModelFacts, geo: str) -> Meter:
    key = facts.name if not geo else f"{facts.name}\n{geo}"
    meter = part.meters.get(key)
    if meter is None:
        meter = part.meters[key] = Meter(facts, geo)
    return meter
