"""Checks requests one by one or in blocks, builds the plan's parts, and keeps those with errors that are skipped."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import msgspec
from msgspec import UNSET

from batchtui.domain.batch import CUSTOM_ID
from batchtui.domain.errors import InputError
from batchtui.domain.money import PriceTable
from batchtui.intake import fast_path, json_errors
from batchtui.intake.cache_prefix import mark_line
from batchtui.intake.estimate import Meter, cache_shortfall, tokens_of, usages
from batchtui.intake.fast_path import PlainBlock, Shapes
from batchtui.intake.ids import NOT_SENT, IdTable, as_id, candidates, made_id, new_mark
from batchtui.intake.model_limits import ModelCatalog, ModelFacts
from batchtui.intake.options import IntakeOptions
from batchtui.intake.parts import MAX_OPEN, Part, Splitter, TooManyBetas
from batchtui.intake.problems import Found, Problems, error, warning
from batchtui.intake.prompt_size import PER_MESSAGE, TOOLS_TOKENS, Prefix, Size, prefixes_of, size_of
from batchtui.intake.row import read_columns
from batchtui.intake.rules import check_envelope, check_params
from batchtui.intake.rules_beta import unknown_beta
from batchtui.intake.schema_rules import close_params
from batchtui.intake.wording import quoted
from batchtui.results.requests_again import changed
from batchtui.results.row_ids import SourceMark
from batchtui.results.skipped import SkippedRow, holding, line_of
from batchtui.store.files import explain, make_private_dir, open_private
from batchtui.store.records import SKIPPED


class Skipped:
    """The staged skipped.jsonl; with ``skipped_path`` also a file to fix and send later, and one that says why, line for line."""

    def __init__(self, options: IntakeOptions, staging: Path | None) -> None:
        self.wanted = options.skip_bad
        """Whether bad requests are left out at all."""
        self.count = 0
        """Requests left out."""
        self._kept = _Lines(staging / SKIPPED) if staging is not None else None
        self._given = _Lines(options.skipped_path) if options.skipped_path is not None else None
        self._reasons = (
            _Lines(options.skipped_path.with_suffix(".problems.jsonl")) if options.skipped_path is not None else None
        )

    @property
    def kept(self) -> Path | None:
        """The staged file, when something was written to it."""
        return self._kept.path if self._kept is not None and self.count else None

    @property
    def written(self) -> Path | None:
        """The file that was asked for, when something was written to it."""
        return self._given.path if self._given is not None and self.count else None

    def add(
        self,
        given: bytes | None,
        problems: list[str],
        where: str,
        custom_id: str,
        *,
        place: tuple[int, int] = (0, 0),
        row: Row | None = None,
    ) -> None:
        """Leave a request out; ``given`` is None when its line was too long to be kept.  Raises StoreError.

        ``place`` is the number of its source and its line there, ``row`` what it was made from.
        """
        if not self.wanted:
            return
        self.count += 1
        if self._kept is not None:
            columns = row[1] if row is not None else None
            found = SkippedRow(
                where=where,
                source=place[0],
                number=place[1],
                custom_id=custom_id,
                row_id=row[0] if row is not None else custom_id,
                problems=problems,
                row=read_columns(columns) if isinstance(columns, msgspec.Raw) else columns,
            )
            self._kept.add(_line(found, given))
        if self._given is not None and self._reasons is not None:
            note = {"where": where, "custom_id": custom_id, "problems": problems, "kept": given is not None}
            self._given.add(given.replace(b"\n", b" ") + b"\n" if given is not None else b"")
            self._reasons.add(msgspec.json.encode(note) + b"\n")

    def close(self) -> None:
        """Make the files last.  Raises StoreError."""
        for lines in (self._kept, self._given, self._reasons):
            if lines is not None:
                lines.close()


def _line(found: SkippedRow, given: bytes | None) -> bytes:
    try:
        return line_of(holding(found, given))
    except (UnicodeEncodeError, TypeError, ValueError, RecursionError, OverflowError):
        # A row with what JSON can't hold is kept as its reader wrote it down.
        return line_of(holding(msgspec.structs.replace(found, row=None), given))


class _Lines:
    """A file of lines that is made when the first one comes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO | None = None

    def add(self, line: bytes) -> None:
        try:
            if self._file is None:
                make_private_dir(self.path.parent)
                self._file = open_private(self.path, "wb")
            self._file.write(line)
        except OSError as bad:
            raise explain(bad, f"can't write {self.path}") from bad

    def close(self) -> None:
        if self._file is None:
            return
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as bad:
            raise explain(bad, f"can't write {self.path}") from bad
        finally:
            self._file.close()


