import io
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from PIL import ExifTags, Image

from app.uploads import MAX_SIDE, MAX_UPLOAD_BYTES, Uploads
from training.errors import PhotoError, StorageError

Encoded = Callable[..., bytes]


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    return Uploads(tmp_path / "uploads")


def opened(data: bytes | None) -> Image.Image:
    assert data is not None
    return Image.open(io.BytesIO(data))


def distinct(number: int, encoded: Encoded) -> bytes:
    return encoded(Image.new("RGB", (40, 30), (number * 9, 100, 200)), "JPEG")


def unused_for(uploads: Uploads, key: str, *, seconds: int) -> None:
    now = 2_000_000_000
    os.utime(uploads.folder / f"{key}.jpg", (now - seconds, now - seconds))


def test_an_upload_is_kept_as_a_jpeg_named_by_its_own_hash(
    uploads: Uploads, draw_shape: Callable[..., Image.Image], encoded: Encoded
) -> None:
    key = uploads.keep(encoded(draw_shape(), "JPEG"))
    kept = opened(uploads.read(key))
    assert (kept.format, kept.mode, kept.size) == ("JPEG", "RGB", (64, 48))
    assert [path.name for path in uploads.folder.iterdir()] == [f"{key}.jpg"]


def test_the_same_image_is_kept_once(uploads: Uploads, encoded: Encoded) -> None:
    assert uploads.keep(distinct(1, encoded)) == uploads.keep(distinct(1, encoded))
    assert uploads.kept().count == 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_upload_is_kept_upright(
    uploads: Uploads,
    store_oriented: Callable[[Image.Image, int, str], bytes],
    orientation: int,
) -> None:
    picture = Image.new("RGB", (60, 40), "white")
    picture.paste("red", (0, 0, 30, 20))
    kept = opened(uploads.read(uploads.keep(store_oriented(picture, orientation, "JPEG"))))
    assert kept.size == (60, 40)
    red, green, _ = kept.getpixel((10, 10))
    assert red > 200
    assert green < 60
    assert min(kept.getpixel((50, 30))) > 200


def test_no_metadata_of_an_upload_is_kept(uploads: Uploads, encoded: Encoded) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = "taken at home"
    data = encoded(
        Image.new("RGB", (40, 30)), "JPEG", exif=exif, comment=b"private", icc_profile=b"profile"
    )
    kept = opened(uploads.read(uploads.keep(data)))
    assert not kept.getexif()
    assert set(kept.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def test_a_large_upload_is_kept_smaller(uploads: Uploads, encoded: Encoded) -> None:
    wide = encoded(Image.new("RGB", (2 * MAX_SIDE, 300)), "JPEG")
    assert opened(uploads.read(uploads.keep(wide))).size == (MAX_SIDE, 150)


def test_too_many_bytes_are_refused_before_they_are_decoded(uploads: Uploads) -> None:
    with pytest.raises(PhotoError, match="at most 20 MB"):
        uploads.keep(bytes(MAX_UPLOAD_BYTES + 1))


@pytest.mark.parametrize("data", [b"some text", b""])
def test_what_is_no_image_is_refused(uploads: Uploads, data: bytes) -> None:
    with pytest.raises(PhotoError, match="not an image"):
        uploads.keep(data)
    assert uploads.kept().count == 0


def test_half_an_image_is_refused(
    uploads: Uploads, draw_shape: Callable[..., Image.Image], encoded: Encoded
) -> None:
    jpeg = encoded(draw_shape(size=(200, 200)), "JPEG")
    with pytest.raises(PhotoError, match="damaged"):
        uploads.keep(jpeg[: len(jpeg) // 2])
    assert uploads.kept().count == 0


def test_the_longest_unused_upload_makes_room(tmp_path: Path, encoded: Encoded) -> None:
    uploads = Uploads(tmp_path / "uploads", max_kept=2)
    first, second = (uploads.keep(distinct(number, encoded)) for number in (1, 2))
    unused_for(uploads, first, seconds=20)
    unused_for(uploads, second, seconds=30)
    third = uploads.keep(distinct(3, encoded))
    assert uploads.read(second) is None
    assert uploads.read(first) is not None
    assert uploads.read(third) is not None


def test_reading_an_upload_counts_as_using_it(tmp_path: Path, encoded: Encoded) -> None:
    uploads = Uploads(tmp_path / "uploads", max_kept=2)
    first, second = (uploads.keep(distinct(number, encoded)) for number in (1, 2))
    (uploads.folder / f"{first}.jpg").touch()
    for key in (first, second):
        os.utime(uploads.folder / f"{key}.jpg", (1_000_000_000, 1_000_000_000))
    assert uploads.read(first) is not None
    uploads.keep(distinct(3, encoded))
    assert uploads.read(first) is not None
    assert uploads.read(second) is None


def test_uploads_are_bounded_in_bytes_and_the_newest_stays(
    tmp_path: Path, encoded: Encoded
) -> None:
    uploads = Uploads(tmp_path / "uploads", max_bytes=1)
    uploads.keep(distinct(1, encoded))
    newest = uploads.keep(distinct(2, encoded))
    assert uploads.read(newest) is not None
    assert uploads.kept().count == 1


def test_cleared_uploads_have_expired(uploads: Uploads, encoded: Encoded) -> None:
    key = uploads.keep(distinct(1, encoded))
    (uploads.folder / "notes.txt").write_text("not an upload")
    uploads.clear()
    assert uploads.read(key) is None
    assert uploads.kept().count == 0
    assert (uploads.folder / "notes.txt").exists()


def test_nothing_is_kept_before_the_first_upload(uploads: Uploads) -> None:
    assert uploads.kept().count == 0
    uploads.clear()
    assert not uploads.folder.exists()


@pytest.mark.parametrize("key", ["", "..", "../secret", "a" * 63, "G" * 64, "a" * 64 + "\n"])
def test_only_a_hash_ever_becomes_a_file_name(
    uploads: Uploads, encoded: Encoded, tmp_path: Path, key: str
) -> None:
    uploads.keep(distinct(1, encoded))
    (tmp_path / "secret.jpg").write_bytes(distinct(2, encoded))
    assert uploads.read(key) is None


def test_a_kept_file_that_was_altered_has_expired(uploads: Uploads, encoded: Encoded) -> None:
    key = uploads.keep(distinct(1, encoded))
    (uploads.folder / f"{key}.jpg").write_bytes(distinct(2, encoded))
    assert uploads.read(key) is None


def test_a_folder_that_cannot_be_written_is_said_in_words(
    encoded: Encoded, as_nobody: AbstractContextManager[None], tmp_path: Path
) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    with as_nobody, pytest.raises(StorageError, match="permission denied"):
        Uploads(Path("closed") / "uploads").keep(distinct(1, encoded))
