"""A pair of coarse and fine weather data, described in one short file.

Whatever xarray opens can be a training set: NetCDF, Zarr, GRIB with the extra `grib`. The file
says what lies where, by which names, and which times are for what:

    title = "AROME-MetCoOp, 10 m wind"
    factor = 8                               # fine cells per coarse cell
    spacing = 2.5                            # km between fine cells

    [[outputs]]
    name = "10u"
    variable = "x_wind_10m"                  # in the file; the name itself if left out
    unit = "m s-1"                           # converted to, if the file says another one

    [[regions]]
    name = "norway"
    fine = "arome_*.nc"                      # or { files = [...], group = "output" }
    coarse = "block mean"                    # of the fine fields, or files like `fine`

    [[splits]]
    name = "train"
    first = 2016-02-02T12:00:00Z             # both ends belong to it
    last = 2016-02-03T18:00:00Z
    regions = ["norway"]                     # all, if left out

`[[inputs]]` (the outputs, if left out) and `[[statics]]` read like the outputs; a channel may have
a `level` in hPa, be `positive` or `accumulated`, and `select` other dimensions, or messages of a
GRIB file by their keys. In a GRIB file a variable is a short name. `[[ready]]` describes the same
regions in files where every channel has its own name and unit already.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt, MinLen
from pydantic import BeforeValidator, ConfigDict, TypeAdapter, ValidationError, with_config

from ansatz.core.errors import unknown
from ansatz.core.recipe import Split
from ansatz.weather.channels import Channel

BLOCK_MEAN = "block mean"
STRICT = ConfigDict(extra="forbid")  # a misspelled key is no silent default


@with_config(STRICT)
@dataclass(frozen=True)
class Variable:
    """A channel, and where it comes from.

    Attributes:
        name: Of the channel.
        variable: In the files; its own name if empty. Of GRIB files, the short name.
        unit: Wanted; empty takes the values as they are.
        level: Pressure, hPa.
        positive: Whether it is never negative.
        select: Dimensions and the value to take, or keys of GRIB messages.
        unit_in_file: Of the values in the files, if these name another one, or none.
        accumulated: Whether the files hold sums since the beginning of a forecast. What fell since
            the time before is taken, and nothing where rounding makes it negative.
        over: A static field that a static one is multiplied by: heights over land.
    """

    name: str
    variable: str = ""
    unit: str = ""
    level: float | None = None
    positive: bool = False
    select: Mapping[str, str | int | float] = field(default_factory=dict)
    unit_in_file: str = ""
    accumulated: bool = False
    over: str = ""

    @property
    def source(self) -> str:
        """Its name in the files."""
        return self.variable or self.name

    @property
    def channel(self) -> Channel:
        """What it becomes."""
        return Channel(self.name, self.unit, self.level)

    @property
    def ready(self) -> "Variable":
        """The same channel, in files where it has its own name and unit."""
        return Variable(self.name, unit=self.unit, level=self.level, positive=self.positive)


@with_config(STRICT)
@dataclass(frozen=True)
class Grid:
    """A regular grid of latitudes and longitudes, for files that do not say theirs.

    Attributes:
        south, west: First cell center, degrees.
        step: Between centers, degrees.
    """

    south: float
    west: float
    step: Annotated[float, Gt(0)]


@with_config(STRICT)
@dataclass(frozen=True)
class Files:
    """Files of one grid.

    Attributes:
        files: Paths or patterns below the folder of the data.
        group: In them.
        grid: Where they are, row 0 in the south, if they do not say it.
    """

    files: Annotated[tuple[str, ...], MinLen(1)]
    group: str = ""
    grid: Grid | None = None

    def is_in(self, folder: Path) -> bool:
        """Whether a folder has any of them."""
        return any(any(folder.glob(pattern)) for pattern in self.files)

    def paths(self, folder: Path) -> list[Path]:
        """The files, in order of their names.

        Raises:
            FileNotFoundError: If a pattern fits nothing.
        """
        found: set[Path] = set()
        for pattern in self.files:
            here = set(folder.glob(pattern))
            if not here:
                raise FileNotFoundError(
                    f"{folder} holds no {pattern}. Fetch the data, or correct the pattern in its "
                    "description"
                )
            found |= here
        return sorted(found)


def as_files(told: object) -> object:
    """`"a.nc"` and `["a.nc", "b.nc"]` for `{ files = [...] }`."""
    if isinstance(told, str):
        return {"files": [told]}
    if isinstance(told, dict) and isinstance(told.get("files"), str):
        return told | {"files": [told["files"]]}
    return {"files": told} if isinstance(told, list) else told


def as_coarse(told: object) -> object:
    """The same, for what may be the block mean."""
    return told if told == BLOCK_MEAN else as_files(told)


Sources = Annotated[Files, BeforeValidator(as_files)]
CoarseSources = Annotated[Files | Literal["block mean"], BeforeValidator(as_coarse)]


@with_config(STRICT)
@dataclass(frozen=True)
class Region:
    """A part of the world with one fine grid.

    Attributes:
        name: Of its own.
        fine: The fine fields.
        coarse: The coarse ones: files of any grid, or block means of fine fields.
        static: What does not change, on the fine grid, or on one of latitudes and longitudes from
            which it is interpolated; the fine files if None.
    """

    name: str
    fine: Sources
    coarse: CoarseSources = "block mean"
    static: Sources | None = None


@with_config(STRICT)
@dataclass(frozen=True)
class Period:
    """Times and regions of one split.

    Attributes:
        name: Of the split.
        first, last: Times, both belong to it; None has no end. UTC, unless they say otherwise.
        regions: Names; empty for all.
    """

    name: Split
    first: datetime | None = None
    last: datetime | None = None
    regions: tuple[str, ...] = ()

    def holds(self, time: np.datetime64, region: str) -> bool:
        """Whether a field belongs to it."""
        if self.regions and region not in self.regions:
            return False
        after = self.first is None or time >= moment(self.first)
        return bool(after and (self.last is None or time <= moment(self.last)))


@with_config(STRICT)
@dataclass(frozen=True)
class Description:
    """A data set in words, see above."""

    title: str
    factor: Annotated[int, Ge(1)]
    spacing: Annotated[float, Gt(0)]
    outputs: Annotated[tuple[Variable, ...], MinLen(1)]
    regions: Annotated[tuple[Region, ...], MinLen(1)]
    splits: Annotated[tuple[Period, ...], MinLen(1)]
    inputs: tuple[Variable, ...] = ()
    statics: tuple[Variable, ...] = ()
    ready: tuple[Region, ...] = ()
    license: str = ""

    def __post_init__(self) -> None:
        known = [region.name for region in self.regions]
        wanted = [name for period in self.splits for name in period.regions]
        for name in (*wanted, *(region.name for region in self.ready)):
            if name not in known:
                raise ValueError(unknown("region", name, known))
        statics = [static.channel.label for static in self.statics]
        for name in (static.over for static in self.statics if static.over):
            if name not in statics:
                raise ValueError(unknown("static", name, statics))

    @property
    def given(self) -> tuple[Variable, ...]:
        """The variables of the coarse fields."""
        return self.inputs or self.outputs

    def of(self, folder: Path) -> "Description":
        """What is to be read in a folder: the files made ready, if one of them is there."""
        if not any(region.fine.is_in(folder) for region in self.ready):
            return self

        def plain(variables: Sequence[Variable]) -> tuple[Variable, ...]:
            return tuple(one.ready for one in variables)

        return replace(
            self,
            regions=self.ready,
            outputs=plain(self.outputs),
            inputs=plain(self.inputs),
            statics=plain(self.statics),
        )

    def split_of(self, time: np.datetime64, region: str) -> Split | None:
        """The split that a field belongs to, or None.

        Raises:
            ValueError: If it belongs to several.
        """
        found = {period.name for period in self.splits if period.holds(time, region)}
        if len(found) > 1:
            raise ValueError(
                f"{np.datetime_as_string(time, 'm')} of {region} is in the splits "
                f"{', '.join(sorted(found))}; a time may be in one"
            )
        return next(iter(found), None)


def read_description(path: Path) -> Description:
    """Read a description.

    Args:
        path: Of a TOML file.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is no TOML, or says what is not understood, every mistake in a line.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no {path}, which is to describe the data: write one as "
            "ansatz.weather.description says, or correct data.description"
        )
    try:
        told = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path} is no TOML: {error}") from error
    try:
        return TypeAdapter(Description).validate_python(told)
    except ValidationError as error:
        raise ValueError("\n".join(mistake(path, one) for one in error.errors())) from error


def mistake(path: Path, error: Mapping[str, Any]) -> str:
    """One line about one mistake."""
    place = ".".join(str(part) for part in error["loc"])
    reason = re.sub(r"^Value error, ", "", error["msg"])
    return f"{path.name}: {place}: {reason}" if place else f"{path.name}: {reason}"


def moment(time: datetime) -> np.datetime64:
    """A time in UTC, as files have it."""
    if time.tzinfo is not None:
        time = time.astimezone(UTC).replace(tzinfo=None)
    return np.datetime64(time, "ns")
