"""ssl-index search: examples, parts, filters and the forms its results come in."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def album(studio: Any) -> Any:
    """The studio's colours, ten more of them below many/, and a picture of two halves."""
    for number in range(10):
        studio.paint(f"many/{number}.png", (25 * number, 120, 255 - 25 * number))
    halves = np.zeros((100, 100, 3), np.uint8)
    halves[:, :50], halves[:, 50:] = (255, 0, 0), (0, 0, 255)
    Image.fromarray(halves).save(studio.photos / "halves.png")
    studio.build()
    return studio


@pytest.fixture
def search(album: Any, ssl_index: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs `ssl-index search GALLERY` in the folder of the photos."""
    monkeypatch.chdir(album.photos)
    return partial(ssl_index, "search", album.folder)


def found(outcome: Any) -> list[list[str]]:
    """The paths of each search."""
    assert outcome.code == 0, outcome.err
    return [[hit["path"] for hit in block["hits"]] for block in json.loads(outcome.out)]


def test_a_photo_of_the_gallery_is_named_by_its_id_and_does_not_find_itself(
    search: Any, album: Any
) -> None:
    (photo_id,) = [p.id for p in album.gallery().photos(range(99)).values() if p.path == b"a.png"]
    (paths,) = found(search(f"id:{photo_id}", "-k", 99, "--json"))
    assert "a.png" not in paths
    assert len(paths) == 14


def test_a_part_of_a_photo_finds_what_the_part_shows(search: Any) -> None:
    assert found(search("halves.png", "--crop", "0,0,40,100", "-k", 1, "--json")) == [["a.png"]]
    assert found(search("halves.png", "--crop", "60%,0%,40%,100%", "-k", 1, "--json")) == [
        ["c.png"]
    ]


def test_likes_and_unlikes_make_one_search(search: Any) -> None:
    outcome = search("--like", "a.png:2", "--like", "c.png", "--unlike", "b.png", "--json")
    assert json.loads(outcome.out)[0]["query"] == "a.png and c.png, unlike b.png"
    assert {"a.png", "c.png"} <= set(found(outcome)[0][:4])


def test_filters_narrow_the_search_itself(search: Any) -> None:
    (paths,) = found(search("a.png", "--in", "many", "-k", 4, "--json"))
    assert len(paths) == 4
    assert all(path.startswith("many/") for path in paths)
    outcome = search("a.png", "--where", "side >= 100", "--json")
    assert found(outcome) == [["halves.png"]]
    assert "searched among 1 of 15 photos" in search("a.png", "--where", "side >= 100").err


def test_a_photo_is_shown_by_its_path_in_the_folder_that_was_asked_for(
    search: Any, album: Any
) -> None:
    (album.photos / "many" / "z.png").write_bytes((album.photos / "a.png").read_bytes())
    album.build()
    assert found(search("a.png", "-k", 1, "--json")) == [["a.png"]]
    assert found(search("a.png", "-k", 1, "--in", "many", "--json")) == [["many/z.png"]]


def test_results_below_the_least_score_are_left_out(search: Any) -> None:
    assert found(search("a.png", "--min-score", "0.9999", "--json")) == [["a.png"]]


def test_near_duplicates_are_shown_once(search: Any, album: Any) -> None:
    album.paint("red.bmp", "red")
    album.build()
    assert found(search("a.png", "-k", 2, "--json"))[0] == ["a.png", "red.bmp"]
    (paths,) = found(search("a.png", "-k", 3, "--dedup", "--json"))
    assert paths[0] == "a.png"
    assert "red.bmp" not in paths
    assert len(paths) == 3


def test_a_list_on_stdin_is_a_search_for_each_line(search: Any) -> None:
    assert found(search("-", "-k", 1, "--json", stdin=b"a.png\nb.png\n")) == [["a.png"], ["b.png"]]
    assert found(search("-", "-k", 1, "--json", stdin=b"a.png\0b.png\0")) == [["a.png"], ["b.png"]]


def test_lines_of_json_and_bare_paths_come_for_scripts(search: Any, album: Any) -> None:
    lines = search("a.png", "b.png", "-k", 2, "--jsonl").out.splitlines()
    assert [json.loads(line)["query"] for line in lines] == ["a.png"] * 2 + ["b.png"] * 2
    odd = album.paint("two\nlines.png", (250, 0, 0))
    album.build()
    outcome = search("a.png", "-k", 2, "-0")
    assert outcome.out.split("\0") == ["a.png", odd.name, ""]


def test_expansion_can_be_asked_for(search: Any) -> None:
    (paths,) = found(search("a.png", "--expand", "--json"))
    assert len(paths) == 10
    assert found(search("a.png", "--json")) == found(search("a.png", "--no-expand", "--json"))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "give an IMAGE to search by, or --like"),
        (["--unlike", "a.png"], 2, "give an IMAGE"),
        (["a.png", "b.png", "--crop", "0,0,5,5"], 2, "--crop needs exactly one image"),
        (["a.png", "--json", "-0"], 2, "choose one of --json and -0"),
        (["a.png", "--crop", "0,0,5"], 1, "is no crop"),
        (["a.png", "--crop", "90,90,5,5"], 1, "holds no pixel of a photo of 40 x 40"),
        (["a.png", "--where", "side >"], 1, "expected a value at the end: side >>>>"),
        (["a.png", "--where", "label = dog"], 1, "there is no class dog"),
        (["a.png", "--in", "/many"], 1, "not a folder below the photo root"),
        (["id:99"], 1, "no photo with id 99"),
        (["nothing.png"], 1, "nothing.png: there is no such file"),
        (["."], 1, ".: a folder, not a photo"),
        (["a.png", "--unlike", "a.png:2"], 1, "these examples cancel out"),
    ],
)
def test_what_cannot_be_searched_is_said_in_words(
    search: Any, arguments: list[str], code: int, message: str
) -> None:
    outcome = search(*arguments)
    assert outcome.code == code, outcome.err
    assert message in outcome.err
    assert "Traceback" not in outcome.err
    assert outcome.out == ""
