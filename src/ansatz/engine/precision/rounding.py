"""Numbers to a format and back: the one place that rounds, for layers of torch and for graphs.

    q = round(x / s t),    x ~ s t q

q is an element of the format, rounded to the nearest, to the even one of two; s a scale of a row or
a block, t of the tensor where scales have one. With a the largest magnitude of what shares a scale
and Q the largest element,

    fp32 scales   s = a / Q,   t = 1
    E4M3 scales   s = E4M3(a / t Q),   t = max a / (448 Q)
    E8M0 scales   s = 2^(floor(log2 a) - floor(log2 Q)),   t = 1, and |q| is cut at Q

(NVIDIA, arXiv:2509.25149, app. B; OCP Microscaling Formats v1.0, §6.3). What is zero throughout has
the scale one. Scales along the last axis; a row that ends inside a block is filled with zeros.
"""

from dataclasses import dataclass
from math import frexp
from typing import Literal

import torch
from jaxtyping import Float, Shaped, UInt8
from torch import Tensor
from torch.nn.functional import pad

from ansatz.core.precision import E4M3, Format

Sharing = Literal["tensor", "row"]
E2M1 = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)  # by the three lower bits; the fourth is the sign
EXPONENT = 0x7F800000  # of the bits of a float32
LARGE = 0.75 * 2.0**23  # is followed by the float32 that is 1/2 larger
E8M0_BIAS = 127
LOWEST_EXPONENT, HIGHEST_EXPONENT = -127, 127
TINY = torch.finfo(torch.float32).tiny


@dataclass(frozen=True)
class Rounded:
    """Numbers in a format.

    Attributes:
        elements: q, in float32, of the shape of the numbers but for filled blocks.
        scales: s, in float32, values of the format's scales: (..., blocks), or what broadcasts
            against the elements.
        top: t, which broadcasts against the numbers; of no axis where all share it.
        format: What the elements and scales are values of.
        columns: Length of the last axis, before it was filled.
    """

    elements: Float[Tensor, "*rows filled"]
    scales: Float[Tensor, "*scales"]
    top: Float[Tensor, "*tops"]
    format: Format
    columns: int

    @property
    def relative(self) -> Float[Tensor, "*rows columns"]:
        """What a product takes where t is left for its result: s q, in blocks exact in bfloat16."""
        if not self.format.block:
            return self.elements * self.scales
        blocks = cut(self.elements, self.format.block) * self.scales[..., None]
        return blocks.flatten(-2)[..., : self.columns]

    @property
    def values(self) -> Float[Tensor, "*rows columns"]:
        """The rounded numbers s t q, in float32."""
        return self.relative * self.top


def rounded(
    x: Float[Tensor, "*rows columns"],
    form: Format,
    *,
    largest: Float[Tensor, "*parts"] | None = None,
    tops: Sharing = "tensor",
) -> Rounded:
    """Round numbers to a format.

    Args:
        x: Numbers, the input axis last.
        form: The format.
        largest: The largest magnitude to expect, of all or of parts that broadcast against the
            numbers: if given, it makes the scale, or the scale of scales, and what is beyond it is
            cut. Formats whose scales are powers of two need none.
        tops: Whether the scale of scales is that of the tensor, as for weights, or of each row, so
            that rows of other samples do not matter.
    """
    x = x.float()
    if form.block:
        return _in_blocks(x, form, largest, tops)
    scales = scale_of(magnitude(x, form.scale) if largest is None else largest, form.largest)
    return Rounded(
        elements_of(x / scales, form), scales, torch.ones((), device=x.device), form, x.shape[-1]
    )


def _in_blocks(x: Tensor, form: Format, largest: Tensor | None, tops: Sharing) -> Rounded:
    columns = x.shape[-1]
    missing = -columns % form.block
    blocks = cut(pad(x, (0, missing)) if missing else x, form.block)
    peaks = blocks.abs().amax(-1)
    top = torch.ones((), device=x.device)
    if form.has_global_scale:
        top = scale_of(magnitude(x, tops) if largest is None else largest, _reach(form))
        scales = to_e4m3(peaks / (top * form.largest))
    else:
        scales = power_of_two(peaks, form.largest)
    divisor = scales * top
    # A block may be too small for a scale: then it is zero.
    divisor = torch.where(divisor > 0, divisor, torch.inf)
    elements = elements_of(blocks / divisor[..., None], form)
    return Rounded(elements.flatten(-2), scales, top, form, columns)


def _reach(form: Format) -> float:
    """The largest number at t = 1."""
    return form.largest * E4M3.largest


