"""Weights from the middle of a run: the best by known classes, and on request all measured ones."""

from dataclasses import replace

from torch import nn

from training.checkpoint import save_encoder
from training.figures import Quality
from training.metrics import read_metrics
from training.runs import RunFolder
from training.spec import EncoderSpec, Preprocessing


class Snapshots:
    """Keeps encoders at a run's measurements, beside the state that it would resume from."""

    def __init__(self, run: RunFolder, spec: EncoderSpec, *, embed_size: int, every: bool) -> None:
        """Keep the best one and, with `every`, all.

        Args:
            run: where to; what it logged before is remembered when it is resumed.
            spec: the start's.
            embed_size: side in pixels of a photo for what was trained.
            every: keep all measurements' weights.
        """
        self._run = run
        self._spec = replace(spec, preprocessing=Preprocessing(embed_size))
        self._every = every
        logged = [line["knn"] for line in read_metrics(run.path) if "knn" in line]
        self._best = max(logged, default=None)

    def keep(self, network: nn.Module, step: int, quality: Quality) -> None:
        """Take in a measurement after `step` steps; step 0, the start, is what others must beat.

        Raises:
            OSError: the run folder cannot be written.
        """
        best = quality.knn is not None and (self._best is None or quality.knn > self._best)
        if best:
            self._best = quality.knn
        files = [self._run.best] * best + [self._run.snapshot(step)] * self._every
        if step == 0 or not files:
            return
        tensors = {name: value.detach().cpu() for name, value in network.state_dict().items()}
        spec = replace(self._spec, origin=f"step {step:,} of a run from {self._spec.origin}")
        for file in files:
            file.parent.mkdir(exist_ok=True)
            save_encoder(file, spec, tensors)
