"""Scores of an ensemble against what came true, cell by cell.

For members x_1 ... x_M and the truth y, the continuous ranked probability score, made fair, is

    CRPS = 1/M Σ |x_i - y| - 1/(2 M (M-1)) Σ_ij |x_i - x_j|

(Ferro, Fair scores for ensemble forecasts, Q. J. R. Meteorol. Soc. 140, 2014). Its expectation does
not depend on M, so that ensembles of different sizes can be compared, and one of a single member
scores its absolute error. Sorted, x_(1) <= ... <= x_(M), the second sum needs no pairs:

    1/2 Σ_ij |x_i - x_j| = Σ_k (2 k - M - 1) x_(k)

The energy score is the same with lengths of vectors for absolute values (Gneiting and Raftery,
J. Am. Stat. Assoc. 102, 2007). Members and truth are exchangeable if the ensemble is reliable; then

    E[(x̄ - y)²] = (M + 1) / M E[s²],   s² the variance of the members with divisor M - 1,

(Fortin et al., J. Hydrometeorol. 15, 2014), and the truth has any rank among them equally often.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ansatz.report.statistics import Floats

Values = NDArray[np.floating[Any]]


def crps(ensemble: Values, truth: Values) -> Floats:
    """Fair continuous ranked probability score, in float64; of one member, its absolute error.

    Args:
        ensemble: Members, shape (M, ...).
        truth: Shape (...).
    """
    count = len(ensemble)
    error: Floats = np.abs(ensemble - truth, dtype=np.float64).mean(0)
    if count == 1:
        return error
    weights = (2.0 * np.arange(1, count + 1) - count - 1) / (count * (count - 1))
    return error - np.tensordot(weights, np.sort(ensemble, axis=0), axes=1)


def energy_score(ensemble: Floats, truth: Floats, axis: int = 0) -> Floats:
    """Fair energy score of vectors; of one member, the length of its error.

    Args:
        ensemble: Members, shape (M, ...).
        truth: Shape (...).
        axis: Of the truth, along which the components of a vector lie.

    Returns:
        The shape of the truth without that axis.
    """
    vectors, true = np.moveaxis(ensemble, axis + 1, -1), np.moveaxis(truth, axis, -1)
    count = len(vectors)
    error: Floats = np.linalg.norm(vectors - true, axis=-1).mean(0)
    for member in range(1, count):
        apart = np.linalg.norm(vectors[:member] - vectors[member], axis=-1)
        error = error - apart.sum(0) / (count * (count - 1))
    return error


def expected_square(ensemble: Floats) -> Floats:
    """The squared error that the mean of a reliable ensemble has, (M + 1) / M s²; 0 of one."""
    count = len(ensemble)
    if count == 1:
        return np.zeros_like(ensemble[0])
    variance: Floats = ensemble.var(0, ddof=1)
    return (count + 1) / count * variance


def spread_skill(expected: Floats, squared: Floats) -> Floats:
    """Expected over found error of the ensemble's mean: below 1 the ensemble is too narrow.

    Args:
        expected: Mean of `expected_square` over cells and cases.
        squared: Mean squared error of the ensemble's mean over the same.
    """
    return np.sqrt(expected / squared)


def rank_histogram(ensemble: Floats, truth: Floats, rng: np.random.Generator) -> Floats:
    """How often the truth has each rank among the members.

    Args:
        ensemble: Members, shape (M, ...).
        truth: Shape (...).
        rng: Gives a truth that equals some members one of the ranks that are open to it.

    Returns:
        Counts, shape (M + 1,): first those below all members.
    """
    below, equal = (ensemble < truth).sum(0), (ensemble == truth).sum(0)
    ranks = below + rng.integers(0, equal + 1)
    return np.bincount(ranks.ravel(), minlength=len(ensemble) + 1).astype(np.float64)


def reliability_index(counts: Floats) -> float:
    """Sum of the distances of a rank histogram's shares from even ones; 0 is reliable, 2 is worst.

    Source: Delle Monache et al., J. Geophys. Res. 111, D05308 (2006), as a share and not in %.
    """
    return float(np.abs(counts / counts.sum() - 1 / len(counts)).sum())
