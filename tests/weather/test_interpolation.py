import numpy as np
import pytest

from ansatz.weather.interpolation import bilinear, is_regular


def grid(south, west, step, rows, columns):
    lat, lon = south + step * np.arange(rows), west + step * np.arange(columns)
    return [one.astype(np.float32) for one in np.meshgrid(lat, lon, indexing="ij")]


def test_a_bilinear_field_is_the_same_at_any_place_across_the_date_line():
    known = grid(-10.0, 170.0, 2.5, 9, 9)
    known[1] = (known[1] + 180) % 360 - 180
    asked = grid(-9.3, 175.1, 0.7, 20, 14)

    def field(lat, lon):
        east = (lon - 170) % 360
        return 3 + 2 * lat - east + 0.5 * lat * east

    found = bilinear("it", known, asked)(np.stack([field(*known), -field(*known)]))
    assert found.shape == (2, 20, 14)
    np.testing.assert_allclose(found[0], field(*asked), atol=1e-4)
    np.testing.assert_allclose(found[1], -found[0])


def test_a_grid_ends_half_a_cell_beyond_its_centers():
    known = grid(50.0, 0.0, 1.0, 5, 5)
    bilinear("it", known, grid(49.5, -0.5, 0.5, 11, 11))
    with pytest.raises(ValueError, match=r"it does not cover .* longitudes end 0.60 degrees"):
        bilinear("it", known, grid(50.0, -0.6, 0.5, 9, 9))


def test_a_turned_grid_is_not_regular():
    lat, lon = grid(50.0, 0.0, 1.0, 5, 5)
    assert is_regular(lat, (lon + 358) % 360)
    assert not is_regular(lat + 0.01 * lon, lon)
    assert not is_regular(lat, lon + 0.01 * lat)
