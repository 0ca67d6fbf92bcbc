"""Builds that are stopped or crash: what is finished stays, and the next build goes on."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer.build import build
from indexer.gallery import Gallery
from training.errors import GalleryError, Interrupted
from training.progress import Silent


class StopAfter(Silent):
    """Asks for a stop once so many photos are done; can fail instead, as a crash would."""

    def __init__(self, photos: int, error: BaseException | None = None) -> None:
        self.left = photos
        self.error = error

    def advance(self, amount: float, **facts: str) -> None:
        self.left -= int(amount)
        if self.left <= 0 and self.error is not None:
            raise self.error

    def stop(self) -> bool:
        return self.left <= 0


def test_a_stop_keeps_what_is_finished_and_the_next_build_goes_on(studio: Any) -> None:
    studio.paint_many(100)
    asked = StopAfter(40)
    with pytest.raises(Interrupted, match="of 104 photos") as raised:
        build(studio.request, progress=asked, stop=asked.stop)
    assert "same command" in raised.value.hint
    with pytest.raises(GalleryError, match="has not finished"):
        studio.gallery()

    report = studio.build()

    assert report.unchanged + report.added == 104
    assert report.unchanged >= 40
    assert report.embedded == report.added
    assert len(studio.gallery()) == 104


def test_an_interrupted_rebuild_leaves_the_old_gallery_in_use(
    studio: Any, make_encoder: Callable[[int], Path]
) -> None:
    studio.paint_many(100)
    studio.build()
    before = studio.gallery()
    rebuild = replace(studio.request, encoder=make_encoder(1), rebuild=True)
    asked = StopAfter(40)
    with pytest.raises(Interrupted):
        build(rebuild, progress=asked, stop=asked.stop)

    still = studio.gallery()
    assert still.encoder.fingerprint == before.encoder.fingerprint
    np.testing.assert_array_equal(still.embedding(3), before.embedding(3))

    report = studio.build(encoder=rebuild.encoder, rebuild=True)
    assert report.embedded < 104, "the finished part was not embedded again"
    assert studio.gallery().encoder.source == f"{1:064x}"


def test_a_crash_while_embedding_loses_nothing_that_was_recorded(studio: Any) -> None:
    studio.paint_many(100)
    with pytest.raises(RuntimeError):
        build(studio.request, progress=StopAfter(40, RuntimeError()))
    assert studio.build().embedded < 104


def test_a_crash_between_the_new_rows_and_the_new_file_is_healed(studio: Any) -> None:
    studio.paint_many(5)
    studio.build()
    folder = studio.folder
    # As it lies there when the catalogue names the new encoder and the old one is still in place.
    (folder / "encoder.onnx").rename(folder / "encoder.new.onnx")
    (folder / "encoder.onnx").write_bytes(b"the one before")

    assert len(Gallery.open(folder)) == 9, "readers find the right one"
    assert studio.happened() == {"unchanged": 9}
    assert not (folder / "encoder.new.onnx").exists()
    assert len(Gallery.open(folder)) == 9


def test_a_base_encoder_that_was_lost_starts_the_pass_again(studio: Any) -> None:
    studio.paint_many(100)
    with pytest.raises(RuntimeError):
        build(studio.request, progress=StopAfter(40, RuntimeError()))
    (studio.folder / "encoder.base.onnx").write_bytes(b"damaged")
    assert studio.build().embedded == 104


def test_a_finished_build_leaves_no_working_files(studio: Any) -> None:
    studio.build()
    left = (
        ".encoder.onnx.x7f",
        ".vectors-7-0a1b.faiss.q2_",
        ".vectors-7-0a1b.rows.q2_",
        ".vectors.json.q2_",
        ".neighbours.npz.q2_",
        ".verified.json.q2_",
        "..lookalike.b0c",
    )
    for name in left:
        (studio.folder / name).write_bytes(b"of a killed process")
    studio.build()
    names = {entry.name for entry in studio.folder.iterdir()}
    (rows,) = (name for name in names if name.endswith(".rows"))
    caches = {rows, "vectors.json", "verified.json", "neighbours.npz"}
    assert names - {".lock"} == {".lookalike", "encoder.onnx", "catalogue.sqlite", *caches}


def test_a_folder_where_a_build_died_before_its_first_file_is_taken(studio: Any) -> None:
    studio.folder.mkdir()
    (studio.folder / "..lookalike.b0c").write_bytes(b"of a killed process")
    studio.build()
    assert not (studio.folder / "..lookalike.b0c").exists()


def test_half_written_uploads_go_unless_the_app_may_be_writing_them(studio: Any) -> None:
    studio.build()
    uploads = studio.folder / "uploads"
    uploads.mkdir()
    old, young, whole = uploads / ".aa.jpg.x1", uploads / ".bb.jpg.x2", uploads / "cc.jpg"
    for file in (old, young, whole):
        file.write_bytes(b"jpeg")
    os.utime(old, (0, 0))
    studio.build()
    assert sorted(uploads.iterdir()) == [young, whole]
