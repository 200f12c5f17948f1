"""Closed surfaces from loops in parallel planes: the craft behind the parametric bodies."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def rounded_section(half_width: float, low: float, high: float, radius: float) -> Floats:
    """A rounded rectangle |y| <= half_width, low <= z <= high, as a loop (y, z) of 56 points.

    It runs counter-clockwise with y to the right and z up: below, right, above, left.

    Args:
        half_width: m.
        low, high: m.
        radius: Of the corners, m; as large as fits, if this does not.

    Returns:
        Points of shape (56, 2), m; with a radius of 0 the corners repeat.
    """
    r = float(np.clip(radius, 0.0, 0.49 * min(2 * half_width, high - low)))
    right, left, bottom, top = half_width - r, r - half_width, low + r, high - r

    def line(start: tuple[float, float], end: tuple[float, float], count: int) -> Floats:
        return np.linspace(start, end, count, endpoint=False)

    def arc(y: float, z: float, quarter: int) -> Floats:
        angle = quarter * np.pi / 2 + np.linspace(0, np.pi / 2, 5, endpoint=False)
        return np.stack([y + r * np.cos(angle), z + r * np.sin(angle)], axis=1)

    return np.concatenate(
        [
            line((left, low), (right, low), 10),
            arc(right, bottom, -1),
            line((half_width, bottom), (half_width, top), 8),
            arc(right, top, 0),
            line((right, high), (left, high), 10),
            arc(left, top, 1),
            line((-half_width, top), (-half_width, bottom), 8),
            arc(left, bottom, 2),
        ]
    )


def loft(stations: Floats, loops: Floats) -> NDArray[np.float32]:
    """Join loops into a closed surface.

    Args:
        stations: Coordinate of each loop along the first axis, rising, shape (s,).
        loops: The other two coordinates, counter-clockwise about the first axis, (s, n, 2).

    Returns:
        Triangles with outward normals, shape (t, 3, 3); those without area are left out.
    """
    along = np.broadcast_to(stations[:, None, None], (*loops.shape[:2], 1))
    rings = np.concatenate([along, loops], axis=2)
    after = np.roll(rings, -1, axis=1)
    lower = np.stack([rings[:-1], after[:-1], after[1:]], axis=2)
    upper = np.stack([rings[:-1], after[1:], rings[1:]], axis=2)
    first = np.broadcast_to(rings[0].mean(axis=0), rings[0].shape)
    last = np.broadcast_to(rings[-1].mean(axis=0), rings[-1].shape)
    front = np.stack([first, after[0], rings[0]], axis=1)
    back = np.stack([last, rings[-1], after[-1]], axis=1)
    sides = [lower.reshape(-1, 3, 3), upper.reshape(-1, 3, 3)]
    # Rounded first: corners that become equal in float32 make a triangle without area, too.
    triangles = np.concatenate([*sides, front, back]).astype(np.float32)
    equal_corners = (triangles == np.roll(triangles, 1, axis=1)).all(axis=2).any(axis=1)
    kept: NDArray[np.float32] = triangles[~equal_corners]
    return kept
