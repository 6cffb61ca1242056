"""Facts about models: config.toml over the built-in table, and the API's list over both."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from batchtui.api import gateway
from batchtui.config.load import parse_config
from batchtui.demo import models as demo_models
from batchtui.domain.errors import ConfigError
from batchtui.domain.model_rules import load_rules, with_capabilities
from batchtui.domain.plan import ModelInfo, Plan
from batchtui.intake.options import IntakeOptions
from batchtui.intake.plan import make_plan
from batchtui.service import planning
from tests.demo_server import RunningDemo, running_demo
from tests.intake.helpers import PRICES, TODAY
from tests.service.harness import request, service_on

WHERE = Path("config.toml")


@pytest.fixture
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    with running_demo(tmp_path_factory.mktemp("demo")) as found:
        yield found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[models."claude-x"]\nadaptive = "maybe"', "config.toml:2: rules of claude-x: adaptive: invalid enum value"),
        ('[models."claude-x"]\n\nadaptiv = "ok"', "config.toml:3: rules of claude-x: there is no field adaptiv"),
        ('[models."claude-x"]\nefforts = ["lo"]', "config.toml:2: rules of claude-x: efforts: invalid effort 'lo'"),
        ('[models."claude-x"]\nimages = -1', "config.toml:2: rules of claude-x: images: expected a larger number"),
        ('[models."claude-x"]\nimages = "many"', "config.toml:2: rules of claude-x: images: expected int, got str"),
        ("[models]\nclaude = 5", "config.toml:2: models.claude: expected a table"),
    ],
)
def test_what_models_can_not_hold_is_named_with_its_line(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_config(text, WHERE)
    assert str(refused.value).startswith(said) and refused.value.advice


def checked(tmp_path: Path, options: IntakeOptions, **params: object) -> Plan:
    path = tmp_path / "in.jsonl"
    path.write_text(json.dumps(request("a", **params)))
    return make_plan([str(path)], msgspec.structs.replace(options, today=TODAY), prices=PRICES, staging=None)


def test_rules_of_config_toml_reach_the_check_by_alias_and_for_new_models(demo: RunningDemo, tmp_path: Path) -> None:
    text = """
[models."claude-haiku-4-5"]
efforts = ["low"]
[models."claude-next"]
enabled = "refused"
[prices."claude-next"]
input = 1
output = 2
"""
    service = service_on(demo, tmp_path, parse_config(text, WHERE))
    options = planning.complete_options(service.context, None)
    assert checked(tmp_path, options, output_config={"effort": "low"}).ok
    assert not checked(tmp_path, IntakeOptions(), output_config={"effort": "low"}).ok
    thinking = {"type": "enabled", "budget_tokens": 1024}
    plan = checked(tmp_path, options, model="claude-next", thinking=thinking, max_tokens=2000)
    assert [group.code for group in plan.problems if group.level == "error"] == ["thinking_mode"]


def test_the_models_endpoint_is_read_field_by_field() -> None:
    told = {info.id: info for info in gateway.models(json.dumps({"data": demo_models.listing()}).encode())}
    assert set(told) == set(PRICES.models())
    sonnet, haiku = told["claude-sonnet-5-5"], told["claude-haiku-4-5-20251001"]
    assert sonnet.thinking == {"enabled": False, "adaptive": True, "disabled": False, "between_tools": True}
    assert (haiku.efforts, haiku.structured_outputs, haiku.image_input, haiku.pdf_input) == ((), True, True, True)
    assert (sonnet.max_input_tokens, sonnet.max_tokens) == (1_000_000, 128_000)
    leaving = told["claude-opus-4-5-20251101"]
    assert leaving.lifecycle == "deprecated" and leaving.deprecated_at and leaving.retires_at
    # What the list says and what the table says agree on all of today's models.
    table = load_rules()
    for name, info in told.items():
        found = with_capabilities(table[name], info)
        assert found is not None
        assert (found.enabled, found.adaptive, found.disabled) == (
            *(getattr(table[name], kind) for kind in ("enabled", "adaptive", "disabled")),
        )


@pytest.mark.parametrize(
    "odd", [None, 5, [], "x", {}, {"supported": "yes"}, {"types": 5}, {"types": {"enabled": "no"}}, {"low": None}]
)
def test_capabilities_that_can_not_be_read_say_nothing(odd: object) -> None:
    capabilities = dict.fromkeys(("thinking", "effort", "image_input", "structured_outputs", "batch"), odd)
    (found,) = gateway.models(json.dumps({"data": [{"id": "m", "capabilities": capabilities}]}).encode())
    assert (found.thinking, found.efforts, found.image_input, found.batch) == ({}, None, None, None)


async def test_the_list_is_asked_for_on_demand_kept_with_its_time_and_goes_over_the_table(
    demo: RunningDemo, tmp_path: Path
) -> None:
    service = service_on(demo, tmp_path)
    assert planning.cached_models(service.context) is None
    kept = await service.refresh_models()
    again = planning.kept_models(service.context)
    assert again == kept and again.asked_at == kept.asked_at
    info = ModelInfo(id="claude-haiku-4-5-20251001", efforts=("low",), structured_outputs=False, max_tokens=100)
    options = IntakeOptions(models={info.id: info})
    plan = checked(tmp_path, options, output_config={"effort": "low"})
    assert "100" in str(plan.problems) and not any(group.code == "effort" for group in plan.problems)
    shape = {"type": "json_schema", "schema": {"type": "object", "additionalProperties": False}}
    plan = checked(tmp_path, options, max_tokens=9, output_config={"format": shape})
    assert any("takes no output_config.format" in group.message for group in plan.problems)
    # A list without a date leaves the table's date.
    plan = checked(tmp_path, IntakeOptions(models={"claude-sonnet-4-5": ModelInfo(id="claude-sonnet-4-5")}),
                   model="claude-sonnet-4-5")  # fmt: skip
    assert [group.code for group in plan.problems] == ["model_retiring"]
    await service.close()
