"""Every rule a request has to keep, with what to do when it does not: the slow and exact look.

Rules come from the Messages and Message Batches documentation of October 2026 and the official SDK's types.  Where the
API may know more than these rules (a new kind of block, a new field), the finding is a warning.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

from batchtui.domain.batch import CUSTOM_ID
from batchtui.domain.model_rules import EFFORTS, THINKING, ModelRules, Verdict
from batchtui.intake.json_schema import check_draft
from batchtui.intake.model_limits import LONG_OUTPUT, LONG_OUTPUT_BETA, ModelCatalog, ModelFacts
from batchtui.intake.options import API_VERSION
from batchtui.intake.problems import Found, error, warning
from batchtui.intake.rules_beta import check_beta_fields, check_container
from batchtui.intake.rules_blocks import BlockRules, cache_mark
from batchtui.intake.rules_messages import check_messages, check_system
from batchtui.intake.rules_tools import (
    MAX_OPTIONAL,
    MAX_UNIONS,
    check_mcp_servers,
    check_tool_choice,
    check_tools,
    unchecked_calls,
)
from batchtui.intake.schema_rules import check_schema, unchecked
from batchtui.intake.shapes import check_shape
from batchtui.intake.wording import KNOWN_PARAMS, beta_missing, did_you_mean, kind_of, near, quoted, unknown_param

_NEVER_NULL = (
    *("system", "tools", "tool_choice", "thinking", "output_config", "stop_sequences", "metadata", "service_tier"),
    *("stream", "betas"),
)
"""Fields of params that are left out, never null (SDK types 2.14.0)."""
MOST_UNKNOWN = 50
"""Unknown fields of one request that are named: to look for what each may have meant takes a while."""
_INTERLEAVED = "interleaved-thinking"
_BINDING_BETA = "thinking-binding-controls-2026-08-01"
_THINKING_FIELDS = ("type", "budget_tokens", "display", "block_binding")
_LEAST_TASK_BUDGET = 20_000
_LEAST_TOP_P = 0.95


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
    """A custom_id's type and letters; a bad one makes the API refuse the whole batch."""
    if not isinstance(value, str):
        yield error("custom_id_type", f"custom_id must be a string, not {kind_of(value)}")
    elif not CUSTOM_ID.match(value):
        it = f"it has {len(value)} characters" if len(value) > 64 else f"it is {quoted(value)}"
        yield error("custom_id", "custom_id must be 1 to 64 letters, digits, - or _", it)


def check_params(
    params: dict[str, Any], facts: ModelCatalog, api_version: str, betas: tuple[str, ...]
) -> Iterator[Found]:
    """Everything inside params."""
    for name in _NEVER_NULL:
        if name in params and params[name] is None:
            yield error("null_field", f"{name} must not be null: leave it out")
    for name in ("temperature", "top_p", "top_k"):
        if name in params and params[name] is None:
            yield warning("null_field", f"{name} is null: leave it out, the API may refuse it")
    unknown = [name for name in params if name not in KNOWN_PARAMS]
    for name in unknown[:MOST_UNKNOWN]:
        yield from unknown_param(name, betas)
    if len(unknown) > MOST_UNKNOWN:
        yield error("unknown_field", f"more than {MOST_UNKNOWN} unknown fields in params")
    model = yield from _model(params, facts)
    yield from _max_tokens(params, model, betas)
    blocks = BlockRules(api_version, model)
    yield from check_tools(params, model, blocks, betas)
    yield from unchecked_calls(params)
    yield from check_system(params, blocks)
    yield from check_messages(params, model, blocks, betas)
    yield from check_tool_choice(params, model)
    yield from check_mcp_servers(params, betas)
    yield from check_beta_fields(params, betas)
    yield from check_container(params)
    yield from _thinking(params, model, betas)
    yield from _sampling(params, model, api_version)
    yield from _unsupported(params)
    yield from _small_fields(params, model)
    yield from _output_config(params, model, blocks, betas)
    yield from cache_mark(params.get("cache_control"))
    yield from blocks.totals(params.get("cache_control"))


def _model(params: dict[str, Any], facts: ModelCatalog) -> Generator[Found, None, ModelFacts | None]:
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
            yield error("max_tokens_missing", "max_tokens is missing: the limit of tokens for an answer")
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
        yield from _long_output(model, value, LONG_OUTPUT_BETA in betas)


def _long_output(model: ModelFacts, value: int, beta: bool) -> Iterator[Found]:
    verdict = model.rules.long_output if model.rules and beta else "ok"
    limit = max(model.max_output, LONG_OUTPUT) if beta and verdict != "refused" else model.max_output
    name = quoted(model.name)
    if value > limit:
        hint = f": {LONG_OUTPUT_BETA} does not apply to it" if verdict == "refused" else ""
        yield error(
            "max_tokens_large", f"max_tokens is over the limit of {limit:,} for {name}{hint}", f"it is {value:,}"
        )
    elif value > model.max_output and verdict == "unconfirmed":
        yield warning("max_tokens_large", f"whether {LONG_OUTPUT_BETA} applies to {name} is not confirmed")


