"""Sequences for pretraining: from FASTA and clusters to a corpus, and from a corpus to batches.

A batch is a function of its position in the run: micro-batch q takes the next `batch_size`
positions of the shuffled order of the training clusters, draws a member of each, crops it if it is
too long, and masks. So nothing has to be saved for a resumed run, and any number of processes sees
the same global order.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from annotated_types import Ge
from numpy.typing import NDArray
from torch import Tensor, nn

from ansatz.core.artifacts import PROVENANCE
from ansatz.core.recipe import Batches, Filled, Manifest, Position, Split
from ansatz.protein.cases import Measured, cases
from ansatz.protein.corpus.clusters import (
    draw_members,
    draw_records,
    group,
    read_clusters,
    read_lines,
    write_clusters,
)
from ansatz.protein.corpus.corpus import Corpus
from ansatz.protein.corpus.journal import META, Preparing
from ansatz.protein.corpus.masking import Masking, masked
from ansatz.protein.corpus.packing import Packing, pack, pack_positions, padded
from ansatz.protein.corpus.preparing import prepare
from ansatz.protein.corpus.splits import (
    PartsPerMillion,
    Splitting,
    id_hashes,
    read_split,
    split_numbers,
    write_splits,
)
from ansatz.protein.model.objective import NOT_ASKED

FASTA = ("*.fasta*", "*.fa", "*.fa.*", "*.faa*")
CLUSTERS = "clusters.tsv*"
BY_CLUSTER = "cluster"  # kind of a split
SPARE = 6.0  # standard deviations by which masked places may exceed their mean


@dataclass(frozen=True)
class Draws:
    """How batches are drawn.

    Attributes:
        longest: Tokens that a sequence may have, <cls> and <eos> included; longer ones are cropped
            at random.
        tokens: Of each batch, for shapes that stay the same, as a CUDA graph needs them; 0 for as
            many as its sequences have.
        masking: What the network has to guess.
    """

    longest: Annotated[int, Ge(3)] = 1024
    tokens: Annotated[int, Ge(0)] = 0
    masking: Masking = field(default_factory=Masking)


@dataclass(frozen=True)
class Sequences:
    """Protein sequences.

    Attributes:
        origin: What `fetch` brings: one FASTA file, and `clusters.tsv` if there is one.
        fasta: Another FASTA file or address, or `-` for standard input.
        clusters: Another file of clusters, `rep50 rep90 member` or `representative member`; without
            any, each record is a cluster, as in UniRef50.
        shortest, longest_record: Residues that a record may have; 0 for no limit.
        deduplicate: Keep the first of records with the same sequence.
        validation, test: Shares of the clusters, in parts per million.
        measured: What `check` can compare with.
        draws: How batches are drawn.
    """

    origin: Manifest
    fasta: str = ""
    clusters: Path | None = None
    shortest: Annotated[int, Ge(0)] = 0
    longest_record: Annotated[int, Ge(0)] = 0
    deduplicate: bool = True
    validation: PartsPerMillion = 5000
    test: PartsPerMillion = 5000
    measured: Measured = field(default_factory=Measured)
    draws: Draws = field(default_factory=Draws)

    def manifest(self) -> Manifest:
        """What `fetch` brings; nothing, if the user has a source of their own."""
        return Manifest("embedded:ansatz.protein", ()) if self.fasta else self.origin

    def fill(self, raw: Path, folder: Path) -> Filled:
        """Make a corpus with its splits; after a kill, the next call goes on.

        Raises:
            ValueError: If the source is no FASTA, or the folder holds the corpus of another one.
            FileNotFoundError: If there is no FASTA file.
        """
        (folder / PROVENANCE).unlink(missing_ok=True)
        options = Preparing(self.shortest, self.longest_record, self.deduplicate)
        prepare(self.fasta or one_file(raw, FASTA), folder, options)
        corpus = Corpus(folder)
        named = self.clusters or (None if self.fasta else clusters_file(raw))
        self._split(corpus, named)
        digest = hashlib.sha256((folder / META).read_bytes())
        for path in sorted(folder.glob("*-*.i64")):
            if not path.name.startswith("offsets"):
                digest.update(path.read_bytes())
        return Filled(len(corpus), digest.hexdigest())

    def _split(self, corpus: Corpus, named: Path | None) -> None:
        """Write which clusters and records are in which split."""
        splitting = Splitting(self.validation, self.test)
        if named is None:
            representatives = id_hashes([rep or name for name, rep in corpus.names()])
            write_splits(corpus.folder, split_numbers(representatives, splitting))
            return
        clusters = group(id_hashes(corpus.ids()), read_lines(named))
        numbers = split_numbers(clusters.representatives, splitting)
        write_clusters(corpus.folder, clusters)
        write_splits(corpus.folder, numbers, BY_CLUSTER)
        write_splits(corpus.folder, numbers[clusters.of_record])

    def batches(self, store: Path, split: Split, batch_size: int) -> Batches:
        """Packed, masked sequences.

        Returns:
            A function to `tokens` (n,), `starts` (sequences + 1,), `places` (m,) and `labels` (m,).
        """
        return Packs(Corpus(store), split, batch_size, self.draws)

    def cases(self, store: Path, split: Split) -> Iterator[tuple[str, Any, Any]]:
        """Held-out records, and what else there is to measure against."""
        yield from cases(store, split, self.measured)


class Packs:
    """The function that `Sequences.batches` returns."""

    def __init__(self, corpus: Corpus, split: Split, sequences: int, draws: Draws) -> None:
        self._corpus, self._draws = corpus, draws
        self._packing = Packing(sequences, draws.longest, draws.tokens)
        self._clusters = None
        if (corpus.folder / f"{BY_CLUSTER}-{split}.i64").exists():
            self._clusters = read_clusters(corpus.folder)
            self._split = read_split(corpus.folder, split, BY_CLUSTER)
        else:
            self._split = read_split(corpus.folder, split)

    def __call__(self, position: Position, model: nn.Module) -> dict[str, Tensor]:
        """The batch of a position."""
        number = (position.step * position.micros + position.micro) * position.ranks + position.rank
        places = pack_positions(number, self._packing)
        seed = position.seed
        if self._clusters is None:
            records = draw_records(places, self._split, seed)
        else:
            records = draw_members(places, self._clusters, self._split, seed)
        packed = pack(self._corpus, records, places, self._packing, seed)
        if self._draws.tokens:
            packed = padded(packed, self._draws.tokens)
        # By pack, not by process: the same masks for any number of processes.
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, number])))
        hidden = masked(packed.tokens, self._draws.masking, rng)
        asked, labels = hidden.places, hidden.labels.astype(np.int64)
        if self._draws.tokens:
            asked, labels = self._filled_up(asked, labels)
        return {
            "tokens": torch.from_numpy(hidden.tokens.astype(np.int64)),
            "starts": torch.from_numpy(packed.starts),
            "places": torch.from_numpy(asked),
            "labels": torch.from_numpy(labels),
        }

    def _filled_up(
        self, places: NDArray[np.int64], labels: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """As many places in every batch; the last ones are not asked."""
        mean = self._draws.tokens * self._draws.masking.share
        count = round(mean + SPARE * mean**0.5)
        asked, wanted = np.zeros(count, np.int64), np.full(count, NOT_ASKED)
        kept = min(count, len(places))
        asked[:kept], wanted[:kept] = places[:kept], labels[:kept]
        return asked, wanted


def one_file(folder: Path, patterns: tuple[str, ...]) -> Path:
    """The only file of a folder that fits.

    Raises:
        FileNotFoundError: If there is none, or more than one.
    """
    if folder.is_file():
        return folder
    found = sorted({path for pattern in patterns for path in folder.glob(pattern)})
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise FileNotFoundError(
            f"{folder} must hold one FASTA file, and holds {names}. Fetch it, or name it: "
            "fasta=FILE"
        )
    return found[0]


def clusters_file(folder: Path) -> Path | None:
    """The file of clusters beside the sequences, if there is one."""
    return next(iter(sorted(folder.glob(CLUSTERS))), None) if folder.is_dir() else None
