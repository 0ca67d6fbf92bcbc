"""Cells of CSV files: no spreadsheet runs them, and reading gives back what was written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.cells import plain_text, read_table, safe_cell, table

TEXTS = st.text(st.characters(exclude_categories=("Cs",))) | st.binary().map(
    lambda raw: raw.decode("utf-8", "surrogateescape")
)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "'=1"])
def test_what_a_spreadsheet_would_run_begins_with_an_apostrophe(text: str) -> None:
    assert safe_cell(text) == "'" + text


@pytest.mark.parametrize("text", ["", "a.jpg", "sub/=1.jpg", "größe.jpg", " =1"])
def test_other_text_is_written_as_it_is(text: str) -> None:
    assert safe_cell(text) == text


@pytest.mark.parametrize("text", ["'tis.jpg", "'", "''", "a"])
def test_an_apostrophe_that_nobody_added_stays(text: str) -> None:
    assert plain_text(safe_cell(text)) == text


def test_a_file_that_somebody_else_wrote_keeps_its_apostrophes() -> None:
    assert plain_text("'tis.jpg") == "'tis.jpg"


@given(TEXTS)
def test_reading_a_cell_gives_back_what_was_written(text: str) -> None:
    assert plain_text(safe_cell(text)) == text


@given(st.lists(st.lists(TEXTS, min_size=2, max_size=3), min_size=1, max_size=4))
def test_reading_a_table_gives_back_what_was_written(rows: list[list[str]]) -> None:
    found = [[plain_text(cell) for cell in row] for _, row in read_table(table(rows))]
    assert found == rows


def test_bytes_that_are_no_text_are_written_as_they_are() -> None:
    assert table([["a\udcff.jpg", "hat"]]) == b"a\xff.jpg,hat\n"


def test_lines_are_numbered_as_an_editor_numbers_them() -> None:
    assert read_table(b'a,b\n"two\nlines",c\nd,e\n') == [
        (1, ["a", "b"]),
        (3, ["two\nlines", "c"]),
        (4, ["d", "e"]),
    ]


def test_a_byte_order_mark_is_no_part_of_the_first_cell() -> None:
    assert read_table(b"\xef\xbb\xbfpath,label\n")[0][1] == ["path", "label"]
