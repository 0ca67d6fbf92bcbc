from pathlib import Path

import numpy as np
import pytest

from training.errors import ConfigError
from training.labels import UNLABELLED, check_teachable, folder_classes, read_labels

PATHS = (b"a.jpg", b"red/b.jpg", b"red/c.jpg", b"blue/d.jpg", "grün/é.jpg".encode())


def written(folder: Path, text: str) -> Path:
    file = folder / "labels.csv"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    return file


def test_folders_are_classes_and_photos_outside_have_none() -> None:
    labels = folder_classes(PATHS)

    assert labels.names == ("blue", "grün", "red")
    assert labels.codes.tolist() == [UNLABELLED, 2, 2, 0, 1]
    assert labels.count == 4


@pytest.mark.parametrize(
    "text",
    [
        "red/b.jpg,warm\na.jpg,cold\n",
        "path,label\nred/b.jpg,warm\na.jpg,cold\n",
        "\ufeffid,Label,who,Path\r\n7,warm,me,./red/b.jpg\r\n8,cold,me,a.jpg\r\n",
    ],
)
def test_a_csv_gives_photos_their_labels_with_or_without_named_columns(
    tmp_path: Path, text: str
) -> None:
    labels = read_labels(written(tmp_path, text), PATHS)

    assert labels.names == ("cold", "warm")
    assert labels.codes.tolist() == [0, 1, -1, -1, -1]
    assert labels.problems == ()


def test_names_of_any_bytes_find_their_photo(tmp_path: Path) -> None:
    paths = (b"\xff\xfe.jpg", "grün/é.jpg".encode())

    labels = read_labels(written(tmp_path, "\udcff\udcfe.jpg,x\ngrün/é.jpg,y\n"), paths)

    assert labels.codes.tolist() == [0, 1]


def test_what_cannot_be_used_is_told_line_by_line(tmp_path: Path) -> None:
    text = "path,label\na.jpg,x\nmissing.jpg,x\na.jpg,y\nred/b.jpg\nred/c.jpg,\nblue/d.jpg,x\n"

    labels = read_labels(written(tmp_path, text), PATHS)

    assert labels.codes.tolist() == [0, -1, -1, 0, -1]
    assert [problem.split(":")[0] for problem in labels.problems] == [
        f"line {n}" for n in (3, 4, 5, 6)
    ]
    assert "missing.jpg" in labels.problems[0]


@pytest.mark.parametrize("text", ["", "nothing.jpg,x\n", "a.jpg\n"])
def test_a_file_that_labels_no_photo_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="none of the 5 photos"):
        read_labels(written(tmp_path, text), PATHS)


def test_a_missing_file_and_one_that_is_no_csv_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no\.csv"):
        read_labels(tmp_path / "no.csv", PATHS)
    with pytest.raises(ConfigError, match="not a CSV"):
        read_labels(written(tmp_path, 'a.jpg,"x\n'), PATHS)


def test_labels_that_teach_nothing_are_refused() -> None:
    check_teachable(folder_classes(PATHS))
    for paths, words in (((b"x/a", b"y/b", b"c"), "no two"), ((b"x/a", b"x/b"), "one label x")):
        with pytest.raises(ConfigError, match=words):
            check_teachable(folder_classes(paths))
    with pytest.raises(ConfigError, match="no two"):
        check_teachable(folder_classes((b"a", b"b")))
    assert np.array_equal(folder_classes((b"a",)).codes, [UNLABELLED])
