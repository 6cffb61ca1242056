"""Templates: a TOML file whose strings turn a row into a request.

Loaded late, in the process that renders: it imports jinja2 through ``sandbox``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
from jinja2 import TemplateError, TemplateSyntaxError, UndefinedError

from batchtui import tomltext
from batchtui.intake.answer_table import AnswerFault, checked_schema, sent_schema
from batchtui.intake.problems import Found, error
from batchtui.intake.row import is_empty, name_in_template
from batchtui.intake.sandbox import COMPILED, Sandbox, Scope, TemplateLimit, as_text, scope
from batchtui.intake.template_protocol import MAX_MEMORY, MAX_PARAMS, MAX_TEXT, BadTemplate
from batchtui.intake.wording import KNOWN_PARAMS, did_you_mean, kind_of, near, quoted
from batchtui.safetext import line as safe

_MARKS = ("{{", "{%", "{#")
_NUMBERS = frozenset({"max_tokens", "temperature", "top_p", "top_k", "budget_tokens"})
"""Fields that want a number, which a template can only write as text."""
_OF_A_RUN = ("'answer' is", "'run' is")
"""How it is said that a template's names are there only for the rows of a run."""
_MAX_ALIASES = 100_000
_ABSENT: Any = object()
_LINE = re.compile(r"\(at line (\d+), column (\d+)\)")


class TookTooLong(Exception):
    """A template used up its time: the text says how much; raised from outside, wherever it is."""


class BadRow(Exception):
    """The template can't be filled from this row."""

    def __init__(self, found: Found) -> None:
        super().__init__(found.text)
        self.found = found


