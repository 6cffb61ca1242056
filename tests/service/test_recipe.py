"""What a run was made from stays with it, whatever the file's fate."""

from __future__ import annotations

import io
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchtui.domain.errors import StoreError
from batchtui.service import recipe
from batchtui.service.recipe import RECIPE, Recipe, RecipeSource
from tests.demo_server import running_demo
from tests.service.harness import plan_of, request, running, service_on

TEMPLATE = 'id = "{{ id }}"\nmodel = "claude-haiku-5-5"\nmax_tokens = 20\nprompt = "{{ text }}"\n'


def test_a_recipe_comes_back_as_it_was(tmp_path: Path) -> None:
    made = Recipe(
        given=("tickets.csv", "-"),
        model="claude-haiku-5-5",
        skip_errors=True,
        sources=(
            RecipeSource(name="/a/tickets.csv", size=3, modified_at=datetime(2026, 11, 1, tzinfo=UTC), sha256="ab"),
        ),
        template="label.toml",
        template_text=TEMPLATE,
    )
    (tmp_path / RECIPE).write_bytes(recipe.encode(made))
    assert recipe.read(tmp_path) == made and made.has_template
    assert "\nmax_tokens = 20\n" in (tmp_path / RECIPE).read_text()  # readable, not one line of escapes
    for newer in ("schema = 99\n", 'schema = 99\nmade_from = "a stream"\ngiven = 3\n'):
        (tmp_path / RECIPE).write_text(newer)
        with pytest.raises(StoreError, match="newer"):
            recipe.read(tmp_path)
    (tmp_path / RECIPE).write_text("given = 3\n")
    with pytest.raises(StoreError, match=r"recipe\.toml can't be read"):
        recipe.read(tmp_path)
    (tmp_path / RECIPE).unlink()
    assert recipe.read(tmp_path) is None
    os.mkfifo(tmp_path / RECIPE)
    with pytest.raises(StoreError):
        recipe.read(tmp_path)


@given(st.text(), st.dictionaries(st.text(min_size=1), st.text()))
def test_any_template_comes_back(text: str, changes: dict[str, str]) -> None:
    import msgspec

    made = Recipe(template_text=text, changes=changes)
    decoded = msgspec.toml.decode(recipe.encode(made), type=Recipe)
    assert decoded == made


async def test_a_run_keeps_its_recipe(tmp_path: Path) -> None:
    table, template = tmp_path / "tickets.csv", tmp_path / "label.toml"
    table.write_text("id,text\na,hello\nb,there\n")
    template.write_text(TEMPLATE)
    with running_demo(tmp_path / "server") as demo:
        service = service_on(demo, tmp_path / "data")
        async with running(service):
            records = await service.submit(plan_of(service, table, template=template, default_model="claude-haiku-5-5"))
            composed = service.plan(["-"], stdin=io.BytesIO(json.dumps(request("one")).encode()))
            others = await service.submit(composed)
        table.unlink()
        template.unlink()
        kept = recipe.read(service.history.folder(records[0].local_id))
        assert kept is not None and kept.template_text.startswith(TEMPLATE) and kept.made_from == "files"
        assert [each.name for each in kept.sources] == [str(table)] and kept.model == "claude-haiku-5-5"
        assert kept.template == str(template) and len(kept.sources[0].sha256) == 64
        assert kept.api_version == records[0].api_version
        other = recipe.read(service.history.folder(others[0].local_id))
        assert other is not None and other.made_from == "composed" and not other.template_text
