import os
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.errors import ConfigError, RunError
from training.labels import (
    UNLABELLED,
    check_teachable,
    folder_classes,
    read_kept_labels,
    read_labels,
)
from training.runs import LABELS_FILE, RunFolder

# Names as a file system takes them, any bytes but two, and those that people's lists would change.
NAMES = st.one_of(
    st.binary(min_size=1).filter(lambda name: not set(name) & set(b"/\0")),
    st.text(" '=\"\r\n,a\u2028", min_size=1).map(os.fsencode),
).filter(lambda name: name not in (b".", b".."))

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


@given(st.sets(st.lists(NAMES, min_size=1, max_size=2).map(b"/".join), min_size=1))
def test_a_run_reads_its_own_labels_back_to_the_letter(names: set[bytes]) -> None:
    paths = tuple(sorted(names))
    labels = folder_classes(paths)
    with TemporaryDirectory() as folder:
        run = RunFolder(Path(folder))
        run.write_labels(paths, labels)

        kept = read_kept_labels(run.path / LABELS_FILE, paths)

    assert kept.names == labels.names
    assert kept.codes.tolist() == labels.codes.tolist()


@pytest.mark.parametrize("text", ["a.jpg", "b.jpg,x", 'a.jpg,"x'])
def test_a_damaged_list_of_a_run_is_told(tmp_path: Path, text: str) -> None:
    with pytest.raises(RunError, match=r"labels\.csv is damaged"):
        read_kept_labels(written(tmp_path, f"path,label\n{text}\n"), (b"a.jpg",))
