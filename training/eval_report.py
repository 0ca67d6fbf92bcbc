"""What an evaluation is asked, and what it finds: values, no computing."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.bootstrap import Interval

# What can be measured, and what is measured of one kind of training.
KNN, LINEAR, FINETUNE, SUPERVISED = JUDGEMENTS = ("knn", "linear", "finetune", "supervised")

EXPORTED = "exported"


@dataclass(frozen=True)
class EvalRequest:
    """What to judge, by which photos, and how."""

    run: Path
    labelled: Path
    only: tuple[str, ...] = JUDGEMENTS
    seed: int = 0
    epochs: int = 30  # of fine-tuning, and of the supervised baseline
    image_size: int | None = None  # None: every encoder at the size it searches at
    device: str = "cpu"


@dataclass(frozen=True)
class Result:
    """One figure of one set of weights."""

    weights: str  # start, trained, exported or supervised
    figure: str  # knn, precision_at_10, mean_average_precision, linear or finetune
    size: int  # pixels of a photo
    interval: Interval
    against_start: Interval | None  # how much more than the start has; None for the start itself

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        against = self.against_start
        return {
            "weights": self.weights,
            "figure": self.figure,
            "size": self.size,
            **self.interval.to_json(),
            "against_start": against.to_json() if against else None,
        }


def with_earlier(found: dict[str, Any], earlier: dict[str, Any] | None) -> dict[str, Any]:
    """A report as JSON, with the figures of an earlier one that were not measured again.

    Only where both were asked and judged alike: on other photos they would not compare.
    """
    if earlier is None or {**earlier, "results": []} != {**found, "results": []}:
        return found
    again = {(one["weights"], one["figure"]) for one in found["results"]}
    kept = [one for one in earlier["results"] if (one["weights"], one["figure"]) not in again]
    return {**found, "results": [*found["results"], *kept]}


@dataclass(frozen=True)
class EvalReport:
    """All figures, and the photos they were measured on."""

    request: EvalRequest
    photos: int
    classes: tuple[str, ...]
    loose: int  # photos in no class folder
    skipped: int  # files that cannot be read
    train: int  # photos that heads and fine-tuning learn from
    test: int  # photos they are judged on
    exported: str  # which weights the exported ones are: start, trained, or their own
    results: tuple[Result, ...]

    def find(self, weights: str, figure: str) -> Result | None:
        """One figure; None where it was not measured."""
        return next(
            (r for r in self.results if (r.weights, r.figure) == (weights, figure)),
            None,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        request = self.request
        return {
            "run": str(request.run),
            "labelled": str(request.labelled),
            "seed": request.seed,
            "epochs": request.epochs,
            "image_size": request.image_size,
            "photos": self.photos,
            "classes": list(self.classes),
            "loose": self.loose,
            "skipped": self.skipped,
            "train": self.train,
            "test": self.test,
            "exported": self.exported,
            "results": [result.to_json() for result in self.results],
        }
