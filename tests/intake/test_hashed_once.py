"""A source is hashed once, on its way, and only where somebody asks for its fingerprint."""

import gzip
import hashlib
import json
from pathlib import Path

import pytest

from batchtui.intake.options import IntakeOptions
from batchtui.intake.source_watch import Watch
from batchtui.intake.sources import Source, Stream
from tests.intake.helpers import plan_of

TEMPLATE = 'model = "claude-opus-5"\nmax_tokens = 5\nprompt = "{{ text }}"\n'
DATA = b"text\n" + b"".join(b"row %d\n" % n for n in range(20_000))


@pytest.mark.parametrize(("packed", "kept", "expected"), [(False, True, 0), (True, True, 1), (True, False, 0)])
def test_only_packed_bytes_of_a_plan_that_is_kept_are_hashed_beside_those_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool, kept: bool, expected: int
) -> None:
    hashed: list[Stream] = []
    begin = Stream.hash

    def count(stream: Stream) -> None:
        hashed.append(stream)
        begin(stream)

    monkeypatch.setattr(Stream, "hash", count)
    path = tmp_path / ("in.csv.gz" if packed else "in.csv")
    path.write_bytes(gzip.compress(DATA) if packed else DATA)
    plan = plan_of(path, template_text=TEMPLATE, staging=tmp_path / "s" if kept else None)
    assert plan.requests == 20_000 and len(hashed) == expected
    if kept:
        [part] = plan.parts
        assert part.ids_path is not None
        last = json.loads(part.ids_path.read_bytes().splitlines()[-1])
        assert last["sha256"] == hashlib.sha256(DATA).hexdigest()
        assert plan.origin is not None
        assert plan.origin.sources[0].fingerprint == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_of_a_folder_that_is_gone_before_it_is_left_out_harms_nothing(tmp_path: Path) -> None:
    watch = Watch([str(tmp_path)], IntakeOptions(), fingerprints=True)
    watch.note_left_out(Source("gone.txt", tmp_path / "gone.txt", tmp_path))
    assert watch.origin(None).left_out == ()
