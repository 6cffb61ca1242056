"""Small objects of a request by their fields: what each field must be, which ones are needed, and which are not known.

Source: the types of the official SDK 2.14.0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from batchtui.intake.problems import Found, error, warning
from batchtui.intake.wording import kind_of, near, quoted

Shape = Mapping[str, str]
"""Field names with what each must be: a word of ``_KINDS``, with ``!`` behind it when needed, ``?`` when it may be null."""


def _is_strings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _is_whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


_KINDS: dict[str, tuple[Callable[[object], bool], str]] = {
    "string": (lambda value: isinstance(value, str), "a string"),
    "name": (lambda value: isinstance(value, str) and value != "", "a string that is not empty"),
    "flag": (lambda value: isinstance(value, bool), "true or false"),
    "count": (lambda value: _is_whole(value, 1), "a whole number of 1 or more"),
    "whole": (lambda value: _is_whole(value, 0), "a whole number of 0 or more"),
    "strings": (_is_strings, "a list of strings"),
    "objects": (lambda value: isinstance(value, list) and all(isinstance(each, dict) for each in value), "a list of objects"),
    "object": (lambda value: isinstance(value, dict), "an object"),
    "list": (lambda value: isinstance(value, list), "a list"),
    "any": (lambda value: True, "a value"),
}  # fmt: skip


def check_shape(
    holder: Mapping[str, object], shape: Shape, what: str, code: str, where: str = "", *, closed: bool = False
) -> Iterator[Found]:
    """What is wrong with an object's fields; one that is not known is a warning, an error in a ``closed`` object or near a
    known name."""
    for name, words in shape.items():
        kind = words.rstrip("!?")
        if name not in holder:
            if "!" in words:
                yield error(code, f"{what} has no {name}", where)
            continue
        value = holder[name]
        if not (value is None and "?" in words) and not _KINDS[kind][0](value):
            yield error(code, f"{name} of {what} must be {_KINDS[kind][1]}", _detail(value, where))
    for name in holder:
        if name not in shape:
            guess = near(name, shape)
            if guess and guess not in holder:
                yield error(code, f"unknown field {quoted(name)} in {what}, did you mean {guess}?", where)
            else:
                yield (error if closed else warning)(code, f"unknown field {quoted(name)} in {what}", where)


def _detail(value: object, where: str) -> str:
    it = f"it is {quoted(value) if isinstance(value, str) else value if _is_whole(value, -(10**9)) else kind_of(value)}"
    return f"{where}: {it}" if where else it
