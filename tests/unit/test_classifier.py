"""The classifier file: it says what encoder and head say, and what it needs is inside."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from app.answers import Shots, shots_of
from app.classifier import CLASSIFIER_KEY, Classifier, ClassifierFacts
from app.exports.classifier import export_classifier
from app.fitting import Fitted, export, facts_of, fit, fitted
from app.predicting import GalleryClassifier, predict_files, predict_gallery
from indexer.labels import NONE
from training.errors import CollectionError, EncoderError, Interrupted, LabelError
from training.progress import Silent


def shots(wardrobe: Any) -> Shots:
    return shots_of(*wardrobe.gallery.embeddings(), wardrobe.labels.current())


@pytest.fixture
def made(wardrobe: Any) -> Fitted:
    return fit(wardrobe.gallery, shots(wardrobe))


@pytest.fixture
def file(wardrobe: Any, made: Fitted, tmp_path: Path) -> Path:
    return export(made, wardrobe.gallery, tmp_path / "classifier.onnx").path


def test_the_file_says_what_encoder_and_head_say(wardrobe: Any, made: Fitted, file: Path) -> None:
    encoder = wardrobe.gallery.encoder
    pixels = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    rows = encoder.embed(pixels)

    said = Classifier.open(file).classify(pixels)

    np.testing.assert_allclose(said.probabilities, made.head.probabilities(rows), atol=1e-5)
    np.testing.assert_allclose(said.near, rows @ made.rejection.means.T, atol=1e-5)
    np.testing.assert_allclose(said.probabilities.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_a_gallery_in_fewer_bits_gives_a_file_that_agrees_with_it(
    wardrobe: Any, studio: Any, precision: str, tmp_path: Path
) -> None:
    studio.build(precision=precision, rebuild=True)
    gallery = studio.gallery()
    made = fit(gallery, shots_of(*gallery.embeddings(), wardrobe.labels.current()))
    file = export(made, gallery, tmp_path / "classifier.onnx").path
    pixels = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)

    said = Classifier.open(file).classify(pixels)

    expected = made.head.probabilities(gallery.encoder.embed(pixels))
    assert gallery.encoder.precision == precision
    np.testing.assert_allclose(said.probabilities, expected, atol=1e-5)


def test_the_file_carries_classes_preprocessing_and_bars(made: Fitted, file: Path) -> None:
    session = onnxruntime.InferenceSession(file)
    facts = json.loads(session.get_modelmeta().custom_metadata_map[CLASSIFIER_KEY])
    assert facts["classes"] == ["blue", "red"]
    assert facts["labels"] == [12, 12]
    assert (facts["image_size"], facts["crop_fraction"]) == (32, 224 / 256)
    assert facts["least_share"] == pytest.approx(made.rejection.bars().share)
    assert facts["least_near"] == pytest.approx(made.rejection.bars().near)
    assert [output.name for output in session.get_outputs()] == ["probabilities", "near"]


def test_no_path_of_the_machine_is_in_the_file(wardrobe: Any, file: Path) -> None:
    data = file.read_bytes()
    for path in (wardrobe.folder, wardrobe.photos, Path.cwd(), Path.home()):
        assert str(path).encode() not in data


def test_a_file_that_does_not_agree_is_refused_and_not_written(
    wardrobe: Any, made: Fitted, tmp_path: Path
) -> None:
    class Off:
        """A head that says otherwise in NumPy than its weights do in the graph."""

        def __init__(self) -> None:
            self.classes = made.head.classes

        def folded(self) -> tuple[np.ndarray, np.ndarray]:
            return made.head.folded()

        def probabilities(self, rows: np.ndarray) -> np.ndarray:
            return made.head.probabilities(rows) + np.float32(0.001)

    facts = facts_of(made, wardrobe.gallery, setting=0.95)
    encoder, out = wardrobe.folder / "encoder.onnx", tmp_path / "off.onnx"
    with pytest.raises(LabelError, match="differs from encoder and head by"):
        export_classifier(encoder, Off(), made.rejection.means, facts, out)  # type: ignore[arg-type]
    assert not out.exists()


def test_one_class_or_none_is_no_classifier(wardrobe: Any) -> None:
    every = shots(wardrobe)
    one = Shots(every.ids[:3], every.rows[:3], ("red",) * 3, ("search",) * 3)
    none = Shots(every.ids[:0], every.rows[:0], (), ())
    for few in (one, none):
        with pytest.raises(LabelError, match="two classes"):
            fit(wardrobe.gallery, few)


def test_a_judgement_of_other_labels_gives_no_bars(wardrobe: Any, made: Fitted) -> None:
    every = shots(wardrobe)
    fewer = Shots(every.ids[1:], every.rows[1:], every.names[1:], every.sources[1:])
    from app.answers import judged  # noqa: PLC0415

    found = fitted(wardrobe.gallery, fewer, judged(every))
    assert found.quality is None
    assert made.quality is not None


@pytest.mark.parametrize("name", ["encoder.onnx", "catalogue.sqlite", "nowhere.onnx"])
def test_what_is_no_classifier_is_refused(name: str, wardrobe: Any) -> None:
    with pytest.raises((LabelError, EncoderError)) as raised:
        Classifier.open(wardrobe.folder / name)
    assert raised.value.hint


@pytest.mark.parametrize("change", ['{"version": 99}', "[]", "{", '{"version": 1}'])
def test_facts_of_another_kind_are_refused(change: str, made: Fitted, wardrobe: Any) -> None:
    facts = facts_of(made, wardrobe.gallery, setting=0.5)
    assert ClassifierFacts.from_json(facts.to_json()) == facts
    with pytest.raises((ValueError, KeyError, TypeError, AttributeError)):
        ClassifierFacts.from_json(change)
    with pytest.raises(ValueError, match="differ in length"):
        ClassifierFacts.from_json(replace(facts, labels=(1,)).to_json())


# Predicting


def test_every_photo_of_a_gallery_gets_an_answer(wardrobe: Any, made: Fitted) -> None:
    own = GalleryClassifier(wardrobe.gallery, made, setting=1)
    predictions = predict_gallery(wardrobe.gallery, own)
    assert [p.path for p in predictions] == sorted(p.path for p in predictions)
    assert len(predictions) == 48
    assert all(p.path.decode().startswith(p.label) for p in predictions)


def test_a_file_and_a_gallery_say_the_same_of_files(
    wardrobe: Any, made: Fitted, file: Path
) -> None:
    own = GalleryClassifier(wardrobe.gallery, made, setting=0.95)
    folders = [wardrobe.photos]
    left = list(predict_files(own, folders, progress=Silent()))
    right = list(predict_files(Classifier.open(file), folders, progress=Silent()))
    assert [(p.path, p.label, p.note) for p in left] == [(p.path, p.label, p.note) for p in right]


def test_rejection_answers_none_of_these_and_says_why(
    wardrobe: Any, made: Fitted, hostile_folder: Any
) -> None:
    strict = GalleryClassifier(wardrobe.gallery, made, setting=0)
    predictions = list(predict_files(strict, [hostile_folder.root], progress=Silent()))
    read = {p.path.removeprefix(bytes(hostile_folder.root) + b"/"): p for p in predictions}
    for path in hostile_folder.good:
        assert read[path].label == NONE
        assert read[path].note in ("unsure", "unlike the examples of its class")
        assert read[path].likely in ("red", "blue")
    for path, reason in hostile_folder.bad.items():
        assert read[path].label == ""
        assert reason in read[path].note
    assert len(read) == len(hostile_folder.good) + len(hostile_folder.bad)


def test_predicting_can_be_stopped_and_a_missing_folder_is_told(
    wardrobe: Any, made: Fitted, tmp_path: Path
) -> None:
    own = GalleryClassifier(wardrobe.gallery, made, setting=1)
    with pytest.raises(Interrupted):
        list(predict_files(own, [wardrobe.photos], progress=Silent(), stop=lambda: True))
    with pytest.raises(CollectionError):
        list(predict_files(own, [tmp_path / "nowhere"], progress=Silent()))