class RequestTemplate:
    """A compiled template; ``render`` makes params from a row.  Raises BadTemplate when the text is no template.

    ``model`` goes before the template's own, ``fallback_model`` is for one that names none.
    """

    def __init__(self, text: str, model: str = "", fallback_model: str = "") -> None:
        self._sandbox = Sandbox()
        self._aliases: dict[str, str] = {}
        self._plain: set[str] = set()
        """Columns that a template calls by their own names."""
        self._encode = msgspec.json.Encoder().encode
        self._text = text
        self._said: list[Found] = []
        self._used: set[str] = set()
        self.empty = False
        """Whether a column that the template uses was empty in the row that was rendered last."""
        data = _toml(text)
        for name, value in data.items():
            if not _finite(value):
                raise self._bad(f"nan and inf can't be in a request (in {safe(name, 60)})", name)
        self.betas = _betas(data.pop("betas", []))
        own = data.get("model")
        self.replaced_model = str(own) if model and own not in (None, model) else ""
        if model or (fallback_model and own is None):
            data = {"model": model or fallback_model, **{name: each for name, each in data.items() if name != "model"}}
        custom_id = data.pop("custom_id", None)
        if custom_id is not None and not isinstance(custom_id, str):
            raise self._bad(f"custom_id must be a text, not {kind_of(custom_id)}", "custom_id")
        self._ask_for(data)
        self._shown = "prompt" if "prompt" in data else "messages"
        self._give_turns(data)
        self._custom_id = self._compiled("custom_id", custom_id) if custom_id is not None else None
        self._plan = {name: self._constant(self._compiled(self._name(name), value)) for name, value in data.items()}
        self._scopes = {each.partition(".")[0] for each in self._used} & {"answer", "run"}
        self._slots, self._rest = self._laid_out()

    def _bad(self, what: str, field: str) -> BadTemplate:
        return BadTemplate(error("template", what), _line_of(self._text, field))

    def _give_turns(self, data: dict[str, Any]) -> None:
        """Put the turns into the params, from a prompt where that is given; raises BadTemplate."""
        if "prompt" in data:
            if "messages" in data:
                raise self._bad("prompt and messages in one template: use one of them", "messages")
            data["messages"] = [{"role": "user", "content": data.pop("prompt")}]
        elif "messages" not in data:
            hint = did_you_mean(near(next(iter(set(data) - KNOWN_PARAMS), ""), ("prompt", "messages")))
            raise BadTemplate(error("template", f"neither prompt nor messages in the template{hint}"))
        turns = data["messages"]
        if isinstance(turns, str) and not any(mark in turns for mark in _MARKS):
            what = 'messages must be a list of turns, or a column that holds them: messages = "{{ messages }}"'
            raise self._bad(what, "messages")

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that the template may use, as it spells them."""
        return tuple(sorted(self._used))

    def take_said(self) -> list[tuple[str, str]]:
        """What is to be said of the row that was rendered last: codes and texts of warnings."""
        said, self._said = self._said, []
        return [(found.code, found.text) for found in said]

    def _ask_for(self, data: dict[str, Any]) -> None:
        """Put the schema of the ``[answer]`` table into the params; raises BadTemplate."""
        table = data.pop("answer", None)
        if table is None:
            for name, value in data.items():
                if isinstance(value, dict) and name not in KNOWN_PARAMS and near(name, ("answer",)):
                    what = f"unknown table [{safe(name, 60)}], did you mean [answer]?"
                    raise BadTemplate(error("template", what), _answer_line(self._text, name))
            return
        config = data.get("output_config", {})
        if not isinstance(config, dict) or "format" in config:
            raise self._bad("[answer] and output_config.format in one template: give one of them", "output_config")
        try:
            sent = sent_schema(checked_schema(table))
        except AnswerFault as bad:
            raise BadTemplate(error("template", safe(str(bad), 300)), _answer_line(self._text)) from bad
        # Its texts are no templates.
        format_ = msgspec.Raw(self._encode({"type": "json_schema", "schema": sent}))
        data["output_config"] = {**config, "format": format_}

    def render(
        self,
        row: dict[str, Any],
        number: int,
        enter: Callable[[str], None] | None = None,
        *,
        scoped: bool = False,
    ) -> tuple[bytes, str | None]:
        """Params of a row as JSON, and its custom_id as the template makes it (None when it makes none); raises BadRow.

        A ``scoped`` row is one of a run: its columns, the fields of its answer, and what we say of it, each by its scope.
        ``enter`` hears of each field before it is rendered.
        """
        field = ""
        self._said = []
        try:
            given, row = row, _merged(row) if scoped else row
            names = self._names(row, number)
            self.empty = self._any_empty(names)
            if scoped:
                names["row"] = given["row"]
                for each in self._scopes:
                    names[each] = scope(row.get(each), given[each])
            if self._rest and enter is None:
                values = []
                for slot in self._slots:
                    field = slot.field
                    values.append(self._filled(slot.name, slot.part, names))
                field = "custom_id"
                made = self._written(values, self._between)
            else:
                params = {}
                for name, part in self._plan.items():
                    field = self._name(name)
                    if enter is not None:
                        enter(field)
                    params[name] = self._filled(name, part, names)
                if isinstance(params["messages"], str):
                    field = "messages"
                    self._converse(params)
                field = "custom_id"
                made = self._written(params, self._encode)
            if self._custom_id is None:
                return made, None
            if enter is not None:
                enter(field)
            return made, self._filled("", self._custom_id, names)
        except BadRow:
            raise
        except Exception as bad:  # a template may raise anything its row's values do
            raise self._fault(bad, field, row, scoped=scoped) from bad

    def _fault(self, bad: Exception, field: str, row: dict[str, Any], *, scoped: bool) -> BadRow:
        """What is said of a row that the template fails on in this field."""
        if isinstance(bad, UndefinedError):
            columns = ", ".join(map(quoted, list(row)[:20])) or "none"
            hint = self._meant(bad.message or "", row)
            what = f"{_plain(bad.message)} in {self._place(field, bad)}{hint}: the row has the columns {columns}"
            if not scoped and (bad.message or "").startswith(_OF_A_RUN):
                what += "; a run's answers are in the rows of the source run:ID (batchtui submit run:ID --template …)"
            return BadRow(error("template_undefined", what))
        if isinstance(bad, TemplateLimit | RecursionError | MemoryError | TookTooLong):
            return BadRow(error("template_limit", f"the template {too_much(bad)} in {self._place(field, bad)}"))
        if isinstance(bad, TemplateError):
            return BadRow(error("template_row", f"{_plain(bad.message)} in {self._place(field, bad)}"))
        what = f"the template fails in {self._place(field, bad)}: {type(bad).__name__}"
        return BadRow(error("template_row", what, safe(str(bad), 120)))

    def _names(self, row: dict[str, Any], number: int) -> dict[str, Any]:
        """What a template may name: columns, with spaces and the like as underscores too; all of them as ``row``."""
        names: dict[str, Any] = {**self._sandbox.globals, "row": row, "row_number": number}
        aliases = self._aliases
        if len(aliases) > _MAX_ALIASES:
            aliases.clear()
            self._plain.clear()
        if not row.keys() <= self._plain:
            for name, value in row.items():
                alias = aliases.get(name)
                if alias is None:
                    alias = aliases[name] = name_in_template(name)
                if alias == name:
                    self._plain.add(name)
                elif alias not in names or alias in self._sandbox.globals:
                    names[alias] = value
        names.update(row)
        return names

    def _any_empty(self, names: dict[str, Any]) -> bool:
        """Whether a column that the template uses holds nothing."""
        for name in self._used:
            value = names.get(name, _ABSENT)
            if (not value or (value.__class__ is str and value[0] <= " ")) and is_empty(value):
                return True
        return False

    def _meant(self, message: str, row: dict[str, Any]) -> str:
        """The column that a name that is none may stand for, as the end of a sentence's first part; "" without a near one."""
        name = message[1:].partition("'")[0] if message.startswith("'") else ""
        by_attribute = _NO_ATTRIBUTE.search(message)
        name = by_attribute[1] if by_attribute else name
        spellings: dict[str, str] = {}
        for column in list(row)[:2_000]:
            alias = self._aliases.get(column, column)
            for spelling in (column, alias, column.lower(), alias.lower()):
                spellings.setdefault(spelling, alias)
        # A hyphen or a point in a column's name ends a name of the template.
        starts = [alias for alias in dict.fromkeys(spellings.values()) if alias.lower().startswith(f"{name.lower()}_")]
        found = spellings.get(name.lower()) or spellings.get(near(name, spellings)) or (starts[0] if starts else "")
        return f", did you mean {{{{ {safe(found, 60)} }}}}?" if found and found != name else ""

    def _converse(self, params: dict[str, Any]) -> None:
        """Turns that a column holds as messages, their system prompt behind the template's own; raises BadRow."""
        from batchtui.intake.openai import messages_of

        faults: list[Found] = []
        messages, system = messages_of(params["messages"], faults)
        for found in faults:
            if found.level == "error":
                raise BadRow(found)
        params["messages"] = messages
        own = params.get("system")
        own = msgspec.json.decode(own) if isinstance(own, msgspec.Raw) else own
        if system and isinstance(own, list):
            params["system"] = [*own, {"type": "text", "text": system}]
        elif system:
            params["system"] = f"{own}\n\n{system}" if own else system
        self._said = faults

    def _laid_out(self) -> tuple[list[_Slot], bytes]:
        """The params as JSON with slots for what depends on the row, and what stands behind the last slot.

        Nothing at all where a column may hold the turns.
        """
        slots: list[_Slot] = []
        text = bytearray()

        def lay(name: str, part: Any, field: str) -> None:
            if isinstance(part, _Compiled):
                slots.append(_Slot(bytes(text), part, name, field))
                text.clear()
            elif isinstance(part, dict):
                for number, (key, each) in enumerate(part.items()):
                    text.extend(b"%s%s:" % (b"," if number else b"{", self._encode(key)))
                    lay(key, each, field or self._name(key))
                text.extend(b"}" if part else b"{}")
            elif isinstance(part, list):
                for number, each in enumerate(part):
                    text.extend(b"," if number else b"[")
                    lay(name, each, field)
                text.extend(b"]" if part else b"[]")
            else:
                text.extend(self._encode(part))

        if isinstance(self._plan["messages"], _Compiled):
            return [], b""
        try:
            lay("", self._plan, "")
        except (UnicodeEncodeError, TypeError, ValueError, RecursionError, OverflowError):
            return [], b""
        return slots, bytes(text)

    def _between(self, values: list[Any]) -> bytes:
        """The params with these values in their slots."""
        made = [
            each for slot, value in zip(self._slots, values, strict=True) for each in (slot.before, self._encode(value))
        ]
        return b"".join([*made, self._rest])

    def _written(self, params: Any, write: Callable[[Any], bytes]) -> bytes:
        """Params as JSON; raises BadRow."""
        try:
            made = write(params)
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
                made = _Compiled(self._sandbox.compiled(value), self._sandbox.pieces_of(value))
                self._used |= self._sandbox.names_in(value)
                return made
            except TemplateSyntaxError as bad:
                found = error("template", f"{_plain(bad.message)} in {name}{_spaced(value)}")
                raise BadTemplate(found, _line_of(self._text, name, bad.lineno)) from bad
            except (TemplateError, TemplateLimit, RecursionError, ArithmeticError, ValueError, TypeError) as bad:
                what = "nested too deeply" if isinstance(bad, RecursionError) else _plain(str(bad))
                raise self._bad(f"{what} in {name}", name) from bad
        if isinstance(value, list):
            return [self._compiled(name, each) for each in value]
        if isinstance(value, dict):
            return {key: self._compiled(key if key in _NUMBERS else name, each) for key, each in value.items()}
        return value

    def _filled(self, name: str, part: Any, names: dict[str, Any]) -> Any:
        if isinstance(part, _Compiled):
            text = part.joined(names)
            if text is None:
                text = self._sandbox.rendered(part.template, names)
            return _number(text) if name in _NUMBERS else text
        if isinstance(part, list):
            return [self._filled(name, each, names) for each in part]
        if isinstance(part, dict):
            return {key: self._filled(key, each, names) for key, each in part.items()}
        return part


