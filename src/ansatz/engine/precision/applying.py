"""Put a precision into a network, layer by layer, and say what was done."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from ansatz.core.precision import (
    E4M3,
    INT8,
    NVFP4,
    PRECISIONS,
    Compute,
    Device,
    Format,
    Mode,
    Precision,
    mode,
    processor_flags,
)
from ansatz.engine.precision.layers import QuantizedConv2d, QuantizedLinear
from ansatz.engine.precision.roles import ROUNDED, Role, roles

Kind = Literal["linear", "convolution"]
Calibration = Callable[[nn.Module], object]
TORCH_PRODUCTS = {("cpu", "int8"), ("cuda", "int8"), ("cuda", "fp8")}
"""Native products of linear layers that torch offers to a plain module, by kind of device."""
MULTIPLE = 16  # of inputs and outputs that these products take


@dataclass(frozen=True)
class Row:
    """What became of one layer.

    Attributes:
        name: Of the layer.
        role: Its part in the network.
        mode: How it computes; None if it was left as it was.
        format: Of its weight, as stored.
        bytes_before, bytes_after: Of its weight.
        error: Of its weight, ‖ŵ - w‖ / ‖w‖.
    """

    name: str
    role: Role
    mode: Mode | None
    format: str
    bytes_before: int
    bytes_after: int
    error: float = 0.0


@dataclass(frozen=True)
class Report:
    """What became of a network.

    Attributes:
        precision: That was asked for.
        compute: What products of all other layers are computed in.
        rows: By layer, in the order in which they were made.
        is_calibrated: Whether scales of activations are fixed.
    """

    precision: Precision
    compute: Compute
    rows: tuple[Row, ...]
    is_calibrated: bool = False

    @property
    def mode(self) -> str:
        """How the rounded layers compute: one word, or one with its count for each mode."""
        counts = Counter(row.mode for row in self.rows if row.mode)
        if len(counts) == 1:
            return next(iter(counts))
        return ", ".join(f"{counts[m]} {m}" for m in WORDS if counts[m]) or "nothing rounded"

    @property
    def note(self) -> str:
        """What was done, in one line."""
        kept = Counter(row.role for row in self.rows if row.mode is None)
        left = ", ".join(f"{count} {role}" for role, count in kept.items())
        rounded = len(self.rows) - sum(kept.values())
        return (
            f"{self.precision.name}: {self.mode} on this device: {self._done}; {rounded} layers "
            f"rounded, {sum(kept.values())} kept in {self.compute} ({left or 'none'}); weights "
            f"from {self.bytes_before:,} to {self.bytes_after:,} bytes, off by {self.error:.2g} "
            "at most"
        )

    @property
    def _done(self) -> str:
        modes = {row.mode for row in self.rows}
        products = [WORDS[m].format(compute=self.compute) for m in WORDS if m in modes]
        scales = "calibrated" if self.is_calibrated else "dynamic"
        inputs = f"inputs alike, with {scales} scales"
        parts = [f"weights in {title(self.precision.weights)}", *products]
        if modes & {"native", "emulated"}:
            parts.insert(1, inputs)
        return ", ".join(parts)

    @property
    def bytes_before(self) -> int:
        """Of all weights as they were."""
        return sum(row.bytes_before for row in self.rows)

    @property
    def bytes_after(self) -> int:
        """Of all weights as they are stored now."""
        return sum(row.bytes_after for row in self.rows)

    @property
    def error(self) -> float:
        """The largest error of a weight."""
        return max((row.error for row in self.rows), default=0.0)


WORDS: Mapping[Mode, str] = {
    "native": "products of these elements",
    "emulated": "products in {compute}",
    "storage": "weights widened to {compute} before products",
}


def quantize(
    network: nn.Module,
    precision: Precision,
    device: Device,
    *,
    calibration: Calibration | None = None,
    rank: int = 0,
) -> Report:
    """Round a network to a precision, in place.

    Args:
        network: In evaluation mode, on its device.
        precision: With a format of weights.
        device: What the network is on.
        calibration: Runs the network on inputs like those to come. Then scales of activations are
            fixed, for a speed that does not depend on a pass over them; otherwise they are those of
            the numbers at hand.
        rank: Of a low-rank correction of linear layers in 4 bits; 0 makes none.

    Returns:
        What became of each layer that has weights.

    Raises:
        ValueError: If there is no linear layer or convolution that could be rounded.
    """
    seen = Observed({}, ())
    if calibration is not None:
        seen = observe(network, calibration)
    found = roles(network, seen.calls)
    require_layers(network, precision)
    rows = []
    for name, role in found.items():
        layer = network.get_submodule(name)
        before = own_bytes(layer)
        if role not in ROUNDED or not name:
            rows.append(Row(name, role, None, own_format(layer), before, before))
            continue
        new = rounded_layer(layer, role, precision, device, seen.largest.get(name), rank)
        error = difference(new.weight, layer.get_parameter("weight"))
        after = new.bytes + own_bytes(layer) - weight_bytes(layer)
        network.set_submodule(name, new)
        rows.append(Row(name, role, new.mode, title(precision.weights), before, after, error))
    # What comes in has a gradient now only if somebody wants derivatives, which layers refuse.
    network.requires_grad_(False)
    fixed = calibration is not None and precision.activations in (E4M3, INT8, NVFP4)
    return Report(precision, compute_of(precision, device), tuple(rows), fixed)


def on_device(precision: Precision, device: Device) -> str:
    """What a precision with a format is on a device, in words."""
    assert precision.weights is not None
    found, compute = mode(precision, device), compute_of(precision, device)
    bits = 8 * precision.weights.bytes(1024, 1024) / 1024**2
    parts = [f"weights in {bits:.3g} bits ({title(precision.weights)})"]
    if found != "storage":
        parts.append("inputs rounded alike")
    parts.append(WORDS[found].format(compute=compute))
    if found == "native":
        other = "emulated" if device.kind == "cpu" else "stored so and widened"
        which = "convolutions" if (device.kind, precision.name) in TORCH_PRODUCTS else "in PyTorch"
        parts.append(f"{which} {other}")
    return f"{found}: {', '.join(parts)}"


def rounded_layer(
    layer: nn.Module,
    role: Role,
    precision: Precision,
    device: Device,
    largest: Tensor | None,
    rank: int,
) -> QuantizedLinear | QuantizedConv2d:
    """A layer in a precision."""
    assert precision.weights is not None
    how = layer_mode(layer, role, precision, device)
    if isinstance(layer, nn.Conv2d):
        return QuantizedConv2d(layer, precision, how, largest=largest)
    assert isinstance(layer, nn.Linear)
    rank = rank if precision.weights.bits == 4 and role != "read" else 0
    return QuantizedLinear(layer, precision, how, rank=rank, largest=largest)


def layer_mode(layer: nn.Module, role: Role, precision: Precision, device: Device) -> Mode:
    """How a layer computes: native needs a device and a product of torch that takes its size."""
    found = mode(precision, device)
    if role == "read":
        return "storage"
    if found != "native":
        return found
    has_product = (device.kind, precision.name) in TORCH_PRODUCTS and isinstance(layer, nn.Linear)
    sizes = (layer.in_features, layer.out_features) if isinstance(layer, nn.Linear) else ()
    if has_product and not any(size % MULTIPLE for size in sizes):
        return "native"
    return "emulated" if device.kind == "cpu" else "storage"


def require_layers(network: nn.Module, precision: Precision) -> None:
    """Refuse a network without a layer that could be rounded.

    Raises:
        ValueError: If there is none.
    """
    if not any(type(module) in (nn.Linear, nn.Conv2d) for module in network.modules()):
        raise ValueError(
            f"precision={precision.name} rounds linear layers and convolutions, and "
            f"{type(network).__name__} has none: its layers carry derivatives, which rounding does "
            "not have. Take precision=fp64, fp32, tf32 or bf16"
        )


# ---------------------------------------------------------------------------------- calibration
@dataclass(frozen=True)
class Observed:
    """What was seen while a network ran.

    Attributes:
        largest: The largest magnitude of the inputs of each linear layer and convolution.
        calls: Names of layers with weights in the order of their first calls.
    """

    largest: Mapping[str, Tensor]
    calls: tuple[str, ...]


def observe(network: nn.Module, calibration: Calibration) -> Observed:
    """Run a network and note what goes into its layers."""
    largest: dict[str, Tensor] = {}
    calls: dict[str, None] = {}

    def note(name: str, layer: nn.Module) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def hook(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            calls[name] = None
            if isinstance(layer, nn.Linear | nn.Conv2d):
                peak = inputs[0].detach().abs().max().float()
                largest[name] = torch.maximum(largest.get(name, peak), peak)

        return hook

    leaves = [(n, m) for n, m in network.named_modules() if own_bytes(m)]
    handles = [m.register_forward_pre_hook(note(n, m)) for n, m in leaves]
    try:
        with torch.no_grad():
            calibration(network)
    finally:
        for handle in handles:
            handle.remove()
    return Observed(largest, tuple(calls))


# ------------------------------------------------------------------------------------- measures
def device_like(device: torch.device) -> Device:
    """What there is to know of a device of torch."""
    if device.type == "cuda":
        return Device("cuda", torch.cuda.get_device_capability(device))
    return Device("cpu", flags=processor_flags())


def compute_of(precision: Precision, device: Device) -> Compute:
    """What products are computed in that are not in a format.

    A device without bfloat16 would take longer for it than for float32.
    """
    if precision.weights is None or mode(PRECISIONS[precision.compute], device) == "native":
        return precision.compute
    return "fp32"


def difference(found: Tensor, exact: Tensor) -> float:
    """‖ŵ - w‖ / ‖w‖."""
    exact = exact.detach().float()
    return float((found - exact).norm() / exact.norm().clamp_min(torch.finfo(torch.float32).tiny))


def title(form: Format | None) -> str:
    """A format in words: `e2m1, e4m3 scale per 16`."""
    if form is None:
        return ""
    shared = str(form.block) if form.block else form.scale
    return f"{form.name}, {form.scale_format} scale per {shared}"


def own_format(layer: nn.Module) -> str:
    """What the weights of a layer that was left are in."""
    kinds = {str(p.dtype).removeprefix("torch.") for p in layer.parameters(recurse=False)}
    return ", ".join(sorted(kinds))


def own_bytes(layer: nn.Module) -> int:
    """Of the weights of a layer, its bias included."""
    return sum(p.numel() * p.element_size() for p in layer.parameters(recurse=False))


def weight_bytes(layer: nn.Module) -> int:
    """Of the one that is rounded."""
    weight = layer.get_parameter("weight")
    return weight.numel() * weight.element_size()


def total_bytes(networks: Iterable[nn.Module]) -> int:
    """Of the weights of networks as they are held."""
    held = {id(p): p for network in networks for p in network.parameters()}
    return sum(p.numel() * p.element_size() for p in held.values())
