"""What the fields of a data set are: names, units, levels, and their training statistics.

A field is written as one z-score per channel, (value - mean) / std over all cells of the training
split. The file `channels.json` lies in the store and beside the weights, so that a checkpoint
knows what it was trained on. A channel on a pressure level goes by its name with the level behind,
as `t850`.
"""

from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from jaxtyping import Float
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from ansatz.core.artifacts import write_json
from ansatz.core.errors import unknown

FILE = "channels.json"
TEMPERATURE = ("2t", "t2m", "t2m_mean")  # K, 2 m above ground
RELIEF = ("orog", "elev_mean", "elev_dem5", "elev")  # m above sea level


@dataclass(frozen=True)
class Channel:
    """One field.

    Attributes:
        name: As `2t`, `10u`, or `t` with a level.
        unit: Of its values.
        level: Pressure, hPa; None at the surface.
    """

    name: str
    unit: str = ""
    level: float | None = None

    @property
    def label(self) -> str:
        """The name with the level, `t850`."""
        return self.name if self.level is None else f"{self.name}{self.level:g}"


@dataclass(frozen=True)
class Conditioning:
    """What the network is given beside the coarse and the static fields.

    Attributes:
        lapse: The coarse 2 m temperature moved to the height of the fine relief.
        lead: The lead time of the forecast.
    """

    lapse: bool = False
    lead: bool = False


@dataclass(frozen=True)
class Channels:
    """The fields of a data set. Statistics are in the units of the channels.

    Attributes:
        inputs, outputs, statics: Coarse fields, fine fields, and what does not change on the fine
            grid.
        factor: Fine cells per coarse cell, in each direction.
        spacing: Between fine cells, km.
        input_mean, input_std, output_mean, output_std, static_mean, static_std: Over the training
            split.
        block_mean: Labels of the outputs whose coarse namesake is their own block mean.
        positive: Labels of the outputs that are never negative, as rain.
        conditioning: What else a network of this store is given.
    """

    inputs: tuple[Channel, ...]
    outputs: tuple[Channel, ...]
    statics: tuple[Channel, ...]
    factor: int
    spacing: float
    input_mean: tuple[float, ...]
    input_std: tuple[float, ...]
    output_mean: tuple[float, ...]
    output_std: tuple[float, ...]
    static_mean: tuple[float, ...] = ()
    static_std: tuple[float, ...] = ()
    block_mean: tuple[str, ...] = ()
    positive: tuple[str, ...] = ()
    conditioning: Conditioning = field(default_factory=Conditioning)

    def __post_init__(self) -> None:
        for kind, channels, mean, std in (
            ("input", self.inputs, self.input_mean, self.input_std),
            ("output", self.outputs, self.output_mean, self.output_std),
            ("static", self.statics, self.static_mean, self.static_std),
        ):
            if not len(channels) == len(mean) == len(std):
                raise ValueError(
                    f"{len(channels)} {kind} channels have {len(mean)} means and {len(std)} "
                    "standard deviations; each needs one"
                )

    def write(self, path: Path) -> None:
        """Write JSON."""
        write_json(path, asdict(self))

    def normalized(self, fine: Float[Tensor, "*b c H W"]) -> Float[Tensor, "*b c H W"]:
        """Fine fields as z-scores."""
        return z_score(fine, self.output_mean, self.output_std)

    def physical(self, scores: Float[Tensor, "*b c H W"]) -> Float[Tensor, "*b c H W"]:
        """Fine fields in their units, from z-scores."""
        mean, std = maps_of(self.output_mean, scores), maps_of(self.output_std, scores)
        return scores * std + mean


def read_channels(path: Path) -> Channels:
    """The channels of a store or a checkpoint.

    Args:
        path: Of the file, or of its folder.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it does not hold channels.
    """
    file = path / FILE if path.is_dir() else path
    try:
        return TypeAdapter(Channels).validate_json(file.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ValueError(
            f"{file} does not describe channels: {place}: {first['msg']}. Make the store again: "
            "ansatz prepare RECIPE"
        ) from error


def labels(channels: tuple[Channel, ...]) -> list[str]:
    """Labels in order."""
    return [channel.label for channel in channels]


def place_of(label: str, channels: tuple[Channel, ...], kind: str = "channel") -> int:
    """Where a channel stands.

    Raises:
        LookupError: If there is none of this label.
    """
    known = labels(channels)
    if label not in known:
        raise LookupError(unknown(kind, label, known))
    return known.index(label)


def first_of(names: tuple[str, ...], channels: tuple[Channel, ...]) -> int | None:
    """Where the first of some names that is among the channels stands, or None."""
    known = labels(channels)
    return next((known.index(name) for name in names if name in known), None)


def maps_of(numbers: tuple[float, ...], like: Tensor) -> Float[Tensor, "c 1 1"]:
    """One number per channel, to go with maps."""
    return torch.tensor(numbers, dtype=like.dtype, device=like.device)[:, None, None]


def z_score(
    fields: Float[Tensor, "*b c H W"], mean: tuple[float, ...], std: tuple[float, ...]
) -> Float[Tensor, "*b c H W"]:
    """Fields as z-scores of their channels."""
    return (fields - maps_of(mean, fields)) / maps_of(std, fields)
