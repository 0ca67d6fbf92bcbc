"""What is an encoder worth? Start, trained and exported weights of a run on labelled photos."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from training.bootstrap import Interval, mean_interval, paired_interval
from training.cache import PhotoSet, open_photos
from training.checkpoint import EncoderWeights, load_encoder, save_encoder
from training.errors import CollectionError, Interrupted
from training.eval_report import (
    EXPORTED,
    FINETUNE,
    KNN,
    LINEAR,
    SUPERVISED,
    EvalReport,
    EvalRequest,
    Result,
    with_earlier,
)
from training.evaluate import centred, query_figures
from training.finetune import (
    LR_SCRATCH,
    LabelledPixels,
    SupervisedSettings,
    train_supervised,
)
from training.labelled import Labelled, label_by_folder, stratified_split
from training.models import build_backbone, restore_backbone, to_device
from training.monitor import embed, prepare_photos
from training.prepare import Surroundings, cache_folder
from training.probe import linear_probe
from training.randomness import LAYERS, seed_for
from training.runs import EVALUATION_FILE, RunFolder, finished_run
from training.spec import Preprocessing
from training.verdict import START, TRAINED


def evaluate(request: EvalRequest, around: Surroundings) -> EvalReport:
    """Judge a finished run by labelled photos; the report is kept in the run's folder.

    Raises:
        Interrupted: `around.stop` said so.
        CollectionError: the labelled folder cannot be judged by.
        RunError: there is no finished run.
    """
    run = finished_run(request.run)
    size = request.image_size or run.view_size
    pixels_size = -(-size * 4 // 3)  # crops are then reduced by at most a third
    photos = open_photos(
        request.labelled,
        cache_folder(around.cache_root, request.labelled, pixels_size),
        pixels_size,
        progress=around.progress,
        stop=around.stop,
    )
    labelled = label_by_folder(request.labelled, photos)
    if run.taught_by(request.labelled):
        around.progress.say(
            "The run learned from these very photos and their labels: here it looks better than "
            "on photos that it has not seen"
        )
    judging = _Judging(request, run, photos, labelled, around, size)
    results = judging.results()
    report = EvalReport(
        request=request,
        photos=len(labelled),
        classes=labelled.names,
        loose=labelled.loose,
        skipped=len(photos.skipped),
        train=len(judging.train),
        test=len(judging.test),
        exported=judging.exported,
        results=tuple(results),
    )
    run.write_json(EVALUATION_FILE, with_earlier(report.to_json(), run.evaluation()))
    return report


class _Judging:
    """One evaluation: the weights, the photos, and the figures photo by photo."""

    def __init__(
        self,
        request: EvalRequest,
        run: RunFolder,
        photos: PhotoSet,
        labelled: Labelled,
        around: Surroundings,
        size: int,
    ) -> None:
        self.request, self.run, self.photos, self.labelled = request, run, photos, labelled
        self.progress, self.stop = around.progress, around.stop
        self.view_size = size
        self.device = torch.device(request.device)
        self.train, self.test = stratified_split(labelled.codes, request.seed)
        self.weights, self.exported = _distinct(
            {START: load_encoder(run.start), TRAINED: load_encoder(run.trained),
             EXPORTED: load_encoder(run.encoder)}
        )  # fmt: skip
        self.seen: dict[tuple[str, str], tuple[int, np.ndarray]] = {}
        self._prepared: dict[Preprocessing, np.ndarray] = {}

    def results(self) -> list[Result]:
        """Every figure that was asked for."""
        measure: dict[str, Callable[[str, EncoderWeights], None]] = {
            KNN: self._search,
            LINEAR: self._linear,
            FINETUNE: self._finetune,
        }
        for judgement, call in measure.items():
            if judgement in self.request.only:
                for name, weights in self.weights.items():
                    self._may_go_on()
                    call(name, weights)
        if SUPERVISED in self.request.only:
            self._may_go_on()
            self._supervised()
        return [
            Result(name, figure, size, mean_interval(values), self._against_start(name, figure))
            for (name, figure), (size, values) in self.seen.items()
        ]

    def _against_start(self, name: str, figure: str) -> Interval | None:
        before = self.seen.get((START, figure))
        if name == START or before is None:
            return None
        return paired_interval(self.seen[name, figure][1], before[1])

    def _search(self, name: str, weights: EncoderWeights) -> None:
        embeddings, size = self._embedded(name, weights)
        figures = query_figures(centred(embeddings), self.labelled.codes)
        self._keep(name, "knn", size, figures.knn)
        self._keep(name, "precision_at_10", size, figures.precision_at_10)
        self._keep(name, "mean_average_precision", size, figures.average_precision)

    def _linear(self, name: str, weights: EncoderWeights) -> None:
        embeddings, size = self._embedded(name, weights)
        codes = self.labelled.codes
        given = linear_probe(
            embeddings[self.train], codes[self.train], embeddings[self.test],
            seed=self.request.seed,
        )  # fmt: skip
        self._keep(name, "linear", size, given == codes[self.test])

    def _finetune(self, name: str, weights: EncoderWeights) -> None:
        settings = self._settings()
        self._train(name, weights, settings)

    def _supervised(self) -> None:
        """The same network from random weights on the same labels: what pretraining must beat."""
        settings = replace(self._settings(), lr=LR_SCRATCH, head_lr=LR_SCRATCH)
        spec = self.weights[START].spec
        torch.manual_seed(seed_for(self.request.seed, LAYERS))
        fresh = build_backbone(spec.backbone, small_stem=spec.small_stem).network.state_dict()
        tensors = self._train(
            SUPERVISED, EncoderWeights(spec, fresh, sha256=""), settings
        ).state_dict()
        spec = replace(
            spec,
            preprocessing=Preprocessing(self.view_size),
            origin=f"supervised from scratch, {settings.epochs} epochs on {len(self.train)} photos",
        )
        save_encoder(self.run.supervised, spec, tensors)

    def _train(
        self, name: str, weights: EncoderWeights, settings: SupervisedSettings
    ) -> torch.nn.Module:
        label = "training from scratch" if name == SUPERVISED else f"fine-tuning {name}"
        train = self.labelled.chosen[self.train]
        codes = self.labelled.codes
        learned = LabelledPixels(
            self.photos.pixels[self.photos.rows[train]],
            self.photos.aspects[train],
            codes[self.train],
            len(self.labelled.names),
        )
        self.progress.start(label, total=settings.epochs * len(train), unit="photos")
        classifier = train_supervised(
            restore_backbone(weights.spec, weights.tensors), learned, settings, self.device,
            progress=self.progress, stop=self.stop,
        )  # fmt: skip
        preprocessing = Preprocessing(self.view_size)
        given = classifier.predict(self._clean(preprocessing)[self.test], preprocessing)
        self.progress.finish()
        self._keep(name, FINETUNE, self.view_size, given == codes[self.test])
        return classifier.backbone.network

    def _settings(self) -> SupervisedSettings:
        return SupervisedSettings(
            self.view_size, epochs=self.request.epochs, seed=self.request.seed
        )

    def _embedded(self, name: str, weights: EncoderWeights) -> tuple[np.ndarray, int]:
        """Embeddings of all labelled photos, at the size the encoder searches at."""
        preprocessing = weights.spec.preprocessing
        if self.request.image_size:
            preprocessing = replace(preprocessing, image_size=self.request.image_size)
        pixels = self._clean(preprocessing)
        self.progress.start(f"embedding with the {name} weights", total=len(pixels), unit="photos")
        backbone = restore_backbone(weights.spec, weights.tensors)
        to_device(backbone, self.device)
        embeddings = embed(backbone, pixels, preprocessing, self.device)
        self.progress.advance(len(pixels))
        self.progress.finish()
        return embeddings, preprocessing.image_size

    def _clean(self, preprocessing: Preprocessing) -> np.ndarray:
        if preprocessing not in self._prepared:
            paths = tuple(self.photos.paths[i] for i in self.labelled.chosen)
            pixels, kept = prepare_photos(self.request.labelled, paths, preprocessing)
            if len(kept) < len(paths):
                raise CollectionError(
                    f"{len(paths) - len(kept)} photos in {self.request.labelled} vanished or "
                    "changed while they were judged",
                    hint="run the same command again",
                )
            self._prepared[preprocessing] = pixels
        return self._prepared[preprocessing]

    def _keep(self, name: str, figure: str, size: int, values: np.ndarray) -> None:
        self.seen[name, figure] = (size, values.astype(np.float64))

    def _may_go_on(self) -> None:
        if self.stop():
            raise Interrupted(
                "stopped before all was judged", hint="--only leaves out what takes long"
            )


def _distinct(weights: dict[str, EncoderWeights]) -> tuple[dict[str, EncoderWeights], str]:
    """The weights without a repeated export, and which ones the exported are."""
    exported = weights[EXPORTED]
    for name in (START, TRAINED):
        same_size = weights[name].spec.preprocessing == exported.spec.preprocessing
        if same_size and weights[name].same_network(exported):
            return {n: w for n, w in weights.items() if n != EXPORTED}, name
    return weights, EXPORTED
