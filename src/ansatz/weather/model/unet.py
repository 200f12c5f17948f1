"""A U-Net of residual blocks with attention: DDPM++ as Song et al. and Karras et al. draw it.

Song et al., arXiv:2011.13456, app. C; Karras et al., arXiv:2206.00364, app. F.2 and table 7. On
every level a block computes, with r = 1/√2,

    h = conv(silu(norm(x)))          x up or down by two before the convolution, where it says so
    h = conv(dropout(silu(norm(h + shift(e)))))
    y = r (skip(x) + h)              and, with attention,   r (y + attention(y))

e an embedding of the noise. Down is the mean over 2 x 2 cells and up repeats cells, which are the
box filters of the papers; a 1 x 1 convolution commutes with both and is done on the smaller grid.
"""

import math
from typing import TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, silu
from torch.nn.functional import scaled_dot_product_attention as attend

from ansatz.engine.precision.roles import playing
from ansatz.weather.model.config import Shape
from ansatz.weather.model.layers import dropped, normalized
from ansatz.weather.model.position import make_position

HALF_POWER = math.sqrt(0.5)
SMALL_WEIGHT = 1e-5  # of what a fresh block adds to its input
EPSILON = 1e-6
LONGEST_PERIOD = 10_000.0  # of the embedding of the noise, over 2π
Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)


class UNet(nn.Module):
    """The network of this module's text."""

    def __init__(self, shape: Shape, num_inputs: int, num_outputs: int) -> None:
        """Draw fresh weights.

        Args:
            shape: Width, levels, blocks.
            num_inputs: Channels of the input, without the position maps.
            num_outputs: Channels of the output.
        """
        super().__init__()
        self.shape = shape
        self.position = make_position(shape)
        self.embedding = None
        if shape.embedding == "noise":
            self.embedding = playing("modulation", NoiseEmbedding(shape.width))
        self.first = conv(num_inputs + self.position.num_channels, shape.width, 3)
        self.encoder, skips = _encoder(shape)
        self.decoder = _decoder(shape, skips)
        features = shape.width * shape.levels[0]
        self.norm = norm(features)
        self.last = conv(features, num_outputs, 3, gain=SMALL_WEIGHT)

    def forward(
        self,
        x: Float[Tensor, "b c H W"],
        noise: Float[Tensor, " b"] | None = None,
        place: Int[Tensor, "b 2"] | None = None,
    ) -> Float[Tensor, "b o H W"]:
        """Evaluate the network.

        Args:
            x: The input.
            noise: Level of the noise, as a number of order one; None is told nothing.
            place: Row and column of the fine cell that the corner of each field is, where the
                network has position maps; None is the corner of the domain.

        Raises:
            ValueError: If the grid cannot be halved as often as there are levels.
        """
        require_grid(x, self.shape.multiple)
        told = self._told(x, noise)
        x = self.position(x, place)
        if x.device.type == "cpu":
            # 10 % less time for training in fp32, 17 % less for evaluating in bf16. On a GPU
            # torch's group norm would change the layout back and forth.
            x = x.contiguous(memory_format=torch.channels_last)
        x = self.first(x)
        skips = [x]
        for block in self.encoder:
            x = block(x, told)
            skips.append(x)
        for block in self.decoder:
            if block.joins:
                x = torch.cat([x, skips.pop()], 1)
            x = block(x, told)
        out: Tensor = self.last(silu(normalized(self.norm, x)))
        return out

    def _told(self, x: Tensor, noise: Tensor | None) -> Tensor:
        if self.embedding is None or noise is None:
            return x.new_zeros(1, 4 * self.shape.width)
        told: Tensor = self.embedding(noise)
        return told


class Block(nn.Module):
    """A residual block.

    Attributes:
        joins: Whether it takes the features of the way down beside its input.
    """

    def __init__(
        self,
        num_inputs: int,
        num_outputs: int,
        shape: Shape,
        *,
        resample: str = "",
        attends: bool = False,
        joins: bool = False,
    ) -> None:
        """Draw fresh weights.

        Args:
            num_inputs: Channels of the input, with those joined.
            num_outputs: Channels of the output.
            shape: Of the whole network.
            resample: `up`, `down` or neither.
            attends: Whether attention follows.
            joins: See the class.
        """
        super().__init__()
        self.resample, self.dropout, self.joins = resample, shape.dropout, joins
        self.norm1, self.conv1 = norm(num_inputs), conv(num_inputs, num_outputs, 3)
        self.shift = playing("modulation", linear(4 * shape.width, num_outputs))
        self.norm2 = norm(num_outputs)
        self.conv2 = conv(num_outputs, num_outputs, 3, gain=SMALL_WEIGHT)
        needs_skip = num_inputs != num_outputs or resample
        self.skip = conv(num_inputs, num_outputs, 1) if needs_skip else None
        self.attention = Attention(num_outputs) if attends else None

    def forward(
        self, x: Float[Tensor, "b c h w"], told: Float[Tensor, "b e"]
    ) -> Float[Tensor, "b o g v"]:
        """Evaluate the block, on features and the embedding of the noise."""
        h = self.conv1(self._resampled(silu(normalized(self.norm1, x))))
        h = silu(normalized(self.norm2, h + self.shift(told)[:, :, None, None]))
        h = self.conv2(dropped(h, self.dropout, training=self.training))
        out: Tensor = (self._skipped(x) + h) * HALF_POWER
        return out if self.attention is None else (out + self.attention(out)) * HALF_POWER

    def _skipped(self, x: Tensor) -> Tensor:
        if self.skip is None:
            return x
        if self.resample == "up":
            return self._resampled(self.skip(x))
        skipped: Tensor = self.skip(self._resampled(x))
        return skipped

    def _resampled(self, x: Tensor) -> Tensor:
        if self.resample == "up":
            return interpolate(x, scale_factor=2.0, mode="nearest")
        return avg_pool2d(x, 2) if self.resample == "down" else x


