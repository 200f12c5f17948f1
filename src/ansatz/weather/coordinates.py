"""Where the cells of a file are: latitudes, longitudes, and which row is in the south."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ansatz.weather.description import Files, Variable
from ansatz.weather.projection import EQUAL_AREA, equal_area

if TYPE_CHECKING:
    import xarray as xr

Float32 = NDArray[np.float32]

LATITUDE = ("lat", "latitude", "XLAT", "nav_lat")
LONGITUDE = ("lon", "longitude", "XLONG", "nav_lon")
EASTING = ("x", "projection_x_coordinate")
NORTHING = ("y", "projection_y_coordinate")


def coordinates(
    dataset: "xr.Dataset", files: Files, shape: tuple[int, int]
) -> tuple[Float32 | None, Float32 | None]:
    """Latitudes and longitudes of the cells in the order of the file, shape (y, x)."""
    if files.grid is not None:
        grid = files.grid
        lat = grid.south + grid.step * np.arange(shape[0])
        lon = grid.west + grid.step * np.arange(shape[1])
    else:
        found = [
            next((dataset[n].to_numpy() for n in names if n in dataset.variables), None)
            for names in (LATITUDE, LONGITUDE)
        ]
        if found[0] is None or found[1] is None:
            found = list(unprojected(dataset) or found)
        if found[0] is None or found[1] is None:
            return None, None
        # WRF writes them for every time.
        lat, lon = (v[0] if v.ndim == 3 else v for v in found if v is not None)
    if lat.ndim == 1:
        lat, lon = np.meshgrid(lat, lon, indexing="ij")
    return lat.astype(np.float32), lon.astype(np.float32)


def unprojected(
    dataset: "xr.Dataset",
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Latitudes and longitudes from a map projection, if the file has one that is known here."""
    x, y = (
        next((dataset[n].to_numpy() for n in names if n in dataset.variables), None)
        for names in (EASTING, NORTHING)
    )
    grids = (one.attrs for one in dataset.variables.values())
    grid = next((one for one in grids if one.get("grid_mapping_name") == EQUAL_AREA), None)
    if x is None or y is None or grid is None or x.ndim != 1 or y.ndim != 1:
        return None
    x, y = np.meshgrid(x.astype(np.float64), y.astype(np.float64))
    return equal_area(grid).degrees(x, y)


def is_north_first(
    dataset: "xr.Dataset", lat: Float32 | None, variable: Variable, rows: int
) -> bool:
    """Whether row 0 is the northern edge.

    Raises:
        ValueError: If the file does not say it.
    """
    if lat is not None:
        return bool(rows > 1 and lat[0].mean() > lat[-1].mean())
    name = next((n for n in NORTHING if n in dataset.variables), None)
    if name is None or dataset[name].ndim != 1:
        raise ValueError(
            f"the files of {variable.source} have no latitudes ({', '.join(LATITUDE)}), so nobody "
            "knows which row is in the south. Give `grid = { south, west, step }`"
        )
    values = dataset[name].to_numpy()
    return bool(values[0] > values[-1])
