"""Tables as people have them: dialects, encodings, titles; rows are read as they are meant, or named."""

import csv
import io
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchtui.intake import detect_format
from batchtui.intake.options import IntakeOptions, TableOptions
from batchtui.intake.problems import Found
from batchtui.intake.sources import SourceFault, Stream
from batchtui.intake.tables import csv_rows


class Read:
    """A table as it was read: its rows, what was said with the line, what was left out."""

    def __init__(self, data: bytes | str, name: str = "in.csv", format_: str | None = None, **table: Any) -> None:
        self.rows: list[dict[str, Any]] = []
        self.lines: list[int] = []
        self.said: list[tuple[str, int]] = []
        self.refused: list[tuple[str, int]] = []
        self.kind = ""
        stream = Stream(io.BytesIO(data.encode() if isinstance(data, str) else data))
        options = IntakeOptions(template_text="x", format=format_, table=TableOptions(**table))
        try:
            told = detect_format.detect(stream, name, options)
            self.kind = told.kind
            if told.kind not in ("csv", "tsv"):
                return
            for row, line in csv_rows(stream, told, self._note, self._leave_out, lambda g: self._note(g.found, g.line)):
                self.rows.append(row)
                self.lines.append(line)
        except SourceFault as fault:
            self.refused.append((fault.found.text, fault.line))

    def _note(self, found: Found, line: int) -> None:
        self.said.append((found.text, line))

    def _leave_out(self, text: str, found: Found, line: int) -> None:
        self.refused.append((found.text, line))

    @property
    def cells(self) -> list[list[Any]]:
        return [list(row.values()) for row in self.rows]


def texts(data: bytes | str, **how: Any) -> list[Any]:
    read = Read(data, **how)
    assert read.refused == [], read.refused
    return [row["text"] for row in read.rows]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ('id,text,x\n1,"a \\"b\\"",p\n2,"c",n\n3,"d \\"",p\n4,"e",\n', ['a "b"', "c", 'd "', "e"]),
        ('id\ttext\n1\t"a \\"b\\" \\\\ c"\n2\t"d\\te"\n', ['a "b" \\ c', "d\\te"]),
        ("id\ttext\n1\ta\\\tb\n2\tc\\\nd\n3\t\\N\n4\te\n5\tf\n", ["a\tb", "c\nd", "", "e", "f"]),
        ("sep=;\r\nid;text\r\n1;a\r\n2;b,c\r\n", ["a", "b,c"]),
        ('"sep=\t"\nid\ttext\n1\ta,b\n', ["a,b"]),
        ('id, text\n1, "a, b"\n2, "c ""d"""\n', ["a, b", 'c "d"']),
        ('id,text\n1,"a" \n2,"b" ,\n'.replace(" ,\n", " \n"), ["a", "b"]),
        ('id,text\n1," a, ""x"", "\n2," b"\n', [' a, "x", ', " b"]),
        ("Report of May, 2026\nby hand\n\nid,text\n1,a\n2,b\n", ["a", "b"]),
        ("Sales report;;\nid;text;more\n1;a;x\n2;b;y\n", ["a", "b"]),
        ("# made by hand, today\n#\nid,text\n1,a\n2,b\n", ["a", "b"]),
        ("# id,text\n1,a\n2,b\n", ["a", "b"]),
        ("id;text\n1;a\x0bb, c\n2;d\x85e, f\n3;g\u2028h, i\n", ["a\x0bb, c", "d\x85e, f", "g\u2028h, i"]),
        ('id,text\r1,"a\nb"\r2,c\r', ["a\nb", "c"]),
        ('id,text\r\r\n1,a\r\r\n2,"b"\r\r\n', ["a", "b"]),
        ('id\ttext\n1\t"Big" screen\n2\tsaid "no"\n3\t5" pipe\n', ['"Big" screen', 'said "no"', '5" pipe']),
        (",text\n0,a\n1,b\n", ["a", "b"]),
        ("text\nfoo\nbar\n", ["foo", "bar"]),
        ('text\n"a, b"\n"c, d"\n', ["a, b", "c, d"]),
    ],
)
def test_tables_are_read_as_they_are_meant(data: str, expected: list[str]) -> None:
    assert texts(data) == expected


def test_what_the_person_says_of_a_table_holds() -> None:
    assert texts("id^text\n1^a,b\n2^c,d\n", delimiter="^") == ["a,b", "c,d"]
    assert texts("id\ttext\n1\ta,b\n", name="x.txt", delimiter="tab") == ["a,b"]
    assert texts("junk,junk,junk\nmore\nid,text\n1,a\n", skip_rows=2) == ["a"]
    commented = '# one\nid,text\n1,a\n# two "\n2,"b\n# not this"\n3,c\n'
    assert texts(commented, comment="#") == ["a", "b\n# not this", "c"]
    assert Read(commented, comment="#").lines == [3, 5, 7]
    assert texts("id,text\n1,привет\n".encode("cp1251"), encoding="windows-1251") == ["привет"]
    assert "unknown encoding" in TableOptions(encoding="klingon").problem()
    assert "one character" in TableOptions(delimiter=";;").problem()
    assert "a number" in TableOptions(skip_rows=-1).problem()
    assert TableOptions(delimiter="\\t", encoding="UTF8", comment="//").problem() == ""


