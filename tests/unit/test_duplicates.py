"""Duplicates: which photos are one group, which is kept, and why."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from indexer.duplicates import find_duplicates, near_groups, wasted_bytes


def at_degrees(*degrees: float) -> np.ndarray:
    """Unit rows in a plane, so that a score is the cosine of a difference of angles."""
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_a_chain_of_near_copies_is_one_group_for_a_split() -> None:
    groups = near_groups(at_degrees(0, 90, 10, 20, 95), threshold=np.cos(np.radians(11)))
    assert groups.tolist() == [0, 1, 0, 0, 1]


def test_groups_are_numbered_in_the_order_in_which_they_appear(rng: np.random.Generator) -> None:
    assert near_groups(at_degrees(170, 40, 170, 0, 40)).tolist() == [0, 1, 0, 2, 1]


def test_no_rows_make_no_groups() -> None:
    assert near_groups(np.empty((0, 4), np.float32)).shape == (0,)


def test_ten_thousand_copies_are_one_group() -> None:
    assert near_groups(np.repeat(at_degrees(30), 10_000, axis=0)).max() == 0


@pytest.fixture
def gallery(studio: Any) -> Any:
    """Two exact copies of a gradient, one of half the size, one brighter; beside the studio's."""
    ramp = np.linspace(0, 255, 200).astype(np.uint8)
    across, down = np.tile(ramp, (200, 1)), np.tile(ramp[:, None], (1, 200))
    picture = np.stack([across, down, np.full_like(across, 30)], axis=2)
    image = Image.fromarray(picture)
    image.save(studio.photos / "ramp.png")
    image.save(studio.photos / "ramp copy.png")
    image.resize((100, 100)).save(studio.photos / "small.png")
    studio.build()
    return studio.gallery()


def test_the_keeper_has_the_most_pixels_and_the_reason_says_so(gallery: Any) -> None:
    (group,) = find_duplicates(gallery, threshold=0.999)
    assert group.keeper.path == b"ramp.png"
    assert group.reason == "the most pixels, 200 x 200"
    assert [(c.path, c.exact) for c in group.others] == [
        (b"ramp copy.png", True),
        (b"small.png", False),
    ]
    assert group.others[1].score >= 0.999
    assert wasted_bytes(group) == sum(c.size_bytes for c in group.others)


def test_exact_copies_alone_can_be_asked_for(gallery: Any) -> None:
    (group,) = find_duplicates(gallery, exact_only=True)
    assert [c.path for c in (group.keeper, *group.others)] == [b"ramp.png", b"ramp copy.png"]
    assert group.reason == "the shortest path"


def test_every_file_of_a_group_is_near_its_keeper_even_in_a_chain(studio: Any) -> None:
    for grey in range(60, 200, 4):
        studio.paint(f"grey-{grey}.png", (grey, grey, grey))
    studio.build()
    gallery = studio.gallery()
    groups = find_duplicates(gallery, threshold=0.97)
    ids, rows = gallery.embeddings()
    row = dict(zip(ids.tolist(), rows, strict=True))
    assert len(set(near_groups(rows, threshold=0.97).tolist())) < len(ids)
    listed = [copy.id for group in groups for copy in (group.keeper, *group.others)]
    assert len(listed) == len(set(listed))
    for group in groups:
        for copy in group.others:
            assert float(row[copy.id] @ row[group.keeper.id]) >= 0.97 - 1e-4
            assert copy.score == pytest.approx(float(row[copy.id] @ row[group.keeper.id]))


def test_a_gallery_without_copies_has_no_groups(studio: Any) -> None:
    studio.build()
    assert find_duplicates(studio.gallery(), threshold=0.9999) == []
