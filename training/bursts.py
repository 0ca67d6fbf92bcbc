"""Bursts: photos of one thing, taken one after another, that a contrastive loss would tear apart.

SimCLR pushes the views of different photos away from each other. Where two photos show the same,
that is wrong: they are false negatives. They are found here, before training, and the loss then
leaves such pairs out: they neither repel nor attract. Making a burst one identity, as SupCon
would, was rejected: what looks the same at a glance need not be the same. Of 3,068 garments six
pairs are found, one photo twice and five pairs of different garments of one colour, laid out
alike. To leave such a pair out costs one negative among hundreds; to pull it together would
unlearn what tells garments apart.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from training.wording import counted

# Similarity of grey gradients on a grid of 16 x 16: shape and place, whatever the exposure.
# Measured on garments: a photo moved by 1 % of its side, with other exposure and noise, has 0.98;
# by 2 %, 0.92; different shirts laid out alike, 0.85 to 0.92. No threshold parts the two.
SHAPE_MIN = 0.9
_SHAPE_GRID = 16

# Root mean square difference of colours on a grid of 4 x 4, of their mean: same colours.
COLOUR_MAX = 0.15
_COLOUR_GRID = 4

# A photo is compared with as many that follow it by path: all, in most collections, and beyond
# that the nearest names, for cameras number what they take one after another.
WINDOW = 4096

# A group of more than this share of all photos is no burst: they are all alike (scans of forms),
# and without negatives nothing would be learned.
LARGEST_SHARE = 0.05
LARGEST_MIN = 8

ALONE = -1

_PHOTOS_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class Bursts:
    """Which of n photos look like one another."""

    groups: np.ndarray  # (n,) int64, from 0 in the order of their first photos; ALONE without one
    too_large: tuple[int, ...]  # photos in each group that is no burst; these are ALONE in `groups`

    def lines(self) -> list[str]:
        """What was found and what is done about it; none where nothing was."""
        found = []
        if count := int((self.groups != ALONE).sum()):
            groups = counted(int(self.groups.max()) + 1, "group")
            found.append(
                f"{count:,} photos are near-duplicates of others, in {groups}: they are not used "
                "as each other's negatives (near-duplicates.csv in the run)"
            )
        if self.too_large:
            scenes = counted(len(self.too_large), "scene")
            found.append(
                f"{sum(self.too_large):,} photos look alike (perhaps {scenes}), too many to leave "
                "out: SimCLR pushes them apart; --method byol has no negatives"
            )
        return found


def find_bursts(pixels: np.ndarray, rows: np.ndarray, *, window: int = WINDOW) -> Bursts:
    """Group the photos that look like one another; `Bursts` of n photos.

    Args:
        pixels: `(m, s, s, 3)` uint8, perhaps on disk.
        rows: `(n,)` int64, which of them are the photos, in the order of their paths.
        window: with how many that follow it a photo is compared.
    """
    shapes, colours = _thumbnails(pixels, rows)
    # The last photo known to be in a photo's group. Groups grow block by block, and this alone is
    # kept of the blocks before: where all photos are alike, their pairs would fill the memory.
    last = np.arange(len(rows))
    for first in range(0, len(rows), _PHOTOS_AT_ONCE):
        seen = slice(first, first + _PHOTOS_AT_ONCE + window)
        one, two = _alike(shapes[seen], colours[seen], window)
        known = last[seen] - first
        places = np.arange(len(known))
        groups = _joined(len(known), np.append(one, places), np.append(two, known))
        last[seen] = first + _last_members(groups)
    return _numbered(_joined(len(rows), np.arange(len(rows)), last))


def _alike(shapes: np.ndarray, colours: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray]:
    """The pairs of like photos, `(p,)` int64 twice: one of the first block, one that follows it.

    Args:
        shapes: `(k, 480)` of the block and of the photos after it.
        colours: `(k, 48)` of the same.
        window: with how many that follow it a photo is compared.
    """
    block = slice(0, _PHOTOS_AT_ONCE)
    squares = np.square(colours).sum(axis=1)  # (k,)
    apart = squares[block, None] + squares - 2 * colours[block] @ colours.T  # (b, k)
    near = apart <= COLOUR_MAX**2 * colours.shape[1]  # (b, k)
    near &= shapes[block] @ shapes.T >= SHAPE_MIN
    one, two = np.nonzero(near)
    ahead = (one < two) & (two <= one + window)
    return one[ahead], two[ahead]


def _joined(count: int, one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """The group `(count,)` of each photo, where the pairs `(p,)` link them."""
    links = coo_array((np.ones(len(one), bool), (one, two)), (count, count))
    return np.asarray(connected_components(links, directed=False)[1])


def _last_members(groups: np.ndarray) -> np.ndarray:
    """The place of the last photo in the group of each, `(k,)`."""
    last = np.zeros(len(groups), np.int64)
    np.maximum.at(last, groups, np.arange(len(groups)))
    return np.asarray(last[groups])


def _thumbnails(pixels: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit rows of grey gradients `(n, 480)`, and colours over their mean `(n, 48)`, float32."""
    shapes: list[np.ndarray] = []
    colours: list[np.ndarray] = []
    for first in range(0, len(rows), _PHOTOS_AT_ONCE):
        small = _reduced(pixels[rows[first : first + _PHOTOS_AT_ONCE]], _SHAPE_GRID)
        grey, count = small.mean(axis=3), len(small)
        across, down = np.diff(grey, axis=2), np.diff(grey, axis=1)
        gradients = np.concatenate((across.reshape(count, -1), down.reshape(count, -1)), axis=1)
        # A blank photo has no shape; rounding alone must not give it one.
        length = np.maximum(np.linalg.norm(gradients, axis=1, keepdims=True), 1.0)
        shapes.append(gradients / length)
        colour = _reduced(small, _COLOUR_GRID).reshape(count, -1)
        colours.append(colour / np.maximum(colour.mean(axis=1, keepdims=True), 1.0))
    if not shapes:
        return np.zeros((0, 1), np.float32), np.zeros((0, 1), np.float32)
    return np.concatenate(shapes), np.concatenate(colours)


def _reduced(photos: np.ndarray, grid: int) -> np.ndarray:
    """Means `(n, grid, grid, 3)` over a grid of equal cells; a rest at the edge is left out."""
    cell = max(1, photos.shape[1] // grid)
    grid = min(grid, photos.shape[1])
    cut = photos[:, : grid * cell, : grid * cell]
    # Whole lines first: that runs along the memory.
    lines = cut.reshape(len(photos), grid, cell, -1).mean(axis=2, dtype=np.float32)
    means: np.ndarray = lines.reshape(len(photos), grid, grid, cell, 3).mean(axis=3)
    return means


def _numbered(groups: np.ndarray) -> Bursts:
    """Groups of at least two, and not too large, numbered by their first photo."""
    largest = max(LARGEST_MIN, int(LARGEST_SHARE * len(groups)))
    names, firsts, counts = np.unique(groups, return_index=True, return_counts=True)
    wanted = (counts > 1) & (counts <= largest)
    ordered = names[wanted][np.argsort(firsts[wanted])]
    number = {int(name): place for place, name in enumerate(ordered)}
    numbers = np.array([number.get(int(group), ALONE) for group in groups], np.int64)
    return Bursts(numbers, tuple(int(count) for count in counts[counts > largest]))
