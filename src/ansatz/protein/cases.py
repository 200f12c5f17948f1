"""What a check asks: held-out records with masks, alone and in company, mutations, structure.

Every case is a question as `predict` takes it, so that what is checked is what users get, in the
precision and by the engine that they chose.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ansatz.core.recipe import Split
from ansatz.protein.corpus.alphabet import NUM_AMINO_ACIDS
from ansatz.protein.corpus.clusters import read_clusters
from ansatz.protein.corpus.corpus import Corpus
from ansatz.protein.corpus.leakage import sample
from ansatz.protein.corpus.masking import masked
from ansatz.protein.corpus.splits import read_split
from ansatz.protein.evaluation import baselines
from ansatz.protein.evaluation.perplexity import ASKED
from ansatz.protein.evaluation.structure import Chains, read_chains
from ansatz.protein.evaluation.variants import Scan, read_scan
from ansatz.protein.records import Records
from ansatz.protein.request import Question
from ansatz.report.statistics import Floats

MOST_RECORDS = 1000  # of a split
COUNTED = 50_000  # training records that the baselines are counted on
MET = 12  # records that are asked alone and in company
TRAINED, TESTED = 300, 200  # chains of secondary structure
LONGEST = 2000  # residues of a record that is asked

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Measured:
    """Measurements that a check can compare with.

    Attributes:
        scans: Folder of deep mutational scans, `NAME.csv[.gz]` as `read_scan` takes them.
        structure: FLIP's table of secondary structure.
    """

    scans: Path | None = None
    structure: Path | None = None


@dataclass(frozen=True)
class HeldOut:
    """What stands at the masks of held-out records.

    Attributes:
        corpus: That they are of.
        split: Which they are of.
        records: Their numbers.
        clusters: The cluster of each.
        seen: What the network saw, each sequence between <cls> and <eos>.
        starts: Where sequences begin in it, and the end.
        places: Of the masks in it.
        labels: Tokens that stand there.
    """

    corpus: Corpus
    split: Split
    records: Integers
    clusters: Integers
    seen: NDArray[np.uint8]
    starts: Integers
    places: Integers
    labels: NDArray[np.uint8]

    @cached_property
    def counted(self) -> dict[str, Floats]:
        """What counting in the training split knows: log p of the twenty amino acids by model."""
        train = sample(read_split(self.corpus.folder, "train"), COUNTED, 0)
        tables = baselines.tables(baselines.count_neighbors(self.corpus, np.sort(train)))
        return {
            name: table - np.log(np.exp(table[..., :NUM_AMINO_ACIDS]).sum(-1, keepdims=True))
            for name, table in tables.items()
        }


@dataclass(frozen=True)
class Company:
    """Records that were asked together: their answers should be those of each alone.

    Attributes:
        members: Their numbers, in the order in which they were asked; of one, if it is alone.
    """

    members: tuple[int, ...]


@dataclass(frozen=True)
class Folds:
    """Secondary structure of chains; the first ones are for fitting a probe.

    Attributes:
        train, test: The chains.
    """

    train: Chains
    test: Chains


def cases(store: Path, split: Split, known: Measured) -> Iterator[tuple[str, Question, Any]]:
    """Named questions and their truths.

    Args:
        store: Of the corpus.
        split: To take held-out records from.
        known: What else there is to compare with.
    """
    held_out = hide(Corpus(store), split)
    shown = separate(held_out.seen, held_out.starts)
    asked = Records(f"{split} split", tuple(map(str, held_out.records.tolist())), shown)
    yield split, Question(asked, embeddings="none", probabilities=True), held_out
    few = list(zip(asked.ids, shown, strict=True))[:MET]
    for company in companies(len(few)):
        ids, records = zip(*(few[member] for member in company), strict=True)
        name = f"company of {', '.join(ids)}"
        question = Question(Records(name, ids, records), embeddings="residue")
        yield name, question, Company(company)
    for path in sorted(known.scans.glob("*.csv*")) if known.scans else ():
        if (scan := scan_of(path)) is not None:
            yield scan.name, Question("", mutations=path), scan
    if known.structure is not None:
        folds = Folds(
            read_chains(known.structure, "train", TRAINED),
            read_chains(known.structure, "test", TESTED),
        )
        chains = [*sequences(folds.train), *sequences(folds.test)]
        names = tuple(map(str, range(len(chains))))
        question = Question(Records("chains", names, tuple(chains)), embeddings="residue")
        yield "structure", question, folds


def companies(count: int) -> list[tuple[int, ...]]:
    """Each of some records alone; then all, half and a third of them, in random orders."""
    rng = np.random.default_rng(0)
    sizes = [max(2, count // part) for part in (1, 2, 3)] if count > 1 else []
    several = [tuple(rng.permutation(count)[:size].tolist()) for size in sizes for _ in range(2)]
    return [(member,) for member in range(count)] + several


def hide(corpus: Corpus, split: Split) -> HeldOut:
    """Mask 15 % of the residues of a split's records, at most `MOST_RECORDS` of them."""
    chosen = np.sort(sample(read_split(corpus.folder, split), MOST_RECORDS, 0))
    chosen = chosen[corpus.places(chosen).lengths <= LONGEST]
    where = corpus.places(chosen)
    hidden = masked(corpus.gather(where), ASKED, np.random.default_rng(0))
    starts = np.concatenate(([0], np.cumsum(where.lengths + 2)))
    return HeldOut(
        corpus, split, chosen, clusters_of(corpus, chosen), hidden.tokens, starts, hidden.places,
        hidden.labels,
    )  # fmt: skip


def clusters_of(corpus: Corpus, records: Integers) -> Integers:
    """The cluster of each record; its own number, where there are none."""
    try:
        return np.asarray(read_clusters(corpus.folder).of_record[records])
    except FileNotFoundError:
        return records


def separate(seen: NDArray[np.uint8], starts: Integers) -> tuple[NDArray[np.uint8], ...]:
    """The residues of each sequence, without <cls> and <eos>."""
    ends = zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)
    return tuple(seen[begin + 1 : end - 1] for begin, end in ends)


def sequences(chains: Chains) -> list[NDArray[np.uint8]]:
    """The residues of each chain."""
    return np.split(chains.tokens, chains.starts[1:-1])


def scan_of(path: Path) -> Scan | None:
    """A scan; None for another table that lies in the folder."""
    try:
        return read_scan(path)
    except ValueError:
        return None
