"""What happened, in the past tense, as Textual messages."""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message


@dataclass
class Happened(Message, bubble=False):
    """The service told an event (one of ``batchtui.service.events``); posted to every screen on the stack."""

    event: object


@dataclass
class FilterTyped(Message):
    """The filter reads differently now."""

    text: str


class FilterLeft(Message):
    """The person is done typing a filter."""