def _thinking(params: dict[str, Any], model: ModelFacts | None, betas: tuple[str, ...]) -> Iterator[Found]:
    thinking = params.get("thinking")
    if thinking is None:
        return
    if not isinstance(thinking, dict) or not isinstance(thinking.get("type"), str):
        yield error("thinking", 'thinking must be an object with a type, such as {"type": "adaptive"}')
        return
    kind = thinking["type"]
    if kind not in THINKING:
        guess = near(kind, THINKING)
        hint = did_you_mean(guess, f": one of {', '.join(THINKING)}")
        yield error("thinking", f"unknown thinking type {quoted(kind)}{hint}")
        return
    if model is not None and model.rules is not None:
        yield from _thinking_mode(kind, model.name, model.rules, params)
    yield from _thinking_fields(thinking, kind, betas)
    if kind == "enabled":
        yield from _budget(thinking.get("budget_tokens"), params.get("max_tokens"), betas)


def _thinking_mode(kind: str, model: str, rules: ModelRules, params: dict[str, Any]) -> Iterator[Found]:
    verdict: Verdict = getattr(rules, kind)
    others = [each for each in ("adaptive", "enabled", "disabled") if getattr(rules, each) in ("ok", "deprecated")]
    instead = f": use {' or '.join(others)}" if others else ""
    name = quoted(model)
    config = params.get("output_config")
    effort = config.get("effort") if isinstance(config, dict) else None
    if verdict == "refused":
        yield error("thinking_mode", f"{name} refuses thinking of type {kind}{instead}")
    elif verdict == "to_high" and effort in ("xhigh", "max"):
        yield error("thinking_mode", f"{name} refuses thinking of type {kind} at effort {effort}: high is the most")
    elif verdict == "deprecated":
        yield warning("thinking_mode", f"thinking of type {kind} is deprecated for {name}{instead}")
    elif verdict == "unconfirmed":
        yield warning("thinking_mode", f"whether {name} takes thinking of type {kind} is not confirmed")


def _thinking_fields(thinking: dict[str, Any], kind: str, betas: tuple[str, ...]) -> Iterator[Found]:
    for field, value in thinking.items():
        if field not in _THINKING_FIELDS:
            guess = near(field, _THINKING_FIELDS)
            hint = f", did you mean {guess}?" if guess and guess not in thinking else ""
            yield error("thinking", f"unknown field {quoted(field)} in thinking{hint}")
        elif field == "budget_tokens" and kind != "enabled" and value is not None:
            yield error("thinking", f"thinking of type {quoted(kind)} takes no budget_tokens")
        elif field != "type" and kind == "between_tools":
            yield error("thinking", f"thinking of type {quoted(kind)} takes no other field")
    display = thinking.get("display")
    if display == "updates":
        yield from beta_missing("thinking.display updates", "thinking-display-updates-2026-08-18", betas)
    elif display is not None and display not in ("summarized", "omitted"):
        yield error("thinking", f"thinking.display must be summarized or omitted, not {quoted(str(display))}")
    if thinking.get("block_binding") is not None:
        yield from _block_binding(thinking["block_binding"], kind, betas)


def _block_binding(binding: object, kind: str, betas: tuple[str, ...]) -> Iterator[Found]:
    yield from beta_missing("thinking.block_binding", _BINDING_BETA, betas)
    if kind in ("enabled", "disabled"):
        yield error("thinking", f"thinking of type {quoted(kind)} takes no block_binding: only adaptive does")
    if not isinstance(binding, dict):
        yield error("thinking", f"thinking.block_binding must be an object, not {kind_of(binding)}")
        return
    yield from check_shape(binding, {"prefix_mismatch_behavior": "string?"}, "block_binding", "thinking", closed=True)
    behavior = binding.get("prefix_mismatch_behavior")
    if isinstance(behavior, str) and behavior not in ("error", "drop_block"):
        what = "block_binding.prefix_mismatch_behavior must be error or drop_block"
        yield error("thinking", what, f"it is {quoted(behavior)}")


def _budget(budget: object, limit: object, betas: tuple[str, ...]) -> Iterator[Found]:
    if isinstance(budget, bool) or not isinstance(budget, int):
        yield error("thinking_budget", "thinking of type enabled needs budget_tokens, a whole number")
        return
    if budget < 1024:
        yield error("thinking_budget", "thinking.budget_tokens must be at least 1,024", f"it is {budget}")
    # With this beta the budget is of all the thinking between tool calls (extended thinking documentation, October 2026).
    interleaved = any(each.startswith(_INTERLEAVED) for each in betas)
    if isinstance(limit, int) and budget >= limit and not interleaved:
        what = "thinking.budget_tokens must be less than max_tokens"
        yield error("thinking_budget", what, f"{budget:,} and {limit:,}")


