"""The map: a place in the plane for every photo, so that photos that look alike lie together.

There are two. The first, by principal components, is there at once and tells groups apart only
where they differ most. The second keeps neighbours together (t-SNE) and takes minutes. A map is a
cache of one generation of the gallery, `map.npz` beside the catalogue: a stale one is drawn again.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import faiss
import numpy as np

from indexer.arrays import read_arrays, write_arrays
from indexer.catalogue import Catalogue
from indexer.folder import GalleryFolder
from indexer.records import Embeddings
from indexer.wording import shown
from training.errors import GalleryError

MAP_FILE = "map.npz"

# Components, or neighbours kept together.
Method = Literal["components", "neighbours"]

# Below this there are no neighbours to speak of.
FEWEST = 12

# So many photos are laid out together: some 100 seconds of one core. The others join the places of
# the laid-out photos that they are most like.
MOST_TOGETHER = 20_000

# A photo that joins goes to the median of so many places: the mean would put a photo whose
# neighbours lie in two groups into the empty space between them.
JOINS = 5

# How many photos count as near (van der Maaten and Hinton, "Visualizing Data using t-SNE", JMLR 9,
# section 2: "robust, and typical values are between 5 and 50"), and the steps after which the
# picture of 3,068 photos of garments did not change any more.
PERPLEXITY = 30.0
STEPS = 500

# Photos of which rows or paths are copied at a time: copies of all would double the memory.
_PART = 1 << 16

# How wide t-SNE's start is: small, so that the first steps decide (the same, section 3.4).
START_SPREAD = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Where the photos of one generation of a gallery lie."""

    generation: int
    encoder: str  # fingerprint
    method: Method
    ids: np.ndarray  # (n,) int64, ascending
    places: np.ndarray  # (n, 2) float32 in [-1, 1], wider than high


def by_components(embeddings: Embeddings) -> Layout:
    """The map by the two directions in which the embeddings differ most; takes no time."""
    return _layout(embeddings, "components", _components(embeddings.rows))


def by_neighbours(
    embeddings: Embeddings, *, most_together: int = MOST_TOGETHER, seed: int = 0
) -> Layout:
    """The map that keeps neighbours together; takes seconds to minutes.

    Args:
        embeddings: of the gallery.
        most_together: how many photos are laid out together; the others join them.
        seed: which ones those are, and t-SNE's own draws.
    """
    rows = embeddings.rows
    if len(rows) < FEWEST:
        return by_components(embeddings)
    drawn = np.random.default_rng(seed).permutation(len(rows))
    together, others = np.sort(drawn[:most_together]), np.sort(drawn[most_together:])
    places = np.empty((len(rows), 2), np.float32)
    places[together] = _laid_out(rows[together], seed=seed)
    known, known_places = rows[together], places[together]
    for part in parts(len(others)):
        places[others[part]] = _joined(rows[others[part]], known, known_places)
    return _layout(embeddings, "neighbours", places)


def drawn(folder: Path, *, again: bool = False) -> Layout:
    """The map of a gallery that keeps neighbours together: the kept one, or it is drawn and kept.

    Args:
        folder: the gallery's.
        again: draw it even where the kept one is good.

    Raises:
        GalleryError: there is no gallery, its first build has not finished, or another command is
            writing there.
        OSError: the folder cannot be written.
    """
    place = GalleryFolder(folder)
    place.check()
    catalogue = Catalogue.open(place.catalogue)
    state = catalogue.state()
    if state.published is None:
        raise GalleryError(
            f"the first build of the gallery {shown(folder)} has not finished",
            hint="run it again, and then this",
        )
    fingerprint = state.published.fingerprint
    kept = None if again else load(folder, generation=state.generation, encoder=fingerprint)
    if kept is not None and kept.method == "neighbours":
        return kept
    made = by_neighbours(catalogue.embeddings())
    save(made, folder)
    return made


