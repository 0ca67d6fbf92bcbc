"""Builds and updates that die by SIGKILL: the gallery opens consistent, finished work is kept."""

import hashlib
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer.build import BuildRequest
from indexer.catalogue import Catalogue
from indexer.gallery import Gallery
from training.errors import GalleryError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")

PHOTOS = 70  # two batches and a bit

# Half of the kills at an operation on files, half at any time at all.
KILLS = 5
SOAK_KILLS = 150

Embeddings = dict[str, np.ndarray]  # by content hash


def everything_found(gallery: Gallery) -> Embeddings:
    """What a search that wants all finds, and that each hit can be looked up."""
    query = np.zeros(gallery.encoder.dim, np.float32)
    query[0] = 1
    hits = gallery.search(query, k=10_000)
    return {gallery.photo(h.id).content_hash: gallery.embedding(h.id) for h in hits}


def contents(photos: Path) -> set[str]:
    return {hashlib.sha256(path.read_bytes()).hexdigest() for path in photos.rglob("*.png")}


def opened(folder: Path) -> Gallery | None:
    """The gallery; None while its first build has not finished. Any other error fails the test."""
    if not (folder / "catalogue.sqlite").exists():
        return None
    try:
        return Gallery.open(folder, device="cpu")
    except GalleryError as error:
        if "not finished" in error.message or "not complete" in error.message:
            return None
        raise


def embedded(folder: Path) -> int:
    """How many contents the next build need not embed again."""
    if not (folder / "catalogue.sqlite").exists():
        return 0
    try:
        catalogue = Catalogue.open(folder / "catalogue.sqlite")
    except GalleryError:
        return 0
    return len(catalogue.embedded_hashes(staged=catalogue.state().published is None))


def left_over(folder: Path) -> set[str]:
    """Files in a gallery that are no part of a finished one."""
    caches = {"neighbours.npz", "verified.json"}
    parts = {".lookalike", ".lock", "encoder.onnx", "catalogue.sqlite", *caches}
    names = {entry.name for entry in folder.iterdir()}
    return {name for name in names - parts if not name.startswith("vectors")}


class Murders:
    """Kills builds at random moments, each going on from what the one before left.

    After every kill the gallery must open consistent; a build that gets through must have
    embedded only what was missing, and the next one begins from the first state again.
    """

    def __init__(self, nursery: Any, request: BuildRequest, reference: Embeddings) -> None:
        self.nursery = nursery
        self.request = request
        self.reference = reference
        self.wanted = contents(request.photos)
        self.start = request.gallery.with_name("start")
        if request.gallery.exists():
            shutil.copytree(request.gallery, self.start)

    def commit(self, kills: int, *, seed: int) -> None:
        measured = self.nursery.build(self.request)
        assert self.finished(measured)
        draw = np.random.default_rng(seed)
        killed = 0
        while killed < kills:
            before = embedded(self.request.gallery)
            if killed % 2:
                kill = {"kill_at": int(draw.integers(1, measured.events + 1))}
            else:
                kill = {"kill_after": draw.uniform(0, measured.seconds)}
            ended = self.nursery.build(self.request, **kill)
            killed += ended.killed
            self.check(before)
            if not ended.killed:
                assert ended.embedded == len(self.reference) - before, "nothing is embedded twice"
                assert self.finished(ended)
        last = embedded(self.request.gallery)
        ended = self.nursery.build(self.request)
        assert ended.embedded == len(self.reference) - last
        assert self.finished(ended)

    def check(self, embedded_before: int) -> None:
        folder = self.request.gallery
        assert embedded(folder) >= embedded_before, "finished work is kept"
        gallery = opened(folder)
        if gallery is None:
            assert not self.start.exists(), "a gallery that was there can always be opened"
            return
        found = everything_found(gallery)
        assert len(found) == len(gallery)
        for content, row in found.items():
            np.testing.assert_allclose(row, self.reference[content], atol=1e-5)

    def finished(self, ended: Any) -> bool:
        """Check a complete gallery, then go back to the first state."""
        folder = self.request.gallery
        assert not ended.killed
        gallery = opened(folder)
        assert gallery is not None
        assert set(everything_found(gallery)) == self.wanted
        assert not left_over(folder)
        shutil.rmtree(folder)
        if self.start.exists():
            shutil.copytree(self.start, folder)
        return True


def fill(studio: Any) -> None:
    for number in range(PHOTOS):
        studio.paint(f"{number % 7}/many-{number:03d}.png", (number * 3, number * 41 % 256, 90))


def kill_builds(studio: Any, nursery: Any, kills: int, seed: int) -> None:
    fill(studio)
    studio.build()
    reference = everything_found(studio.gallery())
    shutil.rmtree(studio.folder)

    Murders(nursery, studio.request, reference).commit(kills, seed=seed)


def kill_updates(studio: Any, nursery: Any, kills: int, seed: int) -> None:
    """An update that meets new, changed, moved and vanished photos."""
    fill(studio)
    studio.build()
    reference = everything_found(studio.gallery())
    for number in range(PHOTOS):
        path = studio.photos / f"{number % 7}/many-{number:03d}.png"
        if number % 7 == 1:
            path.unlink()
        elif number % 7 == 2:
            path.rename(path.with_name(f"moved-{number}.png"))
        elif number % 7 == 3:
            studio.paint(f"3/{path.name}", (number, 7, 200))
        studio.paint(f"new/{number}.png", (number, 200, number))
    for path in contents_after(studio, nursery):
        reference.setdefault(*path)

    Murders(nursery, studio.request, reference).commit(kills, seed=seed)


def contents_after(studio: Any, nursery: Any) -> list[tuple[str, np.ndarray]]:
    """What an update that nobody disturbs makes of a copy of the gallery."""
    copy = studio.folder.with_name("undisturbed")
    shutil.copytree(studio.folder, copy)
    nursery.build(replace(studio.request, gallery=copy))
    found = everything_found(Gallery.open(copy, device="cpu"))
    shutil.rmtree(copy)
    return list(found.items())


def test_builds_that_are_killed_lose_nothing(studio: Any, nursery: Any) -> None:
    kill_builds(studio, nursery, KILLS, seed=1)


def test_updates_that_are_killed_lose_nothing(studio: Any, nursery: Any) -> None:
    kill_updates(studio, nursery, KILLS, seed=2)


@pytest.mark.soak
@pytest.mark.parametrize("seed", [11, 12])
@pytest.mark.parametrize("kill", [kill_builds, kill_updates])
def test_hundreds_of_kills_lose_nothing(
    kill: Callable[[Any, Any, int, int], None], seed: int, studio: Any, nursery: Any
) -> None:
    kill(studio, nursery, SOAK_KILLS, seed)
