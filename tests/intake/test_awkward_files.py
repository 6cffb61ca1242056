"""Files as people have them: each is read right, or refused by its name with what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from batchtui.intake.detect_format import tell
from batchtui.intake.encodings import guess
from batchtui.intake.options import IntakeOptions
from batchtui.intake.plan import peek
from batchtui.intake.sources import SourceFault, Stream
from tests.intake.helpers import PRICES

OPTIONS = IntakeOptions(template_text='model = "claude-sonnet-5"\nmax_tokens = 9\nprompt = "{{ text }}"\n')
ROWS = [{"id": 1, "text": "hello"}, {"id": 2, "text": "wor ld"}]
TEXTS = ["hello", "wor ld"]


def rows_of(tmp_path: Path, name: str, data: bytes) -> list[dict[str, Any]]:
    path = tmp_path / name
    path.write_bytes(data)
    return [dict(row) for row in peek([str(path)], OPTIONS, prices=PRICES, limit=10).rows]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("strings.json", json.dumps(TEXTS).encode()),
        ("lists.json", json.dumps([["id", "text"], [1, "hello"], [2, "wor ld"]]).encode()),
        ("unicode.txt", "id\ttext\r\n1\thello\r\n2\twor ld\r\n".encode("utf-16")),
        ("trailing.csv", b"id,text\n1,hello,\n2,wor ld,\n"),
        ("caret.csv", b"id^text\n1^hello\n2^wor ld\n"),
        ("hive.csv", b"id\x01text\n1\x01hello\n2\x01wor ld\n"),
        ("sep.csv", "sep=;\r\nid;text\r\n1;hello\r\n2;wor ld\r\n".encode("utf-16")),
        ("long_number.jsonl", b'{"id":12345678901234567890123,"text":"hello"}\n{"id":2,"text":"wor ld"}\n'),
    ],
)
def test_a_file_is_read_as_the_rows_that_it_holds(tmp_path: Path, name: str, data: bytes) -> None:
    assert [row["text"] for row in rows_of(tmp_path, name, data)] == TEXTS
