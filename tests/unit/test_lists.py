import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.lists import csv_bytes


@given(st.lists(st.lists(st.text("ab,\"'\n =+-@é", max_size=6), min_size=2, max_size=2)))
def test_a_table_reads_back_but_for_what_makes_formulas_harmless(rows: list[list[str]]) -> None:
    read = list(csv.reader(io.StringIO(csv_bytes(("a", "b"), rows).decode(), newline="")))
    assert read[0] == ["a", "b"]
    for written, found in zip(rows, read[1:], strict=True):
        for cell, seen in zip(written, found, strict=True):
            assert seen in (cell, f"'{cell}")
            assert not seen.startswith(("=", "+", "-", "@"))


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@sum", "\tx", "\rx"])
def test_a_formula_becomes_text(cell: str) -> None:
    assert f"'{cell[0]}" in csv_bytes(("a",), [(cell,)]).decode()


def test_numbers_stay_numbers() -> None:
    assert csv_bytes(("a", "b"), [(-1, 0.5)]) == b"a,b\r\n-1,0.5\r\n"


def test_bytes_that_are_no_text_come_out_as_they_are() -> None:
    assert b"caf\xe9.jpg" in csv_bytes(("path",), [("caf\udce9.jpg",)])
