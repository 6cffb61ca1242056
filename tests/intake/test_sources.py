"""Where requests come from, told apart by content."""

import gzip
import io
import json
from pathlib import Path

import pytest

from batchtui.intake.json_array import Elements
from batchtui.intake.options import IntakeOptions
from batchtui.intake.plan import make_plan
from tests.intake.helpers import PRICES, codes, group, params, plan_for, plan_of, request, staged, write_lines

TEMPLATE = 'model = "claude-opus-5"\nmax_tokens = 5\nprompt = "{{ text }}"\n'


def test_windows_line_ends_blank_lines_and_a_byte_order_mark_do_no_harm(tmp_path: Path) -> None:
    lines = [json.dumps(request(name)).encode() for name in "ab"]
    (tmp_path / "in.jsonl").write_bytes(b"\xef\xbb\xbf" + lines[0] + b"\r\n\r\n  \n" + lines[1])
    plan = plan_of(tmp_path / "in.jsonl", staging=tmp_path / "s")
    assert plan.ok
    assert [each["custom_id"] for each in staged(plan)] == ["a", "b"]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("shape", ["array", "body", "body_with_more", "sequence"])
def test_json_of_any_layout_is_read(tmp_path: Path, shape: str, indent: int | None) -> None:
    requests = [request(f"a{n}", system='tricky ]}{[ "quoted" \\ text\n') for n in range(50)]
    value = {
        "array": requests,
        "body": {"requests": requests},
        "body_with_more": {"note": {"requests": 1}, "requests": requests, "x": [1]},
    }
    if shape == "sequence":
        text = "\n".join(json.dumps(each, indent=indent or 1) for each in requests)
    else:
        text = json.dumps(value[shape], indent=indent)
    (tmp_path / "in").write_text(text)
    plan = plan_of(tmp_path / "in", staging=tmp_path / "s")
    assert [each.first[0].message for each in plan.problems if each.level == "error"] == []
    assert staged(plan) == requests
    if shape == "body_with_more":
        assert "'note'" in group(plan, "body_fields").message


def test_items_of_a_json_array_have_a_place(tmp_path: Path) -> None:
    requests = [request("a"), request("b", max_tokens=0), request("a")]
    flat = tmp_path / "flat.json"
    flat.write_text(json.dumps(requests))
    assert group(plan_of(flat), "max_tokens_small").first[0].where == f"{flat}[2]"
    assert f"first at {flat}[1]" in group(plan_of(flat), "duplicate_id").first[0].message
    pretty = tmp_path / "pretty.json"
    pretty.write_text(json.dumps(requests, indent=1))
    where = group(plan_of(pretty), "max_tokens_small").first[0].where
    line = int(where.rsplit(":", 1)[1])
    assert pretty.read_text().splitlines()[line - 1 : line + 1] == [" {", '  "custom_id": "b",']


def test_elements_longer_than_a_piece_are_cut_out_whole(tmp_path: Path) -> None:
    large = [request("a", system="x" * 3_000_000 + '\\"}]'), request("b"), request("c", system="é" * 2_000_000)]
    (tmp_path / "in.json").write_text(json.dumps(large))
    assert staged(plan_of(tmp_path / "in.json", staging=tmp_path / "s")) == large


@pytest.mark.parametrize(
    "text", ['[{"a":1}', '[{"a":1}}', '[{"a":1} x {"b":2}]', "[[1]]", '{"requests": 5, "x": {}}', "[", "[1, 2]"]
)
def test_broken_json_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "in.json").write_text(text)
    assert not plan_of(tmp_path / "in.json").ok


def test_bare_params_get_ids(tmp_path: Path) -> None:
    plan = plan_for(tmp_path, params(), params(max_tokens=7), staging=tmp_path / "s", mark="m")
    assert plan.ok
    assert [each["custom_id"] for each in staged(plan)] == ["m-000001", "m-000002"]
    assert plan.format == "Messages params, one per line"


