"""From labels to a classifier: judged, fitted, with the bars below which it rejects."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from app.answers import Judgement, Shots, judged
from app.classifier import ClassifierFacts
from app.exports.classifier import ClassifierReport, export_classifier
from app.fewshot.estimator import Head
from app.fewshot.folds import Labelled
from app.fewshot.judging import fit_as_judged
from app.fewshot.quality import Quality
from app.fewshot.rejection import DEFAULT_SETTING, Rejection
from indexer.duplicates import near_groups
from indexer.folder import GalleryFolder
from indexer.gallery import Gallery
from training.errors import LabelError

# JSON has no infinity; no cosine or share lies beyond these.
_ALWAYS, _NEVER = -2.0, 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A classifier for one gallery's embeddings."""

    head: Head
    rejection: Rejection
    shots: Shots
    quality: Quality | None  # None: too few labels to judge by


def fit(gallery: Gallery, shots: Shots, *, stop: Callable[[], bool] = lambda: False) -> Fitted:
    """Judge and fit a classifier.

    Args:
        gallery: whose embeddings the shots are.
        shots: the labelled photos.
        stop: asked between the fits of the judge.

    Raises:
        LabelError: there are fewer than two classes.
        Interrupted: `stop` said so.
    """
    return fitted(gallery, shots, judged(shots, stop=stop))


def fitted(gallery: Gallery, shots: Shots, judgement: Judgement | None) -> Fitted:
    """Fit a classifier as a judgement says; one of other shots only advises on the kind of head.

    Raises:
        LabelError: there are fewer than two classes.
    """
    names = sorted(set(shots.names))
    if len(names) < 2:
        found = f'only "{names[0]}" has labels' if names else "no photo is labelled"
        raise LabelError(
            f"a classifier needs two classes or more, and {found}",
            hint="label photos of another class, or some as none of these",
        )
    advice = judgement.quality if judgement is not None else None
    quality = advice if judgement is not None and _same(judgement.shots, shots) else None
    head = fit_as_judged(shots.rows, shots.names, advice)
    ids, rows = gallery.embeddings()
    rejection = Rejection.fit(
        head,
        Labelled.of(shots.rows, shots.names, near_groups(shots.rows)),
        quality,
        gallery=rows,
        labelled=np.isin(ids, shots.ids),
    )
    # The bars are shares at this temperature, and the file gives but one kind of shares.
    head = replace(head, temperature=rejection.temperature)
    return Fitted(head, rejection, shots, quality)


def export(
    fitted: Fitted, gallery: Gallery, destination: Path, *, setting: float = DEFAULT_SETTING
) -> ClassifierReport:
    """Write a classifier as one ONNX file.

    Args:
        fitted: the classifier.
        gallery: whose encoder goes into the file.
        destination: appears whole or not at all.
        setting: of the rejection, from 0 (strict) to 1 (complete).

    Raises:
        LabelError: the file does not agree with encoder and head.
    """
    encoder = GalleryFolder(gallery.info().folder).encoder
    facts = facts_of(fitted, gallery, setting=setting)
    return export_classifier(encoder, fitted.head, fitted.rejection.means, facts, destination)


def classifier_file(
    gallery: Gallery,
    shots: Shots,
    judgement: Judgement | None,
    *,
    setting: float = DEFAULT_SETTING,
) -> bytes:
    """A classifier as the content of one ONNX file, for a download.

    It is judged here and now where labels came or went since: the file rejects as the latest
    labels say, never by chance alone because nobody waited for the judge.

    Raises:
        LabelError: there are fewer than two classes.
    """
    made = (
        fitted(gallery, shots, judgement)
        if judgement is not None and _same(judgement.shots, shots)
        else fit(gallery, shots)
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "classifier.onnx"
        export(made, gallery, file, setting=setting)
        return file.read_bytes()


def facts_of(fitted: Fitted, gallery: Gallery, *, setting: float) -> ClassifierFacts:
    """What the file will say of itself."""
    bars = fitted.rejection.bars(setting)
    preprocessing = gallery.encoder.spec.preprocessing
    quality = fitted.quality
    return ClassifierFacts(
        classes=fitted.head.classes,
        labels=tuple(fitted.shots.names.count(name) for name in fitted.head.classes),
        image_size=preprocessing.image_size,
        crop_fraction=preprocessing.crop_fraction,
        head=fitted.head.kind,
        temperature=fitted.head.temperature,
        calibrated=quality is not None and quality.temperature is not None,
        setting=setting,
        least_share=_finite(bars.share),
        least_near=tuple(_finite(bar) for bar in bars.near),
        macro_f1=None if quality is None else quality.macro_f1.value,
    )


def _same(one: Shots, other: Shots) -> bool:
    return one.names == other.names and np.array_equal(one.ids, other.ids)


def _finite(bar: float) -> float:
    return float(np.clip(bar, _ALWAYS, _NEVER))
