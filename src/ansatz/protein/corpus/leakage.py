"""How much of the held-out sequences a network has seen in training.

Exact copies are found by their 128-bit hashes, among all records. Near ones are looked for in a
sample: two sequences of identity p share about p^k of their k-mers, k = 7, so the share of a
held-out sequence's k-mers that one training sequence has, c, suggests p = c^(1/k). Of the k-mers,
those are compared whose hash is below 1/4 of its range, the same ones in every sequence
(FracMinHash: Irber et al., 2022). With MMseqs2 installed, alignments say more.
"""

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ansatz.protein.corpus.alphabet import FIRST_RESIDUE, decode
from ansatz.protein.corpus.corpus import Corpus
from ansatz.protein.corpus.duplicates import Seen
from ansatz.protein.corpus.order import Words, random_words, shuffled

K, SCALE = 7, 4
LEAST_SHARED = 3  # k-mers; one in common is often chance
MOST_COMMON = 1000  # a k-mer in more training sequences than that says nothing
_KMER = 4  # purpose of random words


@dataclass(frozen=True)
class Leakage:
    """What held-out and training sequences share.

    Attributes:
        held_out: Records that are held out.
        copies: Distinct held-out sequences with an exact copy in training.
        sampled, against: Held-out records whose k-mers were compared, and training records.
        containment: Per sampled record, the largest share of its k-mers in one training record.
        nearest: That training record; -1 if none shares enough k-mers.
        records: The sampled records.
    """

    held_out: int
    copies: int
    sampled: int
    against: int
    containment: NDArray[np.float64]
    nearest: NDArray[np.int64]
    records: NDArray[np.int64]

    def above(self, identity: float) -> float:
        """Share of the sampled records with a training record of at least that identity.

        Below 0.65, three k-mers in common are more than most pairs have: ask MMseqs2.
        """
        return float((self.containment >= identity**K).mean())


def measure_leakage(
    corpus: Corpus,
    train: NDArray[np.int64],
    held_out: NDArray[np.int64],
    *,
    sampled: int = 500,
    against: int = 20_000,
    seed: int = 0,
) -> Leakage:
    """Compare held-out records with training records.

    Args:
        corpus: Whose records.
        train, held_out: Their numbers.
        sampled: Held-out records whose k-mers are compared.
        against: Training records that they are compared with.
        seed: Of the samples.
    """
    asked, known = sample(held_out, sampled, seed), sample(train, against, seed)
    containment, nearest = _containment(corpus, asked, known)
    hashes = corpus.hashes()
    return Leakage(
        held_out=len(held_out),
        copies=_copies(hashes[train], hashes[held_out]),
        sampled=len(asked),
        against=len(known),
        containment=containment,
        nearest=nearest,
        records=asked,
    )


def sample(records: NDArray[np.int64], size: int, seed: int) -> NDArray[np.int64]:
    """Some of the records, without replacement."""
    size = min(size, len(records))
    return records[shuffled(np.arange(size), len(records), seed)] if size else records[:0]


def aligned(
    corpus: Corpus, train: NDArray[np.int64], held_out: NDArray[np.int64], identity: float = 0.5
) -> int | None:
    """Held-out records to which MMseqs2 aligns a training record over 80 % of its length.

    Returns:
        How many; None if `mmseqs` is not installed.
    """
    program = shutil.which("mmseqs")
    if program is None:
        return None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for stem, records in (("held", held_out), ("train", train)):
            lines = (f">{record}\n{decode(corpus[record])}\n" for record in records.tolist())
            (folder / f"{stem}.fasta").write_text("".join(lines))
        files = [str(folder / part) for part in ("held.fasta", "train.fasta", "hits.tsv", "work")]
        limits = ["--min-seq-id", str(identity), "-c", "0.8", "--cov-mode", "2", "--threads", "1"]
        subprocess.run(
            [program, "easy-search", *files, *limits, "-v", "1"], check=True, capture_output=True
        )
        hits = (folder / "hits.tsv").read_text().splitlines()
    return len({line.split("\t")[0] for line in hits})


def _copies(train: Words, held_out: Words) -> int:
    """Distinct held-out sequences that training has too, by their hashes."""
    seen = Seen()
    seen.add(train)
    distinct = held_out[Seen().add(held_out)]
    return int((~seen.add(distinct)).sum())


def _containment(
    corpus: Corpus, asked: NDArray[np.int64], known: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Per asked record: the largest share of its k-mers in one known record, and which one."""
    best = np.zeros(len(asked))
    nearest = np.full(len(asked), -1)
    if not len(asked) or not len(known):
        return best, nearest
    query, of_query = sketch(corpus, asked)
    kmers, of_kmer = sketch(corpus, known)
    order = np.argsort(kmers, kind="stable")
    kmers, of_kmer = kmers[order], of_kmer[order]
    first, last = np.searchsorted(kmers, query), np.searchsorted(kmers, query, "right")
    counts = np.where(last - first > MOST_COMMON, 0, last - first)
    ends = np.cumsum(counts)
    inside = np.arange(counts.sum()) - np.repeat(ends - counts, counts)
    partner = of_kmer[np.repeat(first, counts) + inside]
    pairs, shared = np.unique(
        np.repeat(of_query, counts) * len(known) + partner, return_counts=True
    )
    pairs, shared = pairs[shared >= LEAST_SHARED], shared[shared >= LEAST_SHARED]
    sizes = np.bincount(of_query, minlength=len(asked))
    who = pairs // len(known)
    share = shared / sizes[who]
    ascending = np.argsort(share, kind="stable")  # the best one is written last
    best[who[ascending]] = share[ascending]
    nearest[who[ascending]] = known[pairs[ascending] % len(known)]
    return best, nearest


def sketch(corpus: Corpus, records: NDArray[np.int64]) -> tuple[Words, NDArray[np.int64]]:
    """Hashes of the distinct k-mers of records that are compared, and the index of the record."""
    places = corpus.places(records)
    tokens = corpus.gather(places)
    size = len(tokens) - K + 1
    codes = np.zeros(size, np.int64)
    for offset in range(K):
        codes = codes << 5 | tokens[offset : offset + size]
    # <cls> and <eos> keep the k-mers of two records apart.
    special = np.concatenate(([0], np.cumsum(tokens < FIRST_RESIDUE)))
    words = random_words(0, _KMER, codes)
    is_compared = (special[K:] == special[:-K]) & (words < np.uint64(2**64 // SCALE))
    owner = np.repeat(np.arange(len(records)), places.lengths + 2)[:size]
    words, owner = words[is_compared], owner[is_compared]
    order = np.lexsort((words, owner))
    words, owner = words[order], owner[order]
    is_first = np.ones(len(words), bool)
    is_first[1:] = (words[1:] != words[:-1]) | (owner[1:] != owner[:-1])
    return words[is_first], owner[is_first]
