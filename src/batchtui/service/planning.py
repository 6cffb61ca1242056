"""What a plan needs of the service: a place on disk, complete options, the models, a count or a try of its requests."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from batchtui import paths, plainfile, safetext
from batchtui.domain.errors import BatchtuiError, InputError, TooLarge
from batchtui.domain.plan import ModelInfo, Plan, Problem, ProblemGroup, UsedBefore
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


def _new_place(context: Context) -> Path:
    """Where a plan's files will be; old folders that were never used are swept away."""
    plans = files.make_private_dir(context.data / "plans")
    for old in plans.iterdir():
        # Another program may take its own away while we look.
        with contextlib.suppress(FileNotFoundError):
            if old.suffix != ".go" and time.time() - old.stat().st_mtime > _STALE:
                shutil.rmtree(old, ignore_errors=True)
    return plans / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{random_name()}"


def complete_options(
    context: Context, given: IntakeOptions | None, source: str = "", template: str = ""
) -> IntakeOptions:
    """Options with what the config, the profile, the model list and our history of ``source`` say filled in.

    ``template`` marks the template of the requests where the options name none.
    """
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
        fallback_model=options.fallback_model or profile.default_model or None,
        models=options.models if options.models is not None else cached_models(context),
        rules=options.rules if options.rules is not None else context.rules,
        history=options.history or _history(context, options, source, template),
    )


def _history(
    context: Context, options: IntakeOptions, source: str, template: str
) -> Callable[[str], UsedBefore | None]:
    """What earlier runs used with a model; the template is read when that is first asked."""

    @functools.cache
    def mark() -> str:
        if not options.has_template:
            return template
        from batchtui.intake.renderer import read_template, template_mark

        path = options.template
        text = read_template(path)[0] if options.template_text is None and path is not None else options.template_text
        return template_mark(text)

    return lambda model: history_stats.used_before(context.history.all(), model, source, mark())


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
    folder = _new_place(context) if keep else None
    try:
        if folder is not None:
            files.make_private_dir(folder)  # In here, so that a signal while it is made leaves none behind.
        yield folder
    except BaseException as error:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise files.explain(error, trouble) from error
        raise


def _models_path(context: Context) -> Path:
    return paths.cache_dir() / f"models-{safetext.filename(context.profile.name + '-' + context.gateway.base_url)}.json"


class KeptModels(msgspec.Struct, frozen=True, kw_only=True):
    """The model list as it is kept on disk."""

    asked_at: datetime
    models: tuple[ModelInfo, ...]


def kept_models(context: Context) -> KeptModels | None:
    """The model list kept from the API, None when there is none that can be read."""
    try:
        held = msgspec.json.decode(plainfile.read(_models_path(context), _MAX_MODELS), type=KeptModels)
    except (OSError, msgspec.DecodeError, UnicodeError):
        return None
    return held if held.models else None


def cached_models(context: Context) -> dict[str, ModelInfo] | None:
    """The kept models by id, None when there are none."""
    held = kept_models(context)
    return {m.id: m for m in held.models} if held is not None else None


async def models(context: Context) -> list[ModelInfo]:
    """The API's models, kept for a day; offline the kept ones, or those with a price."""
    held = kept_models(context)
    if held is not None and 0 <= (context.clock() - held.asked_at).total_seconds() < _MODELS_KEPT:
        return list(held.models)
    try:
        return list((await refresh_models(context)).models)
    except BatchtuiError:
        return list(held.models) if held else [ModelInfo(id=name) for name in context.prices.models()]


async def refresh_models(context: Context) -> KeptModels:
    """Ask the API for its models now, and keep them with the time.  Raises what the call raises."""
    fresh = KeptModels(asked_at=context.clock(), models=tuple(await context.gateway.models()))
    path = _models_path(context)
    with contextlib.suppress(BatchtuiError):  # What can't be kept is still good for now.
        files.make_private_dir(path.parent)
        files.write_atomic(path, msgspec.json.encode(fresh))
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
    from batchtui.results.line import message_facts

    answer = await context.gateway.message(params)
    facts = message_facts(answer)
    usage = msgspec.structs.replace(facts.usage, model=model)
    cost = context.prices.cost(usage, batch=False)
    known = any(usage.all)
    return TryResult(
        answer=answer,
        input_tokens=usage.all[0],
        output_tokens=usage.all[1],
        # It was paid for: it is shown even when its usage can't be read.
        cost_usd=cost if known else None,
        cost_missing=facts.missing,
    )