class Attention(nn.Module):
    """Attention of every cell to every other, with one head."""

    def __init__(self, features: int) -> None:
        """Draw fresh weights for so many features."""
        super().__init__()
        self.norm = norm(features)
        self.queries_keys_values = conv(features, 3 * features, 1, gain=math.sqrt(0.2))
        self.project = conv(features, features, 1, gain=SMALL_WEIGHT)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """What attention adds to the features."""
        tokens = self.queries_keys_values(normalized(self.norm, x)).flatten(2).transpose(1, 2)
        query, key, value = (part[:, None] for part in tokens.chunk(3, -1))
        seen = attend(query, key, value)[:, 0].transpose(1, 2)
        added: Tensor = self.project(seen.reshape(x.shape))
        return added


class NoiseEmbedding(nn.Module):
    """Sines and cosines of the level of the noise, through two layers."""

    frequencies: Tensor

    def __init__(self, width: int) -> None:
        """Draw fresh weights for a network of some width."""
        super().__init__()
        steps = torch.arange(width // 2) / (width // 2 - 1)
        self.register_buffer("frequencies", LONGEST_PERIOD**-steps, persistent=False)
        self.hidden = linear(width, 4 * width)
        self.out = linear(4 * width, 4 * width)

    def forward(self, noise: Float[Tensor, " b"]) -> Float[Tensor, "b e"]:
        """The embedding of levels of order one."""
        angles = noise[:, None] * self.frequencies
        waves = torch.cat([angles.sin(), angles.cos()], 1)
        return silu(self.out(silu(self.hidden(waves))))


def _encoder(shape: Shape) -> tuple[nn.ModuleList, list[int]]:
    """The blocks of the way down, and the channels of what each hands over the way up."""
    blocks, widths = nn.ModuleList(), [shape.width]
    for level, features in enumerate(_features(shape)):
        if level > 0:
            blocks.append(Block(widths[-1], widths[-1], shape, resample="down"))
            widths.append(widths[-1])
        for _ in range(shape.blocks):
            attends = level in shape.attention
            blocks.append(Block(widths[-1], features, shape, attends=attends))
            widths.append(features)
    return blocks, widths


def _decoder(shape: Shape, skips: list[int]) -> nn.ModuleList:
    """The blocks of the way up."""
    last = skips[-1]
    blocks = [Block(last, last, shape, attends=True), Block(last, last, shape)]
    for level, features in reversed(list(enumerate(_features(shape)))):
        if level < len(shape.levels) - 1:
            blocks.append(Block(last, last, shape, resample="up"))
        for number in range(shape.blocks + 1):
            attends = number == shape.blocks and level in shape.attention
            width = last + skips.pop()
            blocks.append(Block(width, features, shape, attends=attends, joins=True))
            last = features
    return nn.ModuleList(blocks)


def _features(shape: Shape) -> list[int]:
    return [shape.width * times for times in shape.levels]


def norm(features: int) -> nn.GroupNorm:
    """A normalization of groups of at least four features, at most 32 groups."""
    return nn.GroupNorm(min(32, features // 4), features, eps=EPSILON)


def conv(num_inputs: int, num_outputs: int, size: int, gain: float = 1.0) -> nn.Conv2d:
    """A convolution with weights after Glorot, times a gain, and no bias at first."""
    made = nn.Conv2d(num_inputs, num_outputs, size, padding=size // 2)
    return _fresh(made, gain)


def linear(num_inputs: int, num_outputs: int) -> nn.Linear:
    """A linear map with weights after Glorot and no bias at first."""
    return _fresh(nn.Linear(num_inputs, num_outputs), 1.0)


def _fresh(layer: Layer, gain: float) -> Layer:
    assert layer.bias is not None
    nn.init.xavier_uniform_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer


def require_grid(x: Tensor, multiple: int) -> None:
    """Refuse a grid that cannot be halved often enough.

    Raises:
        ValueError: If height or width is no multiple of `multiple`.
    """
    height, width = x.shape[-2:]
    if height % multiple or width % multiple:
        raise ValueError(
            f"a field of {height} x {width} cells cannot be halved to the coarsest level of the "
            f"network. Crop or pad it to multiples of {multiple}"
        )
