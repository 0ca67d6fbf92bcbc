"""How much FAISS may take as it reads: one setting for all of a process, so one reads at a time."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import faiss

_one_at_a_time = threading.Lock()


@contextmanager
def reading(size: int) -> Iterator[None]:
    """A block in which FAISS reads an index of `size` bytes.

    A header that claims more than that is refused before memory is taken. Afterwards the limit is
    what it was: the next index may be larger.
    """
    with _one_at_a_time:
        before = faiss.get_deserialization_vector_byte_limit()
        # It compares with a quarter of the limit.
        faiss.set_deserialization_vector_byte_limit(4 * (size + 1))
        try:
            yield
        finally:
            faiss.set_deserialization_vector_byte_limit(before)