def save(layout: Layout, folder: Path) -> None:
    """Keep a map in the gallery's folder.

    Raises:
        GalleryError: another command is writing there.
        OSError: the folder cannot be written; what was there stays.
    """
    with GalleryFolder(folder).claimed(command="ssl-index map", wait_seconds=0):
        write_arrays(
            folder / MAP_FILE,
            generation=layout.generation,
            encoder=layout.encoder,
            method=layout.method,
            ids=layout.ids,
            places=layout.places,
        )


def load(folder: Path, *, generation: int, encoder: str) -> Layout | None:
    """The map kept in a gallery's folder; None where it is missing, stale or damaged."""
    found = read_arrays(folder / MAP_FILE)
    if found is None:
        return None
    try:
        layout = Layout(
            int(found["generation"]),
            str(found["encoder"]),
            "neighbours" if found["method"] == "neighbours" else "components",
            np.asarray(found["ids"], np.int64),
            np.asarray(found["places"], np.float32),
        )
    except (KeyError, TypeError, ValueError):
        return None
    fits = (layout.generation, layout.encoder) == (generation, encoder)
    whole = layout.ids.ndim == 1 and layout.places.shape == (len(layout.ids), 2)
    return layout if fits and whole and bool(np.isfinite(layout.places).all()) else None


def _layout(embeddings: Embeddings, method: Method, places: np.ndarray) -> Layout:
    return Layout(
        embeddings.generation, embeddings.encoder, method, embeddings.ids, _fitted(places)
    )


def _components(rows: np.ndarray) -> np.ndarray:
    """The first two principal components of `(n, d)` rows: `(n, 2)` float32."""
    if not len(rows):
        return np.zeros((0, 2), np.float32)
    mean = rows.mean(axis=0)
    # Of the small covariance, not of all rows: no time at 100,000 photos.
    slices = parts(len(rows))
    covariance = sum((rows[part] - mean).T @ (rows[part] - mean) for part in slices)
    _, vectors = np.linalg.eigh(covariance)  # (d, d), largest last
    axes = vectors[:, :-3:-1]  # (d, 2), or (d, 1) where rows have one number
    # An eigenvector's sign is arbitrary: a map should not flip from one machine to another.
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    places = np.zeros((len(rows), 2), np.float32)
    for part in slices:
        places[part, : axes.shape[1]] = (rows[part] - mean) @ axes
    return places


def _laid_out(rows: np.ndarray, *, seed: int) -> np.ndarray:
    """The rows' places by t-SNE, begun from their components: `(n, 2)` float32."""
    # A second to load, which every other command would wait.
    from sklearn.manifold import TSNE  # noqa: PLC0415

    draws = np.random.default_rng(seed)
    begin = _components(rows)
    begin = begin / max(float(begin.std(axis=0).max()), 1e-12)
    # Exact copies would begin in one place, and never part.
    begin = begin + 0.01 * draws.standard_normal(begin.shape)
    method = TSNE(
        perplexity=min(PERPLEXITY, (len(rows) - 1) / 3),
        init=(START_SPREAD * begin).astype(np.float32),
        max_iter=STEPS,
        random_state=seed,
    )
    return np.asarray(method.fit_transform(np.ascontiguousarray(rows)), np.float32)


def _joined(rows: np.ndarray, known: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The places of `(m, d)` rows among `(n, d)` known ones whose places are `(n, 2)`."""
    _, nearest = faiss.knn(
        np.ascontiguousarray(rows), np.ascontiguousarray(known), JOINS, faiss.METRIC_INNER_PRODUCT
    )  # (m, JOINS)
    return np.asarray(np.median(places[nearest], axis=1), np.float32)


def parts(count: int) -> list[slice]:
    """Slices that cover so many photos, of as many as are copied at a time."""
    return [slice(start, start + _PART) for start in range(0, count, _PART)]


def _fitted(places: np.ndarray) -> np.ndarray:
    """Places turned to lie wide, and scaled alike in both directions to fill [-1, 1] in width."""
    if not len(places):
        return places
    places = _components(places)  # of a plane: a rotation, perhaps a reflection
    low, high = places.min(axis=0), places.max(axis=0)
    half = max(float((high - low).max()) / 2, 1e-12)
    return np.asarray((places - (low + high) / 2) / half, np.float32)
