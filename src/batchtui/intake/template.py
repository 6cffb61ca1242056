"""Templates: a TOML file whose strings turn a row into a request.

Loaded late, in the process that renders: it imports jinja2 through ``sandbox``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from typing import Any

import msgspec
from jinja2 import TemplateError, TemplateSyntaxError, UndefinedError

from batchtui.intake.problems import Found, error
from batchtui.intake.sandbox import COMPILED, Sandbox, TemplateLimit
from batchtui.intake.template_wire import MAX_MEMORY, MAX_PARAMS, BadTemplate
from batchtui.intake.words import KNOWN_PARAMS, kind_of, near, quoted
from batchtui.safetext import line as safe

_MARKS = ("{{", "{%", "{#")
_NAME = re.compile(r"\W+")
_NUMBERS = frozenset({"max_tokens", "temperature", "top_p", "top_k", "budget_tokens"})
"""Fields that want a number, which a template can only write as text."""
_MAX_ALIASES = 100_000
_LINE = re.compile(r"\(at line (\d+), column (\d+)\)")


class TookTooLong(Exception):
    """A template used up its time: the text says how much; raised from outside, wherever it is."""


class BadRow(Exception):
    """The template can't be filled from this row."""

    def __init__(self, found: Found) -> None:
        super().__init__(found.text)
        self.found = found


class RequestTemplate:
    """A compiled template; ``render`` makes params from a row.  Raises BadTemplate when the text is no template."""

    def __init__(self, text: str) -> None:
        self._sandbox = Sandbox()
        self._aliases: dict[str, str] = {}
        self._encode = msgspec.json.Encoder().encode
        data = _toml(text)
        self.betas = _betas(data.pop("betas", []))
        custom_id = data.pop("custom_id", None)
        if custom_id is not None and not isinstance(custom_id, str):
            raise BadTemplate(
                error("template", f"custom_id must be a text, not {kind_of(custom_id)}"), _line_of(text, "custom_id")
            )
        short = "prompt" in data
        if short:
            if "messages" in data:
                raise BadTemplate(
                    error("template", "prompt and messages in one template: give one of them"),
                    _line_of(text, "messages"),
                )
            data["messages"] = [{"role": "user", "content": data.pop("prompt")}]
        elif "messages" not in data:
            guess = near(next(iter(set(data) - KNOWN_PARAMS), ""), ("prompt", "messages"))
            hint = f", did you mean {guess}?" if guess else ""
            raise BadTemplate(error("template", f"neither prompt nor messages in the template{hint}"))
        self._text = text
        self._custom_id = self._compiled("custom_id", custom_id) if custom_id is not None else None
        self._shown = "prompt" if short else "messages"
        self._plan = {name: self._constant(self._compiled(self._name(name), value)) for name, value in data.items()}

    def render(
        self, row: dict[str, Any], number: int, enter: Callable[[str], None] | None = None
    ) -> tuple[bytes, str | None]:
        """Params of a row as JSON, and its custom_id as the template makes it (None when it makes none); raises BadRow.

        ``enter`` hears of each field before it is rendered.  What stops a template passes through: TookTooLong.
        """
        field = ""
        try:
            names = self._names(row, number)
            params = {}
            for name, part in self._plan.items():
                field = self._name(name)
                if enter is not None:
                    enter(field)
                params[name] = self._filled(name, part, names)
            field = "custom_id"
            if self._custom_id is None:
                return self._written(params), None
            if enter is not None:
                enter(field)
            return self._written(params), self._filled("", self._custom_id, names)
        except BadRow:
            raise
        except UndefinedError as bad:
            columns = ", ".join(map(quoted, list(row)[:20])) or "none"
            what = f"{_plain(bad.message)} in {self._place(field, bad)}: the row has the columns {columns}"
            raise BadRow(error("template_undefined", what)) from bad
        except (TemplateLimit, RecursionError, MemoryError, TookTooLong) as bad:
            raise BadRow(error("template_limit", f"the template {too_much(bad)} in {self._place(field, bad)}")) from bad
        except TemplateError as bad:
            raise BadRow(error("template_row", f"{_plain(bad.message)} in {self._place(field, bad)}")) from bad
        except Exception as bad:  # a template may raise anything its row's values do
            what = f"the template fails in {self._place(field, bad)}: {type(bad).__name__}"
            raise BadRow(error("template_row", what, safe(str(bad), 120))) from bad

    def _names(self, row: dict[str, Any], number: int) -> dict[str, Any]:
        """What a template may name: columns, with spaces and the like as underscores too; all of them as ``row``."""
        names: dict[str, Any] = {**self._sandbox.globals, "row": row, "row_number": number}
        aliases = self._aliases
        if len(aliases) > _MAX_ALIASES:
            aliases.clear()
        for name, value in row.items():
            alias = aliases.get(name)
            if alias is None:
                alias = aliases[name] = name if name.isidentifier() else _NAME.sub("_", name).strip("_")
            if alias != name and (alias not in names or alias in self._sandbox.globals):
                names[alias] = value
        names.update(row)
        return names

    def _written(self, params: dict[str, Any]) -> bytes:
        """Params as JSON; raises BadRow."""
        try:
            made = self._encode(params)
        except (UnicodeEncodeError, TypeError, ValueError, RecursionError, OverflowError) as bad:
            what = "the rendered request can't be written as JSON"
            raise BadRow(error("template_row", what, safe(str(bad), 120))) from bad
        if len(made) > MAX_PARAMS:
            raise BadRow(error("template_limit", f"the template makes a request of more than {MAX_PARAMS:,} bytes"))
        return made

    def _place(self, field: str, bad: BaseException) -> str:
        """The field, and the line of the template file where it went wrong when that can be told."""
        inner = 0
        trace = bad.__traceback__
        while trace is not None:
            maker = trace.tb_frame.f_globals.get("debug_info")
            if trace.tb_frame.f_code.co_filename == COMPILED and isinstance(maker, str):
                inner = _template_line(maker, trace.tb_lineno)
            trace = trace.tb_next
        line = _line_of(self._text, field, inner) if inner and field != "messages" else 0
        return f"{field} (line {line} of the template)" if line else field

    def _constant(self, part: Any) -> Any:
        """What is the same for each row as the JSON it becomes."""
        if _has_marks(part):
            return part
        try:
            return msgspec.Raw(self._encode(part))
        except (UnicodeEncodeError, TypeError, ValueError, RecursionError, OverflowError):
            return part

    def _name(self, field: str) -> str:
        """What the template calls a field."""
        return self._shown if field == "messages" else field

    def _compiled(self, name: str, value: Any) -> Any:
        """The value with its texts as templates; texts without marks stay as they are."""
        if isinstance(value, str):
            if not any(mark in value for mark in _MARKS):
                return value
            try:
                return _Compiled(self._sandbox.compiled(value))
            except TemplateSyntaxError as bad:
                found = error("template", f"{_plain(bad.message)} in {name}")
                raise BadTemplate(found, _line_of(self._text, name, bad.lineno)) from bad
            except (TemplateError, TemplateLimit, RecursionError, ArithmeticError, ValueError, TypeError) as bad:
                what = "nested too deeply" if isinstance(bad, RecursionError) else _plain(str(bad))
                raise BadTemplate(error("template", f"{what} in {name}"), _line_of(self._text, name)) from bad
        if isinstance(value, list):
            return [self._compiled(name, each) for each in value]
        if isinstance(value, dict):
            return {key: self._compiled(key if key in _NUMBERS else name, each) for key, each in value.items()}
        return value

    def _filled(self, name: str, part: Any, names: dict[str, Any]) -> Any:
        if isinstance(part, _Compiled):
            text = self._sandbox.rendered(part.template, names)
            return _number(text) if name in _NUMBERS else text
        if isinstance(part, list):
            return [self._filled(name, each, names) for each in part]
        if isinstance(part, dict):
            return {key: self._filled(key, each, names) for key, each in part.items()}
        return part


