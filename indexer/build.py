"""Bring a gallery up to date with a folder of photos; the first time, create it."""

import os
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from indexer import neighbourhoods
from indexer.catalogue import Catalogue
from indexer.centring import CentringPlan
from indexer.folder import GalleryFolder
from indexer.kinds import Wanted
from indexer.ledger import Ledger
from indexer.passes import (
    EncoderRequest,
    Pass,
    continue_gallery,
    no_encoder,
    publish_encoder,
    start_first_pass,
)
from indexer.pipeline import Finished, embed_files
from indexer.records import State
from indexer.refreshing import refresh_index
from indexer.report import IndexReport, absences, told
from indexer.scan import Difference, find_difference
from indexer.selection import fill_in_shots
from indexer.sources import EncoderSource, find_source
from indexer.wording import shown
from training.errors import CollectionError, Interrupted
from training.inflight import InFlight
from training.photos import walk
from training.progress import Progress
from training.wording import quoted

# Finished photos wait at most this long for their transaction: it is what a crash can cost.
SECONDS_BETWEEN_COMMITS = 2.0

# When this share of a collection is gone at once, a drive is not mounted, or it is another folder.
SHARE_VANISHED = 0.2
FEWEST_VANISHED = 3  # of four photos, one may go

# An app that is just saving an index holds the lock for a moment.
WAIT_SECONDS = 3.0


@dataclass(frozen=True)
class BuildRequest:
    """What to build."""

    photos: Path
    gallery: Path
    encoder: Path | None = None  # a run, weights or an ONNX file; None: the gallery's own
    rebuild: bool = False  # embed everything again and learn the centring anew
    device: str = "auto"
    centring: CentringPlan = field(default_factory=CentringPlan)
    prune: bool = False  # photos that are gone leave; else they stay, and are counted as missing
    verify_content: bool = False  # read files again whose size and time are what they were
    index: Wanted | None = None  # the kind of index; None: as before, at first `auto`
    precision: str | None = None  # None: the gallery's own, `fp32` for a new one
    command: str = "ssl-index build"  # what another writer is told that must wait for this one


def build(
    request: BuildRequest, *, progress: Progress, stop: Callable[[], bool] = lambda: False
) -> IndexReport:
    """Index a folder of photos.

    Args:
        request: what to build.
        progress: told of the work.
        stop: asked now and then; once it says True, what is finished is kept and the build ends.

    Raises:
        Interrupted: `stop` said so; running the same command again goes on.
        CollectionError: the photo folder is missing, empty, without a single photo, or vanished;
            or a fifth of what the gallery knows is not in it any more.
        EncoderError: there is no encoder, or it is unreadable.
        GalleryError: the gallery is damaged, locked, or was built with another encoder.
        StorageError, OSError: the disk is full or the folder is read-only.
    """
    started = time.monotonic()
    folder = GalleryFolder(request.gallery)
    next(walk(request.photos), None)  # a missing folder is told before anything is written
    source = _source(request, folder)
    with folder.claimed(command=request.command, wait_seconds=WAIT_SECONDS):
        catalogue = Catalogue.create(folder.catalogue)
        if request.rebuild:
            catalogue.forget_damaged()
        before = catalogue.state()
        folder.tidy(before)
        chosen = _choose_pass(request, folder, catalogue, source, progress)
        difference = compare(request, catalogue, staged=chosen.staged)
        ledger = Ledger(catalogue, difference, staged=chosen.staged)
        embedding_started = time.monotonic()
        with InFlight.opened(folder.in_flight) as in_flight:
            groups = embed_files(
                request.photos,
                difference.to_read,
                chosen.encoder,
                known=ledger.embedded_hashes(),
                in_flight=in_flight,
            )
            _embed(groups, len(difference.to_read), ledger, progress, stop)
        embedding_seconds = time.monotonic() - embedding_started
        # What is gone cannot go through a new encoder.
        ledger.settle(request.photos, prune=request.prune or chosen.staged)
        fill_in_shots(folder.catalogue, request.photos, progress=progress, stop=stop)
        notes = _finish(request, folder, catalogue, chosen, before)
        neighbourhoods.refresh(folder, catalogue, progress=progress, stop=stop)
    return told(
        ledger,
        difference,
        seconds=time.monotonic() - started,
        embedding_seconds=embedding_seconds,
        notes=(*notes, *absences(ledger, difference)),
    )


