"""Small tables as people have them, written with each delimiter, other delimiters in their cells."""

from __future__ import annotations

import pytest

from batchtui.intake.dialect import table_of
from batchtui.intake.options import TableOptions

DELIMITERS = [",", "\t", ";", "|", "^", "~", "\x01", "\x1f", "¦"]
TABLES = {
    "reviews": [["id", "text", "stars"], ["1", "late, again", "2"], ["2", "fine; thanks", "5"], ["3", "so-so", "3"]],
    "two columns": [["id", "text"], ["1", "hello there"], ["2", "good"], ["3", "bad"]],
    "stray tabs": [["id", "text"], ["1", "a\tb"], ["2", "c"], ["3", "d\te"]],
    "a tab in each row": [["id", "review text"], ["1", "a\tb"], ["2", "c\td"], ["3", "d\te"]],
    "tabs at the ends": [["id", "text", "n\t"], ["1", "a", "x\t"], ["2", "c", "y\t"]],
    "a comma in each row": [["id", "review text"], ["1", "a, b"], ["2", "c, d"], ["3", "e, f"]],
    "names": [["name", "the text"], ["Doe, J", "a"], ["Roe, K", "b"]],
    "pipes": [["id", "some text"], ["1", "a|b"], ["2", "c|d"]],
    "one row": [["id", "text"], ["1", "a\tb; c"]],
}
NOT_RARE = {
    # Tables in which a rare delimiter is a part of what the cells say.
    ",": [
        *("term,value\nx^2,4\ny^3,8\n", "x^2,y^2\n1,2\n3,4\n", "id,text\n1,~5 days\n2,~9 days\n"),
        "a~b,c~d,e\n1~2,3~4,5\n6~7,8~9,0\n",
    ],
    "\t": ["lat~lon\tname\n1.2~3.4\tx\n5.6~7.8\ty\n", "id\tpath\n1\t~/a\n2\t~/b\n"],
    ";": ["Report\n\nid;text\n1;a^b\n2;c^d\n"],
}


@pytest.mark.parametrize("delimiter", DELIMITERS)
def test_a_small_table_is_told_by_its_own_delimiter(delimiter: str) -> None:
    for name, rows in TABLES.items():
        # The comma and the tab write cells that hold them in quotes.
        cells = [[f'"{cell}"' if delimiter in cell else cell for cell in row] for row in rows]
        found = table_of("".join(delimiter.join(row) + "\n" for row in cells), TableOptions(), whole=True)
        assert (found.sure, found.dialect.delimiter, found.dialect.skip) == (True, delimiter, 0), name


def test_a_rare_delimiter_in_the_cells_of_a_usual_table_is_a_letter() -> None:
    for delimiter, texts in NOT_RARE.items():
        for text in texts:
            found = table_of(text, TableOptions(), whole=True)
            assert (found.sure, found.dialect.delimiter) == (True, delimiter), text
