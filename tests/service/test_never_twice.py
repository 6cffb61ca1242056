"""Whatever the API says: what was posted once is posted again only after a whole look by the same key found nothing."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from batchtui.api.gateway import Gateway
from batchtui.config.load import Config, Settle
from batchtui.domain.batch import GIVEN_UP, BatchRecord
from batchtui.domain.errors import BatchtuiError, InputError
from batchtui.service import Service
from tests.demo_server import running_demo
from tests.faults.driving import assert_paid_once, bring_home, retry_refused
from tests.service.harness import Watch, plan_of, plan_retry, service_on, source

replace = msgspec.structs.replace
COUNT = 12


def with_key(service: Service, key: str) -> None:
    """Give a service another key, as a changed variable does."""
    service.context._gateway = Gateway(service.profile, key=key)


async def syncs(service: Service, times: int = 6) -> None:
    for _ in range(times):
        with contextlib.suppress(BatchtuiError):
            await service.sync()
        await asyncio.sleep(0.03)


def only(service: Service) -> BatchRecord:
    [record] = service.records()
    return record


# A status alone is no proof (item 6).


@pytest.mark.parametrize(
    "fault", ["late:429,0", "late-html:429", "late:408", "late-html:413", "late-html:401", "late-html:400"]
)
@pytest.mark.parametrize("parts", [1, 5])
async def test_work_done_then_a_status_that_says_no_is_paid_once(tmp_path: Path, fault: str, parts: int) -> None:
    with running_demo(tmp_path / "server", duration=0.05, faults=[f"{fault}@create"]) as demo:
        service = service_on(demo, tmp_path / "data")
        await service.submit(plan_of(service, source(tmp_path, COUNT + 3), max_requests=(COUNT + 3) // parts))
        await syncs(service, 3)
        demo.set_faults([])
        await bring_home(service)
        await service.close()
        assert_paid_once(demo, service, COUNT + 3, parts)


@pytest.mark.parametrize("status", [400, 401, 403, 413])
async def test_a_refusal_after_the_work_stays_refused_and_retry_adopts_what_it_finds(
    tmp_path: Path, status: int
) -> None:
    with running_demo(tmp_path / "server", duration=0.05, faults=[f"late:{status}@create*1"]) as demo:
        service = service_on(demo, tmp_path / "data")
        [record] = await service.submit(plan_of(service, source(tmp_path, COUNT)))
        assert (record.status, record.posts, record.answer_status) == ("refused", 1, status)
        plan = await asyncio.to_thread(plan_retry, service, [record.local_id])
        [again] = await service.submit(plan, retry_of=record)
        assert again.status == "refused" and again.posts == 0 and "was created after all" in again.error
        await bring_home(service)
        await service.close()
        assert demo.stats()["calls"]["create"] == 1
        assert_paid_once(demo, service)


async def test_a_new_submit_of_the_same_file_looks_for_the_refused_one_first(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=0.05, faults=["late:400@create*1"]) as demo:
        service = service_on(demo, tmp_path / "data")
        await service.submit(plan_of(service, source(tmp_path, COUNT)))
        await service.submit(plan_of(service, source(tmp_path, COUNT)))
        await bring_home(service)
        await service.close()
        assert_paid_once(demo, service)


async def test_a_refused_key_is_replaced_by_one_of_another_workspace_without_a_wait(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=600) as demo:
        service = service_on(demo, tmp_path / "data", Config())
        with_key(service, "sk-test-bad-key")
        [refused] = await service.submit(plan_of(service, source(tmp_path, COUNT)))
        assert (refused.status, refused.answer_status) == ("refused", 401)
        with_key(service, "sk-test-workspace-beta")
        plan = await asyncio.to_thread(plan_retry, service, [refused.local_id])
        [again] = await service.submit(plan, retry_of=refused)
        await service.close()
        assert again.status == "in_progress" and demo.stats()["creates"] == 1


async def test_a_fresh_refusal_is_not_retried_before_the_list_can_show_a_batch(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=600, faults=["late:400@create*1", "hidden:150@list"]) as demo:
        service, watch = service_on(demo, tmp_path / "data", Config()), Watch()
        service.context.clock = watch
        [refused] = await service.submit(plan_of(service, source(tmp_path, COUNT)))
        plan = await asyncio.to_thread(plan_retry, service, [refused.local_id])
        [again] = await service.submit(plan, retry_of=refused)
        assert again.waiting and again.next_try_at is not None and refused.local_id in again.error
        for seconds in (100, 81):
            watch.offset += timedelta(seconds=seconds)
            demo.clock.advance(seconds)
            await service.sync()
        await service.close()
        assert service.resolve(refused.local_id).status == "in_progress"
        assert service.resolve(again.local_id).status == "refused" and demo.stats()["creates"] == 1


async def test_posts_are_counted_and_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from batchtui.service import reconcile, sender

    monkeypatch.setattr(reconcile, "MOST_POSTS", 3)
    monkeypatch.setattr(sender, "resend_delay", lambda posts: 0.0)
    with running_demo(tmp_path / "server", faults=["status:429,0@create"]) as demo:
        service = service_on(demo, tmp_path / "data")
        [record] = await service.submit(plan_of(service, source(tmp_path, COUNT)))
        await asyncio.wait_for(service.settle([record.local_id]), 120)
        record = only(service)
        await service.close()
        assert (record.status, record.posts, demo.stats()["calls"]["create"]) == ("refused", 3, 3)
        assert "3 times" in record.error


async def test_a_part_that_waits_for_its_look_holds_up_no_other(tmp_path: Path) -> None:
    patient = Config(settle=Settle(looks=6, seconds=180))
    with running_demo(tmp_path / "server", duration=600, faults=["status:429,0@create*1"]) as demo:
        service, watch = service_on(demo, tmp_path / "data", patient), Watch()
        service.context.clock = watch
        await service.submit(plan_of(service, source(tmp_path, COUNT), max_requests=4))
        watch.offset = timedelta(seconds=10)
        await service.sync()
        await service.close()
        assert sorted(r.status for r in service.records()) == ["in_progress", "in_progress", "unconfirmed"]


async def test_a_retry_that_waits_for_a_look_holds_up_no_other_and_is_sent_then(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=600, faults=["status:400@create*1"]) as demo:
        service = service_on(demo, tmp_path / "data")
        [refused] = await service.submit(plan_of(service, source(tmp_path, COUNT)))
        demo.set_faults(["status:500@list*1"])
        plan = await asyncio.to_thread(plan_retry, service, [refused.local_id])
        [again] = await service.submit(plan, retry_of=refused)
        assert again.waiting and refused.local_id in again.error
        other = await service.submit(plan_of(service, source(tmp_path, 3, "b.jsonl", "other")))
        assert other[0].status == "in_progress"
        await asyncio.wait_for(service.settle([again.local_id]), 120)
        assert service.resolve(again.local_id).status == "in_progress"
        await service.close()
        assert demo.stats()["creates"] == 2


async def test_a_usual_submit_costs_one_create_and_no_list(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=60) as demo:
        service = service_on(demo, tmp_path / "data")
        await service.submit(plan_of(service, source(tmp_path, COUNT)))
        await service.close()
        assert demo.stats()["calls"] == {"create": 1}


def test_a_lost_reply_is_settled_within_three_minutes() -> None:
    from batchtui.domain.schedule import settle_delay

    rule, looked, at = Settle(), 0, 0.0
    while looked < rule.looks or at < rule.seconds:
        looked += 1
        at += settle_delay(looked)
    assert (rule.looks, rule.seconds) == (6, 180) and at <= 240


# A look counts only if it is whole and by the same key (item 7).

FLAWS = [
    "unordered", "small-pages:1 unordered", "small-pages:2 overlap-page", "empty-page", "repeat-page", "zero-counts",
    "rising-counts:1", "no-date", "date-off:18000", "date-off:-18000", "hidden:0.3", "other-workspace",
    "small-pages:1 repeat-page",
]  # fmt: skip


def parted(flaw: str, times: int) -> list[str]:
    call = {"zero-counts", "rising-counts", "no-date", "date-off", "other-workspace"}
    return [f"{f}@list*{times}" if f.partition(":")[0] in call else f"{f}*{times}" for f in flaw.split()]


@pytest.mark.parametrize("flaw", FLAWS)
async def test_a_lost_batch_is_found_whatever_its_list_is_like_at_first(tmp_path: Path, flaw: str) -> None:
    careful = Config(settle=Settle(looks=3, seconds=1.0))
    with running_demo(tmp_path / "server", duration=0.05) as demo:
        maker = service_on(demo, tmp_path / "maker")
        for n in range(3):
            await maker.submit(plan_of(maker, source(tmp_path, n + 1, f"m{n}.jsonl", f"m{n}")))
        await maker.close()
        service = service_on(demo, tmp_path / "data", careful)
        demo.set_faults(["drop@create*1", *parted(flaw, 12)])
        await service.submit(plan_of(service, source(tmp_path, COUNT)))
        await syncs(service, 8)
        demo.set_faults([])
        for _ in range(3000):
            await service.sync()
            mine = next(r for r in service.records() if not r.foreign)
            if mine.results == "stored":
                break
            await asyncio.sleep(0.05)
        await service.close()
        assert mine.results == "stored" and mine.posts == 1, mine
        assert demo.stats()["creates"] == 4
        owners = [r.id for r in service.records()]
        assert len(owners) == len(set(owners))


@pytest.mark.parametrize("flaw", ["empty-page", "repeat-page", "zero-counts", "other key", "no-date and a wrong clock"])
async def test_what_cannot_be_proven_stays_unconfirmed_and_is_put_to_the_person(tmp_path: Path, flaw: str) -> None:
    with running_demo(tmp_path / "server", duration=600, faults=["drop@create*1"]) as demo:
        service = service_on(demo, tmp_path / "data", Config(settle=Settle(looks=2, seconds=60)))
        watch = Watch()
        service.context.clock = watch
        if "clock" in flaw:
            demo.set_faults(["drop@create*1", "no-date@any"])
            watch.offset = timedelta(hours=5)
        await service.submit(plan_of(service, source(tmp_path, COUNT)))
        if flaw == "other key":
            with_key(service, "sk-test-workspace-beta")
        elif "clock" not in flaw:
            demo.set_faults([f"{flaw}@list"])
        start = watch.offset
        for n in range(20):
            watch.offset = start + timedelta(seconds=30 * n)
            await service.sync()
        record = only(service)
        assert record.status == "unconfirmed" and record.asks and record.unproven > 5 and record.looks == 0
        assert "can't be confirmed" in record.error
        await asyncio.wait_for(service.wait([record.local_id]), 120)  # Nobody waits for ever.
        demo.set_faults([])
        if flaw == "other key":
            with_key(service, "sk-test-secret")
        watch.offset = start if "clock" in flaw else start + timedelta(minutes=15)
        await service.sync()
        record = only(service)
        await service.close()
        assert record.status == "in_progress" and not record.asks
        assert demo.stats()["creates"] == 1


async def test_another_key_of_the_same_workspace_is_told_by_a_batch_seen_before(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=600) as demo:
        service = service_on(demo, tmp_path / "data")
        await service.submit(plan_of(service, source(tmp_path, 3, "a.jsonl", "a")))
        demo.set_faults(["drop@create*1"])
        [record] = await service.submit(plan_of(service, source(tmp_path, COUNT)))
        with_key(service, "sk-test-rotated")
        await service.sync()
        await service.close()
        assert service.resolve(record.local_id).status == "in_progress"


async def test_a_list_that_leaves_out_a_running_batch_of_ours_counts_for_nothing(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=600, faults=["drop@create*1"]) as demo:
        service = service_on(demo, tmp_path / "data")
        [lost, _] = await service.submit(plan_of(service, source(tmp_path, COUNT), max_requests=6))
        demo.set_faults(["hidden:9999@list"])
        await syncs(service)
        record = service.resolve(lost.local_id)
        assert record.status == "unconfirmed" and "the list lacks" in record.error
        demo.set_faults([])
        await syncs(service, 2)
        await service.close()
        assert service.resolve(lost.local_id).status == "in_progress"
        assert demo.stats()["creates"] == 2


async def test_the_salt_is_private_and_the_key_is_in_no_file(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=600) as demo:
        one, two = service_on(demo, tmp_path / "data"), service_on(demo, tmp_path / "other")
        for service in (one, two):
            await service.submit(plan_of(service, source(tmp_path, COUNT)))
            await service.close()
        first, second = only(one), only(two)
        assert len(first.key_mark) == 16 and first.key_mark != second.key_mark
        assert first.organization
        assert (tmp_path / "data" / "salt").stat().st_mode & 0o777 == 0o600
        for path in (tmp_path / "data").rglob("*"):
            assert not path.is_file() or b"sk-test-secret" not in path.read_bytes()


async def test_a_persons_own_ids_never_make_one_of_two_candidates_ours(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=0.05) as demo:
        other = service_on(demo, tmp_path / "other")
        await other.submit(plan_of(other, source(tmp_path, COUNT)))
        demo.set_faults(["drop@create*1"])
        service = service_on(demo, tmp_path / "data")
        await service.submit(plan_of(service, source(tmp_path, COUNT)))
        await syncs(service)
        record = only(service)
        await service.close()
        await other.close()
        assert record.status == "unconfirmed" and record.asks and len(record.candidates) == 2


async def test_two_lost_batches_of_two_runs_with_the_same_own_ids_are_not_guessed(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=0.05, faults=["drop@create*2"]) as demo:
        service = service_on(demo, tmp_path / "data")
        path = source(tmp_path, COUNT)
        await service.submit(plan_of(service, path))
        path.write_text(path.read_text().replace("question", "another question"))
        await service.submit(plan_of(service, path))
        await syncs(service, 3)
        first, second = sorted(service.records(), key=lambda r: r.local_id)
        await service.close()
        for record in (first, second):
            assert record.asks or (record.created_at and record.intent_at <= record.created_at <= record.lost_at)


# Nothing that may be ours is adopted (item 8).


async def test_a_young_batch_of_ours_with_counts_of_nought_is_not_adopted_as_anothers(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=0.05, faults=["drop@create*1", "zero-counts@list*2"]) as demo:
        service = service_on(demo, tmp_path / "data")
        await service.submit(plan_of(service, source(tmp_path, COUNT)))
        await syncs(service, 2)
        assert len(service.records()) == 1
        await bring_home(service)
        await service.close()
        assert_paid_once(demo, service)


@pytest.mark.parametrize("profile", ["default", "second"])
async def test_nothing_is_adopted_beside_a_slow_create_whose_counts_are_nought(tmp_path: Path, profile: str) -> None:
    with running_demo(tmp_path / "server", duration=0.05, faults=["zero-counts@list"]) as demo:
        service, cron = service_on(demo, tmp_path / "data"), service_on(demo, tmp_path / "data")
        cron.profile = cron.context.profile = replace(cron.profile, name=profile)
        real = service.gateway.create

        async def create(*args):  # type: ignore[no-untyped-def]
            made = await real(*args)
            for _ in range(3):
                await cron.sync()
                demo.set_faults([])
            return made

        service.gateway.create = create  # type: ignore[method-assign]
        await service.submit(plan_of(service, source(tmp_path, COUNT)))
        await bring_home(service)
        await service.close()
        await cron.close()
        assert len(service.records()) == 1
        assert_paid_once(demo, service)


async def test_a_young_batch_made_elsewhere_is_adopted_only_when_a_later_look_agrees(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=600) as demo:
        maker = service_on(demo, tmp_path / "maker")
        await maker.submit(plan_of(maker, source(tmp_path, COUNT)))
        await maker.close()
        service, watch = service_on(demo, tmp_path / "data", Config(settle=Settle(seconds=180))), Watch()
        service.context.clock = watch
        assert (await service.sync()).adopted == ()
        watch.offset = timedelta(seconds=100)
        assert (await service.sync()).adopted == ()
        watch.offset = timedelta(seconds=200)
        assert len((await service.sync()).adopted) == 1
        await service.close()


async def test_a_batch_that_may_be_ours_is_not_adopted_by_hand_as_anothers(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=600, faults=["drop@create*1"]) as demo:
        service = service_on(demo, tmp_path / "data")
        [record] = await service.submit(plan_of(service, source(tmp_path, COUNT)))
        [found] = (await service.gateway.page()).data
        with pytest.raises(InputError, match="not confirmed yet"):
            await service.adopt(found)
        taken = await service.adopt_candidate(record.local_id, found.id)
        await service.close()
        assert taken.id == found.id


async def test_a_create_answered_with_an_earlier_reply_is_looked_for_and_owns_its_own_batch(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=0.05) as demo:
        service = service_on(demo, tmp_path / "data")
        await service.submit(plan_of(service, source(tmp_path, COUNT, "a.jsonl", "a")))
        demo.set_faults(["earlier-reply@create*1"])
        [second] = await service.submit(plan_of(service, source(tmp_path, COUNT)))
        assert second.status == "unconfirmed" and "the reply names" in second.error
        for _ in range(3000):
            await service.sync()
            if all(r.results == "stored" for r in service.records()):
                break
            await asyncio.sleep(0.03)
        await service.close()
        assert len({r.id for r in service.records()}) == 2 == demo.stats()["creates"]
        assert all(r.verified and r.results == "stored" for r in service.records())


async def test_a_batch_that_the_list_gives_too_late_goes_to_the_record_it_is(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=600, faults=["drop@create*1", "hidden:9999@list*4"]) as demo:
        service = service_on(demo, tmp_path / "data")
        [record] = await service.submit(plan_of(service, source(tmp_path, COUNT)))
        for _ in range(3):
            await service.refresh()
            await asyncio.sleep(0.05)
        assert service.resolve(record.local_id).status == "refused"
        await service.sync()
        await service.close()
        assert only(service).status == "in_progress"


@pytest.mark.parametrize("words", ["never arrived, you said; retry sends it again", GIVEN_UP])
def test_what_a_person_marked_as_not_created_is_known_in_old_and_new_records(words: str) -> None:
    assert BatchRecord(local_id="20261122T061500Z-k3f9x2", run="r", status="refused", error=words).given_up


async def test_a_batch_given_to_another_part_unverified_is_no_proof_for_a_retry(tmp_path: Path) -> None:
    faults = ["late:400@create*1", "status:500@create*1"]
    with running_demo(tmp_path / "server", duration=600, faults=faults) as demo:
        service = service_on(demo, tmp_path / "data")
        [refused, lost] = await service.submit(plan_of(service, source(tmp_path, COUNT), max_requests=COUNT // 2))
        await service.sync()  # The one batch there is seems to be the second part's, whose reply was lost.
        assert service.resolve(lost.local_id).id is not None and not service.resolve(lost.local_id).verified
        plan = await asyncio.to_thread(plan_retry, service, [refused.local_id])
        [again] = await service.submit(plan, retry_of=refused)
        assert again.waiting and "another record" in again.error
        for _ in range(3):
            demo.clock.advance(601)
            await syncs(service)
            await retry_refused(service, service.records())
        await bring_home(service)
        await service.close()
        assert_paid_once(demo, service, batches=2)


@pytest.mark.parametrize("syncs_first", [0, 4])
async def test_several_parts_refused_after_the_work_are_found_and_not_taken_for_others(
    tmp_path: Path, syncs_first: int
) -> None:
    with running_demo(tmp_path / "server", duration=0.05, faults=["late:400@create*3"]) as demo:
        service = service_on(demo, tmp_path / "data")
        await service.submit(plan_of(service, source(tmp_path, COUNT), max_requests=COUNT // 3))
        await syncs(service, syncs_first)
        assert not any(r.foreign for r in service.records())
        await bring_home(service)
        await service.close()
        assert_paid_once(demo, service, batches=3)


async def test_a_retry_that_waits_is_not_sent_once_its_batch_is_found(tmp_path: Path) -> None:
    patient = Config(settle=Settle(looks=2, seconds=100))
    with running_demo(tmp_path / "server", duration=600, faults=["late:400@create*1"]) as demo:
        service, watch = service_on(demo, tmp_path / "data", patient), Watch()
        service.context.clock = watch
        [refused] = await service.submit(plan_of(service, source(tmp_path, COUNT)))
        plan = await asyncio.to_thread(plan_retry, service, [refused.local_id])
        [again] = await service.submit(plan, retry_of=refused)
        assert again.waiting
        await service.adopt_candidate(refused.local_id, demo.stats()["batches"][0]["id"])
        watch.offset = timedelta(seconds=101)
        await service.sync()
        again = service.resolve(again.local_id)
        await service.close()
        assert (again.status, again.posts, demo.stats()["creates"]) == ("refused", 0, 1)
