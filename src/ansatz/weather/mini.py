"""Files in the layout of NVIDIA's CorrDiff-Mini data (hrrr_mini), read as they are.

One NetCDF file per split holds patches: in the root `time` (sample) and `coord` (sample, 2), row
and column of a patch's first cell in the invariant maps; in the groups `input` (sample, h, w) and
`output` (sample, H, W) a variable per channel; in `invariant` whole maps (Y, X). Beside them lies
a JSON file with `{"input": {name: {"mean", "std"}}, "output": ..., "invariant": ...}`.
(physicsnemo, examples/weather/corrdiff/datasets/hrrrmini.py.)
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Ge, Gt, Lt

from ansatz.core.errors import require, unknown
from ansatz.core.recipe import Sample, Split
from ansatz.weather.channels import Channel
from ansatz.weather.reading import Float32

if TYPE_CHECKING:
    import xarray as xr

SPLITS: tuple[Split, ...] = ("train", "validation", "test")
GROUPS = ("input", "output", "invariant")


@dataclass(frozen=True)
class Layout:
    """Which files, and what of them.

    Attributes:
        stem: What the names of the files begin with, before `_train.nc` and `_stats.json`.
        inputs, outputs, invariants: Names to take, in this order; empty takes all of the file.
        held_out: Where there is a file to train on and no other, the share of its times that is
            the validation split, and of those, the last ones, that are the test split.
        gap: Hours between two such splits that belong to none.
    """

    stem: str = "hrrr_mini"
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    invariants: tuple[str, ...] = ()
    held_out: Annotated[float, Gt(0), Lt(0.5)] = 0.1
    gap: Annotated[float, Ge(0)] = 24.0

    def names(self, group: str) -> tuple[str, ...]:
        """The names to take of a group."""
        chosen = {"input": self.inputs, "output": self.outputs, "invariant": self.invariants}
        return chosen[group]


@dataclass(frozen=True)
class Patches:
    """One file, in memory but for the fields.

    Attributes:
        path: Of the file.
        groups: Open groups with the variables that were asked for, in order.
        times: Of the patches.
        corners: Row and column of the first cell, shape (patches, 2).
    """

    path: Path
    groups: dict[str, "xr.Dataset"] = field(repr=False)
    times: Sequence[np.datetime64]
    corners: Sequence[Sequence[int]]

    def arrays(self, group: str) -> Float32:
        """All fields of a group, shape (patches, channels, h, w), or (channels, Y, X)."""
        dataset = self.groups[group]
        fields = [dataset[name].to_numpy() for name in dataset.data_vars]
        return np.stack(fields, fields[0].ndim - 2).astype(np.float32)

    def channels(self, group: str) -> tuple[Channel, ...]:
        """What the fields of a group are; `t850` is `t` at 850 hPa."""
        dataset = self.groups[group]
        return tuple(
            named(str(name), str(values.attrs.get("units", "")))
            for name, values in dataset.data_vars.items()
        )


def named(name: str, unit: str) -> Channel:
    """A channel of the name that a file gives it."""
    level = re.fullmatch(r"([a-z]+)(\d{3,4})", name)
    if level is None:
        return Channel(name, unit)
    return Channel(level[1], unit, float(level[2]))


def read_patches(path: Path, layout: Layout) -> Patches:
    """Open a file.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is no file of this layout, or lacks a variable.
    """
    xarray = require("xarray", "weather", "reading weather data")
    if not path.exists():
        raise FileNotFoundError(
            f"there is no {path}. Fetch the data, or name its files: data.layout.stem=NAME"
        )
    root = xarray.open_dataset(path)
    lacking = [name for name in ("time", "coord") if name not in root.variables]
    if lacking:
        raise ValueError(
            f"{path} has no {' and no '.join(lacking)}, so it is not in the layout of CorrDiff-Mini"
        )
    groups = {}
    for group in GROUPS:
        try:
            dataset = xarray.open_dataset(path, group=group)
        except OSError as error:
            raise ValueError(
                f"{path} has no group {group!r}, so it is not in the layout of CorrDiff-Mini"
            ) from error
        for name in layout.names(group):
            if name not in dataset.data_vars:
                raise ValueError(
                    f"{path.name}: {unknown(group, name, map(str, dataset.data_vars))}"
                )
        groups[group] = dataset[list(layout.names(group)) or list(dataset.data_vars)]
    return Patches(
        path,
        groups,
        list(root["time"].to_numpy().astype("datetime64[ns]")),
        root["coord"].to_numpy().tolist(),
    )


def mini_samples(raw: Path, layout: Layout) -> Iterator[Sample]:
    """The patches of all splits as samples.

    Patches of one time and place are members of an ensemble. NVIDIA's own data have one file; its
    last times are held out.

    Args:
        raw: Folder of the files.
        layout: Which ones.

    Raises:
        FileNotFoundError: If there is no file to train on.
        ValueError: If a file is not in this layout.
    """
    paths: dict[Split, Path] = {split: raw / f"{layout.stem}_{split}.nc" for split in SPLITS}
    train = read_patches(paths["train"], layout)
    if not any(paths[split].exists() for split in ("validation", "test")):
        yield from patch_samples(train, late_splits(train.times, layout))
        return
    for split, path in paths.items():
        if path.exists():
            patches = read_patches(path, layout)
            yield from patch_samples(patches, [split] * len(patches.times))


def late_splits(times: Sequence[np.datetime64], layout: Layout) -> list[Split | None]:
    """Hold the last times out.

    Args:
        times: Of the patches.
        layout: How much, and how far apart.

    Returns:
        The split of each patch, None for those in the gaps.

    Raises:
        ValueError: If the times are so few that a split has none.
    """
    known = np.unique(times)
    count = round(len(known) * layout.held_out)
    gap = np.timedelta64(round(layout.gap * 3600), "s")
    if count:
        test = known[-count]
        validation = known[known < test - gap][-count:]
        train = known[known < validation[0] - gap] if len(validation) else validation
    if not count or not len(train):
        raise ValueError(
            f"{len(known)} times are too few to hold {layout.held_out:.0%} of them out twice with "
            f"{layout.gap:g} h between. Make files of the splits, or set data.layout.gap"
        )

    def split_of(time: np.datetime64) -> Split | None:
        if time >= test:
            return "test"
        if time in validation:
            return "validation"
        return "train" if time in train else None

    return [split_of(time) for time in times]


def patch_samples(patches: Patches, splits: Sequence[Split | None]) -> Iterator[Sample]:
    """The patches of one file as samples, in the splits given.

    Raises:
        ValueError: If a patch reaches beyond the maps, or holds values that are no numbers.
    """
    coarse, fine, maps = (patches.arrays(group) for group in GROUPS)
    height, width = fine.shape[-2:]
    seen: Counter[tuple[Any, ...]] = Counter()
    for number, (time, corner) in enumerate(zip(patches.times, patches.corners, strict=True)):
        split, (row, col) = splits[number], (int(place) for place in corner)
        if split is None:
            continue
        static = maps[:, row : row + height, col : col + width]
        if static.shape[-2:] != (height, width) or not np.isfinite(fine[number]).all():
            raise ValueError(
                f"{patches.path.name}: patch {number} at row {row}, column {col} reaches beyond "
                f"the maps of {maps.shape[-2]} x {maps.shape[-1]} cells, or holds values that are "
                "no numbers"
            )
        yield Sample(
            f"{split}-{number}",
            split,
            {"coarse": coarse[number], "fine": fine[number], "static": static},
            {
                "time": str(np.datetime_as_string(time, "s")),
                "region": layout_stem(patches.path),
                "member": seen[time, row, col],
                "row": row,
                "col": col,
                "lead": 0.0,
            },
        )
        seen[time, row, col] += 1


def layout_stem(path: Path) -> str:
    """What the names of all splits begin with."""
    return re.sub(r"_(train|validation|test)$", "", path.stem)


def mini_statistics(
    raw: Path, layout: Layout
) -> dict[str, tuple[tuple[float, ...], tuple[float, ...]]]:
    """Means and standard deviations of the groups, as the file beside the patches says them.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a channel is not in it.
    """
    paths = [raw / f"{layout.stem}_stats.json", raw / "stats.json"]
    path = next((path for path in paths if path.exists()), None)
    if path is None:
        raise FileNotFoundError(
            f"there is neither {paths[0]} nor {paths[1].name}, the statistics of the patches"
        )
    told = json.loads(path.read_text())
    patches = read_patches(raw / f"{layout.stem}_train.nc", layout)
    found = {}
    for group in GROUPS:
        names = [str(name) for name in patches.groups[group].data_vars]
        for name in names:
            if name not in told.get(group, {}):
                raise ValueError(f"{path.name}: {unknown(group, name, told.get(group, {}))}")
        numbers = [(told[group][name]["mean"], told[group][name]["std"]) for name in names]
        found[group] = (tuple(mean for mean, _ in numbers), tuple(std for _, std in numbers))
    return found
