"""What each model takes and refuses: a dated table as data (model_rules.toml), the API's model list over it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import msgspec

from batchtui.domain.errors import ConfigError
from batchtui.domain.plan import ModelInfo

Verdict = Literal["ok", "refused", "deprecated", "to_high", "unconfirmed"]
"""``to_high``: refused at effort xhigh and max; ``unconfirmed``: a warning, never an error."""
EFFORTS = ("low", "medium", "high", "xhigh", "max")
THINKING = ("enabled", "adaptive", "disabled", "between_tools")


class ModelRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model's row; the sources of the built-in rows stand beside them."""

    source: str = ""
    enabled: Verdict = "ok"
    """``thinking.type`` enabled, and the other types below."""
    adaptive: Verdict = "ok"
    disabled: Verdict = "ok"
    between_tools: Verdict = "unconfirmed"
    efforts: tuple[str, ...] = EFFORTS
    """Values of ``output_config.effort``; empty when the model takes none."""
    efforts_unconfirmed: tuple[str, ...] = ()
    forced_tool: Verdict = "ok"
    """``tool_choice`` of type any or tool."""
    forced_with_enabled: Verdict = "ok"
    """The same beside ``thinking`` of type enabled."""
    prefill: Verdict = "ok"
    """A conversation that ends with an assistant's message."""
    sampling: Verdict = "ok"
    """temperature, top_p and top_k other than their defaults, under version 2023-06-01."""
    sampling_together: Verdict = "ok"
    """temperature and top_p in one request."""
    long_output: Verdict = "ok"
    """The beta for 300,000 output tokens."""
    geo: Verdict = "ok"
    """``inference_geo``."""
    structured_outputs: Verdict = "ok"
    image_input: Verdict = "ok"
    pdf_input: Verdict = "ok"
    computer_20251124: Verdict = "ok"
    images: int = 0
    """Images a request may hold; 0 when unknown."""
    image_side: int = 1568
    """Pixels; a longer side is scaled down to it."""
    image_tokens: int = 1568
    """The most tokens an image costs."""
    cache_min: int = 0
    """Tokens of the shortest prefix that is cached; 0 when unknown."""
    pdf_pages: int = 0
    """Pages of PDF a request may hold; 0 when unknown."""


def load_rules(
    overrides: Mapping[str, Mapping[str, object]] | None = None, full_name: Callable[[str], str] = str
) -> dict[str, ModelRules]:
    """The built-in rows by full model name, with the user's fields over them.  Raises ConfigError that names row and field.

    ``full_name`` resolves aliases.
    """
    rows = dict(_builtin())
    for name, override in (overrides or {}).items():
        if not isinstance(override, Mapping):
            raise ConfigError(f"rules of {name}: expected a table", advice='write [models."NAME"] and fields below it')
        full = full_name(name)
        base = msgspec.structs.asdict(rows[full]) if full in rows else {}
        try:
            rows[full] = _checked(msgspec.convert({**base, **override}, ModelRules))
        except (msgspec.ValidationError, ValueError) as error:
            raise ConfigError(f"rules of {name}: {_in_words(str(error))}", advice=_advice(str(error))) from error
    return rows


_NUMBERS = ("images", "image_side", "image_tokens", "pdf_pages", "cache_min")


def _checked(rules: ModelRules) -> ModelRules:
    """The same rules; raises ValueError with what no model can have."""
    for name in _NUMBERS:
        if getattr(rules, name) < (1 if name.startswith("image_") else 0):
            raise ValueError(f"Expected a larger number - at `$.{name}`")
    odd = [each for each in (*rules.efforts, *rules.efforts_unconfirmed) if each not in EFFORTS]
    if odd:
        raise ValueError(f"Invalid effort {odd[0]!r} - at `$.efforts`")
    return rules


def _in_words(said: str) -> str:
    """What msgspec says of a field, with the field first."""
    if unknown := re.search(r"unknown field `([^`]+)`", said):
        return f"there is no field {unknown[1]}"
    what, _, place = said.partition(" - at `$.")
    field = place.rstrip("`").partition("[")[0]
    what = what[:1].lower() + what[1:].replace("`", "")
    return f"{field}: {what}" if field else what


def _advice(said: str) -> str:
    if "unknown field" in said:
        return f"known fields are {', '.join(ModelRules.__struct_fields__)}"
    if "effort" in said:
        return f"efforts are {', '.join(EFFORTS)}"
    return "ok, refused, deprecated, to_high and unconfirmed are the verdicts; limits are whole numbers"


@lru_cache(maxsize=1)
def _builtin() -> Mapping[str, ModelRules]:
    import tomllib

    text = Path(__file__).with_name("model_rules.toml").read_text(encoding="utf-8")
    data: dict[str, Any] = tomllib.loads(text)
    found = {}
    for row in data["rows"]:
        rules = msgspec.convert({name: value for name, value in row.items() if name != "models"}, ModelRules)
        found.update(dict.fromkeys(row["models"], rules))
    return found


def with_capabilities(rules: ModelRules | None, told: ModelInfo | None) -> ModelRules | None:
    """The rules with what the Models endpoint says over them: a capability it denies is refused, one it grants is taken."""
    if told is None:
        return rules
    changed: dict[str, Any] = {}
    for kind in THINKING:
        if kind in told.thinking:
            changed[kind] = _over(told.thinking[kind], getattr(rules, kind) if rules else "ok")
    if told.efforts is not None:
        changed["efforts"] = told.efforts
        changed["efforts_unconfirmed"] = ()
    for name in ("structured_outputs", "image_input", "pdf_input"):
        value = getattr(told, name)
        if value is not None:
            changed[name] = "ok" if value else "refused"
    if not changed:
        return rules
    return msgspec.structs.replace(rules or ModelRules(), **changed)


def _over(granted: bool, known: Verdict) -> Verdict:
    if not granted:
        return "refused"
    return known if known in ("to_high", "deprecated") else "ok"
