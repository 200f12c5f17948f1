import math

import numpy as np
import pytest

from ansatz.report import bands


def test_coverage_counts_both_ends_of_an_interval():
    assert bands.coverage([1.0, 2.0, 3.0, 4.0], 1.0, [1.0, 2.5, 2.9, 4.0]) == 0.75


def test_the_conformal_quantile_is_the_ranked_residual():
    residuals = np.arange(1.0, 10.0)
    assert bands.conformal_quantile(residuals, 0.9) == 9
    assert bands.conformal_quantile(residuals, 0.5) == 5
    assert bands.conformal_quantile(residuals[:-1], 0.9) == math.inf
    assert bands.conformal_quantile(np.arange(1.0, 100.0), 0.55) == 55


def test_conformal_intervals_cover_new_samples_at_the_finite_sample_rate():
    rng = np.random.default_rng(6)
    count, level = 15, 0.8
    covered = [
        np.mean(
            rng.exponential(size=50) <= bands.conformal_quantile(rng.exponential(size=count), level)
        )
        for _ in range(2000)
    ]
    assert np.mean(covered) == pytest.approx(math.ceil((count + 1) * level) / (count + 1), abs=0.01)


def test_a_level_in_percent_is_refused():
    with pytest.raises(ValueError, match="between 0 and 1, got 90"):
        bands.conformal_quantile([1.0], 90)