class _Compiled:
    __slots__ = ("_pieces", "template")

    def __init__(self, template: Any, pieces: list[tuple[str, str, str]] | None) -> None:
        self.template = template
        self._pieces = pieces

    def joined(self, names: dict[str, Any]) -> str | None:
        """The template's text where it only puts values between texts, as most do; None where jinja has to make it, or to
        say why it can't."""
        if self._pieces is None:
            return None
        found: list[str] = []
        for text, name, part in self._pieces:
            found.append(text)
            if name:
                value = names.get(name, _ABSENT)
                if part:
                    value = value.values.get(part, _ABSENT) if value.__class__ is Scope else _ABSENT
                if value is _ABSENT:
                    return None
                found.append(value if value.__class__ is str else str(as_text(value)))
        made = "".join(found)
        return made if len(made) <= MAX_TEXT else None


class _Slot(NamedTuple):
    """A place in the params as JSON for a value that depends on the row."""

    before: bytes
    """What stands before it, from the slot before on."""
    part: _Compiled
    name: str
    field: str
    """Where it is, as the template calls it."""


def too_much(bad: BaseException) -> str:
    """What a template did that was stopped."""
    if isinstance(bad, MemoryError):
        return f"needs more than {MAX_MEMORY >> 20} MB of memory"
    return "calls itself too deeply" if isinstance(bad, RecursionError) else str(bad)