def _sampling(params: dict[str, Any], model: ModelFacts | None, api_version: str) -> Iterator[Found]:
    rules = model.rules if model else None
    for name, high, usual in (("temperature", 1, 1), ("top_p", 1, 1), ("top_k", None, None)):
        value = params.get(name)
        if value is None:
            continue
        if api_version >= API_VERSION:
            what = f"{name} is refused under API version {api_version}: remove it, or use --api-version 2023-06-01"
            yield error("sampling", what)
        elif isinstance(value, bool) or not isinstance(value, int | float) or value < 0 or (high and value > high):
            span = f"between 0 and {high}" if high else "of 0 or more"
            yield error("sampling", f"{name} must be a number {span}", f"it is {quoted(str(value))}")
        elif name == "top_k" and not isinstance(value, int):
            yield error("sampling", "top_k must be a whole number")
        elif model is not None and rules is not None and rules.sampling == "refused" and value != usual:
            yield error("sampling", f"{quoted(model.name)} refuses {name} other than the default: remove it")
    if api_version < API_VERSION and model is not None and rules is not None and rules.sampling != "refused":
        yield from _sampling_while_thinking(params)
    both = params.get("temperature") is not None and params.get("top_p") is not None
    if api_version < API_VERSION and both and model is not None and rules is not None:
        yield from _sampling_pair(model.name, rules)


def _sampling_while_thinking(params: dict[str, Any]) -> Iterator[Found]:
    """Thinking goes with the default temperature, no top_k, and a top_p of at least 0.95 (extended thinking documentation)."""
    thinking = params.get("thinking")
    if not isinstance(thinking, dict) or thinking.get("type") not in ("enabled", "adaptive"):
        return
    for name, fits, wanted in (
        ("temperature", lambda value: value == 1, "1"),
        ("top_k", lambda value: False, "left out"),
        ("top_p", lambda value: value >= _LEAST_TOP_P, f"{_LEAST_TOP_P} or more"),
    ):
        value = params.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and not fits(value):
            yield error("sampling", f"{name} must be {wanted} while thinking is on", f"it is {value}")


def _sampling_pair(model: str, rules: ModelRules) -> Iterator[Found]:
    if rules.sampling_together == "refused":
        yield error("sampling", f"{quoted(model)} refuses temperature and top_p in one request: remove one")


def _unsupported(params: dict[str, Any]) -> Iterator[Found]:
    stream = params.get("stream")
    if stream not in (None, False):
        yield error("unsupported", "stream is not supported in batches: remove it")
    for name in ("speed", "fallbacks"):
        if params.get(name) is not None:
            yield error("unsupported", f"{name} is not supported in batches: remove it")
    for name in ("store", "previous_thread_event_id", "cache_hint", "context_hint"):
        if params.get(name) is not None:
            yield warning("unsupported", f"{name} may not be supported in batches: it left the documented list")
    for name in ("extra_headers", "extra_body", "extra_query", "timeout", "workspace_id"):
        if name in params:
            yield error("sdk_argument", f"{name} is an argument of the SDK, not a field of the request: remove it")
    betas = params.get("betas")
    if betas is not None and not (isinstance(betas, list) and all(isinstance(each, str) and each for each in betas)):
        yield error("betas", "betas must be a list of names: it is moved from the params to the whole batch")


def _small_fields(params: dict[str, Any], model: ModelFacts | None) -> Iterator[Found]:
    stops = params.get("stop_sequences")
    if stops is not None:
        if not isinstance(stops, list) or not all(isinstance(stop, str) for stop in stops):
            yield error("stop_sequences", "stop_sequences must be a list of strings")
        elif not all(stop.strip() for stop in stops):
            yield error("stop_sequences", "a stop sequence must not be only white space")
    yield from _metadata(params.get("metadata"))
    tier = params.get("service_tier")
    if tier is not None and tier not in ("auto", "standard_only"):
        yield error("service_tier", "service_tier must be auto or standard_only", f"it is {quoted(str(tier))}")
    geo = params.get("inference_geo")
    if geo is not None and not isinstance(geo, str):
        yield error("inference_geo", f"inference_geo must be a string such as us, not {kind_of(geo)}")
    elif geo is not None and geo not in ("us", "global"):
        yield warning("inference_geo", f"unknown inference_geo {quoted(geo)}: us and global are known")
    if geo is not None and model is not None and model.refuses_geo:
        yield error("inference_geo", f"{quoted(model.name)} refuses inference_geo: remove it")
    profile = params.get("user_profile_id")
    if profile is not None and not isinstance(profile, str):
        yield error("user_profile_id", f"user_profile_id must be a string, not {kind_of(profile)}")
    yield from _diagnostics(params.get("diagnostics"))


