"""What counting knows of a masked residue: its frequency, and its neighbors'.

All models are made of one table, how often residue x stands between left neighbor l and right
neighbor r in the training split: n(l, r, x). With N(.) for the sums over what is left out, and the
prior of each from the simpler one (Dirichlet smoothing: MacKay and Peto, A hierarchical Dirichlet
language model, 1995),

    p(x)        = (N(x) + 1) / (N + 27)
    p(x | l)    = (N(l, x) + κ p(x)) / (N(l) + κ)                       and p(x | r) likewise
    p(x | l, r) = (n(l, r, x) + κ q(x)) / (N(l, r) + κ),     q(x) ∝ p(x | l) p(x | r) / p(x),

where q holds if the neighbors are independent, given x. A masked neighbor was never seen in
training: its counts are zero, and each formula becomes the one without it.
"""

import numpy as np
from numpy.typing import NDArray

from ansatz.protein.corpus.alphabet import FIRST_RESIDUE, LAST_RESIDUE, RESIDUES, TOKENS
from ansatz.protein.corpus.corpus import Corpus
from ansatz.protein.evaluation.perplexity import Guesses
from ansatz.report.statistics import Floats

STRENGTH = 100.0  # κ, in residues
AT_A_TIME = 10_000  # records
Counts = NDArray[np.int64]
UNIGRAM, BIGRAM, NEIGHBORS = "unigram", "bigram", "both neighbors"


def count_neighbors(corpus: Corpus, records: NDArray[np.int64]) -> Counts:
    """Count residues between their neighbors; counts of parts of a split add up.

    Args:
        corpus: Whose records.
        records: Their numbers. A few million residues are enough for all tables of this module.

    Returns:
        n(l, r, x), shape (33, 33, 27): the neighbors are tokens, x counts from the first residue.
    """
    counts = np.zeros((len(TOKENS), len(TOKENS), len(RESIDUES)), np.int64)
    for begin in range(0, len(records), AT_A_TIME):
        tokens = corpus.gather(corpus.places(records[begin : begin + AT_A_TIME]))
        counts += count(tokens)
    return counts


def count(tokens: NDArray[np.uint8]) -> Counts:
    """n(l, r, x) of sequences side by side, each between <cls> and <eos>."""
    left, middle, right = (tokens[i : len(tokens) - 2 + i].astype(np.int64) for i in range(3))
    is_residue = (middle >= FIRST_RESIDUE) & (middle <= LAST_RESIDUE)
    code = (left * len(TOKENS) + right) * len(RESIDUES) + middle - FIRST_RESIDUE
    shape = (len(TOKENS), len(TOKENS), len(RESIDUES))
    return np.bincount(code[is_residue], minlength=int(np.prod(shape))).reshape(shape)


def tables(counts: Counts) -> dict[str, Floats]:
    """The models of this module.

    Args:
        counts: Of the training split.

    Returns:
        By name, log p of each residue between each two neighbors, shape (33, 33, 27).
    """
    alone = (counts.sum((0, 1)) + 1.0) / (counts.sum() + len(RESIDUES))
    left = _smoothed(counts.sum(1), alone)
    right = _smoothed(counts.sum(0), alone)
    independent = left[:, None] * right / alone
    both = _smoothed(counts, independent / independent.sum(-1, keepdims=True))
    models = {UNIGRAM: alone, BIGRAM: left[:, None], NEIGHBORS: both}
    return {name: np.log(np.broadcast_to(p, counts.shape)) for name, p in models.items()}


def look_up(
    table: Floats,
    seen: NDArray[np.uint8],
    places: NDArray[np.int64],
    labels: NDArray[np.integer],
) -> Guesses:
    """What a table says of masked residues.

    Args:
        table: One of `tables`.
        seen: Tokens with masks in place, sequences between <cls> and <eos>.
        places: Of the residues, shape (m,).
        labels: Tokens that stand there, shape (m,).
    """
    left, right = seen[places - 1], seen[places + 1]
    residue = labels.astype(np.int64) - FIRST_RESIDUE
    return Guesses(-table[left, right, residue], table.argmax(-1)[left, right] == residue)


def _smoothed(counts: Counts, prior: Floats) -> Floats:
    """Frequencies along the last axis, with `STRENGTH` residues of a prior added."""
    total = counts.sum(-1, keepdims=True)
    frequencies: Floats = (counts + STRENGTH * prior) / (total + STRENGTH)
    return frequencies
