"""Linear layers and convolutions whose weights are stored in a narrow format.

    native    elements times elements on the device's units for them, scaled afterwards
    emulated  elements as numbers of the surrounding precision: bfloat16 holds each of them, and
              block scales times them, exactly, so that sums differ from native ones by rounding
    storage   weights widened, inputs as they come

Weights are stored packed and widened when they are needed. A product is computed in what autocast
says, or in what comes in. Activations are rounded with scales of their own samples (rows of a
linear layer, images of a convolution), so that an answer does not depend on what else is in a
batch; or with one scale that was calibrated, cutting what is beyond it.

Where another formula reads `weight`, it gets the rounded one.
"""

from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import conv2d, linear, pad

from ansatz.core.precision import Format, Mode, Precision
from ansatz.engine.precision.rounding import Packed, Rounded, packed, rounded, unpacked

Layer = TypeVar("Layer", nn.Linear, nn.Conv2d)
FEWEST_ROWS = 17
INFERENCE_ONLY = (
    "a layer in {name} stands in a graph that derivatives are taken of, and rounding has none: "
    "take precision=fp32, tf32 or bf16"
)


class StoredWeight(nn.Module):
    """A weight in a format: (rows, inputs), or (outputs, rows of inputs, inputs) in blocks.

    Args:
        weight: With the input axis last.
        form: What to store it in.
    """

    codes: Tensor
    scales: Tensor
    top: Tensor

    def __init__(self, weight: Float[Tensor, "outputs *kernel inputs"], form: Format) -> None:
        super().__init__()
        self.form, self.columns = form, weight.shape[-1]
        stored = packed(rounded(weight, form))
        self.register_buffer("codes", stored.codes)
        self.register_buffer("scales", stored.scales)
        self.register_buffer("top", stored.top)

    @property
    def rounded(self) -> Rounded:
        """The weight as elements and scales."""
        return unpacked(Packed(self.codes, self.scales, self.top), self.form, self.columns)

    @property
    def bytes(self) -> int:
        """What it takes in memory, in this format."""
        return self.form.bytes(self.codes.numel() // self.codes.shape[-1], self.columns)


class QuantizedLinear(nn.Module):
    """A linear layer with a stored weight.

    Args:
        layer: That it is made of.
        precision: What weights, and inputs if they are, are rounded to.
        mode: How it computes on its device.
        rank: Of a correction of the weight in the surrounding precision, L R, with the rest
            rounded: W ~ L R + Q(W - L R), by the largest singular values of W (Li et al.,
            arXiv:2411.05007, §4.2). 0 makes none.
        largest: Largest magnitude of inputs, if it was calibrated.
    """

    left: Tensor | None
    right: Tensor | None
    largest: Tensor | None
    bias: nn.Parameter | None

    def __init__(
        self,
        layer: nn.Linear,
        precision: Precision,
        mode: Mode,
        *,
        rank: int = 0,
        largest: Tensor | None = None,
    ) -> None:
        super().__init__()
        assert precision.weights is not None
        weight = layer.weight.detach().float()
        self.in_features, self.out_features = layer.in_features, layer.out_features
        self.precision, self.mode = precision, mode
        self.bias = layer.bias
        self.register_buffer("largest", largest)
        left, right = low_rank(weight, rank) if rank else (None, None)
        self.register_buffer("left", left)
        self.register_buffer("right", right)
        rest = weight if left is None or right is None else weight - left.float() @ right.float()
        self.stored = StoredWeight(rest, precision.weights)

    def forward(self, x: Float[Tensor, "*rows inputs"]) -> Float[Tensor, "*rows outputs"]:
        """Apply the layer.

        Raises:
            ValueError: If derivatives by the input are wanted.
        """
        require_no_gradient(x, self.precision)
        dtype = result_type(x)
        with torch.autocast(x.device.type, enabled=False):
            out = self._product(x, dtype)
            if self.left is not None and self.right is not None:
                inner = linear(x.to(dtype), self.right.to(dtype))
                out += linear(inner, self.left.to(dtype))
            if self.bias is not None:
                out += self.bias
            return out.to(dtype)

    def _product(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        if self.mode == "storage":
            return linear(x.to(dtype), self.stored.rounded.values.to(dtype))
        assert self.precision.activations is not None
        given = rounded_input(x, self.precision.activations, self.largest)
        if self.mode == "native":
            return native_product(given, self.stored)
        return emulated_product(given, self.stored.rounded, dtype)

    @property
    def weight(self) -> Float[Tensor, "outputs inputs"]:
        """The weight that the layer stands for, in float32."""
        values = self.stored.rounded.values
        if self.left is None or self.right is None:
            return values
        return values + self.left.float() @ self.right.float()

    @property
    def bytes(self) -> int:
        """What the weight takes, its correction included."""
        corrections = [t for t in (self.left, self.right) if t is not None]
        return self.stored.bytes + sum(t.numel() * t.element_size() for t in corrections)


class QuantizedConv2d(nn.Module):
    """A convolution with a stored weight.

    Args:
        layer: That it is made of: without groups, filled up with zeros.
        precision: What weights, and inputs if they are, are rounded to.
        mode: How it computes on its device.
        largest: Largest magnitude of inputs, if it was calibrated.
    """

    largest: Tensor | None
    bias: Tensor | None

    def __init__(
        self,
        layer: nn.Conv2d,
        precision: Precision,
        mode: Mode,
        *,
        largest: Tensor | None = None,
    ) -> None:
        super().__init__()
        assert precision.weights is not None
        self.precision, self.mode = precision, mode
        self.bias = layer.bias
        self.shape = tuple(layer.weight.shape)
        self.stride, self.padding, self.dilation = layer.stride, layer.padding, layer.dilation
        self.register_buffer("largest", largest)
        self.stored = StoredWeight(
            inputs_last(layer.weight.detach().float(), precision.weights), precision.weights
        )

    def forward(self, x: Float[Tensor, "b inputs h w"]) -> Float[Tensor, "b outputs g v"]:
        """Apply the layer.

        Raises:
            ValueError: If derivatives by the input are wanted.
        """
        require_no_gradient(x, self.precision)
        dtype = result_type(x)
        weight = self.stored.rounded
        with torch.autocast(x.device.type, enabled=False):
            if self.mode == "storage":
                out = self._convolved(x.to(dtype), self._kernel(weight.values).to(dtype))
            else:
                assert self.precision.activations is not None
                given = rounded_images(x, self.precision.activations, self.largest)
                out = self._scaled(given, weight, dtype)
            if self.bias is not None:
                out += self.bias[:, None, None]
            return out.to(dtype)

    def _scaled(self, given: tuple[Tensor, Tensor], weight: Rounded, dtype: torch.dtype) -> Tensor:
        images, scale = given
        elements, rest = split(weight)
        out = self._convolved(images.to(dtype), self._kernel(elements).to(dtype))
        return (out * scale).mul_(rest.reshape(-1, 1, 1))

    def _convolved(self, x: Tensor, kernel: Tensor) -> Tensor:
        return conv2d(x, kernel, None, self.stride, self.padding, self.dilation)

    def _kernel(self, stored: Tensor) -> Tensor:
        outputs, inputs, high, wide = self.shape
        return stored.reshape(outputs, high, wide, inputs).permute(0, 3, 1, 2)

    @property
    def weight(self) -> Float[Tensor, "outputs inputs high wide"]:
        """The weight that the layer stands for, in float32."""
        return self._kernel(self.stored.rounded.values)

    @property
    def bytes(self) -> int:
        """What the weight takes."""
        return self.stored.bytes


# ------------------------------------------------------------------------------------- products
def emulated_product(given: Rounded, weight: Rounded, dtype: torch.dtype) -> Tensor:
    """Elements, in blocks with their scales, multiplied in another precision, and scaled."""
    ours, our_scale = split(given)
    theirs, their_scale = split(weight)
    product = linear(ours.to(dtype), theirs.to(dtype))
    if weight.format.block:
        return product * (our_scale * their_scale)
    return (product * our_scale).mul_(their_scale.reshape(-1))


def native_product(given: Rounded, stored: StoredWeight) -> Tensor:
    """Elements multiplied as they are; float32."""
    rows = given.elements.flatten(0, -2)
    row_scales = given.scales.expand(*given.elements.shape[:-1], 1).reshape(-1, 1)
    if stored.form.name == "int8":
        # A GPU takes no fewer than 17 rows.
        codes = pad(rows.to(torch.int8), (0, 0, 0, max(0, FEWEST_ROWS - len(rows))))
        sums = torch._int_mm(codes, stored.codes.view(torch.int8).T)[: len(rows)]
        out = sums.float().mul_(row_scales).mul_(stored.scales.T)
    else:
        out = torch._scaled_mm(
            rows.to(torch.float8_e4m3fn),
            stored.codes.view(torch.float8_e4m3fn).T,
            scale_a=row_scales.contiguous(),
            scale_b=stored.scales.T.contiguous(),
            out_dtype=torch.bfloat16,
        ).float()
    return out.reshape(*given.elements.shape[:-1], out.shape[-1])


def split(x: Rounded) -> tuple[Tensor, Tensor]:
    """What goes into a product, and what is left for its result: scales of rows and tensors."""
    if x.format.block:
        return x.relative, x.top
    return x.elements, x.scales


def result_type(x: Tensor) -> torch.dtype:
    """What a product is computed in: what autocast says, or what its input is in."""
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype


def require_no_gradient(x: Tensor, precision: Precision) -> None:
    """Refuse a graph of derivatives.

    Raises:
        ValueError: If derivatives by the input are wanted.
    """
    if torch.is_grad_enabled() and x.requires_grad:
        raise ValueError(INFERENCE_ONLY.format(name=precision.name))


# --------------------------------------------------------------------------------------- inputs
def rounded_input(x: Tensor, form: Format, largest: Tensor | None) -> Rounded:
    """Inputs of a linear layer: a scale for each row, or the calibrated one."""
    return rounded(x, form, largest=largest, tops="row")


def rounded_images(x: Tensor, form: Format, largest: Tensor | None) -> tuple[Tensor, Tensor]:
    """Inputs of a convolution: elements, in blocks with their scales, and the rest of the scales.

    What a kernel covers has to share the rest: an image each, or what was calibrated.
    """
    peaks = x.abs().amax((1, 2, 3), keepdim=True) if largest is None else largest
    elements, rest = split(rounded(x.permute(0, 2, 3, 1), form, largest=peaks))
    return elements.permute(0, 3, 1, 2), rest


# -------------------------------------------------------------------------------------- weights
def inputs_last(weight: Float[Tensor, "outputs inputs high wide"], form: Format) -> Tensor:
    """The weight of a convolution with its input channels last; in rows, one for each output."""
    moved = weight.permute(0, 2, 3, 1)
    return moved if form.block else moved.flatten(1)


def low_rank(weight: Float[Tensor, "o i"], rank: int) -> tuple[Tensor, Tensor]:
    """The two factors of the part of a weight with the largest singular values, in bfloat16."""
    left, values, right = torch.linalg.svd(weight, full_matrices=False)
    roots = values[:rank].sqrt()
    return (left[:, :rank] * roots).bfloat16(), (roots[:, None] * right[:rank]).bfloat16()
