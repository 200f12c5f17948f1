"""Secondary structure from embeddings: what a linear map finds in them.

Each residue is helix (H), strand (E) or other (C), as DSSP reads it off a solved structure, and a
softmax regression predicts it from the embedding x of that residue alone,

    p(k | x) ∝ exp(w_k · x + b_k),     min  - mean log p(label | x) + λ/2 Σ |w_k · σ|²,

σ being the deviations of the features: the penalty does not depend on their scale. Q3 is the share
of residues that are right. The same probe on the letters of a window (Qian and Sejnowski, J. Mol.
Biol. 202:865, 1988: 13 residues, about 60 %) says what needs no network.

Data: FLIP's secondary structure task (Dallago et al., 2021), from NetSurfP-2.0. Residues that the
structure does not resolve are not asked.
"""

import csv
import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from ansatz.protein.corpus.alphabet import CLS, EOS, FIRST_RESIDUE, NUM_AMINO_ACIDS, encode
from ansatz.protein.corpus.leakage import sample
from ansatz.report.statistics import Floats, Interval, bootstrap

CLASSES = "HEC"
UNRESOLVED = -1
WINDOW = 15
RIDGE = 1e-4
EMBEDDINGS, LETTERS, MAJORITY = "embeddings", "letters of a window", "commonest class"


@dataclass(frozen=True)
class Chains:
    """Protein chains, one behind the other.

    Attributes:
        tokens: Of all residues, without <cls> and <eos>; shape (n,).
        starts: Where chains begin, and n; shape (chains + 1,).
        labels: Index into `CLASSES`, or `UNRESOLVED`; shape (n,).
    """

    tokens: NDArray[np.uint8]
    starts: NDArray[np.int64]
    labels: NDArray[np.int64]

    @property
    def is_asked(self) -> NDArray[np.bool_]:
        """Which residues have a label."""
        return np.not_equal(self.labels, UNRESOLVED)


@dataclass(frozen=True)
class Probe:
    """A softmax regression: weights (features, classes) and bias (classes,)."""

    weights: Tensor
    bias: Tensor

    def predict(self, features: Tensor) -> NDArray[np.int64]:
        """The most likely class of each row."""
        found: NDArray[np.int64] = (features @ self.weights + self.bias).argmax(1).numpy()
        return found


def compare(
    train: Chains, test: Chains, embeddings: tuple[Tensor, Tensor], *, ridge: float = RIDGE
) -> dict[str, Interval]:
    """Q3 of embeddings beside that of what needs no network, on chains that no probe saw.

    Args:
        train, test: Chains; a few hundred to train on are enough.
        embeddings: Of all residues of the two, shapes (n, width), on the host.
        ridge: λ.

    Returns:
        Q3 of the test chains by `EMBEDDINGS`, `LETTERS` and `MAJORITY`, with intervals over chains.
    """
    known = train.labels[train.is_asked]
    features = {EMBEDDINGS: embeddings, LETTERS: (windows(train), windows(test))}
    found = {}
    for name, (seen, unseen) in features.items():
        probe = fit_probe(seen[torch.from_numpy(train.is_asked)], known, ridge=ridge)
        found[name] = q3(test, probe.predict(unseen))
    commonest = np.full(len(test.labels), np.bincount(known).argmax())
    return found | {MAJORITY: q3(test, commonest)}


def fit_probe(
    features: Tensor,
    labels: NDArray[np.int64],
    *,
    ridge: float = RIDGE,
    iterations: int = 200,
) -> Probe:
    """Fit a softmax regression by L-BFGS; the problem is convex.

    Args:
        features: Shape (n, features).
        labels: Classes from 0, shape (n,).
        ridge: λ.
        iterations: At most so many.
    """
    target, classes = torch.from_numpy(labels), int(labels.max()) + 1
    mean = features.mean(0)
    # A feature that never varies has no deviation, and gets no weight from the gradient either.
    scale = features.std(0).clamp_min(1e-6)
    slopes = features.new_zeros(features.shape[1], classes, requires_grad=True)
    level = features.new_zeros(classes, requires_grad=True)

    def folded() -> tuple[Tensor, Tensor]:
        """Weights and bias for features as they are: no standardized copy of them is made."""
        weights = slopes / scale[:, None]
        return weights, level - mean @ weights

    def closure() -> float:
        optimizer.zero_grad()
        weights, bias = folded()
        loss = cross_entropy(features @ weights + bias, target)
        loss = loss + ridge / 2 * slopes.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return float(loss.detach())

    optimizer = torch.optim.LBFGS(
        [slopes, level], max_iter=iterations, history_size=20, line_search_fn="strong_wolfe"
    )
    optimizer.step(closure)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        return Probe(*folded())


