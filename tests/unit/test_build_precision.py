"""A gallery's precision: chosen once, kept, refused when it differs, changed by a rebuild."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer.build import build
from indexer.encoder import OnnxEncoder
from indexer.update import remembered
from training.errors import CollectionError, EncoderError, GalleryError, Interrupted
from training.progress import Silent


def precision(studio: Any) -> str:
    return OnnxEncoder.open(studio.folder / "encoder.onnx", device="cpu").precision


def test_full_precision_is_the_default(studio: Any) -> None:
    studio.build()
    assert precision(studio) == "fp32"


@pytest.mark.parametrize("wanted", ["fp16", "int8"])
def test_photos_are_embedded_in_the_precision_that_was_asked_for(studio: Any, wanted: str) -> None:
    studio.paint_many(20)
    report = studio.build(precision=wanted)

    encoder = OnnxEncoder.open(studio.folder / "encoder.onnx")
    assert encoder.precision == wanted
    assert encoder.dim == 6, "centred and reduced like any other"
    assert f"in {wanted}" in studio.gallery().info().encoder.origin
    note = next(note for note in report.notes if note.startswith(wanted))
    assert "times as fast as fp32 here" in note
    for photo in range(1, 25):
        image = studio.gallery().read(photo).image
        np.testing.assert_allclose(
            studio.gallery().embedding(photo), encoder.embed_image(image), atol=1e-5
        )


def test_later_builds_and_updates_keep_it(studio: Any) -> None:
    studio.build(precision="int8")
    before = (studio.folder / "encoder.onnx").read_bytes()

    studio.paint("one.png", "pink")
    studio.build()
    studio.paint("two.png", "purple")
    studio.build(encoder=remembered(studio.folder).encoder)

    assert (studio.folder / "encoder.onnx").read_bytes() == before
    assert len(studio.gallery()) == 6


def test_another_precision_is_refused_with_the_command_that_rebuilds(studio: Any) -> None:
    studio.build(precision="int8")
    with pytest.raises(GalleryError, match="built in int8, asked for is fp32") as raised:
        studio.build(precision="fp32")
    assert "--rebuild --precision fp32" in raised.value.hint


def test_that_command_works(studio: Any) -> None:
    studio.build(precision="int8")
    studio.build(precision="fp32", rebuild=True)
    assert precision(studio) == "fp32"


def test_a_rebuild_keeps_the_precision(studio: Any) -> None:
    studio.build(precision="int8")
    studio.build(rebuild=True)
    assert precision(studio) == "int8"


def test_a_rebuild_keeps_it_with_another_encoder_too(
    studio: Any, make_encoder: Callable[[int], Path]
) -> None:
    studio.build(precision="int8")
    studio.build(rebuild=True, encoder=make_encoder(1))
    assert precision(studio) == "int8"


def test_bits_that_are_gone_do_not_come_back(studio: Any) -> None:
    studio.build(precision="int8")
    with pytest.raises(
        EncoderError, match="is in int8, which cannot be turned into fp32"
    ) as raised:
        studio.build(encoder=None, precision="fp32", rebuild=True)
    assert "--encoder" in raised.value.hint
    assert precision(studio) == "int8"
    assert studio.happened() == {"unchanged": 4}


def test_an_encoder_that_comes_in_fewer_bits_is_taken_as_it_is(studio: Any, tmp_path: Path) -> None:
    studio.build(precision="int8")
    made = tmp_path / "made.onnx"
    made.write_bytes((studio.folder / "encoder.onnx").read_bytes())
    other = {"gallery": tmp_path / "other", "encoder": made}

    studio.build(**other)
    assert OnnxEncoder.open(tmp_path / "other" / "encoder.onnx").precision == "int8"
    studio.build(**other, precision="int8")


def test_a_build_that_was_stopped_goes_on_in_its_precision_and_another_starts_anew(
    studio: Any,
) -> None:
    for wanted in ("int8", "fp32"):
        with pytest.raises(Interrupted):
            build(replace(studio.request, precision=wanted), progress=Silent(), stop=lambda: True)

    report = studio.build()

    assert "went on with the build begun earlier" in report.notes
    assert precision(studio) == "fp32"


def test_without_a_usable_photo_there_is_nothing_to_measure_on(studio: Any) -> None:
    for photo in studio.photos.rglob("*.png"):
        photo.write_bytes(b"no photo")
    with pytest.raises(CollectionError, match="none of the 4 files"):
        studio.build(precision="int8")


def test_photos_that_cannot_be_read_are_passed_over(studio: Any) -> None:
    (studio.photos / "a.png").write_bytes(b"no photo")
    assert studio.happened(precision="int8") == {"added": 3, "skipped": 1, "embedded": 3}
