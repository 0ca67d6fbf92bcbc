from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.link import Crop, Example, Link
from app.query import answer, direction, sample
from app.uploads import Uploads
from indexer.build import BuildRequest, build
from indexer.examples import PUSH
from indexer.gallery import Gallery
from training.errors import ConfigError, GalleryError, PhotoError
from training.progress import Silent

UPLOAD = "0123456789abcdef" * 4


@pytest.fixture
def gallery(shape_folder: Path, toy_encoder: Path, tmp_path: Path) -> Gallery:
    folder = tmp_path / "gallery"
    build(BuildRequest(shape_folder, folder, encoder=toy_encoder), progress=Silent())
    return Gallery.open(folder, device="cpu")


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    return Uploads(tmp_path / "uploads")


def test_a_photo_is_not_among_its_own_hits(gallery: Gallery, uploads: Uploads) -> None:
    found = answer(gallery, uploads, Link(photo=1, results=500))
    assert len(found.hits) == len(gallery) - 1
    assert 1 not in {hit.id for hit in found.hits}


def test_hits_come_best_first_and_no_more_than_wanted(gallery: Gallery, uploads: Uploads) -> None:
    found = answer(gallery, uploads, Link(photo=1, results=5))
    scores = [hit.score for hit in found.hits]
    assert scores == sorted(scores, reverse=True)
    assert [hit.rank for hit in found.hits] == [1, 2, 3, 4, 5]
    assert found.best_score == scores[0]


def test_the_minimum_leaves_out_lower_scores_and_the_best_is_told(
    gallery: Gallery, uploads: Uploads
) -> None:
    every = answer(gallery, uploads, Link(photo=1))
    middle = round(every.hits[3].score, 2)
    some = answer(gallery, uploads, Link(photo=1, min_score=middle))
    assert some.hits == tuple(hit for hit in every.hits if hit.score >= middle)
    none = answer(gallery, uploads, Link(photo=1, min_score=1.0))
    assert none.hits == ()
    assert none.best_score == every.best_score


def test_an_upload_of_an_indexed_photo_finds_it_first(
    gallery: Gallery, uploads: Uploads, shape_folder: Path
) -> None:
    photo = shape_folder / "cross" / "cross-002.jpg"
    found = answer(gallery, uploads, Link(upload=uploads.keep(photo.read_bytes())))
    assert found.hits[0].path == b"cross/cross-002.jpg"
    assert found.hits[0].score > 0.99


def test_a_search_for_an_expired_upload_says_so(gallery: Gallery, uploads: Uploads) -> None:
    with pytest.raises(PhotoError, match="no longer kept") as raised:
        answer(gallery, uploads, Link(upload=UPLOAD))
    assert "Add the image again" in raised.value.hint


def test_a_search_for_an_unknown_photo_says_so(gallery: Gallery, uploads: Uploads) -> None:
    with pytest.raises(GalleryError, match="987654"):
        answer(gallery, uploads, Link(photo=987654))


def test_a_sample_holds_different_photos_and_stays_the_same(gallery: Gallery) -> None:
    chosen = sample(gallery, 8)
    assert len({hit.id for hit in chosen}) == len(chosen) == 8
    assert sample(gallery, 8) == chosen


def test_a_query_alone_is_its_own_direction(gallery: Gallery, uploads: Uploads) -> None:
    alone = direction(gallery, uploads, Link(photo=2))
    assert alone == pytest.approx(gallery.embedding(2), abs=1e-6)


def test_examples_are_combined_as_rocchio_has_it(gallery: Gallery, uploads: Uploads) -> None:
    link = Link(
        photo=1,
        likes=(Example(2, 2.0), Example(3)),
        unlikes=(Example(4), Example(5, 0.5)),
    )
    e = {photo_id: gallery.embedding(photo_id).astype(float) for photo_id in range(1, 6)}
    expected = (e[1] + 2 * e[2] + e[3]) / 4 - PUSH * (e[4] + 0.5 * e[5]) / 2
    expected /= np.linalg.norm(expected)
    found = direction(gallery, uploads, link)
    assert found.dtype == np.float32
    assert found == pytest.approx(expected, abs=1e-6)