SAMPLES = 5
SHOWN = 1_000_000
"""Longer requests are not kept for showing, in bytes."""
_MAX_PREFIXES = 50_000

Row = tuple[str, dict[str, Any] | msgspec.Raw | None]
"""A row's own id ("" when it has none), and its columns; None where it is no row of a table."""


class Ready(NamedTuple):
    """A request that may be sent."""

    line: bytes
    custom_id: str
    facts: ModelFacts
    max_tokens: int
    geo: str
    size: Size
    prefixes: tuple[Prefix, ...]
    betas: tuple[str, ...]
    row: Row | None
    source: int
    number: int
    """Its place: the source's number in the plan, from 1, and the line or item there."""


class PlanBuilder:
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
        if not ready.prefixes and (price is None or not 0 < price.step_tokens <= size.octets):
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

    def has_room(self, betas: tuple[str, ...], plain_block: PlainBlock, size: int) -> bool:
        """Whether a block of ``size`` bytes fits the open part of its betas as a whole."""
        return self._splitter.has_room(betas, len(plain_block.ids), size + 1)

    def place_block(
        self, block: bytes, plain_block: PlainBlock, betas: tuple[str, ...], source: int, number: int
    ) -> None:
        """Put a block of lines, which fits and begins with this line of a source, into its part at once."""
        part = self._put(block, plain_block, betas)
        part.note_own(len(plain_block.ids), source, number)

    def place_rows(
        self,
        block: bytes,
        plain_block: PlainBlock,
        betas: tuple[str, ...],
        source: int,
        numbers: Sequence[int],
        rows: Sequence[Row],
    ) -> None:
        """The same for the requests of these rows of a source."""
        part = self._put(block, plain_block, betas)
        part.note_rows(
            plain_block.ids, rows, source, numbers, made=all(each.startswith(self._made) for each in plain_block.ids)
        )

    def _put(self, block: bytes, plain_block: PlainBlock, betas: tuple[str, ...]) -> Part:
        part = self._splitter.part_for(betas, len(plain_block.ids), len(block) + 1)
        self._count(len(plain_block.ids), len(block) + 1)
        for tally in plain_block.tallies:
            _meter(part, tally.facts, tally.geo).add_tally(tally)
        if part.file is not None:
            if any(custom_id.startswith(self._made) for custom_id in plain_block.ids):
                part.file.made = self._made_head
            part.file.add(block)
        if len(self.sample) < SAMPLES:
            for line in block.split(b"\n", SAMPLES)[:SAMPLES]:
                self._show(line)
        start, end = plain_block.longest
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
        facts = ready.facts
        tokens = tokens_of(*ready.size, facts)
        keys = [hash((facts.name, prefix.key)) for prefix in ready.prefixes]
        both = usages(facts.name, ready.geo, tokens, ready.prefixes, [key in self._prefixes for key in keys], facts)
        if len(self._prefixes) < _MAX_PREFIXES:
            self._prefixes.update(keys)
        meter.add_special(tokens, ready.max_tokens, both, self._prices)


def _meter(part: Part, facts: ModelFacts, geo: str) -> Meter:
    key = facts.name if not geo else f"{facts.name}\n{geo}"
    meter = part.meters.get(key)
    if meter is None:
        meter = part.meters[key] = Meter(facts, geo)
    return meter


HUGE = 32_000_000
"""Bytes of one request the Messages endpoint takes; whether a batch takes more is not documented."""
_PLACE_BITS = 40


