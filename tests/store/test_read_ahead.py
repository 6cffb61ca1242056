"""Stretches of a file come out as they stand there, however they are asked for."""

import os
import random
from pathlib import Path

import pytest

from batchtui.plainfile import ReadAhead


def test_stretches_in_any_order_are_what_the_file_holds(tmp_path: Path) -> None:
    luck, whole = random.Random(3), os.urandom(300_000)
    path = tmp_path / "file"
    path.write_bytes(whole)
    fd = os.open(path, os.O_RDONLY)
    try:
        reader = ReadAhead(fd)
        at = 0
        for _ in range(3_000):
            if luck.random() < 0.1 or at >= len(whole):
                at = luck.randrange(len(whole))
            length = luck.choice((0, 1, 300, 5_000, 90_000))
            assert reader.read(at, length) == whole[at : at + length]
            at += length + luck.randrange(3)
        lines = [(start, 99) for start in range(0, 250_000, 100)]
        for places in (
            lines,
            lines[::-1],
            lines[:1],
            [],
            [*lines, (299_950, 200)],
            lines[::60],
            luck.sample(lines, 900),
        ):
            assert reader.read_all(places) == [whole[start : start + length] for start, length in places]
    finally:
        os.close(fd)
    with pytest.raises(OSError, match="Bad file descriptor"):
        ReadAhead(fd).read(0, 10)
