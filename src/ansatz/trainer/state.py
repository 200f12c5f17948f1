"""All that a training run changes, and so all that a checkpoint holds.

Weights, their average, the optimizer's moments, the scale of float16 gradients and the states of
every random generator. The data order is no state: a batch is a function of its `Position`.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ansatz.core.recipe import TrainConfig
from ansatz.trainer.distributed import ALONE, World
from ansatz.trainer.optimizer import make_optimizer
from ansatz.trainer.sharding import is_sharded, shard

RandomState = Mapping[str, Any]  # by generator: what each gives, or its JSON


@dataclass(frozen=True)
class TrainState:
    """What a step changes in place.

    Attributes:
        model: The network, without any wrapper.
        optimizer: Over its trainable parameters.
        average: The moving average of the trainable parameters by name; empty if none is kept.
        scaler: The scale of float16 gradients; disabled in every other precision.
        rng: The generator from which the objective draws.
    """

    model: nn.Module
    optimizer: Optimizer
    average: dict[str, Tensor]
    scaler: torch.amp.GradScaler
    rng: torch.Generator

    def averaged_weights(self) -> dict[str, Tensor]:
        """The model's state with the average in place of the parameters it is kept for."""
        return {**self.model.state_dict(), **self.average}


def make_state(
    model: nn.Module,
    config: TrainConfig,
    device: torch.device,
    *,
    scaled: bool,
    capturable: bool,
    dtype: torch.dtype = torch.float32,
    world: World = ALONE,
) -> TrainState:
    """Bring a model to its device and put a fresh optimizer beside it.

    Args:
        model: The network; it is moved, not copied.
        config: Rate, decay, average, and whether all of it is in parts.
        device: Where training runs.
        scaled: Whether float16 gradients need a scale.
        capturable: Whether a CUDA graph will replay the optimizer.
        dtype: Of the weights, where it is not what they have.
        world: The place of this process.
    """
    if dtype is torch.float64:
        model.double()
    if is_sharded(config, world):
        shard(model, config, world, device)
    else:
        model.to(device)
    model.train()
    average = {
        name: parameter.detach().clone()
        for name, parameter in model.named_parameters()
        if config.ema_decay > 0 and parameter.requires_grad
    }
    return TrainState(
        model,
        make_optimizer(model, config, capturable=capturable),
        average,
        torch.amp.GradScaler(device.type, enabled=scaled),
        torch.Generator(device),
    )


def seed_generators(objective: torch.Generator, seed: int, rank: int, step: int = 0) -> None:
    """Seed Python, NumPy, torch and the objective's generator for one process.

    Dropout draws from torch's default generator, so that one is part of a run as well. Ranks
    get streams of their own: two processes with equal masks would be half as random.

    Args:
        objective: The generator of the objective.
        seed: Of the run.
        rank: This process.
        step: The step at which the run starts, so that a restart does not repeat its draws.
    """
    seeds = np.random.SeedSequence([seed, rank, step]).generate_state(4, np.uint32)
    random.seed(int(seeds[0]))
    np.random.seed(int(seeds[1]))
    torch.manual_seed(int(seeds[2]))
    objective.manual_seed(int(seeds[3]))


def random_state(objective: torch.Generator) -> RandomState:
    """Read the states of all generators of this process."""
    on_gpu = objective.device.type == "cuda"
    return {
        "python": random.getstate(),
        "numpy": np.random.get_state(legacy=False),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(objective.device) if on_gpu else None,
        "objective": objective.get_state(),
    }


def set_random_state(state: RandomState, objective: torch.Generator) -> None:
    """Put all generators of this process back where `random_state` found them."""
    version, words, cached = state["python"]
    random.setstate((version, tuple(words), cached))
    np.random.set_state(state["numpy"])
    torch.set_rng_state(_bytes(state["torch"]))
    if state["cuda"] is not None and objective.device.type == "cuda":
        torch.cuda.set_rng_state(_bytes(state["cuda"]), objective.device)
    objective.set_state(_bytes(state["objective"]))


def _bytes(state: Tensor | list[int]) -> Tensor:
    return torch.as_tensor(state, dtype=torch.uint8)
