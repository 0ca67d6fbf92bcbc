"""The Search page without a browser: what each state says. Clicks are in tests/browser."""

import importlib.machinery
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.library import Library
from app.ui import served, serving
from indexer.build import BuildRequest, build
from training.progress import Silent


def link_of(page: Any) -> dict[str, str]:
    """What the address bar would say; AppTest keeps a list where a visit gave the value."""
    found = page.query_params
    return {
        name: str(found[name][0] if isinstance(found[name], list) else found[name])
        for name in found
    }


@pytest.fixture
def tiles_of(grids_of: Any) -> Callable[[Any, str], list[dict[str, Any]]]:
    """The tiles of the grid whose clicks mean something; none where there is no such grid."""

    def tiles(page: Any, action: str) -> list[dict[str, Any]]:
        return next((g["tiles"] for g in grids_of(page) if g["action"] == action), [])

    return tiles


def test_the_start_page_says_what_the_gallery_holds_and_offers_photos(
    visit: Any, text_of: Any, tiles_of: Any
) -> None:
    page = visit()
    assert "24 photos" in text_of(page)
    assert "toy encoder 0" in text_of(page)
    assert "Find photos that look alike" in text_of(page)
    samples = tiles_of(page, "similar")
    assert len(samples) >= 8
    assert all(tile["score"] is None for tile in samples)


def test_a_link_to_a_photo_shows_its_hits_with_scores(
    visit: Any, text_of: Any, tiles_of: Any
) -> None:
    page = visit(q="3", k="5")
    tiles = tiles_of(page, "open")
    scores = [tile["score"] for tile in tiles]
    assert len(tiles) == 5
    assert scores == sorted(scores, reverse=True)
    assert 3 not in {tile["id"] for tile in tiles}
    assert all(tile["name"].endswith(".jpg") for tile in tiles)
    assert "Most similar photos" in text_of(page)


def test_a_tile_asks_for_its_picture_by_id_and_content_alone(
    visit: Any, library: Library, tiles_of: Any
) -> None:
    for tile in tiles_of(visit(q="3"), "open"):
        content_hash = library.gallery().photo(tile["id"]).content_hash
        assert tile["src"] == f"/thumb/{tile['id']}?v={content_hash}"


def test_the_controls_show_what_the_link_says(visit: Any) -> None:
    page = visit(q="3", k="7", min="0.25")
    assert page.segmented_control(key="results").value == 7
    assert page.slider(key="min_score").value == 0.25


def test_the_link_says_what_the_controls_show(visit: Any, tiles_of: Any) -> None:
    page = visit(q="3")
    page.segmented_control(key="results").set_value(24).run()
    page.slider(key="min_score").set_value(0.1).run()
    assert link_of(page) == {"q": "3", "k": "24", "min": "0.1"}
    assert len(tiles_of(page, "open")) <= 24


def test_a_minimum_that_no_photo_reaches_says_what_the_best_is(
    visit: Any, text_of: Any, tiles_of: Any
) -> None:
    page = visit(q="3", min="1")
    assert "No photo reaches a score of 1.00" in text_of(page)
    assert "The most similar one has 0." in text_of(page)
    page.button[-1].click().run()
    assert tiles_of(page, "open")


def test_an_unknown_photo_is_said_in_words_above_the_start_page(
    visit: Any, text_of: Any, tiles_of: Any
) -> None:
    page = visit(q="987654")
    assert "no photo with id 987654" in text_of(page)
    assert tiles_of(page, "similar")


def test_a_link_that_makes_no_sense_is_said_in_words(
    visit: Any, text_of: Any, tiles_of: Any
) -> None:
    page = visit(q="../../etc/passwd", k="many", min="high")
    said = text_of(page)
    assert "names no photo" in said
    assert "number of results" in said
    assert "score from 0 to 1" in said
    assert "passwd" not in said
    assert tiles_of(page, "similar")


def test_an_expired_upload_is_said_in_words(visit: Any, text_of: Any) -> None:
    page = visit(u="ab" * 32)
    assert "no longer kept" in text_of(page)
    assert "Add the image again" in text_of(page)


