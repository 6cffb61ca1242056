"""How one request ended, what that means, and what to do about it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal, NamedTuple

import msgspec

OUTCOMES = ("succeeded", "errored", "canceled", "expired", "unknown", "unreadable", "missing", "waiting")
"""The API's four, then ours: a type we don't know, a line that is no result, no line at all, no results yet."""

SUCCEEDED, ERRORED, CANCELED, EXPIRED, UNKNOWN, UNREADABLE, MISSING, WAITING = range(len(OUTCOMES))
CODES = {name: code for code, name in enumerate(OUTCOMES)}

CUT_SHORT = ("", "max_tokens", "refusal", "pause_turn", "model_context_window_exceeded", "empty")
"""Why a succeeded answer is not usable as it stands; the first is 'it is usable'."""
EMPTY = CUT_SHORT.index("empty")
CUT_CODES = {name: code for code, name in enumerate(CUT_SHORT)}
FLAWS = (*CUT_SHORT, "invalid")
"""Why a succeeded answer is not usable: it is cut short, or whole and not the JSON, or not within the schema, asked for."""
INVALID = FLAWS.index("invalid")


class CutAdvice(NamedTuple):
    """What to change before an answer that was cut short is asked for again."""

    words: str
    change: str
    """The option of ``retry`` that does it, as far as one does."""


_CUT_ADVICE = {
    "max_tokens": CutAdvice("raise max_tokens", "--set max_tokens=…"),
    "refusal": CutAdvice("change the prompt or the model", "--set model=…"),
    "pause_turn": CutAdvice("make the task simpler", ""),
    "model_context_window_exceeded": CutAdvice("shorten the prompt, or change the model", "--set model=…"),
    "empty": CutAdvice("retry as is, or change the prompt", ""),
}
_SEVERAL = CutAdvice("each reason needs another change", "--set KEY=VALUE")


def cut_advice(reasons: Iterable[int]) -> CutAdvice:
    """What to change where answers are cut short for these reasons (numbers in CUT_SHORT): that of each kind when it is one."""
    found = {_CUT_ADVICE[CUT_SHORT[code]] for code in set(reasons)}
    return found.pop() if len(found) == 1 else _SEVERAL


def cut_reasons(reasons: Iterable[int]) -> str:
    """Why answers are cut short (numbers in CUT_SHORT), the most frequent first: ``2 max_tokens, 1 refusal``; of one kind
    its name alone.
    """
    counts = Counter(reasons).most_common()
    return ", ".join(f"{n:,} {CUT_SHORT[code]}" if len(counts) > 1 else CUT_SHORT[code] for code, n in counts)


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What it means, everywhere, that a request ended in one way."""

    name: str
    """The word of ``--only``, of counts and of filters."""
    title: str
    tab: int
    """The tab of the results screen that has it; tab 1 has all."""
    retried: bool
    """Whether a retry sends it again unless it is said what to retry."""
    rank: int
    """In a run the answer of the highest rank holds, of equal ones the later."""
    exit_code: int
    strict: int
    """Exit code with ``--strict``."""
    counted: str
    """What it is counted as; "" where its value is."""
    gold: bool = False
    """Whether its value is compared with the gold value; else it is wrong."""


def _failed(name: str, title: str, tab: int, rank: int, *, retried: bool = True) -> Standing:
    return Standing(
        name=name, title=title, tab=tab, retried=retried, rank=rank, exit_code=1, strict=1, counted="no answer"
    )


def _not_usable(name: str, title: str, tab: int, rank: int) -> Standing:
    words = name.replace("_", " ")
    return Standing(name=name, title=title, tab=tab, retried=False, rank=rank, exit_code=0, strict=1, counted=words)


USABLE = Standing(
    name="usable", title="Usable", tab=2, retried=False, rank=5, exit_code=0, strict=0, counted="", gold=True
)
STANDINGS = (
    USABLE,
    _not_usable("cut_short", "Cut short", 3, 3),
    _not_usable("invalid", "Invalid", 4, 4),
    _failed("errored", "Errored", 5, 2),
    _failed("canceled", "Canceled", 6, 1),
    _failed("expired", "Expired", 7, 1),
    _failed("missing", "Missing", 8, 0),
    _failed("unknown", "Other", 9, 0, retried=False),
    _failed("unreadable", "Other", 9, 0, retried=False),
    _failed("waiting", "Waiting", 0, -1, retried=False),
)
"""In the order of the tabs; ``waiting`` is no outcome yet and has none."""
BY_NAME = {each.name: each for each in STANDINGS}
ALL_OUTCOMES = tuple(each.name for each in STANDINGS if each.tab)
"""What ``--only`` takes, beside ``succeeded``."""
_BY_OUTCOME = tuple(BY_NAME.get(name, USABLE) for name in OUTCOMES)
_BY_FLAW = (USABLE, *(BY_NAME["invalid"] if name == "invalid" else BY_NAME["cut_short"] for name in FLAWS[1:]))


