"""From files to embeddings on threads: in order, each content once, few at the network."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer.encoder import OnnxEncoder
from indexer.pipeline import Finished, embed_files, embedding_threads, split_for
from indexer.scan import Candidate
from training.inflight import InFlight
from training.photos import FoundFile, read_photo, walk

Embed = Callable[..., list[list[Finished]]]


class Watched(OnnxEncoder):
    """Counts how many are at the network at the same time."""

    most = 0
    _inside = 0
    _lock = threading.Lock()

    def embed(self, pixels: np.ndarray) -> np.ndarray:
        with self._lock:
            self._inside += 1
            self.most = max(self.most, self._inside)
        try:
            return super().embed(pixels)
        finally:
            with self._lock:
                self._inside -= 1


@pytest.fixture
def watched(toy_encoder: Path) -> Watched:
    return Watched.open(toy_encoder, device="cpu", threads=embedding_threads())


@pytest.fixture
def embed(studio: Any, watched: Watched, tmp_path: Path) -> Iterator[Embed]:
    """Embeds the studio's photos; gives the groups as they came."""

    def groups(known: set[bytes]) -> list[list[Finished]]:
        files = [item for item in walk(studio.photos) if isinstance(item, FoundFile)]
        candidates = [Candidate(file, None) for file in files]
        return list(embed_files(studio.photos, candidates, watched, known=known, in_flight=flight))

    with InFlight.opened(tmp_path / "in-flight") as flight:
        yield groups


def test_every_file_comes_out_in_order_with_its_embedding(
    studio: Any, embed: Embed, watched: Watched
) -> None:
    studio.paint_many(70)
    (studio.photos / "many-020.png").write_bytes(b"no photo")

    groups = embed(set())

    finished = [one for group in groups for one in group]
    files = [item for item in walk(studio.photos) if isinstance(item, FoundFile)]
    assert len(groups) > 1
    assert [one.candidate.file for one in finished] == files
    for one in finished:
        assert (one.skip is None) == (one.candidate.file.path != b"many-020.png")
        if one.skip is None:
            photo = read_photo(studio.photos / one.candidate.file.path.decode())
            np.testing.assert_allclose(one.vector, watched.embed_image(photo.image), atol=1e-5)


def test_copies_in_groups_side_by_side_have_one_embedding(studio: Any, embed: Embed) -> None:
    data = (studio.photos / "a.png").read_bytes()
    for number in range(60):
        (studio.photos / f"copy-{number}.png").write_bytes(data)
    known: set[bytes] = set()

    finished = [one for group in embed(known) for one in group]

    assert sum(one.vector is not None for one in finished) == 4
    assert next(one for one in finished if one.vector is not None).candidate.file.path == b"a.png"
    assert known == {one.hash for one in finished}


def test_what_has_an_embedding_is_not_decoded(studio: Any, embed: Embed) -> None:
    known: set[bytes] = set()
    embed(known)
    again = [one for group in embed(known) for one in group]
    assert [(one.content, one.vector) for one in again] == [(None, None)] * 4
    assert {one.hash for one in again} == known


def test_no_more_threads_are_at_the_network_than_may_be(
    studio: Any, embed: Embed, watched: Watched
) -> None:
    studio.paint_many(120)
    embed(set())
    assert 1 <= watched.most <= split_for(watched).at_once
