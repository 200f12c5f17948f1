"""Shards: a bounded number of tokens, where each record begins, what it is called, its hash.

    tokens-00000.u8     tokens of all records, one byte each, without <cls> and <eos>
    offsets-00000.i64   where records begin in them, and the end: records + 1 numbers
    ids-00000.tsv       first word of each header; after a tab, what UniRef calls RepID
    hashes-00000.u128   XXH3-128 of the tokens of each record, high and low half

Numbers are little-endian. A shard is a function of its records alone: neither how the bytes came
nor where an earlier run was killed changes it. Checksums are XXH3-128, as `xxh128sum` prints them:
they find damage at the speed of memory, where SHA-256 would take a tenth of the whole run.
"""

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from ansatz.core.artifacts import atomic
from ansatz.core.errors import require
from ansatz.protein.corpus.alphabet import TOKENS
from ansatz.protein.corpus.duplicates import Hashes
from ansatz.protein.corpus.kernels import Kernels

LENGTH_BIN, LENGTH_BINS = 25, 100  # residues per bin of the histogram; the last bin takes the rest
_PIECE = 1 << 17


@dataclass
class Tally:
    """What was met while reading, kept or not.

    Attributes:
        duplicates: Records dropped because their sequence had come before.
        too_short, too_long, empty: Records dropped for their length.
        stops: Stops dropped at the ends of sequences.
        unusual: Letters that became <unk>.
    """

    duplicates: int = 0
    too_short: int = 0
    too_long: int = 0
    empty: int = 0
    stops: int = 0
    unusual: dict[str, int] = field(default_factory=dict)

    def __add__(self, other: "Tally") -> "Tally":
        letters = Counter(self.unusual) + Counter(other.unusual)
        return Tally(
            self.duplicates + other.duplicates,
            self.too_short + other.too_short,
            self.too_long + other.too_long,
            self.empty + other.empty,
            self.stops + other.stops,
            dict(sorted(letters.items())),
        )


@dataclass(frozen=True)
class Shard:
    """A shard that was written.

    Attributes:
        number: From 0.
        records: In it.
        residues: Tokens in it.
        counts: How often each token occurs.
        histogram: Records per bin of `LENGTH_BIN` residues.
        checksums: XXH3-128 of its files, by name.
        tally: What was met on the way.
    """

    number: int
    records: int
    residues: int
    counts: tuple[int, ...]
    histogram: tuple[int, ...]
    checksums: dict[str, str]
    tally: Tally


class Growing:
    """A shard that is being filled. Its tokens are on disk already, under a hidden name."""

    def __init__(self, folder: Path, number: int, kernels: Kernels | None = None) -> None:
        self._kernels = kernels
        self.tally = Tally()
        self.residues = 0
        self._folder, self._number = folder, number
        self._part = folder / ".tokens.part"
        self._hash = _xxhash().xxh3_128()
        self._lengths: list[NDArray[np.int64]] = []
        self._ids: list[bytes] = []
        self._hashes: list[Hashes] = []
        self._counts = np.zeros(len(TOKENS), np.int64)

    def add(self, tokens: bytes, lengths: NDArray[np.int64], ids: bytes, hashes: Hashes) -> None:
        """Add records: their tokens, residues each, lines of names, and hashes."""
        with self._part.open("ab" if self.residues else "wb") as file:
            file.write(tokens)
        self.residues += len(tokens)
        self._hash.update(tokens)
        self._lengths.append(lengths)
        self._ids.append(ids)
        self._hashes.append(hashes)
        count = self._kernels.count if self._kernels else token_counts
        self._counts += count(np.frombuffer(tokens, np.uint8))

    def commit(self) -> Shard:
        """Give the files of the shard their names, each of them whole or not at all."""
        lengths, number = np.concatenate(self._lengths), f"{self._number:05}"
        offsets = np.concatenate(([0], np.cumsum(lengths)))
        contents = {
            f"offsets-{number}.i64": offsets.astype("<i8").tobytes(),
            f"ids-{number}.tsv": b"".join(self._ids),
            f"hashes-{number}.u128": np.concatenate(self._hashes).astype("<u8").tobytes(),
        }
        for name, content in contents.items():
            with atomic(self._folder / name) as part:
                part.write_bytes(content)
        tokens = f"tokens-{number}.u8"
        with self._part.open("rb") as file:
            os.fsync(file.fileno())
        self._part.replace(self._folder / tokens)
        bins = np.minimum(lengths // LENGTH_BIN, LENGTH_BINS)
        digest = _xxhash().xxh3_128_hexdigest
        return Shard(
            number=self._number,
            records=len(lengths),
            residues=self.residues,
            counts=tuple(self._counts.tolist()),
            histogram=tuple(np.bincount(bins, minlength=LENGTH_BINS + 1).tolist()),
            checksums={tokens: self._hash.hexdigest()}
            | {name: digest(content) for name, content in contents.items()},
            tally=self.tally,
        )


def token_counts(tokens: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How often each of the 33 tokens occurs.

    Counted in pairs, for half the work, and in pieces that stay in the cache.
    """
    n = len(TOKENS)
    pairs = np.zeros((256, 256), np.int64)
    flat = pairs.reshape(-1)
    even = tokens[: len(tokens) // 2 * 2].view(np.uint16)
    for begin in range(0, len(even), _PIECE // 2):
        found = np.bincount(even[begin : begin + _PIECE // 2])
        flat[: len(found)] += found
    counts: NDArray[np.int64] = pairs.sum(0)[:n] + pairs.sum(1)[:n]
    counts[tokens[len(even) * 2 :]] += 1
    return counts


def read_ids(folder: Path, shard: int) -> list[tuple[str, str]]:
    """First word and `RepID` of the records of a shard."""
    text = (folder / f"ids-{shard:05}.tsv").read_text("utf-8", "surrogateescape")
    words = [line.partition("\t") for line in text.split("\n")[:-1]]
    return [(first, second) for first, _, second in words]


def read_hashes(folder: Path, shard: int) -> Hashes:
    """Hashes of the records of a shard, shape (records, 2)."""
    stored = np.fromfile(folder / f"hashes-{shard:05}.u128", "<u8")
    return stored.astype(np.uint64, copy=False).reshape(-1, 2)


def _xxhash() -> ModuleType:
    return require("xxhash", "protein", "preparing sequences")
