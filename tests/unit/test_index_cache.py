"""The index file of a gallery is a cache: lost, damaged, old or forged, it is made anew."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from indexer.build import build
from indexer.gallery import Gallery, describe
from indexer.index_files import MANIFEST_FILE, read_manifest
from training.progress import Silent


def index_file(folder: Path) -> Path:
    """The rows that a gallery's manifest names."""
    manifest = read_manifest(folder)
    assert manifest is not None
    return folder / manifest.rows


def test_a_lost_or_damaged_index_is_rebuilt_and_saved(built: Any) -> None:
    expected = built.gallery().search(built.gallery().embedding(1), k=12)
    index, manifest = index_file(built.folder), built.folder / MANIFEST_FILE
    for path, data in ((index, b"damaged"), (manifest, b"{}"), (index, None)):
        if data is None:
            path.unlink()
        else:
            path.write_bytes(data)

        gallery = built.gallery()

        assert gallery.search(gallery.embedding(1), k=12) == expected
        assert index_file(built.folder).stat().st_size > 100


def test_an_index_of_an_older_generation_is_rebuilt(built: Any) -> None:
    old = {path: path.read_bytes() for path in built.folder.glob("vectors*")}
    built.paint("new.png", "pink")
    built.build()
    for path, data in old.items():
        path.write_bytes(data)
    assert len(built.gallery()) == 13


def test_while_a_build_writes_the_rebuilt_index_stays_in_memory(built: Any) -> None:
    path = index_file(built.folder)
    path.unlink()
    with FileLock(built.folder / ".lock"):
        assert len(built.gallery()) == 12
    assert not path.exists()


def test_a_forged_index_that_claims_to_be_of_this_generation_is_not_believed(built: Any) -> None:
    manifest = json.loads((built.folder / MANIFEST_FILE).read_text())
    index_file(built.folder).write_bytes(b"\x00" * 4096)
    (built.folder / MANIFEST_FILE).write_text(json.dumps({**manifest, "count": 10**9}))
    assert len(built.gallery()) == 12


def test_a_read_only_gallery_is_searched_from_memory(
    studio: Any, open_folder: Path, as_nobody: AbstractContextManager[None]
) -> None:
    photos = studio.photos.rename(open_folder / "photos")
    request = replace(studio.request, photos=photos, gallery=open_folder / "gallery")
    build(request, progress=Silent())
    path = index_file(request.gallery)
    path.unlink()
    with as_nobody:
        gallery = Gallery.open(request.gallery)
        assert gallery.search(gallery.embedding(2), k=1)[0].id == 2
        assert gallery.read(2).width == 40
    assert not path.exists()


def test_a_gallery_being_rebuilt_answers_from_what_it_had(
    built: Any, make_encoder: Callable[[int], Path]
) -> None:
    gallery = built.gallery()
    before = gallery.search(gallery.embedding(1), k=5)
    built.build(encoder=make_encoder(1), rebuild=True)
    assert gallery.search(gallery.embedding(1), k=5) == before


def test_the_kind_that_is_asked_for_is_built_kept_and_told(built: Any) -> None:
    assert built.gallery().info().index == "exact"
    before = built.gallery().search(built.gallery().embedding(1), k=12)

    report = built.build(index="half")

    assert "index: half" in " ".join(report.notes)
    assert built.gallery().search(built.gallery().embedding(1), k=12) == before
    built.paint("new.png", "pink")
    built.build()
    assert built.gallery().info().index == "half", "remembered"
    assert built.build().notes == (), "nothing had to be done"
    built.build(index="auto")
    info = built.gallery().info()
    assert (info.index, info.index_reason) == ("exact", "every photo is compared")


def test_a_gallery_too_small_for_an_approximate_index_stays_exact_and_says_why(built: Any) -> None:
    built.build(index="approximate")
    info = built.gallery().info()
    assert (info.index, info.index_recall) == ("exact", None)
    assert "1,000 photos and more" in info.index_reason
    assert len(built.gallery().search(built.gallery().embedding(1), k=12)) == 12


def test_a_gallery_whose_index_is_lost_says_who_makes_it(built: Any) -> None:
    (built.folder / MANIFEST_FILE).unlink()
    info = describe(built.folder)
    assert (info.index, info.index_reason) == ("none yet", "the next opening or build makes it")
