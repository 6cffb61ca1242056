"""Whether requests ask for values: a structured output, or the call of a tool."""

from __future__ import annotations

import msgspec

from batchtui.results.view import View

_LOOKS = 20
"""Requests that are looked at, spread over all."""


class _Config(msgspec.Struct, gc=False):
    format: msgspec.Raw | None = None


class _Choice(msgspec.Struct, gc=False):
    type: str = ""


class _Params(msgspec.Struct, gc=False):
    output_config: _Config | None = None
    tool_choice: _Choice | None = None


class _Request(msgspec.Struct, gc=False):
    params: _Params


_decode = msgspec.json.Decoder(_Request).decode


def asks_for_values(view: View) -> bool:
    """True when some request, of a few that are looked at, has an output format or has to call a tool.  Raises StoreError."""
    count = len(view)
    return any(_asks(view.request_raw(row)) for row in range(0, count, max(1, count // _LOOKS)))


def _asks(line: bytes | None) -> bool:
    if not line:
        return False
    try:
        params = _decode(line).params
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return False
    config, choice = params.output_config, params.tool_choice
    has_format = config is not None and config.format is not None and bytes(config.format) != b"null"
    return has_format or (choice is not None and choice.type in ("tool", "any"))
