"""The optimizer and its learning rate.

AdamW (Loshchilov & Hutter 2019, Algorithm 2) with β₁ = 0.9, ε = 1e-8, or
one of `ansatz.trainer.optimizers`.
Decay is for matrices: a bias or a normalization's gain has no reason to be near zero.

The rate at the n-th of N steps (n from 1), with W warm-up steps and the peak η, is

    η n / W                                              for n <= W
    η (r + (1 - r) (1 + cos(π (n - W) / (N - W))) / 2)   afterwards,

so that it is η at n = W and r η at the last step; or it falls on a straight line between them.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ansatz.core.recipe import TrainConfig
from ansatz.trainer.optimizers.broyden import Broyden
from ansatz.trainer.optimizers.muon import Muon
from ansatz.trainer.optimizers.soap import SOAP


def learning_rate(config: TrainConfig, index: int) -> float:
    """The learning rate of one step.

    Args:
        config: Peak, warm-up, number of steps and final share.
        index: The optimizer step, from 0.
    """
    number = index + 1
    if number <= config.warmup_steps:
        return config.learning_rate * number / config.warmup_steps
    progress = (number - config.warmup_steps) / (config.steps - config.warmup_steps)
    cosine = (1 + math.cos(math.pi * progress)) / 2
    left = cosine if config.schedule == "cosine" else 1 - progress
    return config.learning_rate * (config.final_rate + (1 - config.final_rate) * left)


def make_optimizer(model: nn.Module, config: TrainConfig, *, capturable: bool = False) -> Optimizer:
    """The optimizer of a configuration over the trainable parameters.

    AdamW is fused where torch has a fused kernel.

    Args:
        model: Whose parameters are trained, on the device where they stay.
        config: Which, rate and decay.
        capturable: Keep counters and rate on the device, as a CUDA graph needs.

    Raises:
        ValueError: If the model has nothing to train, or too much for the optimizer.
    """
    trained = [p for p in model.parameters() if p.requires_grad]
    if not trained:
        raise ValueError(
            f"{type(model).__name__} has nothing to train: no parameter requires gradients, and at "
            "least one must"
        )
    if config.optimizer == "ssbroyden":
        return Broyden(trained)
    rate: float | Tensor = config.learning_rate
    if capturable:
        rate = torch.tensor(config.learning_rate, device=trained[0].device)
    if config.optimizer == "muon":
        return Muon(
            _groups_for_muon(model, config.weight_decay),
            lr=rate,
            betas=(0.9, config.beta2),
            capturable=capturable,
        )
    groups = _groups(trained, config.weight_decay)
    if config.optimizer == "soap":
        return SOAP(groups, lr=rate, capturable=capturable)
    return torch.optim.AdamW(
        groups,
        lr=rate,
        betas=(0.9, config.beta2),
        fused=all(p.is_floating_point() for p in trained),
        capturable=capturable,
    )


def _groups(trained: list[nn.Parameter], decay: float) -> list[dict[str, object]]:
    """Matrices with decay and the rest without; one group if nothing decays, for speed."""
    if decay == 0:
        return [{"params": trained, "weight_decay": 0.0}]
    groups: list[dict[str, object]] = [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": decay},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def _groups_for_muon(model: nn.Module, decay: float) -> list[dict[str, object]]:
    """Hidden matrices for Muon, and the groups of AdamW: tables of embeddings, and the rest."""
    tables = {m.weight for m in model.modules() if isinstance(m, nn.Embedding)}
    trained = [p for p in model.parameters() if p.requires_grad]
    hidden = [p for p in trained if p.ndim == 2 and p not in tables]
    rest = [p for p in trained if p.ndim != 2 or p in tables]
    mine: list[dict[str, object]] = [
        {"params": hidden, "weight_decay": decay, "orthogonal": True},
        *_groups(rest, decay),
    ]
    return [group for group in mine if group["params"]]


class Update:
    """`optimizer.step()`, without the time that AdamW takes to prepare what never changes.

    torch sorts the parameters by device and type at every step, and wraps the step for its
    profiler and compiler: longer than the whole forward pass of a small network. Here the lists
    are made once, and the same kernel is called. Whenever they may be out of date (a first step,
    a restored state, a parameter without gradient), torch's own step is taken.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self._optimizer = optimizer
        self._state: object = None
        self._calls: list[tuple[list[Tensor], Callable[[list[Tensor]], None]]] = []

    def __call__(self) -> None:
        """Take one step along the gradients."""
        gradients = [[p.grad for p in found if p.grad is not None] for found, _ in self._calls]
        is_complete = all(
            len(mine) == len(found) for mine, (found, _) in zip(gradients, self._calls, strict=True)
        )
        if self._optimizer.state is not self._state or not is_complete:
            self._optimizer.step()
            self._remember()
            return
        with torch.no_grad():
            for mine, (_, call) in zip(gradients, self._calls, strict=True):
                call(mine)

    def _remember(self) -> None:
        """List the tensors of every group, if one call of the kernel can serve each."""
        state, groups = self._optimizer.state, self._optimizer.param_groups
        every = [parameter for group in groups for parameter in group["params"]]
        forms = {(p.device, p.dtype) for p in every}
        if groups[0].get("fused") and len(forms) == 1 and all(p in state for p in every):
            self._state = state
            self._calls = [(group["params"], _kernel(group, state)) for group in groups]


def _kernel(
    group: dict[str, Any], state: Mapping[Tensor, dict[str, Tensor]]
) -> Callable[[list[Tensor]], None]:
    """The fused kernel on a group of parameters, as a function of their gradients."""
    parameters = group["params"]
    first, second, counters = (
        [state[p][kind] for p in parameters] for kind in ("exp_avg", "exp_avg_sq", "step")
    )
    fixed = {
        **dict(zip(("beta1", "beta2"), group["betas"], strict=True)),
        **{name: group[name] for name in ("weight_decay", "eps", "amsgrad", "maximize")},
    }

    def call(gradients: list[Tensor]) -> None:
        torch._foreach_add_(counters, 1)
        torch._fused_adamw_(
            parameters, gradients, first, second, [], counters, lr=group["lr"], **fixed
        )

    return call


def set_rate(optimizer: Optimizer, rate: float) -> None:
    """Give every group that has a rate this one, in place where a CUDA graph reads it."""
    for group in optimizer.param_groups:
        if "lr" not in group:
            continue
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate
