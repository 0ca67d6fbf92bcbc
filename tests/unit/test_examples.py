"""What a search is made of: names with weights, parts of photos, and the direction they give."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from indexer.examples import PUSH, Example, direction, embedding_of, parse_crop, parse_example
from training.errors import ConfigError, GalleryError, PhotoError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cat.jpg", Example("cat.jpg", None)),
        ("cat.jpg:2", Example("cat.jpg", None, 2.0)),
        ("cat.jpg:0.25", Example("cat.jpg", None, 0.25)),
        ("a:b/cat.jpg", Example("a:b/cat.jpg", None)),
        ("id:17", Example("id:17", 17)),
        ("id:17:3", Example("id:17", 17, 3.0)),
    ],
)
def test_an_example_is_a_file_or_an_id_with_a_weight(text: str, expected: Example) -> None:
    assert parse_example(text) == expected


def test_a_file_whose_name_looks_like_a_weight_or_an_id_is_that_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("shot:2", "id:5"):
        Path(name).touch()
        assert parse_example(name) == Example(name, None)


@pytest.mark.parametrize("text", ["cat.jpg:0", "id:x", "id:", "id:-3"])
def test_a_weight_of_nothing_and_an_id_that_is_none_are_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_example(text)


@pytest.mark.parametrize("text", ["", "1,2,3", "1,2,3,4,5", "a,2,3,4", "1,2,3,-4", "1,2,3,4%%"])
def test_what_is_no_crop_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is no crop"):
        parse_crop(text)


def test_a_crop_is_in_pixels_or_in_percent_and_ends_at_the_photos_edge() -> None:
    image = Image.fromarray(np.arange(50 * 40 * 3, dtype=np.uint8).reshape(40, 50, 3))
    whole = np.asarray(image)
    assert (np.asarray(parse_crop("10,20,5,6").cut(image)) == whole[20:26, 10:15]).all()
    assert (np.asarray(parse_crop("50%, 25%, 50%, 10").cut(image)) == whole[10:20, 25:]).all()
    assert (np.asarray(parse_crop("40,30,999,999").cut(image)) == whole[30:, 40:]).all()
    for outside in ("50,0,10,10", "0,40,10,10", "0,0,0,10", "100%,0,5,5"):
        with pytest.raises(PhotoError, match="no pixel of a photo of 50 x 40"):
            parse_crop(outside).cut(image)


def rows(rng: np.random.Generator, count: int) -> list[np.ndarray]:
    drawn = rng.normal(size=(count, 6))
    return list((drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32))


def test_a_single_like_is_its_own_direction_whatever_it_weighs(rng: np.random.Generator) -> None:
    (row,) = rows(rng, 1)
    assert direction([(row, 7.0)], []) == pytest.approx(row, abs=1e-6)


def test_likes_pull_by_their_weights_and_unlikes_push_half_as_hard(
    rng: np.random.Generator,
) -> None:
    a, b, c, d = rows(rng, 4)
    found = direction([(a, 3.0), (b, 1.0)], [(c, 1.0), (d, 2.0)])
    expected = 0.75 * a + 0.25 * b - PUSH * (c + 2 * d) / 2
    assert found == pytest.approx(expected / np.linalg.norm(expected), abs=1e-6)


def test_examples_that_cancel_out_are_refused(rng: np.random.Generator) -> None:
    (row,) = rows(rng, 1)
    with pytest.raises(ConfigError, match="cancel out"):
        direction([(row, 1.0)], [(row, 2.0)])


def test_a_photo_of_the_gallery_needs_no_file_but_a_part_of_it_does(studio: Any) -> None:
    studio.build()
    gallery = studio.gallery()
    assert (embedding_of(gallery, Example("id:2", 2)) == gallery.embedding(2)).all()
    part = embedding_of(gallery, Example("id:2", 2), parse_crop("0,0,50%,50%"))
    assert float(part @ gallery.embedding(2)) == pytest.approx(1, abs=1e-5)  # one colour
    with pytest.raises(GalleryError, match="no photo with id 99"):
        embedding_of(gallery, Example("id:99", 99))
    with pytest.raises(PhotoError, match=r"nothing\.jpg: there is no such file"):
        embedding_of(gallery, Example("nothing.jpg", None))
