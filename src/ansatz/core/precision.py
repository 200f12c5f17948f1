"""Precisions as data: how numbers are stored, what products are computed in, and where that runs.

    w ~ s q      s a scale per tensor, per row of the output, or per block of inputs; q an element

| format | element | scale | bits of a weight |
|---|---|---|---|
| fp8 | E4M3, to 448 | float32 per row | 8 |
| int8 | -127 to 127 | float32 per row | 8 |
| nvfp4 | E2M1, to 6 | E4M3 per 16 inputs, and float32 per tensor | 4.5 |
| mxfp8 | E4M3 | power of two (E8M0) per 32 inputs | 8.25 |
| mxfp4 | E2M1 | power of two (E8M0) per 32 inputs | 4.25 |

Sources: Micikevicius et al., arXiv:2209.05433 (E4M3); OCP Microscaling Formats v1.0, §5.2-5.4 and
§6.3 (mxfp8, mxfp4); NVIDIA, arXiv:2509.25149, §2 (nvfp4).

No device has all of them. `mode` says what becomes of a precision on a device:

    native    the device multiplies numbers of this format
    emulated  numbers are rounded to this format, and multiplied in a wider one
    storage   only what is stored is rounded: weights are widened before they are multiplied
"""

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

Compute = Literal["fp64", "fp32", "tf32", "bf16", "fp16"]
PrecisionName = Literal[
    "fp64",
    "fp32",
    "tf32",
    "bf16",
    "fp16",
    "fp8",
    "fp8-weights",
    "int8",
    "int8-weights",
    "nvfp4",
    "nvfp4-weights",
    "mxfp8",
    "mxfp4",
]
Mode = Literal["native", "emulated", "storage"]
GLOBAL_SCALE_BITS = 32
SCALE_BITS: Mapping[str, int] = {"fp32": 32, "e4m3": 8, "e8m0": 8}


