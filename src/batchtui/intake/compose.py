"""A request composed in a form, and the JSON line that it becomes."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from batchtui.domain.money import PriceTable
from batchtui.domain.plan import Problem
from batchtui.intake.model_limits import ModelCatalog
from batchtui.intake.options import IntakeOptions
from batchtui.intake.problems import Found, error
from batchtui.intake.rules import check_custom_id, check_params
from batchtui.intake.wording import kind_of, quoted

_FIELDS = ("model", "max_tokens", "system", "messages")


class Turn(msgspec.Struct, frozen=True):
    """One turn of a composed request."""

    role: str = "user"
    text: str = ""


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """One composed request."""

    custom_id: str = "request-1"
    model: str = ""
    max_tokens: str = "1024"
    system: str = ""
    turns: tuple[Turn, ...] = (Turn(),)
    extra_json: str = ""
    """An object of more params."""


def request_from_form(
    form: Form, options: IntakeOptions, prices: PriceTable
) -> tuple[bytes | None, tuple[Problem, ...]]:
    """A request as a JSON line (None when the form makes none), and what is wrong, each ``where`` naming its field.

    Faults of ``extra_json`` are placed as ``extra:line:column``.
    """
    problems: list[Problem] = []

    def note(found: Found, where: str) -> None:
        problems.append(
            Problem(code=found.code, level=found.level, where=where, custom_id=form.custom_id, message=found.text)
        )

    extra = _extra(form.extra_json, note)
    params: dict[str, Any] = {"model": form.model.strip(), "max_tokens": _whole_number(form.max_tokens)}
    if form.system.strip():
        params["system"] = form.system
    params["messages"] = [{"role": turn.role, "content": turn.text} for turn in form.turns]
    params.update(extra)
    for found in check_custom_id(form.custom_id):
        note(found, "custom_id")
    for found in check_params(params, ModelCatalog(options, prices), options.api_version, options.betas):
        note(found, _field_of(found, extra))
    if any(problem.level == "error" for problem in problems):
        return None, tuple(problems)
    try:
        return msgspec.json.encode({"custom_id": form.custom_id, "params": params}), tuple(problems)
    except UnicodeEncodeError:
        note(error("utf8", "the text holds half a character (a lone surrogate): type it again"), "turns")
        return None, tuple(problems)


def _extra(text: str, note: Any) -> dict[str, Any]:
    if not text.strip():
        return {}
    try:
        value = json.loads(text)
    except json.JSONDecodeError as bad:
        note(error("json", f"not valid JSON: {bad.msg}"), f"extra:{bad.lineno}:{bad.colno}")
        return {}
    except (ValueError, RecursionError):
        note(error("json", "not valid JSON: a number that is too large, or too many brackets"), "extra")
        return {}
    if not isinstance(value, dict):
        note(error("json", f"expected an object, not {kind_of(value)}"), "extra")
        return {}
    for name in _FIELDS:
        if name in value:
            note(error("form_field", f"{quoted(name)} has a field of its own in the form"), "extra")
            del value[name]
    return value


def _whole_number(text: str) -> object:
    plain = text.strip().replace(",", "").replace("_", "")
    return int(plain) if plain.isascii() and plain.isdigit() and len(plain) < 12 else text


def _field_of(found: Found, extra: dict[str, Any]) -> str:
    """The form's field a problem belongs to, from the problem's code."""
    code = found.code
    if code.startswith("max_tokens"):
        return "max_tokens"
    if code.startswith("model"):
        return "model"
    if code == "system":
        return "system"
    if code.startswith(("message", "content", "role", "first_role", "prefill", "tool_pairing")):
        return "turns"
    return "extra" if extra else "turns"
