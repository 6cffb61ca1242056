"""Every rule a request has to keep, with what to do when it does not: the slow and exact look.

Rules come from the Messages and Message Batches documentation of October 2026 and the official SDK's types.  Where the
service may know more than these rules (a new kind of block, a new field), the finding is a warning.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

from batchtui.domain.batch import CUSTOM_ID
from batchtui.intake.facts import LONG_OUTPUT, LONG_OUTPUT_BETA, Facts, ModelFacts
from batchtui.intake.messages import check_messages, check_system, count_marks
from batchtui.intake.options import API_VERSION
from batchtui.intake.problems import Found, error, warning
from batchtui.intake.tools import check_tool_choice, check_tools
from batchtui.intake.words import KNOWN_PARAMS, kind_of, near, quoted, unknown_param

MAX_MARKS = 4
"""Cache marks a request may carry (prompt caching documentation)."""
MOST_UNKNOWN = 50
"""Unknown fields of one request that are named: to look for what each may have meant takes a while."""
_EFFORTS = ("low", "medium", "high", "xhigh", "max")
_THINKING = ("adaptive", "enabled", "disabled", "between_tools")


def check_envelope(value: object) -> Iterator[Found]:
    """The two fields around a request."""
    if not isinstance(value, dict):
        yield error("envelope", f'a request is an object {{"custom_id": …, "params": {{…}}}}, not {kind_of(value)}')
        return
    if "custom_id" not in value and "params" not in value and "messages" in value:
        yield error("envelope", "bare params without custom_id and params around them: use --format params")
        return
    for name in ("custom_id", "params"):
        if name not in value:
            yield error(f"{name}_missing", f"{name} is missing")
    for name in value:
        if name not in ("custom_id", "params"):
            guess = near(name, ("custom_id", "params"))
            hint = f", did you mean {guess}?" if guess and guess not in value else ": move it into params or remove it"
            yield error("envelope_field", f"unknown field {quoted(name)} beside custom_id and params{hint}")
    if "custom_id" in value:
        yield from check_custom_id(value["custom_id"])
    if "params" in value and not isinstance(value["params"], dict):
        yield error("params_type", f"params must be an object, not {kind_of(value['params'])}")


def check_custom_id(value: object) -> Iterator[Found]:
    """A custom_id's type and letters; a bad one makes the service refuse the whole batch."""
    if not isinstance(value, str):
        yield error("custom_id_type", f"custom_id must be a string, not {kind_of(value)}")
    elif not CUSTOM_ID.match(value):
        it = f"it has {len(value)} characters" if len(value) > 64 else f"it is {quoted(value)}"
        yield error("custom_id", "custom_id must be 1 to 64 letters, digits, - or _", it)


def check_params(params: dict[str, Any], facts: Facts, api_version: str, betas: tuple[str, ...]) -> Iterator[Found]:
    """Everything inside params."""
    unknown = [name for name in params if name not in KNOWN_PARAMS]
    yield from (unknown_param(name, bool(betas)) for name in unknown[:MOST_UNKNOWN])
    if len(unknown) > MOST_UNKNOWN:
        yield error("unknown_field", f"more than {MOST_UNKNOWN} unknown fields in params")
    model = yield from _model(params, facts)
    yield from _max_tokens(params, model, betas)
    yield from check_messages(params, model)
    yield from check_system(params)
    yield from check_tools(params)
    yield from check_tool_choice(params)
    yield from _thinking(params, betas)
    yield from _sampling(params, api_version)
    yield from _unsupported(params)
    yield from _small_fields(params)
    marks = count_marks(params)
    if marks > MAX_MARKS:
        yield error("cache_marks", f"more than {MAX_MARKS} cache_control marks in one request", f"there are {marks}")


def _model(params: dict[str, Any], facts: Facts) -> Generator[Found, None, ModelFacts | None]:
    if "model" not in params:
        yield error("model_missing", "model is missing")
        return None
    name = params["model"]
    if not isinstance(name, str) or not name.strip():
        yield error("model_type", f"model must be a model's name, not {kind_of(name)}")
        return None
    known = facts.of(name)
    yield from known.problems
    return known


def _max_tokens(params: dict[str, Any], model: ModelFacts | None, betas: tuple[str, ...]) -> Iterator[Found]:
    if "max_tokens" not in params:
        if "max_token" not in params:
            yield error("max_tokens_missing", "max_tokens is missing: it is the most tokens an answer may have")
        return
    value = params["max_tokens"]
    if isinstance(value, bool) or not isinstance(value, int):
        hint = ": write it without quotes" if isinstance(value, str) and value.isdigit() else ""
        yield error("max_tokens_type", f"max_tokens must be a whole number, not {kind_of(value)}{hint}")
    elif value < 1:
        yield error(
            "max_tokens_small", "max_tokens must be at least 1 (0 is not supported in batches)", f"it is {value}"
        )
    elif model is not None and model.max_output:
        limit = max(model.max_output, LONG_OUTPUT) if LONG_OUTPUT_BETA in betas else model.max_output
        if value > limit:
            what = f"max_tokens is over the limit of {limit:,} for {quoted(model.name)}"
            yield error("max_tokens_large", what, f"it is {value:,}")


