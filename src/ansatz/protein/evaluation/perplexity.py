"""Perplexity of masked residues, with its interval and its parts.

Of record r a model is asked m_r residues, and gives the i-th one the probability p_i. Kept are

    S_r = - Σ_i log p_i,        m_r,        k_r: of how many it is the most likely one,

and over any records perplexity is exp(Σ S_r / Σ m_r), accuracy Σ k_r / Σ m_r. Rows of parts of a
record add up, rows of records stack. 33 is a guess among all tokens, about 18 the frequencies of
amino acids, 1 certainty. Probabilities are over all tokens, as in training.

Records of one cluster are relatives and err together, so intervals come from resampling clusters
(Davison and Hinkley, Bootstrap Methods and their Application, 1997, §3.8).

Every residue that is asked is hidden (`ASKED`). Training leaves a tenth of them in place and swaps
another tenth (80/10/10), and perplexities that are measured that way are not quite these.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from ansatz.protein.corpus.masking import Masking
from ansatz.report.statistics import Floats, Interval, bootstrap

ASKED = Masking(mask=1.0, random=0.0)
LENGTHS = (128, 256, 512, 1024)
NLL, COUNT, CORRECT = range(3)  # columns


@dataclass(frozen=True)
class Guesses:
    """What a model says of masked residues.

    Attributes:
        nll: -log p of the residue that stands there, shape (m,).
        correct: Whether that is the most likely one, shape (m,).
    """

    nll: Floats
    correct: NDArray[np.bool_]


@dataclass(frozen=True)
class Group:
    """Records of one kind.

    Attributes:
        name: Of the kind.
        records: How many have a masked residue.
        residues: Masked residues.
        perplexity: With its interval over clusters.
        accuracy: Share of residues that are the most likely ones.
    """

    name: str
    records: int
    residues: int
    perplexity: Interval
    accuracy: float


# -------------------------------------------------------------------------------- statistics
def guesses(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> Guesses:
    """What logits say of the residues that stand there.

    Args:
        logits: Over all tokens, shape (m, 33).
        labels: Tokens, shape (m,).
    """
    exact = np.asarray(logits, np.float64)
    mine = exact[np.arange(len(labels)), labels]
    return Guesses(logsumexp(exact, axis=1) - mine, exact.argmax(1) == labels)


def tally(found: Guesses, places: NDArray[np.integer], starts: NDArray[np.integer]) -> Floats:
    """Statistics of packed sequences.

    Args:
        found: At the places.
        places: Of the masked tokens, shape (m,).
        starts: Where sequences begin, and the end; shape (sequences + 1,).

    Returns:
        S, m and k of each sequence, shape (sequences, 3).
    """
    owner = np.searchsorted(starts, places, "right") - 1
    columns = (found.nll, np.ones(len(owner)), found.correct)
    size = len(starts) - 1
    return np.stack([np.bincount(owner, column, size) for column in columns], axis=1)


def clustered(rows: Floats, clusters: NDArray[np.integer]) -> Floats:
    """Sums over clusters, without those of which nothing was asked.

    Args:
        rows: Statistics of records, shape (records, columns), counts in column `COUNT`.
        clusters: The cluster of each record.
    """
    found, member = np.unique(clusters, return_inverse=True)
    sums: Floats = np.stack([np.bincount(member, column, len(found)) for column in rows.T], axis=1)
    return sums[sums[:, COUNT] > 0]


# ----------------------------------------------------------------------------------- metrics
def perplexity(means: Floats) -> Floats:
    """The exponential of the mean -log p, of mean statistics (..., 3)."""
    return np.exp(means[..., NLL] / means[..., COUNT])


def accuracy(means: Floats) -> Floats:
    """Share of residues that are the most likely ones, of mean statistics (..., 3)."""
    return means[..., CORRECT] / means[..., COUNT]


def interval(rows: Floats, clusters: NDArray[np.integer], *, resamples: int = 2000) -> Interval:
    """Perplexity of records, with its interval over clusters.

    Raises:
        ValueError: If no residue was asked.
    """
    return bootstrap(clustered(rows, clusters), perplexity, resamples=resamples)


def relative(
    rows: Floats, others: Floats, clusters: NDArray[np.integer], *, resamples: int = 2000
) -> Interval:
    """Perplexity over that of another model on the same residues.

    Both meet the same clusters in each resample, so the interval is much narrower than those of
    the two perplexities.
    """
    paired = np.stack([rows[:, NLL] - others[:, NLL], rows[:, COUNT], rows[:, CORRECT]], axis=1)
    return interval(paired, clusters, resamples=resamples)


# ------------------------------------------------------------------------------------- parts
def groups(
    rows: Floats,
    clusters: NDArray[np.integer],
    labels: Sequence[str],
    order: Sequence[str] = (),
    *,
    resamples: int = 2000,
) -> list[Group]:
    """Perplexity of each kind of record.

    Args:
        rows: Statistics, shape (records, 3).
        clusters: The cluster of each record.
        labels: The kind of each record.
        order: Of the kinds; by their numbers of residues, largest first, if empty.
        resamples: Of the bootstrap.

    Returns:
        Those kinds of which anything was asked.
    """
    is_asked = rows[:, COUNT] > 0
    rows, clusters = rows[is_asked], clusters[is_asked]
    kinds, kind = np.unique(np.asarray(labels, np.str_)[is_asked], return_inverse=True)
    found = []
    for index, name in enumerate(kinds.tolist()):
        mine = rows[kind == index]
        bounded = interval(mine, clusters[kind == index], resamples=resamples)
        right = float(accuracy(mine.sum(0)))
        found.append(Group(name, len(mine), int(mine[:, COUNT].sum()), bounded, right))
    if order:
        return sorted(found, key=lambda group: list(order).index(group.name))
    return sorted(found, key=lambda group: -group.residues)


def length_kinds(
    lengths: NDArray[np.integer], edges: Sequence[int] = LENGTHS
) -> tuple[list[str], list[str]]:
    """The kind of each record by its length in residues, and the kinds in order."""
    inner = [f"{low} to {high - 1}" for low, high in pairwise(edges)]
    names = [f"below {edges[0]}", *inner, f"{edges[-1]} or more"]
    return [names[index] for index in np.searchsorted(edges, lengths, "right").tolist()], names
