"""Whether the rare values are as far out as they should be.

Quantiles are those of all cells of all cases together; where a field lies is no matter here, that
is what errors are for. As a number that needs no zero (kelvins have one by convention only), a tail
reaches from the median to a quantile,

    reach(p) = q(p) - q(1/2),

and the ratio of two reaches is 1 if rare values are as rare as they should be, less if a model is
too timid.
"""

from collections.abc import Sequence

import numpy as np

from ansatz.report.statistics import Floats

LEVELS = (0.001, 0.01, 0.99, 0.999)


def quantiles(fields: Sequence[Floats], levels: Sequence[float] = LEVELS) -> Floats:
    """Quantiles of all values of some fields together, shape (levels,)."""
    values = np.concatenate([field.ravel() for field in fields])
    found: Floats = np.quantile(values, list(levels))
    return found


def reach_ratio(fields: Sequence[Floats], truths: Sequence[Floats], level: float) -> float:
    """How far a tail reaches from the median, over how far the true one does.

    Args:
        fields: Predicted.
        truths: True.
        level: Of the quantile: 0.999 is the upper tail, 0.001 the lower one.

    Returns:
        NaN where the true tail has no length, as the lower one of rain.
    """
    mine, true = quantiles(fields, (0.5, level)), quantiles(truths, (0.5, level))
    length = true[1] - true[0]
    return float((mine[1] - mine[0]) / length) if length else float("nan")
