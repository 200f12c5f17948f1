"""Backends of torch: the module itself, compiled, or recorded, in a precision."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import cast

import torch
from torch import Tensor, nn

from ansatz.core.precision import Precision, mode
from ansatz.engine.building.capture import captured
from ansatz.engine.building.rows import Backend
from ansatz.engine.precision.applying import (
    Report,
    Row,
    compute_of,
    device_like,
    own_bytes,
    own_format,
    quantize,
)
from ansatz.engine.precision.roles import roles

Call = Callable[..., Tensor | tuple[Tensor, ...]]
NARROW = {"bf16": torch.bfloat16, "fp16": torch.float16}


def in_precision(
    module: nn.Module,
    precision: Precision,
    batches: Sequence[Sequence[Tensor]],
    *,
    calibrates: bool,
) -> tuple[nn.Module, tuple[Row, ...], tuple[str, ...]]:
    """A copy of a module in a precision, what became of its layers, and remarks.

    Args:
        module: Stays as it is.
        precision: To put it in.
        batches: Inputs, to see the order of calls, and to calibrate with.
        calibrates: Whether scales of activations are fixed by them.
    """
    copy = deepcopy(module).eval()
    device = device_like(batches[0][0].device)

    def run(network: nn.Module) -> None:
        for batch in batches:
            network(*batch)

    if precision.weights is not None:
        report: Report = quantize(copy, precision, device, calibration=run if calibrates else None)
        return copy, report.rows, (report.note,)
    if precision.compute == "fp64":
        copy = copy.double()
    rows = tuple(
        Row(name, role, None, own_format(layer), own_bytes(layer), own_bytes(layer))
        for name, role in roles(copy).items()
        for layer in (copy.get_submodule(name),)
    )
    found = mode(precision, device)
    notes = () if found == "native" else (f"{precision.name}: {found} on this device",)
    return copy, rows, notes


def call_of(
    module: nn.Module, precision: Precision, backend: Backend, example: Sequence[Tensor]
) -> Call:
    """A module as a function of a backend.

    Args:
        module: In the precision, as `in_precision` gives it.
        precision: What products of its layers are in.
        backend: `eager`, `compile` or `cudagraph`.
        example: Inputs.
    """
    device = example[0].device
    compute = compute_of(precision, device_like(device))
    dtype = NARROW.get(compute)

    def plain(*tensors: Tensor) -> Tensor | tuple[Tensor, ...]:
        if compute == "fp64":
            tensors = tuple(t.double() if t.is_floating_point() else t for t in tensors)
        # Weights cast inside a recording must be cast in each replay: no cache of them.
        with torch.autocast(
            device.type, dtype, enabled=dtype is not None, cache_enabled=backend != "cudagraph"
        ):
            found = module(*tensors)
        if isinstance(found, Tensor):
            return _wide(found)
        return tuple(_wide(output) for output in found)

    call = torch.compile(plain) if backend == "compile" else plain
    call = cast(Call, call)

    def without_gradients(*tensors: Tensor) -> Tensor | tuple[Tensor, ...]:
        before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
        _allow_tf32(precision.compute == "tf32", precision.compute == "tf32")
        try:
            with torch.no_grad():
                return call(*tensors)
        finally:
            _allow_tf32(*before)

    if backend != "cudagraph":
        return without_gradients
    return captured(without_gradients, example)


def _allow_tf32(products: bool, convolutions: bool) -> None:
    torch.backends.cuda.matmul.allow_tf32 = products
    torch.backends.cudnn.allow_tf32 = convolutions


def _wide(output: Tensor) -> Tensor:
    return output.float() if output.dtype in NARROW.values() else output
