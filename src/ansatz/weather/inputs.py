"""Inputs: coarse and static fields out of a file, in the order and the units of a checkpoint.

    root       time(time) or time(sample); lat, lon(y, x); coord(sample, 2) of CorrDiff-Mini
    input      each input by its name, (time, y, x) or (y, x); may lie in the root instead
    invariant  each static field on the fine grid
    output     the truth, if it is known; also called truth

What lies north to south is turned, so row 0 is the southern edge.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ansatz.core.errors import require
from ansatz.weather.channels import Channel, Channels
from ansatz.weather.conversion import in_unit
from ansatz.weather.description import Variable
from ansatz.weather.grid import upsample

Float32 = NDArray[np.float32]
Source = Path | bytes
CLASSIC = b"CDF"  # the first bytes of a NetCDF file before version 4, which has no groups
LEVELS = ("level", "pressure_level", "plev", "isobaricInhPa", "pressure")
LATITUDES, LONGITUDES = ("lat", "latitude"), ("lon", "longitude")


@dataclass(frozen=True)
class Fields:
    """One time, in memory. Row 0 is the southern edge.

    Attributes:
        coarse: In the order and the units of the checkpoint's inputs, shape (inputs, h, w).
        static: The same of its statics on the fine grid, shape (statics, H, W).
        time: ISO 8601, UTC.
        region: Where.
        lat, lon: Of the fine cells, degrees, shape (H, W).
        lead: Of the forecast, hours.
        place: Row and column of the first fine cell in the region that the model was trained on.
        fine: The truth, if it is known, shape (outputs, H, W).
    """

    coarse: Float32
    static: Float32
    time: str = ""
    region: str = ""
    lat: Float32 | None = None
    lon: Float32 | None = None
    lead: float = 0.0
    place: tuple[int, int] = (0, 0)
    fine: Float32 | None = None


@dataclass(frozen=True)
class Times:
    """The times of a file, or of its patches.

    Attributes:
        stamps: ISO 8601, UTC, to the minute; empty where nobody said.
        file: Its name, for errors.
    """

    stamps: tuple[str, ...]
    file: str

    def starting(self, words: str) -> list[int]:
        """Positions of the times that begin like a date.

        Raises:
            ValueError: If there is none.
        """
        found = [place for place, stamp in enumerate(self.stamps) if stamp.startswith(words)]
        if not found:
            span = f"{self.stamps[0] or 'a time without a date'} to {self.stamps[-1]}"
            raise ValueError(
                f"{self.file} has no time {words}; it has {len(self.stamps)}, {span}. Give the "
                "beginning of one of them"
            )
        return found


class File:
    """An open file: its groups, as datasets of xarray."""

    def __init__(self, source: Source) -> None:
        xarray = require("xarray", "weather", "reading a NetCDF file")
        self.name = source.name if isinstance(source, Path) else "the file"
        data = source.read_bytes() if isinstance(source, Path) else source
        try:
            if data.startswith(CLASSIC):
                groups = {"/": xarray.open_dataset(io.BytesIO(data), engine="scipy")}
            else:
                groups = xarray.open_groups(io.BytesIO(data), engine="h5netcdf")
        except (OSError, ValueError, TypeError) as error:
            raise ValueError(f"{self.name} is no NetCDF file: {error}") from error
        self.groups: Mapping[str, Any] = groups

    @property
    def root(self) -> Any:
        """What lies outside of groups."""
        return self.groups["/"]

    def group(self, *names: str) -> Any:
        """The first of some groups that there is; the root if there is none."""
        return next((self.groups[f"/{n}"] for n in names if f"/{n}" in self.groups), self.root)

    def has(self, *names: str) -> bool:
        """Whether there is one of these groups."""
        return any(f"/{name}" in self.groups for name in names)


# ------------------------------------------------------------------------------------ times
def times_of(source: Source) -> Times:
    """The times of a file; one without a date, if it says nothing.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is no NetCDF file.
    """
    file = File(source)
    return Times(_stamps(file), file.name)


def _stamps(file: File) -> tuple[str, ...]:
    inputs = file.group("input")
    found = next((g["time"] for g in (file.root, inputs) if "time" in g.variables), None)
    if found is not None and found.dtype.kind == "M":
        minutes = np.atleast_1d(found.values).astype("datetime64[m]")
        return tuple(np.datetime_as_string(minutes).tolist())
    maps = (array for array in inputs.data_vars.values() if array.ndim == 3)
    counts = (len(array) for array in maps if array.dims[0] not in LEVELS)
    return ("",) * max(counts, default=1)


# ----------------------------------------------------------------------------------- fields
def read_fields(
    source: Source, channels: Channels, sample: int | None = None, static: Source | None = None
) -> Fields:
    """Read one time of a file.

    Args:
        source: The file.
        channels: Of the checkpoint.
        sample: Which of its times or patches; None if it has only one.
        static: Where the static fields are, if not in the file.

    Raises:
        OSError: If a file cannot be read.
        ValueError: If it is no NetCDF file, has several times, lacks a channel, or holds one in
            another unit or shape.
    """
    file = File(source)
    stamps = _stamps(file)
    at = _one_of(stamps, sample, file.name)
    coarse = stacked(file.group("input"), channels.inputs, at, f"the inputs of {file.name}")
    shape = (coarse.shape[1] * channels.factor, coarse.shape[2] * channels.factor)
    place = _place(file, at)
    lat, lon = _coordinates(file, coarse.shape[1:], channels.factor)
    return Fields(
        coarse=coarse,
        static=_static(file if static is None else File(static), channels, place, shape),
        time=stamps[at],
        region=Path(file.name).stem if isinstance(source, Path) else "",
        lat=lat,
        lon=lon,
        lead=_lead(file, at, channels),
        place=place,
        fine=_truth(file, channels, at, shape),
    )


def _one_of(stamps: tuple[str, ...], sample: int | None, name: str) -> int:
    if sample is None and len(stamps) > 1:
        raise ValueError(
            f"{name} holds {len(stamps)} times, and one is answered at a time: choose it with "
            f"time=... or sample=0 to sample={len(stamps) - 1}"
        )
    if sample is not None and sample >= len(stamps):
        raise ValueError(f"{name} holds {len(stamps)} times, and sample={sample} is none of them")
    return sample or 0


def _static(file: File, channels: Channels, place: tuple[int, int], shape: tuple[int, int]) -> Any:
    if not channels.statics:
        return np.zeros((0, *shape), np.float32)
    group, what = file.group("invariant"), f"the static fields of {file.name}"
    found = stacked(group, channels.statics, 0, what)
    if found.shape[1:] != shape:  # maps of the whole region, that the patch is cut from
        rows, columns = (slice(p, p + n) for p, n in zip(place, shape, strict=True))
        found = np.ascontiguousarray(found[:, rows, columns])
    if found.shape[1:] != shape:
        raise ValueError(
            f"{what} have {found.shape[1]} x {found.shape[2]} cells from row {place[0]}, column "
            f"{place[1]} on; expected {shape[0]} x {shape[1]}, {channels.factor} for each of the "
            "input. Bring them to the fine grid"
        )
    return found


def _truth(file: File, channels: Channels, at: int, shape: tuple[int, int]) -> Float32 | None:
    """The fine fields, where a group brings all of them on the grid of the answer."""
    group = file.group("output", "truth")
    if not file.has("output", "truth") or any(
        _variable(group, channel) is None for channel in channels.outputs
    ):
        return None
    found = stacked(group, channels.outputs, at, f"the truth in {file.name}", finite=False)
    return found if found.shape[1:] == shape else None


def _place(file: File, at: int) -> tuple[int, int]:
    if "coord" not in file.root.variables:
        return 0, 0
    row, column = file.root["coord"].values[at].tolist()
    return int(row), int(column)


def _lead(file: File, at: int, channels: Channels) -> float:
    if not channels.conditioning.lead:
        return 0.0
    if "lead" not in file.root.variables:
        raise ValueError(
            f"{file.name} has no variable lead, and this model is told the lead time of the "
            "forecast, in hours: add it to the root of the file"
        )
    return float(np.broadcast_to(file.root["lead"].values, (at + 1,))[at])


# --------------------------------------------------------------------------------- channels
def stacked(
    group: Any, channels: tuple[Channel, ...], at: int, what: str, *, finite: bool = True
) -> Float32:
    """The maps of some channels at one time, in order.

    Args:
        group: A dataset of xarray.
        channels: What is needed.
        at: Position of the time, for variables that have several.
        what: The whole, for errors.
        finite: Whether values must be.

    Raises:
        ValueError: Naming every channel that is missing, and what there is; or one that is of
            another kind of unit, has other dimensions, or values that are not finite.
    """
    found = [(channel, _variable(group, channel)) for channel in channels]
    missing = [channel.label for channel, array in found if array is None]
    if missing:
        raise ValueError(
            f"{what} lack {', '.join(missing)}; needed are "
            f"{', '.join(c.label for c in channels)}, and there are "
            f"{', '.join(map(str, group.data_vars)) or 'none'}. Rename them, or add what is missing"
        )
    maps = [_map(group, array, channel, at, what) for channel, array in found]
    if len({array.shape for array in maps}) > 1:
        shapes = ", ".join(f"{c.label} {m.shape}" for c, m in zip(channels, maps, strict=True))
        raise ValueError(f"{what} have different grids: {shapes}. Bring them to one")
    bad = [c.label for c, m in zip(channels, maps, strict=True) if not np.isfinite(m).all()]
    if finite and bad:
        raise ValueError(
            f"{what} have values that are missing or not finite in {', '.join(bad)}: fill them in"
        )
    return np.stack(maps)


def _variable(group: Any, channel: Channel) -> Any:
    """The variable of a channel: by its label, or a level of the one of its name; or None."""
    if channel.label in group.data_vars:
        return group[channel.label]
    if channel.level is None or channel.name not in group.data_vars:
        return None
    array = group[channel.name]
    dim = next((name for name in LEVELS if name in array.dims and name in group.coords), None)
    if dim is None:
        return None
    levels = group[dim].values * (0.01 if group[dim].attrs.get("units") == "Pa" else 1.0)
    same = np.flatnonzero(np.isclose(levels, channel.level))
    return array.isel({dim: int(same[0])}) if len(same) else None


def _map(group: Any, array: Any, channel: Channel, at: int, name: str) -> Float32:
    """The map of one time in the unit of the channel, from south to north."""
    several = [dim for dim in array.dims[:-2] if array.sizes[dim] > 1]
    if array.ndim < 2 or len(several) > 1:
        raise ValueError(
            f"{channel.label} has the dimensions {', '.join(map(str, array.dims))}; expected "
            "(time, y, x) or (y, x)"
        )
    one = array.isel({dim: at if dim in several else 0 for dim in array.dims[:-2]})
    unit = str(array.attrs.get("units", ""))
    wanted = Variable(channel.label, unit=channel.unit)
    values: Float32 = in_unit(one.values, unit, wanted, Path(name)).astype(np.float32)
    return np.ascontiguousarray(values[::-1]) if _is_southward(group, one.dims) else values


def _is_southward(group: Any, dims: tuple[Any, ...]) -> bool:
    """Whether the rows of a map run from north to south, by a latitude on its dimensions."""
    for name in LATITUDES:
        if name in group.variables and group[name].dims in ((dims[0],), dims):
            latitude = group[name].values
            return bool(np.mean(latitude[0]) > np.mean(latitude[-1]))
    return False


# ------------------------------------------------------------------------------ coordinates
def _coordinates(
    file: File, coarse: tuple[int, ...], factor: int
) -> tuple[Float32 | None, Float32 | None]:
    """Latitude and longitude of the fine cells, from those of the fine or of the coarse ones."""
    for group in (file.root, file.group("input")):
        lat, lon = _first(group, LATITUDES), _first(group, LONGITUDES)
        if lat is None or lon is None:
            continue
        if lat.ndim == lon.ndim == 1:
            lat, lon = np.meshgrid(lat, lon, indexing="ij")
        if lat[0].mean() > lat[-1].mean():
            lat, lon = lat[::-1].copy(), lon[::-1].copy()
        if lat.shape == lon.shape == tuple(n * factor for n in coarse):
            return lat.astype(np.float32), lon.astype(np.float32)
        if lat.shape == lon.shape == coarse:
            fine = [upsample(torch.from_numpy(c.astype(np.float64)), factor) for c in (lat, lon)]
            return fine[0].float().numpy(), fine[1].float().numpy()
    return None, None


def _first(group: Any, names: tuple[str, ...]) -> NDArray[Any] | None:
    found = next((group[name] for name in names if name in group.variables), None)
    return None if found is None else np.asarray(found.values)