def q3(chains: Chains, predicted: NDArray[np.int64]) -> Interval:
    """Share of labeled residues whose class is right, with its interval over chains."""
    right = (predicted == chains.labels) & chains.is_asked
    owner = np.repeat(np.arange(len(chains.starts) - 1), np.diff(chains.starts))
    columns = (right.astype(float), chains.is_asked.astype(float))
    rows = np.stack([np.bincount(owner, column) for column in columns], axis=1)
    return bootstrap(rows[rows[:, 1] > 0], _share)


def _share(means: Floats) -> Floats:
    return means[..., 0] / means[..., 1]


def windows(chains: Chains, width: int = WINDOW) -> Tensor:
    """The letters around each residue, one-hot.

    Args:
        chains: The residues.
        width: Letters of a window, odd.

    Returns:
        Shape (n, 21 width): 20 amino acids, and one for what is none or beyond the end.
    """
    nothing, half = NUM_AMINO_ACIDS, width // 2
    letters = np.minimum(chains.tokens.astype(np.int64) - FIRST_RESIDUE, nothing)
    starts, place = chains.starts, np.arange(len(letters))
    owner = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    around = place[:, None] + np.arange(-half, half + 1)
    is_inside = (around >= starts[owner][:, None]) & (around < starts[owner + 1][:, None])
    seen = np.where(is_inside, letters[around.clip(0, len(letters) - 1)], nothing)
    hot = torch.zeros(len(letters), width, nothing + 1)
    return hot.scatter_(2, torch.from_numpy(seen)[..., None], 1.0).flatten(1)


# -------------------------------------------------------------------------------------- data
def read_chains(path: Path, split: str, most: int = 0, seed: int = 0) -> Chains:
    """Read chains of a split.

    Args:
        path: Tab-separated, plain or gzip, with columns `split`, `sequence`, `labels` (H, E or C
            per residue) and `resolved_mask` (1 or 0).
        split: As the file names it.
        most: Chains that are drawn from the split; 0 for all.
        seed: Of the drawing.

    Raises:
        ValueError: If the split has no chains, or lengths of a row differ.
    """
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["split"] == split]
    if not rows:
        raise ValueError(f"{path.name} has no chains of the split {split!r}")
    chosen = sample(np.arange(len(rows)), most or len(rows), seed)
    return gather([rows[index] for index in np.sort(chosen).tolist()], path.name)


def gather(rows: list[dict[str, str]], name: str) -> Chains:
    """Chains of rows of a file."""
    tokens = [encode(row["sequence"]) for row in rows]
    labels = [_labels(row) for row in rows]
    for row, letters, classes in zip(rows, tokens, labels, strict=True):
        if len(letters) != len(classes):
            raise ValueError(
                f"{name}: {row.get('id', 'a chain')} has {len(letters)} residues and "
                f"{len(classes)} labels; expected equally many"
            )
    starts = np.concatenate(([0], np.cumsum([len(letters) for letters in tokens])))
    return Chains(np.concatenate(tokens), starts.astype(np.int64), np.concatenate(labels))


def _labels(row: Mapping[str, str]) -> NDArray[np.int64]:
    found = np.array([CLASSES.index(letter) for letter in row["labels"]], np.int64)
    resolved = np.array(list(row["resolved_mask"])) == "1"
    return np.where(resolved, found, UNRESOLVED)


def packed(chains: Chains) -> tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.int64]]:
    """What a network is asked for the embeddings of all residues.

    Returns:
        Tokens with <cls> and <eos>, where chains begin in them and the end, and the places of the
        residues, shape (n,).
    """
    lengths = np.diff(chains.starts)
    begins = chains.starts[:-1] + 2 * np.arange(len(lengths))
    starts = np.append(begins, chains.starts[-1] + 2 * len(lengths)).astype(np.int32)
    places = np.arange(len(chains.tokens)) + 2 * np.repeat(np.arange(len(lengths)), lengths) + 1
    tokens = np.full(starts[-1], EOS, np.uint8)
    tokens[begins], tokens[places] = CLS, chains.tokens
    return tokens, starts, places
