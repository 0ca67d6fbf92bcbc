"""Walking a folder: what is found, what is skipped and why, what is not looked at."""

import inspect
import os
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from training.errors import CollectionError, PhotoError
from training.photos import MARKER, FoundFile, SkippedFile, read_file, read_photo, walk


def found(root: Path) -> list[bytes]:
    return [item.path for item in walk(root) if isinstance(item, FoundFile)]


def skipped(root: Path) -> dict[bytes, str]:
    return {item.path: item.reason for item in walk(root) if isinstance(item, SkippedFile)}


def test_every_file_of_a_hostile_folder_ends_as_a_photo_or_as_a_reason(hostile_folder: Any) -> None:
    used, refused = [], skipped(hostile_folder.root)
    for path in found(hostile_folder.root):
        try:
            read_photo(hostile_folder.root / os.fsdecode(path))
            used.append(path)
        except PhotoError as error:
            refused[path] = error.message

    assert sorted(used) == sorted(hostile_folder.good)
    assert sorted(refused) == sorted(hostile_folder.bad)
    for path, part in hostile_folder.bad.items():
        assert part in refused[path]


def test_a_walk_comes_in_the_same_order_every_time(hostile_folder: Any) -> None:
    assert list(walk(hostile_folder.root)) == list(walk(hostile_folder.root))


def test_a_walk_tells_size_and_time_of_a_file(shape_folder: Path) -> None:
    first = next(item for item in walk(shape_folder) if isinstance(item, FoundFile))

    facts = (shape_folder / os.fsdecode(first.path)).stat()
    assert (first.size_bytes, first.mtime_ns) == (facts.st_size, facts.st_mtime_ns)


def test_a_link_to_a_photo_tells_the_facts_of_the_photo(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"0123456789")
    (tmp_path / "b.jpg").symlink_to("a.jpg")

    _, link = walk(tmp_path)

    assert isinstance(link, FoundFile)
    assert link.size_bytes == 10


def test_hidden_files_and_folders_are_not_looked_at(tmp_path: Path) -> None:
    (tmp_path / "._junk.jpg").write_bytes(b"x")
    (tmp_path / ".thumbnails").mkdir()
    (tmp_path / ".thumbnails" / "a.jpg").write_bytes(b"x")

    assert list(walk(tmp_path)) == []


def test_marked_folders_are_not_entered(tmp_path: Path) -> None:
    (tmp_path / "gallery" / "uploads").mkdir(parents=True)
    (tmp_path / "gallery" / MARKER).touch()
    (tmp_path / "gallery" / "uploads" / "a.jpg").write_bytes(b"x")
    (tmp_path / "b.jpg").write_bytes(b"x")

    assert found(tmp_path) == [b"b.jpg"]


def test_an_empty_folder_has_no_files(tmp_path: Path) -> None:
    assert list(walk(tmp_path)) == []


def test_a_folder_that_links_to_itself_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "round").symlink_to(tmp_path)
    (tmp_path / "self.jpg").symlink_to("self.jpg")

    reasons = skipped(tmp_path)

    assert found(tmp_path) == []
    assert reasons[b"round"] == "a link to a folder is not followed"
    assert "symbolic links" in reasons[b"self.jpg"]


def test_folders_nested_beyond_the_recursion_limit_are_walked(tmp_path: Path) -> None:
    depth = 200
    deepest = tmp_path.joinpath(*["d"] * depth)
    deepest.mkdir(parents=True)
    (deepest / "deep.jpg").write_bytes(b"x")
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 100)  # the real limit's folders are hard to remove
    try:
        paths = found(tmp_path)
    finally:
        sys.setrecursionlimit(before)

    assert paths == [b"d/" * depth + b"deep.jpg"]


@pytest.mark.parametrize("missing", ["nowhere", "file.txt/inside"])
def test_a_missing_folder_is_told(tmp_path: Path, missing: str) -> None:
    (tmp_path / "file.txt").touch()

    with pytest.raises(CollectionError) as caught:
        list(walk(tmp_path / missing))

    assert missing in caught.value.message
    assert caught.value.hint


def test_a_file_in_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").touch()

    with pytest.raises(CollectionError, match="is a file, not a folder"):
        list(walk(tmp_path / "photo.jpg"))


def test_a_photo_folder_that_cannot_be_opened_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")

    with pytest.raises(CollectionError) as caught:
        list(walk(tmp_path / "loop"))

    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_a_folder_that_vanishes_in_the_middle_ends_as_reasons(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg", "c/d.jpg", "c/e.jpg"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / name).write_bytes(b"x")
    files = walk(tmp_path / "photos")

    first = next(files)
    (tmp_path / "photos").rename(tmp_path / "moved")
    rest = list(files)

    assert first.path == b"a.jpg"
    assert rest == [
        SkippedFile(b"b.jpg", "vanished while it was read"),
        SkippedFile(b"c", "vanished while it was read"),
    ]


def test_what_may_not_be_read_is_skipped_with_a_reason(
    tmp_path: Path, as_nobody: AbstractContextManager[None]
) -> None:
    (tmp_path / "secret.jpg").write_bytes(b"x")
    (tmp_path / "secret.jpg").chmod(0)
    (tmp_path / "locked").mkdir(mode=0)

    with as_nobody:
        items = list(walk(Path()))
        with pytest.raises(PhotoError, match="permission denied"):
            read_file(Path("secret.jpg"))

    assert SkippedFile(b"locked", "permission denied") in items


def test_a_photo_folder_that_may_not_be_read_is_told(
    tmp_path: Path, as_nobody: AbstractContextManager[None]
) -> None:
    (tmp_path / "locked").mkdir(mode=0)

    with as_nobody, pytest.raises(CollectionError, match="permission denied"):
        list(walk(Path("locked")))
