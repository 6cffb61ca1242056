"""Sources, templates and settings that no person means: named in words, in time."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from batchtui import tomltext
from batchtui.config.load import parse_config
from batchtui.domain.errors import ConfigError
from batchtui.domain.money import load_prices
from batchtui.intake.options import IntakeOptions
from batchtui.intake.plan import make_plan
from tests.preloaded import Child
from tests.service.harness import request

LONG = ".".join("a" * 100_000)


@pytest.mark.parametrize("text", [f"{LONG} = 1", f"[{LONG}]", f"x = 1\n{LONG.replace('a', chr(34) * 2)} = 1"])
def test_a_key_of_a_hundred_thousand_parts_is_refused_at_once(text: str) -> None:
    with pytest.raises(ConfigError, match="more than 32 parts"):
        parse_config(text, Path("config.toml"))


@pytest.mark.parametrize(
    "text",
    [
        f'x = """\n{LONG}"""', f"x = '''{LONG}'''", f'x = "{LONG}"', f"x = '{LONG}'", f"# {LONG}\nx = 1",
        f"x = [{', '.join(['1.5'] * 1000)}]", 'x = """a\\"""" # ' + LONG,
    ],
)  # fmt: skip
def test_dots_in_texts_comments_and_numbers_are_no_long_key(text: str) -> None:
    assert list(tomltext.loads(text)) == ["x"]


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("temperature = nan", "temperature"),
        ("temperature = -inf", "temperature"),
        ("temperature = 1e999", "temperature"),
        ("thinking = {type = 'enabled', budget_tokens = inf}", "thinking"),
        ("stop_sequences = [nan]", "stop_sequences"),
    ],
)
def test_a_number_that_json_has_not_is_a_problem_of_the_template(tmp_path: Path, line: str, place: str) -> None:
    rows, template = tmp_path / "rows.csv", tmp_path / "t.toml"
    rows.write_text("name\nalpha\n")
    template.write_text(f'model = "claude-haiku-4-5"\nmax_tokens = 9\nprompt = "{{{{ name }}}}"\n{line}\n')
    plan = make_plan([str(rows)], IntakeOptions(template=template), prices=load_prices(), staging=None)
    assert not plan.ok
    [problem] = [p for p in plan.problems if "nan and inf" in p.message]
    assert place in problem.message and problem.first[0].where.endswith(":4")


def test_a_number_too_large_from_a_row_is_not_sent_as_null(tmp_path: Path) -> None:
    rows, template = tmp_path / "rows.csv", tmp_path / "t.toml"
    rows.write_text("t\n" + "9" * 400 + ".0\n")
    template.write_text('model = "claude-haiku-4-5"\nmax_tokens = 9\nprompt = "x"\ntemperature = "{{ t }}"\n')
    assert not make_plan([str(rows)], IntakeOptions(template=template), prices=load_prices(), staging=None).ok


def test_a_pipe_without_a_writer_is_named_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.jsonl"
    os.mkfifo(pipe)
    folders = {f"BATCHTUI_{name}_DIR": str(tmp_path / name) for name in ("DATA", "CONFIG", "CACHE")}
    running = Child(
        ["check", str(pipe)], env={**os.environ, **folders}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    assert running.stderr is not None
    said = running.stderr.readline()
    pipe.write_bytes(json.dumps(request("a")).encode() + b"\n")
    _, rest = running.communicate(timeout=120)
    assert said.decode() == f"waiting for a writer of {pipe}\n"
    assert b"waiting" not in rest and running.returncode == 0
