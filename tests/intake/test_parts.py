"""Parts: limits, betas, staging, and what is left out."""

import hashlib
import json
import threading
from pathlib import Path

import pytest

from batchtui.domain.errors import Stopped
from batchtui.domain.plan import Problem
from batchtui.domain.work import Progress, Work
from batchtui.intake.ids import IdTable, as_id, candidates
from batchtui.intake.options import IntakeOptions
from batchtui.intake.plan import make_plan
from tests.intake.helpers import PRICES, codes, group, plan_for, plan_of, request, staged, write_lines


def test_parts_keep_both_limits_and_the_order(tmp_path: Path) -> None:
    requests = [request(f"a{n}", messages=[{"role": "user", "content": "x" * (n % 50 + 1)}]) for n in range(100)]
    by_count = plan_for(tmp_path, *requests, max_requests=30, staging=tmp_path / "s")
    assert [part.requests for part in by_count.parts] == [30, 30, 30, 10]
    assert staged(by_count) == requests
    by_bytes = plan_for(tmp_path, *requests, max_bytes=2000, staging=tmp_path / "s2")
    assert len(by_bytes.parts) > 5
    assert staged(by_bytes) == requests
    for part in by_bytes.parts:
        assert part.path is not None
        body = b'{"requests":[' + b",".join(part.path.read_bytes().splitlines()) + b"]}"
        assert len(body) <= 2000
        assert len(json.loads(body)["requests"]) == part.requests


def test_a_part_may_be_filled_to_the_last_byte(tmp_path: Path) -> None:
    lines = [json.dumps(request(f"a{n}")).encode() for n in range(2)]
    exact = 16 + sum(len(line) + 1 for line in lines)
    assert len(plan_for(tmp_path, *lines, max_bytes=exact).parts) == 1
    assert len(plan_for(tmp_path, *lines, max_bytes=exact - 1).parts) == 2


def test_staged_files_are_private_and_their_fingerprint_is_theirs(tmp_path: Path) -> None:
    plan = plan_for(tmp_path, request("a"), request("b"), staging=tmp_path / "s")
    part = plan.parts[0]
    assert part.path is not None
    assert part.path.stat().st_mode & 0o777 == 0o600
    assert part.path.parent.stat().st_mode & 0o777 == 0o700
    assert part.fingerprint == hashlib.sha256(part.path.read_bytes()).hexdigest()
    assert part.path.name == "part-001.jsonl"


def test_a_request_larger_than_a_batch_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    large = request("large", messages=[{"role": "user", "content": "x" * 3000}])
    plan = plan_for(tmp_path, request("a"), large, request("b"), max_bytes=1000)
    assert codes(plan) == ["request_size"]
    assert group(plan, "request_size").first[0].where.endswith(":2")
    assert plan.requests == 2


def test_each_set_of_betas_makes_parts_of_its_own(tmp_path: Path) -> None:
    plan = plan_for(
        tmp_path,
        request("a", betas=["one-2026"]),
        request("b"),
        request("c", betas=["two-2026", "one-2026"]),
        request("d", betas=["one-2026"]),
        request("e", betas=["one-2026", "two-2026"]),
        staging=tmp_path / "s",
    )
    assert plan.ok
    assert [(part.betas, part.requests) for part in plan.parts] == [
        (("one-2026",), 2),
        ((), 1),
        (("one-2026", "two-2026"), 2),
    ]
    assert not any("betas" in each["params"] for each in staged(plan))
    assert group(plan, "betas_lifted").count == 4


def test_betas_of_the_options_join_those_of_the_requests(tmp_path: Path) -> None:
    plan = plan_for(tmp_path, request("a", betas=["b-1"]), request("b"), betas=("a-1",))
    assert [part.betas for part in plan.parts] == [("a-1", "b-1"), ("a-1",)]


def test_too_many_sets_of_betas_are_refused(tmp_path: Path) -> None:
    plan = plan_for(tmp_path, *(request(f"a{n}", betas=[f"beta-{n}"]) for n in range(70)))
    assert group(plan, "betas_many").count == 6


def test_an_error_leaves_nothing_staged(tmp_path: Path) -> None:
    plan = plan_for(tmp_path, request("a"), request("b", max_tokens=0), request("c"), staging=tmp_path / "s")
    assert not plan.ok
    assert [part.path for part in plan.parts] == [None]
    assert list((tmp_path / "s").iterdir()) == []


