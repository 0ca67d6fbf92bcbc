"""Building a gallery: what is counted, skipped and refused."""

import os
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from indexer.build import build
from indexer.gallery import skipped_files
from training.errors import CollectionError, GalleryError
from training.progress import Silent

# What is counted


def test_the_first_build_adds_every_photo(studio: Any) -> None:
    assert studio.happened() == {"added": 4, "embedded": 4}


def test_building_again_changes_nothing_and_embeds_nothing(studio: Any) -> None:
    studio.build()
    before = studio.gallery().generation

    assert studio.happened() == {"unchanged": 4}
    assert studio.gallery().generation == before


def test_only_what_is_new_or_changed_is_embedded(studio: Any) -> None:
    studio.build()
    studio.paint("new.png", "pink")
    studio.paint("a.png", "black")

    expected = {"added": 1, "changed": 1, "unchanged": 3, "embedded": 2}
    assert studio.happened() == expected


def test_a_renamed_photo_is_moved_and_not_embedded_again(studio: Any) -> None:
    studio.build()
    (studio.photos / "a.png").rename(studio.photos / "sub" / "renamed.png")

    assert studio.happened() == {"moved": 1, "unchanged": 3}
    assert b"sub/renamed.png" in studio.paths()
    assert b"a.png" not in studio.paths()


def test_a_copy_is_added_and_not_embedded(studio: Any) -> None:
    studio.build()
    (studio.photos / "copy.png").write_bytes((studio.photos / "a.png").read_bytes())

    assert studio.happened() == {"added": 1, "unchanged": 4}
    assert len(studio.gallery()) == 4


def test_copies_that_come_together_are_embedded_once(studio: Any) -> None:
    for number in range(50):
        (studio.photos / f"copy-{number}.png").write_bytes((studio.photos / "a.png").read_bytes())
    assert studio.happened() == {"added": 54, "embedded": 4}


def test_a_photo_that_was_only_touched_is_unchanged(studio: Any) -> None:
    studio.build()
    os.utime(studio.photos / "a.png", ns=(1, 1))
    assert studio.happened() == {"unchanged": 4}


def test_a_deleted_photo_leaves_and_a_returning_one_is_not_embedded_again(studio: Any) -> None:
    studio.build()
    data = (studio.photos / "a.png").read_bytes()
    (studio.photos / "a.png").unlink()
    assert studio.happened() == {"unchanged": 3, "removed": 1}
    assert b"a.png" not in studio.paths()

    (studio.photos / "a.png").write_bytes(data)
    assert studio.happened() == {"added": 1, "unchanged": 3}


def test_a_gallery_inside_the_photo_folder_does_not_index_itself(studio: Any) -> None:
    inside = studio.photos / "gallery"
    studio.build(gallery=inside)
    studio.paint("gallery/uploads/query.png", "white")
    assert studio.happened(gallery=inside) == {"unchanged": 4}


# Files that cannot be used


def test_every_file_of_a_hostile_folder_is_used_or_skipped_with_its_reason(
    studio: Any, hostile_folder: Any
) -> None:
    report = studio.build(photos=hostile_folder.root)

    assert studio.paths() == set(hostile_folder.good)
    reasons = {skip.path: skip.reason for skip in skipped_files(studio.folder)}
    assert reasons.keys() == hostile_folder.bad.keys()
    for path, part in hostile_folder.bad.items():
        assert part in reasons[path]
    assert sum(skip.files for skip in report.reasons) == report.skipped == len(reasons)


def test_a_known_bad_file_is_counted_again_but_not_decoded_again(studio: Any) -> None:
    bad = studio.photos / "bad.jpg"
    bad.write_bytes((studio.photos / "a.png").read_bytes()[:60])
    stamp = bad.stat().st_mtime_ns
    assert studio.happened() == {"added": 4, "skipped": 1, "embedded": 4}
    before = skipped_files(studio.folder)
    assert "damaged" in before[0].reason

    # Other bytes of the same size and time would have another reason.
    bad.write_bytes(b"x" * 60)
    os.utime(bad, ns=(stamp, stamp))
    assert studio.happened() == {"unchanged": 4, "skipped": 1}
    assert skipped_files(studio.folder) == before
    assert studio.happened(rebuild=True) == {"unchanged": 4, "skipped": 1, "embedded": 4}
    assert "not an image" in skipped_files(studio.folder)[0].reason


