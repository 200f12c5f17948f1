import numpy as np
import pytest
from pysteps.verification.spatialscores import fss as pysteps_fss

from ansatz.weather.scores.fractions import cells_of, fraction_sums, fss, shares

RNG = np.random.default_rng(3)
RAIN = RNG.gamma(0.3, 2.0, (24, 30))
OTHER = RNG.gamma(0.3, 2.0, (24, 30))


@pytest.mark.parametrize("cells", [1, 3, 9])
def test_it_is_the_score_of_pysteps(cells):
    theirs = pysteps_fss(OTHER, RAIN, 0.5, cells)
    assert fss(fraction_sums(OTHER[None], RAIN, 0.5, cells)) == pytest.approx(theirs)


def test_shares_are_counted_in_squares_and_nothing_rains_beyond_the_edge():
    padded = np.pad(RAIN >= 0.5, 2)
    counted = [[padded[y : y + 5, x : x + 5].mean() for x in range(30)] for y in range(24)]
    np.testing.assert_allclose(shares(RAIN, 0.5, 5), counted, atol=1e-12)


def test_a_single_cell_of_rain_that_is_two_cells_off_scores_where_the_squares_meet():
    truth, moved = np.zeros((2, 21, 21))
    truth[10, 10] = moved[10, 12] = 1.0
    assert fss(fraction_sums(moved[None], truth, 0.5, 1)) == 0
    # Two squares of 5 x 5 share 3 x 5 cells: 1 - (2 * 10) / (2 * 25).
    assert fss(fraction_sums(moved[None], truth, 0.5, 5)) == pytest.approx(0.6)


def test_the_share_of_an_ensemble_is_its_probability():
    sums = fraction_sums(np.stack([RAIN, np.zeros_like(RAIN)]), RAIN, 0.5, 1)
    wet = float((RAIN >= 0.5).sum())
    np.testing.assert_allclose(sums, [wet / 4, wet * 5 / 4])


def test_sums_of_several_fields_add_up():
    first, second = np.pad(RAIN, 1), np.pad(OTHER, 1)  # dry where the squares would meet
    apart = fraction_sums(first[None], second, 1.0, 3) + fraction_sums(second[None], first, 1.0, 3)
    whole = fraction_sums(np.vstack([first, second])[None], np.vstack([second, first]), 1.0, 3)
    np.testing.assert_allclose(apart, whole)


def test_a_day_without_rain_has_no_score():
    dry = np.zeros((1, 8, 8))
    assert np.isnan(fss(fraction_sums(dry, dry[0], 0.1, 3)))


@pytest.mark.parametrize(("scale", "cells"), [(1, 1), (2.5, 1), (9, 3), (12.5, 5), (42, 17)])
def test_a_scale_is_an_odd_number_of_cells(scale, cells):
    assert cells_of(scale, 2.5) == cells
