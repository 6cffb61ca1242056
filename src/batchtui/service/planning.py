"""What a plan needs of the service: a place on disk, complete options, the models, a count or a try of its requests."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from batchtui import paths, plainfile, safetext
from batchtui.domain.errors import BatchtuiError, InputError, TooLarge
from batchtui.domain.money import Usage
from batchtui.domain.plan import ModelInfo, Plan, Problem, ProblemGroup
from batchtui.intake.options import IntakeOptions
from batchtui.service import history_stats
from batchtui.service.context import Context
from batchtui.service.events import TryResult
from batchtui.service.plan_commit import random_name
from batchtui.store import files

replace = msgspec.structs.replace
_MODELS_KEPT = 24 * 3600
_MAX_MODELS = 16_000_000
"""Bytes of a kept model list."""
_STALE = 2 * 24 * 3600


def new_staging(context: Context) -> Path:
    """An empty folder for a plan's files; old ones that were never used are swept away."""
    plans = files.make_private_dir(context.data / "plans")
    for old in plans.iterdir():
        # Another program may take its own away while we look.
        with contextlib.suppress(FileNotFoundError):
            if old.suffix != ".go" and time.time() - old.stat().st_mtime > _STALE:
                shutil.rmtree(old, ignore_errors=True)
    return files.make_private_dir(plans / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{random_name()}")


def complete_options(context: Context, given: IntakeOptions | None, source: str = "") -> IntakeOptions:
    """Options with what the config, the profile, the model list and our history of ``source`` say filled in."""
    options = given or IntakeOptions()
    limits, profile = context.config.limits, context.profile
    standard = IntakeOptions()
    most = profile.max_requests or limits.max_requests
    queue = profile.queue_limit or limits.queue
    if queue:
        most = min(most, queue)
    return replace(
        options,
        max_requests=min(options.max_requests, most)
        if options.max_requests == standard.max_requests
        else options.max_requests,
        max_bytes=min(options.max_bytes, profile.max_bytes or limits.max_bytes),
        api_version=profile.api_version or options.api_version,
        default_model=options.default_model or profile.default_model or None,
        models=options.models if options.models is not None else cached_models(context),
        history=options.history or (lambda model: history_stats.usual_output(context.history.all(), model, source)),
    )


def options_for(context: Context, sources: Sequence[str], given: IntakeOptions | None) -> IntakeOptions:
    """Complete options for these sources."""
    from batchtui.intake.plan import source_name

    options = given or IntakeOptions()
    return complete_options(context, options, source_name(sources, options))


@contextlib.contextmanager
def staging(context: Context, keep: bool, trouble: str) -> Iterator[Path | None]:
    """A new staging folder (None unless ``keep``), thrown away when its plan can't be made.

    What the disk says meanwhile is raised as StoreError that begins with ``trouble``.
    """
    folder = new_staging(context) if keep else None
    try:
        yield folder
    except BaseException as error:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise files.explain(error, trouble) from error
        raise


def _models_path(context: Context) -> Path:
    return paths.cache_dir() / f"models-{safetext.filename(context.profile.name + '-' + context.gateway.base_url)}.json"


def cached_models(context: Context) -> dict[str, ModelInfo] | None:
    """The model list kept from the service, None when there is none that can be read."""
    try:
        held = msgspec.json.decode(plainfile.read(_models_path(context), _MAX_MODELS), type=list[ModelInfo])
    except (OSError, msgspec.DecodeError):
        return None
    return {m.id: m for m in held} or None


async def models(context: Context) -> list[ModelInfo]:
    """The service's models, kept for a day; offline the kept ones, or those with a price."""
    path = _models_path(context)
    held = cached_models(context)
    if held and time.time() - path.stat().st_mtime < _MODELS_KEPT:
        return list(held.values())
    try:
        fresh = list(await context.gateway.models())
    except BatchtuiError:
        return list(held.values()) if held else [ModelInfo(id=name) for name in context.prices.models()]
    try:
        files.make_private_dir(path.parent)
        files.write_atomic(path, msgspec.json.encode(fresh))
    except BatchtuiError:
        return fresh
    return fresh


async def count_sample(context: Context, plan: Plan, n: int) -> Plan:
    """Calibrate the estimate: count_tokens on a sample against our rule of thumb for the same requests.

    A model whose requests can't be counted keeps the rule of thumb, and is named in a warning.
    """
    from batchtui.intake.estimate import calibrate
    from batchtui.intake.sampling import sample_requests

    samples = await asyncio.to_thread(sample_requests, plan, n, prices=context.prices)
    counted: list[tuple[str, tuple[int, int], int]] = []
    failed: dict[str, BatchtuiError] = {}
    for each in samples:
        if each.model in failed:
            continue
        try:
            tokens = await context.gateway.count_tokens(msgspec.json.decode(each.body))
            counted.append((each.model, each.estimated, tokens))
        except BatchtuiError as error:
            failed[each.model] = error
    made = await asyncio.to_thread(calibrate, plan, counted, context.prices) if counted else plan
    groups = tuple(_not_counted(model, error) for model, error in failed.items())
    return replace(made, problems=(*made.problems, *groups), warnings=made.warnings + len(groups))


def _not_counted(model: str, error: BatchtuiError) -> ProblemGroup:
    why = "the request is too large for it" if isinstance(error, TooLarge) else str(error)
    words = f"the tokens of {safetext.line(model, 60)} could not be counted: {why}; the rule of thumb stands"
    found = Problem(code="count_tokens", level="warning", where="count_tokens", message=words)
    return ProblemGroup(code=found.code, level=found.level, message=words, count=1, first=(found,))


async def try_one(context: Context, request_line: bytes) -> TryResult:
    """Send one request's params to the plain Messages endpoint."""
    try:
        params = msgspec.json.decode(request_line)["params"]
        model = str(params.get("model", ""))
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError) as error:
        raise InputError("this request can't be sent: it is not a request line") from error
    answer = await context.gateway.message(params)
    try:
        usage = msgspec.json.decode(answer, type=_Answer).usage
    except msgspec.DecodeError:
        # It was paid for: it is shown even when its usage can't be read.
        return TryResult(answer=answer, input_tokens=0, output_tokens=0, cost_usd=None)
    made = usage.cache_creation or _Creation()
    cost = context.prices.cost(
        Usage(
            model=model,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cache_write_5m=made.ephemeral_5m_input_tokens,
            cache_write_1h=made.ephemeral_1h_input_tokens,
            cache_read=usage.cache_read_input_tokens or 0,
            geo=usage.inference_geo or "",
        ),
        batch=False,
    )
    return TryResult(answer=answer, input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, cost_usd=cost)


class _Creation(msgspec.Struct, frozen=True):
    ephemeral_5m_input_tokens: int = 0
    ephemeral_1h_input_tokens: int = 0


class _AnswerUsage(msgspec.Struct, frozen=True):
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int | None = 0
    cache_creation: _Creation | None = None
    inference_geo: str | None = None


class _Answer(msgspec.Struct):
    usage: _AnswerUsage = _AnswerUsage()
