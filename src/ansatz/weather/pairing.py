"""Samples of described data: each time of each region, fine fields beside coarse ones.

The coarse fields of a sample lie on the block-mean grid, each cell over `factor` x `factor` fine
ones. Three kinds of coarse data are brought there:

    "block mean"        mean of the fine fields over the cells (the perfect-model setting)
    on that grid        taken as they are
    another grid        of latitudes and longitudes: bilinear at the fine cells, then the block mean

Static fields of another grid are bilinear at the fine cells too. Fine fields are cut in the north
and the east to whole coarse cells.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ansatz.core.recipe import Sample, Split
from ansatz.weather.description import BLOCK_MEAN, Description, Files, Region
from ansatz.weather.grid import block_mean
from ansatz.weather.interpolation import around, bilinear, is_regular
from ansatz.weather.reading import Float32, Series, read_series, same_shape, when

TOLERANCE = 0.05  # of a coarse cell, by which the centers of two grids may differ


def samples(description: Description, folder: Path) -> Iterator[Sample]:
    """The samples of described data, region by region and time by time.

    Args:
        description: What lies where.
        folder: Of the data.

    Raises:
        FileNotFoundError: If there are no files.
        ValueError: If the data are not as described.
    """
    for region in description.regions:
        yield from region_samples(description, region, folder)


def region_samples(description: Description, region: Region, folder: Path) -> Iterator[Sample]:
    """The samples of a region."""
    outputs = [read_series(region.fine, one, folder) for one in description.outputs]
    labels = [one.variable.channel.label for one in outputs]
    wanted = chosen(description, region, outputs[0])
    rows, columns = stacked(outputs, labels, wanted[0][0]).shape[-2:]
    cut = whole_cells((rows, columns), description.factor)
    statics = static_fields(description, region, folder, (outputs[0], rows, columns))
    same = {"static": statics[..., *cut]}
    for key, values in (("lat", outputs[0].lat), ("lon", outputs[0].lon)):
        if values is not None:
            same[key] = values[cut]
    coarse = coarse_fields(description, region, folder, same)
    for time, split in wanted:
        fine, given = stacked(outputs, labels, time)[..., *cut], coarse(time)
        if len(given) not in (1, len(fine)):
            raise ValueError(
                f"{region.name} has {len(fine)} fine and {len(given)} coarse members at "
                f"{when(time)}; give as many, or one coarse field for all"
            )
        stamp = when(time).replace("-", "").replace(":", "")
        for member, truth in enumerate(fine):
            ending = f"-m{member}" if len(fine) > 1 else ""
            yield Sample(
                f"{region.name}-{stamp}{ending}",
                split,
                {"coarse": given[min(member, len(given) - 1)], "fine": truth, **same},
                {
                    "time": str(np.datetime_as_string(time, "s")),
                    "region": region.name,
                    "member": member,
                    "row": 0,
                    "col": 0,
                    "lead": outputs[0].steps[time].lead,
                },
            )


def chosen(
    description: Description, region: Region, fine: Series
) -> list[tuple[np.datetime64, Split]]:
    """The times of a region that belong to a split.

    Raises:
        ValueError: If none does.
    """
    found = [(time, description.split_of(time, region.name)) for time in fine.steps]
    wanted = [(time, split) for time, split in found if split is not None]
    if not wanted:
        raise ValueError(
            f"no split takes a field of {region.name}, whose times go from "
            f"{when(min(fine.steps))} to {when(max(fine.steps))}"
        )
    return wanted


def stacked(series: Sequence[Series], labels: Sequence[str], time: np.datetime64) -> Float32:
    """All channels of a time, shape (members, channels, y, x)."""
    fields = [one.at(time) for one in series]
    same_shape(fields, labels)
    return np.stack(fields, 1)


def whole_cells(shape: tuple[int, int], factor: int) -> tuple[slice, slice]:
    """Rows and columns that are whole coarse cells.

    Raises:
        ValueError: If there is none.
    """
    height, width = (length // factor * factor for length in shape)
    if not height * width:
        raise ValueError(
            f"a fine grid of {shape[0]} x {shape[1]} cells is smaller than one coarse cell of "
            f"{factor} x {factor}"
        )
    return slice(height), slice(width)


def static_fields(
    description: Description, region: Region, folder: Path, fine: tuple[Series, int, int]
) -> Float32:
    """What does not change, shape (statics, y, x).

    Args:
        description: What lies where.
        region: Of the fields.
        folder: Of the data.
        fine: Fields of the fine grid, and its rows and columns.

    Raises:
        ValueError: If it is on a grid that cannot be brought to the fine one.
    """
    files = region.static or region.fine
    fields = {
        variable.channel.label: at_fine_cells(read_series(files, variable, folder), region, fine)
        for variable in description.statics
    }
    made = [
        fields[variable.channel.label] * (fields[variable.over] if variable.over else 1)
        for variable in description.statics
    ]
    return np.stack(made) if made else np.zeros((0, *fine[1:]), np.float32)


def at_fine_cells(static: Series, region: Region, fine: tuple[Series, int, int]) -> Float32:
    """A static field on the fine grid, interpolated if it has another one.

    Raises:
        ValueError: If it cannot be brought there.
    """
    field: Float32 = static.at(next(iter(static.steps)))[0]
    series, *shape = fine
    if field.shape == tuple(shape):
        return field
    known, asked = static.places, series.places
    if known and asked and is_regular(*known):
        fit = bilinear(f"{region.name}: the grid of {static.variable.source}", known, asked)
        return fit(field).astype(np.float32)
    raise ValueError(
        f"the static {static.variable.source} of {region.name} has the shape {field.shape} and "
        f"the fine fields {tuple(shape)}; it must lie on their grid, or on a regular one of "
        "latitudes and longitudes"
    )


def coarse_fields(
    description: Description, region: Region, folder: Path, places: dict[str, Float32]
) -> Callable[[np.datetime64], Float32]:
    """A function from a time to the coarse fields, (members, inputs, h, w)."""
    mean = region.coarse == BLOCK_MEAN
    files = region.coarse if isinstance(region.coarse, Files) else region.fine
    given = [read_series(files, one, folder) for one in description.given]
    labels = [one.variable.channel.label for one in given]

    if mean:

        def of_fine(time: np.datetime64) -> Float32:
            fields = stacked(given, labels, time)
            cut = whole_cells((fields.shape[-2], fields.shape[-1]), description.factor)
            return blocks(fields[..., *cut], description.factor)

        return of_fine

    fit = fitting(given[0], region, places, description.factor)
    return lambda time: fit(stacked(given, labels, time))


def blocks(fields: Float32, factor: int) -> Float32:
    """Block means, summed in float64: a pressure of 1e5 Pa loses a digit in float32."""
    found: Float32 = block_mean(torch.from_numpy(fields).double(), factor).float().numpy()
    return found


def fitting(
    coarse: Series, region: Region, places: dict[str, Float32], factor: int
) -> Callable[[Float32], Float32]:
    """What brings coarse fields to the block-mean grid.

    Raises:
        ValueError: If nobody knows where a grid is, the coarse one does not cover the fine one, or
            it is neither the block-mean grid nor regular in latitude and longitude.
    """
    if coarse.lat is None or coarse.lon is None or "lat" not in places:
        raise ValueError(
            f"{region.name}: coarse and fine fields must say where they are, in latitude and "
            "longitude. Give the files such coordinates, or the region a "
            "`grid = { south, west, step }`"
        )
    lat, lon = places["lat"].astype(np.float64), places["lon"].astype(np.float64)
    middle = float(lon.flat[lon.size // 2])
    lon, east = around(lon, middle), around(coarse.lon.astype(np.float64), middle)
    centers = [block_mean(torch.from_numpy(one), factor).numpy() for one in (lat, lon)]
    north = coarse.lat.astype(np.float64)
    if north.shape == centers[0].shape and same_centers((north, east), centers):
        return lambda fields: fields
    if not is_regular(coarse.lat, coarse.lon):
        raise ValueError(
            f"{region.name}: the coarse grid of {north.shape[0]} x {north.shape[1]} cells is "
            f"neither the block-mean grid of {centers[0].shape[0]} x {centers[0].shape[1]} nor "
            "regular in latitude and longitude. Bring it to one of them first"
        )
    name = f"{region.name}: the coarse grid"
    fine = bilinear(name, (coarse.lat, coarse.lon), (places["lat"], places["lon"]))

    def means(fields: Float32) -> Float32:
        found: Float32 = block_mean(torch.from_numpy(fine(fields)), factor).float().numpy()
        return found

    return means


def same_centers(
    found: Sequence[NDArray[np.float64]], wanted: Sequence[NDArray[np.float64]]
) -> bool:
    """Whether the centers of two grids are the same, within a part of a cell."""
    size = min(float(np.abs(np.diff(wanted[0], axis=0)).mean()) if len(wanted[0]) > 1 else 1.0, 1.0)
    return all(
        float(np.abs(one - other).max()) < TOLERANCE * size
        for one, other in zip(found, wanted, strict=True)
    )
