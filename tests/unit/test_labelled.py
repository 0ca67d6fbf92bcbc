"""Class folders as labels: what is accepted, what is refused, how they are split."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.cache import PhotoSet
from training.errors import CollectionError
from training.labelled import label_by_folder, stratified_split

ROOT = Path("labelled")


def photos(*paths: str) -> PhotoSet:
    count = len(paths)
    return PhotoSet(
        pixels=np.zeros((count, 4, 4, 3), np.uint8),
        rows=np.arange(count),
        aspects=np.ones(count, np.float32),
        paths=tuple(path.encode() for path in paths),
        skipped=(),
        decoded=0,
    )


def four(name: str) -> list[str]:
    return [f"{name}/{i}.jpg" for i in range(4)]


def test_the_folder_is_the_class_and_loose_photos_are_counted() -> None:
    labelled = label_by_folder(ROOT, photos(*four("cat"), "loose.jpg", *four("dog")))

    assert labelled.names == ("cat", "dog")
    assert labelled.codes.tolist() == [0] * 4 + [1] * 4
    assert labelled.chosen.tolist() == [0, 1, 2, 3, 5, 6, 7, 8]
    assert labelled.loose == 1


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        (["a.jpg", "b.jpg"], "no class folders"),
        (four("cat"), "only the class 'cat'"),
        ([*four("cat"), "dog/1.jpg"], "'dog' has 1"),
        ([], "no class folders"),
    ],
)
def test_what_cannot_be_judged_by_is_refused_with_a_hint(paths: list[str], words: str) -> None:
    with pytest.raises(CollectionError) as refused:
        label_by_folder(ROOT, photos(*paths))

    assert words in refused.value.message
    assert refused.value.hint


@given(st.lists(st.integers(4, 40), min_size=2, max_size=6), st.integers(0, 1000))
def test_both_sides_have_two_of_every_class_and_no_photo_is_on_both(
    counts: list[int], seed: int
) -> None:
    codes = np.repeat(np.arange(len(counts)), counts)

    train, test = stratified_split(codes, seed)

    assert sorted([*train, *test]) == list(range(len(codes)))
    for code, count in enumerate(counts):
        held = int((codes[test] == code).sum())
        assert held == max(2, round(0.3 * count))
        assert count - held >= 2


def test_the_seed_decides_the_split() -> None:
    codes = np.repeat(np.arange(3), 10)

    same, other = stratified_split(codes, 0), stratified_split(codes, 1)

    np.testing.assert_array_equal(stratified_split(codes, 0)[1], same[1])
    assert not np.array_equal(same[1], other[1])
