"""Remembers tools and other options that passed the careful look, so that the next request with the same needs none."""

from __future__ import annotations

import msgspec
from msgspec import UNSET

from batchtui.intake import fast

MAX_SHAPES = 512
_LARGEST = 100_000


class Shapes:
    """Options known to be without fault, by their bytes and the model they are for."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], int] = {}

    def option_quotes(self, params: fast.Params) -> int | None:
        """The quotes a request's options have in its line; None when they need the careful look."""
        if params.stop_sequences is not UNSET and not all(stop.strip() for stop in params.stop_sequences):
            return None
        quotes = fast.quotes_of_options(params)
        key = self._key(params)
        if key is None:
            return quotes
        inside = self._known.get(key)
        return None if inside is None else quotes + inside

    def remember(self, line: bytes) -> None:
        """Keep the options of a request that has no fault."""
        if len(self._known) >= MAX_SHAPES:
            return
        try:
            params = fast.REQUEST.decode(line).params
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return
        key = self._key(params)
        texts = [raw for raw in fast.raws_of(params) if raw is not None]
        if key is not None and sum(map(len, texts)) < _LARGEST:
            self._known[key] = sum(raw.count(b'"') for raw in texts)

    def _key(self, params: fast.Params) -> tuple[object, ...] | None:
        """What decides whether options are allowed, their model among it; None when there are none of that kind."""
        raws = fast.raws_of(params)
        values = (params.temperature, params.top_p, params.top_k)
        if all(raw is None for raw in raws) and all(value is UNSET for value in values):
            return None
        return (*raws, *values, params.max_tokens, params.model)
