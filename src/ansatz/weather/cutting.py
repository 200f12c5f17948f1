"""Cut the embedded winds of `weather/metcoop` out of the files of MET Norway.

    python -m ansatz.weather.cutting SOURCE src/ansatz/weather/embedded/metcoop

SOURCE holds `arome_subset_16Nov2015.nc` and `AROME_MetCoOp_00_DEF_20160202_subset.nc` of OpenDrift
1.14.12 (`tests/test_data`). Winds are rounded to 0.05 m/s, coordinates to 0.001 degrees; of the
first storm every second hour is kept. The same source gives the same fields.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansatz.core.errors import require

if TYPE_CHECKING:
    import xarray as xr

WIND_STEP = 0.05  # m/s
DEGREE_STEP = 1e-3
WINDS = {"x_wind_10m": "10u", "y_wind_10m": "10v"}


@dataclass(frozen=True)
class Storm:
    """A file to cut.

    Attributes:
        source: Its name.
        every: Hours to keep one of.
    """

    source: str
    every: int


STORMS = {
    "storm-2015": Storm("arome_subset_16Nov2015.nc", 2),
    "storm-2016": Storm("AROME_MetCoOp_00_DEF_20160202_subset.nc", 1),
}


def cut(source: Path, folder: Path) -> list[Path]:
    """Write a small file for each storm.

    Args:
        source: Folder of the original files.
        folder: Of the small ones.

    Returns:
        Their paths.
    """
    xarray = require("xarray", "weather", "cutting weather data")
    written = []
    for name, storm in STORMS.items():
        with xarray.open_dataset(source / storm.source) as found:
            small = compact(xarray, found.isel(time=slice(None, None, storm.every)))
            path = folder / f"{name}.nc"
            small.to_netcdf(path, engine="h5netcdf", encoding=packing(small))
            written.append(path)
    return written


def compact(xarray: Any, found: "xr.Dataset") -> "xr.Dataset":
    """The winds of a file with their coordinates, and where they are from."""
    unit = {"units": "m s-1"}
    winds = {
        name: (("time", "y", "x"), found[source].to_numpy(), unit | {"long_name": f"along {axis}"})
        for axis, (source, name) in zip("xy", WINDS.items(), strict=True)
    }
    places = {
        "lat": (("y", "x"), found["latitude"].to_numpy(), {"units": "degrees_north"}),
        "lon": (("y", "x"), found["longitude"].to_numpy(), {"units": "degrees_east"}),
    }
    small: xr.Dataset = xarray.Dataset(
        winds,
        coords={"time": found["time"].to_numpy(), **places},
        attrs={
            "title": "AROME-MetCoOp 2.5 km, wind at 10 m along the axes of the model's grid",
            "source": "Data from The Norwegian Meteorological Institute",
            "license": "CC BY 4.0",
            "changes": "rounded to 0.05 m/s",
        },
    )
    return small


def packing(small: "xr.Dataset") -> dict[str, dict[str, Any]]:
    """How each variable is stored: whole numbers of 16 bits, compressed."""
    how: dict[str, dict[str, Any]] = {}
    for name, step in (("10u", WIND_STEP), ("10v", WIND_STEP)):
        chunk = (1, *small[name].shape[1:])
        how[name] = packed(step) | {"chunksizes": chunk}
    for name in ("lat", "lon"):
        # Whole degrees, so that values are multiples of the step.
        middle = round(float(small[name].mean()))
        how[name] = packed(DEGREE_STEP) | {"add_offset": float(middle)}
    how["time"] = {"units": "hours since 1970-01-01", "dtype": "int32"}
    return how


def packed(step: float) -> dict[str, Any]:
    """Whole multiples of a step."""
    return {
        "dtype": "int16",
        "scale_factor": step,
        "_FillValue": -32768,
        "compression": "gzip",
        "compression_opts": 9,
        "shuffle": True,
    }


if __name__ == "__main__":
    for written in cut(Path(sys.argv[1]), Path(sys.argv[2])):
        print(f"{written} {written.stat().st_size:,} bytes")
