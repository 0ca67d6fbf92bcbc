"""When and with what a photo was taken."""

import io
from pathlib import Path

import pytest
from PIL import ExifTags, Image, TiffImagePlugin

from training.exif import Shot, read_shot
from training.photos import decode, photo_shot


def picture(details: dict[int, object], basics: dict[int, object], form: str = "JPEG") -> bytes:
    """A small photo with these EXIF entries."""
    exif = Image.Exif()
    exif.update(basics)
    exif.get_ifd(ExifTags.IFD.Exif).update(details)
    data = io.BytesIO()
    if form == "TIFF":  # Pillow writes no nested directory into one from `exif`
        nested = {**basics, ExifTags.IFD.Exif: details}
        directory = TiffImagePlugin.ImageFileDirectory_v2()
        for tag, value in nested.items():
            directory[tag] = value
        Image.new("RGB", (8, 8)).save(data, form, tiffinfo=directory)
    else:
        Image.new("RGB", (8, 8)).save(data, form, exif=exif)
    return data.getvalue()


ORIGINAL, DIGITIZED = ExifTags.Base.DateTimeOriginal, ExifTags.Base.DateTimeDigitized
LATER = "2024:01:01 00:00:00"
MAKE, MODEL, CHANGED = ExifTags.Base.Make, ExifTags.Base.Model, ExifTags.Base.DateTime


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_date_and_camera_come_with_the_photo_and_from_the_head_of_its_file(
    form: str, tmp_path: Path
) -> None:
    data = picture({ORIGINAL: "2021:05:30 10:20:30"}, {MAKE: "Canon", MODEL: "Canon EOS R5"}, form)
    (tmp_path / "photo").write_bytes(data)
    expected = Shot("2021-05-30 10:20:30", "Canon EOS R5")
    assert decode(data).shot == expected
    assert photo_shot(tmp_path / "photo") == expected


@pytest.mark.parametrize(
    ("details", "taken"),
    [
        ({DIGITIZED: "1999:12:31 23:59:59"}, "1999-12-31 23:59:59"),
        ({ORIGINAL: "2020:01:02 03:04:05", DIGITIZED: LATER}, "2020-01-02 03:04:05"),
        ({ORIGINAL: "0000:00:00 00:00:00", DIGITIZED: LATER}, "2024-01-01 00:00:00"),
        ({ORIGINAL: "    :  :     :  :  "}, None),
        ({ORIGINAL: "yesterday"}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_the_date_is_when_the_picture_was_made_and_never_when_it_was_edited(
    details: dict[int, object], taken: str | None
) -> None:
    data = picture(details, {CHANGED: "2025:06:07 08:09:10"})
    assert decode(data).shot.taken == taken


@pytest.mark.parametrize(
    ("basics", "camera"),
    [
        ({MAKE: "NIKON CORPORATION", MODEL: "NIKON D750"}, "NIKON D750"),
        ({MAKE: "Apple", MODEL: "iPhone 12"}, "Apple iPhone 12"),
        ({MODEL: "X\x07100\x00   "}, "X 100"),
        ({MAKE: "SONY"}, "SONY"),
        ({}, None),
    ],
)
def test_the_camera_is_named_once_and_on_one_line(
    basics: dict[int, object], camera: str | None
) -> None:
    assert decode(picture({}, basics)).shot.camera == camera


def test_damaged_metadata_says_nothing_and_costs_nothing(tmp_path: Path) -> None:
    image = Image.new("RGB", (4, 4))
    image.info["exif"] = b"Exif\x00\x00II*\x00\xff\xff\xff\xff"
    assert read_shot(image) == Shot()
    (tmp_path / "text").write_text("no photo")
    assert photo_shot(tmp_path / "text") == Shot()
    assert photo_shot(tmp_path / "absent") == Shot()
