"""Domains of any size, from tiles of one: a blend of windows at every evaluation of a network.

A function f of fields on a tile becomes one of fields on a domain,

    F(x) = Σ_t w_t f(x_t) / Σ_t w_t,

x_t the part of the fields below tile t. The window w is the product of one profile per direction.
With the overlap o and d the distance from an edge behind which there is another tile,

    w(d) = sin²(π/2 (d - o/4) / (o/2))  for  o/4 <= d <= 3o/4,  0 below, 1 above,

so two neighbors add up to 1, and nothing is taken from the outer quarter of the overlap, where a
network has seen the edge most. At the edges of the domain windows stay 1. As a sampler calls F and
not f, tiles agree before they are denoised further, and there is no seam (MultiDiffusion, Bar-Tal
et al., arXiv:2302.08113). Where f looks no further than a quarter of the overlap, F is f itself.

Fields smaller than a tile go on as their reflection. A few tiles are evaluated at a time, so
memory is that of the fields and of those few.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

# From fields (b, c_i, h, w) and the place of their first cell (b, 2) to (b, c, h, w).
Local = Callable[[Sequence[Tensor], Tensor], Tensor]
Corner = tuple[int, int, int]  # of a tile: sample, row, column
Sides = tuple[bool, bool]  # whether there is a neighbor before and after


@dataclass(frozen=True)
class Tiles:
    """How a domain is cut.

    Attributes:
        height, width: Of a tile, cells.
        overlap: Of neighbors, cells, at least.
        step: Corners lie on multiples of it, as on those of a coarse cell.
        together: Tiles that are evaluated at once.
    """

    height: int
    width: int
    overlap: int
    step: int = 1
    together: int = 8

    def __post_init__(self) -> None:
        least = min(self.height, self.width)
        if not 0 <= self.overlap <= least - self.step:
            raise ValueError(
                f"tiles of {self.height} x {self.width} cells cannot overlap by {self.overlap} "
                f"with corners on multiples of {self.step}: take larger tiles"
            )


def tiled(local: Local, tiles: Tiles) -> Local:
    """Turn a function of fields on a tile into one of fields on any domain.

    Args:
        local: Of fields of the size of a tile. It gets them with the place of each, so position
            maps stay those of the domain.
        tiles: How to cut.
    """

    def whole(fields: Sequence[Tensor], place: Tensor) -> Tensor:
        height, width = fields[0].shape[-2:]
        rows = starts(max(height, tiles.height), tiles.height, tiles.overlap, tiles.step)
        columns = starts(max(width, tiles.width), tiles.width, tiles.overlap, tiles.step)
        padded = [reflected(field, tiles.height, tiles.width) for field in fields]
        sides = {
            (row, column): ((row > 0, row < rows[-1]), (column > 0, column < columns[-1]))
            for row in rows
            for column in columns
        }
        # At most nine: tiles in the middle, at the edges, and in the corners.
        windows = {kind: window(tiles, *kind).to(padded[0]) for kind in set(sides.values())}
        samples = range(len(fields[0]))
        corners = [(b, row, column) for b in samples for row in rows for column in columns]
        blend = _Blend(len(samples), padded[0])
        for (b, row, column), value in _values(local, tiles, padded, place, corners):
            blend.add(value, windows[sides[row, column]], b, row, column)
        return blend.values()[..., :height, :width]

    return whole


class _Blend:
    """Weighted sums of what is said of tiles, in the arithmetic of the fields."""

    def __init__(self, samples: int, like: Tensor) -> None:
        self._weight = like.new_zeros((samples, 1, *like.shape[-2:]))
        self._total = self._weight

    def add(self, value: Tensor, window: Tensor, sample: int, row: int, column: int) -> None:
        if self._total is self._weight:  # only now it is known how many channels there are
            self._total = self._weight.repeat(1, len(value), 1, 1)
        high, wide = window.shape
        below = (..., slice(row, row + high), slice(column, column + wide))
        self._total[sample][below] += window * value
        self._weight[sample][below] += window

    def values(self) -> Tensor:
        return self._total / self._weight


def _values(
    local: Local, tiles: Tiles, fields: list[Tensor], place: Tensor, corners: list[Corner]
) -> Iterator[tuple[Corner, Tensor]]:
    """What the function says of each tile, a few evaluated at a time."""
    for start in range(0, len(corners), tiles.together):
        group = corners[start : start + tiles.together]
        cut = [
            torch.stack([f[b, :, r : r + tiles.height, c : c + tiles.width] for b, r, c in group])
            for f in fields
        ]
        places = torch.stack([place[b] + place.new_tensor([r, c]) for b, r, c in group])
        yield from zip(group, local(cut, places), strict=True)


def starts(size: int, tile: int, overlap: int, step: int) -> list[int]:
    """First cells of the tiles along one direction; the last tile ends where the domain does.

    Args:
        size: Of the domain, at least that of a tile.
        tile: Of a tile.
        overlap: Of neighbors, at least.
        step: Distances between tiles are multiples of it, but for the last.
    """
    stride = (tile - overlap) // step * step
    count = math.ceil((size - tile) / stride) + 1
    return [min(number * stride, size - tile) for number in range(count)]


def window(tiles: Tiles, down: Sides, along: Sides) -> Float[Tensor, "h w"]:
    """The weight of a tile that has neighbors on these sides, float64."""
    rows = profile(tiles.height, tiles.overlap, before=down[0], after=down[1])
    columns = profile(tiles.width, tiles.overlap, before=along[0], after=along[1])
    return rows[:, None] * columns


def profile(size: int, overlap: int, *, before: bool, after: bool) -> Float[Tensor, " size"]:
    """The window along one direction, float64.

    Args:
        size: Of a tile.
        overlap: Of neighbors; 0 has hard edges.
        before, after: Whether there are any on this side.
    """
    weight = torch.ones(size, dtype=torch.float64)
    if not overlap:
        return weight
    distance = torch.arange(size, dtype=torch.float64) + 0.5
    share = ((distance - overlap / 4) / (overlap / 2)).clamp(0, 1)
    ramp = (math.pi / 2 * share).sin().square()
    return weight * (ramp if before else 1) * (ramp.flip(0) if after else 1)


def reflected(field: Float[Tensor, "b c h w"], height: int, width: int) -> Float[Tensor, "b c H W"]:
    """A field that goes on as its mirror image up to a size; as it is, where it is larger."""
    rows, columns = mirror(field.shape[-2], height), mirror(field.shape[-1], width)
    return field[..., rows.to(field.device)[:, None], columns.to(field.device)]


def mirror(size: int, wanted: int) -> Int[Tensor, " n"]:
    """Which cells to take: all, then back and forth; the outermost ones are not doubled."""
    period = max(2 * size - 2, 1)
    at = torch.arange(max(size, wanted)) % period
    return torch.minimum(at, period - at)
