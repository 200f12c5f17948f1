"""Ensembles as NetCDF, by the CF conventions 1.8 and in the groups that CorrDiff's scoring reads.

    root         lat, lon(y, x); time(time)
    input        each input (time, y_in, x_in)
    truth        each output (time, y, x), if it is known
    prediction   each output (ensemble, time, y, x)
    mean         each output (time, y, x), of the first stage

Dimensions are those of the root, so `xarray.open_dataset(path, group="prediction")` merges with it.
Source of the layout: NVIDIA/physicsnemo, examples/weather/corrdiff (`score_samples.py`).
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ansatz.core.artifacts import atomic
from ansatz.core.errors import require
from ansatz.weather.channels import Channel

if TYPE_CHECKING:
    from ansatz.weather.answer import Ensemble

EPOCH = "hours since 1970-01-01 00:00:00"
# Of https://cfconventions.org/standard-names.html, for names that ECMWF and others use.
STANDARD_NAMES = {
    **dict.fromkeys(("2t", "t2m"), "air_temperature"),
    **dict.fromkeys(("10u", "u10m"), "x_wind"),
    **dict.fromkeys(("10v", "v10m"), "y_wind"),
    "10si": "wind_speed",
    "gust": "wind_speed_of_gust",
    "msl": "air_pressure_at_mean_sea_level",
    "sp": "surface_air_pressure",
    "2d": "dew_point_temperature",
    "2r": "relative_humidity",
}
DEFLATE = {"compression": "gzip", "compression_opts": 4, "shuffle": True}


def write_ensemble(answer: "Ensemble", path: Path) -> None:
    """Write an ensemble, whole or not at all.

    Raises:
        OSError: If the disk refuses.
        ValueError: If the library for NetCDF is not installed.
    """
    h5netcdf = require("h5netcdf", "weather", "writing a NetCDF file")
    with atomic(path) as part, h5netcdf.File(part, "w") as file:
        _write_root(file, answer)
        channels = answer.channels
        _write_group(file, "input", channels.inputs, answer.coarse[:, None], ("y_in", "x_in"))
        _write_group(file, "mean", channels.outputs, answer.mean[:, None])
        members = answer.members.transpose(1, 0, 2, 3)[:, :, None]
        _write_group(file, "prediction", channels.outputs, members)
        if answer.truth is not None:
            _write_group(file, "truth", channels.outputs, answer.truth[:, None])


def _write_root(file: Any, answer: "Ensemble") -> None:
    members, _, height, width = answer.members.shape
    file.dimensions = {
        "time": 1,
        "ensemble": members,
        "y": height,
        "x": width,
        "y_in": answer.coarse.shape[1],
        "x_in": answer.coarse.shape[2],
    }
    file.attrs["Conventions"] = "CF-1.8"
    file.attrs["title"] = "Ensemble of fine fields, from coarse ones"
    file.attrs["region"] = answer.region
    file.attrs["cfg"] = f"members={members} evaluations={answer.evaluations}"
    hours = hours_since_1970(answer.time)
    about = {"standard_name": "time", "units": EPOCH, "calendar": "standard", "axis": "T"}
    _write(file, "time", ("time",), np.array([hours]), about)
    numbers = np.arange(members, dtype=np.int32)
    _write(file, "ensemble", ("ensemble",), numbers, {"standard_name": "realization"})
    unknown = np.full((height, width), np.nan, np.float32)
    for name, values, long, unit in (
        ("lat", answer.lat, "latitude", "degrees_north"),
        ("lon", answer.lon, "longitude", "degrees_east"),
    ):
        about = {"standard_name": long, "units": unit}
        _write(file, name, ("y", "x"), unknown if values is None else values, about)


def _write_group(
    file: Any,
    name: str,
    channels: tuple[Channel, ...],
    values: NDArray[np.float32],
    grid: tuple[str, str] = ("y", "x"),
) -> None:
    """Write a variable per channel; `values` has them first, then time and the grid last."""
    group = file.create_group(name)
    dims = (*(("ensemble",) if values.ndim == 5 else ()), "time", *grid)
    for channel, array in zip(channels, values, strict=True):
        about = {"long_name": channel.label, "units": channel.unit or "1"}
        if channel.name in STANDARD_NAMES:
            about["standard_name"] = STANDARD_NAMES[channel.name]
        if grid == ("y", "x"):
            about["coordinates"] = "lat lon"
        _write(group, channel.label, dims, array, about)


def _write(
    group: Any, name: str, dims: tuple[str, ...], values: NDArray[Any], about: dict[str, str]
) -> None:
    shuffled = DEFLATE if values.size > 1 else {}
    variable = group.create_variable(name, dims, values.dtype, data=values, **shuffled)
    variable.attrs.update(about)


def hours_since_1970(time: str) -> float:
    """An ISO 8601 time of UTC as hours; NaN if it is not known."""
    if not time:
        return float("nan")
    moment = datetime.fromisoformat(time)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() / 3600