def _merged(given: dict[str, Any]) -> dict[str, Any]:
    """What bare names mean in a row of a run: its column, else the field, else what we say of it; columns come first."""
    own, answer, run = given["row"], given["answer"], given["run"]
    made = {**own, **answer, **run}
    if len(made) != len(own) + len(answer) + len(run):
        made.update(answer)
        made.update(own)
    return made


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


_NO_ATTRIBUTE = re.compile(r"has no (?:attribute|element) '?([^']+)'?")
_SPACED = re.compile(r"\{\{-?\s*([^\W\d]\w*(?:[ ]+\w+)+)\s*(?=-?\}\}|\|)")


def _spaced(text: str) -> str:
    """A hint for a name with spaces, which jinja can't read: columns are named with underscores there."""
    found = next((each for each in _SPACED.finditer(text) if not _JINJA_WORDS.search(each[1])), None)
    if found is None:
        return ""
    return (
        f": did you mean {{{{ {safe(name_in_template(found[1]), 60)} }}}}? Spaces in a column's name are written as _"
    )


_JINJA_WORDS = re.compile(r"\b(?:if|else|and|or|not|in|is)\b")


def _finite(value: Any) -> bool:
    """False when a number in a value is none in JSON, which has neither nan nor inf: it would be sent as null."""
    if isinstance(value, list | dict):
        return all(map(_finite, value.values() if isinstance(value, dict) else value))
    return not isinstance(value, float) or math.isfinite(value)


def _plain(message: str | None) -> str:
    """What jinja says, as a part of a sentence of ours."""
    return safe((message or "").rstrip("."), 150)


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomltext.loads(text)
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
        number = float(plain) if plain.replace(".", "", 1).replace("-", "", 1).isdigit() else math.nan
        return number if math.isfinite(number) else text
    except ValueError:
        return text


def _answer_line(text: str, name: str = "answer") -> int:
    """The line of the ``[answer]`` table, or of one that is called otherwise."""
    begins = re.compile(rf"\s*(?:\[{re.escape(name)}\b|{re.escape(name)}\s*[.=])")
    lines = enumerate(text.splitlines(), 1)
    return next((number for number, line in lines if begins.match(line)), 0)


def _line_of(text: str, name: str, inner: int = 1) -> int:
    """The line of the template file where a field is set, plus lines into it."""
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(rf"\s*{re.escape(name)}\s*=", line):
            opens = line.rstrip().endswith(('"""', "'''"))
            return number + inner - 1 + (1 if opens else 0)
    return 0
