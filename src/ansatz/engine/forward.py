"""Wrappers of a forward pass, all of one signature: a function from tensors to tensors.

    forward = compiled(rounded(predictor.forward, "bf16"))

What a wrapper cannot do on the device at hand, it says.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from ansatz.core.recipe import PredictConfig, Precision
from ansatz.trainer.precision import arithmetic

Tensors = dict[str, Tensor]
Forward = Callable[[Tensors], Tensors]


def device_of(config: PredictConfig) -> torch.device:
    """The device to predict on.

    Raises:
        ValueError: If a GPU is asked for and there is none.
    """
    if config.device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device=cuda was asked for, and torch sees no GPU. See: ansatz doctor")
    found = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(found if config.device == "auto" else config.device)


def engine(
    forward: Forward, config: PredictConfig, device: torch.device
) -> tuple[Forward, tuple[str, ...]]:
    """A forward pass as configured.

    Args:
        forward: The plain one.
        config: Precision and compilation.
        device: Where the network is.

    Returns:
        The forward pass, and what was really done.
    """
    notes = []
    if config.precision != "fp32":
        notes.append(arithmetic(config.precision, device).note)
        forward = rounded(forward, config.precision, device)
    if config.compile:
        notes.append("compiled with torch.compile")
        forward = compiled(forward)
    return forward, tuple(notes)


def rounded(forward: Forward, precision: Precision, device: torch.device) -> Forward:
    """The forward pass in another arithmetic; weights and outputs stay in float32."""
    how = arithmetic(precision, device)

    def lower(tensors: Tensors) -> Tensors:
        with how.autocast(), how.float32_products():
            return {name: value.float() for name, value in forward(tensors).items()}

    return lower


def compiled(forward: Forward) -> Forward:
    """The forward pass compiled, with shapes that may change."""
    return torch.compile(forward, dynamic=True)
