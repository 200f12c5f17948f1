"""What a protein language model says, and the files that it is in.

stem.npz   ids, offsets, embeddings, log_probabilities with the names of their columns
stem.csv   the table of mutations with a column more
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ansatz.core.artifacts import atomic
from ansatz.protein.corpus.alphabet import NUM_AMINO_ACIDS, RESIDUES

Float32 = NDArray[np.float32]
SHOWN = 8  # masks in a summary
LIKELIEST = 3  # amino acids for each
SCORE = "score"


@dataclass(frozen=True)
class Embedded:
    """Embeddings and probabilities of proteins, in the order in which they were asked about.

    Attributes:
        ids: Of the records.
        offsets: Where the residues of each record begin among those of all, and their number,
            shape (records + 1,).
        embeddings: Shape (records, width); (residues, width) if they were asked for per residue;
            None if they were not asked for.
        log_probabilities: Of the twenty amino acids at each residue, given that it is one of them,
            shape (residues, 20), columns as in `amino_acids`; None if not asked for.
        masks: Residues that were `<mask>`, among those of all.
        unknown: Letters that no token stands for.
    """

    ids: tuple[str, ...]
    offsets: NDArray[np.int64]
    embeddings: Float32 | None
    log_probabilities: Float32 | None
    masks: NDArray[np.int64]
    unknown: int
    amino_acids: str = RESIDUES[:NUM_AMINO_ACIDS]

    def summary(self) -> dict[str, float | int | str]:
        """Numbers of records, residues and unknown letters; the likeliest amino acids at masks."""
        row: dict[str, float | int | str] = {
            "records": len(self.ids),
            "residues": int(self.offsets[-1]),
            "longest": int(np.diff(self.offsets).max()),
            "unknown": self.unknown,
        }
        if self.log_probabilities is not None and len(self.masks):
            row["masks"] = "; ".join(self._guess(int(m)) for m in self.masks[:SHOWN])
        return row

    def _guess(self, residue: int) -> str:
        """The likeliest amino acids at a residue, after its record and position from 1."""
        assert self.log_probabilities is not None
        shares = np.exp(self.log_probabilities[residue])
        best = np.argsort(-shares, kind="stable")[:LIKELIEST]
        listed = ", ".join(f"{self.amino_acids[i]} {shares[i]:.2f}" for i in best)
        record = int(np.searchsorted(self.offsets, residue, "right")) - 1
        return f"{self.ids[record]} {residue - int(self.offsets[record]) + 1}: {listed}"

    def save(self, folder: Path, stem: str) -> list[Path]:
        """Write `stem.npz`.

        Raises:
            OSError: If the disk refuses.
        """
        path = folder / f"{stem}.npz"
        arrays: dict[str, NDArray[np.generic]] = {
            "ids": np.array(self.ids),
            "offsets": self.offsets,
        }
        if self.embeddings is not None:
            arrays["embeddings"] = self.embeddings
        if self.log_probabilities is not None:
            arrays["log_probabilities"] = self.log_probabilities
            arrays["amino_acids"] = np.array(list(self.amino_acids))
        with atomic(path) as part:
            np.savez(part, allow_pickle=False, **arrays)
        return [path]


@dataclass(frozen=True)
class Scored:
    """Scores of variants: above 0 where the model finds them likelier than the wild type.

    Attributes:
        path: Of the table.
        columns: Of the table.
        rows: Of the table, as they were.
        scores: Of the rows, shape (rows,); differences of natural logarithms.
        residues: Of the wild type.
        positions: At which there is a mutation.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    scores: NDArray[np.float64]
    residues: int
    positions: int

    @property
    def column(self) -> str:
        """The name of the column of scores: one that the table does not have."""
        found = SCORE
        while found in self.columns:
            found = f"model_{found}"
        return found

    def summary(self) -> dict[str, float | int | str]:
        """How many variants of how many positions, and how their scores spread."""
        low, middle, high = np.quantile(self.scores, (0, 0.5, 1)).tolist()
        return {
            "variants": len(self.rows),
            "residues": self.residues,
            "positions": self.positions,
            "score_min": low,
            "score_median": middle,
            "score_max": high,
        }

    def save(self, folder: Path, stem: str) -> list[Path]:
        """Write `stem.csv`: the table with a column of scores.

        Raises:
            ValueError: If it would take the place of the table.
            OSError: If the disk refuses.
        """
        path = folder / f"{stem}.csv"
        if path.resolve() == self.path.resolve():
            raise ValueError(
                f"the answer would take the place of {self.path}, where the mutations are: give "
                "another folder, by --out"
            )
        with atomic(path) as part, part.open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([*self.columns, self.column])
            for row, score in zip(self.rows, self.scores.tolist(), strict=True):
                writer.writerow([*row, f"{score:.6g}"])
        return [path]
