"""An answer that came by itself, not on a line of results: whether it is usable, as the results of a batch would tell it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from batchtui.domain.outcome import CUT_SHORT
from batchtui.results.answer_check import AnswerChecker
from batchtui.results.answer_parts import parts_of
from batchtui.results.asked import AskedReader
from batchtui.results.line import message_facts, message_line


class CheckedAnswer(NamedTuple):
    """Whether an answer is what its request asked for."""

    usable: bool
    words: str
    """Why it is not usable, or that it fits; safe to show."""


def check_alone(request: bytes, message: bytes, folder: Path | None) -> CheckedAnswer | None:
    """A request line's answer checked as a batch's is, by the whole schemas kept in ``folder`` where there are any.

    None where the answer is whole and there is nothing to check it by.  jsonschema-rs is imported only
    where there is a schema.
    """
    if cut := message_facts(message).cut:
        return CheckedAnswer(False, f"cut short: {CUT_SHORT[cut].replace('_', ' ')}")
    reader = AskedReader(folder)
    reader.take(request + b"\n", 1)
    checker = AnswerChecker(reader.asked)
    parts = parts_of(message_line(message))
    if not checker.needed or parts is None:
        return None
    for why in checker.not_compiled().values():
        return CheckedAnswer(False, f"not checked: the schema can't be compiled ({why})")
    flaw = checker.flaw(0, parts)
    return (
        CheckedAnswer(True, "fits what was asked for")
        if flaw is None
        else CheckedAnswer(False, f"invalid: {flaw.text}")
    )
