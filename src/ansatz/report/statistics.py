"""Metrics as functions of mean statistics, so that their intervals are cheap.

Each sample contributes one row of statistics s_i: sums that add up, as its squared error. A metric
is a function f of their mean, f(Σ s_i / n): rows of two halves of a data set can be computed apart
and stacked, and a bootstrap resample is only another set of weights,

    θ* = f(wᵀ s / n),   w ~ Multinomial(n; 1/n, ..., 1/n),

so thousands of resamples are one matrix product. Intervals are expanded percentile intervals
(Hesterberg, What Teachers Should Know About the Bootstrap, The American Statistician 69, 2015):
the percentile interval is too narrow by sqrt((n-1)/n) and by using the normal for Student's t, and
the tail probability Φ(-t sqrt(n/(n-1))) instead of α/2 makes up for both. Tens of samples need it.

Rank correlation is no function of means; it is resampled directly.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Floats = NDArray[np.float64]
Metric = Callable[[Floats], Floats]

# Entries of the weight matrix that are held at a time, 32 MB.
BLOCK = 2**22


@dataclass(frozen=True)
class Interval:
    """A value with the lower and upper end of its interval."""

    value: float
    low: float
    high: float

    @property
    def ends(self) -> tuple[float, float]:
        """The pair that a `Finding` takes as its interval."""
        return self.low, self.high


def bootstrap(
    statistics: ArrayLike,
    metric: Metric,
    *,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Bound a metric by resampling the samples.

    Args:
        statistics: One row per sample, shape (n, k), as from `paired` or `energies`.
        metric: From mean statistics of shape (..., k) to values of shape (...).
        resamples: Number of bootstrap resamples.
        seed: Of the resampling.
        level: Probability that the interval should hold the true value.

    Returns:
        The metric of all samples, and its interval. Resamples on which the metric is not defined
        (a correlation where all samples are one) are left out; a single sample bounds nothing,
        and the interval of one is NaN.

    Raises:
        ValueError: If there are no samples, or `level` is no probability.
    """
    rows = np.asarray(statistics, dtype=np.float64)
    if rows.ndim != 2 or len(rows) == 0:
        raise ValueError(
            f"statistics have the shape {rows.shape}; expected (samples, statistics) "
            "with at least one sample"
        )
    rng = np.random.default_rng(seed)
    count = len(rows)
    even = np.full(count, 1 / count)
    block = max(1, BLOCK // count)
    draws = [
        metric(rng.multinomial(count, even, size=min(block, resamples - done)) @ rows / count)
        for done in range(0, resamples, block)
    ]
    return _interval(float(metric(rows.mean(axis=0))), np.concatenate(draws), count, level)


def _interval(value: float, draws: Floats, count: int, level: float) -> Interval:
    """The expanded percentile interval of a value, given its resampled values."""
    if not 0 < level < 1:
        raise ValueError(f"the level of an interval is between 0 and 1, got {level}")
    finite = draws[np.isfinite(draws)]
    if count < 2 or len(finite) == 0:
        return Interval(value, math.nan, math.nan)
    student = stats.t.ppf((1 + level) / 2, count - 1)
    tail = float(stats.norm.cdf(-student * math.sqrt(count / (count - 1))))
    low, high = np.quantile(finite, [tail, 1 - tail])
    return Interval(value, float(low), float(high))


# ------------------------------------------------------------------------------- statistics
def paired(truth: ArrayLike, predicted: ArrayLike) -> Floats:
    """Statistics of one scalar per sample: what `bias` to `pearson` are functions of.

    Args:
        truth: True values y, shape (n,).
        predicted: Predicted values p, shape (n,).

    Returns:
        Columns e, |e|, e², y, p, y², p², y p with e = p - y; shape (n, 8).

    Raises:
        ValueError: If the shapes differ.
    """
    y, p = _alike(truth, predicted)
    e = p - y
    return np.stack([e, np.abs(e), e**2, y, p, y**2, p**2, y * p], axis=1)


def energies(truth: ArrayLike, predicted: ArrayLike, weights: ArrayLike | None = None) -> Floats:
    """Statistics of one field of one sample: the row that `relative_l2` is a function of.

    Args:
        truth: The true field y, shape (points,) or (points, components).
        predicted: The predicted field p, of the same shape.
        weights: What each point stands for, as its area; shape (points,). Even if None.

    Returns:
        Σ w |p - y|² and Σ w |y|², shape (2,). Rows of several parts of one sample add up.

    Raises:
        ValueError: If the shapes differ.
    """
    y, p = np.asarray(truth, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    w = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=np.float64)
    if y.shape != p.shape or w.shape != y.shape[:1]:
        raise ValueError(
            f"truth {y.shape}, prediction {p.shape} and weights {w.shape} do not belong together; "
            "expected equal shapes, and one weight per point"
        )
    error, size = (p - y).reshape(len(y), -1), y.reshape(len(y), -1)
    return np.array([w @ (error**2).sum(axis=1), w @ (size**2).sum(axis=1)])


# ---------------------------------------------------------------------------------- metrics
def bias(means: Floats) -> Floats:
    """Mean error, of `paired` statistics."""
    return means[..., 0]


def mae(means: Floats) -> Floats:
    """Mean absolute error, of `paired` statistics."""
    return means[..., 1]


def rmse(means: Floats) -> Floats:
    """Root of the mean squared error, of `paired` statistics."""
    return np.sqrt(means[..., 2])


def r2(means: Floats) -> Floats:
    """Coefficient of determination 1 - Σ(p-y)² / Σ(y-ȳ)², of `paired` statistics."""
    return 1 - _ratio(means[..., 2], means[..., 5] - means[..., 3] ** 2)


def pearson(means: Floats) -> Floats:
    """Correlation of truth and prediction, of `paired` statistics."""
    y, p, yy, pp, yp = (means[..., column] for column in range(3, 8))
    spread = np.maximum(yy - y**2, 0) * np.maximum(pp - p**2, 0)
    return _ratio(yp - y * p, np.sqrt(spread))


def relative_l2(means: Floats) -> Floats:
    """Relative L2 error sqrt(Σ w |p-y|² / Σ w |y|²), of `energies` statistics.

    Of one row it is the error of that sample; of a mean of rows, that of all samples together.
    """
    return np.sqrt(_ratio(means[..., 0], means[..., 1]))


def spearman(
    truth: ArrayLike,
    predicted: ArrayLike,
    *,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Rank correlation: whether the prediction orders the samples as the truth does.

    Args:
        truth: True values, shape (n,).
        predicted: Predicted values, shape (n,).
        resamples: Number of bootstrap resamples.
        seed: Of the resampling.
        level: Probability that the interval should hold the true value.

    Returns:
        Spearman's ρ, ties sharing their mean rank, and its interval.

    Raises:
        ValueError: If the shapes differ.
    """
    pair = np.stack(_alike(truth, predicted))
    count = pair.shape[1]
    rng = np.random.default_rng(seed)
    block = max(1, BLOCK // count)
    draws = [
        _rank_correlation(pair[:, rng.integers(count, size=(min(block, resamples - done), count))])
        for done in range(0, resamples, block)
    ]
    return _interval(float(_rank_correlation(pair)), np.concatenate(draws), count, level)


def _rank_correlation(pair: Floats) -> Floats:
    """Spearman's ρ along the last axis of (2, ..., n)."""
    ranks = stats.rankdata(pair, axis=-1)
    y, p = ranks - ranks.mean(axis=-1, keepdims=True)
    return _ratio((y * p).sum(-1), np.sqrt((y**2).sum(-1) * (p**2).sum(-1)))


def _alike(truth: ArrayLike, predicted: ArrayLike) -> tuple[Floats, Floats]:
    """Both as one float64 value per sample."""
    y, p = np.asarray(truth, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if y.shape != p.shape or y.ndim != 1 or len(y) == 0:
        raise ValueError(
            f"truth {y.shape} and prediction {p.shape} do not belong together; "
            "expected one value of each per sample"
        )
    return y, p


def _ratio(above: Floats, below: Floats) -> Floats:
    """Quotient that is NaN, silently, where the divisor is not positive."""
    quotient: Floats = np.full(np.shape(below), np.nan)
    return np.divide(above, below, out=quotient, where=np.asarray(below) > 0)
