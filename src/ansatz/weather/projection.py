"""Places on a map, back on the Earth: the Lambert azimuthal equal-area projection.

On an ellipsoid of semi-axes a and b, e² = 1 - b²/a², a point of geodetic latitude φ has the
authalic latitude β, sin β = q(φ)/q(90°), with

    q(φ) = (1 - e²) [sin φ / (1 - e² sin² φ) - ln((1 - e sin φ) / (1 + e sin φ)) / 2e]

on a sphere of radius R = a √(q(90°)/2) and the same area. The plane touches at φ₀, λ₀, and is
stretched there by D so that the scale is true (Snyder, Map Projections: A Working Manual, 1987,
eqs. 24-16 to 24-26, 3-12, 3-18).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

EQUAL_AREA = "lambert_azimuthal_equal_area"


@dataclass(frozen=True)
class EqualArea:
    """A Lambert azimuthal equal-area map.

    Attributes:
        lat, lon: Of its origin, degrees; not a pole.
        a, b: Semi-axes of the ellipsoid, m; those of WGS 84.
        x, y: False easting and northing, m.
    """

    lat: float
    lon: float
    a: float = 6378137.0
    b: float = 6356752.314245
    x: float = 0.0
    y: float = 0.0

    def degrees(self, x: Float64, y: Float64) -> tuple[Float64, Float64]:
        """Latitudes and longitudes, degrees, of places on the map, m."""
        e2 = 1 - (self.b / self.a) ** 2
        phi_0 = np.radians(self.lat)
        q_p = _q(np.float64(np.pi / 2), e2)
        beta_0 = np.arcsin(_q(phi_0, e2) / q_p)
        radius = self.a * np.sqrt(q_p / 2)
        d = self.a * np.cos(phi_0) / np.sqrt(1 - e2 * np.sin(phi_0) ** 2)
        d /= radius * np.cos(beta_0)
        # On the sphere, c is the angle from the origin, and theta the bearing from the north.
        east, north = (x - self.x) / d, d * (y - self.y)
        c = 2 * np.arcsin(np.hypot(east, north) / (2 * radius))
        theta = np.arctan2(east, north)
        sine = np.cos(c) * np.sin(beta_0) + np.sin(c) * np.cos(beta_0) * np.cos(theta)
        away = np.arctan2(
            np.sin(c) * np.sin(theta),
            np.cos(c) * np.cos(beta_0) - np.sin(c) * np.sin(beta_0) * np.cos(theta),
        )
        return np.degrees(_geodetic(np.arcsin(sine), e2)), self.lon + np.degrees(away)


def equal_area(told: Mapping[str, Any]) -> EqualArea:
    """A map from the attributes of a CF grid mapping (CF conventions 1.11, appendix F)."""
    radius = told.get("earth_radius", EqualArea.a)
    a = float(told.get("semi_major_axis", radius))
    if "inverse_flattening" in told:
        b = a - a / float(told["inverse_flattening"])
    else:
        b = float(told.get("semi_minor_axis", told.get("earth_radius", EqualArea.b)))
    return EqualArea(
        float(told["latitude_of_projection_origin"]),
        float(told["longitude_of_projection_origin"]),
        a,
        b,
        float(told.get("false_easting", 0)),
        float(told.get("false_northing", 0)),
    )


def _q(phi: Any, e2: float) -> Any:
    """The function q above, eq. 3-12."""
    e, s = np.sqrt(e2), np.sin(phi)
    return (1 - e2) * (s / (1 - e2 * s**2) + (np.arctanh(e * s) / e if e else s))


def _geodetic(beta: Float64, e2: float) -> Float64:
    """Geodetic latitudes of authalic ones, rad: the series of eq. 3-18, below 1e-8 rad wrong."""
    e4, e6 = e2**2, e2**3
    found: Float64 = (
        beta
        + (e2 / 3 + 31 * e4 / 180 + 517 * e6 / 5040) * np.sin(2 * beta)
        + (23 * e4 / 360 + 251 * e6 / 3780) * np.sin(4 * beta)
        + (761 * e6 / 45360) * np.sin(6 * beta)
    )
    return found
