import numpy as np
import pytest

from ansatz.report.statistics import bootstrap
from ansatz.weather.scores.blocks import interval, ratio


def mean(means):
    return means[..., 0]


def test_patches_of_one_time_add_nothing_to_what_is_known():
    draws = np.random.default_rng(0).normal(size=(12, 1))
    times = [f"2017-06-{day + 1:02}" for day in range(12)]
    once = interval(draws, times, mean)
    copied = interval(np.repeat(draws, 9, axis=0), np.repeat(times, 9), mean)
    assert (copied.value, *copied.ends) == pytest.approx((once.value, *once.ends))
    plain = bootstrap(draws, mean)
    assert (once.value, *once.ends) == pytest.approx((plain.value, *plain.ends))


def test_times_weigh_by_their_cases():
    rows = np.array([[1.0], [1.0], [1.0], [5.0]])
    assert interval(rows, ["a", "a", "a", "b"], mean).value == 2.0


def test_one_time_bounds_nothing():
    found = interval(np.array([[1.0], [3.0]]), ["a", "a"], mean)
    assert found.value == 2.0
    assert np.isnan(found.ends).all()


def test_a_model_that_is_always_a_tenth_better_is_known_to_be():
    errors = np.random.default_rng(1).gamma(2.0, 1.0, 20)
    found = interval(np.stack([0.9 * errors, errors], 1), [str(k) for k in range(20)], ratio)
    assert found.value == pytest.approx(0.9)
    np.testing.assert_allclose(found.ends, 0.9)
