"""What a classifier says of photos: those of a gallery, or files it has never seen.

Every file ends with an answer, with "none of these" and why, or with the reason why it could not be
read.
"""

import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from app.classifier import Classified, ClassifierFacts
from app.fitting import Fitted, facts_of
from indexer.encoder import BATCH
from indexer.gallery import Gallery
from indexer.labels import NONE
from indexer.providers import cores
from training.cells import table
from training.errors import Interrupted, PhotoError
from training.photos import FoundFile, read_photo, walk
from training.progress import Progress
from training.spec import EncoderSpec, Preprocessing

# Why an answer is rejected.
UNSURE = "unsure"
UNLIKE = "unlike the examples of its class"

COLUMNS = ("path", "label", "likely", "confidence", "note")

# Photos decoded ahead of the classifier.
_LOOK_AHEAD = 2 * BATCH


class Classifies(Protocol):
    """A classifier file, or a gallery's encoder with a head."""

    spec: EncoderSpec
    facts: ClassifierFacts

    def classify(self, pixels: np.ndarray) -> Classified:
        """Classify `(n, S, S, 3)` uint8 photos."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What is said of one file."""

    path: bytes
    label: str  # a class, "none of these", or empty for a file that could not be read
    likely: str = ""  # the likeliest class, rejected or not
    confidence: float | None = None  # the share given to it
    note: str = ""  # why it was rejected or could not be read


class GalleryClassifier:
    """A gallery's encoder with a head that was not written to a file."""

    def __init__(self, gallery: Gallery, fitted: Fitted, *, setting: float) -> None:
        self.spec = gallery.encoder.spec
        self.facts = facts_of(fitted, gallery, setting=setting)
        self._gallery = gallery
        self._fitted = fitted

    def classify(self, pixels: np.ndarray) -> Classified:
        """Classify `(n, S, S, 3)` uint8 photos."""
        return self.classify_rows(self._gallery.encoder.embed(pixels))

    def classify_rows(self, rows: np.ndarray) -> Classified:
        """Classify `(n, d)` float32 embeddings."""
        fitted = self._fitted
        return Classified(fitted.head.probabilities(rows), rows @ fitted.rejection.means.T)


def predict_gallery(gallery: Gallery, classifier: GalleryClassifier) -> list[Prediction]:
    """What is said of every photo of a gallery, by path; exact copies have a line each."""
    ids, rows = gallery.embeddings()
    answers = answered(classifier.classify_rows(rows), classifier.facts)
    found = gallery.photos(ids)
    predictions = [
        Prediction(path, *answer)
        for photo_id, answer in zip(ids.tolist(), answers, strict=True)
        if photo_id in found
        for path in (found[photo_id].path, *found[photo_id].other_paths)
    ]
    return sorted(predictions, key=lambda prediction: prediction.path)


def predict_files(
    classifier: Classifies,
    folders: Sequence[Path],
    *,
    progress: Progress,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Prediction]:
    """What is said of every file below some folders; paths begin with the folder as given.

    Raises:
        CollectionError: a folder is missing.
        Interrupted: `stop` said so.
    """
    items = [(folder, item) for folder in folders for item in walk(folder)]
    progress.start("classifying", total=len(items), unit="files")
    files: list[bytes] = []
    for folder, item in items:
        path = os.fsencode(folder / os.fsdecode(item.path))
        if isinstance(item, FoundFile):
            files.append(path)
        else:
            progress.advance(1)
            yield Prediction(path, "", note=item.reason)
    for batch in _batches(_decoded(files, classifier.spec.preprocessing), BATCH):
        if stop():
            raise Interrupted("stopped; the files before were classified")
        yield from _predicted(classifier, batch)
        progress.advance(len(batch))
    progress.finish()


def answered(classified: Classified, facts: ClassifierFacts) -> list[tuple[str, str, float, str]]:
    """Label, likeliest class, its share and why it was rejected, of every photo."""
    answers = []
    likeliest = classified.probabilities.argmax(axis=1)
    for number, shares, near in zip(
        likeliest, classified.probabilities, classified.near, strict=True
    ):
        likely, share = facts.classes[number], float(shares[number])
        note = ""
        if likely != NONE and share < facts.least_share:
            note = UNSURE
        elif likely != NONE and near[number] < facts.least_near[number]:
            note = UNLIKE
        answers.append((NONE if note else likely, likely, share, note))
    return answers


def as_csv(predictions: Iterable[Prediction], *, header: bool = True) -> bytes:
    """Predictions as a table whose first two columns an import reads."""
    rows = [tuple(map(str, _record(prediction).values())) for prediction in predictions]
    return table([COLUMNS, *rows] if header else rows)


def as_json_lines(predictions: Iterable[Prediction]) -> bytes:
    """Predictions as one JSON object a line, in ASCII."""
    lines = [json.dumps(_record(prediction)) + "\n" for prediction in predictions]
    return "".join(lines).encode("ascii")


def _record(prediction: Prediction) -> dict[str, str | float]:
    share = prediction.confidence
    values = (
        os.fsdecode(prediction.path),
        prediction.label,
        prediction.likely,
        "" if share is None else round(share, 4),
        prediction.note,
    )
    return dict(zip(COLUMNS, values, strict=True))


def _predicted(
    classifier: Classifies, batch: list[tuple[bytes, np.ndarray | str]]
) -> Iterator[Prediction]:
    """The batch's predictions in its order; a text instead of pixels is why there are none."""
    pixels = [pixels for _, pixels in batch if isinstance(pixels, np.ndarray)]
    answers = iter(())  # type: Iterator[tuple[str, str, float, str]]
    if pixels:
        answers = iter(answered(classifier.classify(np.stack(pixels)), classifier.facts))
    for path, found in batch:
        if isinstance(found, str):
            yield Prediction(path, "", note=found)
        else:
            yield Prediction(path, *next(answers))


def _decoded(
    files: list[bytes], preprocessing: Preprocessing
) -> Iterator[tuple[bytes, np.ndarray | str]]:
    """Every file with its pixels or the reason why it has none, read a little ahead on threads."""
    ahead: deque[tuple[bytes, Future[np.ndarray | str]]] = deque()
    pool = ThreadPoolExecutor(cores(), thread_name_prefix="decode")
    try:
        for path in files:
            ahead.append((path, pool.submit(partial(_pixels, path, preprocessing))))
            if len(ahead) >= _LOOK_AHEAD:
                first, future = ahead.popleft()
                yield first, future.result()
        for first, future in ahead:
            yield first, future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _pixels(path: bytes, preprocessing: Preprocessing) -> np.ndarray | str:
    try:
        photo = read_photo(Path(os.fsdecode(path)), at_least=preprocessing.at_least)
    except PhotoError as error:
        return error.message
    return preprocessing.prepare(photo.image)


def _batches(
    items: Iterable[tuple[bytes, np.ndarray | str]], size: int
) -> Iterator[list[tuple[bytes, np.ndarray | str]]]:
    batch = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
