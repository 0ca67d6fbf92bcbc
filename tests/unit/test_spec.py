"""The contract that travels with an encoder: JSON there and back, and hostile JSON."""

import json
from dataclasses import FrozenInstanceError, asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from training.errors import EncoderError
from training.spec import IMAGENET_MEAN, IMAGENET_STD, EncoderSpec, Preprocessing

FINITE = st.floats(-10, 10)
TRIPLES = st.tuples(FINITE, FINITE, FINITE)
POSITIVE = st.floats(1e-6, 10)

PREPROCESSINGS = st.builds(
    Preprocessing,
    image_size=st.integers(1, 4096),
    crop_fraction=st.floats(0, 1, exclude_min=True),
    mean=TRIPLES,
    std=st.tuples(POSITIVE, POSITIVE, POSITIVE),
)
SPECS = st.builds(
    EncoderSpec,
    backbone=st.text(),
    embedding_dim=st.integers(1, 100_000),
    preprocessing=PREPROCESSINGS,
    small_stem=st.booleans(),
    origin=st.text(),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)

SPEC = EncoderSpec("mobilenet_v2", 1280, Preprocessing(96), origin="ImageNet weights")


def changed(**fields: object) -> str:
    """The text of SPEC with some of its fields replaced."""
    return json.dumps({**json.loads(SPEC.to_json()), **fields})


def with_preprocessing(**fields: object) -> str:
    return changed(preprocessing={**asdict(SPEC.preprocessing), **fields})


@given(SPECS)
def test_a_spec_comes_back_from_json_as_it_went(spec: EncoderSpec) -> None:
    assert EncoderSpec.from_json(spec.to_json()) == spec


@given(SPECS)
def test_a_spec_is_one_line_of_ascii(spec: EncoderSpec) -> None:
    text = spec.to_json()

    assert text.isascii()
    assert text.isprintable()


@given(JSON)
def test_any_json_is_a_spec_or_an_encoder_error(value: object) -> None:
    with pytest.raises(EncoderError):
        EncoderSpec.from_json(json.dumps(value))


@given(st.sampled_from(sorted(json.loads(SPEC.to_json()))), JSON)
def test_a_spec_with_one_foreign_field_is_sound_or_refused(name: str, value: object) -> None:
    try:
        spec = EncoderSpec.from_json(changed(**{name: value}))
    except EncoderError:
        return

    assert EncoderSpec.from_json(spec.to_json()) == spec
    assert isinstance(spec.backbone, str)
    assert spec.embedding_dim > 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "[]",
        "null",
        "[" * 100_000,
        changed(version=99),
        changed(surplus=1),
        changed(embedding_dim=0),
        changed(embedding_dim="1280"),
        changed(backbone=None),
        changed(small_stem="yes"),
        with_preprocessing(image_size=0),
        with_preprocessing(image_size=1e400),
        with_preprocessing(image_size=96.5),
        with_preprocessing(crop_fraction=0),
        with_preprocessing(crop_fraction=1.5),
        with_preprocessing(crop_fraction=float("nan")),
        with_preprocessing(std=[0.2, 0.2, 0]),
        with_preprocessing(std=[0.2, 0.2, float("nan")]),
        with_preprocessing(mean=[0.5, 0.5]),
        with_preprocessing(mean=[10**400, 0.5, 0.5]),
        with_preprocessing(mean=[0.5, 0.5, float("inf")]),
    ],
)
def test_what_is_no_spec_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(EncoderError) as caught:
        EncoderSpec.from_json(text)

    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_a_newer_version_is_told_as_such() -> None:
    with pytest.raises(EncoderError, match="another version of Lookalike"):
        EncoderSpec.from_json(changed(version=2))


def test_values_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        SPEC.embedding_dim = 3  # type: ignore[misc]


def test_preprocessing_is_imagenets_unless_said_otherwise() -> None:
    assert (SPEC.preprocessing.mean, SPEC.preprocessing.std) == (IMAGENET_MEAN, IMAGENET_STD)
    assert Preprocessing(224).at_least == 256


def test_without_cropping_the_whole_shorter_side_is_seen() -> None:
    image = Image.new("RGB", (64, 64), "white")
    image.paste("black", (0, 0, 3, 64))  # a line along the left edge, within what is cut off
    whole = replace(SPEC.preprocessing, image_size=32, crop_fraction=1.0)
    cropped = replace(SPEC.preprocessing, image_size=32)

    assert whole.prepare(image)[:, 0].max() == 0
    assert cropped.prepare(image).min() == 255
