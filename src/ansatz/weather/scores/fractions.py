"""Fractions skill score: rain at about the right place, at a scale.

With P the share of the cells within a square around a cell that reach a threshold,

    FSS = 1 - Σ (P - P_true)² / (Σ P² + Σ P_true²)

(Roberts and Lean, Mon. Weather Rev. 136, 2008). The share of an ensemble is the mean of its
members' shares (Schwartz et al., Weather Forecast. 25, 2010). Beyond the edges of a field nothing
reaches the threshold. A random forecast of the right frequency f scores about f; a skillful one
reaches 1/2 + f/2.
"""

import numpy as np
from scipy.ndimage import uniform_filter

from ansatz.report.statistics import Floats


def cells_of(scale: float, spacing: float) -> int:
    """The odd number of cells whose square is nearest to a scale.

    Args:
        scale: Side of the square.
        spacing: Of cells, in the same unit.
    """
    return max(1, 2 * round((scale / spacing - 1) / 2) + 1)


def shares(fields: Floats, threshold: float, cells: int) -> Floats:
    """Share of the cells around each cell that reach a threshold.

    Args:
        fields: Shape (..., H, W).
        threshold: In their unit.
        cells: Side of the square, odd.
    """
    size = (1,) * (fields.ndim - 2) + (cells, cells)
    reached = (fields >= threshold).astype(np.float64)
    found: Floats = uniform_filter(reached, size, mode="constant")
    return found


def fraction_sums(ensemble: Floats, truth: Floats, threshold: float, cells: int) -> Floats:
    """The two sums that `fss` is a function of, shape (2,); those of several cases add up.

    Args:
        ensemble: Members, shape (M, H, W).
        truth: Shape (H, W).
        threshold: In their unit.
        cells: Side of the square, odd.
    """
    mine, true = shares(ensemble, threshold, cells).mean(0), shares(truth, threshold, cells)
    return np.array([((mine - true) ** 2).sum(), (mine**2).sum() + (true**2).sum()])


def fss(sums: Floats) -> Floats:
    """Fractions skill score of sums (..., 2); NaN where nothing reached the threshold."""
    above, below = sums[..., 0], sums[..., 1]
    quotient: Floats = np.full(np.shape(below), np.nan)
    return 1 - np.divide(above, below, out=quotient, where=np.asarray(below) > 0)
