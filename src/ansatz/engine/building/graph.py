"""The layers of an ONNX graph, and their roles.

A layer is a product of what flows through the graph with constant weights: `MatMul`, `Gemm` or
`Conv`. Its role is that of `ansatz.engine.precision.roles`, if the module that it came from is
known and is kept; otherwise it is read off the graph, not off its name:

    first       no layer comes before it on any path from an input
    last        no layer comes after it on any path to an output
    modulation  sees one vector for a sample where other layers see many: time, guidance
    narrow      few inputs or outputs
    grouped     a convolution in groups
    hidden      all others: only they are rounded

So a graph keeps all that torch keeps, and more where its order says more than types do.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from ansatz.engine.precision.roles import NARROW, ROUNDED, Role

PRODUCTS = ("MatMul", "Gemm", "Conv")
SCOPES = "pkg.torch.onnx.name_scopes"


@dataclass(frozen=True)
class Layer:
    """A product with constant weights.

    Attributes:
        name: Of the module that it came from; of the node if it came from none.
        node: Name of the node.
        kind: Operator.
        source: What flows in.
        weight: Name of the initializer.
        is_transposed: Whether the weights' first axis runs over the inputs and not the outputs.
        role: See this module's text.
        rank: Axes of what flows in; 0 if the graph does not say.
    """

    name: str
    node: str
    kind: str
    source: str
    weight: str
    is_transposed: bool
    role: Role
    rank: int


def layers(graph: onnx.ModelProto, known: Mapping[str, Role] | None = None) -> dict[str, Layer]:
    """The layers of a graph, by the name of their node, in the order of computation.

    Args:
        graph: With weights.
        known: Roles of modules, by name.
    """
    weights = {i.name: i for i in graph.graph.initializer}
    found = [n for n in graph.graph.node if _is_layer(n, weights)]
    before, after = _order(graph, {n.name for n in found})
    ranks = _ranks(graph)
    sees_many = any(n.op_type == "Conv" or ranks.get(n.input[0], 0) > 2 for n in found)

    def role(node: onnx.NodeProto) -> Role:
        said = (known or {}).get(_module(node), "hidden")
        if said not in ROUNDED:
            return said
        if not before[node.name]:
            return "first"
        if not after[node.name]:
            return "last"
        if sees_many and node.op_type != "Conv" and ranks.get(node.input[0]) == 2:
            return "modulation"
        if _attribute(node, "group", 1) != 1:
            return "grouped"
        return "narrow" if min(weights[node.input[1]].dims[:2]) < NARROW else "hidden"

    return {
        node.name: Layer(
            _module(node),
            node.name,
            node.op_type,
            node.input[0],
            node.input[1],
            node.op_type == "MatMul" or (node.op_type == "Gemm" and not _attribute(node, "transB")),
            role(node),
            ranks.get(node.input[0], 0),
        )
        for node in found
    }


def initializers(graph: onnx.ModelProto) -> dict[str, NDArray[np.float32]]:
    """The constants of a graph, by name."""
    return {i.name: numpy_helper.to_array(i) for i in graph.graph.initializer}


def _is_layer(node: onnx.NodeProto, weights: Mapping[str, onnx.TensorProto]) -> bool:
    if node.op_type not in PRODUCTS or node.input[1] not in weights:
        return False
    weight = weights[node.input[1]]
    if weight.data_type != onnx.TensorProto.FLOAT:
        return False
    if node.op_type == "Gemm":
        plain = _attribute(node, "alpha", 1.0) == _attribute(node, "beta", 1.0) == 1.0
        return plain and not _attribute(node, "transA")
    return len(weight.dims) == (2 if node.op_type == "MatMul" else 4)


def _attribute(node: onnx.NodeProto, name: str, default: float = 0) -> float:
    found = next((a for a in node.attribute if a.name == name), None)
    if found is None:
        return default
    return float(found.f if found.type == onnx.AttributeProto.FLOAT else found.i)


def _order(
    graph: onnx.ModelProto, names: set[str]
) -> tuple[Mapping[str, bool], Mapping[str, bool]]:
    """Whether layers come before a node, and after it."""
    nodes = list(graph.graph.node)
    carries: dict[str, bool] = defaultdict(bool)  # of a tensor: a layer is behind it
    before = {}
    for node in nodes:
        before[node.name] = any(carries[i] for i in node.input)
        for out in node.output:
            carries[out] = before[node.name] or node.name in names
    leads: dict[str, bool] = defaultdict(bool)  # of a tensor: a layer is ahead of it
    after = {}
    for node in reversed(nodes):
        after[node.name] = any(leads[o] for o in node.output)
        for i in node.input:
            leads[i] = leads[i] or after[node.name] or node.name in names
    return before, after


def _ranks(graph: onnx.ModelProto) -> dict[str, int]:
    known = [*graph.graph.value_info, *graph.graph.input]
    return {v.name: len(v.type.tensor_type.shape.dim) for v in known}


def _module(node: onnx.NodeProto) -> str:
    """The module of a node, by the scopes that the exporter leaves; its own name otherwise."""
    for entry in node.metadata_props:
        if entry.key == SCOPES:
            scopes = [s.strip(" '\"") for s in entry.value.strip("[]").split(",")]
            if len(scopes) > 1 and scopes[-2]:
                return str(scopes[-2])
    return str(node.name)
