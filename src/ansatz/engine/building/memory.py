"""Memory that a build will take, before it is begun: refused with numbers if there is not enough.

    need = copies x weights + activations + fixed

Weights are held several times at once: in the module, in the exported graph and its bytes, and by
the builder. Measured as the peak of resident memory over that before, transformers of 12.7 and
113.6 MB of weights, torch 2.13, MB:

    compile fp32          214    316      1.0 copies, 200 MB fixed
    onnxruntime fp32      320  1,201      8.7 copies, 210 MB
    tensorrt-rtx fp8      505  1,683     11.7 copies, 360 MB
    eager nvfp4             -    201      1.8 copies

Here these are rounded up; those of cudagraph and tensorrt are guesses. Activations are the outputs
of all nodes for the example, as if none were reused.
"""

from dataclasses import dataclass

import numpy as np
import onnx
import psutil
from torch import nn

from ansatz.engine.building.rows import Backend

COPIES: dict[Backend, float] = {
    "eager": 2,
    "compile": 3,
    "cudagraph": 3,
    "onnxruntime": 9,
    "tensorrt-rtx": 12,
    "tensorrt": 12,
}
FIXED: dict[Backend, float] = {
    "eager": 0,
    "compile": 0.3e9,
    "cudagraph": 0.5e9,
    "onnxruntime": 0.3e9,
    "tensorrt-rtx": 0.5e9,
    "tensorrt": 3e9,
}
"""Bytes of the builder itself, with what the exporter loads."""


@dataclass(frozen=True)
class Estimate:
    """Memory of a build on the host.

    Attributes:
        weights: Bytes of the module's weights.
        activations: Bytes of what flows through the graph; 0 if it is not known yet.
        need: Bytes that the build takes.
        free: Bytes that the machine has left.
    """

    weights: int
    activations: int
    need: int
    free: int


def estimate(module: nn.Module, backend: Backend, graph: onnx.ModelProto | None = None) -> Estimate:
    """What a build takes and what there is."""
    held = {id(t): t for t in (*module.parameters(), *module.buffers())}
    weights = sum(t.numel() * t.element_size() for t in held.values())
    flows = activations(graph) if graph is not None else 0
    need = int(COPIES[backend] * weights + flows + FIXED[backend])
    return Estimate(weights, flows, need, psutil.virtual_memory().available)


def activations(graph: onnx.ModelProto) -> int:
    """Bytes of all that flows through a graph; an axis that may change counts as one."""
    total = 0
    for value in (*graph.graph.value_info, *graph.graph.input, *graph.graph.output):
        kind = value.type.tensor_type
        size = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)).itemsize
        total += size * int(np.prod([max(d.dim_value, 1) for d in kind.shape.dim], dtype=np.int64))
    return total


def require_room(found: Estimate, backend: Backend) -> None:
    """Refuse a build that the machine has no memory for.

    Raises:
        MemoryError: With what it needs and what there is.
    """
    if found.need > found.free:
        raise MemoryError(
            f"building for {backend} takes about {found.need / 1e9:.2f} GB and "
            f"{found.free / 1e9:.2f} GB are free. It takes {COPIES[backend]:g} x "
            f"{found.weights / 1e9:.2f} GB of weights, {found.activations / 1e9:.2f} GB of "
            f"activations and {FIXED[backend] / 1e9:.1f} GB for the builder: build on a larger "
            "machine, or for a smaller batch"
        )
