"""What became of each file: counted, and recorded in the catalogue in groups."""

from collections import Counter
from os import fsencode
from pathlib import Path

from indexer.catalogue import Catalogue
from indexer.pipeline import Finished
from indexer.records import KnownSkip, Sighting
from indexer.scan import Difference


class Ledger:
    """One pass over the photos, as it goes.

    Counts are by path: `added`, `changed`, `moved`, `unchanged`, `removed` or `missing`, and how
    many were `embedded`.
    """

    def __init__(self, catalogue: Catalogue, difference: Difference, *, staged: bool) -> None:
        self.counts = Counter(unchanged=difference.unchanged)
        self.skipped = list(difference.skipped)
        self._catalogue = catalogue
        self._staged = staged
        self._gone = dict(difference.gone)
        # Contents whose path is gone: a file that turns up with one of them has moved.
        self._homeless: dict[bytes, list[bytes]] = {}
        for path, known in self._gone.items():
            self._homeless.setdefault(known.hash, []).append(path)
        self._sightings: list[Sighting] = []
        self._skips: list[KnownSkip] = []

    def embedded_hashes(self) -> set[bytes]:
        """The contents that need no embedding any more, wherever they turn up."""
        return self._catalogue.embedded_hashes(staged=self._staged)

    def take(self, group: list[Finished]) -> None:
        """Count files and keep them for the next commit."""
        for finished in group:
            self._take(finished)

    def commit(self) -> None:
        """Record what was taken since the last time, in one transaction."""
        if self._sightings or self._skips:
            self._catalogue.record(self._sightings, self._skips, staged=self._staged)
            self._sightings, self._skips = [], []

    def settle(self, root: Path, *, prune: bool) -> None:
        """End the pass: paths that are gone leave the gallery, or are counted as missing."""
        self.count_gone(prune=prune)
        self._catalogue.settle(
            photo_root=fsencode(root.resolve()),
            gone=list(self._gone) if prune else [],
            skipped=self.skipped,
        )

    def count_gone(self, *, prune: bool) -> None:
        """Count the paths that are gone and did not turn up elsewhere."""
        self.counts["removed" if prune else "missing"] = len(self._gone)

    def _take(self, finished: Finished) -> None:
        if finished.skip is not None:
            self.skipped.append(finished.skip)
            self._skips.append(finished.skip)
            return
        known = finished.candidate.known
        moved_from = None
        if known is not None:
            self.counts["unchanged" if known.hash == finished.hash else "changed"] += 1
        elif self._homeless.get(finished.hash):
            moved_from = self._homeless[finished.hash].pop(0)
            del self._gone[moved_from]
            self.counts["moved"] += 1
        else:
            self.counts["added"] += 1
        self.counts["embedded"] += finished.vector is not None
        self._sightings.append(
            Sighting(
                finished.candidate.file,
                finished.hash,
                finished.content,
                finished.vector,
                moved_from,
            )
        )
