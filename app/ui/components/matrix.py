"""The confusion matrix as a table whose cells are buttons."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from app.ui.components.beside import beside

_HTML = """
<div class="scroll"><table>
  <caption>Rows: as labelled. Columns: as the model answered photos that it had not seen.</caption>
  <thead></thead><tbody></tbody>
</table></div>
"""


def confusion_matrix(
    classes: Sequence[str], counts: np.ndarray, *, key: str
) -> tuple[int, int] | None:
    """Draw the matrix; the cell that is open, as row and column.

    Args:
        classes: their names.
        counts: `(c, c)` int, labelled as the row, answered as the column.
        key: the widget's key on the page.
    """
    drawn = _matrix(
        key=key,
        data={"classes": list(classes), "counts": counts.tolist()},
        on_cell_change=_nothing,
    )
    cell = drawn.cell
    if not isinstance(cell, dict) or cell.get("classes") != list(classes):
        return None
    return int(cell["row"]), int(cell["column"])


def _nothing() -> None:
    """The run that follows reads the value itself."""


_matrix = st.components.v2.component(
    "lookalike_matrix", html=_HTML, css=beside("matrix.css"), js=beside("matrix.js")
)
