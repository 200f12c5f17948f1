import math

import numpy as np
import pytest

from ansatz.weather.scores.tails import quantiles, reach_ratio

FIELD = np.random.default_rng(0).exponential(2.0, (30, 40))


def test_quantiles_of_an_exponential_are_known():
    many = [np.random.default_rng(seed).exponential(2.0, (300, 300)) for seed in range(5)]
    expected = [-2 * math.log1p(-p) for p in (0.5, 0.99, 0.999)]
    np.testing.assert_allclose(quantiles(many, (0.5, 0.99, 0.999)), expected, rtol=0.03)


def test_fields_of_any_shape_are_one_heap_of_values():
    assert quantiles([FIELD[:10], FIELD[10:]], (0.9,)) == quantiles([FIELD.T], (0.9,))


@pytest.mark.parametrize("level", [0.001, 0.99])
def test_a_tail_pulled_to_the_median_by_half_reaches_half_as_far(level):
    timid = np.median(FIELD) + (FIELD - np.median(FIELD)) / 2
    assert reach_ratio([timid], [FIELD], level) == pytest.approx(0.5)


def test_no_zero_is_needed():
    assert reach_ratio([1.2 * FIELD + 273.15], [FIELD], 0.999) == pytest.approx(1.2)


def test_rain_has_no_lower_tail():
    assert math.isnan(reach_ratio([FIELD], [np.maximum(FIELD - 5, 0)], 0.01))
