"""A gallery, open for searching: refuses parts that do not fit each other, then searches."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from os import fsdecode
from pathlib import Path

import numpy as np

from indexer import index_files
from indexer.catalogue import Catalogue
from indexer.encoder import OnnxEncoder
from indexer.expansion import expanded_search
from indexer.filters import Filter
from indexer.folder import GalleryFolder
from indexer.neighbourhoods import KeptNeighbourhoods
from indexer.records import PhotoFacts, State
from indexer.refreshing import open_index
from indexer.selection import every_path, facts_of, select
from indexer.vectors import VectorIndex
from indexer.wording import shown
from training.errors import GalleryError, PhotoError
from training.photos import Photo, SkippedFile, decode, read_file
from training.spec import EncoderSpec

__all__ = ["Gallery", "GalleryInfo", "Hit", "PhotoFacts", "describe", "skipped_files"]


@dataclass(frozen=True, slots=True)
class Hit:
    """A photo found."""

    id: int
    score: float  # cosine
    rank: int  # from 1
    path: bytes  # relative to the photo root


@dataclass(frozen=True, slots=True)
class GalleryInfo:
    """What a gallery holds."""

    folder: Path
    photo_root: Path
    photos: int  # paths
    distinct: int  # contents; exact copies are one
    skipped: int
    encoder: EncoderSpec
    fingerprint: str  # SHA-256 of encoder.onnx
    dim: int
    generation: int
    index: str  # the kind of index; "none yet" where the next opening makes it
    index_reason: str  # why that kind
    index_recall: float | None  # share of the ten nearest it finds, measured; None: all of them
    size_bytes: int


class Gallery:
    """Finds the photos that look like a query. Safe to share between threads."""

    def __init__(
        self,
        folder: GalleryFolder,
        encoder: OnnxEncoder,
        index: VectorIndex,
        *,
        photo_root: Path,
    ) -> None:
        self.encoder = encoder
        self.photo_root = photo_root
        self.generation = index.generation  # the catalogue may have gone on since
        self._folder = folder
        self._catalogue = Catalogue(folder.catalogue)
        self._index = index
        self._neighbourhoods = KeptNeighbourhoods(folder.path, index.stored)

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        photos: Path | None = None,
        device: str = "auto",
        read_only: bool = False,
    ) -> "Gallery":
        """Open a gallery.

        Args:
            folder: where `ssl-index build` made it.
            photos: where its photos are now, if they moved.
            device: `auto`, `cpu` or `cuda`.
            read_only: nothing is saved for the next start, such as an index made anew.

        Raises:
            GalleryError: it is missing, unfinished or damaged, its encoder is not the one its
                photos went through, or its photos are not where they were; the hint is the command
                that helps.
        """
        place = GalleryFolder(folder, read_only=read_only)
        place.check()
        catalogue = Catalogue.open(place.catalogue)
        while True:
            state = catalogue.state()
            try:
                encoder = place.open_encoder(place.published(state), device=device)
                root = _photo_root(place, state, photos)
                return cls(place, encoder, open_index(place, catalogue, state), photo_root=root)
            except GalleryError:
                # What was named a moment ago may have been replaced since by a build.
                if catalogue.state() == state:
                    raise

    @property
    def catalogue_path(self) -> Path:
        """The catalogue's file, which `indexer.labels` reads and writes too."""
        return self._folder.catalogue

    def __len__(self) -> int:
        """How many distinct photos can be found."""
        return len(self._index)

    def search(
        self,
        query: np.ndarray,
        *,
        k: int = 24,
        min_score: float | None = None,
        exclude: frozenset[int] = frozenset(),
        among: np.ndarray | None = None,
        expand: bool = False,
    ) -> list[Hit]:
        """The photos most like a query: best score first, ties by id.

        Args:
            query: `(d,)` float32, of unit length, as `encoder` and `embedding` give it.
            k: how many at most.
            min_score: leave out photos below this cosine; None leaves out none.
            exclude: ids to leave out.
            among: ids `(m,)` int64 to choose from, before the best `k` are taken; None is all.
            expand: rank by neighbourhoods, as indexer/expansion.py does; scores are theirs.
        """
        assert query.shape == (self._index.dim,), (query.shape, self._index.dim)
        find = VectorIndex.search
        if expand:
            find = partial(expanded_search, exclude=exclude, known=self._neighbourhoods.known())
        near = [
            n
            for n in find(self._index, query, k=k + len(exclude), among=among)
            if n.id not in exclude and (min_score is None or n.score >= min_score)
        ]
        paths = self._catalogue.first_paths([n.id for n in near])
        # A photo that left the catalogue since the index was read has no path.
        found = [n for n in near if n.id in paths][:k]
        return [Hit(n.id, n.score, rank, paths[n.id]) for rank, n in enumerate(found, start=1)]

    def embedding(self, photo_id: int) -> np.ndarray:
        """A photo's embedding: `(d,)` float32, of unit length.

        Raises:
            GalleryError: the gallery has no such photo.
        """
        row = self._index.embedding(photo_id)
        if row is None:
            raise _no_photo(photo_id)
        return row

    def embeddings(self) -> tuple[np.ndarray, np.ndarray]:
        """All that can be found: ids `(n,)` int64 ascending, rows `(n, d)` float32 of unit length.

        Both are read-only views of the index; nothing is copied.
        """
        return self._index.ids, self._index.rows

    def photos(self, ids: Iterable[int]) -> dict[int, PhotoFacts]:
        """What is known of many photos, in one query; ids that the gallery lacks are left out."""
        return facts_of(self._folder.catalogue, ids)

    def paths(self) -> Iterator[bytes]:
        """The paths of all photos, relative to the photo root, in any order."""
        return every_path(self._folder.catalogue)

    def first_paths(self, ids: Iterable[int]) -> dict[int, bytes]:
        """The first path of each photo, for when nothing else is needed of many."""
        return self._catalogue.first_paths(list(ids))

    def select(self, wanted: Filter) -> np.ndarray:
        """The photos that a filter means: ids `(n,)` int64, ascending, for `search(among=...)`."""
        return select(self._folder.catalogue, wanted)

    def photo(self, photo_id: int) -> PhotoFacts:
        """What is known of a photo.

        Raises:
            GalleryError: the gallery has no such photo.
        """
        facts = self.photos([photo_id]).get(photo_id)
        if facts is None:
            raise _no_photo(photo_id)
        return facts

    def read(self, photo_id: int, *, at_least: int | None = None) -> Photo:
        """Decode a photo's original, from whichever of its paths still holds it.

        Args:
            photo_id: which.
            at_least: the shorter side that is needed; None decodes in full.

        Raises:
            GalleryError: the gallery has no such photo.
            PhotoError: no path holds it any more.
        """
        facts = self.photo(photo_id)
        reason = ""
        for path in (facts.path, *facts.other_paths):
            try:
                data = read_file(self.photo_root / fsdecode(path))
            except PhotoError as error:
                reason = error.message
                continue
            if hashlib.sha256(data).hexdigest() == facts.content_hash:
                return decode(data, at_least=at_least)
            reason = "the file has changed since the gallery was built"
        raise PhotoError(reason, hint="run `ssl-index build` again")

    def info(self) -> GalleryInfo:
        """What the gallery holds."""
        return describe(self._folder.path)

    def skipped(self) -> list[SkippedFile]:
        """The files that could not be used, each with its reason, by path."""
        return skipped_files(self._folder.path)


