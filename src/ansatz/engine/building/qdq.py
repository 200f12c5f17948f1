"""Precision as a rewrite of a graph: Q/DQ and Cast around its layers, in one pass.

    x ─ Quantize ─ Dequantize ─┐                         x ─ Cast ─┐
    q_w ────────── Dequantize ─┴─ MatMul ─ y             w ─ Cast ─┴─ MatMul ─ Cast ─ y
         a layer in a format                                a layer in bf16 or fp16

Engines that are typed by their graph (TensorRT 11, TensorRT-RTX) take the left as one product in
the format. Weights are rounded by `ansatz.engine.precision.rounding`, as in torch. What flows in
has one scale, that of the largest number met in calibration: engines want it constant.

ONNX Runtime reads the same graph but for what its processor kernels lack, which is spelled so:

    int8 products       DynamicQuantizeLinear and MatMulInteger, which it fuses: scales of the
                        numbers at hand, and the speed of integers. Convolutions are stored
                        in int8 only: Q/DQ around them took 1.5 times as long as float32 (a U-Net)
    E2M1, E8M0          halves in int8 and scales in float32: the same numbers, more bytes
    bf16, fp16          rounded by Cast, multiplied in float32
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import ml_dtypes
import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from ansatz.core.precision import E4M3 as FP8
from ansatz.core.precision import Format, Mode, Precision
from ansatz.engine.building.export import opset_of
from ansatz.engine.building.graph import Layer, initializers, layers
from ansatz.engine.building.rows import as_tuple
from ansatz.engine.building.runtime import function, session
from ansatz.engine.precision.applying import Row, title
from ansatz.engine.precision.layers import inputs_last
from ansatz.engine.precision.roles import Role
from ansatz.engine.precision.rounding import Rounded, e2m1_bytes, rounded

Spelling = Literal["onnx", "onnxruntime"]
Array = NDArray[np.generic]
BLOCKS_OPSET, E2M1_OPSET = 21, 23
LEAST_IR = {21: 10, 23: 11}  # versions of the file that the opsets need
E4M3, E2M1 = TensorProto.FLOAT8E4M3FN, TensorProto.FLOAT4E2M1
HALVES = {"bf16": TensorProto.BFLOAT16, "fp16": TensorProto.FLOAT16}
TRT = "trt"  # domain of TensorRT's operators
MXFP8_DEQUANTIZE = "TRT_MXFP8DequantizeLinear"
E8M0_BIAS = 127
BLOCKWISE = {"nvfp4": "TRT_FP4DynamicQuantize", "mxfp8": "TRT_MXFP8DynamicQuantize"}


@dataclass(frozen=True)
class Rewritten:
    """A graph in a precision.

    Attributes:
        graph: With weights.
        rows: What became of its layers.
    """

    graph: onnx.ModelProto
    rows: tuple[Row, ...]


def rewritten(
    graph: onnx.ModelProto,
    precision: Precision,
    mode: Mode,
    spelling: Spelling,
    batches: Sequence[Sequence[Tensor]],
    known: Mapping[str, Role] | None = None,
) -> Rewritten:
    """A graph in a precision; the given one stays as it is.

    Args:
        graph: In float32.
        precision: To rewrite it in.
        mode: What the precision is on the target; `storage` leaves what flows in.
        spelling: Whose operators to use.
        batches: Inputs to calibrate with.
        known: Roles of modules, by name.
    """
    found = layers(graph, known)
    inner = [each for each in found.values() if each.role == "hidden" and precision.weights]
    peaks: Mapping[str, float] = {}
    acts = precision.activations
    if acts and mode != "storage" and (acts.has_global_scale or not acts.block):
        peaks = magnitudes(graph, {each.source for each in inner}, batches)
    edit = _Edit(graph, precision, mode, spelling, peaks)
    for node in graph.graph.node:
        if node.name not in found:
            edit.nodes.append(node)
        elif found[node.name] in inner:
            edit.round(node, found[node.name])
        else:
            edit.keep(node, found[node.name])
    return edit.finished()


def magnitudes(
    graph: onnx.ModelProto, names: Iterable[str], batches: Sequence[Sequence[Tensor]]
) -> dict[str, float]:
    """The largest magnitudes of tensors of a graph over batches of inputs."""
    wanted = sorted(names)
    watched = onnx.ModelProto()
    watched.CopyFrom(graph)
    known = {v.name for v in (*watched.graph.output, *watched.graph.input)}
    watched.graph.output.extend(onnx.ValueInfoProto(name=n) for n in wanted if n not in known)
    watch = function(session(watched))
    inputs = [v.name for v in graph.graph.input]
    peaks = dict.fromkeys(wanted, 0.0)
    for batch in batches:
        seen = dict(zip(inputs, batch, strict=True))
        seen |= dict(
            zip([o.name for o in watched.graph.output], as_tuple(watch(*batch)), strict=True)
        )
        for name in wanted:
            peaks[name] = max(peaks[name], float(seen[name].abs().max()))
    return peaks


@dataclass
class _Edit:
    """A graph while it is rewritten: nodes and constants so far, and what was rounded once."""

    source: onnx.ModelProto
    precision: Precision
    mode: Mode
    spelling: Spelling
    peaks: Mapping[str, float]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, TensorProto] = field(default_factory=dict)
    made: dict[str, str] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    opset: int = 0

    def __post_init__(self) -> None:
        self.weights = initializers(self.source)
        self.opset = opset_of(self.source)

    @property
    def is_fast_int8(self) -> bool:
        acts = self.precision.activations
        return self.spelling == "onnxruntime" and acts is not None and acts.name == "int8"

    def round(self, node: onnx.NodeProto, layer: Layer) -> None:
        """Put a layer in the format."""
        form, acts = self.precision.weights, self.precision.activations
        assert form is not None
        weight = torch.from_numpy(np.array(self.weights[layer.weight]))
        matrix = self._matrix(weight, layer, form)
        r = rounded(matrix, form)
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        mode, said = self.mode, title(form)
        if self.is_fast_int8 and layer.kind != "Conv" and mode != "storage":
            said += "; inputs by tensor, dynamic"
            self._integer_product(copy, layer, r)
        else:
            is_rounded = acts is not None and mode != "storage" and not self.is_fast_int8
            source = self._activations(layer, acts) if acts and is_rounded else ""
            copy.input[1] = self._weights(layer, r)
            if source:
                assert acts is not None
                said += "; inputs " + (title(acts) if acts.block else "by tensor, calibrated")
                copy.input[0] = source
                self.nodes.append(copy)
            else:
                mode = "storage"
                self._in_halves(copy)
        error = float((r.values - matrix).norm() / (matrix.norm() or 1.0))
        after = self._stored(layer.weight)
        self.rows.append(Row(layer.name, layer.role, mode, said, 4 * matrix.numel(), after, error))

    @staticmethod
    def _matrix(weight: Tensor, layer: Layer, form: Format) -> Tensor:
        """A weight with its inputs last, as torch rounds it."""
        if layer.kind == "Conv":
            return inputs_last(weight, form).flatten(0, -2)
        return (weight.T if layer.is_transposed else weight).contiguous()

    def keep(self, node: onnx.NodeProto, layer: Layer) -> None:
        """Leave a layer in what the precision computes in."""
        weight = self.weights[layer.weight]
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        kind = HALVES.get(self.precision.compute)
        error, after, said = 0.0, 4 * weight.size, self.precision.compute
        if kind is None or (self.precision.weights and self.spelling == "onnxruntime"):
            # ONNX Runtime's processor kernels gain nothing from rounding what is kept.
            self.nodes.append(copy)
            said = "fp32" if said in ("bf16", "fp16") else said
        else:
            narrow = self._narrow(layer.weight, kind)
            error = float(np.linalg.norm(narrow - weight) / (np.linalg.norm(weight) or 1.0))
            after = 2 * weight.size
            self._in_halves(copy)
        self.rows.append(Row(layer.name, layer.role, None, said, 4 * weight.size, after, error))

    def finished(self) -> Rewritten:
        """The graph, without what nothing reads any more."""
        graph = onnx.ModelProto()
        graph.CopyFrom(self.source)
        # Types of the old tensors: ONNX Runtime trusts them over what the new nodes say.
        del graph.graph.value_info[:]
        del graph.graph.node[:]
        graph.graph.node.extend(self.nodes)
        read = {i for node in self.nodes for i in node.input}
        read |= {o.name for o in graph.graph.output}
        left = [i for i in graph.graph.initializer if i.name in read]
        del graph.graph.initializer[:]
        graph.graph.initializer.extend([*left, *self.constants.values()])
        for opset in graph.opset_import:
            if opset.domain in ("", "ai.onnx"):
                opset.version = self.opset
        least = max((ir for opset, ir in LEAST_IR.items() if opset <= self.opset), default=0)
        graph.ir_version = max(graph.ir_version, least)
        if any(node.domain == TRT for node in self.nodes):
            graph.opset_import.append(helper.make_opsetid(TRT, 1))
        return Rewritten(graph, tuple(self.rows))

    # ------------------------------------------------------------------------------- pieces
    def _node(
        self,
        op: str,
        inputs: Sequence[str],
        *outputs: str,
        **attributes: int | Sequence[int],
    ) -> str:
        """Add a node; the first of its outputs."""
        domain = TRT if op.startswith("TRT_") else ""
        node = helper.make_node(op, inputs, outputs, name=f"{op}_{outputs[0]}", domain=domain)
        node.attribute.extend(helper.make_attribute(k, v) for k, v in attributes.items())
        self.nodes.append(node)
        return outputs[0]

    def _constant(self, name: str, value: Array, kind: int | None = None) -> str:
        """Keep a constant; of a narrow type if one is named, whose bytes are given."""
        if name not in self.constants:
            made = numpy_helper.from_array(np.ascontiguousarray(value), name)
            if kind is not None:
                shape = list(value.shape)
                raw = _pairs(value) if kind == E2M1 else np.ascontiguousarray(value).tobytes()
                made = TensorProto(name=name, data_type=kind, dims=shape, raw_data=raw)
            self.constants[name] = made
        return name

    def _activations(self, layer: Layer, form: Format) -> str:
        """What flows in, quantized and dequantized; empty if the target has no operator for it."""
        x = layer.source
        if form.block:
            return self._blockwise(layer)
        name = f"{x}/dq"
        if name not in self.made:
            scale = max(self.peaks[x], 1e-12) / form.largest
            s = self._constant(f"{x}/scale", np.array(scale, np.float32))
            zero = self._zero(x, form, ())
            self._node("QuantizeLinear", [x, s, zero], f"{x}/q")
            self.made[name] = self._node("DequantizeLinear", [f"{x}/q", s, zero], name)
        return name

    def _blockwise(self, layer: Layer) -> str:
        """Blocks of what flows in, by TensorRT's own operators, which take two or three axes."""
        x, op = layer.source, BLOCKWISE.get(self.precision.name)
        if op is None or self.spelling != "onnx" or layer.rank not in (2, 3):
            return ""
        assert self.precision.activations is not None
        block, name = self.precision.activations.block, f"{x}/dq"
        if name in self.made:
            return name
        q, s = f"{x}/q", f"{x}/scales"
        here = {"axis": -1, "block_size": block}
        self._need(E2M1_OPSET)
        if op == "TRT_FP4DynamicQuantize":
            reach = self.precision.activations.largest * FP8.largest
            top = self._constant(
                f"{x}/top", np.array(max(self.peaks[x], 1e-12) / reach, np.float32)
            )
            self._node(op, [x, top], q, s, scale_type=E4M3, **here)
            s = self._node("DequantizeLinear", [s, top], f"{x}/wide_scales")
            self._node("DequantizeLinear", [q, s], name, **here)
        else:
            self._node(op, [x], q, s, output_dtype=E4M3, **here)
            wide = TensorProto.FLOAT
            self._node(MXFP8_DEQUANTIZE, [q, s], name, output_dtype=wide, **here)
        self.made[name] = name
        return name

    def _weights(self, layer: Layer, r: Rounded) -> str:
        """The rounded weights, dequantized, in the layout of the graph."""
        name = f"{layer.weight}/dq"
        if name in self.made:
            return name
        if r.format.block:
            self.made[name] = self._blocks(layer, r)
            return self.made[name]
        axis = 1 if layer.is_transposed else 0
        q = r.elements.numpy()
        if layer.kind == "Conv":
            outputs, inputs, *cells = self.weights[layer.weight].shape
            q = q.reshape(outputs, *cells, inputs).transpose(0, 3, 1, 2)
        q = q.T if layer.is_transposed else q
        is_int8 = r.format.name == "int8"
        scales = r.scales.numpy().reshape(-1)
        parts = [
            self._constant(f"{layer.weight}/q", q.astype(np.int8))
            if is_int8
            else self._constant(f"{layer.weight}/q", q.astype(ml_dtypes.float8_e4m3fn), E4M3),
            self._constant(f"{layer.weight}/scale", scales),
            self._zero(layer.weight, r.format, scales.shape),
        ]
        self.made[name] = self._node("DequantizeLinear", parts, name, axis=axis)
        return self.made[name]

    def _blocks(self, layer: Layer, r: Rounded) -> str:
        """Weights whose blocks of inputs share scales."""
        form, w = r.format, layer.weight
        q, s = r.elements.numpy(), r.scales.numpy()
        if layer.is_transposed:
            q, s = np.ascontiguousarray(q.T), np.ascontiguousarray(s.T)
        axis, is_e2m1 = 0 if layer.is_transposed else 1, form.name == "e2m1"
        here = {"axis": axis, "block_size": form.block}
        self._need(E2M1_OPSET if is_e2m1 else BLOCKS_OPSET)
        name = f"{w}/dq"
        if self.spelling == "onnxruntime" and is_e2m1:
            codes = self._constant(f"{w}/q", (2 * q).astype(np.int8))
            scales = self._constant(f"{w}/scale", s * np.float32(r.top.item() / 2))
        elif is_e2m1:
            codes = self._constant(f"{w}/q", q, E2M1)
            scales = self._block_scales(w, s, r)
        else:
            codes = self._constant(f"{w}/q", q.astype(ml_dtypes.float8_e4m3fn), E4M3)
            scales = self._block_scales(w, s, r)
        if self.spelling == "onnx" and form.scale_format == "e8m0" and not is_e2m1:
            out = {"output_dtype": TensorProto.FLOAT}
            self._node(MXFP8_DEQUANTIZE, [codes, scales], name, **here, **out)
        else:
            self._node("DequantizeLinear", [codes, scales], name, **here)
        if r.columns != r.elements.shape[1]:
            ends = [np.array([v], np.int64) for v in (0, r.columns, axis)]
            cut = [self._constant(f"{w}/cut{i}", v) for i, v in enumerate(ends)]
            name = self._node("Slice", [name, *cut], f"{w}/cut")
        if layer.kind == "Conv":
            outputs, inputs, *cells = self.weights[w].shape
            shape = self._constant(f"{w}/shape", np.array([outputs, *cells, inputs], np.int64))
            name = self._node("Reshape", [name, shape], f"{w}/inputs_last")
            name = self._node("Transpose", [name], f"{w}/kernel", perm=(0, 3, 1, 2))
        return name

    def _block_scales(self, w: str, s: NDArray[np.float32], r: Rounded) -> str:
        if self.spelling == "onnxruntime" or (
            r.format.scale_format == "e8m0" and r.format.name == "e2m1"
        ):
            return self._constant(f"{w}/scale", s * np.float32(r.top.item()))
        if r.format.scale_format == "e8m0":
            # The parser takes these as bytes only: the exponent, as E8M0 stores it.
            return self._constant(f"{w}/scale", (np.frexp(s)[1] - 1 + E8M0_BIAS).astype(np.uint8))
        narrow = self._constant(f"{w}/scale", s.astype(ml_dtypes.float8_e4m3fn), E4M3)
        top = self._constant(f"{w}/top", np.array(r.top.item(), np.float32))
        return self._node("DequantizeLinear", [narrow, top], f"{w}/wide_scales")

    def _integer_product(self, node: onnx.NodeProto, layer: Layer, r: Rounded) -> None:
        """The product in integers, in the pattern that ONNX Runtime fuses."""
        x, w, y = layer.source, layer.weight, node.output[0]
        if f"{x}/u8" not in self.made:
            self.made[f"{x}/u8"] = f"{x}/u8"
            parts = (f"{x}/u8", f"{x}/u8_scale", f"{x}/u8_zero")
            self._node("DynamicQuantizeLinear", [x], *parts)
        q = self._constant(f"{w}/q", r.elements.numpy().T.astype(np.int8))
        scale = self._constant(f"{w}/scale", r.scales.numpy().reshape(-1).astype(np.float32))
        zero = self._constant(f"{w}/zero", np.zeros(r.scales.numel(), np.int8))
        self._node("MatMulInteger", [f"{x}/u8", q, f"{x}/u8_zero", zero], f"{y}/int")
        self._node("Cast", [f"{y}/int"], f"{y}/wide", to=TensorProto.FLOAT)
        self._node("Mul", [f"{x}/u8_scale", scale], f"{y}/scale")
        has_bias = len(node.input) > 2
        product = self._node("Mul", [f"{y}/wide", f"{y}/scale"], f"{y}/product" if has_bias else y)
        if has_bias:
            self._node("Add", [product, node.input[2]], y)

    def _in_halves(self, node: onnx.NodeProto) -> None:
        """A product in bf16 or fp16: in them, or of numbers that were rounded to them."""
        kind = HALVES.get(self.precision.compute)
        if kind is None or (self.precision.weights and self.spelling == "onnxruntime"):
            self.nodes.append(node)
            return
        y = node.output[0]
        is_typed = self.spelling == "onnx"
        for position, name in enumerate(node.input):
            if position < 2 or is_typed:
                node.input[position] = self._narrowed(name, kind, widen=not is_typed)
        if not is_typed:
            self.nodes.append(node)
            return
        node.output[0] = f"{y}/half"
        self.nodes.append(node)
        self._node("Cast", [f"{y}/half"], y, to=TensorProto.FLOAT)

    def _narrowed(self, name: str, kind: int, *, widen: bool) -> str:
        out = f"{name}/rounded" if widen else f"{name}/half"
        if out in self.made:
            return out
        half = f"{name}/half"
        if name in self.weights:
            self._narrow(name, kind)
        else:
            self._node("Cast", [name], half, to=kind)
        if widen:
            self._node("Cast", [half], out, to=TensorProto.FLOAT)
        self.made[out] = out
        return out

    def _narrow(self, name: str, kind: int) -> NDArray[np.float32]:
        """Keep a constant in 16 bits; its values."""
        dtype = ml_dtypes.bfloat16 if kind == TensorProto.BFLOAT16 else np.float16
        narrow = self.weights[name].astype(dtype)
        self._constant(f"{name}/half", narrow, kind)
        wide: NDArray[np.float32] = narrow.astype(np.float32)
        return wide

    def _zero(self, name: str, form: Format, shape: tuple[int, ...]) -> str:
        """Zero points: they tell the type of the elements."""
        if form.name == "int8":
            return self._constant(f"{name}/zero", np.zeros(shape, np.int8))
        return self._constant(f"{name}/zero", np.zeros(shape, ml_dtypes.float8_e4m3fn), E4M3)

    def _need(self, opset: int) -> None:
        self.opset = max(self.opset, opset)

    def _stored(self, weight: str) -> int:
        """Bytes of what was made of a weight."""
        parts = ("q", "scale", "top")
        return sum(
            size_of(self.constants[f"{weight}/{p}"])
            for p in parts
            if f"{weight}/{p}" in self.constants
        )


def size_of(constant: TensorProto) -> int:
    """Bytes of a constant's numbers."""
    return len(constant.raw_data) or numpy_helper.to_array(constant).nbytes


def _pairs(elements: Array) -> bytes:
    """E2M1 numbers, two to a byte; the last of an odd count alone."""
    flat = torch.from_numpy(np.array(elements, np.float32)).flatten()
    packed: bytes = e2m1_bytes(torch.nn.functional.pad(flat, (0, len(flat) % 2))).numpy().tobytes()
    return packed
