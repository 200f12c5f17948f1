"""Pairs of coarse and fine weather fields: from files to a store, and from a store to batches.

`Downscaling` takes what a description says (`ansatz.weather.description`), `Mini` the files of
NVIDIA's CorrDiff-Mini (`ansatz.weather.mini`). Both make the same store: a sample for each time,
member and patch, with

    coarse (inputs, h, w), fine (outputs, H, W), static (statics, H, W), lat and lon (H, W)

in the units of `channels.json` beside them, row 0 in the south, H = h * factor.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge

from ansatz.core.recipe import Batches, Filled, Manifest, Sample, Split
from ansatz.store.samples import Store, fill
from ansatz.weather.cases import stored_cases
from ansatz.weather.channels import FILE, Channel, Channels, Conditioning
from ansatz.weather.condition import lapse_channels
from ansatz.weather.crops import crops
from ansatz.weather.description import Description, read_description
from ansatz.weather.mini import Layout, mini_samples, mini_statistics, read_patches
from ansatz.weather.origins import ORIGINALS, READY
from ansatz.weather.pairing import samples
from ansatz.weather.statistics import Statistics, own_means, training_statistics

DESCRIPTION = "description.toml"
OWN = Manifest("embedded:ansatz.weather", ())  # nothing to fetch
POSITIVE = ("tp", "10si", "gust")  # of the names that such files have


@dataclass(frozen=True)
class Downscaling:
    """Described pairs.

    Attributes:
        origin: What `fetch` brings.
        description: A file of one's own, with the data beside it; or the name of one that ships:
            `uk2km`, `hrrr3km`, `arome25`. Empty takes `description.toml` of the raw files.
        crop: Side of a training crop, fine cells; 0 takes whole fields.
        conditioning: What the network is given beside the fields.
    """

    origin: Manifest
    description: str = ""
    crop: Annotated[int, Ge(0)] = 64
    conditioning: Conditioning = field(default_factory=Conditioning)

    def manifest(self) -> Manifest:
        """What `fetch` brings; nothing, if the user has data of their own."""
        is_own = self.description and not shipped(self.description).exists()
        return OWN if is_own else self.origin

    def described(self, raw: Path) -> tuple[Description, Path]:
        """The description, and the folder of the data.

        Raises:
            FileNotFoundError: If there is no description, or not all of the published files.
            ValueError: If it is not understood.
        """
        if not self.description:
            return read_description(raw / DESCRIPTION), raw
        if shipped(self.description).exists():
            described = read_description(shipped(self.description))
            found = described.of(raw)
            if found is described:
                require_originals(self.origin, raw)
            return found, raw
        own = Path(self.description)
        return read_description(own), own.parent

    def fill(self, raw: Path, folder: Path) -> Filled:
        """Write the samples and their statistics.

        Raises:
            FileNotFoundError: If there are no data.
            ValueError: If they are not as described.
        """
        description, data = self.described(raw)
        filled = fill(samples(description, data), folder)
        inputs = tuple(one.channel for one in description.given)
        outputs = tuple(one.channel for one in description.outputs)
        channels = measured(
            folder,
            (inputs, outputs, tuple(one.channel for one in description.statics)),
            (description.factor, description.spacing),
            tuple(one.channel.label for one in description.outputs if one.positive),
            self.conditioning,
        )
        return sealed(folder, filled, channels)

    def batches(self, store: Path, split: Split, batch_size: int) -> Batches:
        """Random crops, see `ansatz.weather.crops`."""
        return crops(store, split, batch_size, self.crop)

    def cases(self, store: Path, split: Split) -> Iterator[tuple[str, Any, Any]]:
        """Whole fields."""
        return stored_cases(store, split)


@dataclass(frozen=True)
class Mini:
    """Patches in the layout of CorrDiff-Mini.

    Attributes:
        origin: What `fetch` brings.
        folder: Another folder with such files.
        layout: Their names, and those of the channels to take.
        spacing: Between fine cells, km.
        positive: Outputs that are never negative.
        crop: Side of a training crop, fine cells; 0 takes whole patches.
        conditioning: What the network is given beside the fields.
    """

    origin: Manifest
    folder: Path | None = None
    layout: Layout = field(default_factory=Layout)
    spacing: float = 3.0
    positive: tuple[str, ...] = POSITIVE
    crop: Annotated[int, Ge(0)] = 0
    conditioning: Conditioning = field(default_factory=Conditioning)

    def manifest(self) -> Manifest:
        """What `fetch` brings; nothing, if the user has data of their own."""
        return OWN if self.folder else self.origin

    def fill(self, raw: Path, folder: Path) -> Filled:
        """Write the patches; the statistics are those of the file beside them.

        Raises:
            FileNotFoundError: If there are no such files.
            ValueError: If they are not in this layout.
        """
        source = self.folder or raw
        filled = fill(self.samples(source), folder)
        patches = read_patches(source / f"{self.layout.stem}_train.nc", self.layout)
        told = mini_statistics(source, self.layout)
        sizes = [patches.arrays(group).shape[-1] for group in ("input", "output")]
        channels = measured(
            folder,
            (patches.channels("input"), patches.channels("output"), patches.channels("invariant")),
            (sizes[1] // sizes[0], self.spacing),
            self.positive,
            self.conditioning,
            Statistics(told["input"], told["output"], told["invariant"]),
        )
        return sealed(folder, filled, channels)

    def samples(self, raw: Path) -> Iterator[Sample]:
        """The patches of all splits."""
        return mini_samples(raw, self.layout)

    def batches(self, store: Path, split: Split, batch_size: int) -> Batches:
        """Random crops, see `ansatz.weather.crops`."""
        return crops(store, split, batch_size, self.crop)

    def cases(self, store: Path, split: Split) -> Iterator[tuple[str, Any, Any]]:
        """Whole patches."""
        return stored_cases(store, split)


def require_originals(origin: Manifest, raw: Path) -> None:
    """Refuse a part of the published files, of which a pattern would make a smaller data set.

    Raises:
        FileNotFoundError: If one is not there.
    """
    wanted = [file.path for file in origin.files if file.group == ORIGINALS]
    lacking = [path for path in wanted if not (raw / path).is_file()]
    if lacking:
        ready = [file.path for file in origin.files if file.group == READY]
        raise FileNotFoundError(
            f"{raw} lacks {len(lacking)} of {len(wanted)} files, {lacking[0]} for one, and has no "
            f"{' or '.join(ready)} in their place. Fetch them: ansatz fetch"
        )


def shipped(name: str) -> Path:
    """Where a description lies that comes with the distribution."""
    return Path(str(files("ansatz.weather") / f"embedded/descriptions/{name}.toml"))


def measured(
    folder: Path,
    channels: tuple[tuple[Channel, ...], tuple[Channel, ...], tuple[Channel, ...]],
    grid: tuple[int, float],
    positive: tuple[str, ...],
    conditioning: Conditioning,
    known: Statistics | None = None,
) -> Channels:
    """The channels of a store with what is measured over its training split.

    Args:
        folder: Of the store.
        channels: Inputs, outputs, statics.
        grid: Factor and spacing.
        positive: Labels that are never negative, if they are outputs.
        conditioning: What the network is given besides.
        known: Statistics, if they are not to be measured.

    Raises:
        ValueError: If the conditioning asks for channels that are not there.
    """
    inputs, outputs, statics = channels
    store = Store(folder)
    found = known or training_statistics(store)
    made = Channels(
        inputs=inputs,
        outputs=outputs,
        statics=statics,
        factor=grid[0],
        spacing=grid[1],
        input_mean=found.inputs[0],
        input_std=found.inputs[1],
        output_mean=found.outputs[0],
        output_std=found.outputs[1],
        static_mean=found.statics[0],
        static_std=found.statics[1],
        block_mean=own_means(store, inputs, outputs, found.outputs[1], grid[0]),
        positive=tuple(one.label for one in outputs if one.label in positive),
        conditioning=conditioning,
    )
    if conditioning.lapse:
        lapse_channels(made)
    return made


def sealed(folder: Path, filled: Filled, channels: Channels) -> Filled:
    """Write `channels.json`, and say what the store holds with it."""
    channels.write(folder / FILE)
    content = filled.sha256.encode() + (folder / FILE).read_bytes()
    return Filled(filled.samples, hashlib.sha256(content).hexdigest())
