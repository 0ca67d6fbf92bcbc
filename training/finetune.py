"""Supervised training of a whole network: fine-tuning, and from scratch the baseline for it."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.augment import make_views
from training.errors import Interrupted
from training.models import Backbone, to_device
from training.monitor import evaluating, normalised
from training.progress import Progress
from training.randomness import LAYERS, ORDER, VIEWS, generator_for, seed_for
from training.recipes import ViewRecipe
from training.schedule import warmup_cosine
from training.spec import Preprocessing

EPOCHS = 30
BATCH_SIZE = 32

# Weights that know something are moved gently; the head, which knows nothing, ten times faster.
LR_TUNED = 3e-4
LR_SCRATCH = 1e-3
HEAD_LR_RATIO = 10.0
WARMUP = 0.1
WEIGHT_DECAY = 0.01
LABEL_SMOOTHING = 0.1


@dataclass(frozen=True)
class SupervisedSettings:
    """How a network is trained on labels; the same for fine-tuning and for the baseline."""

    image_size: int
    epochs: int = EPOCHS
    batch_size: int = BATCH_SIZE
    lr: float = LR_TUNED
    head_lr: float = LR_TUNED * HEAD_LR_RATIO
    seed: int = 0

    @property
    def recipe(self) -> ViewRecipe:
        """Views for classifying: mild crops and colours, no blur, no grayscale."""
        return ViewRecipe(
            self.image_size,
            crop_scale=(0.35, 1.0),
            jitter=0.8,
            brightness=0.2,
            contrast=0.2,
            saturation=0.2,
            hue=0.02,
            grayscale=0.0,
            blur=0.0,
        )


@dataclass(frozen=True, eq=False)
class LabelledPixels:
    """Photos to train on."""

    pixels: np.ndarray  # (n, s, s, 3) uint8, each squashed to a square
    aspects: np.ndarray  # (n,) float32, width / height before
    codes: np.ndarray  # (n,) int64, their classes
    classes: int  # how many classes there are

    def __len__(self) -> int:
        return len(self.codes)


@dataclass(frozen=True, eq=False)
class Classifier:
    """A backbone with a linear layer over the classes, trained together."""

    backbone: Backbone
    head: nn.Linear

    def predict(self, pixels: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
        """Classes `(m,)` int64 of prepared photos `(m, s, s, 3)` uint8."""
        device = next(self.head.parameters()).device
        found: list[Tensor] = []
        with evaluating(self.backbone):
            for start in range(0, len(pixels), BATCH_SIZE):
                batch = torch.from_numpy(pixels[start : start + BATCH_SIZE]).to(device)
                logits = self.head(self.backbone(normalised(batch, preprocessing)).float())
                found.append(logits.argmax(dim=1).cpu())
        return torch.cat(found).numpy()


def train_supervised(
    backbone: Backbone,
    photos: LabelledPixels,
    settings: SupervisedSettings,
    device: torch.device,
    *,
    progress: Progress,
    stop: Callable[[], bool],
) -> Classifier:
    """Train a backbone, in place, and a new linear layer with cross-entropy.

    AdamW, warm-up and cosine, mild augmentation, label smoothing 0.1; no early stopping, so that
    no test photo chooses anything.

    Raises:
        Interrupted: `stop` said so.
    """
    torch.manual_seed(seed_for(settings.seed, LAYERS))
    head = nn.Linear(backbone.embedding_dim, photos.classes).to(device)
    to_device(backbone, device)
    backbone.train()
    optimizer = _optimizer(backbone, head, settings)
    batch = min(settings.batch_size, len(photos))
    steps = math.ceil(settings.epochs * len(photos) / batch)
    for step in range(steps):
        if stop():
            raise Interrupted("stopped", hint="run the same command again to start over")
        chosen = _chosen(len(photos), batch, step, settings.seed)
        factor = warmup_cosine((step + 0.5) / steps, warmup=WARMUP)
        for group, lr in zip(optimizer.param_groups, _rates(settings), strict=True):
            group["lr"] = lr * factor
        views = _views(photos, chosen, settings, step, device)
        loss = F.cross_entropy(
            head(backbone(views)),
            torch.from_numpy(photos.codes[chosen]).to(device),
            label_smoothing=LABEL_SMOOTHING,
        )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        progress.advance(batch)
    _settle_statistics(backbone, photos, settings, steps, device)
    return Classifier(backbone, head)


@torch.no_grad()
def _settle_statistics(
    backbone: Backbone,
    photos: LabelledPixels,
    settings: SupervisedSettings,
    steps: int,
    device: torch.device,
) -> None:
    """Take batch-norm statistics anew, over views, with the final weights.

    MobileNetV3 moves its running averages by 1 % a step: after a short training they would still
    be those of other weights.
    """
    norms = [m for m in backbone.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average over all batches
    batch = min(settings.batch_size, len(photos))
    for step in range(steps, steps + math.ceil(len(photos) / batch)):
        chosen = _chosen(len(photos), batch, step, settings.seed)
        backbone(_views(photos, chosen, settings, step, device))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def _optimizer(
    backbone: Backbone, head: nn.Linear, settings: SupervisedSettings
) -> torch.optim.AdamW:
    parameters = list(backbone.parameters())
    weights = [p for p in parameters if p.ndim > 1]
    vectors = [p for p in parameters if p.ndim <= 1]
    groups = [
        {"params": weights, "weight_decay": WEIGHT_DECAY},
        {"params": vectors, "weight_decay": 0.0},
        {"params": list(head.parameters()), "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.lr)


def _rates(settings: SupervisedSettings) -> tuple[float, float, float]:
    return settings.lr, settings.lr, settings.head_lr


def _chosen(count: int, batch: int, step: int, seed: int) -> np.ndarray:
    """Indices `(batch,)` of a step: one shuffle of all photos after another, cut into batches."""
    positions = np.arange(step * batch, (step + 1) * batch)
    orders = {
        epoch: np.random.default_rng([seed, ORDER, int(epoch)]).permutation(count)
        for epoch in np.unique(positions // count)
    }
    return np.array([orders[place // count][place % count] for place in positions], np.int64)


def _views(
    photos: LabelledPixels,
    chosen: np.ndarray,
    settings: SupervisedSettings,
    step: int,
    device: torch.device,
) -> Tensor:
    pixels = torch.from_numpy(photos.pixels[chosen]).to(device)
    aspects = torch.from_numpy(photos.aspects[chosen]).to(device)
    generator = generator_for(settings.seed, VIEWS, step, device=device)
    views = make_views(pixels, aspects, settings.recipe, generator)
    return views.contiguous(memory_format=torch.channels_last)
