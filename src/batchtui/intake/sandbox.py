"""Jinja in its sandbox: a template may be someone else's, and sees its row and nothing of the program.

Loaded late, in the process that renders: it imports jinja2.  Time and memory are that process's limits (``template_worker``).
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

from jinja2 import StrictUndefined, Template, Undefined, nodes
from jinja2.exceptions import TemplateRuntimeError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from batchtui.intake.template_protocol import MAX_TEXT

COMPILED = "<template>"
"""What compiled templates are called in tracebacks."""


class TemplateLimit(Exception):
    """A template asked for too much; the text says of what."""


class Scope(str):
    """A value that also holds others by name: ``{{ answer }}`` is its text, ``{{ answer.sentiment }}`` one of them."""

    __slots__ = ("values",)
    values: dict[str, Any]


def scope(value: Any, values: dict[str, Any]) -> Scope:
    """A scope of these values, which as a text is ``value``."""
    made = Scope(as_text(value))
    made.values = values
    return made


class Sandbox(ImmutableSandboxedEnvironment):
    """The environment templates run in; undefined names are errors."""

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, autoescape=False, optimized=False, cache_size=0, finalize=as_text)
        # What is checked must be what is sent: nothing may differ from one rendering to the next.
        self.filters.pop("random", None)
        for name in ("lipsum", "cycler", "joiner"):
            self.globals.pop(name, None)
        self.filters["tojson"] = _to_json
        self.filters["default"] = self.filters["d"] = _default
        self.filters["string"] = lambda value: str(as_text(value))
        for name in _OF_TEXTS:
            self.filters[name] = _of_text(self.filters[name])
        self.filters["join"] = _of_text(self.filters["join"], each=True)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A value's part by name; of a scope only what it holds."""
        return self._held(obj, attribute) if obj.__class__ is Scope else super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """The same where the name is quoted; a number is a letter's place."""
        if obj.__class__ is Scope and isinstance(argument, str):
            return self._held(obj, argument)
        return super().getitem(obj, argument)

    def _held(self, obj: Scope, name: str) -> Any:
        return obj.values[name] if name in obj.values else self.undefined(name=f"{name}")

    def compiled(self, text: str) -> Template:
        """A template from text; raises jinja2.TemplateSyntaxError."""
        tree = self._parse(text, None, None)
        for other in tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
            tag = type(other).__name__.lower().removeprefix("from")
            raise TemplateSyntaxError(f"{{% {tag} %}} reads another file, which a template can't", other.lineno)
        for joined in tree.find_all(nodes.Concat):
            joined.nodes = [
                nodes.Filter(each, "string", [], [], None, None, lineno=each.lineno) for each in joined.nodes
            ]
        try:
            code = self._compile(self._generate(tree, None, None, defer_init=False), COMPILED)
        except SyntaxError as bad:
            # Python allows twenty loops in one another, and jinja makes each of the template's one of Python's.
            raise TemplateSyntaxError(f"nested too deeply ({bad.msg})", 1) from bad
        return Template.from_code(self, code, dict(self.globals), None)

    def pieces_of(self, text: str) -> list[tuple[str, str, str]] | None:
        """The texts of a template, each with the name whose value follows it ("" after the last), or with a scope's name and
        a part's in it; None where it does more than put values between texts."""
        found: list[tuple[str, str, str]] = []
        said = ""
        for output in self._parse(text, None, None).body:
            for node in output.nodes if isinstance(output, nodes.Output) else (output,):
                if isinstance(node, nodes.TemplateData):
                    said += node.data
                    continue
                part = node.attr if isinstance(node, nodes.Getattr) else ""
                name = node.node if isinstance(node, nodes.Getattr) else node
                if not isinstance(name, nodes.Name) or name.name in self.globals or name.name in _SPECIAL:
                    return None
                found.append((said, name.name, part))
                said = ""
        return [*found, (said, "", "")]

    def names_in(self, text: str) -> frozenset[str]:
        """The columns that a template text may use: names it does not set itself, and those it takes from ``row``.

        What it takes of ``run`` is ``run.NAME`` each, unless it uses it as a whole.
        """
        from jinja2 import meta

        tree = self._parse(text, None, None)
        found = set(meta.find_undeclared_variables(tree))
        of_row, of_run = set(), []
        for part in tree.find_all((nodes.Getattr, nodes.Getitem)):
            each: Any = part
            if isinstance(each.node, nodes.Name) and each.node.name in ("row", "run"):
                key = each.attr if isinstance(each, nodes.Getattr) else getattr(each.arg, "value", None)
                if isinstance(key, str) and each.node.name == "row":
                    of_row.add(key)
                elif isinstance(key, str):
                    of_run.append(f"run.{key}")
        if "run" in found and len(of_run) == [name.name for name in tree.find_all(nodes.Name)].count("run"):
            found.remove("run")
            found.update(of_run)
        return frozenset((found | of_row) - {"row", "row_number", *self.globals})

    def rendered(self, template: Template, names: dict[str, Any]) -> str:
        """The template's text; ``names`` hold the globals too.  Raises TemplateLimit besides what templates raise."""
        pieces: list[str] = []
        total = 0
        for piece in template.root_render_func(template.new_context(names, shared=True)):
            total += len(piece)
            if total > MAX_TEXT:
                raise TemplateLimit(f"makes a text of more than {MAX_TEXT:,} characters")
            pieces.append(piece)
        return "".join(pieces)


_SPECIAL = frozenset({"self", "super", "caller", "loop", "varargs", "kwargs"})
"""Names that jinja gives a meaning of its own."""
_OF_TEXTS = (
    *("upper", "lower", "trim", "replace", "title", "capitalize", "escape", "e", "truncate", "wordwrap"),
    *("indent", "center", "wordcount", "striptags", "urlencode"),
)
"""Filters that make a text of whatever they are given, as Python spells it."""


def as_text(value: Any) -> Any:
    """A value as a prompt has it: null is empty; true, false, lists and objects are spelled as JSON."""
    if value.__class__ is str:
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return _to_json(value) if isinstance(value, dict | list | tuple) else _no_function(value)


def _no_function(value: Any) -> Any:
    """The value; raises TemplateRuntimeError for a function, whose text would be its place in memory."""
    if callable(value) and not isinstance(value, Undefined):
        name = getattr(value, "__name__", type(value).__name__)
        raise TemplateRuntimeError(
            f"{name!r} is a function here, not a value: for a field of that name write [{name!r}]"
        )
    return value


def _default(value: Any, default_value: Any = "", boolean: bool = False) -> Any:
    """The default for what is not there, or null."""
    if isinstance(value, Undefined) or value is None or (boolean and not value):
        return default_value
    return value


def _of_text(filter_: Callable[..., Any], *, each: bool = False) -> Callable[..., Any]:
    """A filter that is given values as a prompt has them; with ``each`` those in a list."""
    at = 1 if hasattr(filter_, "jinja_pass_arg") else 0

    @functools.wraps(filter_)
    def filled(*args: Any, **named: Any) -> Any:
        made = args[at]
        if each and isinstance(made, list | tuple) and not named and len(args) < at + 3:
            made = [as_text(one) for one in made]
        elif not each and not isinstance(made, Undefined):
            made = as_text(made)
        return filter_(*args[:at], made, *args[at + 1 :], **named)

    return filled


def _to_json(value: Any, indent: int | None = None) -> str:
    """JSON as a prompt wants it: letters as they are, nothing escaped for HTML."""
    return json.dumps(value, ensure_ascii=False, indent=min(int(indent), 8) if indent else None, default=_spelled)


def _spelled(value: Any) -> str:
    return str(_no_function(value))
