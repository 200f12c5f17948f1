"""Numbers with fewer bits: points on a grid, directions in two bytes, rounded significands.

Each pair of functions is a round trip within a stated error. What has fewer bits than its type
ends or begins with zeros, which a compressor removes.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Steps of the integer grid in the longest direction of a box: 0.3 mm on a car.
GRID_STEPS = 2**14 - 1


def to_grid(points: Floats) -> tuple[NDArray[np.uint16], Floats]:
    """Points (n, 3) as integers in their bounding box.

    Returns:
        Integers (n, 3), and the box: its lowest corner and the step of the grid, shape (4,).
    """
    low = points.min(axis=0)
    step = np.ptp(points, axis=0).max() / GRID_STEPS
    return np.rint((points - low) / step).astype(np.uint16), np.array([*low, step])


def from_grid(grid: NDArray[np.uint16], box: Floats) -> Floats:
    """The points of `to_grid`, to within half a step in each direction."""
    points: Floats = box[:3] + grid * box[3]
    return points


def round_significand(values: Floats, bits: int) -> NDArray[np.float16]:
    """Values in float16, rounded to `bits` of its ten: a relative error of up to 2^-(bits + 1).

    Below 6e-5, float16 itself has fewer bits: there the error is up to 3e-8.
    """
    significand, exponent = np.frexp(values)
    steps = 2.0 ** (bits + 1)
    return np.ldexp(np.rint(significand * steps) / steps, exponent).astype(np.float16)


def to_octahedron(normals: Floats) -> NDArray[np.int8]:
    """Unit vectors (n, 3) as two bytes each, to within a degree.

    The sphere is projected on an octahedron and its lower half folded outwards over the upper
    one (Cigolle et al., A Survey of Efficient Representations for Independent Unit Vectors, JCGT
    3(2), 2014).
    """
    flat = normals / np.abs(normals).sum(axis=1, keepdims=True)
    folded = (1 - np.abs(flat[:, 1::-1])) * np.where(flat[:, :2] >= 0, 1.0, -1.0)
    octahedron: Floats = np.where(flat[:, 2:] >= 0, flat[:, :2], folded)
    return (127 * octahedron).round().astype(np.int8)


def from_octahedron(octahedron: NDArray[np.int8]) -> Floats:
    """Unit vectors (n, 3) of `to_octahedron`."""
    flat = octahedron / 127
    height = 1 - np.abs(flat).sum(axis=1, keepdims=True)
    unfolded = (1 - np.abs(flat[:, ::-1])) * np.where(flat >= 0, 1.0, -1.0)
    vectors = np.concatenate([np.where(height >= 0, flat, unfolded), height], axis=1)
    unit: Floats = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit
