"""Splits by the hash of a cluster's representative, so that homologues never straddle them.

A record goes where its cluster goes, and a cluster goes where the 64-bit hash of its
representative's id, mixed with a salt, falls: below v·2^64 it is validation, in the t·2^64 after
that test, else train. So a split is a property of an id: it stays when records are added, and two
corpora of the same clusters agree. The ids of UniRef50 are representatives; other corpora need a
file of clusters (`clusters`), else each record is taken for a cluster of its own.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Ge, Le
from numpy.typing import NDArray

from ansatz.core.artifacts import atomic
from ansatz.core.errors import require
from ansatz.core.recipe import Split
from ansatz.protein.corpus.order import Words, random_words

MILLION = 10**6
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
_SPLIT = 3  # purpose of random words
PartsPerMillion = Annotated[int, Ge(0), Le(MILLION)]


@dataclass(frozen=True)
class Splitting:
    """How clusters are shared out.

    Attributes:
        validation, test: Shares of the clusters, in parts per million; the rest is train.
        salt: Another text gives another, independent split.
    """

    validation: PartsPerMillion = 5000
    test: PartsPerMillion = 5000
    salt: str = ""

    def __post_init__(self) -> None:
        if self.validation + self.test >= MILLION:
            raise ValueError(
                f"validation={self.validation} and test={self.test} parts per million leave "
                f"nothing to train on: expected a sum below {MILLION}"
            )


def accession(name: str) -> str:
    """The accession in `sp|P12345|NAME` and `tr|...`; any other id as it is."""
    parts = name.split("|")
    return parts[1] if len(parts) > 1 and parts[0] in ("sp", "tr") else name


def id_hashes(names: list[str]) -> Words:
    """64-bit hashes (XXH3) of ids, by their accessions."""
    digest = require("xxhash", "protein", "splitting sequences").xxh3_64_intdigest
    texts = (accession(name).encode("utf-8", "surrogateescape") for name in names)
    return np.fromiter(map(digest, texts), np.uint64, len(names))


def split_numbers(representatives: Words, splitting: Splitting) -> NDArray[np.uint8]:
    """The split of clusters, as indices of `SPLITS`.

    Args:
        representatives: `id_hashes` of the ids of their representatives.
        splitting: The shares.
    """
    salt = int(id_hashes([splitting.salt])[0])
    words = random_words(salt, _SPLIT, representatives.view(np.int64))
    parts = (words >> np.uint64(32)) * np.uint64(MILLION) >> np.uint64(32)
    edges = np.array([splitting.validation, splitting.validation + splitting.test], np.uint64)
    return np.array([1, 2, 0], np.uint8)[np.searchsorted(edges, parts, "right")]


def write_splits(folder: Path, numbers: NDArray[np.uint8], kind: str = "split") -> dict[Split, int]:
    """Write `KIND-train.i64` and so on: which records, or clusters, are in a split.

    Returns:
        How many are in each.
    """
    sizes: dict[Split, int] = {}
    for index, name in enumerate(SPLITS):
        chosen = np.flatnonzero(numbers == index)
        with atomic(folder / f"{kind}-{name}.i64") as part:
            chosen.astype("<i8").tofile(part)
        sizes[name] = len(chosen)
    return sizes


def read_split(folder: Path, name: Split, kind: str = "split") -> NDArray[np.int64]:
    """The numbers of a split, ascending; memory-mapped.

    Raises:
        FileNotFoundError: If it was not written.
    """
    return read_numbers(folder / f"{kind}-{name}.i64")


def read_numbers(path: Path) -> NDArray[np.int64]:
    """A memory-mapped file of numbers; an empty file cannot be mapped, but is fine."""
    if not path.stat().st_size:
        return np.zeros(0, np.int64)
    return np.asarray(np.memmap(path, "<i8", "r"))
