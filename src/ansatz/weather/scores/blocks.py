"""Intervals over times: all patches and members of a time are one draw of the weather.

Neighboring patches, and members of one ensemble, share their weather, so that resampling them alone
would make intervals far too narrow. Rows of one time are added up, and times are resampled
(`ansatz.report.statistics.bootstrap`). One time bounds nothing: its interval is NaN.
"""

from collections.abc import Sequence

import numpy as np

from ansatz.report.statistics import Floats, Interval, Metric, bootstrap


def interval(
    rows: Floats, times: Sequence[str], metric: Metric, *, resamples: int = 2000
) -> Interval:
    """Bound a metric of mean statistics by resampling times.

    Two models are compared by putting their statistics side by side in one row: then both meet the
    same times in each resample.

    Args:
        rows: Statistics of each case, shape (cases, k).
        times: The time of each case.
        metric: From mean statistics (..., k) to values (...).
        resamples: Of the bootstrap.
    """
    found, place = np.unique(np.asarray(times), return_inverse=True)
    counted = np.column_stack([rows, np.ones(len(rows))])
    sums = np.stack([np.bincount(place, column, len(found)) for column in counted.T], axis=1)
    return bootstrap(
        sums, lambda means: metric(means[..., :-1] / means[..., -1:]), resamples=resamples
    )


def ratio(means: Floats) -> Floats:
    """The first statistic over the second: of two models' errors, which is smaller."""
    return means[..., 0] / means[..., 1]
