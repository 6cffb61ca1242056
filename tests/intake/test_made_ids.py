"""Made ids tell whose they are, and ids.jsonl tells of every request which row of which source it is from."""

import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchtui.domain.plan import Plan
from batchtui.intake.ids import made_id, new_mark
from batchtui.results.row_ids import Place
from tests.intake.helpers import params, plan_of, request, staged, write_lines
from tests.results.told_places import told

TEMPLATE = 'model = "claude-opus-5"\nmax_tokens = 5\nprompt = "{{ text }}"\n'


def table(folder: Path, count: int = 3, name: str = "in.csv") -> Path:
    path = folder / name
    path.write_text("text\n" + "".join(f"row {n}\n" for n in range(count)))
    return path


def ids(plan: Plan) -> list[str]:
    return [each["custom_id"] for each in staged(plan)]


def places(plan: Plan) -> list[Place]:
    """Where each staged request is from."""
    found = []
    for part in plan.parts:
        assert part.path is not None and part.ids_path is not None
        names = [json.loads(line)["custom_id"] for line in part.path.read_bytes().splitlines()]
        found += told(part.ids_path, ((name, seq) for seq, name in enumerate(names)))
    return found


def test_two_plans_of_one_table_make_different_ids_of_equal_requests(tmp_path: Path) -> None:
    path = table(tmp_path)
    one, two = (plan_of(path, template_text=TEMPLATE, staging=tmp_path / name) for name in "ab")
    assert all(re.fullmatch(r"[a-z][a-z0-9]{5}-00000[123]", each) for each in ids(one))
    assert one.mark != two.mark and not {*ids(one)} & {*ids(two)}
    assert one.parts[0].ids_made and two.parts[0].ids_made
    # A second submit of the same table must still be seen as one.
    assert one.parts[0].fingerprint == two.parts[0].fingerprint
    other = plan_of(table(tmp_path, 4, "other.csv"), template_text=TEMPLATE, staging=tmp_path / "c")
    assert other.parts[0].fingerprint != one.parts[0].fingerprint
    assert [each.key for each in places(one)] == [each.key for each in places(two)]
    assert {each.key for each in places(one)}.isdisjoint(each.key for each in places(other))


def test_what_is_only_looked_at_has_the_same_ids_each_time(tmp_path: Path) -> None:
    shown = [plan_of(table(tmp_path), template_text=TEMPLATE).sample for _ in range(2)]
    assert shown[0] == shown[1]
    assert json.loads(shown[0][0])["custom_id"] == "row-000001"


def test_made_ids_are_valid_and_sort_as_their_rows() -> None:
    mark = new_mark()
    made = [made_id(mark, number) for number in (1, 9, 10, 99_999, 999_999, 1_000_000, 25_000_000)]
    assert made == sorted(made)
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", each) for each in made)
    assert len({new_mark() for _ in range(1000)}) == 1000


def test_one_id_of_your_own_and_a_part_has_not_only_made_ones(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text("id,text\n1,a\n,b\n")
    mixed = plan_of(path, template_text=TEMPLATE, staging=tmp_path / "s")
    assert ids(mixed) == ["1", f"{mixed.mark}-000002"] and not mixed.parts[0].ids_made
    own = plan_of(write_lines(tmp_path / "own.jsonl", request("a")), staging=tmp_path / "t")
    assert not own.parts[0].ids_made
    bare = plan_of(write_lines(tmp_path / "bare.jsonl", params(), params()), staging=tmp_path / "u")
    assert bare.parts[0].ids_made


def test_a_native_source_of_any_size_takes_a_few_lines(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "in.jsonl", *(request(f"q-{n}") for n in range(3000)))
    plan = plan_of(path, staging=tmp_path / "s")
    assert plan.parts[0].ids_path is not None
    assert [json.loads(line) for line in plan.parts[0].ids_path.read_text().splitlines()] == [
        {"first": 1, "last": 3000, "source": 1, "number": 1},
        {"source": 1, "name": str(path), "sha256": ""},
    ]
    assert [each.key for each in places(plan)] == [f"id:q-{n}" for n in range(3000)]


def test_every_part_names_its_sources_even_when_it_was_full_before_their_end(tmp_path: Path) -> None:
    path = table(tmp_path, 10)
    plan = plan_of(path, template_text=TEMPLATE, staging=tmp_path / "s", max_requests=4)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert [each.key for each in places(plan)] == [f"at:{digest}:{line}" for line in range(2, 12)]


@pytest.mark.parametrize("packed", [False, True])
def test_the_fingerprint_is_of_the_bytes_whether_packed_or_not(tmp_path: Path, packed: bool) -> None:
    data = "".join(json.dumps({"text": f"row {n}"}) + "\n" for n in range(3)).encode()
    path = tmp_path / ("rows.jsonl.gz" if packed else "rows.jsonl")
    path.write_bytes(gzip.compress(data) if packed else data)
    plan = plan_of(path, template_text=TEMPLATE, staging=tmp_path / "s")
    assert {each.sha256 for each in places(plan)} == {hashlib.sha256(data).hexdigest()}


def test_a_parquet_file_has_the_fingerprint_of_its_bytes(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "rows.parquet"
    parquet.write_table(pa.table({"text": ["a", "b"]}), path)
    plan = plan_of(path, template_text=TEMPLATE, staging=tmp_path / "s")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert [each.key for each in places(plan)] == [f"at:{digest}:1", f"at:{digest}:2"]


_LINES = st.lists(st.sampled_from(["own", "bad", "blank", "long"]), min_size=1, max_size=30)


@given(_LINES, _LINES, st.integers(1, 7))
@settings(max_examples=60, deadline=None)
def test_the_line_of_each_request_can_be_told(
    tmp_path_factory: pytest.TempPathFactory, one: list[str], two: list[str], most: int
) -> None:
    folder = tmp_path_factory.mktemp("lines")
    expected: list[tuple[str, int]] = []
    for source, kinds in enumerate((one, two), 1):
        lines = []
        for number, kind in enumerate(kinds, 1):
            name = f"s{source}-{number}"
            text = "x" * (300_000 if kind == "long" and number % 9 == 1 else 3)
            held = json.dumps(request(name, messages=[{"role": "user", "content": text}]))
            lines.append({"bad": "{", "blank": ""}.get(kind, held))
            if kind in ("own", "long"):
                expected.append((name, number))
        (folder / f"{source}.jsonl").write_text("\n".join(lines) + "\n")
    plan = plan_of(
        folder / "1.jsonl", folder / "2.jsonl", format="native", skip_bad=True, staging=folder / "s", max_requests=most
    )
    if plan.ok:
        found = places(plan)
        assert [(each.row_id, each.number) for each in found] == expected
        # A source with nothing in it has no number.
        assert len({each.source for each in found}) == len({name.partition("-")[0] for name, _ in expected})
    else:
        assert not expected