@pytest.mark.parametrize(
    ("data", "words", "line", "rows"),
    [
        ('id,text\n1,a\n2,"b" c\n3,d\n', "text follows a closing quote", 3, 2),
        ('id,text\n1,"a\n2,b\n3,c "x"\n4,"d"\n', "follows a closing quote", 2, 3),
        ('id,text\n1,"a\n2,b\n3,c\n', "never closed", 2, 2),
        ("id,text\n1,a\n2,b,c\n3,d\n", "more cells", 3, 2),
        ("id,text\n1,a\n2,b\rc\n3,d\n", "lone carriage return", 3, 2),
        ("text\nhello, world\nfoo, bar\n", "more cells", 2, 0),
    ],
)
def test_a_row_that_can_not_be_read_is_named_and_swallows_no_other(data: str, words: str, line: int, rows: int) -> None:
    read = Read(data)
    assert words in read.refused[0][0] and read.refused[0][1] == line
    assert len(read.rows) == rows


def test_quotes_with_backslashes_are_seen_wherever_they_begin() -> None:
    plain = "".join(f"{n},row {n},x\n" for n in range(20_000))
    data = f'id,text,y\n{plain}a,"say \\"yes\\"",p\nb,"ends \\"",p\nc,"",p\nd,"x",p\n'
    read = Read(data)
    assert read.refused == [] and [row["text"] for row in read.rows[-4:]] == ['say "yes"', 'ends "', "", "x"]
    assert [line for text, line in read.said if "backslashes" in text] == [20_002]


def test_neither_long_headers_nor_long_rows_hide_the_format() -> None:
    names = [f"question number {n} of the survey" for n in range(4_000)]
    wide = ";".join(names) + "\n" + (";".join("a,b" for _ in names) + "\n") * 3
    read = Read(wide, name="data")
    assert read.kind == "csv" and len(read.rows) == 3 and len(read.rows[0]) == 4_000
    tall = 'id\ttext\n1\t"' + "line, one\n" * 30_000 + '"\n2\tb\n3\tc\n'
    assert [len(each) for each in texts(tall, name="data")] == [300_000, 1, 1]
    long_line = b'{"meta": "' + b"x" * 300_000 + b'", "id": 1, "text": "a"}\n{"meta": "", "id": 2, "text": "b"}\n'
    stream = Stream(io.BytesIO(long_line))
    told = detect_format.detect(stream, "in", IntakeOptions(template_text="x"))
    assert (told.kind, told.layout) == ("rows", "lines")
    request = b'{"params": {"messages": "' + b"x" * 300_000 + b'"}, "custom_id": "a"}\n'
    assert detect_format.detect(Stream(io.BytesIO(request)), "in", IntakeOptions()).kind == "native"
    body = b'{"note": "' + b"x" * 300_000 + b'", "requests": [{}]}'
    assert detect_format.detect(Stream(io.BytesIO(body)), "in", IntakeOptions()).layout == "array"


# --- encodings ---------------------------------------------------------------------------------------------------------

SAMPLES = {
    "french": ("Le café est très bon, l'hôtel était fermé à Noël.\nÇa m'a plu.", ["cp1252", "mac_roman"]),
    "short": ("café\ndéjà vu", ["cp1252", "mac_roman"]),
    "german": ("Die Lieferung war pünktlich.\nSchöne Grüße aus München", ["cp1252", "mac_roman", "cp850"]),
    "english": ("It’s a “great” product – I’d buy it again.", ["cp1252", "mac_roman"]),
    "price": ("10 €\nonly £5 – fine", ["cp1252"]),
    "russian": ("Очень хороший товар.\nДоставка быстрая", ["cp1251", "koi8_r", "cp866", "iso8859_5"]),
    "words": ("отзыв\nхорошо\nплохо", ["cp1251"]),
    "greek": ("Πολύ καλό προϊόν, το συνιστώ.\nΗ παράδοση ήταν γρήγορη.", ["iso8859_7", "cp1253"]),
    "japanese": ("とても良い商品です。\n配送も早かったです。", ["shift_jis", "euc_jp"]),
    "cities": ("東京都\n大阪府", ["shift_jis", "euc_jp"]),
    "chinese": ("这个产品非常好，推荐购买。\n很好", ["gbk", "gb18030"]),
    "taiwan": ("這個產品非常好，推薦購買。\n物流也很快", ["big5"]),
    "korean": ("정말 좋은 제품입니다.\n배송도 빨랐어요.", ["euc_kr"]),
    "polish": ("Zażółć gęślą jaźń\nŁadny wygląd, świetna jakość.", ["cp1250", "iso8859_2"]),
    "turkish": ("Çok güzel ürün, şiddetle öneririm. Işık iyi.", ["cp1254"]),
    "arabic": ("منتج جيد جدا، أنصح به.", ["cp1256"]),
}


