"""Files as people have them: each is read right, or refused by its name with what to do."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from batchtui.intake.encodings import guess
from batchtui.intake.options import IntakeOptions
from batchtui.intake.preview import Peek, peek
from batchtui.intake.sources import SourceFault
from tests.intake.helpers import PRICES

OPTIONS = IntakeOptions(template_text='model = "claude-sonnet-5"\nmax_tokens = 9\nprompt = "{{ text }}"\n')
BOM = b"\xef\xbb\xbf"
CSV = b"id,text\n1,hello\n2,wor ld\n"
SEMICOLONS = "sep=;\r\nid;text\r\n1;hello\r\n2;wor ld\r\n"
LINES = b'{"id":1,"text":"hello"}\n{"id":2,"text":"wor ld"}\n'
COLUMNS = "one object of columns"


def seen(tmp_path: Path, name: str, data: bytes) -> Peek:
    path = tmp_path / name
    path.write_bytes(data)
    return peek([str(path)], OPTIONS, prices=PRICES, limit=10)


READ: list[tuple[str, bytes]] = [
    # Each holds the same two texts.
    *[("plain.csv", start + CSV.replace(b"\n", end)) for start in (b"", BOM) for end in (b"\n", b"\r\n", b"\r")],
    *[("wide.csv", CSV.decode().encode(name)) for name in ("utf-16", "utf-16-le", "utf-32")],
    *[("sep.csv", SEMICOLONS.encode(name)) for name in ("utf-8", "utf-8-sig", "utf-16")],
    *[("delimiter.csv", CSV.replace(b",", sign)) for sign in (b"\t", b"|", b"^", b"~", b"\x01")],
    ("unicode.txt", CSV.replace(b",", b"\t").decode().encode("utf-16")),  # As Excel saves Unicode text.
    ("blank.csv", b"\n\n" + CSV.replace(b"\n", b"\n\n")),
    ("trailing.csv", CSV.replace(b"hello", b"hello,").replace(b"ld", b"ld,")),
    ("commas.csv", CSV.replace(b"\n", b",,\n")),
    ("title.csv", b"Report of May\n\n" + CSV),
    ("notes.csv", b"# made by hand\n# in May\n" + CSV),
    ("packed.csv", gzip.compress(CSV)),
    ("decimals.csv", b"id;price;text\n1;3,50;hello\n2;4,75;wor ld\n"),
    ("strings.json", b'["hello", "wor ld"]'),
    ("lists.json", b'[["id","text"],[1,"hello"],[2,"wor ld"]]'),
    ("objects.json", BOM + json.dumps([json.loads(line) for line in LINES.splitlines()], indent=1).encode()),
    *[("lines.jsonl", data) for data in (LINES, BOM + LINES, LINES.replace(b"\n", b"\r\n"), LINES.replace(b"\n", b"\n\n"))],
    ("pretty.jsonl", LINES.replace(b",", b",\n")),
    ("wide.jsonl", LINES.decode().encode("utf-16")),
    ("number.jsonl", LINES.replace(b'"id":1', b'"id":12345678901234567890123')),
    ("lines.csv", LINES),
    ("table.jsonl", CSV),
]  # fmt: skip
REFUSED: list[tuple[str, bytes, str]] = [
    # What is said of each.
    ("page.csv", b"<!DOCTYPE html>\n<html><body>404, sorry</body></html>", "an HTML page"),
    ("page.jsonl", BOM + b"\n<html>\n<body>502</body></html>", "an HTML page"),
    ("sheet.csv", b'<?xml version="1.0"?>\n<Workbook/>', "an XML file"),
    ("pointer.csv", b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 12345\n", "git lfs pull"),
    ("comment.json", b'// all\n[{"text":"x"}]', "not JSON: it begins with '// all"),
    ("words.jsonl", b"hello there\n", "not JSON: it begins with 'hello"),
    ("columns.json", b'{"id":[1,2],"text":["hello","wor ld"]}', COLUMNS),
    ("pandas.json", b'{"id":{"0":1,"1":2},"text":{"0":"hello","1":"wor ld"}}', COLUMNS),
    ("split.json", b'{"columns":["id","text"],"index":[0],"data":[[1,"hello"]]}', COLUMNS),
    ("mixed.json", b'[{"text":"x"},5]', "a row must be an object of columns, not a number"),
    ("uneven.json", b'[["text"],["a","b"]]', "more cells than there are columns"),
    ("wide.csv", b"id,text\n1,a,b\n", "more cells than the header"),
    ("open.csv", b'id,text\n1,"never closed\n2,x\n', "never closed"),
    ("tail.csv", b'id,text\n1,"abc"def\n2,x\n', "follows a closing quote"),
    ("book.xlsx", b"PK\x03\x04" + bytes(60), "save the sheet as CSV"),
    ("old.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(60), "save the sheet as CSV"),
    ("z.csv.zst", b"\x28\xb5\x2f\xfd" + bytes(60), "zstd"),
]


@pytest.mark.parametrize(("name", "data"), READ, ids=[name for name, _ in READ])
def test_a_file_is_read_as_the_rows_that_it_holds(tmp_path: Path, name: str, data: bytes) -> None:
    found = seen(tmp_path, name, data)
    assert [row["text"] for row in found.rows] == ["hello", "wor ld"]
    assert not [each.message for each in found.problems if each.level == "error"]


@pytest.mark.parametrize(("name", "data", "words"), REFUSED, ids=[name for name, *_ in REFUSED])
def test_a_file_that_can_not_be_read_is_refused_by_name(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    found = seen(tmp_path, name, data)
    assert [each.message for each in found.problems if each.level == "error" and words in each.message], found


def test_a_page_that_is_named_as_one_is_a_text_and_a_row_of_lists_is_a_row(tmp_path: Path) -> None:
    assert seen(tmp_path, "page.html", b"<html>x</html>").rows[0]["text"] == "<html>x</html>"
    assert seen(tmp_path, "row.jsonl", b'{"text":"x","tags":["a","b"]}\n').rows[0]["tags"] == ["a", "b"]
    assert len(seen(tmp_path, "scores.jsonl", b'{"s":{"0":1},"t":{"0":2}}\n{"s":{"0":3},"t":{"0":4}}\n').rows) == 2


SAID = {
    # Sentences, and the encodings they come in; the first of them is read right.
    "Bardzo dobry produkt, polecam każdemu, źle": ("iso8859_2", "cp1250"),
    "Świetna jakość": ("iso8859_2", "cp1250"),
    "Cześć, gdzie jest moja paczka?": ("iso8859_2", "cp1250"),
    "děkuji": ("", "cp1250", "iso8859_2"),
    "vrlo dobar proizvod, zašto ne": ("", "cp1250"),
    "rødgrød med fløde": ("cp1252", "cp850"),
    "non è vero": ("cp1252", "iso8859_15"),
    "İstanbul'da aldım, şık": ("", "cp1254"),
    "ürün güzel değil": ("", "mac_turkish"),
    "מוצר טוב מאוד": ("", "cp1255"),
    "labai gerai, ačiū": ("", "cp1257"),
    "très déçu, l’été": ("cp1252", "mac_roman"),
    "¿Dónde está mi pedido? 1º y 2ª": ("cp1252", "mac_roman"),
    "Größe paßt nicht": ("cp1252", "mac_roman"),
}


@pytest.mark.parametrize("said", SAID)
def test_a_text_is_read_in_its_encoding_or_refused_and_never_in_another(said: str) -> None:
    right, *others = SAID[said]
    for encoding in filter(None, (right, *others)):
        data = f"id;text\n1;{said}\n".encode(encoding)
        try:
            found = data.decode(guess(data).encoding)
        except SourceFault:
            found = "" if encoding != right else "refused"
        assert found in ("", data.decode(encoding)), encoding
