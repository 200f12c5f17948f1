"""How far the splits of a store are from one another, so that nobody is tested on what was learned.

Three numbers for each two splits:

    hours     the smallest difference in time of any two fields, one of each
    km        the smallest distance between the areas of any two fields; 0 where they overlap
    likeness  correlation of the fine detail (field minus its interpolated block mean) between the
              fields of the same place that are closest in time

Detail that mountains and coasts hold in place stays alike for ever: `background` is the same
correlation between the fields that are farthest in time.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ansatz.core.recipe import Split
from ansatz.store.samples import Store
from ansatz.weather.channels import Channels, labels, read_channels
from ansatz.weather.grid import block_mean, upsample

SPLITS: tuple[Split, ...] = ("train", "validation", "test")
EARTH_RADIUS = 6371.0  # km
MOST = 8  # places at which fields are compared


@dataclass(frozen=True)
class Field:
    """Where and when a sample is."""

    name: str
    time: np.datetime64
    region: str
    member: int
    box: tuple[int, int, int, int]  # first and last + 1 row and column of fine cells

    @property
    def place(self) -> tuple[str, int, tuple[int, int, int, int]]:
        """What fields have in common that can be compared."""
        return self.region, self.member, self.box


@dataclass(frozen=True)
class Distance:
    """How far two splits are from one another.

    Attributes:
        first, second: The splits.
        hours: Between the closest fields in time.
        km: Between the closest areas; NaN where nobody knows where regions are.
        likeness: By output, of the fields of one place that are closest in time; empty if the
            splits have no place in common.
        background: By output, of those that are farthest.
    """

    first: Split
    second: Split
    hours: float
    km: float
    likeness: Mapping[str, float]
    background: Mapping[str, float]


def distances(store: Path) -> list[Distance]:
    """Measure the splits of a store, two by two."""
    samples, channels = Store(store), read_channels(store)
    fields = {split: split_fields(samples, split) for split in SPLITS}
    return [
        Distance(
            first,
            second,
            hours_between(fields[first], fields[second]),
            km_between(samples, channels, fields[first], fields[second]),
            likeness(samples, channels, closest(fields[first], fields[second])),
            likeness(samples, channels, closest(fields[first], fields[second], farthest=True)),
        )
        for first, second in combinations(SPLITS, 2)
        if fields[first] and fields[second]
    ]


def split_fields(samples: Store, split: Split) -> list[Field]:
    """The fields of a split, without their values."""
    found = []
    for name in samples.names(split):
        meta = samples.meta(name)
        height, width = samples.load(name)["fine"].shape[-2:]
        row, col = meta["row"], meta["col"]
        box = (row, row + height, col, col + width)
        time = np.datetime64(meta["time"])
        found.append(Field(name, time, meta["region"], meta["member"], box))
    return found


def hours_between(first: Sequence[Field], second: Sequence[Field]) -> float:
    """The smallest difference in time."""
    known = np.unique([field.time for field in first])
    asked = np.unique([field.time for field in second])
    gaps = np.abs(known[:, None] - asked[None])
    return float(gaps.min() / np.timedelta64(1, "h"))


def km_between(
    samples: Store, channels: Channels, first: Sequence[Field], second: Sequence[Field]
) -> float:
    """The smallest distance between areas, NaN where nobody knows it."""
    areas = [{(field.region, field.box): field for field in fields} for fields in (first, second)]
    return min(
        (
            area_distance(samples, channels, one, other)
            for one in areas[0].values()
            for other in areas[1].values()
        ),
        # NaN compares with nothing.
        key=lambda km: math.inf if math.isnan(km) else km,
    )


def area_distance(samples: Store, channels: Channels, one: Field, other: Field) -> float:
    """Between two areas, km: on the grid of a region, and on the sphere between regions."""
    if one.region == other.region:
        down = max(one.box[0] - other.box[1], other.box[0] - one.box[1], 0)
        across = max(one.box[2] - other.box[3], other.box[2] - one.box[3], 0)
        return channels.spacing * math.hypot(down, across)
    points = [on_sphere(samples, channels, field) for field in (one, other)]
    if points[0] is None or points[1] is None:
        return math.nan
    chord = cKDTree(points[0]).query(points[1])[0].min()
    return float(2 * EARTH_RADIUS * math.asin(min(chord / 2, 1.0)))


def on_sphere(samples: Store, channels: Channels, field: Field) -> NDArray[np.float64] | None:
    """The coarse cells of an area as points of the unit sphere, (n, 3), or None."""
    arrays = samples.load(field.name)
    if "lat" not in arrays:
        return None
    lat, lon = (
        np.radians(block_mean(torch.from_numpy(arrays[key]).double(), channels.factor).numpy())
        for key in ("lat", "lon")
    )
    xyz = (np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat))
    return np.stack([axis.ravel() for axis in xyz], 1)


def closest(
    first: Sequence[Field], second: Sequence[Field], *, farthest: bool = False
) -> list[tuple[str, str]]:
    """For some places that both have, the names of the two fields closest in time, or farthest."""
    by_place: dict[object, list[Field]] = defaultdict(list)
    for field in first:
        by_place[field.place].append(field)
    there = {field.place: field for field in second if field.place in by_place}
    pairs = []
    for place in sorted(there)[:MOST]:
        asked = [field for field in second if field.place == place]
        both = [(one, other) for one in by_place[place] for other in asked]
        choose = max if farthest else min
        one, other = choose(both, key=lambda pair: abs(pair[0].time - pair[1].time))
        pairs.append((one.name, other.name))
    return pairs


def likeness(
    samples: Store, channels: Channels, pairs: Sequence[tuple[str, str]]
) -> dict[str, float]:
    """Mean correlation of the fine detail of pairs, by output; a field without detail counts 0."""
    found = defaultdict(list)
    for pair in pairs:
        one, other = (detail(samples.load(name)["fine"], channels.factor) for name in pair)
        norms = np.sqrt((one**2).sum((1, 2)) * (other**2).sum((1, 2)))
        values = (one * other).sum((1, 2)) / np.where(norms > 0, norms, 1.0)
        for label, value in zip(labels(channels.outputs), values.tolist(), strict=True):
            found[label].append(value)
    return {label: float(np.mean(values)) for label, values in found.items()}


def detail(fine: NDArray[np.float32], factor: int) -> NDArray[np.float64]:
    """What a field has that its interpolated block mean has not."""
    whole = torch.from_numpy(fine).double()
    rest = whole - upsample(block_mean(whole, factor), factor)
    found: NDArray[np.float64] = (rest - rest.mean((1, 2), keepdim=True)).numpy()
    return found
