import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

from training.cache import open_photos
from training.errors import CollectionError, Interrupted, RunError
from training.progress import Silent

SIZE = 16


def draw(folder: Path, name: str, shade: int, size: tuple[int, int] = (40, 30)) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    Image.new("RGB", size, (shade, 0, 255 - shade)).save(path)
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for index in range(6):
        draw(tmp_path / "photos", f"{index}.png", 40 * index)
    return tmp_path / "photos"


def shades(found: object) -> list[int]:
    return [int(row[0, 0, 0]) for row in found.pixels[found.rows]]  # type: ignore[attr-defined]


def test_photos_come_in_the_order_of_their_paths_with_their_true_shape(
    photos: Path, tmp_path: Path
) -> None:
    found = open_photos(photos, tmp_path / "c", SIZE, progress=Silent())

    assert found.paths == tuple(f"{index}.png".encode() for index in range(6))
    assert found.pixels.shape == (6, SIZE, SIZE, 3)
    assert found.pixels.dtype == np.uint8
    assert shades(found) == [0, 40, 80, 120, 160, 200]
    np.testing.assert_allclose(found.aspects, 40 / 30)


def test_a_second_opening_decodes_nothing(photos: Path, tmp_path: Path) -> None:
    open_photos(photos, tmp_path / "c", SIZE, progress=Silent())

    again = open_photos(photos, tmp_path / "c", SIZE, progress=Silent())

    assert again.decoded == 0
    assert len(again) == 6


def test_added_and_changed_photos_alone_are_decoded(photos: Path, tmp_path: Path) -> None:
    open_photos(photos, tmp_path / "c", SIZE, progress=Silent())
    draw(photos, "3.png", 250, size=(50, 50))
    draw(photos, "25.png", 99)

    found = open_photos(photos, tmp_path / "c", SIZE, progress=Silent())

    assert found.decoded == 2
    assert shades(found) == [0, 40, 80, 99, 250, 160, 200]
    assert found.aspects[4] == 1.0


def test_a_vanished_photo_is_no_longer_there(photos: Path, tmp_path: Path) -> None:
    open_photos(photos, tmp_path / "c", SIZE, progress=Silent())
    (photos / "0.png").unlink()

    found = open_photos(photos, tmp_path / "c", SIZE, progress=Silent())

    assert shades(found) == [40, 80, 120, 160, 200]


def test_bad_files_are_listed_with_a_reason_and_remembered(photos: Path, tmp_path: Path) -> None:
    (photos / "notes.txt").write_text("no photo")

    first = open_photos(photos, tmp_path / "c", SIZE, progress=Silent())
    again = open_photos(photos, tmp_path / "c", SIZE, progress=Silent())

    assert [file.path for file in first.skipped] == [b"notes.txt"]
    assert again.skipped == first.skipped
    assert again.decoded == 0


def test_stopping_keeps_what_was_decoded(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        open_photos(photos, tmp_path / "c", SIZE, progress=Silent(), stop=after(3))

    found = open_photos(photos, tmp_path / "c", SIZE, progress=Silent())

    assert found.decoded == 3
    assert shades(found) == [0, 40, 80, 120, 160, 200]


@pytest.mark.parametrize("cut", [1, 30, 200])
def test_a_line_cut_short_by_a_crash_costs_one_photo(
    photos: Path, tmp_path: Path, cut: int
) -> None:
    open_photos(photos, tmp_path / "c", SIZE, progress=Silent())
    index = tmp_path / "c" / "photos.jsonl"
    os.truncate(index, index.stat().st_size - cut)

    for _ in range(2):
        found = open_photos(photos, tmp_path / "c", SIZE, progress=Silent())

    assert found.decoded == 0
    assert shades(found) == [0, 40, 80, 120, 160, 200]


def test_what_follows_a_damaged_line_is_decoded_once_more_and_not_for_ever(
    photos: Path, tmp_path: Path
) -> None:
    open_photos(photos, tmp_path / "c", SIZE, progress=Silent())
    index = tmp_path / "c" / "photos.jsonl"
    lines = index.read_bytes().splitlines(keepends=True)
    index.write_bytes(b"".join([*lines[:3], b"\x00\xff\n", *lines[4:]]))

    decoded = [open_photos(photos, tmp_path / "c", SIZE, progress=Silent()) for _ in range(2)]

    assert [found.decoded for found in decoded] == [4, 0]
    assert shades(decoded[1]) == [0, 40, 80, 120, 160, 200]


@pytest.mark.parametrize("damage", ["pixels", "index", "header"])
def test_a_damaged_cache_is_made_anew(photos: Path, tmp_path: Path, damage: str) -> None:
    open_photos(photos, tmp_path / "c", SIZE, progress=Silent())
    index, pixels = tmp_path / "c" / "photos.jsonl", next((tmp_path / "c").glob("pixels-*.u8"))
    if damage == "pixels":
        os.truncate(pixels, 100)
    elif damage == "index":
        index.write_bytes(b"\x00\xff")
    else:
        lines = index.read_text().splitlines()
        index.write_text("\n".join([json.dumps({"version": 0}), *lines[1:]]) + "\n")

    found = open_photos(photos, tmp_path / "c", SIZE, progress=Silent())

    assert found.decoded == 6
    assert shades(found) == [0, 40, 80, 120, 160, 200]


def test_a_cache_of_mostly_dead_rows_starts_anew(photos: Path, tmp_path: Path) -> None:
    for round_ in range(5):
        for index in range(6):
            draw(photos, f"{index}.png", 10 * round_ + index, size=(40 + round_, 30))
        found = open_photos(photos, tmp_path / "c", SIZE, progress=Silent())

        assert shades(found) == [10 * round_ + index for index in range(6)]
    assert len(found.pixels) <= 12
    assert len(list((tmp_path / "c").glob("pixels-*.u8"))) == 1


def test_names_that_are_not_text_are_kept_to_the_byte(photos: Path, tmp_path: Path) -> None:
    name = b"caf\xe9\n.png"
    draw(photos, "x.png", 7).rename(photos / os.fsdecode(name))

    open_photos(photos, tmp_path / "c", SIZE, progress=Silent())
    found = open_photos(photos, tmp_path / "c", SIZE, progress=Silent())

    assert name in found.paths
    assert found.decoded == 0


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CollectionError, match="no folder"):
        open_photos(tmp_path / "none", tmp_path / "c", SIZE, progress=Silent())


def test_a_folder_without_photos_gives_none(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.txt").write_text("text")

    found = open_photos(tmp_path / "photos", tmp_path / "c", SIZE, progress=Silent())

    assert len(found) == 0
    assert len(found.skipped) == 1


def test_two_processes_do_not_fill_one_cache(photos: Path, tmp_path: Path) -> None:
    open_photos(photos, tmp_path / "c", SIZE, progress=Silent())

    with FileLock(tmp_path / "c" / ".lock"), pytest.raises(RunError, match="another process"):
        open_photos(photos, tmp_path / "c", SIZE, progress=Silent())


def test_the_cache_itself_is_never_taken_for_photos(photos: Path) -> None:
    open_photos(photos, photos / "cache", SIZE, progress=Silent())

    found = open_photos(photos, photos / "cache", SIZE, progress=Silent())

    assert len(found) == 6
    assert found.skipped == ()


def after(calls: int) -> Callable[[], bool]:
    """A stop request that comes at the given call."""
    seen = iter(range(1, 10_000))
    return lambda: next(seen) >= calls