def test_several_sources_of_different_kinds_join_and_made_ids_stay_clear(tmp_path: Path) -> None:
    one = write_lines(tmp_path / "one.jsonl", request("m-000001"))
    two = write_lines(tmp_path / "two.jsonl", params())
    three = tmp_path / "three.json"
    three.write_text(json.dumps([request("z")]))
    plan = plan_of(one, two, three, staging=tmp_path / "s", mark="m")
    assert plan.ok
    assert [each["custom_id"] for each in staged(plan)] == ["m-000001", "m-000001-1", "z"]


def test_standard_input_is_a_source(tmp_path: Path) -> None:
    data = json.dumps(request("a")) + "\n" + json.dumps(request("b", max_tokens=0))
    plan = make_plan(["-"], IntakeOptions(), prices=PRICES, staging=None, stdin=io.BytesIO(data.encode()))
    assert group(plan, "max_tokens_small").first[0].where == "stdin:2"
    assert plan.source == "standard input"


def test_gzip_is_read_by_its_content_and_damage_is_named(tmp_path: Path) -> None:
    data = gzip.compress("".join(json.dumps(request(f"a{n}")) + "\n" for n in range(2000)).encode())
    whole, cut, damaged = tmp_path / "whole.jsonl", tmp_path / "cut.gz", tmp_path / "damaged.gz"
    whole.write_bytes(data)
    cut.write_bytes(data[: len(data) // 2])
    damaged.write_bytes(data[:200] + b"\x00\xff\x00" + data[203:])
    assert plan_of(whole).requests == 2000
    assert "cut off" in group(plan_of(cut), "gzip").message
    assert codes(plan_of(damaged))[0] in ("gzip", "json")


def test_sources_that_are_not_there_or_empty_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n \n")
    (tmp_path / "folder").mkdir()
    assert "no such file" in group(plan_of(tmp_path / "none"), "source").message
    assert codes(plan_of(tmp_path / "empty")) == ["empty", "source_empty"]
    assert "holds no files" in group(plan_of(tmp_path / "folder"), "source").message
    assert codes(plan_of("bad\x00name")) == ["source"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"PK\x03\x04aaaa", "save the sheet as CSV"),
        (b"%PDF-1.7", "a PDF"),
        (b"\x00\x01\x02", "binary data"),
        ('{"a": 1}'.encode("utf-16"), "their columns: 'a'"),
        (b"just words", "no requests and no table"),
        (b"a,b\n1,2\n3,4\n", "'a', 'b'"),
        (b'{"question": "x", "answer": "y"}\n', "'question', 'answer'"),
    ],
)
def test_what_can_not_become_requests_says_what_it_is(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "in").write_bytes(data)
    plan = plan_of(tmp_path / "in")
    assert not plan.ok
    assert words in plan.problems[0].first[0].message


def test_a_wrong_format_name_lists_the_right_ones(tmp_path: Path) -> None:
    assert "native" in group(plan_for(tmp_path, request(), format="xml"), "format").message


def rows(tmp_path: Path, data: bytes, name: str = "in.csv", template: str = TEMPLATE, **options: object) -> list[str]:
    (tmp_path / name).write_bytes(data)
    plan = plan_of(tmp_path / name, template_text=template, staging=tmp_path / "s", **options)
    assert plan.ok, [each.first[0].message for each in plan.problems]
    return [each["params"]["messages"][0]["content"] for each in staged(plan)]


def test_csv_of_any_dialect_is_read(tmp_path: Path) -> None:
    expected = ["one, with\nnewline", 'say "hi"', "three"]
    for delimiter, name in ((",", "a.csv"), (";", "b.csv"), ("\t", "c.tsv"), ("|", "d.txt.csv")):
        lines = [
            f"id{delimiter}text",
            f'1{delimiter}"one, with\nnewline"',
            f'2{delimiter}"say ""hi"""',
            "",
            f"3{delimiter}three",
        ]
        assert rows(tmp_path, "\r\n".join(lines).encode(), name) == expected
        assert rows(tmp_path, b"\xef\xbb\xbf" + "\n".join(lines).encode(), name) == expected
        assert rows(tmp_path, "\n".join(lines).encode("utf-16"), name) == expected


