"""Names that are known, and the nearest of them to one that is not."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from datetime import date, time

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

BETA_PARAMS = {
    "mcp_servers": "mcp-client-2025-11-20",
    "context_management": "context-management-2025-06-27",
    "compaction": "compact-2026-09-04",
    "billing_policy": "user-profiles-billing-2026-10-01",
    "thread": "message-threads-2026-08-12",
    "fallback_credit_token": "",
}
"""Fields of params that need a beta, and which; empty where the API ignores the field (SDK types 2.14.0)."""

_OWN_BETA = ("mcp_servers", "context_management")
"""Those whose rules name the beta themselves."""

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
    "parallel_tool_calls": "tool_choice.disable_parallel_tool_use",
    "budget_tokens": "thinking.budget_tokens",
    "effort": "output_config.effort",
    "output_format": "output_config.format",
}
"""What other makers, older versions and slips call them."""
_FOREIGN = frozenset(
    {
        *("n", "seed", "logit_bias", "logprobs", "top_logprobs", "presence_penalty", "frequency_penalty", "modalities"),
        *("stream_options", "safety_settings", "generation_config", "repetition_penalty", "min_p", "prediction"),
    }
)
"""Fields of other makers without a counterpart."""


_DATE = re.compile(r"-20\d\d-\d\d-\d\d\Z")


def near(name: str, known: Iterable[str], cutoff: float = 0.7) -> str:
    """The known name that is most like ``name``, or an empty string."""
    plain = "".join(("_" + c.lower()) if c.isupper() else c for c in name[:80]).replace("-", "_").lstrip("_")
    found = difflib.get_close_matches(plain, list(known), n=1, cutoff=cutoff)
    return found[0] if found else ""


def did_you_mean(guess: str, otherwise: str = "") -> str:
    """The end of a message about a name that is not known, by what was guessed; ``otherwise`` without a guess."""
    return f", did you mean {guess}?" if guess else otherwise


def unknown_param(name: str, betas: tuple[str, ...]) -> Iterator[Found]:
    """What to say about a field of params that is not among those without a beta."""
    if name in BETA_PARAMS:
        if name in _OWN_BETA:
            return
        if not BETA_PARAMS[name]:
            yield warning("beta_field", f"{name} is ignored in batches")
        else:
            yield from beta_missing(name, BETA_PARAMS[name], betas)
        return
    if name in _FOREIGN:
        yield error("unknown_field", f"unknown field {quoted(name)} in params: it is another provider's, remove it")
        return
    guess = _ELSEWHERE.get(name) or near(name, KNOWN_PARAMS)
    if guess == "output_config.format" and any(each.startswith("structured-outputs-") for each in betas):
        yield warning("unknown_field", f"{name} is the old name of {guess}: the API may refuse it")
    elif guess:
        yield error("unknown_field", f"unknown field {quoted(name)} in params, did you mean {guess}?")
    else:
        yield warning(
            "unknown_field", f"unknown field {quoted(name)} in params: the API refuses fields it does not know"
        )


def beta_missing(what: str, beta: str, betas: Iterable[str], *, exact: bool = False) -> Iterator[Found]:
    """A warning when something needs a beta that the request does not name; later dates of it count, unless ``exact``."""
    stem = _DATE.sub("", beta)
    if not any(each == beta or (not exact and _DATE.sub("", each) == stem and each > beta) for each in betas):
        yield warning("beta_missing", f"{what} needs the beta {beta}: add it to betas")


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
        return "a number" if isinstance(value, int) else "a number with a decimal point"
    if isinstance(value, date | time):
        return "a date" if isinstance(value, date) else "a time"
    return "a list" if isinstance(value, list) else "an object"
