"""Templates: a TOML file whose strings turn a row into a request.

Loaded late: it imports jinja2 through ``sandbox``.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any

from jinja2 import TemplateError, TemplateSyntaxError, UndefinedError

from batchtui.intake.problems import Found, error
from batchtui.intake.sandbox import Sandbox, TemplateLimit
from batchtui.intake.words import KNOWN_PARAMS, kind_of, near, quoted
from batchtui.safetext import line as safe

_MARKS = ("{{", "{%", "{#")
_NAME = re.compile(r"\W+")
_NUMBERS = frozenset({"max_tokens", "temperature", "top_p", "top_k", "budget_tokens"})
"""Fields that want a number, which a template can only write as text."""
_LINE = re.compile(r"\(at line (\d+), column (\d+)\)")


class BadTemplate(Exception):
    """The template itself is at fault: what, and in which line of it (0 when unknown)."""

    def __init__(self, found: Found, line: int = 0) -> None:
        super().__init__(found.text)
        self.found = found
        self.line = line


class BadRow(Exception):
    """The template can't be filled from this row."""

    def __init__(self, found: Found) -> None:
        super().__init__(found.text)
        self.found = found


class RequestTemplate:
    """A compiled template; ``render`` makes params from a row.  Raises BadTemplate when the text is no template."""

    def __init__(self, text: str) -> None:
        self._sandbox = Sandbox()
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
        self._plan = {name: self._compiled(self._name(name), value) for name, value in data.items()}

    def render(self, row: dict[str, Any], number: int) -> tuple[dict[str, Any], str | None]:
        """Params of a row and its custom_id as the template makes it (None when it makes none); raises BadRow."""
        context = _context(row, number)
        self._sandbox.budget.start()
        field = ""
        try:
            params = {}
            for name, part in self._plan.items():
                field = self._name(name)
                params[name] = self._filled(name, part, context)
            field = "custom_id"
            custom_id = self._filled("", self._custom_id, context) if self._custom_id is not None else None
        except UndefinedError as bad:
            columns = ", ".join(map(quoted, list(row)[:20])) or "none"
            what = f"{_plain(bad.message)} in {field}: the row has the columns {columns}"
            raise BadRow(error("template_undefined", what)) from bad
        except TemplateLimit as bad:
            raise BadRow(error("template_limit", f"{bad} in {field}")) from bad
        except RecursionError as bad:
            raise BadRow(error("template_limit", f"the template calls itself too deeply in {field}")) from bad
        except MemoryError as bad:
            raise BadRow(error("template_limit", f"the template needs too much memory in {field}")) from bad
        except TemplateError as bad:
            raise BadRow(error("template_row", f"{_plain(bad.message)} in {field}")) from bad
        except Exception as bad:  # a template may raise anything its row's values do
            what = f"the template fails in {field}: {type(bad).__name__}"
            raise BadRow(error("template_row", what, safe(str(bad), 120))) from bad
        return params, custom_id

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
                raise BadTemplate(
                    error("template", f"{_plain(str(bad))} in {name}"), _line_of(self._text, name)
                ) from bad
        if isinstance(value, list):
            return [self._compiled(name, each) for each in value]
        if isinstance(value, dict):
            return {key: self._compiled(key if key in _NUMBERS else name, each) for key, each in value.items()}
        return value

    def _filled(self, name: str, part: Any, context: dict[str, Any]) -> Any:
        if isinstance(part, _Compiled):
            text = self._sandbox.rendered(part.template, context)
            return _number(text) if name in _NUMBERS else text
        if isinstance(part, list):
            return [self._filled(name, each, context) for each in part]
        if isinstance(part, dict):
            return {key: self._filled(key, each, context) for key, each in part.items()}
        return part


class _Compiled:
    __slots__ = ("template",)

    def __init__(self, template: Any) -> None:
        self.template = template


def _plain(message: str | None) -> str:
    """What jinja says, as a part of a sentence of ours."""
    return safe((message or "").rstrip("."), 150)


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as bad:
        place = _LINE.search(str(bad))
        words = _LINE.sub("", str(bad)).strip()
        column = f"column {place.group(2)}" if place else ""
        found = error("template", f"not valid TOML: {safe(words, 150)}", column)
        raise BadTemplate(found, int(place.group(1)) if place else text.count("\n") + 1) from bad


def _betas(value: Any) -> tuple[str, ...]:
    if isinstance(value, list) and all(isinstance(each, str) and each for each in value):
        return tuple(sorted(set(value)))
    raise BadTemplate(error("template", "betas must be a list of names"))


def _context(row: dict[str, Any], number: int) -> dict[str, Any]:
    """Columns by name, with spaces and the like as underscores too; all of them as ``row``."""
    context: dict[str, Any] = {"row": row, "row_number": number}
    for name, value in row.items():
        if not name.isidentifier():
            context.setdefault(_NAME.sub("_", name).strip("_"), value)
    context.update(row)
    return context


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
