"""Weights, gradients and moments in parts, one per process (FSDP2): for networks too large for one.

A layer is an item of an `nn.ModuleList`. Its weights are brought together when its turn comes, in
the forward pass and again in the backward pass, and given up behind it; there its gradients are
averaged over the processes and cut up. What is in no layer, as embeddings and heads, is together
from the beginning of the forward pass to the end of the backward pass.

Gradients are cut up in every micro-step. To wait for the last one would save a third of the
traffic, and cost the memory of whole gradients: what one comes here to save.
"""

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, TypeGuard

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ansatz.core.recipe import TrainConfig
from ansatz.trainer.distributed import World

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor

UNDIVIDED = ("soap", "ssbroyden")  # optimizers that look at whole matrices


def is_sharded(config: TrainConfig, world: World) -> bool:
    """Whether a model is trained in parts; one process has nobody to share it with."""
    return config.sharded and world.ranks > 1


def shard(model: nn.Module, config: TrainConfig, world: World, device: torch.device) -> None:
    """Bring a model to the devices of all processes, a part to each; all must take part.

    Weights are those of the main process. No device ever holds more than a layer, and what is in no
    layer, beside its part. An objective may only *call* the model afterwards.

    Args:
        model: The network, on the host; its parameters are replaced by parts.
        config: How it is trained.
        world: The place of this process.
        device: Where its part goes.

    Raises:
        ValueError: If the optimizer looks at whole matrices.
    """
    if config.optimizer in UNDIVIDED:
        raise ValueError(
            f"train.sharded keeps weights in parts, and train.optimizer={config.optimizer} looks "
            "at whole matrices: take adamw or muon, or train.sharded=False"
        )
    # Slow to import, and most runs do without.
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device.type, (world.ranks,))
    # Caches of DTensor keep meshes for ever, and their groups by this: see `process_group`.
    mesh._pg_registry.clear()
    for unit in chain(_layers(model), [model]):
        unit.to(device)
        for tensor in chain(unit.parameters(), unit.buffers()):
            if not is_part(tensor):
                dist.broadcast(tensor.detach(), 0)
        fully_shard(unit, mesh=mesh)


def is_part(tensor: Tensor) -> "TypeGuard[DTensor]":
    """Whether a tensor is this process's part of a larger one."""
    return hasattr(tensor, "full_tensor")  # a DTensor alone has it


def whole(tensor: Tensor) -> Tensor:
    """The tensor that all parts make up; all processes must take part."""
    return tensor.full_tensor() if is_part(tensor) else tensor


def mine(tensor: Tensor) -> Tensor:
    """What this process holds of a tensor, sharing its memory."""
    return tensor.to_local() if is_part(tensor) else tensor


def part(tensor: Tensor, like: Tensor) -> Tensor:
    """This process's part of a whole tensor; the tensor itself, if the other one is whole.

    Args:
        tensor: Whole, and the same on all processes; nothing is sent.
        like: Of the same shape, in the parts to make.
    """
    if not is_part(like):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    cut = distribute_tensor(tensor, like.device_mesh, like.placements, src_data_rank=None)
    return torch.empty_like(like, dtype=tensor.dtype).copy_(cut)  # the cut keeps the whole alive


def _layers(model: nn.Module) -> Iterator[nn.Module]:
    """The items of all lists of modules, inner ones first."""
    for module in reversed(list(model.modules())):
        if isinstance(module, nn.ModuleList):
            yield from (m for m in module if not isinstance(m, nn.ModuleList | nn.ModuleDict))
