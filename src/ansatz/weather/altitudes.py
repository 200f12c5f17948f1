"""The altitudes of the Earth's surface that come with pvlib, on 5 arc minutes.

`pvlib/data/Altitude.h5` (BSD-3-Clause; from the Matlab library of PVLIB) has one byte for each
cell, row 0 at the north pole and column 0 at 180° W:

    altitude = 28 m * byte - 450 m, and 255 where there is none, at sea

(pvlib/location.py, `lookup_altitude`). Sea counts as 0 m here.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ansatz.core.errors import require

if TYPE_CHECKING:
    import xarray as xr

ALTITUDES = "Altitude.h5"
STEP, LOWEST, NONE = 28, -450, 255  # m, m, a byte


def altitudes(path: Path) -> "xr.Dataset":
    """Altitudes, m, as `altitude` (lat, lon), at the centers of the cells."""
    h5py = require("h5py", "weather", "reading altitudes")
    xarray = require("xarray", "weather", "reading altitudes")
    with h5py.File(path) as file:
        stored = file["Altitude"][:]
    rows, columns = stored.shape
    meters = np.where(stored == NONE, 0, STEP * stored.astype(np.int16) + LOWEST)
    made: xr.Dataset = xarray.Dataset(
        {"altitude": (("lat", "lon"), meters.astype(np.float32), {"units": "m"})},
        {
            "lat": 90 - (np.arange(rows) + 0.5) * 180 / rows,
            "lon": -180 + (np.arange(columns) + 0.5) * 360 / columns,
        },
    )
    return made
