"""A run made again: the same rows or others, with another model, another template, other params."""

from __future__ import annotations

import difflib
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from batchtui import plainfile, safetext
from batchtui.domain.batch import BatchRecord
from batchtui.domain.errors import InputError, StoreError
from batchtui.domain.plan import Plan, PlanPart
from batchtui.domain.work import UNWATCHED, Work
from batchtui.intake.options import IntakeOptions, TableOptions
from batchtui.intake.run_rows import Kind, RunSource
from batchtui.results.asked import carried
from batchtui.results.requests_again import prepare
from batchtui.results.row_columns import RowColumns
from batchtui.results.row_ids import Place
from batchtui.results.row_places import places_of
from batchtui.results.view import View
from batchtui.service import run_sources
from batchtui.service.context import Context
from batchtui.service.lineage import title
from batchtui.service.recipe import Recipe, read
from batchtui.store import files
from batchtui.store.records import ANSWER, REQUESTS

MOST_LINES = 12
"""Lines of a template's difference that are shown."""


class AgainChange(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be other than it was."""

    sources: tuple[str, ...] = ()
    """Other sources; none: the same rows."""
    reread: bool = False
    """The run's own sources as they are now."""
    template: Path | None = None
    template_text: str | None = None
    """A template that is no file; goes before ``template``."""
    set: dict[str, str] = {}
    """Params of every request, as ``--set`` takes them."""


def rereadable(context: Context, record: BatchRecord) -> tuple[str, ...]:
    """The files that a run was made from in the end; () when it was made from none, or nothing says so."""
    seen: set[str] = set()
    here: BatchRecord | None = record
    while here is not None and here.run not in seen:
        seen.add(here.run)
        recipe = read(context.history.run_folder(here.run))
        if recipe is None:
            return ()
        if not recipe.runs:
            return tuple(each for each in recipe.given if each != "-")
        # A judge's rows are answers: the file that those were asked of holds none.
        same_rows = recipe.made_from == "again" and recipe.kind != "answers"
        here = next(iter(context.history.of_run(recipe.runs[0])), None) if same_rows else None
    return ()


class Again:
    """A run that is to be made again.  Raises InputError, StoreError and Stopped; slow, for a thread."""

    def __init__(self, context: Context, record: BatchRecord) -> None:
        self._context = context
        self.run = context.history.of_run(record.run)
        self.first = self.run[0]
        self.recipe = read(context.history.run_folder(record.run))

    @property
    def name(self) -> str:
        """What the run is called."""
        return title(self.first)

    @property
    def requests_here(self) -> bool:
        """False of a batch that was adopted: it was not submitted from here."""
        return any((self._context.history.folder(r.local_id) / REQUESTS).exists() for r in self.run)

    @property
    def recipe_runs(self) -> tuple[str, ...]:
        """Local ids of the runs whose answers this one was made from."""
        return self.recipe.runs if self.recipe is not None and self.recipe.kind == "answers" else ()

    @property
    def deleted_runs(self) -> tuple[str, ...]:
        """Those of ``recipe_runs`` that are deleted here."""
        return tuple(run for run in self.recipe_runs if not self._context.history.of_run(run))

    @property
    def files(self) -> tuple[str, ...]:
        """The files that can be read again as they are now; () where the run was made from none.  Raises StoreError."""
        return rereadable(self._context, self.first)

    def default_title(self, change: AgainChange) -> str:
        """A title for the new run."""
        model = change.set.get("model", "").strip('"')
        return safetext.line(f"{self.name} {model or 'again'}", 60)

    def options(self, change: AgainChange, given: IntakeOptions | None = None) -> IntakeOptions:
        """How the new run's sources are read; ``given`` goes before what the recipe says of tables and errors."""
        recipe = self.recipe or Recipe()
        options = given or IntakeOptions()
        text, path = change.template_text, change.template
        if path is None and recipe.template_text and text in (None, recipe.template_text):
            text, path = recipe.template_text, Path(recipe.template) if recipe.template else None
        if given is None:
            options = msgspec.structs.replace(
                options,
                format=recipe.format or None,
                table=TableOptions(
                    delimiter=recipe.delimiter,
                    encoding=recipe.encoding,
                    skip_rows=recipe.skip_rows,
                    comment=recipe.comment,
                    no_header=recipe.no_header,
                ),
                skip_bad=recipe.skip_errors,
                close_schemas=recipe.close_schemas,
            )
        settings = {**recipe.changes, **change.set}
        return msgspec.structs.replace(
            options,
            template=path,
            template_text=text,
            template_name=str(path or "template"),
            default_model=options.default_model or recipe.model or None,
            cache_prefix=options.cache_prefix or recipe.cache_prefix,
            made_from=(self.first.run,),
            set=settings,
            changes=prepare(settings),
        )

    def sources(self, change: AgainChange) -> tuple[str, ...]:
        """Where the rows come from: () for the store."""
        if change.sources or not change.reread:
            return change.sources
        found = self.files
        if not found:
            why = "the run was not made from files" if self.recipe else "the files it was made from are not known"
            raise InputError(f"{self.name} can't be read again: {why}", advice="name the files: batchtui again ID FILE")
        return found

    def with_rows(
        self, options: IntakeOptions, change: AgainChange, work: Work
    ) -> tuple[tuple[str, ...], IntakeOptions]:
        """The sources and the options with the same rows opened, where they come from the store."""
        sources = self.sources(change)
        if sources:
            return sources, options
        name = f"{run_sources.PREFIX}{self.first.run}"
        recipe = self.recipe
        templated = options.has_template
        if recipe is not None and recipe.kind == "answers" and recipe.runs and templated:
            if not self.deleted_runs:
                return self._from_answers(recipe, options, work)
            if options.template_text != recipe.template_text:
                raise InputError(
                    f"{self.name} was made from the answers of run {self.deleted_runs[0]}, which is deleted: "
                    "another template has no answers to render",
                    advice="leave the template as it was to send the same requests, or name another run: "
                    "batchtui again ID run:OTHER",
                )
            # Its requests hold those answers, and nothing can change these any more.
            options = msgspec.structs.replace(options, template=None, template_text=None)
            templated = False
        kind: Kind = "rows" if templated else "requests"
        if kind == "requests":
            # They hold what was changed before, and their cache marks.
            options = msgspec.structs.replace(
                options, changes=prepare(change.set), cache_prefix=False, skip_bad=False, format=None
            )
        return (name,), msgspec.structs.replace(options, runs={name: self._rows(kind, work)})

    def _rows(self, kind: Kind, work: Work) -> RunSource:
        view = run_sources.opened(self._context, self.first, work)
        here = view.column("request_offset")
        among = array("I", (row for row in range(len(view)) if here[row] >= 0 or view.older_count(row)))
        if not among:
            view.close()
            raise InputError(
                f"the requests of {self.name} are not on this machine: it was not submitted from here",
                advice="name a source: batchtui again ID FILE",
            )
        betas = {r.local_id: r.betas for r in self.run}
        return RunSource(
            view, run=self.first.run, name=f"{run_sources.PREFIX}{self.name}", kind=kind, among=among, betas=betas
        )

    def _from_answers(
        self, recipe: Recipe, options: IntakeOptions, work: Work
    ) -> tuple[tuple[str, ...], IntakeOptions]:
        """The rows of the runs that this one took answers from, with those answers as they are now."""
        where = _among(self._places(work))
        runs: dict[str, RunSource] = {}
        for run in recipe.runs:
            record = self._context.history.of_run(run)[0]
            choice = msgspec.structs.replace(options.choice, only=("all",))
            held = run_sources.answers_of(self._context, record, choice, work, where)
            runs[f"{run_sources.PREFIX}{run}"] = held
        return tuple(runs), msgspec.structs.replace(options, runs=runs)

    def _places(self, work: Work) -> list[Place]:
        view = run_sources.opened(self._context, self.first, work)
        try:
            return [*places_of(view)]
        finally:
            view.close()

    def keep_schemas(self, plan: Plan) -> None:
        """Keep the whole schemas that the answers to requests sent once more are checked by.  Raises StoreError."""
        if plan.staging is None or not plan.ok or plan.origin is None or plan.origin.kind != "requests":
            return
        schemas = carried([self._context.history.folder(r.local_id) for r in self.run])
        if schemas is not None:
            files.write_atomic(plan.staging / ANSWER, schemas)

    # --- what is other ----------------------------------------------------------------------------------------------

    def difference(self, plan: Plan, work: Work = UNWATCHED) -> list[str]:
        """What the plan does otherwise than the run it is made from, in lines; not yet safe to show."""
        lines = [f"again: {self.name} ({self.first.run})"]
        if self.recipe is None:
            lines.append("template and options of that run are not known: no recipe was kept")
        origin = plan.origin
        view = run_sources.opened(self._context, self.first, work)
        try:
            if origin is not None and origin.runs and plan.ok:
                lines.append(self._same_rows(len(view), plan))
            elif plan.ok and not self.requests_here:
                lines.append(f"rows: {plan.requests:,}; those of that run are not on this machine")
            elif plan.ok:
                lines.append(RowChanges.of(view, plan, origin.changes if origin else {}, work).words())
            lines += self._params(view, plan)
        finally:
            view.close()
        return lines + self._template(plan)

    def _same_rows(self, total: int, plan: Plan) -> str:
        if plan.requests == total:
            return f"rows: the same {plan.requests:,}, from the data folder"
        given = self.recipe.given if self.recipe is not None and self.recipe.kind == "answers" else ()
        files = ", ".join(Path(each).name for each in given if not run_sources.is_run(each))
        others = f"; the others came from {'standard input' if files == '-' else files}" if files else ""
        return f"rows: {plan.requests:,} of the same {total:,}, from the data folder{others}"

    def _params(self, view: View, plan: Plan) -> list[str]:
        """What of the first request is other, its messages apart; models by their counts."""
        before = Counter[str]()
        for record in self.run:
            if record.attempt == 0:
                before.update(record.models)
        after = Counter[str]()
        for part in plan.parts:
            after.update(part.models)
        lines = []
        if before and after and set(before) != set(after):
            lines.append(f"model: {_listed(before)} → {_listed(after)}")
        rows = places_of(view).order
        old = next((raw for row in rows[:1] if (raw := view.request_raw(row)) is not None), None)
        if old is None or not plan.sample:
            return lines
        try:
            one, other = (msgspec.json.decode(each)["params"] for each in (old, plan.sample[0]))
        except (msgspec.MsgspecError, KeyError, TypeError, UnicodeError, RecursionError):
            return lines
        for key in dict.fromkeys((*one, *other)):
            if key not in ("messages", "model", "system") and one.get(key) != other.get(key):
                lines.append(f"{key}: {_shown(one.get(key))} → {_shown(other.get(key))}")
        return lines

    def _template(self, plan: Plan) -> list[str]:
        before = self.recipe.template_text if self.recipe else ""
        after = plan.origin.template_text if plan.origin else ""
        if before == after:
            return ["template: the same"] if before else []
        if not before:
            return ["template: there was none, or it is not known"]
        if not after and self.deleted_runs:
            gone = f"run {self.deleted_runs[0]}, whose answers they hold, is deleted"
            return [f"template: not rendered; the requests are sent as they were ({gone})"]
        if not after:
            return ["template: none"]
        found = list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0))[2:]
        changed = [line for line in found if not line.startswith("@@")]
        more = [f"  … and {len(changed) - MOST_LINES} more lines"] if len(changed) > MOST_LINES else []
        return ["template: changed", *(f"  {line}" for line in changed[:MOST_LINES]), *more]


