"""TensorRT and TensorRT-RTX: a graph with its types in it becomes an engine for a kind of GPU.

Both are the same code under two module names. TensorRT-RTX builds on a processor, without a GPU or
its driver, for the architectures that it knows; reading and running an engine needs a GPU. What was
run here: parsing and building with TensorRT-RTX. Never run here: `tensorrt` itself (11, whose
packages come from NVIDIA's own index), and any engine on a GPU.

Networks are typed by their graph: there are no flags for precisions but TF32, which is on unless it
is told off.
"""

from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any, Literal

import onnx
import torch
from torch import Tensor

from ansatz.core.errors import require, unknown

Flavor = Literal["tensorrt-rtx", "tensorrt"]
MODULES: Mapping[Flavor, str] = {"tensorrt-rtx": "tensorrt_rtx", "tensorrt": "tensorrt"}
TARGETS = ("SM75", "SM80", "SM86", "SM89", "SM120", "SM121")
CURRENT = "current"  # the GPU of this machine
LARGEST = 4  # times the example's, of an axis that may change
REASONS = 3  # of a refusal that are told
Call = Callable[..., Tensor | tuple[Tensor, ...]]


class EngineRefusalError(ValueError):
    """A graph that TensorRT does not build for a target, with its reason."""


def capability(target: str) -> tuple[int, int]:
    """The compute capability that a target is: (12, 0) of SM120.

    Raises:
        ValueError: If engines cannot be built for it.
    """
    if target == CURRENT:
        if not torch.cuda.is_available():
            raise ValueError(
                f"there is no GPU here to build an engine for: name one, target={TARGETS[-2]}; "
                f"known are {', '.join(TARGETS)}"
            )
        return torch.cuda.get_device_capability()
    if target not in TARGETS:
        raise ValueError(unknown("target", target, TARGETS))
    digits = target.removeprefix("SM")
    return int(digits[:-1]), int(digits[-1])


def version(flavor: Flavor) -> str:
    """The version of the library.

    Raises:
        ValueError: If it is not installed.
    """
    return f"{flavor} {_library(flavor).__version__}"


def plan(
    graph: onnx.ModelProto,
    flavor: Flavor,
    target: str,
    example: Sequence[Tensor],
    *,
    tf32: bool = False,
) -> bytes:
    """Build an engine.

    Args:
        graph: With its precision in it (`ansatz.engine.building.qdq`).
        flavor: Which library.
        target: `SM75` to `SM121`, or `current`.
        example: Inputs; axes that may change are built for 1 to four times the example's.
        tf32: Whether products of float32 may be in TF32.

    Returns:
        The engine as it is stored.

    Raises:
        EngineRefusalError: If the parser or the builder refuses, with their reasons.
        ValueError: If the library is not installed or knows no such target.
    """
    trt = _library(flavor)
    logger = _ears(trt)
    builder = trt.Builder(logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(graph.SerializeToString()):
        errors = [parser.get_error(i) for i in range(parser.num_errors)]
        found = [f"{e.desc()} (node {e.node_name() or e.node()})" for e in errors]
        raise _refusal(flavor, target, found or logger.heard)
    config = builder.create_builder_config()
    (config.set_flag if tf32 else config.clear_flag)(trt.BuilderFlag.TF32)
    if flavor == "tensorrt-rtx":
        config.num_compute_capabilities = 1
        chosen = "CURRENT" if target == CURRENT else target
        capability(target)
        config.set_compute_capability(getattr(trt.ComputeCapability, chosen), 0)
    elif target != CURRENT:
        raise ValueError("tensorrt builds for the GPU of this machine only: target=current")
    _profile(builder, config, network, example)
    logger.heard.clear()
    made = builder.build_serialized_network(network, config)
    if made is None:
        raise _refusal(flavor, target, logger.heard)
    return bytes(made)


def function(stored: bytes, flavor: Flavor) -> Call:
    """An engine as a function of tensors on the GPU.

    Raises:
        EngineRefusalError: If the engine is not one of this library's version and this GPU.
    """
    trt = _library(flavor)
    logger = _ears(trt)
    engine = trt.Runtime(logger).deserialize_cuda_engine(stored)
    if engine is None:
        raise _refusal(flavor, CURRENT, logger.heard)
    context = engine.create_execution_context()
    names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
    inputs = [n for n in names if engine.get_tensor_mode(n) == trt.TensorIOMode.INPUT]
    outputs = [n for n in names if n not in inputs]
    kinds = {n: _torch_type(trt, engine.get_tensor_dtype(n)) for n in names}

    def call(*tensors: Tensor) -> Tensor | tuple[Tensor, ...]:
        # Kept until the end: the context knows no more than their addresses.
        held = [t.to("cuda", kinds[n]).contiguous() for n, t in zip(inputs, tensors, strict=True)]
        for name, tensor in zip(inputs, held, strict=True):
            context.set_input_shape(name, tuple(tensor.shape))
            context.set_tensor_address(name, tensor.data_ptr())
        found = []
        for name in outputs:
            shape = tuple(context.get_tensor_shape(name))
            found.append(torch.empty(shape, dtype=kinds[name], device="cuda"))
            context.set_tensor_address(name, found[-1].data_ptr())
        stream = torch.cuda.current_stream()
        if not context.execute_async_v3(stream.cuda_stream):
            raise RuntimeError(f"{flavor} could not run the engine: {'; '.join(logger.heard)}")
        stream.synchronize()
        return found[0] if len(found) == 1 else tuple(found)

    return call


def _library(flavor: Flavor) -> ModuleType:
    return require(MODULES[flavor], "tensorrt", f"backend={flavor}")


def _ears(trt: ModuleType) -> Any:
    """A logger that keeps errors."""

    class Ears(trt.ILogger):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__()
            self.heard: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
                self.heard.append(message)

    return Ears()


def _refusal(flavor: Flavor, target: str, reasons: Sequence[str]) -> EngineRefusalError:
    told = list(dict.fromkeys(reason.strip() for reason in reasons))[:REASONS]
    why = "; ".join(told) or "it gives no reason"
    return EngineRefusalError(f"{flavor} builds no engine of this graph for {target}: {why}")


def _profile(builder: Any, config: Any, network: Any, example: Sequence[Tensor]) -> None:
    """The ranges of axes that may change."""
    inputs = [network.get_input(i) for i in range(network.num_inputs)]
    if all(-1 not in tuple(i.shape) for i in inputs):
        return
    profile = builder.create_optimization_profile()
    for each, tensor in zip(inputs, example, strict=True):
        shape, usual = tuple(each.shape), tuple(tensor.shape)
        ranges = [
            (1, n, LARGEST * n) if s == -1 else (s, s, s) for s, n in zip(shape, usual, strict=True)
        ]
        least, best, most = zip(*ranges, strict=True)
        profile.set_shape(each.name, least, best, most)
    config.add_optimization_profile(profile)


def _torch_type(trt: ModuleType, kind: Any) -> torch.dtype:
    return {
        trt.float32: torch.float32,
        trt.float16: torch.float16,
        trt.bfloat16: torch.bfloat16,
        trt.int64: torch.int64,
        trt.int32: torch.int32,
        trt.bool: torch.bool,
        trt.int8: torch.int8,
    }[kind]
