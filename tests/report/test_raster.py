import numpy as np
import pytest

from ansatz.report import raster


def brute_force(corners, height, width):
    """Owner of each pixel by barycentric coordinates, one triangle and pixel at a time."""
    owner, front = np.full((height, width), -1), np.full((height, width), -np.inf)
    for index, triangle in enumerate(corners):
        to_plane = np.vstack([triangle[:, :2].T, np.ones(3)])
        for row in range(height):
            for column in range(width):
                share = np.linalg.solve(to_plane, [column + 0.5, row + 0.5, 1])
                depth = share @ triangle[:, 2]
                if share.min() >= 0 and depth > front[row, column]:
                    owner[row, column], front[row, column] = index, depth
    return owner, front


def test_random_triangles_agree_with_testing_every_pixel():
    corners = np.random.default_rng(0).uniform(-4, 24, (12, 3, 3))
    owner, front = raster.visible(corners, 16, 20)
    expected_owner, expected_front = brute_force(corners, 16, 20)
    np.testing.assert_array_equal(owner, expected_owner)
    np.testing.assert_allclose(front, expected_front)


def test_blocks_of_fragments_make_no_difference(monkeypatch):
    corners = np.random.default_rng(1).uniform(0, 30, (40, 3, 3))
    whole = raster.visible(corners, 30, 30)
    monkeypatch.setattr(raster, "BLOCK", 17)
    for part, expected in zip(raster.visible(corners, 30, 30), whole, strict=True):
        np.testing.assert_array_equal(part, expected)


def test_triangles_that_interlock_swap_where_they_cross():
    rising = [[0, 0, 0], [40, 0, 40], [0, 200, 0]]
    falling = [[0, 0, 40], [40, 0, 0], [0, 200, 40]]
    owner, _ = raster.visible(np.array([rising, falling], dtype=float), 1, 40)
    np.testing.assert_array_equal(owner[0, :20], 1)
    np.testing.assert_array_equal(owner[0, 20:39], 0)


def test_triangles_with_a_common_edge_leave_no_gap_and_do_not_overlap():
    rng = np.random.default_rng(2)
    center = np.array([*rng.uniform(20, 40, 2), 0])
    rim = np.array([[0, 0, 0], [60, 0, 0], [60, 60, 0], [0, 60, 0]], dtype=float)
    fan = np.stack([[rim[i], rim[(i + 1) % 4], center] for i in range(4)])
    owner, _ = raster.visible(fan, 60, 60)
    assert (owner >= 0).all()
    alone = [(raster.visible(fan[i : i + 1], 60, 60)[0] >= 0).sum() for i in range(4)]
    assert sum(alone) == 3600


def test_an_edge_through_pixel_centers_has_no_pinholes():
    low, high = 1.8, 118.2  # the diagonal meets centers, and neither end is a binary fraction
    a, b, c, d = [low, low, 0], [high, low, 0], [high, high, 0], [low, high, 0]
    for square in ([[a, b, d], [d, b, c]], [[a, b, d], [b, c, d]], [[a, b, c], [a, c, d]]):
        owner, _ = raster.visible(np.array(square), 120, 120)
        assert (owner[2:118, 2:118] >= 0).all()


def test_linear_values_are_continued_exactly():
    corners = np.random.default_rng(3).uniform(0, 50, (5, 3, 3))
    owner, _ = raster.visible(corners, 50, 50)
    values = 3 + 2 * corners[:, :, 0] - corners[:, :, 1]
    row, column = np.nonzero(owner >= 0)
    np.testing.assert_allclose(
        raster.interpolated(corners, values, owner), 3 + 2 * (column + 0.5) - (row + 0.5)
    )


@pytest.mark.parametrize("flat", [[[1, 1, 0]] * 3, [[0, 2.5, 0], [9, 2.5, 0], [4, 2.5, 5]]])
def test_triangles_without_area_cover_nothing(flat):
    owner, front = raster.visible(np.array([flat], dtype=float), 6, 10)
    assert (owner == -1).all()
    assert np.isneginf(front).all()
