"""What a built engine says of itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from ansatz.core.precision import PrecisionName
from ansatz.engine.precision.applying import Row

Backend = Literal["eager", "compile", "cudagraph", "onnxruntime", "tensorrt-rtx", "tensorrt"]


@dataclass(frozen=True)
class BuildReport:
    """An engine's figures.

    Attributes:
        backend: Who computes.
        precision: As asked for.
        target: Where it runs: `cpu`, `cuda` or an SM such as `SM120`.
        layers: What became of each layer.
        bytes: Of the weights as they are held, or of the file of an engine.
        build_seconds: To build it; to read it, if it was built before.
        is_cached: Whether it was.
        median_seconds: Of a call, by the wall clock; None where it cannot run here.
        repeats: Calls of which that is the median.
        error: Largest ‖y - y₀‖ / ‖y₀‖ of an output, y₀ the module's own; None if unknown.
        notes: What is not as the name of the precision says, in words.
    """

    backend: Backend
    precision: PrecisionName
    target: str
    layers: tuple[Row, ...]
    bytes: int
    build_seconds: float
    is_cached: bool = False
    median_seconds: float | None = None
    repeats: int = 0
    error: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """One line: how many layers are rounded in which mode, and how many were kept as what."""
        parts: dict[str, int] = {}
        for row in self.layers:
            what = f"{row.mode} {row.format}" if row.mode else f"{row.role} kept in {row.format}"
            parts[what] = parts.get(what, 0) + 1
        counted = "; ".join(f"{count} {what}" for what, count in parts.items())
        return f"{self.backend} {self.precision} on {self.target}: {counted or 'as it is'}"


def as_tuple(outputs: Tensor | Sequence[Tensor]) -> tuple[Tensor, ...]:
    """One output or several as a tuple."""
    return (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)


def relative_error(found: Sequence[Tensor], truth: Sequence[Tensor]) -> float:
    """The largest ‖y - y₀‖ / ‖y₀‖ of any output; where y₀ vanishes, the norm of y itself."""
    largest = 0.0
    for y, exact in zip(found, truth, strict=True):
        y0 = exact.detach().double().cpu()
        size = float(y0.norm()) or 1.0
        largest = max(largest, float((y.detach().double().cpu() - y0).norm()) / size)
    return largest
