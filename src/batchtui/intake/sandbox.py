"""Jinja in a sandbox with limits on time, steps and size: a template may be someone else's.

Loaded late: it imports jinja2.  Every loop step, arithmetic operation and filter that can grow text passes ``_Budget``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from jinja2 import StrictUndefined, Template, nodes
from jinja2.exceptions import SecurityError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

MAX_TEXT = 32_000_000
"""Characters a rendered text may have, as many as a request may have bytes."""
MAX_STEPS = 1_000_000
MAX_SECONDS = 5.0
"""For one row."""
_MAX_INT_BITS = 4096
_UNSAFE_METHODS = frozenset(
    {"center", "ljust", "rjust", "zfill", "expandtabs", "format", "format_map", "replace", "join", "translate"}
)
_GONE_FILTERS = ("urlize", "xmlattr", "pprint", "center", "format", "random", "wordwrap", "indent")


class TemplateLimit(Exception):
    """A template asked for too much; the text says of what."""


class _Budget:
    """Steps and time left for one row."""

    __slots__ = ("deadline", "steps")

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        self.steps = 0
        self.deadline = time.monotonic() + MAX_SECONDS

    def step(self) -> None:
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise TemplateLimit(f"the template takes more than {MAX_STEPS:,} steps")
        if not self.steps % 512 and time.monotonic() > self.deadline:
            raise TemplateLimit(f"the template takes longer than {MAX_SECONDS:.0f} s")

    def size(self, characters: int) -> None:
        self.steps += characters // 10_000
        self.step()
        if characters > MAX_TEXT:
            raise TemplateLimit(f"a text of more than {MAX_TEXT:,} characters")


class Sandbox(ImmutableSandboxedEnvironment):
    """The environment templates run in; undefined names are errors."""

    sandboxed = True
    intercepted_binops = frozenset({"+", "*", "**", "%", "//", "/", "-"})

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, autoescape=False, optimized=False, cache_size=0)
        self.budget = _Budget()
        for name in _GONE_FILTERS:
            self.filters.pop(name, None)
        for name in ("lipsum", "cycler", "joiner"):
            self.globals.pop(name, None)
        self.filters["tojson"] = _to_json
        self.filters["replace"] = self._replace
        self.filters["join"] = self._join
        self.filters["indent"] = self._indent
        self.filters["_ticked"] = self._ticked
        self.filters["_joined"] = self._joined
        for name in (
            "list",
            "sort",
            "map",
            "select",
            "reject",
            "unique",
            "batch",
            "slice",
            "groupby",
            "sum",
            "reverse",
        ):
            self.filters[name] = self._measured(self.filters[name])

    def compiled(self, text: str) -> Template:
        """A template from text, with its loops and joins counted; raises jinja2.TemplateSyntaxError."""
        tree = self._parse(text, None, None)
        for other in tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
            tag = type(other).__name__.lower().removeprefix("from")
            raise TemplateSyntaxError(f"{{% {tag} %}} reads another file, and a template is one text", other.lineno)
        for loop in tree.find_all(nodes.For):
            loop.iter = nodes.Filter(loop.iter, "_ticked", [], [], None, None, lineno=loop.lineno)
        _replace_concats(tree)
        code = self._compile(self._generate(tree, None, None, defer_init=False), "<template>")
        return Template.from_code(self, code, dict(self.globals), None)

    def rendered(self, template: Template, context: dict[str, Any]) -> str:
        """The template's text; raises TemplateLimit besides what templates raise."""
        pieces: list[str] = []
        total = 0
        for piece in template.root_render_func(template.new_context(context)):
            total += len(piece)
            if total > MAX_TEXT:
                raise TemplateLimit(f"a text of more than {MAX_TEXT:,} characters")
            pieces.append(piece)
        return "".join(pieces)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Arithmetic, unless its outcome would be huge."""
        self.budget.step()
        if operator == "*":
            self._check_product(left, right)
        elif operator == "**":
            self._check_power(left, right)
        elif operator == "%" and isinstance(left, str | bytes):
            raise SecurityError("% on text is not allowed: use ~ to join")
        elif operator == "+" and hasattr(left, "__len__") and hasattr(right, "__len__"):
            self.budget.size(len(left) + len(right))
        return super().call_binop(context, operator, left, right)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Text methods that can grow text without measure are out."""
        if isinstance(obj, str | bytes) and attr in _UNSAFE_METHODS:
            return False
        return super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """``text.format`` can make text of any width, so it is refused."""
        if super().wrap_str_format(value) is None:
            return None

        def refused(*_: Any, **__: Any) -> str:
            raise SecurityError("format is not allowed: use ~ to join")

        return refused

    def call(self, context: Any, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """A call from within a template: one step."""
        self.budget.step()
        return super().call(context, obj, *args, **kwargs)

    def _check_product(self, left: Any, right: Any) -> None:
        for one, other in ((left, right), (right, left)):
            if isinstance(one, str | list | tuple) and isinstance(other, int):
                self.budget.size(len(one) * max(0, other))
        if isinstance(left, int) and isinstance(right, int) and left.bit_length() + right.bit_length() > _MAX_INT_BITS:
            raise TemplateLimit("a number that is too large")

    def _check_power(self, left: Any, right: Any) -> None:
        if isinstance(left, int) and isinstance(right, int) and left.bit_length() * max(0, right) > _MAX_INT_BITS:
            raise TemplateLimit("a number that is too large")

    def _ticked(self, items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            self.budget.step()
            yield item

    def _joined(self, parts: tuple[Any, ...]) -> str:
        texts = [str(part) for part in parts]
        self.budget.size(sum(map(len, texts)))
        return "".join(texts)

    def _replace(self, value: Any, old: Any, new: Any, count: int = -1) -> str:
        text, old, new = str(value), str(old), str(new)
        times = text.count(old) if old else len(text) + 1
        self.budget.size(len(text) + len(new) * times)
        return text.replace(old, new, count)

    def _join(self, value: Iterable[Any], d: str = "", attribute: str | None = None) -> str:
        items = value if attribute is None else (self.getitem(item, attribute) for item in value)
        texts: list[str] = []
        total = 0
        for item in items:
            texts.append(str(item))
            total += len(texts[-1]) + len(str(d))
            self.budget.size(total)
        return str(d).join(texts)

    def _indent(self, value: Any, width: int | str = 4, first: bool = False, blank: bool = False) -> str:
        text = str(value)
        margin = width if isinstance(width, str) else " " * min(int(width), 200)
        lines = text.splitlines()
        self.budget.size(len(text) + len(margin) * len(lines))
        made = [margin + line if (number or first) and (line or blank) else line for number, line in enumerate(lines)]
        return "\n".join(made)

    def _measured(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """A filter that walks over all it is given, with its length counted as steps."""
        from functools import wraps

        @wraps(original)
        def counted(*args: Any, **kwargs: Any) -> Any:
            for argument in args:
                if isinstance(argument, str | list | tuple | dict | range):
                    self.budget.size(len(argument))
            if any(isinstance(each, int) and each > 100_000 for each in (*args, *kwargs.values())):
                raise TemplateLimit("a number that is too large")
            return original(*args, **kwargs)

        return counted


def _to_json(value: Any, indent: int | None = None) -> str:
    """JSON as a prompt wants it: letters as they are, nothing escaped for HTML."""
    return json.dumps(value, ensure_ascii=False, indent=min(int(indent), 8) if indent else None, default=str)


def _replace_concats(node: nodes.Node) -> None:
    """Let ``a ~ b`` pass the budget."""
    for field, value in node.iter_fields():
        if isinstance(value, nodes.Concat):
            setattr(node, field, _as_filter(value))
        elif isinstance(value, list):
            value[:] = [_as_filter(each) if isinstance(each, nodes.Concat) else each for each in value]
    for child in node.iter_child_nodes():
        _replace_concats(child)


def _as_filter(concat: nodes.Concat) -> nodes.Filter:
    items = nodes.Tuple(concat.nodes, "load", lineno=concat.lineno)
    made = nodes.Filter(items, "_joined", [], [], None, None, lineno=concat.lineno)
    made.environment = concat.environment
    return made
