"""All that a training run changes, and so all that a checkpoint holds.

Weights, their average, the optimizer's moments, the scale of float16 gradients and the states of
every random generator. The data order is no state: a batch is a function of its `Position`.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import torch
from torch import Tensor, nn

from ansatz.core.recipe import TrainConfig
from ansatz.trainer.optimizer import make_optimizer


@dataclass(frozen=True)
class TrainState:
    """What a step changes in place.

    Attributes:
        model: The network, without any wrapper.
        optimizer: AdamW over its trainable parameters.
        average: The moving average of the trainable parameters by name; empty if none is kept.
        scaler: The scale of float16 gradients; None in every other precision.
        rng: The generator from which the objective draws.
    """

    model: nn.Module
    optimizer: torch.optim.AdamW
    average: dict[str, Tensor]
    scaler: torch.amp.GradScaler | None
    rng: torch.Generator

    def averaged_weights(self) -> dict[str, Tensor]:
        """The model's state with the average in place of the parameters it is kept for."""
        return {**self.model.state_dict(), **self.average}


class NumpyState(TypedDict):
    """The state of NumPy's global Mersenne twister."""

    key: list[int]
    pos: int
    has_gauss: int
    gauss: float


class RandomState(TypedDict):
    """The states of all generators of one process, ready for JSON; bytes are in hexadecimal."""

    python: tuple[int, list[int], float | None]
    numpy: NumpyState
    torch: str
    cuda: str
    objective: str


def make_state(
    model: nn.Module,
    config: TrainConfig,
    device: torch.device,
    *,
    scaled: bool = False,
    capturable: bool = False,
) -> TrainState:
    """Bring a model to its device and put a fresh optimizer beside it.

    Args:
        model: The network; it is moved, not copied.
        config: Rate, decay, average.
        device: Where training runs.
        scaled: Whether float16 gradients need a scale.
        capturable: Whether a CUDA graph will replay the optimizer.
    """
    model.to(device).train()
    average = {
        name: parameter.detach().clone()
        for name, parameter in model.named_parameters()
        if config.ema_decay > 0 and parameter.requires_grad
    }
    return TrainState(
        model,
        make_optimizer(model, config, capturable=capturable),
        average,
        torch.amp.GradScaler(device.type) if scaled else None,
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
    version, words, cached = random.getstate()
    numpy = np.random.get_state(legacy=False)
    cuda = torch.cuda.get_rng_state(objective.device) if objective.device.type == "cuda" else None
    return {
        "python": (version, list(words), cached),
        "numpy": {
            "key": numpy["state"]["key"].tolist(),
            "pos": numpy["state"]["pos"],
            "has_gauss": numpy["has_gauss"],
            "gauss": numpy["gauss"],
        },
        "torch": _hex(torch.get_rng_state()),
        "cuda": "" if cuda is None else _hex(cuda),
        "objective": _hex(objective.get_state()),
    }


def set_random_state(state: RandomState, objective: torch.Generator) -> None:
    """Put all generators of this process back where `random_state` found them."""
    version, words, cached = state["python"]
    random.setstate((version, tuple(words), cached))
    numpy = state["numpy"]
    key = np.array(numpy["key"], dtype=np.uint32)
    np.random.set_state(("MT19937", key, numpy["pos"], numpy["has_gauss"], numpy["gauss"]))
    torch.set_rng_state(_tensor(state["torch"]))
    if state["cuda"] and objective.device.type == "cuda":
        torch.cuda.set_rng_state(_tensor(state["cuda"]), objective.device)
    objective.set_state(_tensor(state["objective"]))


def optimizer_tensors(state: TrainState) -> dict[str, Tensor]:
    """The optimizer's state as named tensors: `exp_avg.encoder.weight`, `step.encoder.weight`.

    Names outlive the order and grouping of parameters, which depend on the weight decay.
    """
    return {
        f"{kind}.{name}": value
        for name, parameter in state.model.named_parameters()
        for kind, value in state.optimizer.state.get(parameter, {}).items()
    }


def set_optimizer_tensors(state: TrainState, tensors: Mapping[str, Tensor]) -> None:
    """Give the optimizer the state that `optimizer_tensors` wrote."""
    names = {parameter: name for name, parameter in state.model.named_parameters()}
    found: dict[str, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        kind, _, name = key.partition(".")
        found.setdefault(name, {})[kind] = value
    order = [names[p] for group in state.optimizer.param_groups for p in group["params"]]
    packed = {index: found[name] for index, name in enumerate(order) if name in found}
    groups = state.optimizer.state_dict()["param_groups"]
    state.optimizer.load_state_dict({"state": packed, "param_groups": groups})


def _hex(state: Tensor) -> str:
    return bytes(state.numpy()).hex()


def _tensor(text: str) -> Tensor:
    return torch.frombuffer(bytearray.fromhex(text), dtype=torch.uint8)