def test_bad_requests_are_left_out_on_demand_and_written_as_given(tmp_path: Path) -> None:
    torn = b'{"custom_id": "torn", "params":'
    wrong = b'{"custom_id":  "b", "params": {}}'
    asked = {"skip_bad": True, "skipped_path": tmp_path / "bad.jsonl"}
    plan = plan_for(tmp_path, request("a"), torn, wrong, request("c"), staging=tmp_path / "s", **asked)
    assert plan.ok
    assert (plan.requests, plan.skipped, plan.errors) == (2, 2, 0)
    assert plan.skipped_path is not None
    assert plan.skipped_path.read_bytes() == torn + b"\n" + wrong + b"\n"
    notes = [json.loads(line) for line in plan.skipped_path.with_suffix(".problems.jsonl").read_text().splitlines()]
    assert [note["where"].rsplit(":", 1)[1] for note in notes] == ["2", "3"]
    assert "model is missing" in notes[1]["problems"]
    assert [each["custom_id"] for each in staged(plan)] == ["a", "c"]


def test_leaving_out_does_not_excuse_a_source_that_is_missing(tmp_path: Path) -> None:
    good = write_lines(tmp_path / "good.jsonl", request("a"))
    plan = plan_of(good, tmp_path / "missing.jsonl", skip_bad=True, staging=tmp_path / "s")
    assert not plan.ok
    assert plan.errors == 1
    assert list((tmp_path / "s").iterdir()) == []


def test_only_bad_requests_make_a_plan_that_can_not_be_sent(tmp_path: Path) -> None:
    plan = plan_for(tmp_path, b"{", skip_bad=True)
    assert (plan.ok, plan.requests, plan.skipped) == (False, 0, 1)


def test_progress_is_told_and_a_stop_leaves_nothing(tmp_path: Path) -> None:
    source = write_lines(tmp_path / "in.jsonl", *(request(f"a{n}") for n in range(30_000)))
    heard: list[Progress] = []
    stop = threading.Event()

    def hear(progress: Progress) -> None:
        heard.append(progress)
        stop.set()

    with pytest.raises(Stopped):
        make_plan([str(source)], IntakeOptions(), prices=PRICES, staging=tmp_path / "s", work=Work(hear, stop))
    assert heard[0].total == source.stat().st_size
    assert 0 < heard[0].done <= heard[0].total
    assert list((tmp_path / "s").iterdir()) == []


def test_problems_are_heard_while_it_reads(tmp_path: Path) -> None:
    source = write_lines(tmp_path / "in.jsonl", request("a", max_tokens=0), request("b", max_tokens=0))
    heard: list[Problem] = []
    make_plan([str(source)], IntakeOptions(), prices=PRICES, staging=None, on_problem=heard.append)
    assert [problem.custom_id for problem in heard] == ["a", "b"]


def test_sample_and_longest_are_kept_for_showing(tmp_path: Path) -> None:
    plan = plan_for(tmp_path, *(request(f"a{n}", system="x" * (n if n != 40 else 999)) for n in range(1, 80)))
    assert [json.loads(line)["custom_id"] for line in plan.sample] == ["a1", "a2", "a3", "a4", "a5"]
    assert json.loads(plan.longest)["custom_id"] == "a40"


def test_an_id_table_tells_ids_apart_while_it_grows() -> None:
    table = IdTable()
    for number in range(1, 60_000):
        assert table.add(f"id-{number}", number) == 0
    assert table.add("id-77", 1) == 77
    assert table.add("id-59999", 1) == 59_999
    assert "id-5" in table
    assert "id-0" not in table
    assert len(table) == 59_999


def test_ids_are_made_from_anything() -> None:
    assert as_id("Zoë & Co / 17") == "Zoe-Co-17"
    assert as_id("日本語") == ""
    assert as_id("x" * 100) == "x" * 64
    tries = candidates("y" * 64, 7)
    first = [next(tries) for _ in range(15)]
    assert len(set(first)) == 15
    assert all(len(each) <= 64 for each in first)


@pytest.mark.slow
def test_a_quarter_of_a_million_requests_make_three_parts(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    with source.open("w") as file:
        for n in range(250_000):
            file.write(json.dumps(request(f"a{n}")) + "\n")
    plan = plan_of(source)
    assert plan.ok
    assert [part.requests for part in plan.parts] == [100_000, 100_000, 50_000]
