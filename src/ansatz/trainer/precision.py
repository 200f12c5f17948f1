"""What the name of a precision means on a device, and what the device really does with it.

    fp64   float64 throughout: weights, inputs, gradients
    fp32   float32 throughout, TF32 switched off for matrix products and convolutions
    tf32   float32, whose products on tensor cores round inputs to 10 bits of mantissa
    bf16   autocast: matrix products and convolutions in bfloat16, sums and weights in float32
    fp16   autocast in float16, with gradient scaling against underflow

Weights, gradients and optimizer states are float32 in every case but the first. PyTorch lets
convolutions use TF32 by default, even where matrix products may not; here a name covers both.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ansatz.core.precision import Compute
from ansatz.core.recipe import Loss, Objective
from ansatz.trainer.products import float32_products

AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}
TENSOR_CORES_WITH_TF32 = (8, 0)  # compute capability of Ampere


@dataclass(frozen=True)
class Arithmetic:
    """How a training step computes on one device.

    Attributes:
        device: Where it runs.
        autocast_dtype: What products are computed in; None leaves float32.
        uses_tf32: Whether float32 products run in TF32.
        dtype: What weights and inputs are held in.
        note: What the device really does, in words.
    """

    device: torch.device
    autocast_dtype: torch.dtype | None
    uses_tf32: bool
    note: str
    dtype: torch.dtype = torch.float32

    @property
    def scales_gradients(self) -> bool:
        """Whether gradients would underflow without a scale: in float16 only."""
        return self.autocast_dtype is torch.float16

    def autocast(self, objective: Objective, *, cache: bool = True) -> Objective:
        """Let an objective compute its products in this precision.

        Args:
            objective: Of the same signature as what is returned.
            cache: Keep the cast weights until it returns; must be off inside a CUDA graph,
                where a kept copy would go stale.
        """
        if self.dtype is torch.float64:
            return lambda model, batch, rng: objective(model, self.inputs(batch), rng)
        if self.autocast_dtype is None:
            return objective
        context = torch.autocast(self.device.type, self.autocast_dtype, cache_enabled=cache)

        def cast(model: nn.Module, batch: dict[str, Tensor], rng: torch.Generator) -> Loss:
            with context:
                return objective(model, batch, rng)

        return cast

    def inputs(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Inputs in this arithmetic: in float64 all real numbers are widened."""
        if self.dtype is torch.float32:
            return dict(tensors)
        return {k: t.to(self.dtype) if t.is_floating_point() else t for k, t in tensors.items()}

    def in_force(self) -> AbstractContextManager[None]:
        """Tell torch how to compute float32 products, and put it back afterwards."""
        is_told = torch.get_float32_matmul_precision() == self._matmul and (
            self.device.type == "cpu" or torch.backends.cudnn.allow_tf32 == self.uses_tf32
        )
        if is_told:
            return nullcontext()  # telling it again takes 20 µs from every step
        return self._told()

    @contextmanager
    def _told(self) -> Iterator[None]:
        before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
        torch.set_float32_matmul_precision(self._matmul)
        torch.backends.cudnn.allow_tf32 = self.uses_tf32
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(before[0])
            torch.backends.cudnn.allow_tf32 = before[1]

    @property
    def _matmul(self) -> str:
        if self.uses_tf32:
            return "high"
        return float32_products() if self.device.type == "cpu" else "highest"


def arithmetic(precision: Compute, device: torch.device) -> Arithmetic:
    """Settle what a precision is on a device.

    Args:
        precision: Its name.
        device: Where the step runs.

    Returns:
        The arithmetic, whose note says so if the device falls short of the name.

    Raises:
        ValueError: If the device knows no such arithmetic at all.
    """
    if device.type not in ("cpu", "cuda"):
        raise ValueError(f"training runs on cpu or cuda, and the device is {device}")
    if precision == "tf32":
        capable = device.type == "cuda" and (
            torch.cuda.get_device_capability(device) >= TENSOR_CORES_WITH_TF32
        )
        return Arithmetic(device, None, capable, _tf32_note(device, capable))
    if precision == "fp64":
        note = "fp64: float64 throughout, weights included"
        return Arithmetic(device, None, False, note, torch.float64)
    if precision == "fp32":
        by = device.type == "cpu" and float32_products() == "medium"
        note = "fp32: float32 throughout" + (", products in oneDNN" if by else "")
        return Arithmetic(device, None, False, note)
    return Arithmetic(device, AUTOCAST[precision], False, _autocast_note(precision, device))


def _tf32_note(device: torch.device, capable: bool) -> str:
    if capable:
        return "tf32: float32 with products in TF32"
    return f"tf32: this device ({device.type}) has no TF32, so it computes in full float32"


def _autocast_note(precision: Compute, device: torch.device) -> str:
    if device.type == "cuda":
        native = precision == "fp16" or torch.cuda.is_bf16_supported(including_emulation=False)
        how = "products on the device's own units" if native else "emulated by the device, slowly"
    elif precision == "bf16":
        native = torch.ops.mkldnn._is_mkldnn_bf16_supported()
        how = "products in oneDNN" if native else "emulated by this processor, slowly"
    else:
        how = "rounding is that of float16, speed is not: for tests of accuracy on a processor"
    scale = ", gradients scaled" if precision == "fp16" else ""
    name = "bfloat16" if precision == "bf16" else "float16"
    return f"{precision}: products in {name}, weights kept in float32{scale}; {how}"
