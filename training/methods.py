"""SimCLR, SupCon and BYOL: their parts, their loss on two views, what follows a step."""

import copy
from collections import OrderedDict

import torch
from torch import Tensor, nn

from training.averaging import blend
from training.distributed import gather_rows, world
from training.errors import ConfigError
from training.losses import byol_regression, nt_xent, own_identities, sup_con
from training.models import Encoder
from training.schedule import cosine_tau

# BYOL, arXiv 2006.07733, appendix J: 0.99 for runs of 300 epochs or fewer, 0.996 for 1,000.
TAU_BASE = 0.99


class Method(nn.Module):
    """A backbone with what its training needs around it; only the backbone is kept afterwards.

    A backbone may be frozen in part, its parameters by `requires_grad`, its modules by `eval()`.
    """

    backbone: Encoder
    projector: nn.Module  # between the backbone and the loss

    def loss(self, first: Tensor, second: Tensor, labels: Tensor | None = None) -> Tensor:
        """A float32 scalar for two views of the same photos, `(N, 3, s, s)` normalised each.

        `labels` `(N,)` int64 are classes for SupCon, groups of near-duplicates for SimCLR, and
        nothing that BYOL would look at; -1 is no label, and other negative numbers are a photo's
        own, for it may come twice. Where several processes train together, each gives its share
        of the photos, and the loss of all is the mean of theirs.
        """
        raise NotImplementedError

    def forward(self, first: Tensor, second: Tensor, labels: Tensor | None = None) -> Tensor:
        """The loss: what DistributedDataParallel calls."""
        return self.loss(first, second, labels)

    def after_step(self, progress: float) -> None:
        """What follows every optimiser step; `progress` of the whole run in [0, 1]."""
        raise NotImplementedError


class SimCLR(Method):
    """Both views of a photo attract each other, all others repel (arXiv 2002.05709)."""

    def __init__(
        self, backbone: Encoder, *, projection_dim: int, hidden_dim: int, temperature: float
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.temperature = temperature
        # Normalised at the output too, as in the authors' code.
        self.projector = nn.Sequential(
            *_hidden(backbone.embedding_dim, hidden_dim),
            nn.Linear(hidden_dim, projection_dim, bias=False),
            nn.BatchNorm1d(projection_dim),
        )

    def loss(self, first: Tensor, second: Tensor, labels: Tensor | None = None) -> Tensor:
        """NT-Xent over the 2N views of all processes, at least 0.

        Photos of one label, which are near-duplicates here, are no negatives of each other.
        """
        views = self._projections(first, second)
        alike = None if labels is None else own_identities(gather_rows(labels))
        return nt_xent(*views, temperature=self.temperature, anchors=_own_views(first), alike=alike)

    def after_step(self, progress: float) -> None:
        """Nothing follows a step of SimCLR."""

    def _projections(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """Both views' projections, of all processes' photos, `(N, d)` each."""
        # One pass: both views are drawn alike, so they share their batch statistics.
        projections: Tensor = self.projector(self.backbone(torch.cat((first, second))))
        pairs = gather_rows(torch.stack(projections.chunk(2), dim=1))  # (N, 2, d)
        return pairs[:, 0], pairs[:, 1]


class SupCon(SimCLR):
    """Views of photos of one class attract each other, all others repel (arXiv 2004.11362).

    A photo without a label is a class of its own, as in SimCLR.
    """

    def loss(self, first: Tensor, second: Tensor, labels: Tensor | None = None) -> Tensor:
        """The supervised contrastive loss over the 2N views of all processes, at least 0."""
        assert labels is not None
        rows = torch.cat(self._projections(first, second))
        classes = own_identities(gather_rows(labels)).repeat(2)
        return sup_con(rows, classes, temperature=self.temperature, anchors=_own_views(first))


class BYOL(Method):
    """The online network predicts what a slow copy of itself, the target, sees (2006.07733)."""

    def __init__(
        self, backbone: Encoder, *, projection_dim: int, hidden_dim: int, tau_base: float
    ) -> None:
        super().__init__()
        self.backbone = backbone
        # No bias at the output: batch normalisation in the predictor would take it out again.
        self.projector = nn.Sequential(
            *_hidden(backbone.embedding_dim, hidden_dim),
            nn.Linear(hidden_dim, projection_dim, bias=False),
        )
        self.predictor = nn.Sequential(
            *_hidden(projection_dim, hidden_dim), nn.Linear(hidden_dim, projection_dim)
        )
        self.target = copy.deepcopy(self._online()).requires_grad_(False)
        self.tau_base = tau_base

    def loss(self, first: Tensor, second: Tensor, labels: Tensor | None = None) -> Tensor:
        """The mean of predicting one view from the other, both ways, in [0, 4]."""
        # A pass per view, as published: the two views are made differently (only one is always
        # blurred, only one solarized), so batch statistics over both would be those of neither.
        predicted_second = self.predictor(self._online()(first))
        predicted_first = self.predictor(self._online()(second))
        with torch.no_grad():
            self._match_modes()
            target_first, target_second = self.target(first), self.target(second)
        forth = byol_regression(predicted_second, target_second)
        back = byol_regression(predicted_first, target_first)
        return (forth + back) / 2

    def after_step(self, progress: float) -> None:
        """Move the target towards the online network, by less and less as the run goes on."""
        blend(self.target, self._online(), 1 - cosine_tau(progress, self.tau_base))

    def _online(self) -> nn.Sequential:
        return nn.Sequential(OrderedDict(backbone=self.backbone, projector=self.projector))

    def _match_modes(self) -> None:
        """Modules that are frozen by `eval()` in the online network are so in the target."""
        for online, target in zip(self._online().modules(), self.target.modules(), strict=True):
            target.training = online.training


def build_method(
    name: str,
    backbone: Encoder,
    *,
    projection_dim: int,
    hidden_dim: int,
    temperature: float,
    tau_base: float = TAU_BASE,
) -> Method:
    """A method around a backbone that already holds its starting weights.

    Args:
        name: simclr, byol or supcon.
        backbone: `(N, 3, s, s)` to `(N, embedding_dim)`; it is trained in place.
        projection_dim: width of what the loss compares.
        hidden_dim: width of the hidden layers of projector and predictor.
        temperature: of SimCLR and SupCon; BYOL has none.
        tau_base: the momentum of BYOL's target at the start, in [0, 1].

    Raises:
        ConfigError: there is no such method.
    """
    sizes = {"projection_dim": projection_dim, "hidden_dim": hidden_dim}
    if name == "simclr":
        return SimCLR(backbone, temperature=temperature, **sizes)
    if name == "supcon":
        return SupCon(backbone, temperature=temperature, **sizes)
    if name == "byol":
        return BYOL(backbone, tau_base=tau_base, **sizes)
    raise ConfigError(f"there is no method {name!r}", hint="use simclr, byol or supcon")


def _hidden(inputs: int, outputs: int) -> list[nn.Module]:
    """A hidden layer; its bias would be taken out by the normalisation that follows."""
    return [nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.ReLU(inplace=True)]


def _own_views(first: Tensor) -> Tensor | None:
    """Which of all processes' 2N views are this one's; None where it is alone."""
    here = world()
    if here.size == 1:
        return None
    total = here.size * len(first)
    own = torch.arange(total, device=first.device)[here.share(total)]
    return torch.cat((own, own + total))
