"""Photos that are the same: exact copies by content, near copies by the score of their embeddings.

Only ever a list with a suggestion which to keep and why; nothing is changed or deleted.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from indexer.gallery import Gallery
from indexer.records import PhotoFacts
from indexer.vectors import cosines
from training.errors import Interrupted
from training.progress import Progress, Silent

# Re-encoded, resized and slightly cropped copies of one photo score above this; two photos of one
# thing seldom do.
NEAR = 0.95

# Scores this much below the threshold may be it, summed in another order.
_ROUNDING = 1e-5

# Scores are compared in blocks of at most this many: 64 MB.
_SCORES_AT_A_TIME = 1 << 24

_SILENT = Silent()


@dataclass(frozen=True, slots=True)
class Copy:
    """One file of a group."""

    id: int
    path: bytes  # relative to the photo root
    score: float  # cosine with the keeper
    exact: bool  # whether it is byte for byte the keeper
    width: int
    height: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """Files that show the same, and which of them to keep."""

    keeper: Copy
    reason: str  # why that one, in words
    others: tuple[Copy, ...]  # exact copies first, then by falling score


def near_groups(
    rows: np.ndarray,
    *,
    threshold: float = NEAR,
    progress: Progress = _SILENT,
    stop: Callable[[], bool] = lambda: False,
) -> np.ndarray:
    """Group near-copies: whoever is linked by a chain of scores of at least `threshold`.

    Use it to keep copies on one side of a split: no two rows of different groups score higher.

    Args:
        rows: `(n, d)` float32 unit rows.
        threshold: the least cosine of a link.
        progress: told of the photos that were compared with all others.
        stop: asked now and then.

    Returns:
        Group numbers `(n,)` int64, from 0 in the order of first appearance; a row without a
        near-copy is a group of its own.

    Raises:
        Interrupted: `stop` said so.
    """
    count = len(rows)
    if count == 0:
        return np.empty(0, dtype=np.int64)
    # Equal rows are linked at once: a collection of copies would otherwise have n * n links.
    distinct, labels = np.unique(rows, axis=0, return_inverse=True)
    joined = np.arange(len(distinct))  # the group of each distinct row
    progress.start("comparing", total=len(distinct), unit="photos")
    for compared, left, right in _links(np.ascontiguousarray(distinct), threshold):
        if stop():
            raise Interrupted("stopped while comparing", hint="comparing begins anew")
        if len(left):
            joined = _joined(joined, left, right)
        progress.advance(compared)
    progress.finish()
    return _numbered(joined[labels.reshape(-1)])


def find_duplicates(
    gallery: Gallery,
    *,
    threshold: float = NEAR,
    exact_only: bool = False,
    progress: Progress = _SILENT,
    stop: Callable[[], bool] = lambda: False,
) -> list[DuplicateGroup]:
    """Groups of two files or more; those that waste the most bytes first.

    Every file of a group scores at least `threshold` with its keeper, so that a chain of small
    differences does not end with two different photos in one group.

    Args:
        gallery: an open gallery.
        threshold: the least cosine of a near-copy with the keeper.
        exact_only: list only files that are byte for byte the same.
        progress: told of the photos that were compared with all others.
        stop: asked now and then.

    Raises:
        Interrupted: `stop` said so.
    """
    ids, rows = gallery.embeddings()
    facts = gallery.photos(ids.tolist())
    # A photo may have left the catalogue since the index was read.
    listed = np.array([photo_id in facts for photo_id in ids.tolist()], dtype=bool)
    rows = rows[listed]
    known = [facts[photo_id] for photo_id in ids[listed].tolist()]
    numbers = np.arange(len(rows))
    if not exact_only:
        numbers = near_groups(rows, threshold=threshold, progress=progress, stop=stop)
    groups: list[DuplicateGroup] = []
    for positions in _members(numbers):
        groups += _around_keepers([known[p] for p in positions], rows[positions], threshold)
    return sorted(groups, key=lambda group: (-wasted_bytes(group), group.keeper.path))


def wasted_bytes(group: DuplicateGroup) -> int:
    """What the files beside the keeper take on the disk."""
    return sum(copy.size_bytes for copy in group.others)


def _members(numbers: np.ndarray) -> list[np.ndarray]:
    """The positions of each group."""
    order = np.argsort(numbers, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1) if len(order) else []


def _around_keepers(
    photos: Sequence[PhotoFacts], rows: np.ndarray, threshold: float
) -> list[DuplicateGroup]:
    """The best photo takes all that are near it; the best of the rest goes on, until none is left.

    Args:
        photos: `m` photos of one chain.
        rows: `(m, d)`, theirs.
        threshold: the least cosine with the keeper.
    """
    groups = []
    left = sorted(range(len(photos)), key=lambda p: _preference(photos[p]))
    while left:
        keeper = photos[left[0]]
        scores = cosines(rows[left], rows[left[0]])  # (left,)
        near = scores >= threshold - _ROUNDING
        near[0] = True
        taken = [(photos[p], float(s)) for p, s, n in zip(left, scores, near, strict=True) if n]
        left = [p for p, is_near in zip(left, near, strict=True) if not is_near]
        if len(taken) > 1 or keeper.other_paths:
            groups.append(_group(keeper, taken))
    return groups


def _group(keeper: PhotoFacts, near: list[tuple[PhotoFacts, float]]) -> DuplicateGroup:
    """A group from its keeper and all its photos, the keeper first."""
    best, *copies = _paths(keeper)
    others = [_copy(keeper, path, score=1.0, exact=True) for path in copies]
    for photo, score in sorted(near[1:], key=lambda pair: -pair[1]):
        others += [_copy(photo, path, score=score, exact=False) for path in _paths(photo)]
    rivals = [photo for photo, _ in near[1:]]
    reason = _reason(keeper, min(rivals, key=_preference)) if rivals else "the shortest path"
    return DuplicateGroup(_copy(keeper, best, score=1.0, exact=True), reason, tuple(others))


def _copy(photo: PhotoFacts, path: bytes, *, score: float, exact: bool) -> Copy:
    return Copy(photo.id, path, score, exact, photo.width, photo.height, photo.size_bytes)


def _paths(photo: PhotoFacts) -> list[bytes]:
    """A content's paths, the one to keep first: short names are seldom copies."""
    return sorted((photo.path, *photo.other_paths), key=lambda path: (len(path), path))


