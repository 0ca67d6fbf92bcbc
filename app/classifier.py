"""A classifier as one ONNX file: photo in, class probabilities out, all it needs to know inside."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np

from indexer import providers
from indexer.encoder import BATCH, INPUT, SPEC_KEY, open_session, read_encoder
from indexer.runtime import ort
from indexer.wording import shown
from training.errors import EncoderError, LabelError
from training.spec import EncoderSpec

CLASSIFIER_KEY = "lookalike.classifier"

# The outputs of a classifier file, beside an encoder's input.
PROBABILITIES = "probabilities"  # (n, c) float32: the share of every class
NEAR = "near"  # (n, c) float32: the cosine to the mean of every class's examples

FACTS_VERSION = 1

_HINT = "`ssl-label fit GALLERY -o classifier.onnx` makes one"


@dataclass(frozen=True)
class ClassifierFacts:
    """What a classifier file says of itself, as JSON in its metadata."""

    classes: tuple[str, ...]  # the order of the outputs' columns
    labels: tuple[int, ...]  # how many photos each was learned from
    image_size: int  # S: the input is (n, S, S, 3) uint8 RGB
    crop_fraction: float  # the centre square of so much of the shorter side, resized to S
    head: str  # nearest mean or logistic regression
    temperature: float  # that probabilities were divided by, in the graph
    calibrated: bool  # whether the temperature comes from cross-validation
    setting: float  # of the rejection, from 0 (strict) to 1 (complete)
    least_share: float  # an answer with a lower probability is rejected
    least_near: tuple[float, ...]  # and one whose class is less near; above 1: the class is "none"
    macro_f1: float | None  # by cross-validation; None: too few labels to tell

    def to_json(self) -> str:
        """The facts as one line of JSON."""
        return json.dumps({"version": FACTS_VERSION, **asdict(self)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "ClassifierFacts":
        """Read what `to_json` wrote.

        Raises:
            ValueError, KeyError, TypeError, AttributeError: it is something else.
        """
        fields = json.loads(text)
        if fields.pop("version") != FACTS_VERSION:
            raise ValueError("it was written by another version of Lookalike")
        for name in ("classes", "labels", "least_near"):
            fields[name] = tuple(fields[name])
        facts = cls(**fields)
        lengths = {len(facts.classes), len(facts.labels), len(facts.least_near)}
        if len(lengths) != 1:
            raise ValueError("its lists of classes differ in length")
        return facts


@dataclass(frozen=True, slots=True, eq=False)
class Classified:
    """What a classifier says of some photos."""

    probabilities: np.ndarray  # (n, c) float32
    near: np.ndarray  # (n, c) float32


class Classifier:
    """A session on the GPU or the CPU. Safe to share between threads."""

    def __init__(
        self, session: ort.InferenceSession, spec: EncoderSpec, facts: ClassifierFacts
    ) -> None:
        self.spec = spec
        self.facts = facts
        self.warning = ""  # a sentence when a GPU is there and unused
        self._session = session

    @classmethod
    def open(cls, path: Path, *, device: str = "auto") -> Self:
        """Open a classifier file.

        Args:
            path: an ONNX file that `ssl-label fit` or the app wrote.
            device: `auto` uses a GPU when there is one; `cpu` and `cuda` insist.

        Raises:
            EncoderError: it cannot be read or is damaged.
            LabelError: there is none, or it is an ONNX file of another kind.
            ConfigError: the device is unknown or not there.
        """
        if not path.is_file():
            raise LabelError(f"there is no classifier at {shown(path)}", hint=_HINT)
        model = read_encoder(path)
        devices = providers.cuda_device_count() if device != "cpu" else 0
        provider = providers.choose_provider(device, cuda_devices=devices)
        session = open_session(model, provider, path)
        metadata = session.get_modelmeta().custom_metadata_map
        outputs = [output.name for output in session.get_outputs()]
        if outputs != [PROBABILITIES, NEAR] or CLASSIFIER_KEY not in metadata:
            raise LabelError(f"{shown(path)} is an ONNX file, but no classifier", hint=_HINT)
        try:
            spec = EncoderSpec.from_json(metadata[SPEC_KEY])
            facts = ClassifierFacts.from_json(metadata[CLASSIFIER_KEY])
        except (ValueError, KeyError, TypeError, AttributeError, EncoderError) as error:
            raise LabelError(
                f"the description in {shown(path)} cannot be read: {error}", hint=_HINT
            ) from None
        classifier = cls(session, spec, facts)
        classifier.warning = providers.unused_gpu(
            device, cuda_devices=devices, provider=classifier.provider
        )
        return classifier

    @property
    def provider(self) -> str:
        """The ONNX Runtime provider that the session really uses."""
        return str(self._session.get_providers()[0])

    def classify(self, pixels: np.ndarray) -> Classified:
        """Classify prepared photos.

        Args:
            pixels: `(n, S, S, 3)` uint8 RGB, n at least 1, as `spec.preprocessing.prepare` gives
                them.
        """
        parts = [
            self._session.run([PROBABILITIES, NEAR], {INPUT: pixels[at : at + BATCH]})
            for at in range(0, len(pixels), BATCH)
        ]
        return Classified(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
