"""Fields of files that xarray opens, on one convention.

Whatever a file's order, a field here is (members, y, x) in float32, row 0 in the south and column 0
in the west, at the time it is valid for. What cannot be put so is refused, and the message says
what the file has.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ansatz.core.errors import require, unknown
from ansatz.weather.altitudes import ALTITUDES, altitudes
from ansatz.weather.conversion import in_unit
from ansatz.weather.coordinates import coordinates, is_north_first
from ansatz.weather.description import Files, Variable

if TYPE_CHECKING:
    import xarray as xr

Float32 = NDArray[np.float32]

TIME = ("time", "valid_time", "Time", "t")
MEMBER = ("member", "number", "realization", "ensemble")
LEVEL = ("level", "isobaricInhPa", "plev", "pressure", "pressure_level", "lev")
LEAD = ("step", "forecast_period", "lead_time")
SECONDS = {"s": 1, "seconds": 1, "minutes": 60, "h": 3600, "hours": 3600, "days": 86400}
ACROSS = ("x", "X", "lon", "longitude", "rlon", "west_east", "projection_x_coordinate")
GRIB = (".grib", ".grib2", ".grb", ".grb2")


@dataclass(frozen=True)
class Step:
    """One time of one file: an array (time, member, y, x), the place of the time, the lead time."""

    array: "xr.DataArray"
    place: int
    lead: float
    path: Path


@dataclass(frozen=True)
class Series:
    """A variable over time.

    Attributes:
        variable: What it is.
        steps: Where each time is.
        lat, lon: Of the cells, degrees, shape (y, x); None where no file says.
        is_north_first: Whether the rows of the files begin in the north.
    """

    variable: Variable
    steps: Mapping[np.datetime64, Step]
    lat: Float32 | None
    lon: Float32 | None
    is_north_first: bool

    @property
    def places(self) -> tuple[Float32, Float32] | None:
        """Latitudes and longitudes, if a file says them."""
        return None if self.lat is None or self.lon is None else (self.lat, self.lon)

    def at(self, time: np.datetime64) -> Float32:
        """The fields of a time, shape (members, y, x).

        Raises:
            ValueError: If there is no such time, a value is no number, or the unit is of another
                kind.
        """
        if time not in self.steps:
            near = min(self.steps, key=lambda known: abs(known - time))
            raise ValueError(
                f"{self.variable.source} has no field at {when(time)}, which the fine fields have; "
                f"the nearest one is at {when(near)}. Leave the time out of the splits"
            )
        values, before = self._values(time), self._before(time)
        if before is not None:
            values = np.maximum(values - self._values(before), 0)
        return values

    def _values(self, time: np.datetime64) -> Float32:
        """The fields as the files have them."""
        step, variable = self.steps[time], self.variable
        values = step.array.isel(moment=step.place).to_numpy()
        found = variable.unit_in_file or str(step.array.attrs.get("units", ""))
        values = in_unit(values, found, variable, step.path)
        if not np.isfinite(values).all():
            raise ValueError(
                f"{step.path.name} holds {self.variable.source} with values that are no numbers at "
                f"{when(time)}. Fill them, cut the region, or leave the time out of the splits"
            )
        return np.ascontiguousarray(values[:, ::-1] if self.is_north_first else values, np.float32)

    def _before(self, time: np.datetime64) -> np.datetime64 | None:
        """The time up to which a sum at a time is known too, in the same forecast."""
        if not self.variable.accumulated:
            return None
        starts = {one: start(one, step.lead) for one, step in self.steps.items()}
        if not any(step.lead for step in self.steps.values()):  # no file tells: one forecast
            starts = dict.fromkeys(self.steps, time)
        known = (one for one in self.steps if one < time and starts[one] == starts[time])
        return max(known, default=None)


def read_series(files: Files, variable: Variable, folder: Path) -> Series:
    """Find a variable in files; its values are read when they are asked for.

    Args:
        files: Where.
        variable: What.
        folder: Of the data.

    Raises:
        FileNotFoundError: If there is no file.
        ValueError: If no file has the variable, two have the same time, or nobody knows where
            the south is.
    """
    steps: dict[np.datetime64, Step] = {}
    names: set[str] = set()
    first: xr.Dataset | None = None
    for path in files.paths(folder):
        dataset = opened(path, files.group, grib_keys(path, variable))
        name = name_in(dataset, path, variable)
        if name is None:
            names |= {str(key) for key in dataset.data_vars}
            continue
        first = dataset if first is None else first
        for time, step in steps_of(dataset, name, variable, path):
            if time in steps:
                raise ValueError(
                    f"{variable.source} at {when(time)} is in {steps[time].path.name} and in "
                    f"{path.name}. Name the files so that each time is there once"
                )
            steps[time] = step
    if first is None:
        group = f" in group {files.group!r}" if files.group else ""
        raise ValueError(
            f"{', '.join(files.files)}{group}: {unknown('variable', variable.source, names)}"
        )
    shape = next(iter(steps.values())).array.shape[-2:]
    lat, lon = coordinates(first, files, (int(shape[0]), int(shape[1])))
    north_first = is_north_first(first, lat, variable, shape[0])
    if north_first and lat is not None and lon is not None:
        lat, lon = lat[::-1], lon[::-1]
    if lon is not None and shape[1] > 1 and np.sin(np.radians(lon[0, 1] - lon[0, 0])) < 0:
        raise ValueError(
            f"{variable.source} has columns from east to west; turn them round in the file"
        )
    return Series(variable, dict(sorted(steps.items())), lat, lon, north_first)


def opened(path: Path, group: str, keys: Mapping[str, Any]) -> "xr.Dataset":
    """A file, open and unread, with the coordinates of its root where they fit a group.

    Args:
        path: Of the file.
        group: In it.
        keys: Of GRIB messages.

    Raises:
        ValueError: If it is nothing that xarray opens.
    """
    xarray = require("xarray", "weather", "reading weather data")
    if path.name == ALTITUDES:
        return altitudes(path)
    if path.suffix in GRIB:
        require("cfgrib", "grib", "reading GRIB")
        options = {"filter_by_keys": keys, "indexpath": index_of(path)}
        found: xr.Dataset = xarray.open_dataset(path, engine="cfgrib", backend_kwargs=options)
        return found
    try:
        root: xr.Dataset = xarray.open_dataset(path)
        if not group:
            return root
        inner: xr.Dataset = xarray.open_dataset(path, group=group)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be opened with xarray: {error}") from error
    sizes = inner.sizes
    fits = {
        name: values
        for name, values in root.variables.items()
        if all(sizes.get(dim) == size for dim, size in values.sizes.items())
    }
    return inner.assign_coords(fits)


def index_of(path: Path) -> str:
    """Where cfgrib keeps the index of a file as long as the process lives, in its pattern.

    To look through a file again for each variable would be nearly all the time that HRRR takes.
    """
    name = hashlib.sha256(str(path.absolute()).encode()).hexdigest()
    return f"{index_folder().name}/{name}.{{short_hash}}.idx"


@lru_cache(maxsize=1)
def index_folder() -> "TemporaryDirectory[str]":
    """A folder that is gone with the process."""
    return TemporaryDirectory(prefix="ansatz-grib-")


def grib_keys(path: Path, variable: Variable) -> dict[str, Any]:
    """What finds a variable in a GRIB file; nothing for others."""
    if path.suffix not in GRIB:
        return {}
    level = {} if variable.level is None else {"level": round(variable.level)}
    return {"shortName": variable.source} | level | dict(variable.select)


def name_in(dataset: "xr.Dataset", path: Path, variable: Variable) -> str | None:
    """The name of a variable in a file, or None if it is not there."""
    if path.suffix in GRIB:  # named otherwise by cfgrib, and alone after the selection
        return next((str(name) for name in dataset.data_vars), None)
    return variable.source if variable.source in dataset.variables else None


def steps_of(
    dataset: "xr.Dataset", name: str, variable: Variable, path: Path
) -> Iterator[tuple[np.datetime64, Step]]:
    """The times of a variable in a file, each with the place where it is."""
    array = in_order(selected(timed(dataset[name]), variable, path), path)
    times = np.atleast_1d(array["moment_time"].to_numpy()).astype("datetime64[ns]")
    lead = next((array[key] for key in LEAD if key in array.coords), None)
    hours = np.zeros(len(times)) if lead is None else np.broadcast_to(in_hours(lead), times.shape)
    for place, time in enumerate(times):
        yield time, Step(array, place, float(hours[place]), path)


def in_hours(lead: "xr.DataArray") -> NDArray[np.float64]:
    """Lead times in hours; zeros if nobody knows their unit."""
    values = lead.to_numpy()
    if not np.issubdtype(values.dtype, np.timedelta64):
        seconds = SECONDS.get(str(lead.attrs.get("units", "")), 0)
        values = (values * seconds).astype("timedelta64[s]")
    found: NDArray[np.float64] = values / np.timedelta64(1, "h")
    return found


def start(time: np.datetime64, lead: float) -> np.datetime64:
    """When the forecast began that has a lead time, hours, at a time."""
    return time - np.timedelta64(round(3600 * lead), "s")


def timed(array: "xr.DataArray") -> "xr.DataArray":
    """An array with one dimension of time, `moment`, and its times as `moment_time`."""
    names = ("valid_time", *TIME)
    key = next((name for name in names if name in array.coords), None)
    if key is None:
        # Static fields have no time; any will do.
        return array.expand_dims("moment").assign_coords(
            moment_time=("moment", np.zeros(1, "datetime64[ns]"))
        )
    dims = array[key].dims
    if len(dims) == 0:
        value = array[key].to_numpy()[None]
        return array.expand_dims("moment").assign_coords(moment_time=("moment", value))
    if len(dims) == 1:
        values = array[key].to_numpy()
        moved = array.rename({dims[0]: "moment"}) if dims[0] != "moment" else array
        return moved.assign_coords(moment_time=("moment", values))
    values = array[key].to_numpy().ravel()
    flat = array.stack(moment=dims, create_index=False)
    return flat.assign_coords(moment_time=("moment", values))


def selected(array: "xr.DataArray", variable: Variable, path: Path) -> "xr.DataArray":
    """An array at the level and the places that were asked for.

    Raises:
        ValueError: If it has no such level.
    """
    wanted: dict[Any, Any] = {} if path.suffix in GRIB else dict(variable.select)
    dim = next((name for name in LEVEL if name in array.dims), None)
    if variable.level is not None and dim is not None:
        wanted[dim] = variable.level
    try:
        return array.sel(wanted) if wanted else array
    except KeyError as error:
        has = "; ".join(f"{key}: {array[key].to_numpy().tolist()}" for key in wanted)
        raise ValueError(
            f"{path.name}: {variable.source} has no {wanted}; it has {has}. Correct the description"
        ) from error


def in_order(array: "xr.DataArray", path: Path) -> "xr.DataArray":
    """An array as (moment, member, y, x).

    Raises:
        ValueError: If it has other dimensions of more than one place.
    """
    member = next((name for name in MEMBER if name in array.dims), None)
    keep = {"moment", member, *array.dims[-2:]}
    array = array.squeeze(
        [dim for dim in array.dims if array.sizes[dim] == 1 and dim not in keep], drop=True
    )
    array = array.expand_dims("member") if member is None else array.rename({member: "member"})
    plane = [dim for dim in array.dims if dim not in ("moment", "member")]
    if len(plane) != 2:
        raise ValueError(
            f"{path.name}: {array.name} has the dimensions {dict(array.sizes)}; besides time and "
            "member there may be two. Choose a `level`, or a place of another one with `select`"
        )
    if plane[0] in ACROSS:
        plane.reverse()
    return array.transpose("moment", "member", *plane)


def when(time: np.datetime64) -> str:
    """A time to the minute."""
    return str(np.datetime_as_string(time, "m"))


def same_shape(arrays: Sequence[Float32], names: Sequence[str]) -> None:
    """Refuse fields of different grids.

    Raises:
        ValueError: Naming the two.
    """
    for array, name in zip(arrays, names, strict=True):
        if array.shape != arrays[0].shape:
            raise ValueError(
                f"{names[0]} has the shape {arrays[0].shape} and {name} {array.shape}; fields of "
                "one side must lie on one grid, with as many members"
            )