def describe(folder: Path) -> GalleryInfo:
    """What a gallery holds; needs neither its photos nor its encoder.

    Raises:
        GalleryError: there is none, or it is unfinished or damaged.
    """
    place = GalleryFolder(folder)
    place.check()
    catalogue = Catalogue.open(place.catalogue)
    state, counts = catalogue.state(), catalogue.counts()
    published = place.published(state)
    index = index_files.read_manifest(folder)
    return GalleryInfo(
        folder=folder,
        photo_root=Path(fsdecode(state.photo_root or b"")),
        photos=counts.photos,
        distinct=counts.distinct,
        skipped=counts.skipped,
        encoder=EncoderSpec.from_json(published.spec),
        fingerprint=published.fingerprint,
        dim=published.dim,
        generation=state.generation,
        index=index.kind if index else "none yet",
        index_reason=index.why if index else "the next opening or build makes it",
        index_recall=index.recall if index else None,
        size_bytes=place.size_bytes(),
    )


def skipped_files(folder: Path) -> list[SkippedFile]:
    """The files that could not be used, each with its reason, by path.

    Raises:
        GalleryError: there is no gallery, or it is damaged.
    """
    place = GalleryFolder(folder)
    place.check()
    return [
        SkippedFile(skip.path, skip.reason) for skip in Catalogue.open(place.catalogue).skipped()
    ]


def _photo_root(place: GalleryFolder, state: State, photos: Path | None) -> Path:
    root = photos or Path(fsdecode(state.photo_root or b""))
    if root.is_dir():
        return root
    raise GalleryError(
        f"the photos of the gallery {shown(place.path)} are not in {shown(root)} any more",
        hint="say where they are now with `--photos DIR`",
    )


def _no_photo(photo_id: int) -> GalleryError:
    return GalleryError(
        f"the gallery has no photo with id {photo_id}",
        hint="search again: it may have left the gallery in a later build",
    )
