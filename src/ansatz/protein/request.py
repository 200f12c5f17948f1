"""What one asks a protein language model: embeddings, probabilities, or scores of mutations.

ansatz predict protein/small proteins.fasta.gz embeddings=residue
ansatz predict protein/small "MKT<mask>YIAK" probabilities=true
ansatz predict protein/small wild_type.fasta mutations=scan.csv
ansatz predict protein/small scan.csv                 (whose first line is `# wt=MKT...`)
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge

from ansatz.protein.records import Part, Records, cut

Pooling = Literal["mean", "residue", "cls", "none"]
Marginals = Literal["masked", "wildtype"]
TABLES = (".csv", ".csv.gz", ".csv.zst")
SUFFIXES = (
    *(f"{kind}{end}" for kind in (".fasta", ".fa", ".faa") for end in ("", ".gz", ".zst")),
    *TABLES,
)
# Tokens of a part: what a number per token and feature makes of them has to fit into memory, and
# a run that is stopped computes one part again.
PER_SEQUENCE, PER_RESIDUE = 1 << 20, 1 << 18


@dataclass(frozen=True)
class Question:
    """A question about proteins.

    Attributes:
        sequences: A FASTA file, plain or compressed by gzip or zstd; or sequences as text, with
            commas between them, where `<mask>` stands for a residue to guess; or a table of
            mutations that begins with its wild type.
        embeddings: A vector per protein: `mean` of its residues, or that of `cls`; a vector per
            `residue`; or `none`.
        probabilities: Also give log-probabilities of the twenty amino acids at each residue, in one
            pass, in which the network sees all residues but those that are `<mask>`.
        mutations: A table `.csv` with a column `mutant`, as A1B or A1B:C2D, positions from 1, about
            one wild type: the only sequence, or that of a first line `# wt=MKT...`. Gives scores
            in place of embeddings.
        marginals: Whether scores are read where the wild type is `masked`, one position at a time,
            or off a single pass over the whole `wildtype`: faster, and less exact.
        batch_tokens: Tokens that the network takes at a time.
    """

    sequences: Path | str | Part | Records
    embeddings: Pooling = "mean"
    probabilities: bool = False
    mutations: Path | None = None
    marginals: Marginals = "masked"
    batch_tokens: Annotated[int, Ge(1)] = 16384

    def __post_init__(self) -> None:
        if self.embeddings == "none" and not self.probabilities and self.table is None:
            raise ValueError(
                "embeddings=none leaves nothing to answer: ask for probabilities=true, or name a "
                "file of mutations"
            )

    @property
    def table(self) -> Path | None:
        """The file of mutations; None if they are not what is asked."""
        asked = self.sequences
        is_table = isinstance(asked, Path) and asked.name.lower().endswith(TABLES)
        return asked if is_table and isinstance(asked, Path) else self.mutations


def parts(question: Question) -> Iterator[tuple[str, Question]]:
    """Cut a question about a long file into questions about parts of it.

    Memory is that of one part, and a run that was stopped goes on at the first part without an
    answer. The digest of a part's question is that of its own records.

    Args:
        question: Any.

    Yields:
        What to append to a name, and the question; a single one, with nothing to append, if it
        needs no cutting.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is no FASTA, or holds a record without an answer.
    """
    if not isinstance(question.sequences, Path) or question.table is not None:
        yield "", question
        return
    is_long = question.embeddings == "residue" or question.probabilities
    found = cut(question.sequences, PER_RESIDUE if is_long else PER_SEQUENCE)
    first, second = next(found), next(found, None)
    if second is None:
        yield "", replace(question, sequences=first)
        return
    yield "-00000", replace(question, sequences=first)
    yield "-00001", replace(question, sequences=second)
    for number, part in enumerate(found, 2):
        yield f"-{number:05}", replace(question, sequences=part)
