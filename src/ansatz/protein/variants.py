"""Effects of mutations without any training on them, from the marginals of a language model.

With the wild type x, and x without the residue at i written x₋ᵢ, a variant that has the residues vᵢ
at the positions i of a set M gets the score

    Σ_{i ∈ M} log p(vᵢ | x₋ᵢ) - log p(xᵢ | x₋ᵢ)            masked marginals
    Σ_{i ∈ M} log p(vᵢ | x)   - log p(xᵢ | x)              wild-type marginals

(Meier et al., "Language models enable zero-shot prediction of the effects of mutations on protein
function", NeurIPS 2021). Masked ones take a copy of the wild type per mutated position, each with a
single mask, however many mutations a variant has; for one mutation that is the paper's definition,
and for several it is what the code beside the paper computes.
"""

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ansatz.core.recipe import Encoded
from ansatz.protein.answer import Scored
from ansatz.protein.batches import Tensors, packed, residues
from ansatz.protein.corpus.alphabet import FIRST_RESIDUE, MASK, NUM_AMINO_ACIDS, RESIDUES, TOKENS
from ansatz.protein.corpus.reading import open_text
from ansatz.protein.records import Part, Records, Texts, typed
from ansatz.protein.request import Marginals, Question

AMINO_ACIDS = RESIDUES[:NUM_AMINO_ACIDS]
MUTATION = re.compile(r"([A-Za-z])(\d{1,6})([A-Za-z])")
COLUMN, WILD_TYPE = "mutant", re.compile(r"#\s*wt\s*=\s*(\S+)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Table:
    """A file of mutations.

    Attributes:
        path: Of the file.
        columns: Its header.
        rows: Below it.
        lines: Of the rows in the file, from 1.
        wild_type: Of the line before the header, if there is one.
    """

    path: Path
    columns: list[str]
    rows: list[list[str]]
    lines: list[int]
    wild_type: str | None


@dataclass(frozen=True)
class Mutations:
    """Single mutations of all variants, one after the other; all of shape (mutations,).

    Attributes:
        variants: Row of the table that each belongs to.
        positions: In the wild type, from 0.
        before, after: Amino acids of the wild type and of the variant, as in `AMINO_ACIDS`.
    """

    variants: NDArray[np.int64]
    positions: NDArray[np.int64]
    before: NDArray[np.int64]
    after: NDArray[np.int64]

    @property
    def mutated(self) -> NDArray[np.int64]:
        """Positions at which there is any, ascending."""
        return np.unique(self.positions)


@dataclass(frozen=True)
class AskedVariants:
    """What scores are made of, beside logits: the table, and what its mutations are."""

    table: Table
    wild_type: NDArray[np.uint8]
    mutations: Mutations

    def answer(self, outputs: Tensors) -> Scored:
        """Sum log ratios over the mutations of each variant."""
        found = scores(self.mutations, outputs["logits"], len(self.table.rows))
        return Scored(
            path=self.table.path,
            columns=tuple(self.table.columns),
            rows=tuple(map(tuple, self.table.rows)),
            scores=found,
            residues=len(self.wild_type),
            positions=len(self.mutations.mutated),
        )


def encode_variants(path: Path, question: Question, texts: Texts) -> Encoded[AskedVariants]:
    """Read mutations and their wild type.

    Raises:
        OSError: If a file cannot be read.
        ValueError: If the table is none, there is no one wild type, or a mutation is not of it.
    """
    table = read_table(path)
    wild_type = wild_type_of(table, question, texts)
    mutations = read_mutations(table, wild_type)
    tensors = masked_copies(wild_type, mutations.mutated, question.marginals, question.batch_tokens)
    return Encoded(tensors, AskedVariants(table, wild_type, mutations))


def masked_copies(
    wild_type: NDArray[np.uint8], positions: NDArray[np.int64], marginals: Marginals, budget: int
) -> Tensors:
    """The network's question: logits at positions of the wild type, in their order."""
    if marginals == "wildtype":
        tensors = packed([wild_type], budget)
        wanted = torch.zeros(len(tensors["tokens"]), dtype=torch.bool)
        wanted[torch.from_numpy(positions) + 1] = True  # after <cls>
        return tensors | {"places": wanted}
    copies = np.tile(wild_type, (len(positions), 1))
    copies[np.arange(len(positions)), positions] = MASK
    tensors = packed(list(copies), budget)
    is_wanted = torch.zeros(copies.shape, dtype=torch.bool)
    is_wanted[torch.arange(len(positions)), torch.from_numpy(positions)] = True
    wanted = torch.zeros(len(tensors["tokens"]), dtype=torch.bool)
    wanted[residues(tensors)] = is_wanted.flatten()
    return tensors | {"places": wanted}


def scores(mutations: Mutations, logits: Tensor, variants: int) -> NDArray[np.float64]:
    """Sums of log ratios.

    Args:
        mutations: Of all variants.
        logits: At the mutated positions, shape (positions, 33).
        variants: How many there are.
    """
    amino_acids = logits[:, FIRST_RESIDUE : FIRST_RESIDUE + NUM_AMINO_ACIDS].double().numpy()
    row = np.searchsorted(mutations.mutated, mutations.positions)
    # Of a difference of logarithms, what makes them sum to one falls out.
    ratios = amino_acids[row, mutations.after] - amino_acids[row, mutations.before]
    return np.bincount(mutations.variants, ratios, variants).astype(np.float64)


# -------------------------------------------------------------------------------------- files
def read_table(path: Path) -> Table:
    """Read a file of mutations.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is no table with a column `mutant`.
    """
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}: expected a table of mutations, .csv")
    with open_text(path) as text:
        content = b"".join(text.chunks).decode("utf-8-sig", "replace")
    lines = content.splitlines()
    said = WILD_TYPE.fullmatch(lines[0]) if lines else None
    skipped = int(said is not None)
    reader = csv.reader(lines[skipped:])
    columns = next(reader, [])
    columns = [name.strip() for name in columns]
    rows, numbers = [], []
    for row in reader:
        if not row:
            continue
        line = skipped + reader.line_num
        if len(row) != len(columns):
            raise ValueError(
                f"{path.name}, line {line}: {len(row)} values, and the header names "
                f"{len(columns)}: {', '.join(columns)}"
            )
        rows.append(row)
        numbers.append(line)
    if columns.count(COLUMN) != 1 or not rows:
        raise ValueError(
            f"{path.name} has {len(rows)} rows and the columns {', '.join(columns) or 'none'}: "
            f"expected a table with one column {COLUMN!r}, as in A1B or A1B:C2D"
        )
    return Table(path, columns, rows, numbers, said[1] if said else None)


