"""The optimizer and what follows it: rate, decay, clipping, and an average of the weights.

AdamW (Loshchilov & Hutter 2019, Algorithm 2) with torch's defaults β = (0.9, 0.999), ε = 1e-8.
Decay is for matrices: a bias or a normalization's gain has no reason to be near zero.

The rate at the n-th of N steps (n from 1), with W warm-up steps and the peak η, is

    η n / W                                              for n <= W
    η (r + (1 - r) (1 + cos(π (n - W) / (N - W))) / 2)   afterwards,

so that it is η at n = W and r η at the last step.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ansatz.core.recipe import TrainConfig


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
    return config.learning_rate * (config.final_rate + (1 - config.final_rate) * cosine)


def make_optimizer(
    model: nn.Module, config: TrainConfig, *, capturable: bool = False
) -> torch.optim.AdamW:
    """AdamW over the trainable parameters, fused where torch has a fused kernel.

    Args:
        model: Whose parameters are trained, on the device where they stay.
        config: Rate and decay.
        capturable: Keep counters and rate on the device, as a CUDA graph needs.

    Raises:
        ValueError: If the model has nothing to train.
    """
    trained = [p for p in model.parameters() if p.requires_grad]
    if not trained:
        raise ValueError(
            f"{type(model).__name__} has nothing to train: no parameter requires gradients, and at "
            "least one must"
        )
    fused = all(p.is_floating_point() and p.device.type in ("cpu", "cuda") for p in trained)
    rate: float | Tensor = config.learning_rate
    if capturable:
        rate = torch.tensor(config.learning_rate, device=trained[0].device)
    return torch.optim.AdamW(
        _groups(trained, config.weight_decay), lr=rate, fused=fused, capturable=capturable
    )


def _groups(trained: list[nn.Parameter], decay: float) -> list[dict[str, object]]:
    """Matrices with decay and the rest without; one group if nothing decays, for speed."""
    if decay == 0:
        return [{"params": trained, "weight_decay": 0.0}]
    matrices = [p for p in trained if p.ndim >= 2]
    others = [p for p in trained if p.ndim < 2]
    groups: list[dict[str, object]] = [
        {"params": matrices, "weight_decay": decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def set_rate(optimizer: torch.optim.AdamW, rate: float) -> None:
    """Give every group its rate, in place where a CUDA graph reads it."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def clip_gradients(parameters: Sequence[Tensor], largest: float) -> Tensor:
    """Scale gradients so that their joint norm is at most `largest`.

    Returns:
        The norm before clipping, shape (), on the device.
    """
    return torch.nn.utils.clip_grad_norm_(parameters, largest, foreach=True)


def update_average(average: Sequence[Tensor], parameters: Sequence[Tensor], decay: float) -> None:
    """Move an exponential moving average towards the parameters: a <- d a + (1 - d) w."""
    with torch.no_grad():
        torch._foreach_lerp_(list(average), list(parameters), 1 - decay)
