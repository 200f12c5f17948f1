"""Times of the three stages of a prediction, and how far two predictions are apart."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from ansatz.core.precision import PrecisionName
from ansatz.core.recipe import Predictor
from ansatz.engine.surrogate import Surrogate
from ansatz.timing.clock import Timing, timed

Tensors = dict[str, Tensor]
Row = dict[str, float | str]


def compare(
    models: Iterable[tuple[PrecisionName, Surrogate]],
    request: object,
    device: torch.device,
    repeats: int,
) -> list[Row]:
    """Time models that differ in their precision, each with its error beside.

    Args:
        models: By precision; the first is what the others are compared with.
        request: The question.
        device: Where they run.
        repeats: How often each stage is timed.

    Returns:
        A row per model: median and least seconds of each stage, the largest relative difference
        of an output of the network to the first model's, megabytes of its weights, how layers in
        narrow formats compute, and what was done for the precision.
    """
    rows: list[Row] = []
    exact: Tensors = {}
    for precision, model in models:
        times, outputs = stage_times(model, request, device, repeats)
        exact = exact or outputs
        row: Row = {"precision": precision}
        for stage, time in times.items():
            row |= {f"{stage}_median": time.median, f"{stage}_least": time.least, "unit": time.unit}
        difference = relative_difference(outputs, exact)
        rows.append(
            row
            | {
                "relative_difference": difference,
                "weight_megabytes": model.weight_bytes / 1e6,
                "mode": model.mode,
                "arithmetic": model.arithmetic,
            }
        )
    return rows


def stage_times(
    predictor: Predictor[Any, Any, Any], request: object, device: torch.device, repeats: int
) -> tuple[dict[str, Timing], Tensors]:
    """Time the stages of a prediction one by one.

    Args:
        predictor: To ask.
        request: The question.
        device: Where the forward pass runs.
        repeats: How often each stage is timed.

    Returns:
        The times of `encode`, `forward` and `decode`, and the outputs of the forward pass.
    """
    encoded = predictor.encode(request)
    outputs = predictor.forward(encoded.tensors)
    stages: dict[str, Callable[[], object]] = {
        "encode": lambda: predictor.encode(request),
        "forward": lambda: predictor.forward(encoded.tensors),
        "decode": lambda: predictor.decode(outputs, encoded),
    }
    return {name: timed(call, device, repeats) for name, call in stages.items()}, outputs


def relative_difference(outputs: Tensors, exact: Tensors) -> float:
    """The largest difference of any output, ‖y - y₀‖ / ‖y₀‖.

    Args:
        outputs: y.
        exact: y₀, with the same names and shapes.

    Returns:
        The largest ratio over the outputs; where y₀ vanishes, the norm of y itself.
    """
    found = 0.0
    for name, reference in exact.items():
        truth = reference.double()
        size = float(truth.norm())
        found = max(found, float((outputs[name].double() - truth).norm()) / (size or 1.0))
    return found
