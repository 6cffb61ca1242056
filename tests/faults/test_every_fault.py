"""Every fault of the demo server on every call, alone and in pairs: one batch is made, each request has one result.

The real service, gateway and SDK run against a real socket.  Faults that never end leave an honest state and nothing
lost, and the same end is reached once they are lifted.
"""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest

from batchtui.domain.errors import BatchtuiError
from batchtui.service import Service
from tests.demo_server import RunningDemo, running_demo
from tests.faults.driving import COUNT, assert_paid_once, bring_home
from tests.service.harness import plan_of, service_on, source

pytestmark = pytest.mark.usefixtures("short_waits")

CALLS = ("create", "retrieve", "list", "results")
ANYWHERE = (
    "refuse", "status:400", "status:401", "status:402", "status:403", "status:404", "status:408", "status:409",
    "status:413", "status:429,0", "status:500", "status:503", "status:504", "status:529", "html", "html:502",
    "redirect", "drop", "late", "late:500", "late:400", "late:401", "late:413", "late:429,0", "late-html:429",
    "torn-reply", "slow:0.1", "unknown", "no-date", "date-off", "date-off:-18000",
)  # fmt: skip
OF_LIST = (
    "hidden:0.2", "unordered", "small-pages:1", "empty-page", "repeat-page", "overlap-page", "zero-counts",
    "rising-counts:0.2", "other-workspace",
)  # fmt: skip
OF_BATCH = ("notfound:0.2", "foreign-url", "lag-counts", "archived", "forgotten")
OF_RESULTS = (
    "cut", "cut:0", "tear", "tear:0.9", "short-count", "duplicate-lines", "blank-lines", "foreign-ids", "surrogate",
    "other-batch", "garbage-line", "foreign-line", "forgotten",
    "bad-line", "bad-utf8", "deep-line", "long-line:300000", "notfound:0.2",
)  # fmt: skip
FAULTS = sorted(
    {f"{fault}@{call}*1" for fault in ANYWHERE for call in CALLS}
    | {f"{fault}@list*2" for fault in OF_LIST}
    | {"earlier-reply@create*1", "wrong-id@create*1"}
    | {f"{fault}@retrieve*2" for fault in OF_BATCH}
    | {f"{fault}@results*1" for fault in OF_RESULTS}
)
PAIRS = sorted(itertools.combinations(FAULTS, 2))
WRONG_ID = "wrong-id@create*1"
SAMPLE = [
    *random.Random(5).sample([pair for pair in PAIRS if WRONG_ID not in pair], 40),
    ("drop@list*1", WRONG_ID), ("status:500@retrieve*1", WRONG_ID), ("zero-counts@list*2", WRONG_ID),
]  # fmt: skip
LASTING = [
    "status:500@list", "status:529@results", "cut@results", "tear@results", "short-count@results", "html@retrieve",
    "html@results", "drop@results", "refuse@retrieve", "redirect@results", "notfound:99999@results", "status:429@list",
    "foreign-ids@results", "status:404@retrieve", "status:400@retrieve", "torn-reply@list", "duplicate-lines@results",
]  # fmt: skip
ODD = ("foreign-ids", "bad-utf8", "duplicate-lines", "unknown@results")
"""Faults that change what the results say: with those the set is stored as it came, and its tally tells."""


async def submit(service: Service, tmp_path: Path) -> None:
    plan = plan_of(service, source(tmp_path, COUNT))
    try:
        await service.submit(plan)
    except BatchtuiError as error:
        raise AssertionError(f"a confirmed plan is on record, whatever happens: {error}") from error


def check(demo: RunningDemo, service: Service, faults: tuple[str, ...]) -> None:
    odd = any(fault.startswith(ODD) for fault in faults)
    if not odd:
        assert_paid_once(demo, service)
        return
    assert demo.stats()["creates"] == 1
    [record] = [r for r in service.records() if r.id]
    assert record.results == "stored" and record.tally is not None
    found = record.tally
    assert found.lines - found.duplicates >= COUNT
    assert found.missing <= found.unexpected + found.unreadable


async def survive(tmp_path: Path, faults: tuple[str, ...]) -> None:
    with running_demo(tmp_path / "server", faults=faults, duration=0.02) as demo:
        service = service_on(demo, tmp_path / "data")
        try:
            await submit(service, tmp_path)
            await bring_home(service)
        finally:
            await service.close()
        check(demo, service, faults)


@pytest.mark.parametrize("fault", FAULTS)
async def test_one_fault_and_all_is_stored_once(tmp_path: Path, fault: str) -> None:
    await survive(tmp_path, (fault,))


@pytest.mark.parametrize("pair", SAMPLE, ids=" ".join)
async def test_two_faults_and_all_is_stored_once(tmp_path: Path, pair: tuple[str, str]) -> None:
    await survive(tmp_path, pair)


@pytest.mark.slow
@pytest.mark.parametrize("slice_", range(40))
async def test_all_pairs_of_faults(tmp_path: Path, slice_: int) -> None:
    for number, pair in enumerate(PAIRS[slice_::40]):
        (tmp_path / str(number)).mkdir()
        try:
            await survive(tmp_path / str(number), pair)
        except BaseException as error:
            raise AssertionError(f"{pair}: {error}") from error


@pytest.mark.parametrize("fault", LASTING)
async def test_a_lasting_fault_leaves_an_honest_state_and_lifting_it_ends_well(tmp_path: Path, fault: str) -> None:
    with running_demo(tmp_path / "server", faults=[fault, "drop@create*1"], duration=600) as demo:
        service = service_on(demo, tmp_path / "data")
        try:
            await submit(service, tmp_path)
            # It is found while it still runs, so that its end can be seen only by the call with the fault.
            await service.sync()
            demo.clock.advance(601)
            for _ in range(3):
                await service.sync()
                # What a single call does not know is found in the list.
            if fault.split("@", maxsplit=1)[0] not in ("duplicate-lines", "status:404"):
                assert all(r.results != "stored" for r in service.records())
            assert all(r.status != "refused" for r in service.records())
            demo.set_faults([])
            await bring_home(service)
        finally:
            await service.close()
        check(demo, service, (fault,))


@pytest.mark.parametrize("fault", ["hang@create", "hang@list*1", "hang@results*1", "stall@results*1"])
async def test_a_call_that_never_answers_is_given_up(
    tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from batchtui.api import client, gateway

    monkeypatch.setattr(client, "_READ_TIMEOUT", 0.4)
    monkeypatch.setattr(gateway, "_CREATE_TIMEOUT", 0.4)
    await survive(tmp_path, (f"{fault}*1" if "*" not in fault else fault,))