def _diagnostics(value: object) -> Iterator[Found]:
    if value is not None and not isinstance(value, dict):
        yield error("diagnostics", f"diagnostics must be an object, not {kind_of(value)}")
    for name, each in value.items() if isinstance(value, dict) else ():
        if name != "previous_message_id":
            yield error(
                "diagnostics", f"unknown field {quoted(name)} in diagnostics: only previous_message_id is allowed"
            )
        elif each is not None and not isinstance(each, str):
            what = f"diagnostics.previous_message_id must be a string, not {kind_of(each)}"
            yield error("diagnostics", what)


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


def _output_config(
    params: dict[str, Any], model: ModelFacts | None, blocks: BlockRules, betas: tuple[str, ...]
) -> Iterator[Found]:
    config = params.get("output_config")
    if config is None:
        return
    if not isinstance(config, dict):
        yield error("output_config", f"output_config must be an object, not {kind_of(config)}")
        return
    for name in config:
        if name not in ("effort", "format", "task_budget"):
            guess = near(name, ("effort", "format", "task_budget"))
            hint = f", did you mean {guess}?" if guess and guess not in config else ""
            yield error("output_config", f"unknown field {quoted(name)} in output_config{hint}")
    if config.get("effort") is not None:
        yield from _effort(config["effort"], model)
    if config.get("task_budget") is not None:
        yield from _task_budget(config["task_budget"], betas)
    if config.get("format") is not None:
        yield from _format(config["format"], model)
        if blocks.citations:
            yield error("output_config", "output_config.format can't be used with citations")


def _effort(effort: object, model: ModelFacts | None) -> Iterator[Found]:
    if effort not in EFFORTS:
        what = f"output_config.effort must be one of {', '.join(EFFORTS)}"
        yield error("output_config", what, f"it is {quoted(str(effort))}")
        return
    rules = model.rules if model else None
    if model is None or rules is None or effort in rules.efforts:
        return
    name = quoted(model.name)
    if effort in rules.efforts_unconfirmed:
        yield warning("effort", f"whether {name} takes effort {effort} is not confirmed")
    elif not rules.efforts:
        yield error("effort", f"{name} takes no output_config.effort: remove it")
    else:
        yield error("effort", f"{name} takes effort {', '.join(rules.efforts)}, not {effort}")


def _task_budget(budget: object, betas: tuple[str, ...]) -> Iterator[Found]:
    yield from beta_missing("output_config.task_budget", "task-budgets-2026-03-13", betas)
    total = budget.get("total") if isinstance(budget, dict) else None
    if (
        not isinstance(budget, dict)
        or budget.get("type") != "tokens"
        or isinstance(total, bool)
        or not isinstance(total, int)
    ):
        yield error("output_config", 'output_config.task_budget must be {"type": "tokens", "total": …}')
    else:
        shape = {"type": "any", "total": "any", "remaining": "whole?"}
        yield from check_shape(budget, shape, "output_config.task_budget", "output_config", closed=True)
    if isinstance(total, int) and not isinstance(total, bool) and total < _LEAST_TASK_BUDGET:
        yield error(
            "output_config",
            f"output_config.task_budget.total must be at least {_LEAST_TASK_BUDGET:,}",
            f"it is {total:,}",
        )


def _format(shape: object, model: ModelFacts | None) -> Iterator[Found]:
    if not isinstance(shape, dict) or shape.get("type") != "json_schema" or not isinstance(shape.get("schema"), dict):
        yield error("output_config", 'output_config.format must be {"type": "json_schema", "schema": {…}}')
        return
    for name in shape:
        if name not in ("type", "schema"):
            yield error(
                "output_config", f"unknown field {quoted(name)} in output_config.format: it takes type and schema"
            )
    if model is not None and model.rules is not None and model.rules.structured_outputs == "refused":
        yield error("output_config", f"{quoted(model.name)} takes no output_config.format")
    faults = list(check_draft(shape["schema"], "the schema", "output_config.format"))
    yield from faults
    found = check_schema(shape["schema"], "output_config.format")
    yield from found.problems if found.problems or faults else unchecked(shape["schema"], "output_config.format")
    if found.optional > MAX_OPTIONAL:
        yield error(
            "schema_limit", f"more than {MAX_OPTIONAL} optional properties in the schema", f"there are {found.optional}"
        )
    if found.unions > MAX_UNIONS:
        yield error(
            "schema_limit",
            f"more than {MAX_UNIONS} properties of several types in the schema",
            f"there are {found.unions}",
        )
