"""Wrappers of a forward pass, all of one signature: a function from tensors to tensors.

    forward = placed(compiled(rounded(predictor.forward, bf16, device)), device)

What a wrapper cannot do on the device at hand, it says.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

import torch
from torch import Tensor

from ansatz.core.recipe import PredictConfig

Tensors = dict[str, Tensor]
Forward = Callable[[Tensors], Tensors]
NARROW = (torch.bfloat16, torch.float16)


class Arithmetic(Protocol):
    """What a precision is on a device."""

    @property
    def note(self) -> str:
        """What the device really does."""

    @property
    def autocast_dtype(self) -> torch.dtype | None:
        """What products are computed in; None leaves float32."""

    @property
    def dtype(self) -> torch.dtype:
        """What weights and inputs are held in."""

    def inputs(self, tensors: Tensors) -> Tensors:
        """Inputs in what they are held in."""

    def in_force(self) -> AbstractContextManager[None]:
        """The context in which products in float32 are what the name of the precision says."""


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
    forward: Forward,
    config: PredictConfig,
    arithmetic: Arithmetic,
    device: torch.device,
    *,
    note: str | None = None,
) -> tuple[Forward, tuple[str, ...]]:
    """A forward pass as configured.

    Args:
        forward: The plain one.
        config: Precision and compilation.
        arithmetic: What the precision is on the device.
        device: Where the network is.
        note: What the precision really is, if more was done for it than arithmetic.

    Returns:
        The forward pass, from and to tensors on the host, and what was really done.
    """
    notes = []
    if config.precision != "fp32":
        notes.append(note or arithmetic.note)
    # In float32 too: PyTorch lets convolutions round to TF32 unless it is told not to.
    forward = rounded(forward, arithmetic, device)
    if config.compile:
        notes.append("compiled with torch.compile")
        forward = compiled(forward)
    return placed(forward, device), tuple(notes)


def rounded(forward: Forward, arithmetic: Arithmetic, device: torch.device) -> Forward:
    """The forward pass in another arithmetic; outputs are in float32 or float64."""
    dtype = arithmetic.autocast_dtype

    def lower(tensors: Tensors) -> Tensors:
        with torch.autocast(device.type, dtype, enabled=dtype is not None), arithmetic.in_force():
            outputs = forward(arithmetic.inputs(tensors))
        return {
            name: value.float() if value.dtype in NARROW else value
            for name, value in outputs.items()
        }

    return lower


def compiled(forward: Forward) -> Forward:
    """The forward pass compiled, with shapes that may change."""
    return torch.compile(forward, dynamic=True)


def placed(forward: Forward, device: torch.device) -> Forward:
    """The forward pass on a device, from and to tensors on the host."""
    if device.type == "cpu":
        return forward

    def there_and_back(tensors: Tensors) -> Tensors:
        outputs = forward({name: value.to(device) for name, value in tensors.items()})
        return {name: value.to("cpu") for name, value in outputs.items()}

    return there_and_back