class Checker:
    """Checks, prices and places requests; one for a whole plan."""

    def __init__(self, options: IntakeOptions, prices: PriceTable, problems: Problems, staging: Path | None) -> None:
        self._options = options
        self.problems = problems
        self._facts = ModelCatalog(options, prices)
        self.mark = options.mark or (new_mark() if staging is not None else NOT_SENT)
        """What ids made for this plan begin with."""
        self.splitter = Splitter(options.max_requests, options.max_bytes, staging)
        self.builder = PlanBuilder(self.splitter, prices, self.mark)
        self.skipped = Skipped(options, staging)
        self._ids = IdTable()
        self._shapes = Shapes()
        self._betas = tuple(sorted(set(options.betas)))
        self._told_betas: set[str] = set()
        self._sources: list[tuple[str, bool]] = []
        self._hashes: dict[int, str] = {}
        self._again = False

    @property
    def room(self) -> int:
        """Bytes a line may have, its newline aside."""
        return self.splitter.room - 1

    def facts_of(self, model: str) -> ModelFacts:
        """What is known about a model."""
        return self._facts.of(model)

    def option_quotes(self, params: fast_path.Params) -> int | None:
        """The quotes a request's options have in its line; None when they need the careful look."""
        return self._shapes.option_quotes(params)

    def source(self, name: str, *, counted: bool = False) -> None:
        """From here on lines come from this source; ``counted`` when their numbers are not lines but count its items."""
        self._sources.append((name, counted))

    def hashed(self, sha256: str) -> None:
        """The present source was read to its end, and its bytes have this hash."""
        self._hashes[len(self._sources)] = sha256

    def marks(self) -> dict[int, SourceMark]:
        """The sources so far, by number from 1."""
        return {
            number: SourceMark(number, name, self._hashes.get(number, ""))
            for number, (name, _) in enumerate(self._sources, 1)
        }

    def where(self, number: int) -> str:
        """The place of a line of the present source: ``file:line``, or ``file[item]``."""
        return _place_name(*self._sources[-1], number)

    def free_id(self, base: str, number: int) -> tuple[str, bool]:
        """A valid id near ``base`` that no request has yet, and whether ``base`` could be used as it is.

        Of an empty ``base``, or one that nothing is left of, it is made of the plan's mark and the number.
        """
        plain = base if CUSTOM_ID.match(base) else as_id(base)
        start = plain or made_id(self.mark, number)
        if start not in self._ids:
            return start, start == base
        return next(each for each in candidates(start, number) if each not in self._ids), False

    def report(self, found: Found, number: int, custom_id: str = "") -> None:
        """Note a problem of a line."""
        self.problems.add(found, self.where(number), custom_id)
        if found.level == "error" and not self._options.skip_bad:
            self.splitter.stop_staging()

    def take_block(self, block: bytes, number: int) -> int:
        """Check and place whole lines, the first of them with this number: all at once when none of them has a fault.

        Returns how many lines there were.
        """
        special = self._options.cache_prefix or self._options.changes
        found = None if special else fast_path.survey(block, self)
        if found is not None and self.builder.has_room(self._betas, found, len(block)):
            if self._ids.add_all(found.ids, count(self._place_of(number))):
                self.builder.place_block(block, found, self._betas, len(self._sources), number)
                return len(found.ids)
            self._again = True
        lines = block.split(b"\n")
        for each, line in enumerate(lines, number):
            self.take(line, each)
        self._again = False
        return len(lines)

    def take_rows(
        self, lines: Sequence[bytes], numbers: Sequence[int], rows: Sequence[Row], betas: tuple[str, ...]
    ) -> bool:
        """Check and place the requests of rows all at once, whose ids are new; False, with nothing done, when one of them
        asks for a look of its own."""
        if self._options.cache_prefix or self._options.changes:
            return False
        block = b"\n".join(lines)
        found = fast_path.survey(block, self)
        all_betas = self._all_betas(betas, numbers[0] if numbers else 0)
        if found is None or len(found.ids) != len(rows) or not self.builder.has_room(all_betas, found, len(block)):
            return False
        base = self._place_of(0)
        self._ids.add_all(found.ids, [base | number for number in numbers])
        self.builder.place_rows(block, found, all_betas, len(self._sources), numbers, rows)
        return True

    def take(
        self, line: bytes, number: int, row: Row | None = None, given: bytes | None = None, betas: tuple[str, ...] = ()
    ) -> None:
        """Check one request and place it, or name what is wrong with it.

        ``given`` is what the source holds for it when that is not the line itself; ``betas`` are its source's own.
        """
        line = line.strip()
        if not line:
            return
        given = line if given is None else given
        if self._options.changes and not (line := self._changed(line, number, row, given)):
            return
        if len(line) > self.room:
            self.too_large(number, given)
            return
        if self._options.cache_prefix:
            line = mark_line(line)
        all_betas = self._all_betas(betas, number)
        try:
            request = fast_path.REQUEST.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            self._check_fully(line, number, row, given, all_betas)
            return
        params = request.params
        facts = self._facts.of(params.model)
        if (
            not facts.usable
            or not CUSTOM_ID.match(request.custom_id)
            or (facts.max_output and params.max_tokens > facts.max_output)
            or (params.inference_geo is not UNSET and facts.refuses_geo)
            or not (size := self._ordinary(line, params))
            or self._seen_before(request.custom_id, number)
        ):
            self._check_fully(line, number, row, given, all_betas)
            return
        if params.betas is not UNSET:
            line, all_betas = self._lifted(line, params.betas, all_betas, number, request.custom_id)
        for found in facts.problems:
            self.report(found, number, request.custom_id)
        geo = "" if params.inference_geo is UNSET else params.inference_geo
        self._place(
            Ready(
                *(line, request.custom_id, facts, params.max_tokens, geo, size, ()),
                betas=all_betas,
                row=row,
                source=len(self._sources),
                number=number,
            ),
            given,
        )

    def _all_betas(self, betas: Collection[str], number: int, custom_id: str = "") -> tuple[str, ...]:
        """The plan's betas with these; one that nobody documents is named the first time."""
        if not betas:
            return self._betas
        for beta in sorted(set(betas) - self._told_betas):
            self._told_betas.add(beta)
            found = unknown_beta(beta)
            if found is not None:
                self.report(found, number, custom_id)
        return tuple(sorted({*self._betas, *betas}))

    def _changed(self, line: bytes, number: int, row: Row | None, given: bytes) -> bytes:
        """The line with the params that were asked for; b"" when they can't be set, which is named."""
        try:
            return changed(line, self._options.changes)
        except InputError as bad:
            self.report(error("set", str(bad), bad.advice), number)
            self.leave_out(given, [str(bad)], number, row=row)
            return b""

    def _ordinary(self, line: bytes, params: fast_path.Params) -> Size | None:
        """The size of a decoded request in which nothing asks for a careful look; None when something does."""
        quotes, chars, octets = fast_path.survey_line(params)
        fixed = PER_MESSAGE * len(params.messages)
        counted = line.count(b'"')
        if counted != quotes:
            if not counted > quotes > 0 or self._shapes.option_quotes(params) != counted - quotes:
                return None
            if params.tools is not UNSET:
                chars += len(params.tools)
                octets += len(params.tools) + fast_path.hidden_size(params)
                fixed += TOOLS_TOKENS
            octets += fast_path.format_size(params)
            if fast_path.characters(line) < 0:
                return None
        return Size(chars, octets, (fixed // 2, fixed))

    def _check_fully(self, line: bytes, number: int, row: Row | None, given: bytes, betas: tuple[str, ...]) -> None:
        """Name everything wrong with a line; place it when nothing stops."""
        value, faults = json_errors.parse(line)
        custom_id = json_errors.looks_like_id(line)
        params: Any = None
        if b"\n" in line and not faults:
            line = msgspec.json.encode(value)
        if not (value is None and faults):
            faults += check_envelope(value)
            if isinstance(value, dict):
                custom_id = value["custom_id"] if isinstance(value.get("custom_id"), str) else ""
                params = value.get("params")
        if isinstance(params, dict):
            if "model" not in params and self._options.any_model:
                params["model"] = self._options.any_model
                line = msgspec.json.encode(value)
            if self._options.close_schemas and close_params(params):
                line = msgspec.json.encode(value)
                faults.append(warning("schema_closed", "additionalProperties: false was added to a schema"))
            own = params.get("betas")
            named = {each for each in own if isinstance(each, str)} if isinstance(own, list) else set()
            faults += check_params(params, self._facts, self._options.api_version, tuple({*betas, *named}))
        first = self._seen_before(custom_id, number) if custom_id else 0
        if first:
            faults.append(error("duplicate_id", "this custom_id was used before", f"first at {self._where_was(first)}"))
        for found in faults:
            self.report(found, number, custom_id)
        if any(found.level == "error" for found in faults):
            self.leave_out(given, [found.text for found in faults], number, custom_id, row)
            return
        if not faults:
            self._shapes.remember(line)
        if isinstance(params.get("betas"), list):
            line, betas = self._lifted(line, params["betas"], betas, number, custom_id)
        facts, geo = self._facts.of(params["model"]), params.get("inference_geo") or ""
        size = size_of(params, facts.rules)
        prefixes = prefixes_of(params, facts.rules) if b'"cache_control"' in line else ()
        short = cache_shortfall(prefixes, facts)
        if short is not None:
            self.report(short, number, custom_id)
        self._place(
            Ready(
                *(line, custom_id, facts, params["max_tokens"], geo, size, prefixes),
                betas=betas,
                row=row,
                source=len(self._sources),
                number=number,
            ),
            given,
        )

    def _place(self, ready: Ready, given: bytes) -> None:
        number = ready.number
        if ready.size.octets > ready.facts.context > 0 or len(ready.line) > HUGE:
            self._warn_large(ready, number)
        try:
            self.builder.place(ready)
        except TooManyBetas:
            what = f"more than {MAX_OPEN} different sets of betas: each set needs a batch of its own"
            self.report(error("betas_many", what), number, ready.custom_id)
            self.leave_out(given, [what], number, ready.custom_id, ready.row)

    def leave_out(
        self, given: bytes | None, problems: list[str], number: int, custom_id: str = "", row: Row | None = None
    ) -> None:
        """Keep what a line of the present source holds among the requests that are skipped, if any are to be.

        ``given`` is None when its line was too long to be kept.  Raises StoreError.
        """
        place = (len(self._sources), number)
        self.skipped.add(given, problems, self.where(number), custom_id, place=place, row=row)

    def _lifted(
        self, line: bytes, own: list[str], betas: tuple[str, ...], number: int, custom_id: str
    ) -> tuple[bytes, tuple[str, ...]]:
        """The line without betas in its params, and the betas it needs."""
        self.report(
            warning("betas_lifted", "betas is not a field of params: it is applied to the whole batch"),
            number,
            custom_id,
        )
        outer = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
        inner = msgspec.json.decode(outer["params"], type=dict[str, msgspec.Raw])
        del inner["betas"]
        return msgspec.json.encode({**outer, "params": inner}), self._all_betas({*betas, *own}, number, custom_id)

    def _warn_large(self, ready: Ready, number: int) -> None:
        size, facts = ready.size, ready.facts
        if len(ready.line) > HUGE:
            what = f"a request of more than {HUGE // 1_000_000} MB: the API may refuse it"
            self.report(warning("request_huge", what, f"it has {len(ready.line):,} bytes"), number, ready.custom_id)
        low = tokens_of(*size, facts)[0]
        if 0 < facts.context < low:
            what = f"the prompt is likely too long for {quoted(facts.name)} ({facts.context:,} tokens)"
            self.report(warning("context", what, f"about {low:,} or more"), number, ready.custom_id)

    def too_large(self, number: int, given: bytes | None) -> None:
        """A line that no batch can hold; ``given`` is None when it was not even kept."""
        what = f"one request is larger than a whole batch may be ({self._options.max_bytes:,} bytes)"
        self.report(error("request_size", what), number)
        self.leave_out(given, [what], number)

    def _place_of(self, number: int) -> int:
        return len(self._sources) << _PLACE_BITS | number

    def _seen_before(self, custom_id: str, number: int) -> int:
        """The place of an earlier request with this id, 0 when there is none; notes the id."""
        here = self._place_of(number)
        first = self._ids.add(custom_id, here)
        return 0 if self._again and first == here else first

    def _where_was(self, place: int) -> str:
        return _place_name(*self._sources[(place >> _PLACE_BITS) - 1], place & ((1 << _PLACE_BITS) - 1))


def _place_name(source: str, counted: bool, number: int) -> str:
    return f"{source}[{number}]" if counted else f"{source}:{number}"
