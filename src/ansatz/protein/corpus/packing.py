"""Packing: sequences of any length side by side in a token budget, as a function of a number.

A pack takes a fixed number k of consecutive positions of the shuffled order, so pack q is a pure
function of (seed, q): a loader has no state, and a global step of m packs is the same set for any
number of processes that share it. What varies is the length. Each sequence is <cls> residues <eos>;
one that is longer than `longest` is cropped at random; and if the pack is still longer than the
budget, all its sequences are cropped at one water level c, the largest with

    Σ min(length_i, c) ≤ budget,

so that only the longest ones give way. If it is shorter, the rest stays empty. With a mean of
k · mean = budget, both the empty and the cropped share fall with 1/√k. Without a budget nothing is
cropped at a level and nothing is empty, but sizes vary: right for a network that takes any size.

The price, on UniRef90 lengths with `longest` 1,024 (`benchmarks/protein_loader.py`):

    budget      sequences   filled    cropped by the budget
    8,192              26   95.6 %    5.6 %
    32,768            103   97.5 %    2.7 %
    131,072           411   98.7 %    1.2 %
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge
from numpy.typing import NDArray

from ansatz.protein.corpus.alphabet import PAD
from ansatz.protein.corpus.corpus import Corpus, Places
from ansatz.protein.corpus.order import below, random_words

SPECIAL = 2  # <cls> and <eos>
_CROP = 2  # purpose of random words


@dataclass(frozen=True)
class Packing:
    """How sequences are packed.

    Attributes:
        sequences: Per pack; see `fitting`.
        longest: Tokens that a sequence may have, <cls> and <eos> included.
        budget: Tokens that a pack may have; 0 for as many as there are.
    """

    sequences: Annotated[int, Ge(1)]
    longest: Annotated[int, Ge(3)] = 1024
    budget: Annotated[int, Ge(0)] = 0

    def __post_init__(self) -> None:
        least = self.sequences * (SPECIAL + 1)
        if 0 < self.budget < least:
            raise ValueError(
                f"a budget of {self.budget} tokens cannot hold {self.sequences} sequences: give at "
                f"least {least}, or fewer sequences"
            )


@dataclass(frozen=True)
class Pack:
    """Sequences side by side.

    Attributes:
        tokens: Of all sequences, shape (n,).
        starts: Where sequences begin, and n: shape (sequences + 1,).
        records: Of the sequences.
        uncropped: Tokens that the sequences would have if none was cropped.
    """

    tokens: NDArray[np.uint8]
    starts: NDArray[np.int32]
    records: NDArray[np.int64]
    uncropped: int

    @property
    def places(self) -> NDArray[np.int32]:
        """Place of each token in its sequence, from 0; shape (n,)."""
        lengths = np.diff(self.starts)
        return np.arange(len(self.tokens), dtype=np.int32) - np.repeat(self.starts[:-1], lengths)


def pack_positions(number: int, packing: Packing) -> NDArray[np.int64]:
    """The positions of the global order that pack `number` takes."""
    return np.arange(number * packing.sequences, (number + 1) * packing.sequences)


def pack(
    corpus: Corpus,
    records: NDArray[np.int64],
    positions: NDArray[np.int64],
    packing: Packing,
    seed: int,
) -> Pack:
    """Pack records.

    Args:
        corpus: What they are of.
        records: Their numbers.
        positions: Of the global order; they choose the crops, with the seed.
        packing: How.
        seed: Of the run.
    """
    where = corpus.places(records)
    kept = _cropped(where.lengths + SPECIAL, packing) - SPECIAL
    spare = where.lengths - kept + 1
    begins = where.begins + below(spare, random_words(seed, _CROP, positions))
    tokens = corpus.gather(Places(where.shards, begins, kept))
    starts = np.concatenate(([0], np.cumsum(kept + SPECIAL))).astype(np.int32)
    return Pack(tokens, starts, records, int(where.lengths.sum()) + SPECIAL * len(records))


def padded(packed: Pack, budget: int) -> Pack:
    """A pack of exactly `budget` tokens, for shapes that stay the same.

    The rest is <pad>, as one more sequence, so that no network mixes it with the others. A pack
    that is full gets an empty one: `starts` has the same shape in either case.
    """
    tokens = np.full(budget, PAD, np.uint8)
    tokens[: len(packed.tokens)] = packed.tokens
    starts = np.append(packed.starts, np.int32(budget))
    return Pack(tokens, starts, packed.records, packed.uncropped)


def fitting(lengths: NDArray[np.int64], budget: int, longest: int = 1024) -> Packing:
    """The packing whose mean pack has the size of its budget.

    Args:
        lengths: Residues of records that are drawn alike, as those of a split.
        budget: Tokens per pack.
        longest: Tokens that a sequence may have.
    """
    mean = float(np.minimum(lengths + SPECIAL, longest).mean())
    return Packing(max(1, round(budget / mean)), longest, budget)


def _cropped(lengths: NDArray[np.int64], packing: Packing) -> NDArray[np.int64]:
    """Lengths with <cls> and <eos> after cropping; they fill the budget if they can."""
    lengths = np.minimum(lengths, packing.longest)
    if not packing.budget or lengths.sum() <= packing.budget:
        return lengths
    level = water_level(lengths, packing.budget)
    kept = np.minimum(lengths, level)
    # One token more for the first of those that were cropped, until the budget is used up.
    cropped = np.flatnonzero(lengths > level)
    kept[cropped[: packing.budget - int(kept.sum())]] += 1
    return kept


def water_level(lengths: NDArray[np.int64], budget: int) -> int:
    """The largest whole c with Σ min(length, c) ≤ budget, where Σ length > budget."""
    ordered = np.sort(lengths)
    before = np.concatenate(([0], np.cumsum(ordered)[:-1]))
    left = np.arange(len(ordered), 0, -1)
    # If the i shortest stay whole, the others share what is left of the budget.
    levels = (budget - before) // left
    return int(levels[np.flatnonzero(levels < ordered)[0]])