def _preference(photo: PhotoFacts) -> tuple[int, int, int, bytes]:
    """Smaller is better to keep: most pixels, then least compressed, then the shortest path."""
    path = _paths(photo)[0]
    return (-photo.width * photo.height, -photo.size_bytes, len(path), path)


def _reason(keeper: PhotoFacts, rival: PhotoFacts) -> str:
    """Why a keeper is better than the next best."""
    if keeper.width * keeper.height > rival.width * rival.height:
        return f"the most pixels, {keeper.width} x {keeper.height}"
    if keeper.size_bytes > rival.size_bytes:
        return "as many pixels, and the largest file"
    return "the same size, and the shortest path"


def _links(rows: np.ndarray, threshold: float) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Pairs of rows, each once, that score at least `threshold`, block by block.

    Yields:
        How many rows the block has, and the positions of both of each pair.
    """
    step = max(1, _SCORES_AT_A_TIME // len(rows))
    for start in range(0, len(rows), step):
        scores = rows[start : start + step] @ rows[start:].T  # (b, n - start)
        # Twice as fast as asking for both coordinates.
        left, right = np.divmod(np.flatnonzero(scores >= threshold - _ROUNDING), scores.shape[1])
        later = right > left
        yield len(scores), left[later] + start, right[later] + start


def _joined(groups: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Groups after the members at `left` and `right` are linked."""
    count = len(groups)
    links = coo_array((np.ones(len(left), bool), (groups[left], groups[right])), (count, count))
    _, merged = connected_components(links, directed=False)
    return np.asarray(merged[groups])


def _numbered(groups: np.ndarray) -> np.ndarray:
    """The same groups, numbered in the order in which they first appear."""
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    order = np.empty(len(first), dtype=np.int64)
    order[np.argsort(first)] = np.arange(len(first))
    return order[inverse.reshape(-1)]
