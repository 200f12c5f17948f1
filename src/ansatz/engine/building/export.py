"""From a module to an ONNX graph, by torch's exporter; checked by running it beside the module.

The exporter follows the program, not one run of it: a branch that depends on the numbers in a
tensor has no place in a graph, and the error says which line takes it. Opset 20 is the least, for
`Gelu`; later ones say `Attention` and `GroupNormalization` in one node, of which not every runtime
has a fast kernel.
"""

import io
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout

import onnx
import torch
from torch import Tensor, nn

from ansatz.core.errors import require
from ansatz.engine.building.rows import as_tuple, relative_error
from ansatz.engine.building.runtime import function, session

LEAST_OPSET = 20
TOLERANCE = 1e-4  # of float32 summed in another order, relative to the norm of an output
DynamicAxes = Sequence[Mapping[int, str] | None]


class ExportError(ValueError):
    """A module that has no graph, or whose graph computes something else."""


def exported(
    module: nn.Module,
    example: Sequence[Tensor],
    *,
    dynamic: DynamicAxes | None = None,
    opset: int = LEAST_OPSET,
) -> onnx.ModelProto:
    """The graph of a module in evaluation, with its weights.

    Args:
        module: From positional tensors to a tensor or a tuple of them.
        example: Its inputs.
        dynamic: For each input, the axes that may change, with their names; None fixes all.
        opset: Version of the operators.

    Returns:
        The graph, checked: it gives what the module gives for the example.

    Raises:
        ExportError: If the module cannot be exported, or the graph disagrees with it.
        ValueError: If the opset is too old, or ONNX is not installed.
    """
    if opset < LEAST_OPSET:
        raise ValueError(f"opset={opset} is too old: take {LEAST_OPSET} or later")
    require("onnxscript", "onnx", "exporting a network")
    was_training = module.training
    module.eval()
    try:
        with _quiet():
            program = torch.onnx.export(
                module,
                tuple(example),
                dynamo=True,
                opset_version=opset,
                dynamic_shapes=_shapes(dynamic),
                verbose=False,
            )
        assert program is not None
        graph = program.model_proto
        _agree(module, graph, example)
    except torch.onnx.OnnxExporterError as error:
        raise ExportError(f"{type(module).__name__} has no graph: {_reason(error)}") from error
    finally:
        module.train(was_training)
    return graph


def opset_of(graph: onnx.ModelProto) -> int:
    """Version of a graph's operators."""
    return int(next(o.version for o in graph.opset_import if o.domain in ("", "ai.onnx")))


def _agree(module: nn.Module, graph: onnx.ModelProto, example: Sequence[Tensor]) -> None:
    made = session(graph)
    names = [i.name for i in made.get_inputs()]
    if len(names) != len(example):
        raise ExportError(
            f"{type(module).__name__} takes {len(example)} tensors and its graph {len(names)}: an "
            "input that plays no part has to go"
        )
    with torch.no_grad():
        truth = as_tuple(module(*example))
    error = relative_error(as_tuple(function(made)(*example)), truth)
    if not error <= TOLERANCE:
        raise ExportError(
            f"the graph of {type(module).__name__} is {error:.1e} away from the module, and "
            f"float32 explains {TOLERANCE:.0e}. Does it draw random numbers?"
        )


def _shapes(dynamic: DynamicAxes | None) -> tuple[dict[int, object] | None, ...] | None:
    if dynamic is None:
        return None
    dims: dict[str, object] = {}
    for axes in dynamic:
        for name in (axes or {}).values():
            dims.setdefault(name, torch.export.Dim(name))
    return tuple(
        None if axes is None else {axis: dims[name] for axis, name in axes.items()}
        for axes in dynamic
    )


def _reason(error: BaseException) -> str:
    """The first sentence of what lies at the bottom of an exporter's error."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    where = next((line for line in lines if line.startswith("Caused by:")), "")
    return f"{lines[0] if lines else type(error).__name__} {where}".strip()


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's remarks on packages that are not there."""
    speaker = logging.getLogger("torch.onnx")
    before = speaker.level
    speaker.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        speaker.setLevel(before)
