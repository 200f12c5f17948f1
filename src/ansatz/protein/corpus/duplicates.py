"""Which sequences came before: 128-bit hashes in a table with open addressing.

The hash is XXH3-128 of a sequence's tokens. Two different sequences among 65 million share one
with a probability of 6e-24. The table takes 16 bytes per slot and doubles when it is three quarters
full. For the 65 million records of UniRef50 it has 2^27 slots, 2.1 GB, and 3.2 GB while it doubles.
Slots are visited by whole arrays, so that many cache misses are under way at a time.
"""

import numpy as np
from numpy.typing import NDArray

from ansatz.core.errors import require

Hashes = NDArray[np.uint64]
FULLEST = 0.75


def sequence_hashes(sequences: list[bytes]) -> Hashes:
    """128-bit hashes of tokens, shape (records, 2): high and low half.

    Raises:
        ValueError: If the package xxhash is not installed.
    """
    digest = require("xxhash", "protein", "preparing sequences").xxh3_128_digest
    halves = np.frombuffer(b"".join(map(digest, sequences)), ">u8").astype(np.uint64).reshape(-1, 2)
    halves[halves[:, 0] == 0, 0] = 1
    return halves


class Seen:
    """A set of 128-bit hashes."""

    def __init__(self, slots: int = 1 << 20) -> None:
        # A slot is empty where its high half is 0; `sequence_hashes` gives none such.
        self._high, self._low = np.zeros(slots, np.uint64), np.zeros(slots, np.uint64)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, hashes: Hashes) -> NDArray[np.bool_]:
        """Add hashes, shape (n, 2), and say which of them are new; of equal ones, the first."""
        while self._count + len(hashes) > FULLEST * len(self._high):
            self._grow()
        new = self._insert(*np.ascontiguousarray(hashes.T))
        self._count += int(new.sum())
        return new

    def _insert(self, high: NDArray[np.uint64], low: NDArray[np.uint64]) -> NDArray[np.bool_]:
        new = np.zeros(len(high), bool)
        todo, slots = np.arange(len(high)), self._first_slots(high)
        while len(todo):
            empty = np.flatnonzero(self._high[slots] == 0)
            # Each leaves its number in the slot, backwards: of equal indices numpy keeps the last,
            # so the first of the hashes that want a slot gets it.
            wanted = slots[empty]
            self._low[wanted[::-1]] = todo[empty[::-1]]
            won = empty[self._low[wanted] == todo[empty]]
            self._high[slots[won]], self._low[slots[won]] = high[todo[won]], low[todo[won]]
            new[todo[won]] = True
            other = (self._high[slots] != high[todo]) | (self._low[slots] != low[todo])
            todo, slots = todo[other], slots[other] + 1
            slots[slots == len(self._high)] = 0
        return new

    def _first_slots(self, high: NDArray[np.uint64]) -> NDArray[np.int64]:
        """The high 32 bits, scaled to the number of slots: slots keep the order of the hashes."""
        return ((high >> 32) * np.uint64(len(self._high)) >> 32).astype(np.int64)

    def _grow(self) -> None:
        old_high, old_low, step = self._high, self._low, 1 << 18
        slots = 2 * len(old_high)
        self._high, self._low = np.zeros(slots, np.uint64), np.zeros(slots, np.uint64)
        for begin in range(0, len(old_high), step):
            high, low = old_high[begin : begin + step], old_low[begin : begin + step]
            self._insert(high[high != 0], low[high != 0])
