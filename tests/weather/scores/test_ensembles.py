import math

import numpy as np
import pytest
import scoringrules
from pysteps.verification import ensscores

from ansatz.weather.scores.ensembles import (
    crps,
    energy_score,
    expected_square,
    rank_histogram,
    reliability_index,
    spread_skill,
)

RNG = np.random.default_rng(5)
MEMBERS = RNG.normal(2.0, 3.0, (7, 4, 5, 6))
TRUTH = RNG.normal(2.5, 3.0, (4, 5, 6))


def test_the_crps_is_the_fair_one_of_scoringrules():
    theirs = scoringrules.crps_ensemble(TRUTH, MEMBERS, m_axis=0, estimator="fair", backend="numpy")
    np.testing.assert_allclose(crps(MEMBERS, TRUTH), theirs, atol=1e-13)


def test_the_energy_score_is_the_fair_one_of_scoringrules():
    theirs = scoringrules.es_ensemble(
        np.moveaxis(TRUTH, 0, -1),
        np.moveaxis(MEMBERS, (0, 1), (-2, -1)),
        estimator="fair",
        backend="numpy",
    )
    np.testing.assert_allclose(energy_score(MEMBERS, TRUTH), theirs, atol=1e-13)


def test_of_one_member_both_scores_are_its_error():
    np.testing.assert_array_equal(crps(MEMBERS[:1], TRUTH), np.abs(MEMBERS[0] - TRUTH))
    np.testing.assert_allclose(
        energy_score(MEMBERS[:1], TRUTH), np.linalg.norm(MEMBERS[0] - TRUTH, axis=0)
    )


def test_the_energy_score_of_numbers_is_their_crps():
    np.testing.assert_allclose(
        energy_score(MEMBERS[:, :1], TRUTH[:1]), crps(MEMBERS[:, 0], TRUTH[0]), atol=1e-13
    )


@pytest.mark.parametrize("size", [2, 5, 40])
def test_a_normal_ensemble_scores_the_same_on_average_whatever_its_size(size):
    rng = np.random.default_rng(size)
    draws = crps(rng.standard_normal((size, 400_000 // size)), np.zeros(400_000 // size))
    # Gneiting et al., Mon. Weather Rev. 133, 2005, equation 5, at the center of a standard normal.
    exact = 2 / math.sqrt(2 * math.pi) - 1 / math.sqrt(math.pi)
    assert abs(draws.mean() - exact) < 4 * draws.std() / math.sqrt(draws.size)


@pytest.mark.parametrize("size", [2, 8])
def test_a_reliable_ensemble_has_a_spread_skill_ratio_of_one(size):
    rng = np.random.default_rng(1)
    center = rng.normal(0, 5, 200_000)
    members = center + rng.standard_normal((size, center.size))
    truth = center + rng.standard_normal(center.size)
    error = (members.mean(0) - truth) ** 2
    ratio = spread_skill(expected_square(members).mean(), error.mean())
    assert ratio == pytest.approx(1.0, abs=0.01)
    assert spread_skill(expected_square(members / 2).mean(), error.mean()) == pytest.approx(
        0.5, abs=0.01
    )


def test_one_member_has_no_spread():
    assert not expected_square(MEMBERS[:1]).any()


def test_ranks_without_ties_are_those_of_pysteps():
    theirs = ensscores.rankhist(MEMBERS[:, 0], TRUTH[0], normalize=False)
    np.testing.assert_array_equal(
        rank_histogram(MEMBERS[:, 0], TRUTH[0], np.random.default_rng(0)), theirs
    )


def test_a_truth_among_dry_members_has_every_open_rank_alike():
    dry = np.zeros((3, 40_000))
    dry[2] = 1.0  # rains everywhere; the truth and two members do not
    counts = rank_histogram(dry, np.zeros(40_000), np.random.default_rng(0))
    np.testing.assert_allclose(counts / 40_000, [1 / 3, 1 / 3, 1 / 3, 0], atol=0.01)


def test_even_ranks_are_reliable_and_a_single_one_is_the_worst():
    assert reliability_index(np.full(9, 12.0)) == 0
    # All in one of n bins: 1 - 1/n in it and 1/n in each of the other n - 1.
    assert reliability_index(np.array([0.0, 0.0, 0.0, 20.0])) == pytest.approx(1.5)
