"""Update a gallery from the photo folder it remembers, or say what an update would do."""

import hashlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from os import fsdecode
from pathlib import Path

from indexer.build import BuildRequest, compare
from indexer.catalogue import Catalogue
from indexer.folder import GalleryFolder
from indexer.ledger import Ledger
from indexer.pipeline import Finished
from indexer.records import KnownSkip
from indexer.report import IndexReport, absences, told
from indexer.scan import Candidate, find_difference
from indexer.wording import shown
from training.errors import CollectionError, GalleryError, Interrupted, PhotoError
from training.photos import read_file
from training.progress import Progress
from training.wording import quoted

# Files read between two looks at whether to stop.
_AT_A_TIME = 64
_THREADS = 4


def remembered(gallery: Path, *, photos: Path | None = None) -> BuildRequest:
    """What brings a gallery up to date: its own photo folder, its own encoder.

    Args:
        gallery: the gallery's folder.
        photos: where its photos are now, if they moved.

    Raises:
        GalleryError: there is no gallery, or its first build never got as far as a photo folder.
        CollectionError: the photo folder is not there.
    """
    folder = GalleryFolder(gallery)
    folder.check()
    root = photos or _photo_root(folder)
    if not root.is_dir():
        raise CollectionError(
            f"the photos of the gallery {shown(gallery)} are not in {shown(root)} any more",
            hint="mount the drive, or say where they are now with `--photos DIR`",
        )
    return BuildRequest(root, gallery, command="ssl-index update")


def preview(
    request: BuildRequest, *, progress: Progress, stop: Callable[[], bool] = lambda: False
) -> IndexReport:
    """What a build would count. New and changed files are read, nothing is decoded or written.

    Raises:
        Interrupted: `stop` said so.
        CollectionError, GalleryError: as `build`.
    """
    started = time.monotonic()
    folder = GalleryFolder(request.gallery)
    catalogue = Catalogue(folder.catalogue)
    if folder.catalogue.exists():
        catalogue = Catalogue.open(folder.catalogue)
        difference = compare(request, catalogue, staged=False)
        known = catalogue.embedded_hashes(staged=False)
    else:
        difference, known = find_difference(request.photos, {}, []), set()
    ledger = Ledger(catalogue, difference, staged=False)
    new: set[bytes] = set()
    for group in _hashed(request.photos, difference.to_read, progress, stop):
        ledger.take(group)
        new |= {finished.hash for finished in group if finished.skip is None} - known
    ledger.count_gone(prune=request.prune or request.rebuild)
    report = told(
        ledger,
        difference,
        seconds=time.monotonic() - started,
        embedding_seconds=0,
        notes=absences(ledger, difference),
    )
    return replace(report, embedded=len(new), photos_per_second=0)


def _photo_root(folder: GalleryFolder) -> Path:
    # An older gallery's catalogue tells it too; the update brings its tables up to date.
    root = Catalogue(folder.catalogue).state().photo_root
    if root is None:
        raise GalleryError(
            f"the gallery {shown(folder.path)} does not know its photos yet",
            hint=f"`ssl-index build PHOTOS -o {quoted(folder.path)}` goes on with its first build",
        )
    return Path(fsdecode(root))


def _hashed(
    root: Path,
    candidates: tuple[Candidate, ...],
    progress: Progress,
    stop: Callable[[], bool],
) -> list[list[Finished]]:
    """Read files for their hashes alone."""
    groups = []
    progress.start("reading", total=len(candidates), unit="files")
    with ThreadPoolExecutor(_THREADS) as pool:
        for start in range(0, len(candidates), _AT_A_TIME):
            if stop():
                raise Interrupted("stopped; nothing was changed", hint="run the command again")
            part = candidates[start : start + _AT_A_TIME]
            groups.append(list(pool.map(lambda one: _hash(root, one), part)))
            progress.advance(len(part))
    progress.finish()
    return groups


def _hash(root: Path, candidate: Candidate) -> Finished:
    try:
        data = read_file(root / fsdecode(candidate.file.path))
    except PhotoError as error:
        return Finished(candidate, skip=KnownSkip(candidate.file.path, error.message))
    return Finished(candidate, hashlib.sha256(data).digest())
