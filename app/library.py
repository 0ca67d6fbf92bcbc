"""What one server serves: a gallery, reopened after a rebuild, its thumbnails and its uploads."""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from app.labelling import Labelling
from app.maps import Maps
from app.narrowing import Narrowing, folders_of, narrowed
from app.prepared import Prepared
from app.query import sample
from app.review import Reviews
from app.task import Task
from app.thumbnails import Thumbnails
from app.uploads import Uploads
from indexer.build import build
from indexer.catalogue import Catalogue
from indexer.duplicates import DuplicateGroup, find_duplicates
from indexer.folder import GalleryFolder, looking_only
from indexer.gallery import Gallery, Hit
from indexer.labels import Labels
from indexer.outliers import Outlier, find_outliers
from indexer.report import IndexReport
from indexer.update import remembered
from training.errors import LookalikeError

# A build under way changes the catalogue every few seconds; opening takes up to one.
SECONDS_BETWEEN_OPENINGS = 10.0

# On the start page: about three rows.
SAMPLES = 24

# On the Duplicates page: about three rows.
OUTLIERS = 24

# Lists of duplicates: as many as there are settings to go to and fro between.
LISTS_KEPT = 4

# Photos that are all compared with each other while the page waits, in some tenths of a second.
COMPARED_AT_ONCE = 5_000

_log = logging.getLogger(__name__)


class Library:
    """The gallery in a folder, shared by every browser session; safe for many threads."""

    def __init__(
        self,
        folder: Path,
        *,
        photos: Path | None = None,
        read_only: bool = False,
        seconds_between_openings: float = SECONDS_BETWEEN_OPENINGS,
        compared_at_once: int = COMPARED_AT_ONCE,
    ) -> None:
        """Open the gallery.

        Args:
            folder: the gallery's folder.
            photos: where its photos are now, if they moved; None: where they were indexed.
            read_only: nothing is written to the gallery; uploads are kept elsewhere until `close`.
            seconds_between_openings: how long a gallery is used before a newer one is opened.
            compared_at_once: photos that are compared while a page waits; more: in the background.

        Raises:
            GalleryError: there is none, or it is damaged; the hint has the repairing command.
            EncoderError: its encoder cannot be read.
        """
        self.folder = folder
        self.thumbnails = Thumbnails()
        self.read_only = read_only
        self.labels = Labels(GalleryFolder(folder).catalogue, read_only=read_only)
        self.updates: Task[IndexReport] = Task(
            "update", label="looking for changes", when_done=self._reopen_now
        )
        self.maps = Maps(folder, read_only=read_only)
        self.labelling = Labelling(self.gallery, self.labels)
        self.reviews = Reviews()
        self._photos = photos
        self._seconds_between_openings = seconds_between_openings
        self._compared_at_once = compared_at_once
        self._lock = threading.Lock()
        self._gallery = self._opened()
        self._elsewhere = TemporaryDirectory(prefix="lookalike-") if read_only else None
        self.uploads = Uploads(
            Path(self._elsewhere.name) if self._elsewhere else folder / "uploads"
        )
        self._tried = time.monotonic()
        self._samples: tuple[Hit, ...] = ()
        self.comparing: Prepared[tuple[int, float, bool], Sequence[DuplicateGroup]] = Prepared(
            "search for duplicates", kept=LISTS_KEPT
        )
        self.singling_out: Prepared[int, Sequence[Outlier]] = Prepared("search for outliers")
        self._folders: tuple[int, Mapping[str, bytes]] = (-1, {})  # with their generation

    def gallery(self) -> Gallery:
        """The gallery as it is now: opened again where a build has changed it since.

        Raises:
            GalleryError: it vanished or was damaged.
        """
        place = GalleryFolder(self.folder)
        place.check()
        newest = Catalogue(place.catalogue).state().generation
        with self._lock:
            waited = time.monotonic() - self._tried
            if newest != self._gallery.generation and waited >= self._seconds_between_openings:
                self._reopen()
            return self._gallery

    def samples(self, gallery: Gallery) -> tuple[Hit, ...]:
        """Some photos to start from, the same ones until the gallery changes."""
        if not self._samples:
            self._samples = sample(gallery, SAMPLES)
        return self._samples

    def folders(self, gallery: Gallery) -> Mapping[str, bytes]:
        """The folders of the gallery's photos by how people read them, in their order."""
        generation, found = self._folders
        if generation != gallery.generation:
            found = folders_of(gallery.paths())
            self._folders = (gallery.generation, found)
        return found

    def duplicates(
        self, gallery: Gallery, *, threshold: float, exact_only: bool
    ) -> Sequence[DuplicateGroup] | None:
        """The gallery's duplicates; None while `comparing` is at work, or where it was stopped.

        The last few lists are kept until the gallery changes.
        """
        return self.comparing.ask(
            (gallery.generation, threshold, exact_only),
            lambda progress, stop: find_duplicates(
                gallery, threshold=threshold, exact_only=exact_only, progress=progress, stop=stop
            ),
            at_once=len(gallery) <= self._compared_at_once,
        )

    def outliers(self, gallery: Gallery) -> Sequence[Outlier] | None:
        """The photos that are most alone, these first; None as in `duplicates`."""
        return self.singling_out.ask(
            gallery.generation,
            lambda progress, stop: find_outliers(
                gallery, count=OUTLIERS, progress=progress, stop=stop
            ),
            at_once=len(gallery) <= self._compared_at_once,
        )

    def narrowed(self, gallery: Gallery, narrowing: Narrowing) -> np.ndarray | None:
        """The ids `(m,)` int64 of the photos that a search may find; None is all.

        Raises:
            ConfigError: it names a folder that holds no photo of the gallery.
        """
        folders = self.folders(gallery) if narrowing.folder else {}
        return narrowed(gallery, self.labels, folders, narrowing)

    def update(self, *, prune: bool = False) -> bool:
        """Start to bring the gallery up to date with its photos; False where that goes on already.

        The gallery as it was is searched meanwhile, and the new one opened at the end.

        Args:
            prune: whether photos that are gone from the folder leave the gallery.

        Raises:
            CollectionError: the photo folder is not there.
            GalleryError: the gallery is open for looking only.
        """
        if self.read_only:
            raise looking_only(self.folder)
        request = remembered(self.folder, photos=self.gallery().photo_root)
        wanted = replace(request, prune=prune, command="ssl-app")
        return self.updates.start(
            lambda progress, stop: build(wanted, progress=progress, stop=stop)
        )

    def close(self) -> None:
        """Forget the uploads that are kept outside the gallery."""
        if self._elsewhere is not None:
            self._elsewhere.cleanup()

    def _opened(self) -> Gallery:
        return Gallery.open(self.folder, photos=self._photos, read_only=self.read_only)

    def _reopen_now(self) -> None:
        with self._lock:
            self._reopen()

    def _reopen(self) -> None:
        """Open the newest; where that fails (a build may be half way), the old one serves on.

        The old gallery is not closed: another session may be searching it. It goes with its last
        user.
        """
        self._tried = time.monotonic()
        try:
            self._gallery = self._opened()
            self._samples = ()
        except LookalikeError as error:
            _log.warning("the gallery changed, but cannot be opened again: %s", error.message)
