"""Fields from a regular grid of latitudes and longitudes to any places."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RegularGridInterpolator

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

FLAT = 1e-4  # degrees, by which the latitudes of a row may differ


def is_regular(lat: Float32, lon: Float32) -> bool:
    """Whether each row has one latitude and each column one longitude."""
    away = around(lon.astype(np.float64), float(lon[0, 0]))
    return bool(np.ptp(lat, 1).max() < FLAT and np.ptp(away, 0).max() < FLAT)


def bilinear(
    name: str, known: tuple[Float32, Float32], asked: tuple[Float32, Float32]
) -> Callable[[Float32], Float64]:
    """A function from fields (..., y, x) of one grid to their values at other places.

    Args:
        name: Of the fields, for the message.
        known: Latitudes from south to north and longitudes of a regular grid, shape (y, x).
        asked: Of the places, shape (Y, X). Up to half a cell beyond the outermost centers the
            field goes on along the same line.

    Raises:
        ValueError: If the grid does not reach the places.
    """
    lat, lon = (one.astype(np.float64) for one in asked)
    middle = float(lon.flat[lon.size // 2])
    lon, east = around(lon, middle), around(known[1][0].astype(np.float64), middle)
    order = np.argsort(east)
    rows, columns = known[0][:, 0].astype(np.float64), east[order]
    covers(name, rows, lat, "latitudes")
    covers(name, columns, lon, "longitudes")

    def at_places(fields: Float32) -> Float64:
        grid = np.moveaxis(fields[..., order].astype(np.float64), (-2, -1), (0, 1))
        found = RegularGridInterpolator((rows, columns), grid, bounds_error=False, fill_value=None)
        values: Float64 = np.moveaxis(found((lat, lon)), (0, 1), (-2, -1))
        return values

    return at_places


def around(lon: Float64, middle: float) -> Float64:
    """Longitudes as degrees east of a meridian, between -180 and 180."""
    found: Float64 = (lon - middle + 180) % 360 - 180
    return found


def covers(name: str, known: Float64, asked: Float64, kind: str) -> None:
    """Refuse to go on beyond a grid by more than half a cell.

    Raises:
        ValueError: Saying by how much.
    """
    half = 0.5 * float(np.median(np.abs(np.diff(known))))
    beyond = max(known.min() - asked.min(), asked.max() - known.max())
    if beyond > half + 1e-4:
        raise ValueError(
            f"{name} does not cover the fine grid: its {kind} end {beyond:.2f} degrees inside it, "
            f"and may by half a cell, {half:.2f}. Cut the fine files"
        )