def standing(outcome: int, flaw: int) -> Standing:
    """What a row's outcome (its number in OUTCOMES) and flaw (in FLAWS) mean; the one place that says it."""
    return _BY_FLAW[flaw] if outcome == SUCCEEDED else _BY_OUTCOME[outcome]


def ended(outcome: int, flaw: int) -> str:
    """How a row ended, in the API's word, and in brackets why a succeeded one is not usable: ``succeeded (max_tokens)``."""
    word = OUTCOMES[outcome]
    return f"{word} ({FLAWS[flaw]})" if outcome == SUCCEEDED and flaw else word


RetryAdvice = Literal["as_is", "changed", "later"]


class Meaning(msgspec.Struct, frozen=True):
    """What an error says about sending the request again."""

    meaning: str
    advice: str
    retry: RetryAdvice
    """As it is; only changed; or once something outside is put right."""


class ErrorGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Results without a usable answer that ended the same way."""

    number: int
    """The group's number in its view, as ``ResultRow.group`` has it."""
    outcome: str
    kind: str
    """The API's error type, why the answer is cut short, or the outcome again."""
    message: str
    """The message with numbers and ids made equal; empty when the outcome has none."""
    code: str = ""
    """The API's stable ``error_code``, where it gave one."""
    count: int
    meaning: str
    advice: str
    retry: RetryAdvice

    @property
    def retry_helps(self) -> bool:
        """True when sending the same request again may well succeed."""
        return self.retry == "as_is"

    @property
    def title(self) -> str:
        """One line for a list."""
        return f"{self.kind}: {self.message}" if self.message else self.kind


_CREDIT = Meaning(
    "The account was out of credit or over its spend limit; nothing is wrong with the request.",
    "Add credit or raise the limit, then retry as is.",
    "later",
)
_SERVER = Meaning("The API could not process it just then; nothing is wrong with the request.", "Retry as is.", "as_is")
_FIX = Meaning(
    "The API did not accept the request as written.",
    "Change the request first: retried as is, it fails again.",
    "changed",
)

_KINDS: dict[str, Meaning] = {
    "invalid_request_error": _FIX,
    "billing_error": _CREDIT,
    "authentication_error": Meaning(
        "The key was not accepted while the batch ran.", "Check the key, then retry as is.", "later"
    ),
    "permission_error": Meaning(
        "The key or workspace may not use the model or a feature of the request.",
        "Ask for access, or change the model, then retry.",
        "later",
    ),
    "not_found_error": Meaning(
        "Something the request names does not exist, most often the model.",
        "Change the model (or the file that the request names) first.",
        "changed",
    ),
    "request_too_large": Meaning("The request is over the size limit.", "Make the request smaller first.", "changed"),
    "rate_limit_error": _SERVER,
    "api_error": _SERVER,
    "timeout_error": _SERVER,
    "overloaded_error": _SERVER,
    "expired": Meaning(
        "The batch expired before this request was processed; it is not charged.",
        "Retry as is.",
        "as_is",
    ),
    "canceled": Meaning(
        "The batch was canceled before this request was processed; it is not charged.",
        "Retry as is if you still want them.",
        "as_is",
    ),
    "missing": Meaning(
        "The results have no line for this request.",
        "Download the results again; if it stays missing, retry as is.",
        "as_is",
    ),
    "waiting": Meaning("The batch's results are not downloaded yet.", "Wait for the batch to end.", "later"),
    "unknown": Meaning(
        "The result has a type that this version does not know; it is kept and shown as received.",
        "Look at the raw line before you retry: it may hold an answer.",
        "later",
    ),
    "unreadable": Meaning(
        "The line is not a result as documented; it is kept and shown as received.",
        "Download the results again; if nothing changes, retry.",
        "as_is",
    ),
    "max_tokens": Meaning("The answer was truncated at max_tokens.", "Retry with a larger max_tokens.", "changed"),
    "refusal": Meaning(
        "The model declined to answer.",
        "Change the prompt or the model; the same request is likely declined again.",
        "changed",
    ),
    "pause_turn": Meaning(
        "A long turn with server tools was paused before its end.",
        "Continue it with the answer as the assistant's turn, or retry with a simpler task.",
        "changed",
    ),
    "model_context_window_exceeded": Meaning(
        "The answer was truncated: prompt and answer filled the model's context window.",
        "Shorten the prompt, or use a model with a larger window.",
        "changed",
    ),
    "invalid": Meaning(
        "The answer is not the JSON, or does not fit the schema, that the request asked for.",
        "Retry as is, or change the prompt, the schema or the model.",
        "as_is",
    ),
    "empty": Meaning(
        "It succeeded, and the answer holds no text.",
        "Look at one, then retry, best with a changed prompt.",
        "as_is",
    ),
}

