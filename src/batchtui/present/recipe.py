"""What a run was made from, in words for both faces.  Pure: a recipe in, names and values out; not yet safe to show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from batchtui.domain.batch import BatchRecord
from batchtui.present import numbers
from batchtui.service.lineage import Relative
from batchtui.service.recipe import Recipe

UNKNOWN = "not known: no recipe was kept"


def facts(recipe: Recipe | None, record: BatchRecord) -> list[tuple[str, str]]:
    """The facts of a recipe, those without a value left out."""
    if recipe is None:
        return [] if record.foreign else [("Template", UNKNOWN)]
    found = []
    for each in recipe.sources:
        when = f"{each.modified_at:%Y-%m-%d %H:%M} UTC"
        found.append(("Read", f"{each.name}, {numbers.size(each.size)}, {when}, sha256 {each.sha256[:12]}"))
    if recipe.kind:
        taken = {"answers": "rows with their answers", "rows": "the rows", "requests": "the requests"}.get(
            recipe.kind, ""
        )
        only = f", only {', '.join(recipe.only)}" if recipe.only else ""
        wanted = f", filter {recipe.filter}" if recipe.filter else ""
        found.append(("Took", f"{taken} of {', '.join(recipe.runs)}{only}{wanted}"))
    if recipe.has_template:
        found.append(("Template", recipe.template or "written in batchtui"))
    found.append(("Format", recipe.format))
    options = {
        "cache prefix": recipe.cache_prefix,
        "close schemas": recipe.close_schemas,
        "skip errors": recipe.skip_errors,
    }
    found.append(("Options", ", ".join([name for name, on in options.items() if on])))
    found.append(("Changed", ", ".join(f"{key}={value}" for key, value in recipe.changes.items())))
    return [(name, value) for name, value in found if value]


def relatives(found: Sequence[Relative]) -> str:
    """Runs in a row: title and id."""
    names = []
    for each in found:
        called = each.run if each.title == each.run else f"{each.title} ({each.run})"
        names.append(f"{called}, deleted" if each.deleted else called)
    return "; ".join(names)


def template_name(recipe: Recipe, record: BatchRecord) -> str:
    """A file name for a recipe's template."""
    return Path(recipe.template).name if recipe.template else f"{record.title or record.run}.toml"