def compare(request: BuildRequest, catalogue: Catalogue, *, staged: bool) -> Difference:
    """What changed in the photo folder since the catalogue was written.

    Raises:
        CollectionError: a fifth of the collection or more vanished at once, and leaving it out
            was not asked for; or the folder is empty.
    """
    # A rebuild also tries again what could not be used: this version may read more.
    skips = [] if request.rebuild else catalogue.skipped()
    known = catalogue.photos(staged=staged)
    difference = find_difference(request.photos, known, skips, reread=request.verify_content)
    new = sum(candidate.known is None for candidate in difference.to_read)
    # As many new files as gone ones may be the same photos under other names.
    vanished = len(difference.gone) - new
    if not request.prune and vanished >= max(FEWEST_VANISHED, len(known) * SHARE_VANISHED):
        raise CollectionError(
            f"{len(difference.gone):,} of the {len(known):,} photos that the gallery knows are "
            f"not in {shown(request.photos)} any more; nothing was changed",
            hint="is the drive mounted, and is it the right folder? "
            "If they are really gone, add `--prune`",
        )
    return difference


def _source(request: BuildRequest, folder: GalleryFolder) -> EncoderSource | None:
    """The encoder that was asked for; None for the gallery's own."""
    if request.encoder is not None:
        return find_source(request.encoder)
    if not folder.catalogue.exists():
        raise no_encoder()
    return None


def _choose_pass(
    request: BuildRequest,
    folder: GalleryFolder,
    catalogue: Catalogue,
    source: EncoderSource | None,
    progress: Progress,
) -> Pass:
    asked = EncoderRequest(request.photos, source, request.precision, request.device)
    published = catalogue.state().published
    if published and not request.rebuild:
        return continue_gallery(folder, published, asked)
    return start_first_pass(folder, catalogue, asked, progress=progress)


def _embed(
    groups: Generator[list[Finished], None, None],
    total: int,
    ledger: Ledger,
    progress: Progress,
    stop: Callable[[], bool],
) -> None:
    """Put every file that must be read through the encoder; on any way out the finished stay."""
    done = 0
    committed = time.monotonic()
    progress.start("embedding", total=total, unit="photos")
    try:
        with closing(groups):
            while done < total:
                if stop():
                    raise Interrupted(
                        f"stopped after {done:,} of {total:,} photos; the finished ones are kept",
                        hint="run the same command again to go on",
                    )
                group = next(groups)
                ledger.take(group)
                done += len(group)
                progress.advance(len(group))
                if time.monotonic() - committed > SECONDS_BETWEEN_COMMITS:
                    ledger.commit()
                    committed = time.monotonic()
    finally:
        ledger.commit()
        progress.finish()


def _finish(
    request: BuildRequest,
    folder: GalleryFolder,
    catalogue: Catalogue,
    chosen: Pass,
    before: State,
) -> tuple[str, ...]:
    """Publish what a first pass made, refresh the index, and say what is worth knowing."""
    counts = catalogue.counts()
    if chosen.staged and counts.photos == 0:
        raise CollectionError(
            f"none of the {counts.skipped:,} files in {shown(request.photos)} is a usable photo",
            hint=f"`ssl-index info {quoted(folder.path)} --skipped` lists them with the reasons",
        )
    notes = [*chosen.notes, chosen.encoder.warning]
    if chosen.staged:
        notes.append(publish_encoder(folder, catalogue, chosen.encoder, request.centring))
    elif before.published:
        notes.append(_outgrown(request, folder, before.published.photos, counts.distinct))
    if before.photo_root not in (None, os.fsencode(request.photos.resolve())):
        notes.append(f"the photos were in {shown(os.fsdecode(before.photo_root or b''))} before")
    if request.index is not None:
        catalogue.want_index(request.index)
    notes.append(refresh_index(folder, catalogue))
    return tuple(note for note in notes if note)


def _outgrown(request: BuildRequest, folder: GalleryFolder, then: int, now: int) -> str:
    """A sentence when the gallery has become large enough for a better centring; else empty."""
    plan = request.centring
    if not any(then < threshold <= now for threshold in (plan.centre_from, plan.reduce_from)):
        return ""
    return (
        f"the encoder was fitted to {then:,} photos and the gallery now holds {now:,}: "
        f"{folder.rebuild_command(Path('RUN'))} fits it anew"
    )
