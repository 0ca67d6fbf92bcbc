"""What `ssl-label` tells: of an import, of the labels, of a classifier's quality."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict

from app.fewshot.intervals import in_words
from app.fewshot.quality import ClassQuality, Quality
from app.fitting import Fitted
from app.imports import ImportReport
from app.review_words import learning_words, rejection_words
from indexer.labels import Labels
from indexer.wording import shown
from training.bootstrap import Interval
from training.wording import counted

Facts = Mapping[str, object]


def import_json(report: ImportReport) -> str:
    """An import as one line of JSON, with every problem."""
    return json.dumps(asdict(report))


def import_text(report: ImportReport) -> str:
    """An import in a sentence."""
    parts = [f"labelled {counted(report.labelled, 'photo')}"]
    if report.unchanged:
        parts.append(f"{report.unchanged:,} had their label already")
    if report.problems:
        parts.append(f"{len(report.problems):,} rows or files gave no label")
    return ", ".join(parts)


def stats_facts(labels: Labels, *, photos: int) -> Facts:
    """How many labels there are: of each class, from each source, of each person."""
    current = labels.current().values()
    return {
        "photos": photos,
        "labelled": len(current),
        "classes": {found.name: found.count for found in labels.classes()},
        "sources": dict(Counter(label.source for label in current).most_common()),
        "people": dict(Counter(label.who for label in current).most_common()),
        "conflicts": [conflict.photo_id for conflict in labels.conflicts()],
    }


def stats_text(facts: Facts) -> str:
    """The same for people."""
    lines = [f"{facts['labelled']:,} of {facts['photos']:,} photos are labelled"]
    for title in ("classes", "sources", "people"):
        counts = facts[title]
        assert isinstance(counts, dict)
        if counts:
            lines += ["", title]
            lines += [f"  {count:>7,}  {shown(name)}" for name, count in counts.items()]
    conflicts = facts["conflicts"]
    assert isinstance(conflicts, list)
    if conflicts:
        lines += ["", f"people disagree on {counted(len(conflicts), 'photo')}"]
    return "\n".join(lines)


def quality_facts(fitted: Fitted, *, setting: float) -> dict[str, object]:
    """A classifier and what cross-validation says of it, for programs. Shares are 0 to 1."""
    quality = fitted.quality
    facts: dict[str, object] = {
        "head": fitted.head.kind,
        "c": fitted.head.c,
        "reason": fitted.head.reason,
        "temperature": fitted.head.temperature,
        "labels": len(fitted.shots.names),
        "classes": {name: fitted.shots.names.count(name) for name in fitted.head.classes},
        "rejection": setting,
        "judged": quality is not None,
    }
    if quality is None:
        return facts
    outlook = fitted.rejection.outlook(setting)
    precision = outlook.precision
    return facts | {
        "macro_f1": asdict(quality.macro_f1),
        "per_class": [asdict(found) for found in quality.per_class],
        "confusion": quality.confusion.tolist(),
        "candidates": [asdict(candidate) for candidate in quality.candidates],
        "by_source": [asdict(found) for found in quality.by_source],
        "audit": None if quality.audit is None else asdict(quality.audit),
        "precision": None if precision is None else asdict(precision),
        "coverage": outlook.coverage,
        "suspicious": len(quality.suspicious),
        "learning": None if quality.learning is None else asdict(quality.learning),
        "reliability": [asdict(stretch) for stretch in quality.reliability],
        "enough": quality.enough,
    }


def quality_text(fitted: Fitted, *, setting: float) -> str:
    """The same for people: percentages only where there are labels enough."""
    names = fitted.head.classes
    lines = [f"{len(fitted.shots.names):,} labels in {len(names)} classes; {fitted.head.reason}"]
    quality = fitted.quality
    if quality is None:
        return "\n".join([*lines, "too few labels to say how good it is"])
    lines += ["", f"{'class':<24} {'labels':>6} {'precision':>10} {'recall':>8}"]
    lines += [_class_line(found) for found in quality.per_class]
    lines += ["", f"macro-F1 by cross-validation: {_figure(quality.macro_f1, quality)}"]
    lines.append(learning_words(quality))
    if quality.audit is not None:
        audit = quality.audit
        lines.append(f"accuracy on {audit.labels} random draws: {_figure(audit.accuracy, quality)}")
    outlook = fitted.rejection.outlook(setting)
    lines.append(f"rejection at {setting:g}: {rejection_words(outlook)}")
    if quality.suspicious:
        lines.append(f"{len(quality.suspicious)} labels look wrong: see Review in the app")
    return "\n".join(lines)


def _class_line(found: ClassQuality) -> str:
    figures = [
        "-" if value is None else in_words(value, found.labels)
        for value in (found.precision, found.recall)
    ]
    name = shown(found.name)
    return f"{name:<24} {found.labels:>6} {figures[0]:>10} {figures[1]:>8}"


def _figure(interval: Interval, quality: Quality) -> str:
    words = in_words(interval.value, quality.fewest)
    if not quality.enough:
        return words
    return f"{words} ({interval.low:.0%} to {interval.high:.0%})".replace("%", " %")