def _among(places: Iterable[Place]) -> Callable[[Place], bool]:
    """Whether a place is that of one of these rows: of several with one id in one source, the very row."""
    keys, sources, spots = set[str](), set[str](), set[tuple[str, str, int]]()
    for place in places:
        keys.add(place.key)
        if place.sha256:
            sources.add(place.sha256)
            spots.add((place.key, place.sha256, place.number))

    def among(place: Place) -> bool:
        key, sha256 = place.key, place.sha256
        return key in keys and (sha256 not in sources or (key, sha256, place.number) in spots)

    return among


def _listed(models: Mapping[str, int]) -> str:
    return ", ".join(models) or "none"


def _shown(value: object) -> str:
    if value is None:
        return "(not set)"
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 80 else text[:79] + "…"


class RowChanges(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of a source as it is now against those of a run."""

    same: int = 0
    added: int = 0
    gone: int = 0
    different: int = 0
    """Rows with the same id and other contents."""

    @classmethod
    def of(cls, view: View, plan: Plan, changes: Mapping[str, str], work: Work = UNWATCHED) -> RowChanges:
        """Compare what is staged with a run's rows: by their own ids, those without one by their contents."""
        left_out = frozenset(key.removeprefix("params.").split(".")[0] for key in changes)
        before = _by_id(watched(_of_run(view, left_out), len(view), work))
        after = _by_id(watched((each for part in plan.parts for each in _of_part(part, left_out)), plan.requests, work))
        ids = [name for name in after[0] if name in before[0]]
        different = sum(after[0][name] != before[0][name] for name in ids)
        alike = (before[1] & after[1]).total()
        return cls(
            same=len(ids) - different + alike,
            added=len(after[0]) - len(ids) + after[1].total() - alike,
            gone=len(before[0]) - len(ids) + before[1].total() - alike,
            different=different,
        )

    def words(self) -> str:
        """In a line."""
        if not (self.added or self.gone or self.different):
            return f"rows: the same {self.same:,}"
        parts = ((self.same, "same"), (self.added, "added"), (self.gone, "gone"), (self.different, "different"))
        return "rows: " + ", ".join(f"{count:,} {word}" for count, word in parts if count)


def watched(rows: Iterator[tuple[str, int]], total: int, work: Work) -> Iterator[tuple[str, int]]:
    """The same rows; raises Stopped."""
    for number, row in enumerate(rows):
        if not number % 1_000:
            work.check("stopped while comparing the rows")
            work.tell("comparing rows", number, total, "rows")
        yield row


def _by_id(rows: Iterator[tuple[str, int]]) -> tuple[dict[str, int], Counter[int]]:
    named: dict[str, int] = {}
    others: Counter[int] = Counter()
    for name, digest in rows:
        if name and name not in named:
            named[name] = digest
        else:
            others[digest] += 1
    return named, others


def _of_run(view: View, left_out: frozenset[str]) -> Iterator[tuple[str, int]]:
    own, where = RowColumns(view), places_of(view)
    try:
        for row in where.order:
            held = own.raw(row)
            if held:
                yield where[row].row_id, _digest(msgspec.json.decode(held)["row"])
                continue
            raw = view.request_raw(row)
            if raw is not None:
                yield where[row].row_id, _of_params(raw, left_out)
    finally:
        own.close()


def _of_part(part: PlanPart, left_out: frozenset[str]) -> Iterator[tuple[str, int]]:
    rows: dict[str, tuple[str, int]] = {}
    try:
        if part.ids_path is not None:
            with plainfile.opened(part.ids_path) as file:
                for line in file:
                    found = msgspec.json.decode(line)
                    if found.get("custom_id") and found.get("row"):
                        rows[found["custom_id"]] = found["row_id"], _digest(found["row"])
                    elif found.get("custom_id"):
                        rows[found["custom_id"]] = found["row_id"], 0
        assert part.path is not None
        with plainfile.opened(part.path) as file:
            for line in file:
                custom_id = msgspec.json.decode(line, type=_Id).custom_id
                name, digest = rows.get(custom_id, (custom_id, 0))
                yield name, digest or _of_params(line, left_out)
    except OSError as error:
        raise StoreError(
            f"can't read the checked requests: {error.strerror}", advice="check the source again"
        ) from error


class _Id(msgspec.Struct):
    custom_id: str


_encode = msgspec.json.Encoder(order="sorted").encode


def _digest(value: object) -> int:
    """The same for the same columns in another order."""
    return hash(_encode(value))


def _of_params(raw: bytes, left_out: frozenset[str]) -> int:
    params = msgspec.json.decode(raw, type=dict[str, Any]).get("params")
    held = params if isinstance(params, dict) else {}
    return _digest({key: value for key, value in held.items() if key not in left_out})


def plan_again(
    context: Context,
    again: Again,
    change: AgainChange,
    options: IntakeOptions,
    staging: Path,
    *,
    work: Work = UNWATCHED,
    stdin: BinaryIO | None = None,
) -> Plan:
    """Plan a run once more; raises InputError, StoreError, Stopped."""
    from batchtui.intake.plan import make_plan

    sources, options = again.with_rows(options, change, work)
    with run_sources.with_runs(context, sources, options, work) as (named, opened):
        made = make_plan(named, opened, prices=context.prices, staging=staging, work=work, stdin=stdin)
    again.keep_schemas(made)
    return made
