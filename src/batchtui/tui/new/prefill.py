"""The form of the new screen filled in from a run: its rows and answers, or the run once more."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

import msgspec

from batchtui import safetext
from batchtui.domain.batch import BatchRecord
from batchtui.domain.errors import BatchtuiError, InputError
from batchtui.intake.drafts import BegunDraft
from batchtui.intake.options import RunChoice
from batchtui.present import numbers
from batchtui.service import Service
from batchtui.service.again import AgainChange
from batchtui.service.lineage import title
from batchtui.service.run_sources import PREFIX


class PrefilledForm(BegunDraft, frozen=True, kw_only=True):
    """What stands in the form when the screen is opened; a draft keeps all but title and template of it."""

    title: str = ""
    template: str = ""
    name: str = ""
    """The title of the run that is made again, "" for none."""

    def title_with(self, model: str) -> str:
        """The title of the run made again with another model; "" for its own."""
        return safetext.line(f"{self.name} {model}", 60) if model else self.title

    def kept(self) -> BegunDraft:
        """What a draft keeps of it; nothing where no run was the beginning."""
        kept = {name: getattr(self, name) for name in BegunDraft.__struct_fields__}
        return BegunDraft(**kept) if self.words else BegunDraft()


def reopened(kept: BegunDraft) -> PrefilledForm:
    """The beginning that a draft kept."""
    return PrefilledForm(**msgspec.structs.asdict(kept))


def own_template(service: Service, run: str) -> str:
    """The template of a run that is made again, "" where none is known; for a thread."""
    try:
        recipe = service.again(service.resolve(run)).recipe
    except BatchtuiError:
        return ""
    return recipe.template_text if recipe is not None else ""


def source_of(service: Service, record: BatchRecord) -> str:
    """How a run is typed as a source: by its title where that is a name of it alone, else by its local id."""
    try:
        # The last run is another one soon.
        if record.title not in ("", "last") and service.resolve(record.title).run == record.run:
            return shlex.quote(f"{PREFIX}{record.title}")
    except InputError:
        pass
    return f"{PREFIX}{record.run}"


def from_run(service: Service, record: BatchRecord, ids: Iterable[str] | None = None, words: str = "") -> PrefilledForm:
    """A new batch from a run's usable rows and their answers, or from all of those with these custom_ids."""
    first = service.run_of(record)[0]
    chosen = RunChoice() if ids is None else RunChoice(only=("all",), ids=frozenset(ids))
    return PrefilledForm(
        source=source_of(service, first),
        title=f"{title(first)} judged",
        choice=chosen,
        words=f"{words or 'usable answers'} of {title(first)}",
    )


def usable_among(service: Service, record: BatchRecord, ids: Iterable[str], words: str) -> PrefilledForm:
    """A new batch from those of a run's rows with these custom_ids that have a usable answer."""
    prefilled = from_run(service, record, ids, words)
    return msgspec.structs.replace(prefilled, choice=RunChoice(ids=prefilled.choice.ids))


def again_of(service: Service, record: BatchRecord) -> PrefilledForm:
    """A run once more, filled in from its recipe.  Raises StoreError; slow, for a thread."""
    again = service.again(record)
    first = again.first
    requests = sum(r.requests for r in again.run if r.attempt == 0)
    files = bool(again.files)
    more = "" if files else "; a path in Source replaces them"
    if again.recipe is None:
        more = "; its template and options are not known"
    kept = f"{numbers.plural(requests, 'row')}, kept with the run{more}"
    if not again.requests_here:
        kept = "its requests are not on this machine: type a path in Source"
    return PrefilledForm(
        source=source_of(service, first),
        title=again.default_title(AgainChange()),
        template=again.recipe.template_text if again.recipe is not None else "",
        name=again.name,
        again=first.run,
        files=files,
        words=kept,
        other_words=f"compared with those of {title(first)}",
    )
