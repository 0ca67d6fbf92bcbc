from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from app.library import Library
from app.link import Link
from app.narrowing import ANY, Narrowing, folders_of
from app.query import answer
from indexer.build import BuildRequest, build
from training.errors import ConfigError
from training.progress import Silent

narrowings = st.builds(
    Narrowing,
    folder=st.none() | st.text("ab/é _", min_size=1),
    since=st.none() | st.dates(max_value=date(9999, 12, 30)),
    until=st.none() | st.dates(max_value=date(9999, 12, 30)),
    label=st.none() | st.text(min_size=1, max_size=5),
    unlabelled=st.booleans(),
)


@pytest.fixture
def library(shape_folder: Path, toy_encoder: Path, tmp_path: Path) -> Library:
    for day in (1, 2, 3):
        photo = Image.new("RGB", (40 + day, 30), "teal")
        exif = Image.Exif()
        exif[0x0132] = f"2021:05:0{day} 23:59:59"
        exif.get_ifd(0x8769)[0x9003] = f"2021:05:0{day} 23:59:59"
        photo.save(shape_folder / f"day-{day}.jpg", exif=exif)
    build(BuildRequest(shape_folder, tmp_path / "gallery", encoder=toy_encoder), progress=Silent())
    return Library(tmp_path / "gallery")


def names(library: Library, narrowing: Narrowing) -> list[str]:
    gallery = library.gallery()
    ids = library.narrowed(gallery, narrowing)
    assert ids is not None
    return [gallery.photo(photo_id).path.decode() for photo_id in ids.tolist()]


@given(narrowings)
def test_a_link_reads_back_its_filters(narrowing: Narrowing) -> None:
    link = Link(photo=1).with_narrowing(narrowing)
    assert Link.parse(link.params()) == link


@pytest.mark.parametrize("text", ["yesterday", "2024-13-01", "2024-6-1x"])
def test_a_day_that_is_none_is_said_in_words(text: str) -> None:
    [problem] = Link.parse({"since": text}).problems
    assert "should be a day" in problem


def test_no_condition_is_all_photos(library: Library) -> None:
    assert library.narrowed(library.gallery(), ANY) is None


def test_a_folder_holds_what_lies_below_it(library: Library) -> None:
    found = names(library, Narrowing(folder="cross"))
    assert found
    assert all(name.startswith("cross/") for name in found)
    assert "cross" in library.folders(library.gallery())


def test_days_are_inclusive_at_both_ends(library: Library) -> None:
    one = Narrowing(since=date(2021, 5, 2), until=date(2021, 5, 2))
    assert names(library, one) == ["day-2.jpg"]
    assert names(library, Narrowing(since=date(2021, 5, 2))) == ["day-2.jpg", "day-3.jpg"]
    assert names(library, Narrowing(until=date(2021, 5, 2))) == ["day-1.jpg", "day-2.jpg"]


def test_a_label_finds_its_photos_and_unlabelled_finds_the_others(library: Library) -> None:
    library.labels.put([1, 3], "cat", source="search", who="me")
    gallery = library.gallery()
    cats = library.narrowed(gallery, Narrowing(label="cat"))
    others = library.narrowed(gallery, Narrowing(unlabelled=True))
    assert cats is not None
    assert others is not None
    assert cats.tolist() == [1, 3]
    assert len(others) == len(gallery) - 2
    assert not np.isin(others, cats).any()


def test_conditions_hold_together(library: Library) -> None:
    library.labels.put([1], "cat", source="search", who="me")
    both = Narrowing(label="cat", since=date(2021, 5, 2))
    assert names(library, both) == []
    assert both.count == 2


def test_an_unknown_folder_is_said_in_words(library: Library) -> None:
    with pytest.raises(ConfigError, match="in a folder nowhere"):
        library.narrowed(library.gallery(), Narrowing(folder="nowhere"))


def test_filters_come_before_the_best_are_taken(library: Library) -> None:
    gallery = library.gallery()
    among = library.narrowed(gallery, Narrowing(folder="cross"))
    assert among is not None
    found = answer(gallery, library.uploads, Link(photo=1, results=3), among=among)
    assert len(found.hits) == 3
    assert all(hit.path.startswith(b"cross/") for hit in found.hits)
    assert found.candidates == len(set(among.tolist()) - {1})


def test_folders_are_listed_with_those_above_them_as_people_read_them() -> None:
    folders = folders_of([b"a/b/c.jpg", b"a/d.jpg", b"e.jpg", b"caf\xe9/f.jpg"])
    assert folders == {"a": b"a", "a/b": b"a/b", "caf\\xe9": b"caf\xe9"}
