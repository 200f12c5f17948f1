"""The surface of a body as cells: centers, outward unit normals and areas.

A surface is what fields live on and what forces are integrated over. It comes from triangles (an
STL file), from polygons (a CFD solution) or from a sample of either; nothing that takes a surface
asks where it is from.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

UNIT = 1e-3  # how far the length of a unit normal may be from one


@dataclass(frozen=True)
class Surface:
    """Cells of a surface.

    Attributes:
        centers: m.
        normals: Unit normals that point out of the body into the fluid.
        areas: m².

    Raises:
        ValueError: If the shapes do not agree, or a normal is not of unit length or is NaN.
    """

    centers: Float[Tensor, "cells 3"]
    normals: Float[Tensor, "cells 3"]
    areas: Float[Tensor, " cells"]

    def __post_init__(self) -> None:
        count = len(self.areas)
        if self.centers.shape != (count, 3) or self.normals.shape != (count, 3):
            raise ValueError(
                f"a surface of {count} areas needs centers and normals of shape ({count}, 3), "
                f"got {tuple(self.centers.shape)} and {tuple(self.normals.shape)}"
            )
        longest = (self.normals.norm(dim=-1) - 1).abs().max() if count else 0.0
        if not longest <= UNIT:
            raise ValueError(
                f"the normals of a surface must have unit length, and one is off by {longest:.3g}. "
                "Divide them by their lengths; cells without area have none and must be left out"
            )

    def __len__(self) -> int:
        return len(self.areas)

    def __getitem__(self, index: Tensor | slice) -> "Surface":
        return Surface(self.centers[index], self.normals[index], self.areas[index])

    def mirrored(self) -> "Surface":
        """The surface and its reflection at y = 0: the whole body from one half."""
        flip = torch.tensor([1.0, -1.0, 1.0], dtype=self.centers.dtype)
        return Surface(
            torch.cat([self.centers, self.centers * flip]),
            torch.cat([self.normals, self.normals * flip]),
            torch.cat([self.areas, self.areas]),
        )


def triangle_surface(triangles: Float[Tensor, "cells 3 3"]) -> Surface:
    """Centers, normals and areas of triangles, counter-clockwise as seen from the fluid.

    Args:
        triangles: Corners, m. Triangles without area get the normal (0, 0, 1).

    Returns:
        The surface, in the same order.
    """
    # Axes first: each step is then one pass over contiguous numbers.
    a, b, c = triangles.permute(1, 2, 0).contiguous().double()
    vectors = 0.5 * torch.linalg.cross(b - a, c - a, dim=0)
    areas = vectors.square().sum(0).sqrt()
    up = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)[:, None]
    normals = torch.where(areas > 0, vectors / areas.clamp_min(1e-300), up)
    centers = (a + b + c) / 3
    return Surface(centers.float().T.contiguous(), normals.float().T.contiguous(), areas.float())