@dataclass(frozen=True)
class Format:
    """How numbers are stored: one element, and its scales.

    Attributes:
        name: Of the element: `e4m3`, `e2m1`, `int8`.
        bits: Of an element.
        largest: What an element can be at most.
        block: Elements along the input axis that share a scale; 0 where a row or the tensor does.
        scale: What shares a scale.
        scale_format: What scales are stored in. Scales in E4M3 are relative to a scale of the
            whole tensor in float32.
    """

    name: Literal["e4m3", "e2m1", "int8"]
    bits: int
    largest: float
    block: int = 0
    scale: Literal["tensor", "row", "block"] = "row"
    scale_format: Literal["fp32", "e4m3", "e8m0"] = "fp32"

    def bytes(self, rows: int, columns: int) -> int:
        """What a matrix takes, its scales included; blocks at the end of a row are whole."""
        padded = -(-columns // self.block) * self.block if self.block else columns
        scales = {"tensor": 1, "row": rows, "block": rows * padded // (self.block or 1)}
        total = rows * padded * self.bits + scales[self.scale] * SCALE_BITS[self.scale_format]
        return -(-(total + GLOBAL_SCALE_BITS * self.has_global_scale) // 8)

    @property
    def has_global_scale(self) -> bool:
        """Whether scales have a scale."""
        return self.scale_format == "e4m3"


E4M3 = Format("e4m3", 8, 448.0)
INT8 = Format("int8", 8, 127.0)
NVFP4 = Format("e2m1", 4, 6.0, 16, "block", "e4m3")
MXFP8 = Format("e4m3", 8, 448.0, 32, "block", "e8m0")
MXFP4 = Format("e2m1", 4, 6.0, 32, "block", "e8m0")


@dataclass(frozen=True)
class Precision:
    """How a network computes.

    Attributes:
        name: As users type it.
        compute: Of all that is not rounded to a format: norms, softmax, what layers hand on.
        weights: Format of the weights of linear layers and convolutions; None leaves them.
        activations: Format of what these layers take in; None leaves it. Scales are those of the
            numbers at hand, unless they were calibrated.
    """

    name: PrecisionName
    compute: Compute
    weights: Format | None = None
    activations: Format | None = None


PRECISIONS: Mapping[str, Precision] = {
    p.name: p
    for p in (
        Precision("fp64", "fp64"),
        Precision("fp32", "fp32"),
        Precision("tf32", "tf32"),
        Precision("bf16", "bf16"),
        Precision("fp16", "fp16"),
        Precision("fp8", "bf16", E4M3, E4M3),
        Precision("fp8-weights", "bf16", E4M3),
        Precision("int8", "bf16", INT8, INT8),
        Precision("int8-weights", "bf16", INT8),
        Precision("nvfp4", "bf16", NVFP4, NVFP4),
        Precision("nvfp4-weights", "bf16", NVFP4),
        Precision("mxfp8", "bf16", MXFP8, MXFP8),
        Precision("mxfp4", "bf16", MXFP4, MXFP4),
    )
}


@dataclass(frozen=True)
class Device:
    """What there is to know of a device to say what a precision is there.

    Attributes:
        kind: Processor or GPU.
        capability: Of a GPU: its compute capability, as (9, 0) of an H200.
        flags: Of a processor: its instruction sets, as Linux names them.
    """

    kind: Literal["cpu", "cuda"]
    capability: tuple[int, int] = (0, 0)
    flags: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Native:
    """Where a precision is native, and what it is elsewhere.

    Attributes:
        capability: Least compute capability of a GPU; None if no GPU has it.
        flags: Instruction sets of which a processor needs one; None if all processors have it.
        elsewhere: On other devices of this kind: (processor, GPU).
    """

    capability: tuple[int, int] | None
    flags: frozenset[str] | None
    elsewhere: tuple[Mode, Mode] = ("emulated", "emulated")


NEVER: frozenset[str] = frozenset()
# A processor is where accuracy is studied. A GPU without units for a format would only lose time by
# rounding what goes into a product.
WITHOUT: tuple[Mode, Mode] = ("emulated", "storage")
INT8_PRODUCTS = frozenset({"avx512_vnni", "avx_vnni", "amx_int8", "i8mm", "asimddp"})
CAPABILITIES: Mapping[str, Native] = {
    "fp64": Native((0, 0), None),
    "fp32": Native((0, 0), None),
    "tf32": Native((8, 0), NEVER),
    "bf16": Native((8, 0), frozenset({"avx512_bf16", "amx_bf16", "bf16"})),
    "fp16": Native((5, 3), frozenset({"amx_fp16", "asimdhp"})),
    "fp8": Native((8, 9), NEVER, WITHOUT),
    "int8": Native((7, 5), INT8_PRODUCTS, WITHOUT),
    "nvfp4": Native((10, 0), NEVER, WITHOUT),
    "mxfp8": Native((10, 0), NEVER, WITHOUT),
    "mxfp4": Native((10, 0), NEVER, WITHOUT),
}
"""A precision that rounds weights alone is storage on all devices."""


def mode(precision: Precision, device: Device) -> Mode:
    """What becomes of a precision on a device.

    A device that is said to be native may still lack it for a layer of odd size: the report of
    what was rounded says so, layer by layer.
    """
    if precision.weights is not None and precision.activations is None:
        return "storage"
    found = CAPABILITIES[precision.name]
    if device.kind == "cuda":
        has = found.capability is not None and device.capability >= found.capability
        return "native" if has else found.elsewhere[1]
    has = found.flags is None or not found.flags.isdisjoint(device.flags)
    return "native" if has else found.elsewhere[0]


@cache
def processor_flags() -> frozenset[str]:
    """Instruction sets of this machine's processor; none where the system does not list them."""
    path = Path("/proc/cpuinfo")
    if platform.system() != "Linux" or not path.exists():
        return frozenset()
    for line in path.read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("flags", "Features"):
            return frozenset(value.split())
    return frozenset()
