"""Remembers tools and other options that passed the careful look, so that the next request with the same needs none."""

from __future__ import annotations

import msgspec
from msgspec import UNSET

from batchtui.intake import fast

MAX_SHAPES = 512
_LARGEST = 100_000


class Shapes:
    """Options known to be without fault, by their bytes; ``sampling`` tells whether temperature and the like are allowed."""

    def __init__(self, sampling: bool) -> None:
        self._sampling = sampling
        self._known: dict[tuple[object, ...], int] = {}

    def option_quotes(self, params: fast.Params) -> int | None:
        """The quotes a request's options have in its line; None when they need the careful look."""
        if not self._sampling and not (params.temperature is UNSET and params.top_p is UNSET and params.top_k is UNSET):
            return None
        if params.stop_sequences is not UNSET and not all(stop.strip() for stop in params.stop_sequences):
            return None
        quotes = fast.quotes_of_options(params)
        raws = fast.raws_of(params)
        if any(raw is not None for raw in raws):
            inside = self._known.get((*raws, params.max_tokens))
            return None if inside is None else quotes + inside
        return quotes

    def remember(self, line: bytes) -> None:
        """Keep the options of a request that has no fault."""
        if len(self._known) >= MAX_SHAPES:
            return
        try:
            params = fast.REQUEST.decode(line).params
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return
        raws = fast.raws_of(params)
        texts = [raw for raw in raws if raw is not None]
        if texts and sum(map(len, texts)) < _LARGEST:
            self._known[(*raws, params.max_tokens)] = sum(raw.count(b'"') for raw in texts)
