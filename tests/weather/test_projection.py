"""The equal-area map against Snyder's worked example, areas on the ellipsoid, and the sphere."""

import numpy as np
import pytest

from ansatz.weather.projection import EqualArea, equal_area

BRITAIN = EqualArea(54.9, -2.5)


def test_snyders_numerical_example():
    """Map Projections: A Working Manual, p. 333: Clarke's ellipsoid, 40° N 100° W."""
    a = 6378206.4
    map_ = EqualArea(40.0, -100.0, a, a * np.sqrt(1 - 0.00676866))
    lat, lon = map_.degrees(np.array([-965932.1]), np.array([-1056814.9]))
    assert lat[0] == pytest.approx(30.0, abs=1e-6)
    assert lon[0] == pytest.approx(-110.0, abs=1e-6)


def test_equal_areas_of_the_map_are_equal_areas_of_the_ellipsoid():
    x, y = np.meshgrid(np.linspace(-4e5, 4e5, 5), np.linspace(-6e5, 6e5, 5))
    step = 50.0
    east = [BRITAIN.degrees(x + side * step, y) for side in (-1, 1)]
    north = [BRITAIN.degrees(x, y + side * step) for side in (-1, 1)]
    (lat_x, lon_x), (lat_y, lon_y) = (
        np.radians(np.subtract(pair[1], pair[0])) / (2 * step) for pair in (east, north)
    )
    lat = np.radians(BRITAIN.degrees(x, y)[0])
    e2 = 1 - (BRITAIN.b / BRITAIN.a) ** 2
    # Radii of curvature of the meridian and of the prime vertical (Snyder, eqs. 4-18, 4-20).
    meridian = BRITAIN.a * (1 - e2) / (1 - e2 * np.sin(lat) ** 2) ** 1.5
    vertical = BRITAIN.a / np.sqrt(1 - e2 * np.sin(lat) ** 2)
    area = np.abs(lon_x * lat_y - lon_y * lat_x) * meridian * vertical * np.cos(lat)
    np.testing.assert_allclose(area, 1, rtol=1e-6)


def test_distances_north_of_the_origin_are_chords_on_a_sphere():
    map_ = equal_area(
        {
            "latitude_of_projection_origin": 20.0,
            "longitude_of_projection_origin": 10.0,
            "earth_radius": 6.4e6,
            "false_easting": 5e5,
        }
    )
    away = np.radians([0.0, 15.0, 40.0])
    lat, lon = map_.degrees(np.full(3, 5e5), 2 * 6.4e6 * np.sin(away / 2))
    np.testing.assert_allclose(lat, [20, 35, 60], atol=1e-9)
    np.testing.assert_allclose(lon, 10, atol=1e-9)


def test_an_ellipsoid_may_be_told_by_its_flattening():
    origin = {"latitude_of_projection_origin": 54.9, "longitude_of_projection_origin": -2.5}
    told = equal_area(origin | {"semi_major_axis": 6378137.0, "inverse_flattening": 298.257223563})
    assert told.b == pytest.approx(BRITAIN.b, abs=1e-3)
    assert equal_area(origin) == BRITAIN
