"""A predictor with an engine under it: what `ansatz.load` returns, and what every verb asks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ansatz.core.precision import PRECISIONS
from ansatz.core.recipe import Answer, PredictConfig, Predictor
from ansatz.engine.forward import Arithmetic, Forward, Tensors, engine
from ansatz.engine.precision.applying import Report, device_like, quantize, total_bytes


@dataclass(frozen=True)
class Surrogate:
    """A predictor whose forward pass is an engine's; itself a predictor, and a function.

    Attributes:
        plain: The predictor.
        engine: Its forward pass, wrapped.
        arithmetic: What the precision really is on the device.
        notes: What else there is to know about the engine.
        reports: What was rounded, network by network, if the precision has a format.
        weight_bytes: Of all weights, as they are held.
    """

    plain: Predictor[Any, Any, Any]
    engine: Forward
    arithmetic: str
    notes: tuple[str, ...] = ()
    reports: tuple[Report, ...] = ()
    weight_bytes: int = 0

    @property
    def mode(self) -> str:
        """How rounded layers compute; nothing if the precision has no format."""
        return "; ".join(report.mode for report in self.reports)

    def __call__(self, request: object) -> Answer:
        """The answer to a request."""
        encoded = self.encode(request)
        return self.decode(self.forward(encoded.tensors), encoded)

    def encode(self, request: object) -> Any:
        """As the plain predictor; host."""
        return self.plain.encode(request)

    def forward(self, tensors: Tensors) -> Tensors:
        """By the engine; device."""
        return self.engine(tensors)

    def decode(self, outputs: Tensors, encoded: Any) -> Answer:
        """As the plain predictor; host."""
        answer: Answer = self.plain.decode(outputs, encoded)
        return answer


def surrogate(
    predictor: Predictor[Any, Any, Any],
    config: PredictConfig,
    arithmetic: Arithmetic,
    device: torch.device,
) -> Surrogate:
    """Put an engine under a predictor.

    Args:
        predictor: Its networks are moved to the device, and rounded there if the precision has a
            format.
        config: Precision and compilation.
        arithmetic: What the precision is on the device.
        device: Where to predict.

    Raises:
        ValueError: If the precision has a format, and a network no layers that can be rounded.
    """
    networks = [part for part in vars(predictor).values() if isinstance(part, nn.Module)]
    for network in networks:
        network.to(device)
        if arithmetic.dtype is torch.float64:
            network.double()
    reports = rounded(networks, config, device)
    note = "; ".join(report.note for report in reports) or arithmetic.note
    forward, notes = engine(predictor.forward, config, arithmetic, device, note=note)
    weights = sum(r.bytes_after for r in reports) if reports else total_bytes(networks)
    return Surrogate(predictor, forward, note, notes, reports, weights)


def rounded(
    networks: Sequence[nn.Module], config: PredictConfig, device: torch.device
) -> tuple[Report, ...]:
    """Round networks to the format of a precision; those without a format are left.

    Raises:
        ValueError: If there is nothing that could be rounded.
    """
    precision = PRECISIONS[config.precision]
    if precision.weights is None:
        return ()
    if not networks:
        raise ValueError(f"precision={precision.name} rounds networks, and this model has none")
    kind = device_like(device)
    return tuple(quantize(n, precision, kind, rank=config.low_rank) for n in networks)
