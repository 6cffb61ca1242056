"""Names that are known, and the nearest of them to one that is not."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from batchtui.intake.problems import Found, error, warning
from batchtui.safetext import line as safe

KNOWN_PARAMS = frozenset(
    {
        *(
            "model",
            "max_tokens",
            "messages",
            "system",
            "tools",
            "tool_choice",
            "thinking",
            "stop_sequences",
            "metadata",
        ),
        *("temperature", "top_p", "top_k", "service_tier", "inference_geo", "output_config", "cache_control"),
        *("container", "diagnostics", "stream", "betas"),
        *("speed", "fallbacks", "store", "previous_thread_event_id", "cache_hint", "context_hint"),
        *("extra_headers", "extra_body", "extra_query", "timeout", "user_profile_id", "workspace_id"),
    }
)
"""Fields of params with rules of their own, those that are refused included."""

_BETA_PARAMS = frozenset(
    {
        "mcp_servers",
        "context_management",
        "compaction",
        "billing_policy",
        "fallback_credit_token",
        "output_format",
        "thread",
    }
)
"""Fields the SDK sends only with a beta."""

_ELSEWHERE = {
    "max_completion_tokens": "max_tokens",
    "max_tokens_to_sample": "max_tokens",
    "max_output_tokens": "max_tokens",
    "stop": "stop_sequences",
    "prompt": "messages",
    "input": "messages",
    "instructions": "system",
    "system_prompt": "system",
    "functions": "tools",
    "function_call": "tool_choice",
    "response_format": "output_config",
    "user": "metadata.user_id",
    "reasoning_effort": "output_config.effort",
    "budget_tokens": "thinking.budget_tokens",
    "effort": "output_config.effort",
}
"""What other makers, older versions and slips call them."""


def near(name: str, known: Iterable[str], cutoff: float = 0.7) -> str:
    """The known name that is most like ``name``, or an empty string."""
    plain = "".join(("_" + c.lower()) if c.isupper() else c for c in name[:80]).replace("-", "_").lstrip("_")
    found = difflib.get_close_matches(plain, list(known), n=1, cutoff=cutoff)
    return found[0] if found else ""


def unknown_param(name: str, has_betas: bool) -> Found:
    """What to say about a field of params that is not known."""
    guess = _ELSEWHERE.get(name) or near(name, KNOWN_PARAMS)
    if guess:
        return error("unknown_field", f"unknown field {quoted(name)} in params, did you mean {guess}?")
    if name in _BETA_PARAMS:
        if has_betas:
            return warning("beta_field", f"{name} is a beta field: it works only if the batch's betas allow it")
        return warning("beta_field", f"{name} is a beta field and the request names no betas: it will be refused")
    return warning(
        "unknown_field", f"unknown field {quoted(name)} in params: the service refuses fields it does not know"
    )


def quoted(text: str) -> str:
    """Foreign text for a message: one short line in quotes."""
    return f"'{safe(text, 60)}'"


def a_(word: str) -> str:
    """A word with its article."""
    return f"an {word}" if word[:1] in "aeio" else f"a {word}"


def kind_of(value: object) -> str:
    """A JSON value's kind, in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, str):
        return "a string" if value else "an empty string"
    if isinstance(value, int | float):
        return "a number" if isinstance(value, int) else "a number with a point"
    return "a list" if isinstance(value, list) else "an object"