class _Compiled:
    __slots__ = ("template",)

    def __init__(self, template: Any) -> None:
        self.template = template


def too_much(bad: BaseException) -> str:
    """What a template did that was stopped."""
    if isinstance(bad, MemoryError):
        return f"needs more than {MAX_MEMORY >> 20} MB of memory"
    return "calls itself too deeply" if isinstance(bad, RecursionError) else str(bad)


def _has_marks(part: Any) -> bool:
    """Whether anything of a compiled value depends on the row."""
    if isinstance(part, list | dict):
        return any(map(_has_marks, part.values() if isinstance(part, dict) else part))
    return isinstance(part, _Compiled)


def _template_line(pairs: str, line: int) -> int:
    """The template's line for one of its compiled code, from jinja's list of both (``1=12&2=20``)."""
    found = 1
    for pair in pairs.split("&"):
        ours, _, theirs = pair.partition("=")
        if theirs.isdigit() and int(theirs) <= line:
            found = int(ours)
    return found


def _plain(message: str | None) -> str:
    """What jinja says, as a part of a sentence of ours."""
    return safe((message or "").rstrip("."), 150)


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as bad:  # Of numbers with thousands of digits it is no TOMLDecodeError.
        place = _LINE.search(str(bad))
        words = "nested too deeply" if isinstance(bad, RecursionError) else _LINE.sub("", str(bad)).strip()
        column = f"column {place.group(2)}" if place else ""
        found = error("template", f"not valid TOML: {safe(words, 150)}", column)
        raise BadTemplate(found, int(place.group(1)) if place else text.count("\n") + 1) from bad


def _betas(value: Any) -> tuple[str, ...]:
    if isinstance(value, list) and all(isinstance(each, str) and each for each in value):
        return tuple(sorted(set(value)))
    raise BadTemplate(error("template", "betas must be a list of names"))


def _number(text: str) -> Any:
    """The number a text stands for; the text itself when it stands for none."""
    plain = text.strip()
    try:
        return int(plain)
    except ValueError:
        pass
    try:
        return float(plain) if plain.replace(".", "", 1).replace("-", "", 1).isdigit() else text
    except ValueError:
        return text


def _line_of(text: str, name: str, inner: int = 1) -> int:
    """The line of the template file where a field is set, plus lines into it."""
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(rf"\s*{re.escape(name)}\s*=", line):
            opens = line.rstrip().endswith(('"""', "'''"))
            return number + inner - 1 + (1 if opens else 0)
    return 0
