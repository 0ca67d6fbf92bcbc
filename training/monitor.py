"""Is it learning? Figures on photos that training never sees, from the start weights on."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from training.augment import make_views
from training.cache import PhotoSet
from training.errors import PhotoError
from training.evaluate import QueryFigures, centred, folder_labels, query_figures
from training.figures import Quality, Sight, quality_of
from training.labels import PhotoLabels
from training.models import Backbone
from training.photos import read_photo
from training.randomness import HELD_OUT, MONITOR, generator_for
from training.recipes import ViewRecipe
from training.spec import Preprocessing

# Held out: one photo in twenty, at least 8 and at most 256 (they are held in memory, with views).
HELD_OUT_SHARE = 0.05
HELD_OUT_MIN = 8
HELD_OUT_MAX = 256

# At the end, where classes are known, this many photos decide between start and trained.
JUDGED_MAX = 1500

# Fewer queries say nothing: half of them choose what to export, the others judge the choice.
QUERIES_MIN = 8

_BATCH = 64


@dataclass(frozen=True)
class MonitorSettings:
    """How held-out photos are looked at."""

    recipes: tuple[ViewRecipe, ViewRecipe]
    preprocessing: Preprocessing
    device: torch.device
    seed: int


def split_held_out(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the photos to train on and of those held out, both sorted int64."""
    held = min(HELD_OUT_MAX, max(HELD_OUT_MIN, round(count * HELD_OUT_SHARE)))
    order = np.random.default_rng([seed, HELD_OUT]).permutation(count)
    return np.sort(order[held:]), np.sort(order[:held])


def prepare_photos(
    root: Path, paths: tuple[bytes, ...], preprocessing: Preprocessing
) -> tuple[np.ndarray, np.ndarray]:
    """Photos as an encoder sees them: `(m, s, s, 3)` uint8, and which of `paths` they are.

    Photos that can no longer be read are left out.
    """
    pixels: list[np.ndarray] = []
    kept: list[int] = []
    for index, path in enumerate(paths):
        try:
            photo = read_photo(root / path.decode(errors="surrogateescape"),
                               at_least=preprocessing.at_least)  # fmt: skip
        except PhotoError:
            continue
        pixels.append(preprocessing.prepare(photo.image))
        kept.append(index)
    side = preprocessing.image_size
    stacked = np.stack(pixels) if pixels else np.zeros((0, side, side, 3), np.uint8)
    return stacked, np.array(kept, np.int64)


def embed(
    backbone: Backbone, pixels: np.ndarray, preprocessing: Preprocessing, device: torch.device
) -> np.ndarray:
    """Unit embeddings `(n, d)` float32 of prepared photos `(n, s, s, 3)` uint8."""
    found: list[Tensor] = []
    with evaluating(backbone):
        for start in range(0, len(pixels), _BATCH):
            batch = torch.from_numpy(pixels[start : start + _BATCH]).to(device)
            representations = backbone(normalised(batch, preprocessing)).float()
            found.append(torch.nn.functional.normalize(representations, dim=1).cpu())
    return torch.cat(found).numpy() if found else np.zeros((0, backbone.embedding_dim), np.float32)


def normalised(batch: Tensor, preprocessing: Preprocessing) -> Tensor:
    """What a network sees, `(n, 3, s, s)` float32, of prepared photos `(n, s, s, 3)` uint8."""
    mean = torch.tensor(preprocessing.mean, device=batch.device).view(3, 1, 1)
    std = torch.tensor(preprocessing.std, device=batch.device).view(3, 1, 1)
    images = (batch.permute(0, 3, 1, 2).float() / 255 - mean) / std
    return images.contiguous(memory_format=torch.channels_last)


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; every module gets back the mode it was in."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        for module, mode in modes:
            module.training = mode