def test_a_file_that_was_repaired_becomes_a_photo(studio: Any) -> None:
    (studio.photos / "new.png").write_bytes(b"no photo")
    studio.build()
    studio.paint("new.png", "pink")
    assert studio.happened() == {"added": 1, "unchanged": 4, "embedded": 1}
    assert skipped_files(studio.folder) == []


def test_a_photo_that_was_damaged_since_leaves_the_gallery(studio: Any) -> None:
    studio.build()
    (studio.photos / "a.png").write_bytes(b"broken")
    assert studio.happened() == {"unchanged": 3, "skipped": 1}
    assert b"a.png" not in studio.paths()


def test_a_folder_without_one_usable_photo_is_told(studio: Any, tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.jpg").write_text("no photo")
    with pytest.raises(CollectionError, match="none of the 1 files") as raised:
        studio.build(photos=tmp_path / "texts")
    assert "--skipped" in raised.value.hint
    assert len(skipped_files(studio.folder)) == 1


def test_an_empty_folder_is_told(studio: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(CollectionError, match="holds no files"):
        studio.build(photos=tmp_path / "empty")


def test_a_missing_folder_is_told_before_anything_is_written(studio: Any, tmp_path: Path) -> None:
    with pytest.raises(CollectionError, match="no folder"):
        studio.build(photos=tmp_path / "nowhere")
    assert not studio.folder.exists()


def test_a_folder_that_is_suddenly_empty_changes_nothing(studio: Any) -> None:
    studio.build()
    before = studio.paths()
    studio.photos.rename(studio.photos.with_name("elsewhere"))
    studio.photos.mkdir()

    with pytest.raises(CollectionError, match="holds no photo now") as raised:
        studio.build()

    assert "mounted" in raised.value.hint
    assert studio.paths() == before


def test_a_folder_that_vanishes_in_the_middle_keeps_what_was_finished(studio: Any) -> None:
    studio.paint_many(200)
    aside = studio.photos.with_name("aside")

    class Vanish(Silent):
        def advance(self, amount: float, **facts: str) -> None:
            if studio.photos.exists():
                studio.photos.rename(aside)

    with pytest.raises(CollectionError, match="vanished while it was read"):
        build(studio.request, progress=Vanish())

    aside.rename(studio.photos)
    report = studio.build()
    assert report.skipped == 0
    assert 0 < report.unchanged < 204
    assert report.added + report.unchanged == 204


# Where the gallery lies


def test_a_folder_with_something_else_in_it_is_not_touched(studio: Any, tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "diary.txt").write_text("dear diary")
    with pytest.raises(GalleryError, match=r"it holds diary\.txt"):
        studio.build(gallery=tmp_path / "letters")
    assert [entry.name for entry in (tmp_path / "letters").iterdir()] == ["diary.txt"]


def test_a_file_in_the_galleries_place_is_told(studio: Any) -> None:
    with pytest.raises(GalleryError, match="is a file"):
        studio.build(gallery=studio.photos / "a.png")


def test_two_builds_at_a_time_are_refused(studio: Any) -> None:
    studio.build()
    with (
        FileLock(studio.folder / ".lock"),
        pytest.raises(GalleryError, match="another command is writing"),
    ):
        studio.build()


def test_a_photo_root_that_moved_is_remembered_and_nothing_is_embedded_again(studio: Any) -> None:
    studio.build()
    moved = studio.photos.rename(studio.photos.with_name("moved"))

    report = studio.build(photos=moved)

    assert (report.unchanged, report.embedded) == (4, 0)
    assert any(str(studio.photos) in note for note in report.notes)
    assert studio.gallery().photo_root == moved


def test_a_lost_index_is_written_again(studio: Any) -> None:
    studio.build()
    (index,) = studio.folder.glob("vectors-*.rows")
    index.write_bytes(b"damaged")
    studio.build()
    assert len(index.read_bytes()) > 100
