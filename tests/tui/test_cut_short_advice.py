"""What is advised for answers that are cut short fits why they are."""

from __future__ import annotations

import pytest
from textual.widgets import OptionList

from batchtui.domain.outcome import CUT_CODES, CUT_SHORT, cut_advice, cut_reasons
from batchtui.service import Service
from batchtui.tui.dialogs import Choose
from batchtui.tui.results.retry import not_usable, which_again
from tests.tui.waiting import until
from tests.tui.work import add_batch, answered, failed, make_app, request


def test_every_reason_has_advice_of_its_own_and_several_none_in_common() -> None:
    said = [cut_advice([CUT_CODES[reason]] * 3) for reason in CUT_SHORT[1:]]
    assert len(set(said)) == len(said) and all("max_tokens" in each.words for each in said[:1])
    assert not any("max_tokens" in f"{each.words}{each.change}" for each in said[1:])
    mixed = [CUT_CODES["refusal"], CUT_CODES["max_tokens"], CUT_CODES["refusal"]]
    assert "max_tokens" not in cut_advice(mixed).words and cut_advice(mixed).change == "--set KEY=VALUE"
    assert cut_reasons(mixed) == "2 refusal, 1 max_tokens" and cut_reasons(mixed[:1]) == "refusal"


@pytest.mark.parametrize(
    ("stops", "said"),
    [
        (["refusal"], "1 answer cut short (refusal): change the prompt or the model"),
        (["max_tokens"] * 2, "2 answers cut short (max_tokens): raise max_tokens"),
        (["refusal", "max_tokens"], "(1 refusal, 1 max_tokens): each reason needs another change"),
    ],
)
async def test_the_retry_menu_names_the_reasons(service: Service, stops: list[str], said: str) -> None:
    cut = [answered(f"r{n}", [{"type": "text", "text": "I"}], stop=stop) for n, stop in enumerate(stops)]
    lines = [*cut, failed("bad", "overloaded_error", "Overloaded")]
    record = add_batch(service, [request(f"r{n}", "x") for n in range(len(stops))] + [request("bad", "x")], lines)
    view = service.open_results(record.local_id)
    app = make_app(service)
    async with app.run_test(size=(80, 24)) as pilot:
        app.home.run_worker(which_again(app, not_usable(view, range(len(view)))))
        await until(pilot, lambda: isinstance(app.screen, Choose))
        assert said in str(app.screen.query_one(OptionList).get_option_at_index(1).prompt)
    view.close()
