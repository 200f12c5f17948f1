"""Bands around predictions: how wide they must be, and how often they hold the truth.

A band is not the interval of a metric (`ansatz.report.statistics`): it speaks about one new sample.
"""

import math

import numpy as np
from numpy.typing import ArrayLike


def coverage(truth: ArrayLike, low: ArrayLike, high: ArrayLike) -> float:
    """Share of true values inside their intervals, ends included.

    Args:
        truth: True values, shape (n,).
        low: Lower ends, shape (n,) or a scalar.
        high: Upper ends, shape (n,) or a scalar.

    Returns:
        A share between 0 and 1.
    """
    values = np.asarray(truth, dtype=np.float64)
    inside = (np.asarray(low) <= values) & (values <= np.asarray(high))
    return float(inside.mean())


def conformal_quantile(residuals: ArrayLike, level: float) -> float:
    """Half-width q such that prediction ± q holds a new truth with probability `level` or more.

    The ⌈(n+1) level⌉-th smallest residual of n that the model was not trained on (split conformal
    prediction; Angelopoulos and Bates, A Gentle Introduction to Conformal Prediction,
    arXiv:2107.07511, §1). It holds for any model, if old and new samples are exchangeable.

    Args:
        residuals: Absolute errors, or errors divided by a predicted scale, shape (n,).
        level: Wanted coverage, between 0 and 1.

    Returns:
        The half-width, in units of the residuals; infinite where n is too small for the level.

    Raises:
        ValueError: If `level` is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"the level of a conformal quantile is between 0 and 1, got {level}")
    ordered = np.sort(np.asarray(residuals, dtype=np.float64).ravel())
    # 100 * 0.55 is 55.00000000000001 in binary, and its ceiling must stay 55.
    rank = math.ceil((len(ordered) + 1) * level - 1e-9)
    return float(ordered[rank - 1]) if rank <= len(ordered) else math.inf