class Monitor:
    """Measures a backbone on held-out photos, always the same views of them."""

    def __init__(
        self,
        root: Path,
        photos: PhotoSet,
        held_out: np.ndarray,
        settings: MonitorSettings,
        classes: np.ndarray | None = None,
    ) -> None:
        """Look at the photos `held_out`; `classes` `(n,)` are of all, see `known_classes`."""
        self._preprocessing = preprocessing = settings.preprocessing
        self._device = settings.device
        paths = tuple(photos.paths[i] for i in held_out)
        self._pixels, kept = prepare_photos(root, paths, preprocessing)
        rows = photos.rows[held_out[kept]]
        self._views = _fixed_views(photos, rows, held_out[kept], settings)
        self._labels = None if classes is None else classes[held_out[kept]]

    def __len__(self) -> int:
        return len(self._pixels)

    def measure(self, backbone: Backbone) -> Quality:
        """The figures of a backbone as it is now."""
        return quality_of(self.look(backbone))

    def look(self, backbone: Backbone, projector: nn.Module | None = None) -> Sight:
        """What a backbone, and a projector upon it, make of the held-out photos now.

        Raises:
            RunError: their outputs are not finite: training diverged.
        """
        found: list[np.ndarray] = []
        projected: list[np.ndarray] = []
        with evaluating(backbone):
            for part in np.split(self._pixels, range(_BATCH, len(self._pixels), _BATCH)):
                batch = torch.from_numpy(part).to(self._device)
                representations = backbone(normalised(batch, self._preprocessing)).float()
                found.append(nn.functional.normalize(representations, dim=1).cpu().numpy())
                if projector is not None:
                    with evaluating(projector):
                        projected.append(projector(representations).float().cpu().numpy())
        first, second = (self._embed_views(backbone, views) for views in self._views)
        return Sight(
            embeddings=np.concatenate(found),
            first=first,
            second=second,
            projections=np.concatenate(projected) if projected else None,
            labels=self._labels,
        )

    def _embed_views(self, backbone: Backbone, views: Tensor) -> np.ndarray:
        with evaluating(backbone):
            found = [
                backbone(part.to(self._device)).float().cpu() for part in torch.split(views, _BATCH)
            ]
        return torch.cat(found).numpy()


def known_classes(photos: PhotoSet, labels: PhotoLabels | None) -> np.ndarray | None:
    """What photos show, `(n,)` int64, negative where unknown; None where nothing is known.

    The labels that a run learns from, else the folders, where they look like classes.
    """
    return folder_labels(photos.paths) if labels is None else labels.codes


class Judge:
    """Search quality by known classes, on a fixed sample of the photos that have one."""

    def __init__(
        self,
        root: Path,
        photos: PhotoSet,
        preprocessing: Preprocessing,
        classes: np.ndarray | None,
        asked: np.ndarray | None = None,
    ) -> None:
        """Judge by `classes` of all photos; see `known_classes`.

        Where labels were learned from, only photos that were not, those `asked` by their indices,
        may be queries: the others find their own class because they were told it.
        """
        self._preprocessing = preprocessing
        self._labels = self._queries = np.zeros(0, np.int64)
        if classes is not None:
            order = np.random.default_rng(0).permutation(np.flatnonzero(classes >= 0))
            if asked is not None:
                order = order[np.argsort(~np.isin(order, asked), kind="stable")]
            chosen = np.sort(order[:JUDGED_MAX])
            paths = tuple(photos.paths[i] for i in chosen)
            self._pixels, kept = prepare_photos(root, paths, preprocessing)
            self._labels = classes[chosen[kept]]
            queries = np.isin(chosen[kept], chosen if asked is None else asked)
            self._queries = np.flatnonzero(queries)

    def judge(self, backbone: Backbone, device: torch.device) -> QueryFigures | None:
        """The figures of a backbone, query by query; None where there are too few to say."""
        if len(self._queries) < QUERIES_MIN:
            return None
        embeddings = embed(backbone, self._pixels, self._preprocessing, device)
        return query_figures(centred(embeddings), self._labels).of(self._queries)


def _fixed_views(
    photos: PhotoSet,
    rows: np.ndarray,
    indices: np.ndarray,
    settings: MonitorSettings,
) -> tuple[Tensor, Tensor]:
    """Two augmented views `(n, 3, s, s)` of each held-out photo, on the CPU."""
    pixels = torch.from_numpy(photos.pixels[rows])
    aspects = torch.from_numpy(photos.aspects[indices])
    first, second = (
        make_views(pixels, aspects, recipe, generator_for(settings.seed, MONITOR, view))
        for view, recipe in enumerate(settings.recipes)
    )
    return first, second
