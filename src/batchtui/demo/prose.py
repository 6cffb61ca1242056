"""Stock text for simulated answers: plain, varied, and cut to any length at a sentence."""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import lru_cache
from typing import Any

MARK = "[simulated]"

_SENTENCES = (
    "The first thing to look at is what the text leaves out.",
    "Two of the points agree, and the third one qualifies them.",
    "Most of the detail sits in the middle, where the numbers are.",
    "Read in order, the steps make sense; read alone, the last one does not.",
    "A short answer is possible, but it would hide the one exception that matters.",
    "The tone is friendly and the request behind it is urgent.",
    "Nothing here contradicts the earlier note, though it narrows it.",
    "The cause is named twice, once plainly and once in passing.",
    "If only one change can be made, make the one that is easy to undo.",
    "The figures add up when the returned items are taken off first.",
    "What reads like a complaint is mostly a question about timing.",
    "There is enough here to act on today and a little to check tomorrow.",
    "The strongest evidence is the date; the weakest is the anecdote.",
    "A reader in a hurry would miss the condition in the second clause.",
    "The wording is careful, which suggests that the matter is not settled.",
    "Both names refer to the same thing, so one of them can go.",
    "It helps to separate what was observed from what was concluded.",
    "The example is good because it fails in an instructive way.",
    "Seen from the customer's side, only the delivery date is in doubt.",
    "The summary holds up when it is read against the source.",
    "One number is rounded and another is not, which explains the gap.",
    "The plan works with fewer people, and takes longer.",
    "No step depends on the network except the last.",
    "The older version said the same in half the words.",
    "A table would serve better than a paragraph for this part.",
    "It is worth keeping the original order, since the reader knows it.",
    "The risk is small, known, and cheap to watch.",
    "The conclusion follows, provided that the sample was not picked by hand.",
    "What is missing is a unit beside the second figure.",
    "Both options are sound; they differ in who does the work.",
)
_MULTIPLIER = 7


class Bank:
    """A long text of whole sentences that can be entered at any of them and left after any."""

    def __init__(self, glue: tuple[str, ...]) -> None:
        pieces = []
        for step in range(len(_SENTENCES) * 40):
            sentence = _SENTENCES[(step * _MULTIPLIER + step // len(_SENTENCES)) % len(_SENTENCES)]
            pieces.append(sentence + glue[step % len(glue)])
        self.text = "".join(pieces)
        self.starts = [0]
        for piece in pieces:
            self.starts.append(self.starts[-1] + len(piece))

    def take(self, dice: int, length: int) -> str:
        """About ``length`` characters of whole sentences, at least one."""
        start = self.starts[dice % (len(self.starts) // 2)]
        stop_at = start + max(1, length)
        if stop_at <= self.starts[-1]:
            return self.text[start : self.starts[bisect_left(self.starts, stop_at)]].rstrip()
        whole, rest = divmod(stop_at - self.starts[-1], len(self.text))
        last = self.starts[bisect_left(self.starts, rest)]
        return (self.text[start:] + self.text * whole + self.text[:last]).rstrip()


@lru_cache(maxsize=1)
def banks() -> tuple[Bank, Bank, Bank]:
    """Prose in paragraphs, bullets, and sections with headings."""
    return (
        Bank((" ", " ", "\n\n", " ", " ", " ", "\n\n")),
        Bank(("\n- ",)),
        Bank((" ", " ", "\n\n### Then\n\n", " ", "\n\n> ", "\n\n", " ", "\n\n### Also\n\n")),
    )


_OPTIONS = re.compile(
    r"(?:one of|exactly one|choose from|pick from|categories|labels|options|classes)\b[^:\n]{0,40}:\s*([^\n.;]{3,300})",
    re.IGNORECASE,
)
_OFFERS = ("one of", "exactly one", "choose from", "pick from", "categor", "label", "options", "classes")
_NAME = re.compile(r"[\w /&+-]{1,40}\Z")
_WORDS = re.compile(r"[^\W_][\w'-]*")


def options_in(text: str) -> list[str]:
    """The labels that a prompt offers to choose from, empty when it offers none."""
    low = text.lower()
    match = _OPTIONS.search(text) if any(offer in low for offer in _OFFERS) else None
    if match is None:
        return []
    parts = re.split(r"\s*(?:,|\||\bor\b|\band\b)\s*", match.group(1))
    names = [part.strip(" `'\"()[]") for part in parts]
    kept = [name for name in names if name and _NAME.match(name)]
    return kept if len(kept) > 1 else []


def topic(question: str) -> str:
    """A few words of the question, to show what an answer is about."""
    words = []
    for match in _WORDS.finditer(question[:400]):
        words.append(match.group()[:30])
        if len(words) == 7:
            break
    return " ".join(words) or "this"


def as_object(value: Any) -> dict[str, Any]:
    """The value when it is a JSON object, an empty one when it is not."""
    return value if isinstance(value, dict) else {}


def sample(schema: Any, dice: int, depth: int = 0) -> Any:
    """A value that a JSON schema allows, as far as the demo understands it."""
    if not isinstance(schema, dict) or depth > 6:
        return f"{MARK} value"
    if schema.get("const") is not None:
        return schema["const"]
    choices = schema.get("enum")
    if isinstance(choices, list) and choices:
        return choices[dice % len(choices)]
    for several in ("anyOf", "oneOf", "allOf"):
        if isinstance(schema.get(several), list) and schema[several]:
            return sample(schema[several][0], dice, depth + 1)
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = kind[0] if kind else "string"
    if kind == "object" or "properties" in schema:
        fields = as_object(schema.get("properties"))
        return {
            name: sample(each, dice >> (3 * n + 1), depth + 1)
            for n, (name, each) in enumerate(list(fields.items())[:50])
        }
    if kind == "array":
        return [sample(schema.get("items"), dice >> (2 * n), depth + 1) for n in range(1 + dice % 3)]
    low = schema.get("minimum") if isinstance(schema.get("minimum"), int | float) else 0
    plain: dict[str, Any] = {
        "integer": int(low or 0) + dice % 100,
        "number": (low or 0) + dice % 1000 / 1000,
        "boolean": bool(dice & 1),
        "null": None,
    }
    return plain.get(str(kind), f"{MARK} {_SENTENCES[dice % len(_SENTENCES)]}")