def test_the_line_of_a_row_is_where_it_begins(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text('id,text\n1,"two\nlines"\n2,x,too many\n3\n')
    plan = plan_of(tmp_path / "in.csv", template_text=TEMPLATE)
    wheres = {each.level: each.first[0].where for each in plan.problems if each.code == "csv_cells"}
    assert wheres == {"error": f"{tmp_path}/in.csv:4", "warning": f"{tmp_path}/in.csv:5"}


def test_latin_1_is_read_and_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes("id,text\n1,plain\n2,café €\n".encode("cp1252"))
    plan = plan_of(tmp_path / "in.csv", template_text=TEMPLATE, staging=tmp_path / "s")
    assert group(plan, "encoding").first[0].where.endswith(":3")
    assert staged(plan)[1]["params"]["messages"][0]["content"] == "café €"


def test_an_open_quote_is_named_with_the_line_of_its_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchtui.intake.tables.MAX_CELL", 10_000)
    (tmp_path / "in.csv").write_text('id,text\n1,x\n2,"never closed\n' + "3,more\n" * 5000)
    plan = plan_of(tmp_path / "in.csv", template_text=TEMPLATE)
    assert group(plan, "csv").first[0].where == f"{tmp_path / 'in.csv'}:3"


def test_columns_without_a_name_or_with_the_same_one_get_one(tmp_path: Path) -> None:
    template = TEMPLATE.replace("{{ text }}", "{{ column_2 }} {{ text_2 }} {{ First_Name }} {{ row['First Name'] }}")
    assert rows(tmp_path, b"text,,text,First Name\na,b,c,d\ne,f,g,h\n", template=template) == ["b c d d", "f g h h"]


def test_rows_of_json_lines_keep_their_types(tmp_path: Path) -> None:
    data = b'{"id": 7, "tags": ["a", "b"], "who": {"name": "Zo\xc3\xab"}}\n'
    template = TEMPLATE.replace("{{ text }}", "{{ who.name }} {{ tags|join('+') }} {{ id + 1 }} {{ tags|tojson }}")
    assert rows(tmp_path, data, "in.jsonl", template) == ['Zoë a+b 8 ["a", "b"]']


def test_parquet_is_read_when_pyarrow_is_there(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    from datetime import date

    table = pyarrow.table(
        {"text": ["a", "é", "c"], "day": [date(2026, 1, 2)] * 3, "none": [None] * 3, "raw": [b"x"] * 3}
    )
    parquet.write_table(table, tmp_path / "in.parquet")
    template = TEMPLATE.replace("{{ text }}", "{{ text }} {{ day }} {{ none }} {{ raw }}")
    data = (tmp_path / "in.parquet").read_bytes()
    expected = ["a 2026-01-02  x", "é 2026-01-02  x", "c 2026-01-02  x"]
    assert rows(tmp_path, data, "in.bin", template) == expected
    assert rows(tmp_path, gzip.compress(data), "in.gz", template) == expected
    (tmp_path / "cut.parquet").write_bytes(data[: len(data) // 2])
    assert codes(plan_of(tmp_path / "cut.parquet", template_text=TEMPLATE)) == ["parquet"]


def test_a_folder_of_texts_is_one_row_each(tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text("Hello, world\nand, more\n")
    (folder / "sub" / "b.md").write_bytes("café".encode("latin-1"))
    (folder / ".hidden").write_text("no")
    (folder / "c.png").write_bytes(b"\x89PNG\x00\x00")
    template = folder / "template.toml"
    template.write_text(
        'model = "claude-opus-5"\nmax_tokens = 5\ncustom_id = "{{ name }}"\nprompt = "{{ path }}: {{ text }}"\n'
    )
    plan = plan_of(folder, template=template, staging=tmp_path / "s")
    assert plan.ok
    made = {each["custom_id"]: each["params"]["messages"][0]["content"] for each in staged(plan)}
    assert made == {"a": "a.txt: Hello, world\nand, more\n", "b": "sub/b.md: café"}
    assert group(plan, "left_out").first[0].where.endswith("c.png")


def test_texts_beside_tables_in_a_folder_are_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    (folder / "README.md").write_text("How it was made.")
    (folder / "rows.csv").write_text("id,text\n1,a\n2,b\n")
    (folder / "more.jsonl").write_text('{"id": 3, "text": "c"}\n')
    plan = plan_of(folder, template_text=TEMPLATE)
    assert (plan.ok, plan.requests) == (True, 3)
    assert group(plan, "left_out").first[0].where.endswith("README.md")


def test_a_folder_of_requests_joins_and_other_files_are_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    write_lines(folder / "b.jsonl", request("b"))
    write_lines(folder / "a.jsonl", request("a"))
    (folder / "notes.txt").write_text("words")
    plan = plan_of(folder, staging=tmp_path / "s")
    assert plan.ok
    assert [each["custom_id"] for each in staged(plan)] == ["a", "b"]


@pytest.mark.parametrize("more", ["[{}]", "garbage", " , ", '{"a": 1}', "]"])
def test_what_follows_an_array_is_never_dropped_silently(tmp_path: Path, more: str) -> None:
    path = tmp_path / "two.json"
    path.write_text(json.dumps([request("a"), request("b")], indent=1) + "\n" + more + "\n")
    plan = plan_of(path)
    found = group(plan, "json").first[0]
    assert "after the end" in found.message and found.where == f"{path}:{path.read_text().count(chr(10))}"
    body = tmp_path / "body.json"
    body.write_text(json.dumps({"requests": [request("a")], "x": {"y": ["]"]}}) + more)
    assert not plan_of(body).ok


def test_an_array_names_all_that_is_no_request_and_goes_on(tmp_path: Path) -> None:
    parts = [request("a"), 5, "a, ] text", None, [1], request("b", max_tokens="x"), request("c")]
    path = tmp_path / "in.json"
    path.write_text(json.dumps(parts, indent=1))
    plan = plan_of(path)
    text = path.read_text().splitlines()
    places = [p.where.rsplit(":", 1)[1] for each in plan.problems for p in each.first]
    assert plan.requests == 2 and len(places) == 5
    assert [text[int(place) - 1].strip() for place in sorted(places, key=int)] == [
        "5,",
        '"a, ] text",',
        "null,",
        "[",
        "{",
    ]
    skipped = plan_of(path, staging=tmp_path / "s", skip_bad=True)
    assert skipped.ok and skipped.requests == 2 and skipped.skipped == 5


@pytest.mark.parametrize(
    ("text", "line"),
    [('[\n{"a":1},\n]', 3), ('[\n{"a":1}\n{"b":2}]', 3), ('[\n,{"a":1}]', 2), ('[\n{"a":1},\n{"b"', 3)],
)
def test_broken_arrays_are_named_with_their_line(tmp_path: Path, text: str, line: int) -> None:
    path = tmp_path / "in.json"
    path.write_text(text.replace('{"a":1}', json.dumps(request("a"))).replace('{"b":2}', json.dumps(request("b"))))
    assert group(plan_of(path), "json").first[0].where == f"{path}:{line}"


def test_a_quote_that_is_never_closed_is_named_where_it_opens(tmp_path: Path) -> None:
    (tmp_path / "t.toml").write_text(TEMPLATE)
    path = tmp_path / "in.csv"
    rows = [f"{n},row {n}" for n in range(1000)]
    rows[499] = '499,"broken'
    path.write_text("id,text\n" + "\n".join(rows) + "\n")
    plan = plan_of(path, template=tmp_path / "t.toml")
    assert not plan.ok and group(plan, "csv").first[0].where == f"{path}:501"
    path.write_text('id,text\n1,"closed at the very end"')
    assert plan_of(path, template=tmp_path / "t.toml").ok


def test_a_row_with_too_many_cells_is_left_out_and_kept(tmp_path: Path) -> None:
    (tmp_path / "t.toml").write_text(TEMPLATE)
    path = tmp_path / "in.csv"
    path.write_text('id,text\n1,a,"b ""c""",d\n2,x\n')
    assert plan_of(path, template=tmp_path / "t.toml").requests == 1
    plan = plan_of(
        path, template=tmp_path / "t.toml", staging=tmp_path / "s", skip_bad=True, skipped_path=tmp_path / "bad"
    )
    assert (plan.ok, plan.requests, plan.skipped) == (True, 1, 1)
    assert plan.skipped_path is not None and plan.skipped_path.read_text() == '1,a,"b ""c""",d\n'


def test_a_model_without_a_name_is_an_error(tmp_path: Path) -> None:
    for name in ("", "  "):
        plan = plan_for(tmp_path, *(request(f"r{n}", model=name) for n in range(3)))
        assert plan.errors == 3


def test_requests_that_the_service_takes_are_not_stopped(tmp_path: Path) -> None:
    toolset = {"type": "mcp_toolset", "mcp_server_name": "m"}
    server = {"type": "url", "name": "m", "url": "https://mcp.example.org"}
    plan = plan_for(
        tmp_path,
        request(
            "a",
            max_tokens=4000,
            thinking={"type": "enabled", "budget_tokens": 9000},
            betas=["interleaved-thinking-2025-05-14"],
        ),
        request("b", tools=[toolset], tool_choice={"type": "tool", "name": "m_search"}, mcp_servers=[server]),
        request("c", messages=[{"role": "user", "content": [{"type": "mcp_tool_listing", "tools": []}]}]),
        {"custom_id": "d", "params": {**params(), "temperature": None}},
    )
    assert [each.message for each in plan.problems if each.level == "error"] == []
    assert plan_for(tmp_path, request("a", max_tokens=4000, thinking={"type": "enabled", "budget_tokens": 9000})).errors


def test_a_second_list_of_requests_in_one_body_is_an_error_and_keys_behind_it_are_named(tmp_path: Path) -> None:
    path = tmp_path / "body.json"
    whole = json.dumps([request("a")])
    path.write_text('{"requests": ' + whole + ',\n "betas": ["x"],\n "requests" : ' + whole + "}")
    found = group(plan_of(path), "json").first[0]
    assert found.where.endswith(":3") and "a second 'requests'" in found.message
    path.write_text(
        '{"requests": ' + whole + ', "note": "requests", "z": {"requests": []}, "betas": ["x"]' + " " * 70_000 + "}"
    )
    plan = plan_of(path)
    assert plan.requests == 1 and plan.ok
    assert group(plan, "body_fields").message == "only the requests are used, not 'note', 'z', 'betas' beside them"


@pytest.mark.parametrize("piece", range(1, 40))
def test_a_key_behind_the_list_is_seen_wherever_the_pieces_end(piece: int) -> None:
    rest = b'{"a":1}], "one":2, "two"  :  [3], "three": "four"}'

    class Pieces:
        def __init__(self) -> None:
            self.left = rest

        def read(self, size: int, /) -> bytes:
            now, self.left = self.left[:piece], self.left[piece:]
            return now

    elements = Elements(Pieces(), 1_000, nested=True, outer=1)
    assert [each for each, _ in elements if each] == [b'{"a":1}']
    assert elements.others == ["one", "two", "three"]


def test_empty_files_of_a_folder_are_named(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_lines(tmp_path / "in" / "a.jsonl", request("a"))
    (tmp_path / "in" / "b.jsonl").write_text("  \n")
    plan = plan_of(tmp_path / "in")
    assert plan.requests == 1 and plan.ok
    assert group(plan, "source_empty").first[0].where.endswith("b.jsonl")


def test_a_file_that_begins_with_a_desert_is_no_empty_one(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b" " * 70_000 + json.dumps(request("a")).encode())
    assert "white space" in group(plan_of(tmp_path / "a.jsonl"), "blank").message
