"""The encoder's life in a gallery: taken, centred, kept, rebuilt, refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer.encoder import OnnxEncoder
from indexer.gallery import Gallery
from training.errors import EncoderError, GalleryError


def test_a_photos_embedding_is_what_the_gallerys_encoder_gives_for_it(studio: Any) -> None:
    studio.paint_many(20)
    studio.build()
    gallery = studio.gallery()
    encoder = OnnxEncoder.open(studio.folder / "encoder.onnx")

    assert encoder.dim == 6
    assert len(gallery) == 24
    for hit in gallery.search(gallery.embedding(1), k=24):
        image = gallery.read(hit.id, at_least=encoder.spec.preprocessing.at_least).image
        expected = encoder.embed_image(image)
        np.testing.assert_allclose(gallery.embedding(hit.id), expected, atol=1e-5)


@pytest.mark.parametrize(("more", "dim", "words"), [
    (0, 16, "not centred"), (1, 16, "centred on the mean of 5"), (8, 6, "reduced from 16 to 6"),
])  # fmt: skip
def test_centring_and_reduction_begin_at_their_thresholds(
    studio: Any, more: int, dim: int, words: str
) -> None:
    studio.paint_many(more)
    report = studio.build()
    assert OnnxEncoder.open(studio.folder / "encoder.onnx").dim == dim
    assert words in " ".join(report.notes)


def test_later_builds_reuse_the_first_ones_encoder_unchanged(studio: Any) -> None:
    studio.paint_many(3)
    studio.build()
    before = (studio.folder / "encoder.onnx").read_bytes()
    kept = studio.gallery().embedding(1)

    studio.paint_many(10)
    report = studio.build()

    assert (studio.folder / "encoder.onnx").read_bytes() == before
    np.testing.assert_array_equal(studio.gallery().embedding(1), kept)
    assert "--rebuild" in " ".join(report.notes), "the gallery outgrew its centring: say so"


def test_a_rebuild_learns_the_centring_anew(studio: Any) -> None:
    studio.build()
    studio.paint_many(10)

    assert studio.happened(rebuild=True) == {"added": 10, "unchanged": 4, "embedded": 14}
    assert len(studio.gallery().embedding(1)) == 6


def test_a_rebuild_needs_no_encoder_but_the_gallerys_own(studio: Any) -> None:
    studio.paint_many(10)
    studio.build()
    before = studio.gallery().embedding(1)

    studio.build(encoder=None, rebuild=True)

    np.testing.assert_allclose(studio.gallery().embedding(1), before, atol=1e-5)


def test_ids_mean_the_same_photo_after_a_rebuild(
    studio: Any, make_encoder: Callable[[int], Path]
) -> None:
    studio.build()
    before = {i: studio.gallery().photo(i).path for i in range(1, 5)}
    studio.build(encoder=make_encoder(1), rebuild=True)
    assert {i: studio.gallery().photo(i).path for i in range(1, 5)} == before


def test_another_encoder_is_refused_with_the_command_that_rebuilds(
    studio: Any, make_encoder: Callable[[int], Path]
) -> None:
    studio.build()
    other = make_encoder(1)
    with pytest.raises(GalleryError, match="was built with encoder 000000000000") as raised:
        studio.build(encoder=other)
    assert f"--encoder {other} --rebuild" in raised.value.hint


def test_without_an_encoder_the_gallerys_own_is_used(studio: Any) -> None:
    studio.build()
    studio.paint("new.png", "pink")
    assert studio.happened(encoder=None) == {"added": 1, "unchanged": 4, "embedded": 1}


def test_a_first_build_without_an_encoder_names_the_command_that_trains_one(studio: Any) -> None:
    with pytest.raises(EncoderError) as raised:
        studio.build(encoder=None)
    assert "ssl-train" in raised.value.hint
    assert not studio.folder.exists()


def test_a_centred_encoder_from_another_gallery_is_fitted_to_these_photos(
    studio: Any, tmp_path: Path
) -> None:
    studio.paint_many(3)
    studio.build()
    studio.build(gallery=tmp_path / "other", encoder=studio.folder / "encoder.onnx")

    first, second = studio.gallery(), Gallery.open(tmp_path / "other")
    np.testing.assert_allclose(first.embedding(2), second.embedding(2), atol=1e-6)


def test_the_same_picture_in_eight_orientations_has_one_embedding(
    studio: Any, store_oriented: Any, draw_shape: Any
) -> None:
    for orientation in range(1, 9):
        data = store_oriented(draw_shape("triangle", size=(64, 48)), orientation, "JPEG")
        (studio.photos / f"orientation-{orientation}.jpg").write_bytes(data)
    studio.build()

    gallery = studio.gallery()
    ids = {facts.path: facts.id for facts in map(gallery.photo, range(1, len(gallery) + 1))}
    upright = gallery.embedding(ids[b"orientation-1.jpg"])
    for orientation in range(2, 9):
        turned = gallery.embedding(ids[b"orientation-%d.jpg" % orientation])
        assert upright @ turned > 0.99
