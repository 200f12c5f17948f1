"""Batches: random crops of stored fields, as z-scores with their condition.

A crop begins at a coarse cell and is the same as if the condition of the whole field had been
made and then cut: it is made of the crop with one coarse cell more on each side, where there is
one. Fields are neither turned nor mirrored: wind and relief have a direction.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor, nn

from ansatz.core.recipe import Position, Split
from ansatz.store.samples import SUFFIX, Store
from ansatz.weather.channels import Channels, read_channels
from ansatz.weather.condition import condition

MARGIN = 1  # coarse cells that interpolation looks beyond its own


@dataclass(frozen=True)
class Crops:
    """The function that a data set's `batches` returns.

    Attributes:
        samples: The store.
        names: Of the samples of the split.
        channels: What the fields are.
        batch_size: Crops per batch.
        shape: Of a crop, coarse cells.
    """

    samples: Store
    names: tuple[str, ...]
    channels: Channels
    batch_size: int
    shape: tuple[int, int]

    def __call__(self, position: Position, model: nn.Module) -> dict[str, Tensor]:
        """The batch of a position.

        Returns:
            `condition` (b, n, H, W) and `fine` (b, outputs, H, W) as z-scores, and `place` (b, 2),
            row and column of the first fine cell in its region.
        """
        rng = position.rng()
        chosen = position.indices(len(self.names), self.batch_size)
        crops = [self.crop(self.names[index], rng) for index in chosen.tolist()]
        return {key: torch.stack([crop[key] for crop in crops]) for key in crops[0]}

    def crop(self, name: str, rng: np.random.Generator) -> dict[str, Tensor]:
        """A random crop of a sample."""
        meta = self.samples.meta(name)
        factor, (height, width) = self.channels.factor, self.shape
        with safe_open(self.samples.folder / (name + SUFFIX), "pt") as file:
            coarse, fine = file.get_slice("coarse"), file.get_slice("fine")
            rows, columns = coarse.get_shape()[1:]
            row = int(rng.integers(rows - height + 1))
            column = int(rng.integers(columns - width + 1))
            top, left = max(row - MARGIN, 0), max(column - MARGIN, 0)
            wide = (slice(top, row + height + MARGIN), slice(left, column + width + MARGIN))
            given = condition(
                coarse[:, *wide][None],
                file.get_slice("static")[:, *(finer(part, factor) for part in wide)][None],
                self.channels,
                self.channels.conditioning,
                torch.tensor([meta["lead"]]),
            )[0]
            inner = (slice(row, row + height), slice(column, column + width))
            truth = fine[:, *(finer(part, factor) for part in inner)]
        at = [factor * (row - top), factor * (column - left)]
        cut = [slice(start, start + factor * n) for start, n in zip(at, self.shape, strict=True)]
        return {
            "condition": given[:, *cut].contiguous(),
            "fine": self.channels.normalized(truth),
            "place": torch.tensor([meta["row"] + factor * row, meta["col"] + factor * column]),
        }


def finer(cells: slice, factor: int) -> slice:
    """The fine cells of coarse ones."""
    return slice(cells.start * factor, cells.stop * factor)


def crops(store: Path, split: Split, batch_size: int, side: int) -> Crops:
    """Random crops of a split.

    Args:
        store: Of the samples.
        split: To take.
        batch_size: Crops per batch.
        side: Of a crop, fine cells; fields that are smaller are not cut, all to the same shape.
            0 takes whole fields.

    Raises:
        ValueError: If nothing is in the split, or the side is no whole number of coarse cells.
    """
    samples, channels = Store(store), read_channels(store)
    names = tuple(samples.names(split))
    if not names:
        raise ValueError(f"{store} holds no sample of the split {split!r}")
    if side % channels.factor:
        raise ValueError(
            f"a crop of {side} fine cells is no whole number of coarse cells of {channels.factor}"
        )
    sizes = [size(samples, name) for name in names]
    smallest = (min(height for height, _ in sizes), min(width for _, width in sizes))
    most = side // channels.factor or max(smallest)
    shape = (min(most, smallest[0]), min(most, smallest[1]))
    return Crops(samples, names, channels, batch_size, shape)


def size(samples: Store, name: str) -> tuple[int, int]:
    """Height and width of a stored sample, coarse cells."""
    with safe_open(samples.folder / (name + SUFFIX), "np") as file:
        _, height, width = file.get_slice("coarse").get_shape()
    return height, width
