"""Selecting photos by what the catalogue knows of them, and filling in what it did not."""

from contextlib import closing
from pathlib import Path
from sqlite3 import connect
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from indexer.filters import Filter, parse_where
from indexer.gallery import Gallery
from indexer.labels import NONE, Labels
from training.errors import ConfigError


def shoot(path: Path, size: tuple[int, int], taken: str = "", camera: str = "") -> None:
    """A photo of noise, as a camera would write it."""
    exif = Image.Exif()
    if taken:
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = taken
    if camera:
        exif[ExifTags.Base.Model] = camera
    noise = np.random.default_rng(len(path.name)).integers(0, 256, (*size[::-1], 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise).save(path, exif=exif)


@pytest.fixture
def album(studio: Any) -> Any:
    """The studio's four photos without dates, and four with."""
    shoot(studio.photos / "x1/one.jpg", (60, 90), "2020:05:01 00:00:00", "EOS R5")
    shoot(studio.photos / "x1/sub/three.jpg", (200, 100), "2020:12:31 23:59:59", "eos r5 mark")
    shoot(studio.photos / "x10/eleven.jpg", (60, 60), "2021:01:01 00:00:00", "iPhone")
    shoot(studio.photos / "x1.jpg", (300, 50), "2019:01:01 12:00:00")
    studio.build()
    return studio


def paths(gallery: Gallery, wanted: Filter) -> set[str]:
    facts = gallery.photos(gallery.select(wanted).tolist())
    return {photo.path.decode() for photo in facts.values()}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("date = 2020", {"x1/one.jpg", "x1/sub/three.jpg"}),
        ("date = 2020-05-01", {"x1/one.jpg"}),
        ("date > 2020", {"x10/eleven.jpg"}),
        ("date < 2020", {"x1.jpg"}),
        ('camera = "EOS r5"', {"x1/one.jpg", "x1/sub/three.jpg"}),
        ("side >= 100", {"x1/sub/three.jpg"}),
        ("side = 60 and date >= 2021", {"x10/eleven.jpg"}),
        ("size > 1GB", set()),
        ("side = 40", {"a.png", "b.png", "c.png", "sub/d.png"}),
    ],
)
def test_photos_are_selected_by_what_is_known_of_them(
    album: Any, words: str, expected: set[str]
) -> None:
    assert paths(album.gallery(), parse_where(words)) == expected


def test_a_folder_means_all_below_it_and_no_neighbour_of_a_like_name(album: Any) -> None:
    gallery = album.gallery()
    assert paths(gallery, Filter(folder=b"x1")) == {"x1/one.jpg", "x1/sub/three.jpg"}
    assert paths(gallery, Filter(folder=b"x")) == set()
    assert len(gallery.select(Filter())) == len(gallery)


def test_a_copy_in_the_folder_is_enough(album: Any) -> None:
    (album.photos / "x10/again.png").write_bytes((album.photos / "a.png").read_bytes())
    album.build()
    assert paths(album.gallery(), Filter(folder=b"x10")) == {"a.png", "x10/eleven.jpg"}


def test_photos_are_selected_by_their_label_or_the_lack_of_one(album: Any) -> None:
    gallery = album.gallery()
    labels = Labels(album.folder / "catalogue.sqlite")
    ids = gallery.select(Filter(folder=b"x1")).tolist()
    labels.put(ids, "noise", source="search", who="ann")
    labels.put([1], NONE, source="search", who="ann")
    assert gallery.select(parse_where("label = noise")).tolist() == ids
    assert gallery.select(parse_where(f'label = "{NONE}"')).tolist() == [1]
    rest = gallery.select(parse_where("unlabelled")).tolist()
    assert sorted([1, *ids, *rest]) == gallery.embeddings()[0].tolist()
    assert gallery.select(parse_where("unlabelled and label = noise")).size == 0
    with pytest.raises(ConfigError, match="there is no class dog") as raised:
        gallery.select(parse_where("label = dog"))
    assert "noise" in raised.value.hint


def test_selected_photos_are_searched_among(album: Any) -> None:
    gallery = album.gallery()
    among = gallery.select(parse_where("date = 2020"))
    hits = gallery.search(gallery.embedding(1), k=5, among=among)
    assert sorted(hit.id for hit in hits) == among.tolist()


def test_dates_of_photos_indexed_before_are_filled_in_without_embedding_them(album: Any) -> None:
    with closing(connect(album.folder / "catalogue.sqlite")) as catalogue:
        catalogue.execute("UPDATE contents SET taken = NULL, camera = NULL, exif_read = 0")
        catalogue.commit()
    assert paths(album.gallery(), parse_where("date = 2020")) == set()

    assert album.happened() == {"unchanged": 8}

    assert paths(album.gallery(), parse_where("date = 2020")) == {"x1/one.jpg", "x1/sub/three.jpg"}
    (photo,) = album.gallery().photos(album.gallery().select(parse_where("date > 2020"))).values()
    assert (photo.taken, photo.camera) == ("2021-01-01 00:00:00", "iPhone")
