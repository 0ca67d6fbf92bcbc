"""What a pass over the photos did, as a report."""

from collections import Counter
from dataclasses import dataclass

from indexer.ledger import Ledger
from indexer.records import KnownSkip
from indexer.scan import Difference


@dataclass(frozen=True)
class SkipCount:
    """A reason, and how many files were skipped for it."""

    reason: str
    files: int


@dataclass(frozen=True)
class IndexReport:
    """What a build did, by path. seen = added + changed + moved + unchanged + skipped."""

    seen: int
    added: int
    changed: int
    moved: int
    unchanged: int
    removed: int
    missing: int  # gone from the folder, and kept
    skipped: int
    embedded: int  # photos that went through the encoder
    seconds: float
    photos_per_second: float  # embedded photos, reading and decoding included
    reasons: tuple[SkipCount, ...]  # most files first
    notes: tuple[str, ...]  # plain sentences


def told(
    ledger: Ledger,
    difference: Difference,
    *,
    seconds: float,
    embedding_seconds: float,
    notes: tuple[str, ...],
) -> IndexReport:
    """The report of a pass over the photos."""
    counts = ledger.counts
    return IndexReport(
        seen=difference.seen,
        added=counts["added"],
        changed=counts["changed"],
        moved=counts["moved"],
        unchanged=counts["unchanged"],
        removed=counts["removed"],
        missing=counts["missing"],
        skipped=len(ledger.skipped),
        embedded=counts["embedded"],
        seconds=seconds,
        photos_per_second=counts["embedded"] / max(embedding_seconds, 1e-9),
        reasons=_reasons(ledger.skipped),
        notes=notes,
    )


def absences(ledger: Ledger, difference: Difference) -> tuple[str, ...]:
    """Sentences on photos that the gallery knows and the folder does not show."""
    sentences = []
    if ledger.counts["missing"]:
        sentences.append(
            f"gone from the folder, and kept in the gallery until `--prune`: "
            f"{ledger.counts['missing']:,}"
        )
    if difference.out_of_sight:
        sentences.append(
            f"kept, though their folders cannot be read now: {difference.out_of_sight:,}"
        )
    return tuple(sentences)


def _reasons(skipped: list[KnownSkip]) -> tuple[SkipCount, ...]:
    counted = Counter(skip.reason for skip in skipped).most_common()
    return tuple(SkipCount(reason, files) for reason, files in counted)
