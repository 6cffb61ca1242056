"""A table that can be read in two ways with different rows is not read in one of them without a word."""

from __future__ import annotations

from tests.intake.test_tables import Read


def test_quotes_that_backslashes_may_escape_are_said_where_both_readings_fit() -> None:
    read = Read('id\ttext\nr0\t\nr1\t"\\""\n\t1"\n')
    assert read.refused and all(line for _, line in read.refused)


def test_a_table_with_escaped_quotes_that_only_fits_so_is_read() -> None:
    read = Read('id\ttext\nr0\t"a \\"b\\" c"\nr1\t"d"\n')
    assert not read.refused and read.cells == [["r0", 'a "b" c'], ["r1", "d"]]
