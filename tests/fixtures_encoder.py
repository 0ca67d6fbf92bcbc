"""A toy encoder as an ONNX file, made without torch, and small galleries built with it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper
from PIL import Image

from indexer.build import BuildRequest, build
from indexer.catalogue import Catalogue
from indexer.centring import CentringPlan
from indexer.encoder import INPUT, OUTPUT, SOURCE_KEY, SPEC_KEY
from indexer.gallery import Gallery
from indexer.report import IndexReport
from training.progress import Silent
from training.spec import EncoderSpec, Preprocessing

IMAGE_SIZE = 32
BLOCK = 8  # pixels that are averaged along each side
DIM = 16


def write_toy_encoder(path: Path, *, seed: int = 0, dim: int = DIM) -> Path:
    """Block means through a fixed random projection, unit length: sees colour and layout.

    Another seed is another encoder, with another source hash.
    """
    cells = (IMAGE_SIZE // BLOCK) ** 2 * 3
    draw = np.random.default_rng(seed)
    constants = {
        "projection": draw.standard_normal((cells, dim)).astype(np.float32),
        # Without it, colours on one line through the origin would share an embedding.
        "bias": draw.standard_normal(dim).astype(np.float32),
    }
    nodes = [
        helper.make_node(
            "AveragePool", ["channels"], ["blocks"], kernel_shape=[BLOCK] * 2, strides=[BLOCK] * 2
        ),
        helper.make_node("Flatten", ["blocks"], ["flat"]),
        helper.make_node("MatMul", ["flat", "projection"], ["projected"]),
        helper.make_node("Add", ["projected", "bias"], ["raw"]),
    ]
    spec = EncoderSpec("toy", dim, Preprocessing(IMAGE_SIZE), origin=f"toy encoder {seed}")
    path.write_bytes(encoder_around(nodes, constants, spec=spec, source=f"{seed:064x}"))
    return path


def encoder_around(
    nodes: Sequence[NodeProto],
    constants: Mapping[str, np.ndarray | np.generic],
    *,
    spec: EncoderSpec,
    source: str,
) -> bytes:
    """An encoder.onnx by our contract, whose own work is a few nodes and what they multiply with.

    They take `channels`, photos `(n, 3, s, s)` from 0 to 1, and give `raw`, rows `(n, d)`.
    """
    constants = {
        "scale": np.float32(1 / 255),
        "axis": np.array([1], dtype=np.int64),
        "epsilon": np.float32(1e-12),
        **constants,
    }
    size = spec.preprocessing.image_size
    graph = helper.make_graph(
        [
            helper.make_node("Cast", [INPUT], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["floats", "scale"], ["unit"]),
            helper.make_node("Transpose", ["unit"], ["channels"], perm=[0, 3, 1, 2]),
            *nodes,
            helper.make_node("ReduceL2", ["raw", "axis"], ["length"]),
            helper.make_node("Max", ["length", "epsilon"], ["divisor"]),
            helper.make_node("Div", ["raw", "divisor"], [OUTPUT]),
        ],
        spec.backbone,
        [helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["batch", size, size, 3])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", spec.embedding_dim])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, {SPEC_KEY: spec.to_json(), SOURCE_KEY: source})
    return bytes(model.SerializeToString(deterministic=True))


@pytest.fixture(scope="session")
def make_graph() -> Callable[..., bytes]:
    """Puts a few nodes into an encoder of ours: see `encoder_around`."""
    return encoder_around


@pytest.fixture
def make_encoder(tmp_path: Path) -> Callable[[int], Path]:
    """Writes the toy encoder of a seed and gives its path."""
    return lambda seed: write_toy_encoder(tmp_path / f"toy-{seed}.onnx", seed=seed)


@pytest.fixture
def toy_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy encoder: 32 pixels in, 16 numbers out."""
    return write_toy_encoder(tmp_path_factory.mktemp("encoder") / "toy.onnx")


@dataclass(frozen=True)
class Studio:
    """A folder of photos and a gallery of them, to change and build again."""

    request: BuildRequest

    @property
    def photos(self) -> Path:
        return self.request.photos

    @property
    def folder(self) -> Path:
        return self.request.gallery

    def paint(self, name: str, colour: str | tuple[int, int, int]) -> Path:
        """A small photo of one colour."""
        path = self.photos / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 40), colour).save(path)
        return path

    def paint_many(self, count: int) -> None:
        """Photos that each have a colour of their own."""
        for number in range(count):
            self.paint(f"many-{number:03d}.png", (number * 5 % 256, number * 41 % 256, 90))

    def build(self, **changes: object) -> IndexReport:
        """Build, with another request's fields; every file must end as something."""
        report = build(replace(self.request, **changes), progress=Silent())  # type: ignore[arg-type]
        ends = (report.added, report.changed, report.moved, report.unchanged, report.skipped)
        assert sum(ends) == report.seen, report
        return report

    def happened(self, **changes: object) -> dict[str, int]:
        """What a build counts, without the zeros."""
        report = asdict(self.build(**changes))
        names = (
            "added", "changed", "moved", "unchanged", "removed", "missing", "skipped", "embedded",
        )  # fmt: skip
        return {name: report[name] for name in names if report[name]}

    def gallery(self) -> Gallery:
        return Gallery.open(self.folder)

    def paths(self) -> set[bytes]:
        """The paths that the gallery knows."""
        return set(Catalogue.open(self.folder / "catalogue.sqlite").photos(staged=False))


@pytest.fixture
def studio(toy_encoder: Path, tmp_path: Path) -> Studio:
    """Four photos, a.png, b.png, c.png and sub/d.png, of which no gallery is built yet.

    The gallery will be centred from five photos on and reduced to 6 numbers from twelve.
    """
    plan = CentringPlan(centre_from=5, reduce_from=12, dim=6)
    folders = (tmp_path / "photos", tmp_path / "gallery")
    request = BuildRequest(*folders, toy_encoder, centring=plan, prune=True)
    made = Studio(request)
    for name, colour in {"a": "red", "b": "green", "c": "blue", "sub/d": "gold"}.items():
        made.paint(f"{name}.png", colour)
    return made


@pytest.fixture
def built(studio: Studio) -> Studio:
    """The studio with twelve photos and their gallery."""
    studio.paint_many(8)
    studio.build()
    return studio
