from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.query import DEFAULT_RESULTS, MAX_RESULTS, Link, answer, sample
from app.uploads import Uploads
from indexer.build import BuildRequest, build
from indexer.gallery import Gallery
from training.errors import GalleryError, PhotoError
from training.progress import Silent

UPLOAD = "0123456789abcdef" * 4

links = st.builds(
    Link,
    photo=st.none() | st.integers(0, 10**17),
    results=st.integers(1, MAX_RESULTS),
    min_score=st.none() | st.integers(1, 100).map(lambda hundredths: hundredths / 100),
)


@pytest.fixture
def gallery(shape_folder: Path, toy_encoder: Path, tmp_path: Path) -> Gallery:
    folder = tmp_path / "gallery"
    build(BuildRequest(shape_folder, folder, encoder=toy_encoder), progress=Silent())
    return Gallery.open(folder, device="cpu")


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    return Uploads(tmp_path / "uploads")


@given(links, st.booleans())
def test_a_link_reads_back_what_it_wrote(link: Link, uploaded: bool) -> None:
    meant = link.for_upload(UPLOAD) if uploaded else link
    assert Link.parse(meant.params()) == meant
    assert Link.parse(meant.params()).problems == ()


@given(st.dictionaries(st.sampled_from(["q", "u", "k", "min", "other"]), st.text(max_size=30)))
def test_no_link_is_an_error(params: dict[str, str]) -> None:
    link = Link.parse(params)
    assert 1 <= link.results <= MAX_RESULTS
    assert link.min_score is None or 0 < link.min_score <= 1
    assert link.photo is None or link.upload is None


def test_an_empty_link_is_the_start_page_with_nothing_to_say() -> None:
    link = Link.parse({})
    assert link.is_start
    assert (link.results, link.min_score, link.problems) == (DEFAULT_RESULTS, None, ())
    assert link.params() == {}


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"q": "12; drop table"}, "names no photo"),
        ({"q": "-3"}, "names no photo"),
        ({"q": "9" * 40}, "names no photo"),
        ({"u": "../../etc/passwd"}, "names no upload"),
        ({"u": UPLOAD.upper()}, "names no upload"),
        ({"k": "0"}, "number of results"),
        ({"k": "many"}, "number of results"),
        ({"k": "9" * 5000}, "number of results"),
        ({"k": "٣"}, "number of results"),
        ({"min": "2"}, "score from 0 to 1"),
        ({"min": "nan"}, "score from 0 to 1"),
        ({"min": "high"}, "score from 0 to 1"),
    ],
)
def test_what_a_link_cannot_mean_is_said_in_words(params: dict[str, str], said: str) -> None:
    [problem] = Link.parse(params).problems
    assert said in problem


def test_a_new_query_keeps_the_settings_and_drops_the_old_query() -> None:
    link = Link(photo=3, results=24, min_score=0.5, problems=("k was odd",))
    assert link.for_upload(UPLOAD) == Link(upload=UPLOAD, results=24, min_score=0.5)
    assert link.for_photo(7).params() == {"q": "7", "k": "24", "min": "0.5"}
    assert link.for_start().is_start
    assert link.for_photo(7).problems == ()


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
