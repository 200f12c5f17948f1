"""Maps that tell a network where a cell is: appended to its input as channels.

A field is told by its place, the row and column of its corner in the domain, so that a crop in
training and a tile in prediction see the maps that the whole domain would. The sinusoidal maps of
CorrDiff are, over N cells of a direction, sin and cos of 2π i / (N - 1); learned maps have a number
per cell of the domain, and beyond its edges those of the nearest cell.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ansatz.weather.model.config import Shape


def make_position(shape: Shape) -> "NoPosition | Sinusoidal | Learned":
    """The position maps of a network."""
    if shape.position == "none":
        return NoPosition()
    if shape.position == "sinusoidal":
        return Sinusoidal(shape.domain)
    return Learned(shape.domain, shape.position_channels)


class NoPosition(nn.Module):
    """No maps."""

    num_channels = 0

    def forward(self, x: Tensor, place: Tensor | None) -> Tensor:
        """The input as it is."""
        return x


class Sinusoidal(nn.Module):
    """Sines and cosines of column and row."""

    num_channels = 4

    def __init__(self, domain: tuple[int, int]) -> None:
        """Cover a domain of so many rows and columns with one period."""
        super().__init__()
        self.domain = domain

    def forward(
        self, x: Float[Tensor, "b c H W"], place: Int[Tensor, "b 2"] | None
    ) -> Float[Tensor, "b n H W"]:
        """The input with the maps behind it."""
        rows, columns = cells(x, place)
        shape = (len(x), *x.shape[-2:])
        north = (2 * math.pi / (self.domain[0] - 1) * rows.to(x.dtype))[:, :, None].expand(shape)
        east = (2 * math.pi / (self.domain[1] - 1) * columns.to(x.dtype))[:, None].expand(shape)
        return torch.cat([x, torch.stack([east.sin(), north.sin(), east.cos(), north.cos()], 1)], 1)


class Learned(nn.Module):
    """Maps that are learned."""

    def __init__(self, domain: tuple[int, int], channels: int) -> None:
        """Draw fresh maps over a domain of so many rows and columns."""
        super().__init__()
        self.num_channels = channels
        self.maps = nn.Parameter(torch.randn(channels, *domain))

    def forward(
        self, x: Float[Tensor, "b c H W"], place: Int[Tensor, "b 2"] | None
    ) -> Float[Tensor, "b n H W"]:
        """The input with the maps behind it."""
        rows, columns = cells(x, place)
        height, width = self.maps.shape[1:]
        at = (rows.clamp(0, height - 1)[:, :, None], columns.clamp(0, width - 1)[:, None])
        return torch.cat([x, self.maps[:, *at].transpose(0, 1).to(x.dtype)], 1)


def cells(x: Tensor, place: Tensor | None) -> tuple[Int[Tensor, "b H"], Int[Tensor, "b W"]]:
    """Rows and columns of the cells of fields."""
    height, width = x.shape[-2:]
    corner = torch.zeros(len(x), 2, dtype=torch.long, device=x.device) if place is None else place
    rows = corner[:, :1] + torch.arange(height, device=x.device)
    return rows, corner[:, 1:] + torch.arange(width, device=x.device)
