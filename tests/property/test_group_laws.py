"""Near groups are the connected components of the scores, as a plain search finds them."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from indexer.duplicates import near_groups

MARGIN = 1e-4  # the threshold keeps this far from every score, so that rounding decides nothing


def components(rows: np.ndarray, threshold: float) -> list[int]:
    """Walk from each row to all that it is linked with."""
    scores = rows.astype(np.float64) @ rows.T
    found = [-1] * len(rows)
    for start in range(len(rows)):
        if found[start] < 0:
            number, stack = max(found, default=-1) + 1, [start]
            while stack:
                at = stack.pop()
                if found[at] < 0:
                    found[at] = number
                    stack += np.flatnonzero(scores[at] >= threshold).tolist()
    return found


@given(
    arrays(np.int8, st.tuples(st.integers(1, 30), st.just(3)), elements=st.integers(-3, 3)),
    st.sampled_from([0.5, 0.8, 0.95, 0.99]),
)
def test_groups_are_what_a_plain_walk_along_the_links_finds(
    whole: np.ndarray, threshold: float
) -> None:
    rows = whole.astype(np.float32)
    rows[~rows.any(axis=1)] = 1
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    scores = np.sort((rows.astype(np.float64) @ rows.T).ravel())
    while np.abs(scores - threshold).min() < MARGIN:
        threshold += 3 * MARGIN
    assert near_groups(rows, threshold=threshold).tolist() == components(rows, threshold)
