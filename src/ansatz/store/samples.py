"""A store: one safetensors file per sample, and an index that is a pure function of the files.

Each file is written whole or not at all and carries its split and its scalars in its header, so
that `prepare` may be stopped anywhere and run again. Arrays are memory-mapped when they are read.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ansatz.core.artifacts import PROVENANCE, atomic, digest, plain
from ansatz.core.recipe import Filled, Sample, Split

SUFFIX = ".safetensors"
KEY = "sample"


@dataclass(frozen=True)
class Store:
    """A folder of samples.

    Attributes:
        folder: Where they are.
    """

    folder: Path

    def __post_init__(self) -> None:
        if not sample_files(self.folder):
            raise FileNotFoundError(
                f"{self.folder} holds no samples. Make them first: ansatz prepare RECIPE"
            )

    def names(self, split: Split | None = None) -> list[str]:
        """Names of the samples of a split, or of all; `car_9` comes before `car_10`."""
        paths = sample_files(self.folder)
        return [path.stem for path in paths if split is None or header(path)["split"] == split]

    def load(self, name: str) -> dict[str, NDArray[Any]]:
        """The arrays of a sample."""
        with safe_open(self.folder / (name + SUFFIX), "np") as file:
            return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118

    def meta(self, name: str) -> dict[str, Any]:
        """The scalars of a sample."""
        found: dict[str, Any] = header(self.folder / (name + SUFFIX))["meta"]
        return found

    def digest(self) -> str:
        """A hash of all samples, of nothing else that may lie in the folder."""
        lines = [f"{path.name} {digest(path)}\n" for path in sample_files(self.folder)]
        return hashlib.sha256("".join(lines).encode()).hexdigest()


def fill(samples: Iterable[Sample], folder: Path) -> Filled:
    """Make a folder the store of some samples.

    Raises:
        ValueError: If something else than samples lies there; nothing is touched then.
    """
    require_only_samples(folder)
    (folder / PROVENANCE).unlink(missing_ok=True)  # until all samples are there, it is no store
    count = sum(1 for _ in write_samples(samples, folder))
    return Filled(count, Store(folder).digest())


def write_samples(samples: Iterable[Sample], folder: Path) -> Iterator[Sample]:
    """Write samples as they come, and hand them on.

    After the last one, samples of an earlier run that the data no longer has are removed.

    Args:
        samples: To write.
        folder: Of the store, see `require_only_samples`.

    Yields:
        Each sample after its file is complete.
    """
    written = set()
    for sample in samples:
        # Not ascontiguousarray, which turns a scalar into an array of one number.
        arrays = {name: np.asarray(array, order="C") for name, array in sample.arrays.items()}
        about = {"split": sample.split, "meta": dict(sample.meta)}
        path = folder / (sample.name + SUFFIX)
        with atomic(path) as part:
            # One key: safetensors writes several in an order that differs from run to run.
            save_file(arrays, part, metadata={KEY: json.dumps(about, default=plain)})
        written.add(path)
        yield sample
    for path in set(sample_files(folder)) - written:
        path.unlink()


def require_only_samples(folder: Path) -> None:
    """Refuse to make a store where something else lies, as the weights of a model.

    Raises:
        ValueError: If a file is no sample.
    """
    for path in sample_files(folder):
        header(path)


def sample_files(folder: Path) -> list[Path]:
    """The files of a store, in natural order; hidden ones are leftovers of a killed process."""
    paths = [path for path in folder.glob("*" + SUFFIX) if not path.name.startswith(".")]
    return sorted(paths, key=lambda path: natural(path.stem))


def header(path: Path) -> dict[str, Any]:
    """What the header of a sample's file says: its split and its scalars.

    Raises:
        ValueError: If the file is no sample.
    """
    words: dict[str, str] | None = None
    with suppress(SafetensorError), safe_open(path, "np") as file:
        words = file.metadata()
    if words is None or KEY not in words:
        raise ValueError(
            f"{path} is no sample of a store, or damaged: a store needs a folder of its own, so "
            "remove the file or name another folder"
        )
    found: dict[str, Any] = json.loads(words[KEY])
    return found


def natural(name: str) -> tuple[str, int]:
    """Sorts `car_10` after `car_9`."""
    stem = name.rstrip("0123456789")
    return stem, int(name[len(stem) :] or -1)
