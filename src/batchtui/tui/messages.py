"""Textual messages that several screens share."""

from __future__ import annotations

from textual.message import Message


class Happened(Message, bubble=False):
    """The service told an event (one of ``batchtui.service.events``); posted to every screen on the stack."""

    def __init__(self, event: object) -> None:
        super().__init__()
        self.event = event


class FilterTyped(Message):
    """The filter reads differently now."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


class FilterLeft(Message):
    """The person is done typing a filter."""