_LIMIT = Meaning(
    "The organization or workspace had reached its spend or usage limit; nothing is wrong with the request.",
    "Wait until the limit resets or raise it, then retry as is.",
    "later",
)
_ON_HOLD = Meaning(
    "The organization was on hold or disabled; nothing is wrong with the request.",
    "Resolve that in the Console, then retry as is.",
    "later",
)
_FETCH = Meaning("The API timed out while it fetched a file that the request names by URL.", "Retry as is.", "as_is")
_CODES: dict[str, Meaning] = {
    "enforced_spend_limit_reached": _LIMIT,
    "contract_spend_limit_reached": _LIMIT,
    "organization_on_hold": _ON_HOLD,
    "ramp_limit_exceeded": _SERVER,
    "image_dimensions_too_large": Meaning(
        "An image has more pixels than the API takes.", "Scale the image down first.", "changed"
    ),
    "file_expired": Meaning("A file that the request names has expired.", "Upload the file again first.", "changed"),
}
"""Meanings by ``error.details.error_code``, which is stable (errors page, November 2026)."""
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`")
_PHRASES = (
    (re.compile(r"credit balance is too low|billing (?:is|has been) disabled", re.IGNORECASE), _CREDIT),
    (re.compile(r"(?:reached|exceed(?:ed)?) (?:its|your|the) [\w' ]{0,40}\bspend limit\b", re.IGNORECASE), _LIMIT),
    (re.compile(r"reached (?:its|your|the) (?:specified )?(?:workspace )?API usage limits?\b", re.IGNORECASE), _LIMIT),
    (re.compile(r"organization (?:has been|is|was) disabled", re.IGNORECASE), _ON_HOLD),
    (re.compile(r"timed out while (?:trying to )?(?:download|fetch)", re.IGNORECASE), _FETCH),
)
"""What an invalid_request_error or a rate_limit_error says when the request is not to blame.

Source: rate-limits page; the organization's: third party.
"""
_HINTS = (
    (
        re.compile(r"prompt is too long|context (?:window|limit)|too many (?:total )?tokens", re.IGNORECASE),
        "Shorten the prompt first, or use a model with a larger window.",
    ),
    (
        re.compile(r"max_tokens", re.IGNORECASE),
        "Set another max_tokens first: retry with the change max_tokens=N (--set).",
    ),
    (re.compile(r"temperature|top_p|top_k"), "Take the parameter out first, or use an API version that allows it."),
    (re.compile(r"\bmodel\b", re.IGNORECASE), "Set another model first: retry with the change model=NAME (--set)."),
)


def meaning_of(kind: str, message: str = "", code: str = "") -> Meaning:
    """What an error kind (or outcome, or reason for a cut) means: by its code, then its type, then whole phrases."""
    if code in _CODES:
        return _CODES[code]
    if kind in ("invalid_request_error", "rate_limit_error"):
        # Names that people gave stand in quotes: they say nothing about the account.
        unquoted = _QUOTED.sub("", message)
        for phrase, found in _PHRASES:
            if phrase.search(unquoted):
                return found
    if kind == "invalid_request_error":
        for pattern, advice in _HINTS:
            if pattern.search(message):
                return Meaning(_FIX.meaning, advice, "changed")
    known = _KINDS.get(kind)
    if known is not None:
        return known
    return Meaning(
        "An error of a type that this version does not know.",
        "Read the message; retrying one shows whether that helps.",
        "as_is",
    )


_IDS = re.compile(r"\b(req|msg|msgbatch|toolu|srvtoolu|file|org|wrkspc)_[A-Za-z0-9]{6,}\b")
_HEX = re.compile(
    r"\b[0-9a-fA-F]{8}(?:-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}\b|\b(?=[0-9a-f]*\d)(?=[0-9]*[a-f])[0-9a-f]{12,}\b"
)
_NUMBERS = re.compile(r"(?<![\w-])(?<!\d\.)\d+(?:[.,]\d+)*(?![\w-])")
_SPACE = re.compile(r"\s+")
MESSAGE_LIMIT = 300
"""Longer normalized messages are cut, in characters."""


@lru_cache(maxsize=4096)
def _normalized(head: str) -> str:
    text = _SPACE.sub(" ", head).strip()
    text = _IDS.sub(lambda m: f"{m.group(1)}_\u2026", text)
    text = _HEX.sub("\u2026", text)
    text = _NUMBERS.sub("N", text)
    return text if len(text) <= MESSAGE_LIMIT else text[: MESSAGE_LIMIT - 1] + "\u2026"


def normalize(message: str) -> str:
    """A message with numbers, ids and white space made equal, so that equal errors have equal messages."""
    return _normalized(message[: 4 * MESSAGE_LIMIT])


def cut_code(stop_reason: str) -> int:
    """The number in ``CUT_SHORT`` of a stop reason, 0 when the answer is whole."""
    return CUT_CODES.get(stop_reason, 0)
