"""A shuffled order of [0, n) that nobody has to store, and random numbers that belong to a place.

A generalized Feistel network (Black and Rogaway, "Ciphers with arbitrary finite domains", 2002, §4)
permutes the numbers below a·b, with a = ⌈√n⌉ and b = ⌈n / a⌉. With x = l·b + r, the two parts take
turns, 8 in all:

    l ← (l + F(r, k_i)) mod a          r ← (r + F(l, k_i)) mod b

What lands at n or above, as less than one in b does, is permuted again until it does not (cycle
walking, §3). Keys come from (seed, epoch) by the finalizer of SplitMix64 (Steele, Lea and Flood,
2014); F is two thirds of it.

Position p of a run means epoch p // n and place p % n. Memory and time to resume are O(1), and no
number of processes is part of it.
"""

import math

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
ROUNDS = 8
_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def shuffled(positions: NDArray[np.int64], n: int, seed: int) -> NDArray[np.int64]:
    """What stands at positions of an endless sequence of permutations of [0, n).

    Args:
        positions: From 0, in any order; each n of them are an epoch.
        n: How many things are shuffled.
        seed: Of the run.

    Raises:
        ValueError: If there is nothing to shuffle.
    """
    if n < 1:
        raise ValueError("there is nothing to shuffle: the split has no records")
    keys = random_words(seed, 0, positions // n)
    places = (positions % n).astype(np.uint64)
    rows = math.isqrt(n - 1) + 1
    columns = -(-n // rows)
    places = _permuted(places, keys, rows, columns)
    outside = np.flatnonzero(places >= n)
    while len(outside):
        places[outside] = _permuted(places[outside], keys[outside], rows, columns)
        outside = outside[places[outside] >= n]
    return places.astype(np.int64)


def random_words(seed: int, purpose: int, places: NDArray[np.int64]) -> Words:
    """Random 64-bit numbers, each a function of (seed, purpose, place)."""
    state = np.full(1, seed % 2**64, np.uint64)
    for word in (np.full(1, purpose, np.uint64), places.astype(np.uint64)):
        state = _mixed(state + _STEP) ^ word
    return _mixed(_mixed(state + _STEP) + _STEP)


def below(limits: NDArray[np.int64], words: Words) -> NDArray[np.int64]:
    """Random numbers in [0, limit), of random words; the bias is at most limit / 2^32."""
    return ((words >> np.uint64(32)) * limits.astype(np.uint64) >> np.uint64(32)).astype(np.int64)


def _permuted(x: Words, keys: Words, rows: int, columns: int) -> Words:
    """The Feistel network on numbers below rows · columns."""
    a, b = np.uint64(rows), np.uint64(columns)
    left, right = x // b, x % b
    for _ in range(0, ROUNDS, 2):
        keys = keys + _STEP
        left = (left + _round(right, keys)) % a
        keys = keys + _STEP
        right = (right + _round(left, keys)) % b
    return left * b + right


def _round(part: Words, keys: Words) -> Words:
    """The upper half of a word, so that a sum with a part does not overflow."""
    x = (part ^ keys) * _FIRST
    return (x ^ x >> np.uint64(27)) * _SECOND >> np.uint64(32)


def _mixed(x: Words) -> Words:
    """Each bit of the result depends on all bits of x; a bijection."""
    x = (x ^ x >> np.uint64(30)) * _FIRST
    x = (x ^ x >> np.uint64(27)) * _SECOND
    return x ^ x >> np.uint64(31)
