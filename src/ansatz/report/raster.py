"""Hidden surfaces: which triangle is in front, pixel by pixel.

Each triangle is cut into rows of pixels and each row into fragments, all in arrays: a fragment is
a pixel whose center the triangle covers. Its depth is that of the triangle's plane, and of all
fragments of a pixel the nearest stays (z-buffer). Unlike sorting whole triangles, this is right
where they interlock.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# Fragments held at a time, 100 MB with the temporaries.
BLOCK = 2**21


def visible(corners: Floats, height: int, width: int) -> tuple[Integers, Floats]:
    """Find the front triangle of every pixel.

    Args:
        corners: Corners of the triangles, shape (n, 3, 3): column and row in pixels, and height
            toward the viewer in any unit. Triangles are seen from both sides.
        height: Rows of the picture.
        width: Columns of the picture.

    Returns:
        Index of the front triangle, -1 where there is none, and its height toward the viewer,
        -inf where there is none; both of shape (height, width).
    """
    owner = np.full(height * width, -1, dtype=np.int64)
    front = np.full(height * width, -np.inf)
    slopes = _slopes(corners, corners[:, :, 2])
    for triangle, pixel in _fragments(corners, height, width):
        row, column = np.divmod(pixel, width)
        x = column + 0.5 - corners[triangle, 0, 0]
        y = row + 0.5 - corners[triangle, 0, 1]
        depth = corners[triangle, 0, 2] + slopes[triangle, 0] * x + slopes[triangle, 1] * y
        np.maximum.at(front, pixel, depth)
        wins = depth == front[pixel]
        owner[pixel[wins]] = triangle[wins]
    return owner.reshape(height, width), front.reshape(height, width)


def interpolated(corners: Floats, values: Floats, owner: Integers) -> Floats:
    """Continue values at corners to the pixels of their triangles.

    Args:
        corners: As for `visible`.
        values: One value per corner, shape (n, 3).
        owner: Index of each pixel's triangle, -1 for none, as `visible` returns it.

    Returns:
        The value at each pixel that has a triangle, in the order of `owner[owner >= 0]`.
    """
    row, column = np.nonzero(owner >= 0)
    triangle = owner[row, column]
    slopes = _slopes(corners, values)[triangle]
    x, y = column + 0.5 - corners[triangle, 0, 0], row + 0.5 - corners[triangle, 0, 1]
    plane = values[triangle, 0] + slopes[:, 0] * x + slopes[:, 1] * y
    # Slopes of a triangle that is nearly on edge are steep: stay between its corners.
    inside: Floats = np.clip(plane, values.min(axis=1)[triangle], values.max(axis=1)[triangle])
    return inside


def _slopes(corners: Floats, values: Floats) -> Floats:
    """Rise of values at corners per column and per row, shape (n, 2); 0 for triangles on edge."""
    sides = np.concatenate([corners[:, 1:, :2], values[:, 1:, None]], axis=2)
    sides -= np.concatenate([corners[:, :1, :2], values[:, :1, None]], axis=2)
    normal = np.cross(sides[:, 0], sides[:, 1])
    across = normal[:, 2:]
    size = np.abs(corners[:, 1:, :2] - corners[:, :1, :2]).max(axis=(1, 2))[:, None]
    seen = np.abs(across) > 1e-12 * size**2
    return np.divide(-normal[:, :2], across, out=np.zeros((len(corners), 2)), where=seen)


def _fragments(corners: Floats, height: int, width: int) -> Iterator[tuple[Integers, Integers]]:
    """Pairs of triangle and covered pixel, block by block."""
    triangle, row = _rows(corners, height)
    left, right = _span(corners[triangle, :, 0], corners[triangle, :, 1], np.add(row, 0.5))
    first = np.clip(np.ceil(left - 0.5), 0, width).astype(np.int64)
    last = np.clip(np.ceil(right - 0.5), 0, width).astype(np.int64)
    counts = np.maximum(last - first, 0)
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    cuts = np.searchsorted(ends, np.arange(0, total + BLOCK, BLOCK), side="right")
    cuts[-1:] = len(counts)
    for start, stop in pairwise(cuts.tolist()):
        index, offset = _expanded(counts[start:stop])
        index += start
        yield triangle[index], row[index] * width + first[index] + offset


def _rows(corners: Floats, height: int) -> tuple[Integers, Integers]:
    """Pairs of triangle and row of pixels whose center line crosses it."""
    first = np.clip(np.ceil(corners[:, :, 1].min(axis=1) - 0.5), 0, height).astype(np.int64)
    last = np.clip(np.ceil(corners[:, :, 1].max(axis=1) - 0.5), 0, height).astype(np.int64)
    triangle, offset = _expanded(last - first)
    return triangle, first[triangle] + offset


def _span(x: Floats, y: Floats, level: Floats) -> tuple[Floats, Floats]:
    """Where horizontal lines enter and leave triangles; x and y of shape (n, 3), level (n,)."""
    left, right = np.full(len(level), np.inf), np.full(len(level), -np.inf)
    for a, b in ((0, 1), (1, 2), (2, 0)):
        crosses = (y[:, a] <= level) != (y[:, b] <= level)
        # From the lower end to the upper one: two triangles that share an edge must round alike,
        # or pixels between them fall to neither.
        swap = y[:, a] > y[:, b]
        x0, x1 = np.where(swap, x[:, b], x[:, a]), np.where(swap, x[:, a], x[:, b])
        y0, y1 = np.where(swap, y[:, b], y[:, a]), np.where(swap, y[:, a], y[:, b])
        along = np.divide(level - y0, y1 - y0, out=np.zeros_like(y0), where=crosses)
        at = x0 + along * (x1 - x0)
        left = np.where(crosses, np.minimum(left, at), left)
        right = np.where(crosses, np.maximum(right, at), right)
    # A line through the lowest corner alone crosses no edge: an empty span.
    empty = left > right
    return np.where(empty, 0.0, left), np.where(empty, 0.0, right)


def _expanded(counts: Integers) -> tuple[Integers, Integers]:
    """Counts [2, 0, 3] as owners [0, 0, 2, 2, 2] and offsets [0, 1, 0, 1, 2]."""
    owner = np.repeat(np.arange(len(counts)), counts)
    starts = np.cumsum(counts) - counts
    return owner, np.arange(len(owner)) - starts[owner]