def test_the_examples_are_not_among_the_hits(gallery: Gallery, uploads: Uploads) -> None:
    link = Link(photo=1, likes=(Example(2),), unlikes=(Example(3),), results=500)
    found = answer(gallery, uploads, link)
    assert {hit.id for hit in found.hits} & {1, 2, 3} == set()
    assert found.candidates == len(gallery) - 3


def test_more_weight_brings_the_hits_nearer(gallery: Gallery, uploads: Uploads) -> None:
    def score(weight: float) -> float:
        towards = direction(gallery, uploads, Link(photo=1, likes=(Example(9, weight),)))
        return float(towards @ gallery.embedding(9))

    assert score(0.5) < score(1.0) < score(4.0)


def test_a_photo_that_is_liked_less_moves_away(gallery: Gallery, uploads: Uploads) -> None:
    plain = direction(gallery, uploads, Link(photo=1))
    pushed = direction(gallery, uploads, Link(photo=1, unlikes=(Example(9),)))
    assert pushed @ gallery.embedding(9) < plain @ gallery.embedding(9)


def test_examples_that_cancel_out_are_said_to(gallery: Gallery, uploads: Uploads) -> None:
    with pytest.raises(ConfigError, match="cancel out"):
        direction(gallery, uploads, Link(photo=1, unlikes=(Example(1, 2.0),)))


def test_a_part_of_a_photo_is_found_as_that_part(
    gallery: Gallery, uploads: Uploads, shape_folder: Path
) -> None:
    whole = Image.open(shape_folder / "cross" / "cross-002.jpg").convert("RGB")
    wide = Image.new("RGB", (4 * whole.width, 2 * whole.height), "black")
    wide.paste(whole, (whole.width, whole.height))
    wide.save(shape_folder / "wide.png")
    key = uploads.keep((shape_folder / "wide.png").read_bytes())
    found = answer(gallery, uploads, Link(upload=key, crop=Crop(250, 500, 500, 1000)))
    assert found.hits[0].path == b"cross/cross-002.jpg"
    assert answer(gallery, uploads, Link(upload=key)).hits[0].score < found.hits[0].score


def test_a_part_of_a_gallery_photo_is_read_from_its_original(
    gallery: Gallery, uploads: Uploads
) -> None:
    part = direction(gallery, uploads, Link(photo=3, crop=Crop(0, 0, 500, 500)))
    image = gallery.read(3).image
    expected = gallery.encoder.embed_image(
        image.crop((0, 0, -(-image.width // 2), -(-image.height // 2)))
    )
    assert part == pytest.approx(expected, abs=1e-5)
    assert part @ gallery.embedding(3) < 0.9999


def test_the_histogram_counts_every_candidate_that_scores_above_zero(
    gallery: Gallery, uploads: Uploads
) -> None:
    found = answer(gallery, uploads, Link(photo=1, results=500))
    scores = [hit.score for hit in found.hits]
    assert sum(found.bars) == sum(score >= 0 for score in scores)
    assert found.candidates == len(scores)
    tenth = len(found.bars) // 10
    assert sum(found.bars[-tenth:]) == sum(score >= 0.9 for score in scores)


def test_one_of_near_duplicates_is_shown_and_stands_for_the_others(
    shape_folder: Path, toy_encoder: Path, tmp_path: Path, uploads: Uploads
) -> None:
    original = shape_folder / "cross" / "cross-002.jpg"
    for quality in (60, 80):
        Image.open(original).save(shape_folder / f"again-{quality}.jpg", quality=quality)
    folder = tmp_path / "with-copies"
    build(BuildRequest(shape_folder, folder, encoder=toy_encoder), progress=Silent())
    gallery = Gallery.open(folder, device="cpu")
    key = uploads.keep(original.read_bytes())
    every = answer(gallery, uploads, Link(upload=key, results=500))
    folded = answer(gallery, uploads, Link(upload=key, results=500, one_of_alike=True))
    assert len(folded.hits) + sum(folded.alike.values()) == len(every.hits)
    assert folded.hits[0] == every.hits[0]
    assert folded.alike[folded.hits[0].id] >= 2
    few = answer(gallery, uploads, Link(upload=key, results=2, one_of_alike=True))
    assert few.hits == folded.hits[:2]