def cut(x: Shaped[Tensor, "*rows columns"], size: int) -> Shaped[Tensor, "*rows parts size"]:
    """The last axis in parts of one size."""
    return x.reshape(*x.shape[:-1], x.shape[-1] // size, size)


def magnitude(x: Tensor, scale: str) -> Tensor:
    """The largest magnitude of a tensor, or of each row with its axis kept."""
    return x.abs().amax() if scale == "tensor" else x.abs().amax(-1, keepdim=True)


def scale_of(largest: Tensor, reach: float) -> Tensor:
    """The scale that brings a largest magnitude to what a format reaches; one for zeros."""
    scale = largest.float() / reach
    return torch.where(scale < TINY, 1.0, scale)  # what is no number stays none


def power_of_two(peaks: Tensor, largest: float) -> Tensor:
    """Scales in E8M0: whole powers of two; one for zeros."""
    _, exponents = torch.frexp(peaks)  # peak = m 2^e with m in [1/2, 1)
    exponents = (exponents - frexp(largest)[1]).clamp(LOWEST_EXPONENT, HIGHEST_EXPONENT)
    scales = torch.where(peaks > 0, torch.exp2(exponents.float()), 1.0)
    return torch.where(peaks.isfinite(), scales, torch.nan)


def elements_of(x: Tensor, form: Format) -> Tensor:
    """The nearest elements, the even one of two; what is beyond the largest is cut."""
    if form.name == "int8":
        return x.round().clamp(-form.largest, form.largest)
    return to_e4m3(x) if form.name == "e4m3" else to_e2m1(x)


def to_e4m3(x: Tensor) -> Tensor:
    """The nearest number of E4M3, in float32."""
    # E4M3 has no infinity: without the cut, what is beyond it would be no number.
    cut = x.clamp(-E4M3.largest, E4M3.largest)
    return cut.to(torch.float8_e4m3fn).float()


def to_e2m1(x: Tensor) -> Tensor:
    """The nearest number of E2M1, in float32."""
    # A number of which x changes only the last digits ends where the steps of x do: half its power
    # of two, and 1/2 below one. Six passes over memory, where a choice of steps takes eleven.
    powers = (x.contiguous().view(torch.int32) & EXPONENT).view(torch.float32)
    large = powers.clamp_(min=1.0).mul_(LARGE)
    return (x + large).sub_(large).clamp_(-E2M1[-1], E2M1[-1])


# ------------------------------------------------------------------------------------ storage
@dataclass(frozen=True)
class Packed:
    """A matrix as it is stored.

    Attributes:
        codes: Bits of the elements: a byte each; two E2M1 to a byte, the first in its lower half.
        scales: Bits of the scales, or float32.
        top: t, in float32.
    """

    codes: UInt8[Tensor, "rows bytes"]
    scales: Tensor
    top: Float[Tensor, ""]


def packed(x: Rounded) -> Packed:
    """Store a rounded matrix."""
    return Packed(_codes(x), _scale_bits(x), x.top)


def unpacked(stored: Packed, form: Format, columns: int) -> Rounded:
    """What was stored."""
    elements, scales = _elements(stored.codes, form), _scales(stored.scales, form)
    return Rounded(elements, scales, stored.top, form, columns)


def _codes(x: Rounded) -> Tensor:
    if x.format.name == "e4m3":
        return x.elements.to(torch.float8_e4m3fn).view(torch.uint8)
    if x.format.name == "int8":
        return x.elements.to(torch.int8).view(torch.uint8)
    return e2m1_bytes(x.elements)


def e2m1_bytes(elements: Float[Tensor, "*rows columns"]) -> UInt8[Tensor, "*rows bytes"]:
    """E2M1 numbers, two to a byte; their count in a row is even."""
    grid = torch.tensor(E2M1, device=elements.device)
    codes = torch.searchsorted(grid, elements.abs().contiguous()) + 8 * torch.signbit(elements)
    low, high = cut(codes.to(torch.uint8), 2).unbind(-1)
    return low | high << 4


def _elements(codes: Tensor, form: Format) -> Tensor:
    if form.name == "e4m3":
        return codes.view(torch.float8_e4m3fn).float()
    if form.name == "int8":
        return codes.view(torch.int8).float()
    numbers: Tensor = pairs(codes.device)[codes.int()].flatten(-2)
    return numbers


def pairs(device: torch.device) -> Float[Tensor, "256 2"]:
    """The two E2M1 numbers of every byte."""
    numbers = torch.tensor([*E2M1, *(-x for x in E2M1)], device=device)
    byte = torch.arange(256, device=device)
    return torch.stack([numbers[byte & 15], numbers[byte >> 4]], 1)


def _scale_bits(x: Rounded) -> Tensor:
    if x.format.scale_format == "e4m3":
        return x.scales.to(torch.float8_e4m3fn).view(torch.uint8)
    if x.format.scale_format == "e8m0":
        return (torch.frexp(x.scales)[1] - 1 + E8M0_BIAS).to(torch.uint8)
    return x.scales


def _scales(bits: Tensor, form: Format) -> Tensor:
    if form.scale_format == "e4m3":
        return bits.view(torch.float8_e4m3fn).float()
    if form.scale_format == "e8m0":
        return torch.exp2(bits.float() - E8M0_BIAS)
    return bits
