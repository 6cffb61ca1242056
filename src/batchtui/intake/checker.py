"""Takes requests one line at a time: a quick look at each, an exact one where something seems wrong, then into a part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET

from batchtui.domain.batch import CUSTOM_ID
from batchtui.domain.money import PriceTable
from batchtui.intake import fast, jsontext, measure
from batchtui.intake.cachemarks import mark_line
from batchtui.intake.checks import check_envelope, check_params
from batchtui.intake.estimate import Meter, tokens_of, usages
from batchtui.intake.facts import Facts, ModelFacts
from batchtui.intake.ids import IdTable, as_id, candidates
from batchtui.intake.options import API_VERSION, IntakeOptions
from batchtui.intake.problems import Found, Problems, error, warning
from batchtui.intake.skipped import Skipped
from batchtui.intake.split import MAX_OPEN, Splitter, TooManyBetas, row_line
from batchtui.intake.words import quoted

HUGE = 32_000_000
"""Bytes of one request the Messages endpoint takes; whether a batch takes more is not documented."""
SAMPLES = 5
SHOWN = 1_000_000
"""Longer requests are not kept for showing, in bytes."""
MAX_SHAPES = 512
_PLACE_BITS = 40
_MAX_PREFIXES = 50_000

Row = tuple[str, dict[str, Any]]
"""A row's own id, and its columns."""