def test_an_upload_becomes_a_link_and_finds_its_own_photo(
    visit: Any, shape_folder: Path, tiles_of: Any
) -> None:
    photo = shape_folder / "cross" / "cross-002.jpg"
    page = visit()
    page.file_uploader[0].upload("mine.jpg", photo.read_bytes(), "image/jpeg").run()
    assert set(link_of(page)) == {"u"}
    assert tiles_of(page, "open")[0]["name"] == "cross/cross-002.jpg"
    again = visit(**link_of(page))
    assert tiles_of(again, "open") == tiles_of(page, "open")


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"no image", "not an image"), (bytes(21 << 20), "at most 20 MB")],
)
def test_a_bad_upload_is_said_in_words_and_changes_nothing(
    visit: Any, data: bytes, said: str, text_of: Any
) -> None:
    page = visit()
    page.file_uploader[0].upload("<b>odd</b>.jpg", data, "image/jpeg").run()
    assert said in text_of(page)
    assert "&lt;b&gt;odd&lt;/b&gt;.jpg" in text_of(page)
    assert link_of(page) == {}


def test_cleared_uploads_are_gone_and_the_page_starts_anew(
    visit: Any, library: Library, shape_folder: Path, text_of: Any
) -> None:
    key = library.uploads.keep((shape_folder / "cross" / "cross-002.jpg").read_bytes())
    page = visit(u=key)
    assert "1 upload kept" in text_of(page)
    next(button for button in page.button if button.label == "Clear").click().run()
    assert library.uploads.kept().count == 0
    assert link_of(page) == {}
    assert "Find photos that look alike" in text_of(page)


def test_a_query_photo_that_vanished_still_finds_its_likes(
    visit: Any, library: Library, shape_folder: Path, text_of: Any, tiles_of: Any
) -> None:
    (shape_folder / library.gallery().photo(3).path.decode()).unlink()
    page = visit(q="3")
    assert "cannot be shown: the file vanished" in text_of(page)
    assert tiles_of(page, "open")


def test_a_build_while_the_app_runs_shows_at_the_next_click(
    visit: Any, library: Library, shape_folder: Path, text_of: Any
) -> None:
    page = visit()
    Image.new("RGB", (50, 50), "purple").save(shape_folder / "new.jpg")
    build(BuildRequest(shape_folder, library.folder), progress=Silent())
    assert "25 photos" in text_of(page.run())


def test_a_gallery_that_vanished_while_the_app_runs_is_said_in_words(
    visit: Any, library: Library, text_of: Any
) -> None:
    page = visit()
    (library.folder / "catalogue.sqlite").unlink()
    assert "The gallery cannot be used" in text_of(page.run())


def test_a_gallery_of_one_photo_says_that_there_is_no_other(
    toy_encoder: Path, tmp_path: Path, visit: Any, text_of: Any, tiles_of: Any
) -> None:
    photos = tmp_path / "one"
    photos.mkdir()
    Image.new("RGB", (40, 30), "teal").save(photos / "only.jpg")
    folder = tmp_path / "gallery-of-one"
    build(BuildRequest(photos, folder, encoder=toy_encoder), progress=Silent())
    served.provide(Library(folder))
    assert len(tiles_of(visit(), "similar")) == 1
    assert "There is no other photo" in text_of(visit(q="1"))


def test_the_app_searches_where_torch_is_absent(library: Library) -> None:
    program = (
        # Not None in sys.modules: SciPy looks there for torch without importing it.
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('torch', 'torchvision'):\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "import app.launch, app.ui.search\n"
        "from pathlib import Path\n"
        "from app.library import Library\n"
        "from app.link import Link\n"
        "from app.query import answer\n"
        f"library = Library(Path({str(library.folder)!r}))\n"
        "print(len(answer(library.gallery(), library.uploads, Link(photo=1)).hits))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert ended.stdout == "23\n", ended.stderr


def test_no_file_of_the_pages_shares_a_name_with_another_module() -> None:
    # Streamlit puts the script's folder first on the import path.
    folder = serving.SCRIPT.parent
    elsewhere = [entry for entry in sys.path if Path(entry or ".").resolve() != folder]
    for file in [*folder.glob("*.py"), *(f for f in folder.iterdir() if f.is_dir())]:
        name = file.stem
        if name.startswith("__"):
            continue
        assert name not in sys.stdlib_module_names
        found = importlib.machinery.PathFinder.find_spec(name, elsewhere)
        assert found is None or found.origin is None, f"app/ui/{file.name} hides {found}"
