import math

import numpy as np
import pytest
from scipy import stats

from ansatz.report import statistics as st


@pytest.fixture
def pair():
    rng = np.random.default_rng(1)
    truth = rng.normal(3.0, 2.0, 40)
    return truth, 0.9 * truth + rng.normal(0.5, 0.7, 40)


def test_metrics_of_mean_statistics_are_their_textbook_formulas(pair):
    truth, predicted = pair
    means = st.paired(truth, predicted).mean(axis=0)
    error = predicted - truth
    assert st.bias(means) == pytest.approx(np.mean(error))
    assert st.mae(means) == pytest.approx(np.mean(np.abs(error)))
    assert st.rmse(means) == pytest.approx(np.sqrt(np.mean(error**2)))
    assert st.r2(means) == pytest.approx(1 - np.var(truth - predicted) / np.var(truth)
                                         - np.mean(error) ** 2 / np.var(truth))  # fmt: skip
    assert st.pearson(means) == pytest.approx(stats.pearsonr(truth, predicted).statistic)


def test_rank_correlation_agrees_with_scipy_where_values_tie():
    rng = np.random.default_rng(2)
    truth, predicted = rng.integers(0, 6, 30), rng.integers(0, 6, 30)
    ours = st.spearman(truth, predicted, resamples=50)
    assert ours.value == pytest.approx(stats.spearmanr(truth, predicted).statistic)
    assert ours.low < ours.value < ours.high


def test_a_perfect_prediction_has_a_score_of_one_and_no_width(pair):
    truth, _ = pair
    assert st.bootstrap(st.paired(truth, truth), st.r2, resamples=100) == st.Interval(1, 1, 1)
    assert st.spearman(truth, truth, resamples=100).ends == pytest.approx((1.0, 1.0))


def test_predicting_the_mean_scores_zero(pair):
    truth, _ = pair
    means = st.paired(truth, np.full_like(truth, truth.mean())).mean(axis=0)
    assert st.r2(means) == pytest.approx(0, abs=1e-12)


def test_statistics_of_halves_stack_to_those_of_the_whole(pair):
    truth, predicted = pair
    halves = [st.paired(truth[part], predicted[part]) for part in (slice(13), slice(13, None))]
    np.testing.assert_array_equal(np.concatenate(halves), st.paired(truth, predicted))


def test_energies_of_parts_of_a_field_add_up_to_the_norm_of_the_whole():
    rng = np.random.default_rng(3)
    truth, error, area = rng.normal(size=(50, 3)), rng.normal(size=(50, 3)), rng.random(50)
    rows = [st.energies(truth[p], (truth + error)[p], area[p]) for p in (slice(20), slice(20, 50))]
    weighted = np.sqrt(area)[:, None]
    expected = np.linalg.norm(weighted * error) / np.linalg.norm(weighted * truth)
    assert st.relative_l2(sum(rows)) == pytest.approx(expected)


def test_splitting_a_cell_in_two_does_not_change_the_weighted_error():
    truth, predicted, area = np.array([1.0, 4.0]), np.array([1.5, 3.0]), np.array([2.0, 6.0])
    split = [0, 1, 1]
    np.testing.assert_allclose(
        st.energies(truth[split], predicted[split], [2.0, 1.0, 5.0]),
        st.energies(truth, predicted, area),
    )


def test_the_interval_of_a_mean_has_the_width_of_students_t():
    values = np.random.default_rng(4).normal(size=25)
    found = st.bootstrap(st.paired(np.zeros(25), values), st.bias, resamples=20_000)
    exact = stats.t.interval(0.95, 24, values.mean(), values.std(ddof=1) / 5)
    assert found.value == pytest.approx(values.mean())
    np.testing.assert_allclose(found.ends, exact, atol=0.03)


@pytest.mark.parametrize("count", [8, 30])
def test_intervals_hold_the_true_mean_about_as_often_as_they_say(count):
    rng = np.random.default_rng(5)
    trials = 500
    found = [
        st.bootstrap(
            st.paired(np.zeros(count), rng.normal(size=count)), st.bias, resamples=400, seed=trial
        )
        for trial in range(trials)
    ]
    share = np.mean([each.low <= 0 <= each.high for each in found])
    # Three standard errors of a share of 500 trials are 0.03.
    assert share == pytest.approx(0.95, abs=0.03)


def test_the_same_seed_gives_the_same_interval_whatever_the_block(pair, monkeypatch):
    rows = st.paired(*pair)
    whole = st.bootstrap(rows, st.rmse, resamples=300, seed=7)
    monkeypatch.setattr(st, "BLOCK", 40 * 100)
    assert st.bootstrap(rows, st.rmse, resamples=300, seed=7) == whole


def test_one_sample_bounds_nothing():
    interval = st.bootstrap(st.paired([1.0], [1.5]), st.mae)
    assert interval.value == 0.5
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)


def test_resamples_without_a_correlation_are_left_out():
    interval = st.spearman([1.0, 2.0, 3.0], [1.0, 3.0, 2.0], resamples=200)
    assert interval.value == pytest.approx(0.5)
    assert -1 <= interval.low <= interval.high <= 1


def test_samples_that_do_not_belong_together_are_refused():
    with pytest.raises(ValueError, match="one value of each per sample"):
        st.paired([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="one weight per point"):
        st.energies(np.ones((4, 3)), np.ones((4, 3)), np.ones(3))
    with pytest.raises(ValueError, match="at least one sample"):
        st.bootstrap(np.empty((0, 2)), st.relative_l2)
    with pytest.raises(ValueError, match="between 0 and 1, got 95"):
        st.bootstrap(np.ones((3, 1)), st.bias, level=95)
