"""One call: `build(module, example, precision, backend)` gives a function of the same signature.

| backend | what computes |
|---|---|
| eager | torch, as written |
| compile | torch.compile |
| cudagraph | torch, recorded in a CUDA graph |
| onnxruntime | ONNX Runtime on the processor |
| tensorrt-rtx | TensorRT-RTX on a GPU; builds without one |
| tensorrt | TensorRT 11 on the GPU of this machine; never run here |

What was done in place of what the names say is in the report: nothing falls back silently.
"""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import torch
from torch import Tensor, nn

from ansatz.core.errors import require, unknown
from ansatz.core.precision import (
    PRECISIONS,
    Device,
    Mode,
    Precision,
    PrecisionName,
    mode,
    processor_flags,
)
from ansatz.engine.building.rows import Backend, BuildReport, as_tuple, relative_error
from ansatz.engine.precision.applying import observe
from ansatz.engine.precision.roles import Role, roles

if TYPE_CHECKING:
    import onnx

Call = Callable[..., Tensor | tuple[Tensor, ...]]
Batches = Sequence[Sequence[Tensor]]
TORCH: tuple[Backend, ...] = ("eager", "compile", "cudagraph")
REPEATS = 5


@dataclass(frozen=True)
class Engine:
    """A function of a module's signature, and what it is.

    Attributes:
        call: From positional tensors to a tensor or a tuple of them.
        report: Its figures.
    """

    call: Call
    report: BuildReport

    def __call__(self, *tensors: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Evaluate it."""
        return self.call(*tensors)


def build(
    module: nn.Module,
    example: Sequence[Tensor],
    precision: PrecisionName = "fp32",
    backend: Backend = "eager",
    *,
    dynamic: Sequence[Mapping[int, str] | None] | None = None,
    calibration: Batches = (),
    target: str = "current",
    cache: Path | None = None,
    repeats: int = REPEATS,
) -> Engine:
    """Build an engine of a module.

    Args:
        module: From positional tensors to a tensor or a tuple of them; it stays as it is.
        example: Its inputs.
        precision: Its name.
        backend: Who computes.
        dynamic: For each input, the axes that may change, with their names; graphs only.
        calibration: More inputs, from which scales of activations come. Graphs always have fixed
            scales, at least those of the example; torch has them if this is given.
        target: For TensorRT: `SM75` to `SM121`, or the GPU of this machine.
        cache: Folder of engines that were built; None keeps none.
        repeats: Calls to time; 0 times none.

    Returns:
        The engine. One whose target is not in this machine refuses to be called.

    Raises:
        ValueError: If there is no such precision, backend or target, the module has no graph, or
            the backend refuses the graph.
        MemoryError: If the machine has no memory for the build.
    """
    if precision not in PRECISIONS:
        raise ValueError(unknown("precision", precision, PRECISIONS))
    if backend not in get_args(Backend):
        raise ValueError(unknown("backend", backend, get_args(Backend)))
    chosen, batches = PRECISIONS[precision], [example, *calibration]
    began = time.perf_counter()
    if backend in TORCH:
        made = _in_torch(module, chosen, backend, batches, calibrates=bool(calibration))
    else:
        require("onnx", "onnx", f"backend={backend}")
        made = _from_graph(module, chosen, backend, batches, dynamic, target, cache)
    seconds = time.perf_counter() - began
    return _measured(_lasted(made, seconds), module, example, repeats)


def _lasted(engine: Engine, seconds: float) -> Engine:
    """The engine with the time that it took to build."""
    return Engine(engine.call, replace(engine.report, build_seconds=seconds))


def _in_torch(
    module: nn.Module, precision: Precision, backend: Backend, batches: Batches, *, calibrates: bool
) -> Engine:
    from ansatz.engine.building.memory import estimate, require_room
    from ansatz.engine.building.torch_calls import call_of, in_precision

    require_room(estimate(module, backend), backend)
    network, rows, notes = in_precision(module, precision, batches, calibrates=calibrates)
    call = call_of(network, precision, backend, batches[0])
    if backend == "compile":
        call(*batches[0])  # which compiles it: that is part of the build
    size = sum(row.bytes_after for row in rows)
    target = batches[0][0].device.type
    return Engine(call, BuildReport(backend, precision.name, target, rows, size, 0.0, notes=notes))


def _from_graph(
    module: nn.Module,
    precision: Precision,
    backend: Backend,
    batches: Batches,
    dynamic: Sequence[Mapping[int, str] | None] | None,
    target: str,
    cache: Path | None,
) -> Engine:
    """Export, rewrite, and hand over."""
    from ansatz.engine.building.memory import estimate, require_room

    if backend != "onnxruntime":
        _require_target(precision, backend, target)
    require_room(estimate(module, backend), backend)
    module = deepcopy(module).eval().cpu()
    batches = [[tensor.cpu() for tensor in batch] for batch in batches]
    if precision.compute == "fp64":
        module = module.double()
        batches = [[t.double() if t.is_floating_point() else t for t in b] for b in batches]
    graph = exported_graph(module, batches[0], dynamic=dynamic)
    require_room(estimate(module, backend, graph), backend)
    known = roles(module, observe(module, lambda network: network(*batches[0])).calls)
    if backend == "onnxruntime":
        return _in_runtime(graph, precision, batches, known)
    return _in_tensorrt(graph, precision, backend, batches, known, target, cache)


def _require_target(precision: Precision, backend: Backend, target: str) -> None:
    """Refuse what TensorRT cannot build, before seconds are spent on the export."""
    from ansatz.engine.building import tensorrt

    assert backend in ("tensorrt-rtx", "tensorrt")
    tensorrt.version(backend)
    tensorrt.capability(target)
    if precision.compute == "fp64":
        raise ValueError(f"{backend} has no fp64: take precision=fp32")


def exported_graph(
    module: nn.Module,
    example: Sequence[Tensor],
    *,
    dynamic: Sequence[Mapping[int, str] | None] | None,
) -> "onnx.ModelProto":
    """The graph of a module, by an exporter that is an extra."""
    from ansatz.engine.building.export import exported

    return exported(module, example, dynamic=dynamic)


def runtime_mode(precision: Precision) -> Mode:
    """What a precision is in ONNX Runtime on this processor."""
    if precision.weights is None:
        return "native" if precision.compute in ("fp32", "fp64") else "emulated"
    if precision.activations is None or precision.activations.block:
        return "storage"
    if precision.activations.name == "int8":
        return mode(precision, Device("cpu", flags=processor_flags()))
    return "emulated"


def _in_runtime(
    graph: "onnx.ModelProto", precision: Precision, batches: Batches, known: Mapping[str, Role]
) -> Engine:
    from ansatz.engine.building.qdq import rewritten
    from ansatz.engine.building.runtime import function, session

    found = runtime_mode(precision)
    made = rewritten(graph, precision, found, "onnxruntime", batches, known)
    call = function(session(made.graph))
    notes = _runtime_notes(precision, found)
    size = made.graph.ByteSize()
    report = BuildReport("onnxruntime", precision.name, "cpu", made.rows, size, 0.0, notes=notes)
    return Engine(call, report)


def _runtime_notes(precision: Precision, found: Mode) -> tuple[str, ...]:
    """What ONNX Runtime does otherwise than the name of the precision says."""
    notes = []
    if precision.weights is None and found == "emulated":
        how = "computed in fp32" if precision.compute == "tf32" else "rounded, multiplied in fp32"
        notes.append(f"{precision.name}: emulated in ONNX Runtime: inputs of products {how}")
    elif precision.weights is not None:
        notes.append(f"{precision.name}: {found} in ONNX Runtime; what is kept is in fp32")
        if precision.activations is not None and found == "storage":
            notes.append(f"{precision.name}: what flows in is not rounded in ONNX Runtime")
        if precision.name == "int8":
            notes.append("int8: convolutions are stored in it, and multiplied in fp32")
        if precision.weights.bits == 4:
            notes.append("ONNX Runtime has no E2M1: weights are halves in int8, the same numbers")
    return tuple(notes)


def _in_tensorrt(
    graph: "onnx.ModelProto",
    precision: Precision,
    backend: Backend,
    batches: Batches,
    known: Mapping[str, Role],
    target: str,
    cache: Path | None,
) -> Engine:
    from ansatz.engine.building import cache as files
    from ansatz.engine.building import tensorrt
    from ansatz.engine.building.qdq import rewritten

    assert backend in ("tensorrt-rtx", "tensorrt")
    device = Device("cuda", tensorrt.capability(target))
    found = mode(precision, device)
    made = rewritten(graph, precision, found, "onnx", batches, known)
    is_here = torch.cuda.is_available() and (
        torch.cuda.get_device_capability() == device.capability
    )
    name = "SM{}{}".format(*device.capability)
    key = files.key(
        graph,
        batches,
        precision=precision.name,
        backend=backend,
        target=name,
        versions={backend: tensorrt.version(backend)},
        # Roles decide which layers are rounded, and come from outside of the graph.
        options={"roles": str(sorted(known.items())), "mode": found},
    )
    engine = files.stored(cache, key) if cache is not None else None
    is_cached = engine is not None
    if engine is None:
        tf32 = precision.compute == "tf32"
        engine = tensorrt.plan(made.graph, backend, target, batches[0], tf32=tf32)
        if cache is not None:
            files.store(cache, key, engine)
    call = tensorrt.function(engine, backend) if is_here else _elsewhere(backend, name)
    notes: tuple[str, ...] = ()
    if found != "native":
        notes = (f"{precision.name}: {found} on {name}",)
    error = None
    if not is_here:
        notes += (f"not run: there is no {name} here. The error is ONNX Runtime's",)
        likeness = _in_runtime(graph, precision, batches, known)
        exact = _in_runtime(graph, PRECISIONS["fp32"], batches, known)
        error = _error(likeness(*batches[0]), exact(*batches[0]))
    report = BuildReport(
        backend,
        precision.name,
        name,
        made.rows,
        len(engine),
        0.0,
        is_cached,
        error=error,
        notes=notes,
    )
    return Engine(call, report)


def _elsewhere(backend: Backend, target: str) -> Call:
    def call(*_: Tensor) -> Tensor:
        raise RuntimeError(
            f"this engine of {backend} is for {target}, and there is none here: build it with the "
            "same folder as cache=, take the folder there, and call it there"
        )

    return call


def _measured(engine: Engine, module: nn.Module, example: Sequence[Tensor], repeats: int) -> Engine:
    """The engine with its median time and its error, if it runs here."""
    report = engine.report
    if repeats == 0 or report.error is not None:
        return engine
    was_training = module.training
    module.eval()
    with torch.no_grad():
        exact = module(*example)
    module.train(was_training)
    seconds = []
    found = engine(*example)
    for _ in range(repeats):
        _wait(report.target)
        began = time.perf_counter()
        found = engine(*example)
        _wait(report.target)
        seconds.append(time.perf_counter() - began)
    report = replace(
        report,
        error=_error(found, exact),
        median_seconds=statistics.median(seconds),
        repeats=repeats,
    )
    return Engine(engine.call, report)


def _wait(target: str) -> None:
    if target != "cpu":
        torch.cuda.synchronize()


def _error(found: Tensor | tuple[Tensor, ...], exact: Tensor | tuple[Tensor, ...]) -> float:
    return relative_error(as_tuple(found), as_tuple(exact))
