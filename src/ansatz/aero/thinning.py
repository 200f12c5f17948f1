"""Fewer cells of a surface, for the same integrals.

A scale-resolving solution has millions of cells; a network learns from thousands. Cells are drawn
in proportion to their areas, evenly along Morton's curve, on which neighbors are neighbors in
space, so that every part of the surface gets its share. A drawn cell keeps its center, its normal
and its fields as they were solved, where merged cells would smooth them, and stands for the area
a = A/n. A cell larger than that is drawn more than once.

The noise of the draw is then taken out of the integrals that matter. With the totals t = Σ A_j x_j
of some integrands x over all cells, the areas nearest to a that integrate x exactly are

    w_i = a (1 + x_i · λ),    Σ w_i x_i = t

calibration, as of sample surveys (Deville and Särndal, J. Am. Stat. Assoc. 87, 1992, §1).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Reals = NDArray[np.float32] | NDArray[np.float64]
Indices = NDArray[np.intp]

BITS = 10  # per axis of Morton's curve: 5 mm of a car


def thin(
    centers: Reals, areas: Reals, integrands: Sequence[Reals], count: int
) -> tuple[Indices, Floats]:
    """Draw cells and give them areas for which integrals stay what they were.

    Args:
        centers: Of the cells, shape (n, 3).
        areas: Shape (n,).
        integrands: What must integrate to the same, each of shape (n, components).
        count: How many to draw; if there are no more, all cells are kept as they are.

    Returns:
        Index of each drawn cell, and the area that it stands for.

    Raises:
        ValueError: If so few cells cannot hold the integrals with positive areas.
    """
    if len(areas) <= count:
        return np.arange(len(areas)), areas.astype(np.float64)
    drawn = drawn_evenly(along_curve(centers), areas, count)
    share = float(areas.sum(dtype=np.float64)) / count
    # Float64: over nine million cells, a float32 sum is wrong in the fifth digit of the drag.
    totals = np.concatenate([areas.astype(np.float64) @ values for values in integrands])
    values = np.concatenate([values[drawn] for values in integrands], axis=1, dtype=np.float64)
    weights = calibrated(share, values, totals)
    if weights.min() <= 0:
        raise ValueError(
            f"{count} of {len(areas)} cells are too few to keep the integrals over the surface. "
            "Ask for more"
        )
    return drawn, weights


def along_curve(centers: Reals) -> Indices:
    """The order of points along Morton's curve: the bits of x, y and z take turns."""
    if not len(centers):
        return np.zeros(0, np.intp)
    low = centers.min(axis=0)
    size = float(np.ptp(centers, axis=0).max()) or 1.0
    steps = ((centers - low) * ((2**BITS - 1) / size)).astype(np.uint32)
    x, y, z = (_spread(place) for place in steps.T.copy())
    return np.argsort(x | y << 1 | z << 2, kind="stable")


def _spread(places: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Numbers of ten bits with two zeros between any two bits."""
    # Halves of what is together are moved apart, from five and five bits to one and one.
    for shift, mask in ((16, 0x030000FF), (8, 0x0300F00F), (4, 0x030C30C3), (2, 0x09249249)):
        places = (places | places << np.uint32(shift)) & np.uint32(mask)
    return places


def drawn_evenly(order: Indices, areas: Reals, count: int) -> Indices:
    """Cells at equal steps of area along an order: a systematic draw."""
    share = np.cumsum(areas[order], dtype=np.float64)
    marks = (np.arange(count) + 0.5) * (share[-1] / count)
    drawn: Indices = order[np.searchsorted(share, marks)]
    return drawn


def calibrated(share: float, values: Floats, totals: Floats) -> Floats:
    """Areas near to equal ones for which integrals have given totals.

    Args:
        share: The equal area.
        values: Integrands at the cells, shape (n, k).
        totals: Their integrals, shape (k,).

    Returns:
        The areas, shape (n,).
    """
    # Columns of size one; of those that depend on one another, as in a uniform flow, least
    # squares takes what there is.
    scale = np.sqrt(np.square(values).mean(axis=0))
    scale[scale == 0] = 1
    columns = values / scale
    missing = totals / scale - share * columns.sum(axis=0)
    multipliers = np.linalg.lstsq(share * columns.T @ columns, missing, rcond=1e-12)[0]
    weights: Floats = share * (1 + columns @ multipliers)
    return weights
