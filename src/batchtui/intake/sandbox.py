"""Jinja in its sandbox: a template may be someone else's, and sees its row and nothing of the program.

Loaded late, in the process that renders: it imports jinja2.  Time and memory are that process's limits (``template_worker``).
"""

from __future__ import annotations

import json
from typing import Any

from jinja2 import StrictUndefined, Template, nodes
from jinja2.exceptions import TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from batchtui.intake.template_protocol import MAX_TEXT

COMPILED = "<template>"
"""What compiled templates are called in tracebacks."""


class TemplateLimit(Exception):
    """A template asked for too much; the text says of what."""


class Sandbox(ImmutableSandboxedEnvironment):
    """The environment templates run in; undefined names are errors."""

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, autoescape=False, optimized=False, cache_size=0)
        # What is checked must be what is sent: nothing may differ from one rendering to the next.
        self.filters.pop("random", None)
        for name in ("lipsum", "cycler", "joiner"):
            self.globals.pop(name, None)
        self.filters["tojson"] = _to_json

    def compiled(self, text: str) -> Template:
        """A template from text; raises jinja2.TemplateSyntaxError."""
        tree = self._parse(text, None, None)
        for other in tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
            tag = type(other).__name__.lower().removeprefix("from")
            raise TemplateSyntaxError(f"{{% {tag} %}} reads another file, which a template can't", other.lineno)
        try:
            code = self._compile(self._generate(tree, None, None, defer_init=False), COMPILED)
        except SyntaxError as bad:
            # Python allows twenty loops in one another, and jinja makes each of the template's one of Python's.
            raise TemplateSyntaxError(f"nested too deeply ({bad.msg})", 1) from bad
        return Template.from_code(self, code, dict(self.globals), None)

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


def _to_json(value: Any, indent: int | None = None) -> str:
    """JSON as a prompt wants it: letters as they are, nothing escaped for HTML."""
    return json.dumps(value, ensure_ascii=False, indent=min(int(indent), 8) if indent else None, default=str)
