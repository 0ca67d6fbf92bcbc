"""Text in the cells of a CSV file: bytes that are not UTF-8 stay as they are, formulas do not run.

A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula, and a file name may
be made to be one (OWASP, "CSV Injection"). Such a cell gets an apostrophe in front; so does one
that has an apostrophe there already, so that reading gives back exactly what was written.
"""

import csv
import io
from collections.abc import Iterable

_APOSTROPHE = "'"
_RISKY = ("=", "+", "-", "@", "\t", "\r", "\n", _APOSTROPHE)


def safe_cell(text: str) -> str:
    """Text as a cell that no spreadsheet runs."""
    return _APOSTROPHE + text if text.startswith(_RISKY) else text


def plain_text(cell: str) -> str:
    """What `safe_cell` was given; any other text stays as it is."""
    risky = cell.startswith(_APOSTROPHE) and cell[1:].startswith(_RISKY)
    return cell[1:] if risky else cell


def table(rows: Iterable[Iterable[str]]) -> bytes:
    """Rows as a CSV file: UTF-8, but for undecodable bytes, which come out as they went in.

    Args:
        rows: texts, with such bytes as `os.fsdecode` gives them.
    """
    lines = [",".join(_quoted(safe_cell(cell)) for cell in row) + "\n" for row in rows]
    return "".join(lines).encode("utf-8", "surrogateescape")


def read_table(data: bytes) -> list[tuple[int, list[str]]]:
    """The rows of a CSV file with the line that each ends on; cells as they stand in the file.

    Raises:
        csv.Error: it is none.
    """
    text = data.decode("utf-8-sig", "surrogateescape")
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    return [(lines.line_num, row) for row in lines]


def _quoted(cell: str) -> str:
    r"""A cell in quotation marks where it needs them; Python's writer forgets a lone `\r`."""
    needed = any(mark in cell for mark in ',"\r\n')
    return '"' + cell.replace('"', '""') + '"' if needed else cell
