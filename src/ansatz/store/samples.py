"""A store: one safetensors file per sample, and an index that is a pure function of the files.

Each file is written whole or not at all and carries its split and its scalars in its header, so
that `prepare` may be stopped anywhere and run again. Arrays are memory-mapped when they are read.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file

from ansatz.core.artifacts import atomic
from ansatz.core.recipe import Sample, Split

SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Store:
    """A folder of samples.

    Attributes:
        folder: Where they are.
    """

    folder: Path

    def __post_init__(self) -> None:
        if not any(self.folder.glob("*" + SUFFIX)):
            raise FileNotFoundError(
                f"{self.folder} holds no samples. Make them first: ansatz prepare RECIPE"
            )

    def names(self, split: Split | None = None) -> list[str]:
        """Names of the samples of a split, or of all, sorted."""
        paths = sorted(self.folder.glob("*" + SUFFIX), key=lambda path: natural(path.stem))
        return [path.stem for path in paths if split is None or header(path)["split"] == split]

    def load(self, name: str) -> dict[str, NDArray[Any]]:
        """The arrays of a sample."""
        with safe_open(self.folder / (name + SUFFIX), "np") as file:
            return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118

    def meta(self, name: str) -> dict[str, Any]:
        """The scalars of a sample."""
        found: dict[str, Any] = json.loads(header(self.folder / (name + SUFFIX))["meta"])
        return found


def write_samples(samples: Iterator[Sample], folder: Path) -> Iterator[Sample]:
    """Write samples as they come, and hand them on.

    Args:
        samples: To write.
        folder: Of the store.

    Yields:
        Each sample after its file is complete.
    """
    for sample in samples:
        arrays = {name: np.ascontiguousarray(array) for name, array in sample.arrays.items()}
        words = {"split": sample.split, "meta": json.dumps(dict(sample.meta))}
        with atomic(folder / (sample.name + SUFFIX)) as part:
            save_file(arrays, part, metadata=words)
        yield sample


def header(path: Path) -> dict[str, str]:
    """What the header of a sample's file says."""
    with safe_open(path, "np") as file:
        words: dict[str, str] = file.metadata()
    return words


def natural(name: str) -> tuple[str, int]:
    """Sorts `car_10` after `car_9`."""
    stem = name.rstrip("0123456789")
    return stem, int(name[len(stem) :] or -1)
