"""Updating: what leaves, what stays, what is refused, and what a dry run says."""

import os
import shutil
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from indexer.catalogue import Catalogue
from indexer.scan import find_difference
from indexer.update import preview, remembered
from training.errors import CollectionError, GalleryError
from training.progress import Silent

COUNTS = ("added", "changed", "moved", "unchanged", "removed", "missing", "skipped")


@pytest.fixture
def kept(studio: Any) -> Any:
    """The studio with twenty-four photos and their gallery."""
    studio.paint_many(20)
    studio.build()
    return studio


def foreseen(studio: Any, **changes: Any) -> dict[str, int]:
    """What a dry run counts, without the zeros."""
    report = preview(replace(studio.request, **changes), progress=Silent())
    figures = asdict(report)
    ends = ("added", "changed", "moved", "unchanged", "skipped")
    assert sum(figures[name] for name in ends) == report.seen
    return {name: figures[name] for name in COUNTS if figures[name]}


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file of a gallery, but for what SQLite keeps beside it while it reads."""
    kept = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}
    return {name: data for name, data in kept.items() if not name.endswith(("-wal", "-shm"))}


def test_photos_that_are_gone_stay_until_they_are_pruned(kept: Any) -> None:
    (kept.photos / "a.png").unlink()
    report = kept.build(prune=False)
    assert (report.removed, report.missing) == (0, 1)
    assert "gone from the folder, and kept in the gallery until `--prune`: 1" in " ".join(
        report.notes
    )
    assert b"a.png" in kept.paths()

    assert kept.happened(prune=True) == {"unchanged": 23, "removed": 1}
    assert b"a.png" not in kept.paths()


def test_a_fifth_vanishing_at_once_is_refused_and_nothing_changes(kept: Any) -> None:
    for number in range(5):
        (kept.photos / f"many-{number:03d}.png").unlink()
    kept.paint("new.png", "orange")
    before = kept.paths()
    kept.happened(prune=False)  # four of twenty-four, and one that may be a renamed fifth
    (kept.photos / "many-005.png").unlink()
    with pytest.raises(CollectionError, match="6 of the 25 photos") as refused:
        kept.build(prune=False)
    assert "is the drive mounted" in refused.value.hint
    assert "--prune" in refused.value.hint
    assert kept.paths() == before | {b"new.png"}

    assert kept.happened(prune=True) == {"unchanged": 19, "removed": 6}


def test_renaming_every_photo_is_no_vanishing(kept: Any) -> None:
    (kept.photos / "all").mkdir()
    for path in list(kept.photos.glob("*.png")):
        path.rename(kept.photos / "all" / path.name)
    assert kept.happened(prune=False) == {"moved": 23, "unchanged": 1}


def test_photos_below_a_folder_that_cannot_be_read_are_not_gone(
    kept: Any, as_nobody: AbstractContextManager[None]
) -> None:
    known = Catalogue.open(kept.folder / "catalogue.sqlite").photos(staged=False)
    (kept.photos / "a.png").unlink()
    (kept.photos / "sub").chmod(0)
    kept.photos.chmod(0o755)
    try:
        with as_nobody:
            difference = find_difference(Path(kept.photos.name), known, [])
    finally:
        (kept.photos / "sub").chmod(0o755)
    assert set(difference.gone) == {b"a.png"}
    assert difference.out_of_sight == 1
    assert [skip.path for skip in difference.skipped] == [b"sub"]
    assert difference.seen == difference.unchanged + 1


def test_photos_where_a_file_stands_now_are_gone_no_more_than_those_behind_a_link(
    kept: Any, tmp_path: Path
) -> None:
    """A folder that was moved to another disk and linked: its photos are not looked at."""
    (kept.photos / "sub").rename(tmp_path / "sub")
    (kept.photos / "sub").symlink_to(tmp_path / "sub")
    report = kept.build(prune=True)
    assert (report.removed, report.missing, report.skipped) == (0, 0, 1)
    assert "kept, though their folders cannot be read now: 1" in " ".join(report.notes)
    assert b"sub/d.png" in kept.paths()


def test_an_update_goes_to_the_photos_that_the_gallery_remembers(kept: Any) -> None:
    request = remembered(kept.folder)
    assert request.photos == kept.photos.resolve()
    assert request.encoder is None
    assert kept.happened(photos=request.photos, encoder=None) == {"unchanged": 24}


def test_an_update_without_its_photos_or_its_gallery_says_what_to_do(
    kept: Any, tmp_path: Path
) -> None:
    with pytest.raises(GalleryError, match="there is no gallery"):
        remembered(tmp_path / "nothing")
    moved = kept.photos.rename(tmp_path / "elsewhere")
    with pytest.raises(CollectionError, match="are not in") as raised:
        remembered(kept.folder)
    assert "--photos DIR" in raised.value.hint
    request = remembered(kept.folder, photos=moved)
    assert kept.happened(photos=request.photos, encoder=None) == {"unchanged": 24}


def test_a_file_that_changed_behind_its_size_and_time_is_found_by_reading_it(kept: Any) -> None:
    one = kept.paint("plain.bmp", "red")
    assert kept.happened()["added"] == 1
    facts = one.stat()
    kept.paint("plain.bmp", "blue")
    assert one.stat().st_size == facts.st_size
    os.utime(one, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert kept.happened() == {"unchanged": 25}
    assert kept.happened(verify_content=True) == {"changed": 1, "unchanged": 24, "embedded": 1}


def test_a_dry_run_counts_as_the_build_does_and_writes_nothing(kept: Any) -> None:
    (kept.photos / "a.png").rename(kept.photos / "z.png")
    (kept.photos / "many-003.png").unlink()
    kept.paint("many-004.png", "salmon")
    kept.paint("new.png", "navy")
    (kept.photos / "b.png").touch()
    before = files_of(kept.folder)
    for prune in (False, True):
        expected = foreseen(kept, prune=prune)
        assert files_of(kept.folder) == before
    assert expected == {"added": 1, "changed": 1, "moved": 1, "unchanged": 21, "removed": 1}
    built = kept.happened(prune=True)
    built.pop("embedded")
    assert built == expected


def test_a_dry_run_of_a_first_build_makes_no_gallery(studio: Any) -> None:
    shutil.copy(studio.photos / "a.png", studio.photos / "copy.png")
    assert foreseen(studio) == {"added": 5}
    assert not studio.folder.exists()