class Checker:
    """Checks, prices and places requests; one for a whole plan."""

    def __init__(self, options: IntakeOptions, prices: PriceTable, problems: Problems, staging: Path | None) -> None:
        self._options = options
        self._prices = prices
        self.problems = problems
        self._facts = Facts(options, prices)
        self.splitter = Splitter(options.max_requests, options.max_bytes, staging)
        self._skipped = Skipped(options, staging)
        self._ids = IdTable()
        self._shapes: dict[tuple[object, ...], int] = {}
        self._prefixes: set[int] = set()
        self._betas = tuple(sorted(set(options.betas)))
        self._old_api = options.api_version < API_VERSION
        self._sources: list[tuple[str, bool]] = []
        self.requests = 0
        self.bytes = 0
        self.sample: list[str] = []
        self.longest = b""

    @property
    def room(self) -> int:
        """Bytes a line may have, its newline aside."""
        return self.splitter.room - 1

    @property
    def skipped(self) -> Skipped:
        """What was left out."""
        return self._skipped

    def source(self, name: str, *, counted: bool = False) -> None:
        """From here on lines come from this source; ``counted`` when their numbers are not lines but count its items."""
        self._sources.append((name, counted))

    def where(self, number: int) -> str:
        """The place of a line of the present source: ``file:line``, or ``file[item]``."""
        return _place_name(*self._sources[-1], number)

    def free_id(self, base: str, number: int) -> tuple[str, bool]:
        """A valid id near ``base`` that no request has yet, and whether ``base`` could be used as it is."""
        plain = base if CUSTOM_ID.match(base) else as_id(base)
        start = plain or f"row-{number}"
        if start not in self._ids:
            return start, start == base
        return next(each for each in candidates(start, number) if each not in self._ids), False

    def report(self, found: Found, number: int, custom_id: str = "") -> None:
        """Note a problem of a line."""
        self.problems.add(found, self.where(number), custom_id)
        if found.level == "error" and not self._options.skip_bad:
            self.splitter.stop_staging()

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
        if len(line) > self.room:
            self.too_large(number, given)
            return
        if self._options.cache_prefix:
            line = mark_line(line)
        all_betas = tuple(sorted({*self._betas, *betas})) if betas else self._betas
        try:
            request = fast.REQUEST.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            self._careful(line, number, row, given, all_betas)
            return
        params = request.params
        facts = self._facts.of(params.model)
        if (
            not facts.usable
            or not CUSTOM_ID.match(request.custom_id)
            or (facts.max_output and params.max_tokens > facts.max_output)
            or not (size := self._ordinary(line, params))
            or self._ids.add(request.custom_id, len(self._sources) << _PLACE_BITS | number)
        ):
            self._careful(line, number, row, given, all_betas)
            return
        if params.betas is not UNSET:
            line, all_betas = self._lifted(line, params.betas, all_betas, number, request.custom_id)
        for found in facts.problems:
            self.report(found, number, request.custom_id)
        geo = "" if params.inference_geo is UNSET else params.inference_geo
        self._place(line, number, request.custom_id, facts, geo, params.max_tokens, size, None, all_betas, row)

    def _ordinary(self, line: bytes, params: fast.Params) -> measure.Size | None:
        """The size of a decoded request in which nothing asks for a careful look; None when something does."""
        messages = params.messages
        if messages[0].role != "user" or messages[-1].role != "user":
            return None
        quotes, chars, ascii_only = fast.survey(params)
        fixed = measure.PER_MESSAGE * len(messages)
        counted = line.count(b'"')
        if counted != quotes:
            if not (counted > quotes > 0 and self._ordinary_options(line, params, counted - quotes)):
                return None
            if params.tools is not UNSET:
                chars += len(bytes(params.tools))
                fixed += measure.TOOLS_TOKENS
        octets = chars if ascii_only else min(3 * chars, max(chars, len(line)))
        return measure.Size(chars, octets, (fixed // 2, fixed))

    def _ordinary_options(self, line: bytes, params: fast.Params, quotes: int) -> bool:
        """The same for a request with options, which have to account for this many quotes."""
        if not self._old_api and not (params.temperature is UNSET and params.top_p is UNSET and params.top_k is UNSET):
            return False
        if params.stop_sequences is not UNSET and not all(stop.strip() for stop in params.stop_sequences):
            return False
        expected = fast.quotes_of_options(params)
        raws = fast.raws_of(params)
        if any(raw is not None for raw in raws):
            inside = self._shapes.get((*raws, params.max_tokens))
            if inside is None or not (line.isascii() or _is_utf8(line)):
                return False
            expected += inside
        return expected == quotes

    def _careful(self, line: bytes, number: int, row: Row | None, given: bytes, betas: tuple[str, ...]) -> None:
        """Name everything wrong with a line; place it when nothing stops."""
        value, faults = jsontext.parse(line)
        custom_id = jsontext.looks_like_id(line)
        params: Any = None
        if b"\n" in line and not faults:
            line = msgspec.json.encode(value)
        if not (value is None and faults):
            faults += check_envelope(value)
            if isinstance(value, dict):
                custom_id = value["custom_id"] if isinstance(value.get("custom_id"), str) else ""
                params = value.get("params")
        if isinstance(params, dict):
            if "model" not in params and self._options.default_model:
                params["model"] = self._options.default_model
                line = msgspec.json.encode(value)
            own = params.get("betas")
            named = {each for each in own if isinstance(each, str)} if isinstance(own, list) else set()
            faults += check_params(params, self._facts, self._options.api_version, tuple({*betas, *named}))
        first = self._ids.add(custom_id, len(self._sources) << _PLACE_BITS | number) if custom_id else 0
        if first:
            faults.append(error("duplicate_id", "this custom_id was used before", f"first at {self._where_was(first)}"))
        for found in faults:
            self.report(found, number, custom_id)
        if any(found.level == "error" for found in faults):
            self._skipped.add(given, [found.text for found in faults], self.where(number), custom_id)
            return
        if not faults:
            self._remember_shape(line)
        if isinstance(params.get("betas"), list):
            line, betas = self._lifted(line, params["betas"], betas, number, custom_id)
        self._place_checked(line, number, custom_id, params, betas, row)

    def _place_checked(
        self, line: bytes, number: int, custom_id: str, params: dict[str, Any], betas: tuple[str, ...], row: Row | None
    ) -> None:
        geo = params.get("inference_geo") or ""
        size = measure.size_of(params, line)
        prefix = measure.prefix_of(params) if b'"cache_control"' in line else None
        facts = self._facts.of(params["model"])
        self._place(line, number, custom_id, facts, geo, params["max_tokens"], size, prefix, betas, row)

    def _place(
        self,
        line: bytes,
        number: int,
        custom_id: str,
        facts: ModelFacts,
        geo: str,
        max_tokens: int,
        size: measure.Size,
        prefix: measure.Prefix | None,
        betas: tuple[str, ...],
        row: Row | None,
    ) -> None:
        length = len(line)
        if size.octets > facts.context > 0 or length > HUGE:
            self._warn_large(line, number, custom_id, facts, size)
        try:
            part = self.splitter.part_for(betas, length + 1)
        except TooManyBetas:
            what = f"more than {MAX_OPEN} different sets of betas: each set makes a batch of its own"
            self.report(error("betas_many", what), number, custom_id)
            return
        self.requests += 1
        self.bytes += length + 1
        key = facts.name if not geo else f"{facts.name}\n{geo}"
        meter = part.meters.get(key)
        if meter is None:
            meter = part.meters[key] = Meter(facts, geo)
        price = facts.price
        if prefix is None and (price is None or not price.step_tokens or size.octets < price.step_tokens):
            meter.add(size.chars, size.octets, size.fixed[0], size.fixed[1], max_tokens)
        else:
            self._meter_special(meter, size, prefix, max_tokens)
        if part.file is not None:
            part.file.add(line)
            if row is not None:
                self.splitter.keep_row(part, row_line(custom_id, *row))
        if len(self.sample) < SAMPLES and length <= SHOWN:
            self.sample.append(line.decode())
        if len(self.longest) < length <= SHOWN:
            self.longest = line

    def _meter_special(self, meter: Meter, size: measure.Size, prefix: measure.Prefix | None, max_tokens: int) -> None:
        tokens = tokens_of(size.chars, size.octets, size.fixed, meter.facts)
        seen = prefix is not None and prefix.key in self._prefixes
        if prefix is not None and len(self._prefixes) < _MAX_PREFIXES:
            self._prefixes.add(prefix.key)
        both = usages(meter.facts.name, meter.geo, tokens, prefix, seen, meter.facts)
        meter.add_special(tokens, max_tokens, both, self._prices)

    def _lifted(
        self, line: bytes, own: list[str], betas: tuple[str, ...], number: int, custom_id: str
    ) -> tuple[bytes, tuple[str, ...]]:
        """The line without betas in its params, and the betas it needs."""
        self.report(
            warning("betas_lifted", "betas are no field of params: they are lifted to the whole batch"),
            number,
            custom_id,
        )
        outer = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
        inner = msgspec.json.decode(outer["params"], type=dict[str, msgspec.Raw])
        del inner["betas"]
        return msgspec.json.encode({**outer, "params": inner}), tuple(sorted({*betas, *own}))

    def _remember_shape(self, line: bytes) -> None:
        """Keep the tools and the like of a request without fault, so that the next one with the same needs no careful look."""
        if len(self._shapes) >= MAX_SHAPES:
            return
        try:
            params = fast.REQUEST.decode(line).params
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return
        raws = [raw for raw in fast.raws_of(params) if raw is not None]
        if raws and sum(map(len, raws)) < 100_000:
            self._shapes[(*fast.raws_of(params), params.max_tokens)] = sum(raw.count(b'"') for raw in raws)

    def _warn_large(self, line: bytes, number: int, custom_id: str, facts: ModelFacts, size: measure.Size) -> None:
        if len(line) > HUGE:
            what = f"a request of more than {HUGE // 1_000_000} MB: the service may refuse it"
            self.report(warning("request_huge", what, f"it has {len(line):,} bytes"), number, custom_id)
        low = tokens_of(size.chars, size.octets, size.fixed, facts)[0]
        if facts.context and low > facts.context:
            what = f"the prompt is likely too long for {quoted(facts.name)} ({facts.context:,} tokens)"
            self.report(warning("context", what, f"about {low:,} or more"), number, custom_id)

    def too_large(self, number: int, given: bytes | None) -> None:
        """A line that no batch can hold; ``given`` is None when it was not even kept."""
        what = f"one request is larger than a whole batch may be ({self._options.max_bytes:,} bytes)"
        self.report(error("request_size", what), number)
        self._skipped.add(given, [what], self.where(number), "")

    def _where_was(self, place: int) -> str:
        return _place_name(*self._sources[(place >> _PLACE_BITS) - 1], place & ((1 << _PLACE_BITS) - 1))


def _place_name(source: str, counted: bool, number: int) -> str:
    return f"{source}[{number}]" if counted else f"{source}:{number}"


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
