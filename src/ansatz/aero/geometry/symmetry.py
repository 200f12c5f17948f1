"""Mirror symmetry of a surface, measured on its shape and not on its mesh."""

import numpy as np
from scipy.spatial import KDTree

from ansatz.mesh.nearest import dots
from ansatz.mesh.solids import area_vectors, subdivide
from ansatz.mesh.stl import Triangles

SURFACE_PIECES = 20_000
PROBES = 2_000
NEIGHBORS = 16  # with 4, slivers hide the piece that a probe lies on: 5e-3 of the width, not 1e-3


def asymmetry(triangles: Triangles, axis: int, plane: float = 0.0) -> float:
    """How far a surface is from its mirror image.

    Some 2,000 points of the surface are reflected, and the nearest of about 20,000 small pieces
    of the surface tells how far off they land. Triangles need not be mirrored, shapes must.

    Args:
        triangles: Shape (n, 3, 3).
        axis: Normal of the mirror: 0, 1 or 2.
        plane: Where the mirror stands on that axis.

    Returns:
        The largest distance found, relative to the extent along the axis. What is below the size
        of the pieces, 1 to 2 % of the extent, is exact only for distances across the surface.

    Raises:
        ValueError: If the triangles have no area, or no extent along the axis.
    """
    area = float(np.linalg.norm(area_vectors(triangles), axis=1).sum())
    width = float(np.ptp(triangles[:, :, axis]))
    if area == 0 or width == 0:
        raise ValueError(f"a body has area and extent, got {area} m² and {width} m along an axis")
    size = np.sqrt(3 * area / SURFACE_PIECES)
    pieces, _ = subdivide(triangles, size)
    vectors = area_vectors(pieces)
    areas = np.sqrt(dots(vectors, vectors))
    if not areas.all():
        pieces, vectors, areas = pieces[areas > 0], vectors[areas > 0], areas[areas > 0]
    # Axes first: sums are then passes over contiguous numbers.
    first, second, third = pieces.transpose(1, 2, 0).astype(np.float64, order="C")
    centers = ((first + second + third) / 3).T.copy()
    probes = centers[:: max(len(centers) // PROBES, 1)].copy()
    probes[:, axis] = 2 * plane - probes[:, axis]
    # For 2,000 probes a coarse tree is worth more than a good one.
    near = (
        KDTree(centers, leafsize=64, compact_nodes=False, balanced_tree=False)
        .query(probes, k=min(NEIGHBORS, len(centers)))[1]
        .reshape(len(probes), -1)
    )
    normals = vectors[near] / areas[near][..., None]
    offset = probes[:, None] - centers[near]
    across = np.abs((offset * normals).sum(axis=-1))
    along = np.sqrt(np.maximum(np.square(offset).sum(axis=-1) - across**2, 0))
    distance = np.maximum(across, along - size).min(axis=1).max()
    return float(distance / width)
