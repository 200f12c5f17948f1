"""ONNX Runtime on the processor: a graph as a function of tensors.

Its optimizer would fuse Q/DQ around products of E4M3 to nodes that do not exist
(`MatMulIntegerToFloat` on float8), so Q/DQ is left as it is; constants are dequantized once, when
the graph is read. Products of integers are fused all the same.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor

from ansatz.core.errors import require

Call = Callable[..., Tensor | tuple[Tensor, ...]]


class RuntimeRefusalError(ValueError):
    """A graph that a runtime does not take, with its reason."""


def session(graph: onnx.ModelProto, *, threads: int | None = None) -> Any:
    """A session of ONNX Runtime.

    Args:
        graph: With weights.
        threads: Of a product; None takes torch's number.

    Raises:
        RuntimeRefusalError: If the runtime has no kernel for a node, or finds the graph wrong.
    """
    runtime = require("onnxruntime", "onnx", "backend=onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads or torch.get_num_threads()
    options.log_severity_level = 3
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    try:
        return runtime.InferenceSession(
            graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except tuple(_refusals(runtime)) as error:
        reason = str(error).strip().splitlines()[0]
        raise RuntimeRefusalError(f"ONNX Runtime does not take the graph: {reason}") from None


def function(made: Any) -> Call:
    """A session as a function of the module's signature."""
    names = [i.name for i in made.get_inputs()]
    kinds = [i.type for i in made.get_inputs()]

    def call(*tensors: Tensor) -> Tensor | tuple[Tensor, ...]:
        if len(tensors) != len(names):
            raise ValueError(f"the engine takes {len(names)} tensors ({names}), got {len(tensors)}")
        wide = [
            t.double() if k == "tensor(double)" else t for t, k in zip(tensors, kinds, strict=True)
        ]
        found = made.run(None, dict(zip(names, arrays(wide), strict=True)))
        outputs = tuple(torch.from_numpy(y) for y in found)
        return outputs[0] if len(outputs) == 1 else outputs

    return call


def arrays(tensors: Sequence[Tensor]) -> list[NDArray[np.generic]]:
    """Tensors as arrays on the host."""
    return [t.detach().cpu().numpy() for t in tensors]


def _refusals(runtime: Any) -> list[type[Exception]]:
    state = runtime.capi.onnxruntime_pybind11_state
    return [
        state.NotImplemented,
        state.InvalidGraph,
        state.Fail,
        state.RuntimeException,
        state.InvalidArgument,
    ]
