"""Labels from outside: every row and every file ends as a label or as a problem with its reason."""

from pathlib import Path
from typing import Any

import pytest

from app.imports import FoundLabels, Problem, read_class_folders, read_csv, store
from training.errors import CollectionError, Interrupted, LabelError
from training.progress import Silent


def written(folder: Path, data: bytes) -> Path:
    file = folder / "labels.csv"
    file.write_bytes(data)
    return file


@pytest.fixture
def read(wardrobe: Any, tmp_path: Path) -> Any:
    """Reads a CSV of these bytes: labels by path, and the problems."""

    def call(data: bytes) -> tuple[dict[str, str | None], dict[str, str]]:
        found: FoundLabels = read_csv(
            written(tmp_path, data), wardrobe.catalogue, photo_root=wardrobe.photos
        )
        facts = wardrobe.gallery.photos([new.photo_id for new in found.labels])
        names = {facts[new.photo_id].path.decode(): new.name for new in found.labels}
        return names, {problem.where: problem.reason for problem in found.problems}

    return call


def test_a_csv_labels_photos_by_path(read: Any) -> None:
    data = b"path,label\nred-00.png,hat\n./blue-01.png, shoe \n"
    assert read(data) == ({"red-00.png": "hat", "blue-01.png": "shoe"}, {})


def test_columns_may_stand_in_any_order_and_may_have_no_names(read: Any) -> None:
    assert read(b"x,Label,Path\n1,hat,red-00.png\n")[0] == {"red-00.png": "hat"}
    assert read(b"red-00.png,hat\n")[0] == {"red-00.png": "hat"}


def test_absolute_paths_below_the_photo_root_are_understood(read: Any, wardrobe: Any) -> None:
    data = f"{wardrobe.photos.resolve()}/red-00.png,hat\n".encode()
    assert read(data)[0] == {"red-00.png": "hat"}


def test_what_cannot_be_used_is_told_with_its_line(read: Any) -> None:
    data = b'path,label\nnowhere.png,hat\nred-00.png,\nred-01.png\nred-02.png,"two\nlines"\n'
    names, problems = read(data + b"red-03.png,hat\nred-03.png,shoe\n\xff,hat\n")
    assert names == {"red-03.png": "hat"}
    assert list(problems) == ["line 2", "line 4", "line 9", "line 3", "line 6", "line 8"]
    assert problems["line 2"] == "the gallery has no photo nowhere.png"
    assert problems["line 9"] == "the gallery has no photo \\xff"
    assert problems["line 3"] == "it has no label"
    assert problems["line 4"] == "1 columns, a path and a label are needed"
    assert "cannot be the name" in problems["line 6"]
    assert "is hat already, shoe is left out" in problems["line 8"]


def test_the_source_is_taken_over_where_it_is_one(wardrobe: Any, tmp_path: Path) -> None:
    data = b"path,label,source\nred-00.png,hat,random\nred-01.png,hat,magic\n"
    found = read_csv(written(tmp_path, data), wardrobe.catalogue, photo_root=wardrobe.photos)
    assert [new.source for new in found.labels] == ["random", "import"]


def test_a_file_that_is_no_csv_is_refused(wardrobe: Any, tmp_path: Path) -> None:
    for data in (b'a,"b', b'"a"b,c\n'):
        with pytest.raises(LabelError, match="no CSV"):
            read_csv(written(tmp_path, data), wardrobe.catalogue, photo_root=wardrobe.photos)
    with pytest.raises(LabelError, match="cannot read"):
        read_csv(tmp_path / "nowhere.csv", wardrobe.catalogue, photo_root=wardrobe.photos)


def test_an_import_is_one_action_and_a_second_one_changes_nothing(
    wardrobe: Any, tmp_path: Path
) -> None:
    file = written(tmp_path, b"red-00.png,hat\nblue-00.png,blue\nblue-20.png,blue\n")
    before = wardrobe.labels.current()
    found = read_csv(file, wardrobe.catalogue, photo_root=wardrobe.photos)

    first = store(found, wardrobe.labels, who="ben")
    assert (first.labelled, first.unchanged) == (2, 1)
    second = store(found, wardrobe.labels, who="ben")
    assert (second.labelled, second.unchanged, second.action) == (0, 3, 0)
    wardrobe.labels.undo(who="ben")
    assert wardrobe.labels.current() == before


def test_class_folders_match_by_content_wherever_the_copies_lie(
    wardrobe: Any, tmp_path: Path
) -> None:
    root = tmp_path / "sorted"
    for name in ("hats", "deep/er", "shoes"):
        (root / name).mkdir(parents=True)
    original = (wardrobe.photos / "red-20.png").read_bytes()
    (root / "hats" / "other name.png").write_bytes(original)
    (root / "shoes" / "twice.png").write_bytes(original)
    (root / "deep" / "er" / "b.png").write_bytes((wardrobe.photos / "blue-20.png").read_bytes())
    (root / "hats" / "stranger.png").write_bytes(b"not in the gallery")
    (root / "hats" / "empty.png").write_bytes(b"")
    (root / "loose.png").write_bytes(original)

    found = read_class_folders(root, wardrobe.catalogue, progress=Silent())

    names = {new.photo_id: new.name for new in found.labels}
    assert names == {wardrobe.id_of("red-20.png"): "hats", wardrobe.id_of("blue-20.png"): "deep/er"}
    assert {problem.where: problem.reason for problem in found.problems} == {
        "loose.png": "it lies in no class folder",
        "hats/empty.png": "the file is empty (0 bytes)",
        "hats/stranger.png": "the gallery has no photo with this content",
        "shoes/twice.png": "the photo is hats already, shoes is left out",
    }


def test_reading_folders_can_be_stopped_and_a_missing_one_is_told(
    wardrobe: Any, tmp_path: Path
) -> None:
    (tmp_path / "sorted" / "hats").mkdir(parents=True)
    (tmp_path / "sorted" / "hats" / "a.png").write_bytes(b"x")
    with pytest.raises(Interrupted):
        read_class_folders(
            tmp_path / "sorted", wardrobe.catalogue, progress=Silent(), stop=lambda: True
        )
    with pytest.raises(CollectionError):
        read_class_folders(tmp_path / "nowhere", wardrobe.catalogue, progress=Silent())


def test_a_problem_prints_as_where_and_why() -> None:
    assert str(Problem("line 3", "why")) == "line 3: why"
