"""The filter of the home screen: words and comparisons that a batch's record must meet.  Pure, no Textual."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation

from batchtui.domain.batch import BatchRecord
from batchtui.domain.errors import InputError
from batchtui.present import batch

_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|d|w)?\Z")
_COMPARE = re.compile(r"(age|cost|requests)(<=|>=|<|>|=)(.+)\Z")
_FIELDS = ("status", "model", "profile", "title", "note", "id", "source")
_OF_RESULTS = ("is", "outcome", "stop", "error", "tokens", "cut", "older", "attempt", "line")
"""Fields of the filter that results have, which make no sense here."""
_STATUSES = (
    *(
        "running",
        "waiting",
        "sending",
        "submitting",
        "in_progress",
        "canceling",
        "canceled",
        "ended",
        "refused",
        "unconfirmed",
    ),
    *(
        "active",
        "failed",
        "usable",
        "good",
        "stored",
        "downloaded",
        "partial",
        "none",
        "gone",
        "results gone",
        "unknown",
        "needs",
    ),
)
_TEXTS: dict[str, Callable[[BatchRecord], str]] = {
    "title": lambda r: r.title,
    "note": lambda r: r.note,
    "source": lambda r: r.source,
    "id": lambda r: f"{r.local_id} {r.id or ''}",
}
_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800, None: 3600}


def parse_filter(
    text: str, now: datetime, retried: Callable[[BatchRecord], bool] = lambda record: False
) -> Callable[[BatchRecord], bool]:
    """A test of records: words, fields (``status:a,b``, ``title:``, …) and comparisons (``age<2d``, ``cost>1``).

    All must hold.  ``retried``: whether a batch's failures went out again.  Raises InputError for what can't be read.
    """
    tests = [_test(word, now, retried) for word in text.lower().split()]
    return lambda record: all(test(record) for test in tests)


def _test(word: str, now: datetime, retried: Callable[[BatchRecord], bool]) -> Callable[[BatchRecord], bool]:
    compare = _COMPARE.match(word)
    if compare:
        return _comparison(compare[1], compare[2], compare[3], now)
    name, colon, value = word.partition(":")
    if colon and name == "status":
        wanted = [each for each in value.split(",") if each]
        for each in wanted:
            if not any(each in word for word in _STATUSES):
                raise InputError(f"unknown status {each!r}", advice=f"status: takes {', '.join(_STATUSES)}")
        return lambda r: not wanted or any(each in _status_words(r, now, retried(r)) for each in wanted)
    if colon and name == "model":
        return lambda r: any(value in model.lower() for model in r.models)
    if colon and name == "profile":
        return lambda r: value in r.profile.lower()
    if colon and name in _TEXTS:
        read = _TEXTS[name]
        return lambda r: value in read(r).lower()
    if colon and name in ("age", "cost", "requests"):
        raise InputError(f"{name} needs a comparison", advice=f"write it like {_hint(name)}")
    if colon and name in _OF_RESULTS:
        raise InputError(f"{name}: filters results", advice=f"batches have {', '.join(f'{f}:' for f in _FIELDS)}")
    if colon and (near := _near(name)):
        raise InputError(f"there is no field {name!r}", advice=f"did you mean {near}:?")
    if word in _STATUSES:
        return lambda r: word in _status_words(r, now, retried(r)).split() or word in _texts(r)
    return lambda r: word in _texts(r)


def _texts(r: BatchRecord) -> str:
    return " ".join((r.title, r.note, r.source, r.local_id, r.id or "", *r.models)).lower()


def _near(name: str) -> str:
    """The field that was meant, "" when it was none."""
    import difflib

    return next(iter(difflib.get_close_matches(name, _FIELDS, 1)), "")


def _status_words(record: BatchRecord, now: datetime, retried: bool) -> str:
    state = batch.state(record, now, retried=retried)
    words = [record.status, state.word]
    words += ["unknown"] if record.unknown else []
    words += ["active"] if record.active else []
    words += ["needs"] if state.rank < 2 else []
    if record.status == "ended":
        words.append("failed" if record.needs_retry else "usable good")
        words.append("stored downloaded" if record.results == "stored" else record.results)
    return " ".join(words)


def _comparison(name: str, sign: str, value: str, now: datetime) -> Callable[[BatchRecord], bool]:
    amount = _amount(name, value)
    hold: Callable[[Decimal], bool] = {
        "<": lambda x: x < amount,
        ">": lambda x: x > amount,
        "<=": lambda x: x <= amount,
        ">=": lambda x: x >= amount,
        "=": lambda x: x == amount,
    }[sign]
    if name == "age":
        return lambda r: hold(Decimal((now - r.made_at) // timedelta(seconds=1)))
    if name == "cost":
        return lambda r: hold(batch.cost_of(r).usd or Decimal(0))
    return lambda r: hold(Decimal(r.requests))


def _amount(name: str, value: str) -> Decimal:
    span = _SPAN.match(value)
    if name == "age" and span:
        return Decimal(span[1]) * _UNITS[span[2]]
    try:
        if name != "age":
            return Decimal(value.lstrip("$").replace(",", ""))
    except InvalidOperation:
        pass
    raise InputError(f"can't read {name} {value!r}", advice=f"write it like {_hint(name)}")


def _hint(name: str) -> str:
    return "age<2d, age>3h or age<30m" if name == "age" else f"{name}>100"
