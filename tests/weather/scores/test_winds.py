import numpy as np
import pytest

from ansatz.weather.scores.winds import divergence, speed, vorticity, wind_pairs

SPACING = 2500.0  # m
Y, X = np.meshgrid(SPACING * np.arange(9), SPACING * np.arange(12), indexing="ij")


def test_a_body_that_turns_has_twice_its_rate_as_vorticity_and_no_divergence():
    rate = 1e-4
    u, v = -rate * Y, rate * X
    np.testing.assert_allclose(vorticity(u, v, SPACING), 2 * rate)
    np.testing.assert_allclose(divergence(u, v, SPACING), 0, atol=1e-18)


def test_air_that_flows_out_has_divergence_and_no_vorticity():
    u, v = 2e-4 * X, 1e-4 * Y
    np.testing.assert_allclose(divergence(u, v, SPACING), 3e-4)
    np.testing.assert_allclose(vorticity(u, v, SPACING), 0, atol=1e-18)
    assert divergence(u, v, SPACING).shape == (7, 10)


def test_both_are_second_order():
    def error(cells):
        y, x = np.meshgrid(*2 * [np.linspace(0, 1, cells)], indexing="ij")
        u, v = np.sin(3 * x) * np.cos(2 * y), np.cos(x) * np.sin(4 * y)
        exact = 3 * np.cos(3 * x) * np.cos(2 * y) + 4 * np.cos(x) * np.cos(4 * y)
        found = divergence(u, v, 1 / (cells - 1))
        return np.abs(found - exact[1:-1, 1:-1]).max()

    assert error(21) / error(41) == pytest.approx(4, rel=0.1)


def test_speed_is_the_length_of_the_wind():
    np.testing.assert_allclose(speed(np.array([3.0]), np.array([-4.0])), 5.0)


@pytest.mark.parametrize(
    ("names", "pairs"),
    [
        (["10u", "10v", "2t"], [(0, 1)]),
        (["2t", "v10", "u10"], [(2, 1)]),
        (["u850", "gust", "v850", "10u", "10v"], [(0, 2), (3, 4)]),
        (["10si", "gust"], []),
    ],
)
def test_winds_are_known_by_their_names(names, pairs):
    assert wind_pairs(names) == pairs