def wild_type_of(table: Table, question: Question, texts: Texts) -> NDArray[np.uint8]:
    """The sequence that mutations are about.

    Raises:
        OSError: If its file cannot be read.
        ValueError: If there is none, several, or two that differ.
    """
    asked, name = question.sequences, table.path.name
    given = asked if isinstance(asked, Records) else None
    if isinstance(asked, str) and asked:
        given = typed(asked)
    if isinstance(asked, Path | Part) and asked != table.path:
        given = texts.read(asked)
    said = None if table.wild_type is None else typed(table.wild_type)
    for records in (given, said):
        if records is not None and len(records.ids) != 1:
            raise ValueError(
                f"{name} is about one wild type, and {records.source} holds {len(records.ids)} "
                "sequences: give the one that the mutations are of"
            )
    if given is not None and said is not None:
        _require_same(name, given, said)
    found = said or given
    if found is None:
        raise ValueError(
            f"{name} names no wild type: give a sequence, or make '# wt=MKT...' its first line"
        )
    return found.sequences[0]


def _require_same(name: str, given: Records, said: Records) -> None:
    if not np.array_equal(given.sequences[0], said.sequences[0]):
        raise ValueError(
            f"{name} names a wild type of {said.lengths[0]} residues, and {given.source} has "
            f"another one of {given.lengths[0]}: leave out either"
        )


def read_mutations(table: Table, wild_type: NDArray[np.uint8]) -> Mutations:
    """Read the mutations of all rows.

    Raises:
        ValueError: If a row has no mutation of the wild type, with its line, what was found, and
            what was expected.
    """
    column = table.columns.index(COLUMN)
    letters = [TOKENS[token] for token in wild_type.tolist()]
    found: list[tuple[int, int, int, int]] = []
    for variant, (row, line) in enumerate(zip(table.rows, table.lines, strict=True)):
        where = f"{table.path.name}, line {line}"
        here = [_mutation(word, letters, where) for word in row[column].strip().split(":")]
        if len({position for position, _, _ in here}) < len(here):
            raise ValueError(f"{where}: {row[column]} changes one position twice: write one change")
        found += [(variant, *mutation) for mutation in here]
    return Mutations(*np.array(found, np.int64).T)


def _mutation(word: str, letters: list[str], where: str) -> tuple[int, int, int]:
    """Position, and amino acids before and after."""
    match = MUTATION.fullmatch(word)
    if not match:
        raise ValueError(f"{where}: {word!r} is no mutation: expected one as A1B, or A1B:C2D")
    before, number, after = match[1].upper(), int(match[2]), match[3].upper()
    if not 1 <= number <= len(letters):
        raise ValueError(
            f"{where}: {word} is at position {number}, and the wild type has positions 1 to "
            f"{len(letters)}"
        )
    if letters[number - 1] != before:
        raise ValueError(
            f"{where}: {word} says that the wild type has {before} at position {number}, and it "
            f"has {letters[number - 1]}. Positions count from 1"
        )
    for letter in (before, after):
        if letter not in AMINO_ACIDS:
            raise ValueError(
                f"{where}: {letter} in {word} is none of the twenty amino acids "
                f"{''.join(sorted(AMINO_ACIDS))}"
            )
    return number - 1, AMINO_ACIDS.index(before), AMINO_ACIDS.index(after)
