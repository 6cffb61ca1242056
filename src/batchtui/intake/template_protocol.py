"""What the process that renders templates and the one that asks it say to each other: frames of MessagePack on pipes."""

from __future__ import annotations

import struct
from typing import Any

import msgspec

from batchtui.intake.problems import Found

HEAD = struct.Struct("<I")
"""Before each frame: its bytes."""
MAX_TEXT = 32_000_000
"""Characters a rendered text may have, as many as a request may have bytes."""
MAX_PARAMS = 2 * MAX_TEXT
"""Bytes of a rendered request's params."""
MAX_FRAME = MAX_PARAMS + (4 << 20)
"""Bytes of an answer that is believed."""
MAX_SECONDS = 2.0
"""Seconds of computing for one row."""
READ_SECONDS = 5.0
"""Seconds of computing for reading the template."""
MAX_MEMORY = 768 << 20
"""Bytes the process may take, its own about 60 MB included."""


class BadTemplate(Exception):
    """The template itself is at fault: what, and in which line of it (0 when unknown)."""

    def __init__(self, found: Found, line: int = 0) -> None:
        super().__init__(found.text)
        self.found = found
        self.line = line


class Compile(msgspec.Struct, frozen=True, array_like=True, tag="compile"):
    """From here on this template; answered by Compiled or Refused."""

    text: str
    seconds: float
    """Of computing, for each row."""
    reading: float = READ_SECONDS
    """Seconds of computing, for the template itself."""
    model: str = ""
    """Goes before the template's own."""
    fallback_model: str = ""
    """For a template that names none."""


class Block(msgspec.Struct, frozen=True, array_like=True, tag="block"):
    """Rows, each answered by Made or Failed in their order."""

    first: int
    """The number of the first row, from 1."""
    careful: bool
    """Whether each field is announced by Entered before it is rendered."""
    rows: list[dict[str, Any]]
    scoped: bool = False
    """Whether each row is one of a run: ``row`` (columns, or their JSON), ``answer`` and ``run`` with what each holds."""


class RawBlock(msgspec.Struct, frozen=True, array_like=True, tag="block"):
    """A Block whose rows are encoded already."""

    first: int
    careful: bool
    rows: list[msgspec.Raw]
    scoped: bool = False


class Compiled(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """The template is sound; these betas it names, and these columns it may use."""

    betas: tuple[str, ...]
    names: tuple[str, ...] = ()
    replaced_model: str = ""
    """The template's own model, where another was asked for."""


class TemplateRefused(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """The template is at fault, in this line of it (0 when unknown)."""

    message: str
    detail: str
    line: int


class Made(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """A row's params as JSON, and the custom_id the template makes (None when it makes none)."""

    params: bytes
    custom_id: str | None
    said: list[tuple[str, str]] = []
    """Codes and texts of warnings."""
    empty: bool = False
    """Whether a column that the template uses is empty in it."""


class Failed(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """The template can't be filled from a row."""

    code: str
    message: str
    detail: str


class Entered(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """The field that is rendered now."""

    field: str


Question = Compile | Block
Answer = Compiled | TemplateRefused | Made | Failed | Entered

QUESTIONS: msgspec.msgpack.Decoder[Question] = msgspec.msgpack.Decoder(Question)
ANSWERS: msgspec.msgpack.Decoder[list[Answer]] = msgspec.msgpack.Decoder(list[Answer])


def frame(payload: bytes) -> bytes:
    """A payload with its size before it."""
    return HEAD.pack(len(payload)) + payload