def test_encodings_people_have_are_read_or_refused_by_name_and_never_taken_for_others() -> None:
    refused = []
    for language, (text, encodings) in SAMPLES.items():
        lines = text.split("\n")
        data = "id;text\n" + "".join(f"{n};{line}\n" for n, line in enumerate(lines))
        for encoding in [*encodings, "utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"]:
            read = Read(data.encode(encoding))
            if read.refused:
                refused.append(f"{language} {encoding}")
                assert "--encoding" in read.refused[0][0]
                continue
            assert [row["text"] for row in read.rows] == lines, (language, encoding, read.rows)
            guessed = encoding in encodings
            assert any("(detected)" in said for said, _ in read.said) == guessed, (language, encoding, read.said)
            assert texts(data.encode(encoding), encoding=encoding) == lines
    assert len(refused) <= 2, refused


def test_letters_beyond_ascii_that_come_late_are_judged_then() -> None:
    plain = "".join(f"{n},row {n}\n" for n in range(12_000))
    for encoding in ("cp1252", "shift_jis", "cp1251"):
        text = {"cp1252": "très déçu", "shift_jis": "とても良い商品です", "cp1251": "хороший товар"}[encoding]
        read = Read(f"id,text\n{plain}x,{text}\ny,{text}\n".encode(encoding))
        assert read.refused == [] and read.rows[-1]["text"] == text
        assert [line for said, line in read.said if "detected" in said] == [12_002]


def test_a_damaged_line_of_utf_8_is_named_and_nothing_is_guessed() -> None:
    data = "id,text\n1,é è à\n2,ü ö ä\n".encode() + b"3,caf\xe9\n" + "4,ñ\n".encode()
    read = Read(data)
    assert [row["text"] for row in read.rows] == ["é è à", "ü ö ä", "ñ"]
    assert read.refused[0][1] == 4 and "not valid UTF-8" in read.refused[0][0]


def test_bytes_that_fit_no_encoding_are_refused_with_advice() -> None:
    noise = bytes(range(0x80, 0x100))
    read = Read(b"id,text\n1," + noise + b"\n2,\x81\x8d\x8f\x90\n")
    assert read.rows == [] and "--encoding" in read.refused[0][0]


# --- as Python's csv module reads them ---------------------------------------------------------------------------------

CELL = st.text(
    st.sampled_from([*"ab é\"\\,;\t|\n\r#'", "\x0b", "\x85", "\u2028", "-", "1", "語"]), min_size=0, max_size=12
)
DIALECTS = st.fixed_dictionaries(
    {
        "delimiter": st.sampled_from([",", ";", "\t", "|"]),
        "quoting": st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
        "escape": st.booleans(),
        "lineterminator": st.sampled_from(["\n", "\r\n"]),
    }
)


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, dict[str, Any], list[list[str]]]:
    """A table as a program writes it, its dialect for Python's reader, and its rows."""
    dialect = draw(DIALECTS)
    width = draw(st.integers(2, 5))
    rows = draw(st.lists(st.lists(CELL, min_size=width, max_size=width), min_size=2, max_size=12))
    header = ["id", "text", "label", "note", "more"][:width]
    how = {
        "delimiter": dialect["delimiter"],
        "quotechar": '"',
        "doublequote": not dialect["escape"],
        "escapechar": "\\" if dialect["escape"] else None,
    }
    out = io.StringIO()
    writer = csv.writer(out, quoting=dialect["quoting"], lineterminator=dialect["lineterminator"], **how)
    writer.writerow(header)
    writer.writerows([[f"r{n}", *row[1:]] for n, row in enumerate(rows)])
    return out.getvalue(), how, [header]


def agrees(table: tuple[str, dict[str, Any], list[list[str]]], spaces: str = "") -> None:
    text, how, _ = table
    wanted = [row for row in csv.reader(io.StringIO(text, newline=""), **how, strict=True) if row]
    read = Read(text)
    if read.refused:
        assert all(line for _, line in read.refused), read.refused
        return
    assert list(read.rows[0]) == wanted[0]
    if how["escapechar"] and not re.search(r'(?<!\\)(?:\\\\)*\\"', text):
        # Nothing in the text says that backslashes stand before quotes: those before others are told by Python only.
        wanted = [[cell.replace("\\", "") for cell in row] for row in wanted]
        assert [[cell.replace("\\", "") for cell in row] for row in read.cells] == wanted[1:]
        return
    assert read.cells == wanted[1:]


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(tables())
def test_awkward_tables_are_read_as_python_reads_them_when_told_the_dialect(table: Any) -> None:
    agrees(table)


@pytest.mark.slow
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(tables())
def test_500_awkward_tables_are_read_as_python_reads_them(table: Any) -> None:
    agrees(table)
