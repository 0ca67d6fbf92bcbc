"""An open gallery: what it finds, shows and refuses."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer.gallery import Gallery, describe
from training.errors import GalleryError, PhotoError


@pytest.fixture
def gallery(built: Any) -> Gallery:
    return built.gallery()


def id_of(gallery: Gallery, path: bytes) -> int:
    return next(i for i in range(1, len(gallery) + 1) if gallery.photo(i).path == path)


# Searching


def test_a_photo_finds_itself_first_with_a_score_of_one(gallery: Gallery) -> None:
    for photo_id in range(1, len(gallery) + 1):
        best = gallery.search(gallery.embedding(photo_id), k=3)[0]
        assert (best.id, best.rank) == (photo_id, 1)
        assert best.score == pytest.approx(1, abs=1e-5)
        assert best.path == gallery.photo(photo_id).path


def test_a_query_from_outside_goes_through_the_same_preparation(gallery: Gallery) -> None:
    query = gallery.encoder.embed_image(gallery.read(3).image)
    assert gallery.search(query, k=1)[0].id == 3


def test_more_results_than_photos_are_no_error(gallery: Gallery) -> None:
    hits = gallery.search(gallery.embedding(1), k=1_000)
    assert [hit.rank for hit in hits] == list(range(1, 13))
    assert {hit.id for hit in hits} == set(range(1, 13))


def test_excluded_photos_make_room_for_the_next(gallery: Gallery) -> None:
    everything = [hit.id for hit in gallery.search(gallery.embedding(1), k=12)]
    hits = gallery.search(gallery.embedding(1), k=3, exclude=frozenset(everything[:2]))
    assert [hit.id for hit in hits] == everything[2:5]
    assert [hit.rank for hit in hits] == [1, 2, 3]


def test_a_search_among_some_photos_fills_the_page_from_them(gallery: Gallery) -> None:
    worst = [hit.id for hit in gallery.search(gallery.embedding(1), k=12)][-4:]
    hits = gallery.search(gallery.embedding(1), k=4, among=np.array(worst))
    assert [hit.id for hit in hits] == worst
    assert gallery.search(gallery.embedding(1), k=4, among=np.array([], dtype=np.int64)) == []


def test_all_embeddings_come_without_a_copy_and_outlive_the_gallery(built: Any) -> None:
    gallery = built.gallery()
    ids, rows = gallery.embeddings()
    assert ids.tolist() == sorted(ids.tolist())
    assert not rows.flags.writeable
    assert not ids.flags.writeable
    assert not rows.flags.owndata
    expected = np.stack([gallery.embedding(photo_id) for photo_id in ids.tolist()])
    del gallery
    assert (rows == expected).all()


def test_many_photos_come_in_one_query_and_unknown_ids_are_left_out(gallery: Gallery) -> None:
    found = gallery.photos([3, 1, 3, 999])
    assert found == {1: gallery.photo(1), 3: gallery.photo(3)}


def test_results_below_the_least_score_are_left_out(gallery: Gallery) -> None:
    hits = gallery.search(gallery.embedding(1), k=12)
    limit = hits[4].score
    kept = gallery.search(gallery.embedding(1), k=12, min_score=limit)
    assert kept == [hit for hit in hits if hit.score >= limit]


def test_a_copy_is_not_found_twice(built: Any) -> None:
    (built.photos / "copy.png").write_bytes((built.photos / "a.png").read_bytes())
    built.build()
    gallery = built.gallery()
    hits = gallery.search(gallery.embedding(1), k=99)
    assert len({hit.id for hit in hits}) == len(hits) == 12
    facts = gallery.photo(id_of(gallery, b"a.png"))
    assert facts.other_paths == (b"copy.png",)


def test_a_deleted_photo_never_appears_even_in_a_gallery_that_is_open(built: Any) -> None:
    gallery = built.gallery()
    gone = id_of(gallery, b"a.png")
    (built.photos / "a.png").unlink()
    built.build()

    for opened in (gallery, built.gallery()):
        assert gone not in {hit.id for hit in opened.search(opened.embedding(3), k=99)}


def test_many_threads_may_search_and_read_at_once(gallery: Gallery) -> None:
    def look(photo_id: int) -> bool:
        found = gallery.search(gallery.embedding(photo_id), k=2)[0].id
        return found == photo_id and gallery.read(photo_id).width == 40

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(look, list(range(1, 13)) * 5))


# Photos


def test_the_facts_of_a_photo_are_those_of_its_file(built: Any, gallery: Gallery) -> None:
    facts = gallery.photo(id_of(gallery, b"sub/d.png"))
    file = built.photos / "sub" / "d.png"
    assert (facts.width, facts.height, facts.format) == (40, 40, "PNG")
    assert facts.size_bytes == file.stat().st_size
    assert facts.mtime_ns == file.stat().st_mtime_ns
    assert len(facts.content_hash) == 64


def test_an_original_is_read_from_whichever_path_is_left(built: Any) -> None:
    (built.photos / "z-copy.png").write_bytes((built.photos / "a.png").read_bytes())
    built.build()
    gallery = built.gallery()
    photo_id = id_of(gallery, b"a.png")
    (built.photos / "a.png").unlink()
    assert gallery.read(photo_id).image.getpixel((5, 5)) == (255, 0, 0)


def test_an_original_that_is_gone_is_a_reason(built: Any, gallery: Gallery) -> None:
    (built.photos / "a.png").unlink()
    with pytest.raises(PhotoError, match="vanished"):
        gallery.read(id_of(gallery, b"a.png"))


def test_an_original_that_was_replaced_is_not_shown_in_its_place(
    built: Any, gallery: Gallery
) -> None:
    built.paint("a.png", "white")
    with pytest.raises(PhotoError, match="has changed"):
        gallery.read(id_of(gallery, b"a.png"))


@pytest.mark.parametrize("photo_id", [0, -1, 13, 2**40])
def test_an_unknown_id_is_an_error_with_words(gallery: Gallery, photo_id: int) -> None:
    for ask in (gallery.photo, gallery.embedding, gallery.read):
        with pytest.raises(GalleryError, match=f"no photo with id {photo_id}"):
            ask(photo_id)


def test_what_was_skipped_is_listed_with_its_reason(built: Any) -> None:
    (built.photos / "bad \udcff.jpg").write_bytes(b"")
    built.build()
    (skip,) = built.gallery().skipped()
    assert skip.path == b"bad \xff.jpg"
    assert "empty" in skip.reason


def test_the_description_adds_up(built: Any) -> None:
    (built.photos / "copy.png").write_bytes((built.photos / "a.png").read_bytes())
    (built.photos / "bad.jpg").write_bytes(b"")
    built.build()
    gallery = built.gallery()
    info = describe(built.folder)
    assert info == gallery.info()
    assert (info.photos, info.distinct, info.skipped) == (13, 12, 1)
    assert info.photo_root == built.photos
    assert info.encoder.embedding_dim == info.dim == 6
    assert info.size_bytes >= (built.folder / "catalogue.sqlite").stat().st_size


# What does not fit is refused


def test_a_missing_gallery_names_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match="no gallery") as raised:
        Gallery.open(tmp_path / "nowhere")
    assert "ssl-index build" in raised.value.hint


@pytest.mark.parametrize("replacement", [None, b"another encoder"])
def test_an_encoder_that_does_not_fit_is_refused_with_the_command_that_rebuilds(
    replacement: bytes | None, built: Any
) -> None:
    (built.folder / "encoder.onnx").unlink()
    if replacement is not None:
        (built.folder / "encoder.onnx").write_bytes(replacement)
    with pytest.raises(GalleryError, match=r"encoder\.onnx") as raised:
        built.gallery()
    assert "--rebuild" in raised.value.hint
    with pytest.raises(GalleryError, match=r"encoder\.onnx"):
        built.build()


def test_photos_that_moved_are_found_again_by_option(built: Any) -> None:
    moved = built.photos.rename(built.photos.with_name("moved"))
    with pytest.raises(GalleryError, match=r"not in .*photos any more") as raised:
        built.gallery()
    assert "--photos" in raised.value.hint

    gallery = Gallery.open(built.folder, photos=moved)

    assert gallery.photo_root == moved
    assert gallery.read(1).width == 40


def test_options_photos_that_is_no_folder_is_refused(built: Any) -> None:
    with pytest.raises(GalleryError, match="nowhere"):
        Gallery.open(built.folder, photos=Path("nowhere"))
