"""Batch normalisation over the batch of all processes, on a CPU too."""

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from training.distributed import sum_over_processes, world

Network = TypeVar("Network", bound=nn.Module)


class SharedBatchNorm(_BatchNorm):
    """Batch norm whose statistics in training are those of all processes' rows together.

    torch's SyncBatchNorm does this on GPUs only; on a CPU this one is used.
    """

    def forward(self, rows: Tensor) -> Tensor:
        """Normalise `(n, c, ...)`."""
        if not self.training or world().size == 1:
            return super().forward(rows)
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        dims = [dim for dim in range(rows.ndim) if dim != 1]
        shape = [1, -1, *[1] * (rows.ndim - 2)]
        count = rows.numel() // rows.shape[1] * world().size
        mean = sum_over_processes(rows.sum(dims)) / count  # (c,)
        centred = rows - mean.view(shape)
        variance = sum_over_processes(centred.square().sum(dims)) / count  # (c,)
        with torch.no_grad():
            self.num_batches_tracked += 1
            rate = self.momentum or 1 / float(self.num_batches_tracked)
            self.running_mean.lerp_(mean, rate)
            self.running_var.lerp_(variance * count / (count - 1), rate)
        normed = centred * (variance + self.eps).rsqrt().view(shape)
        return normed * self.weight.view(shape) + self.bias.view(shape)

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002
        """Any number of dimensions."""


def share_batch_norm(network: Network, device: torch.device) -> Network:
    """Replace a network's batch norms, in place, by ones over all processes; weights are kept."""
    if device.type == "cuda":
        convert = nn.SyncBatchNorm.convert_sync_batchnorm
        shared: Network = convert(network)  # type: ignore[no-untyped-call]
        return shared
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, _BatchNorm) and not isinstance(child, SharedBatchNorm):
                setattr(module, name, _shared(child))
    return network


def _shared(norm: _BatchNorm) -> SharedBatchNorm:
    made = SharedBatchNorm(norm.num_features, norm.eps, norm.momentum)
    for name, parameter in norm.named_parameters():
        setattr(made, name, parameter)
    for name, buffer in norm.named_buffers():
        setattr(made, name, buffer)
    made.training = norm.training
    return made
