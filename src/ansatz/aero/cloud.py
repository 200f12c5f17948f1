"""What a point sees of a body: multi-radius statistics of the surface around it.

A body is a cloud of surface cells with weights (areas), scaled by one length, its own, in all
directions. Around a query point x, for each of several radii h, the features are moments of the
cells nearby under the trilinear kernel of a grid of spacing h,

    m = Σ w(x, xᵢ) aᵢ / h²      n̄ = Σ w aᵢ nᵢ / Σ w aᵢ      d̄ = Σ w aᵢ (xᵢ - x) / (h Σ w aᵢ)

the density, the mean normal (of length 1 on a plane, shorter around an edge or in a gap) and the
mean offset (curvature, and which side the body is on). They are what DoMINO's ball queries of
several radii give to its local encoding (Ranade et al., arXiv:2501.13350, §3), as sums instead of
flattened neighbour lists: independent of the order of the cells, continuous in x, and linear in
the number of cells. Cells are splatted once per body; a query is a trilinear read.

Bodies are halves, y >= 0, continued by their mirror image: the features of a point and of its
reflection are the same by construction.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.sparse import csc_array
from scipy.spatial import cKDTree
from torch import Tensor
from torch.nn.functional import embedding_bag

from ansatz.aero.surface import Surface

RADII = (0.02, 0.04, 0.08, 0.16, 0.32)  # of the kernels, in lengths of the body
MOMENTS = 7  # channels of a splat: area, area x normal, area x position
LOCAL_FEATURES = 7 * len(RADII)


@dataclass(frozen=True)
class BodyFrame:
    """Where a body stands and how large it is.

    Attributes:
        nose: Smallest x, m.
        length, width, height: m; the height is that of the top above the ground.
        ground: z of the ground, m.
    """

    nose: float
    length: float
    width: float
    height: float
    ground: float = 0.0

    def scaled(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """Points in lengths of the body, from its nose on the ground."""
        origin = torch.tensor([self.nose, 0.0, self.ground], dtype=points.dtype)
        return (points - origin) / self.length

    @property
    def proportions(self) -> Float[Tensor, " 3"]:
        """Extents in lengths: 1, half the width, the height."""
        return torch.tensor([1.0, 0.5 * self.width / self.length, self.height / self.length])


@dataclass(frozen=True)
class Pyramid:
    """A half body splatted on grids of the spacings `RADII`.

    Attributes:
        grids: Per spacing, the moments of the cells at the nodes, shape (nx, ny, nz, 7).
        origins: Per spacing, the position of node (0, 0, 0), in lengths.
    """

    grids: tuple[Tensor, ...]
    origins: tuple[Tensor, ...]


def corners(
    places: Float[Tensor, "3 n"], shape: tuple[int, int, int]
) -> tuple[Tensor, Float[Tensor, "2 2 2 n"]]:
    """The eight nodes around each point of a grid, and their trilinear weights.

    Points outside the grid get weights of zero.

    Args:
        places: Of the points, in spacings from node (0, 0, 0).
        shape: Of the grid, in nodes.

    Returns:
        The nodes as flat indices, int32, shape (n, 8), and the weights.
    """
    last = torch.tensor(shape, device=places.device)[:, None] - 1
    inside = ((places >= 0) & (places <= last)).all(0)
    low = torch.minimum(places.floor().clamp_min(0), last - 1)
    above = places - low
    x, y, z = torch.stack([1 - above, above], 1)
    weights = (inside * x)[:, None, None] * y[:, None] * z
    i, j, k = low.int()
    steps = torch.arange(2, dtype=torch.int32, device=places.device)
    offsets = (steps[:, None, None] * shape[1] + steps[:, None]) * shape[2] + steps
    return ((i * shape[1] + j) * shape[2] + k)[:, None] + offsets.flatten(), weights


def splat(cells: Surface) -> Pyramid:
    """Splat the cells of a half body, given in lengths, on grids of all radii.

    Args:
        cells: With centers and areas in lengths and y >= 0; their mirror image is added.

    Returns:
        The moments on each grid.
    """
    whole = cells.mirrored()
    moments = torch.cat([torch.ones(len(whole), 1), whole.normals, whole.centers], 1)
    moments = moments * whole.areas[:, None]
    # Axes first: each step is then one pass over contiguous numbers.
    centers = whole.centers.T.contiguous()
    grids, origins = [], []
    for spacing in RADII:
        near = torch.nonzero(centers[1] > -2 * spacing).squeeze(1)
        points = centers.index_select(1, near)
        origin = points.amin(1) - 1.5 * spacing
        counts = ((points.amax(1) - origin) / spacing + 2.5).long() + 1
        shape = (int(counts[0]), int(counts[1]), int(counts[2]))
        flat, weights = corners((points - origin[:, None]) / spacing, shape)
        # A column per cell: eight nodes each, so that nothing is copied or sorted.
        starts = np.arange(0, flat.numel() + 1, 8, dtype=np.int32)
        share = csc_array(
            (weights.flatten(0, 2).T.numpy().ravel(), flat.numpy().ravel(), starts),
            (math.prod(shape), len(near)),
        )
        grid = torch.from_numpy(share @ moments[near].numpy())
        grids.append(grid.reshape(*shape, MOMENTS))
        origins.append(origin)
    return Pyramid(tuple(grids), tuple(origins))


def local_features(pyramid: Pyramid, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n features"]:
    """What points see of a body, at every radius.

    Args:
        pyramid: Of the body.
        points: In lengths of the body; the sign of y does not matter.

    Returns:
        Per radius: log density, mean normal (3), mean offset (3); zeros where nothing is near.
    """
    half = points.clone()
    half[:, 1] = half[:, 1].abs()
    found = []
    for grid, origin, spacing in zip(pyramid.grids, pyramid.origins, RADII, strict=True):
        shape = (grid.shape[0], grid.shape[1], grid.shape[2])
        flat, weights = corners(((half - origin) / spacing).T.contiguous(), shape)
        # One weighted sum of rows: what is gathered is never written down.
        shares = weights.flatten(0, 2).T.contiguous()
        sums = embedding_bag(flat, grid.reshape(-1, MOMENTS), mode="sum", per_sample_weights=shares)
        area = sums[:, :1].clamp_min(1e-12)
        here = (sums[:, :1] > 1e-9).float()
        density = torch.log1p(sums[:, :1] / spacing**2)
        offset = (sums[:, 4:7] / area - half) / spacing
        found += [density, here * sums[:, 1:4] / area, here * offset.clamp(-2, 2)]
    return torch.cat(found, 1)


def distance(
    cells: Surface, points: Float[Tensor, "n 3"]
) -> tuple[Float[Tensor, " n"], Float[Tensor, "n 3"]]:
    """Signed distance of points from a half body, and the direction away from it.

    Args:
        cells: Of the half body. The one with the nearest center counts, as a disc of its area in
            its plane: beyond a cell's size the distance is that from the surface, and closer it is
            exact above the disc. Its sign is that side of the disc's plane: at a sharp edge a point
            within a cell's size may pass for one inside.
        points: y >= 0.

    Returns:
        The distance, negative inside of the body, and the unit direction in which it grows.
    """
    _, nearest = cKDTree(cells.centers.numpy()).query(points.numpy())
    found = torch.from_numpy(nearest)
    offset = points - cells.centers[found]
    normals = cells.normals[found]
    height = (offset * normals).sum(-1)
    along = offset - height[:, None] * normals
    radius = (cells.areas[found] / torch.pi).sqrt()
    beyond = (along.norm(dim=-1) - radius).clamp_min(0)
    gap = torch.hypot(height, beyond)
    side = torch.where(height < 0, -1.0, 1.0)
    reach = along * (beyond / along.norm(dim=-1).clamp_min(1e-9))[:, None]
    away = height[:, None] * normals + reach
    sure = gap > 1e-6
    away = torch.where(sure[:, None], side[:, None] * away / gap.clamp_min(1e-6)[:, None], normals)
    return side * gap, away
