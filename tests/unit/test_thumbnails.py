import io
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import ExifTags, Image

from app.thumbnails import Thumbnails
from indexer.build import BuildRequest, build
from indexer.gallery import Gallery
from training.errors import GalleryError, PhotoError
from training.progress import Silent

WIDE = 1
TURNED = 2


@pytest.fixture
def photos(tmp_path: Path, store_oriented: Callable[[Image.Image, int, str], bytes]) -> Path:
    """A wide photo, and one that is stored turned by 90 degrees."""
    root = tmp_path / "photos"
    root.mkdir()
    Image.new("RGB", (300, 100), "seagreen").save(root / "a-wide.jpg", comment="made here")
    turned = Image.new("RGB", (90, 120), "white")
    turned.paste("red", (0, 0, 90, 30))
    (root / "b-turned.jpg").write_bytes(store_oriented(turned, 6, "JPEG"))
    return root


@pytest.fixture
def gallery(photos: Path, toy_encoder: Path, tmp_path: Path) -> Gallery:
    folder = tmp_path / "gallery"
    build(BuildRequest(photos, folder, encoder=toy_encoder), progress=Silent())
    return Gallery.open(folder, device="cpu")


def picture(thumbnails: Thumbnails, gallery: Gallery, photo_id: int, *, side: int) -> Image.Image:
    content_hash = gallery.photo(photo_id).content_hash
    return Image.open(
        io.BytesIO(thumbnails.jpeg(gallery, photo_id, content_hash=content_hash, side=side))
    )


def test_a_thumbnail_is_bounded_and_keeps_its_shape(gallery: Gallery) -> None:
    made = picture(Thumbnails(), gallery, WIDE, side=60)
    assert (made.format, made.size) == ("JPEG", (60, 20))


def test_a_small_photo_is_not_enlarged(gallery: Gallery) -> None:
    assert picture(Thumbnails(), gallery, WIDE, side=4000).size == (300, 100)


def test_a_thumbnail_is_upright(gallery: Gallery) -> None:
    made = picture(Thumbnails(), gallery, TURNED, side=60)
    assert made.size == (45, 60)
    red, green, _ = made.getpixel((22, 5))
    assert red > 200
    assert green < 60
    assert min(made.getpixel((22, 50))) > 200


def test_a_thumbnail_holds_no_metadata(gallery: Gallery) -> None:
    for photo_id in (WIDE, TURNED):
        made = picture(Thumbnails(), gallery, photo_id, side=60)
        assert ExifTags.Base.Orientation not in made.getexif()
        assert "comment" not in made.info


def test_a_thumbnail_is_made_once(gallery: Gallery, photos: Path) -> None:
    thumbnails = Thumbnails()
    first = picture(thumbnails, gallery, WIDE, side=60)
    (photos / "a-wide.jpg").unlink()
    assert picture(thumbnails, gallery, WIDE, side=60).tobytes() == first.tobytes()


def test_each_size_is_its_own_picture(gallery: Gallery) -> None:
    thumbnails = Thumbnails()
    assert picture(thumbnails, gallery, WIDE, side=60).width == 60
    assert picture(thumbnails, gallery, WIDE, side=90).width == 90


def test_the_memory_is_bounded_and_the_longest_unused_goes(gallery: Gallery, photos: Path) -> None:
    sizes = Thumbnails()
    for side in (60, 61, 62):
        picture(sizes, gallery, WIDE, side=side)
    thumbnails = Thumbnails(max_bytes=sizes.size_bytes - 1)
    for side in (60, 61, 60, 62):  # 60 is used again, so 61 makes room
        picture(thumbnails, gallery, WIDE, side=side)
    assert 0 < thumbnails.size_bytes < sizes.size_bytes
    (photos / "a-wide.jpg").unlink()
    assert picture(thumbnails, gallery, WIDE, side=60).width == 60
    with pytest.raises(PhotoError):
        picture(thumbnails, gallery, WIDE, side=61)


def test_a_photo_that_vanished_is_an_error_with_a_reason(gallery: Gallery, photos: Path) -> None:
    (photos / "a-wide.jpg").unlink()
    with pytest.raises(PhotoError, match="vanished"):
        picture(Thumbnails(), gallery, WIDE, side=60)


def test_an_unknown_photo_is_an_error(gallery: Gallery) -> None:
    with pytest.raises(GalleryError, match="987654"):
        Thumbnails().jpeg(gallery, 987654, content_hash="", side=60)