def _thinking(params: dict[str, Any], betas: tuple[str, ...]) -> Iterator[Found]:
    thinking = params.get("thinking")
    if thinking is None:
        return
    if not isinstance(thinking, dict) or not isinstance(thinking.get("type"), str):
        yield error("thinking", 'thinking must be an object with a type, such as {"type": "adaptive"}')
        return
    kind = thinking["type"]
    if kind not in _THINKING:
        yield error("thinking", f"unknown thinking type {quoted(kind)}: one of {', '.join(_THINKING)}")
    budget = thinking.get("budget_tokens")
    if kind != "enabled":
        if budget is not None:
            yield error("thinking", f"thinking of type {quoted(kind)} takes no budget_tokens")
        return
    if isinstance(budget, bool) or not isinstance(budget, int):
        yield error("thinking_budget", "thinking of type enabled needs budget_tokens, a whole number")
        return
    if budget < 1024:
        yield error("thinking_budget", "thinking.budget_tokens must be at least 1,024", f"it is {budget}")
    limit = params.get("max_tokens")
    # With this beta the budget is of all the thinking between tool calls (extended thinking documentation, October 2026).
    interleaved = any(each.startswith("interleaved-thinking") for each in betas)
    if isinstance(limit, int) and budget >= limit and not interleaved:
        yield error(
            "thinking_budget", "thinking.budget_tokens must be less than max_tokens", f"{budget:,} and {limit:,}"
        )


def _sampling(params: dict[str, Any], api_version: str) -> Iterator[Found]:
    for name, high in (("temperature", 1), ("top_p", 1), ("top_k", None)):
        value = params.get(name)
        if value is None:
            continue
        if api_version >= API_VERSION:
            yield error(
                "sampling",
                f"{name} is refused under API version {api_version}: remove it, or use --api-version 2023-06-01",
            )
        elif isinstance(value, bool) or not isinstance(value, int | float) or value < 0 or (high and value > high):
            span = f"between 0 and {high}" if high else "of 0 or more"
            yield error("sampling", f"{name} must be a number {span}", f"it is {quoted(str(value))}")
        elif name == "top_k" and not isinstance(value, int):
            yield error("sampling", "top_k must be a whole number")


def _unsupported(params: dict[str, Any]) -> Iterator[Found]:
    stream = params.get("stream")
    if stream not in (None, False):
        yield error("unsupported", "stream is not supported in batches: remove it")
    for name in ("speed", "fallbacks", "store", "previous_thread_event_id", "cache_hint", "context_hint"):
        if params.get(name) is not None:
            yield error("unsupported", f"{name} is not supported in batches: remove it")
    for name in ("extra_headers", "extra_body", "extra_query", "timeout", "user_profile_id", "workspace_id"):
        if name in params:
            yield error("sdk_argument", f"{name} is an argument of the SDK, not a field of the request: remove it")
    betas = params.get("betas")
    if betas is not None and not (isinstance(betas, list) and all(isinstance(each, str) and each for each in betas)):
        yield error("betas", "betas must be a list of names: it is lifted from the params to the whole batch")


def _small_fields(params: dict[str, Any]) -> Iterator[Found]:
    stops = params.get("stop_sequences")
    if stops is not None:
        if not isinstance(stops, list) or not all(isinstance(stop, str) for stop in stops):
            yield error("stop_sequences", "stop_sequences must be a list of strings")
        elif not all(stop.strip() for stop in stops):
            yield error("stop_sequences", "a stop sequence must hold more than white space")
    yield from _metadata(params.get("metadata"))
    tier = params.get("service_tier")
    if tier is not None and tier not in ("auto", "standard_only"):
        yield error("service_tier", "service_tier must be auto or standard_only", f"it is {quoted(str(tier))}")
    geo = params.get("inference_geo")
    if geo is not None and not isinstance(geo, str):
        yield error("inference_geo", f"inference_geo must be a string such as us, not {kind_of(geo)}")
    elif geo is not None and geo not in ("us", "global"):
        yield warning("inference_geo", f"unknown inference_geo {quoted(geo)}: us and global are known")
    yield from _output_config(params.get("output_config"))


def _metadata(metadata: object) -> Iterator[Found]:
    if metadata is None:
        return
    if not isinstance(metadata, dict):
        yield error("metadata", f"metadata must be an object, not {kind_of(metadata)}")
        return
    for name, value in metadata.items():
        if name != "user_id":
            yield error("metadata", f"unknown field {quoted(name)} in metadata: only user_id is allowed")
        elif value is not None and not isinstance(value, str):
            yield error("metadata", f"metadata.user_id must be a string, not {kind_of(value)}")


def _output_config(config: object) -> Iterator[Found]:
    if config is None:
        return
    if not isinstance(config, dict):
        yield error("output_config", f"output_config must be an object, not {kind_of(config)}")
        return
    effort = config.get("effort")
    if effort is not None and effort not in _EFFORTS:
        yield error(
            "output_config",
            f"output_config.effort must be one of {', '.join(_EFFORTS)}",
            f"it is {quoted(str(effort))}",
        )
    shape = config.get("format")
    if shape is None:
        return
    if not isinstance(shape, dict) or shape.get("type") != "json_schema" or not isinstance(shape.get("schema"), dict):
        yield error("output_config", 'output_config.format must be {"type": "json_schema", "schema": {…}}')
