"""Effects of mutations beside measured ones: rank correlation over a deep mutational scan.

A scan measures the fitness of thousands of mutants of one protein. A model that has not seen it
(zero-shot) gives each mutant a score, and Spearman's ρ says whether it orders them as the
measurement does. Beside it stand a substitution matrix, which knows neither the place nor the
protein, and what ProteinGym (Notin et al., NeurIPS 2023) publishes of larger models.
"""

import gzip
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from ansatz.report.statistics import Floats, Interval, spearman

RESAMPLES = 500  # ranking thousands of mutants again and again takes a second

# Zero-shot Spearman's ρ, from OATML-Markslab/ProteinGym at bb685245,
# benchmarks/DMS_zero_shot/substitutions/Spearman/DMS_substitutions_Spearman_DMS_level.csv.
# RL401_YEAST is called RL40A_YEAST there.
PROTEINGYM = "ProteinGym"
SITE_INDEPENDENT, ESM2_8M, ESM2_35M = "site-independent", "ESM-2 8M", "ESM-2 35M"
_MODELS = (
    SITE_INDEPENDENT, ESM2_8M, ESM2_35M, "ESM-2 150M", "ESM-2 650M", "ESM-1b", "ESM-1v",
    "ESM-C 300M",
)  # fmt: skip
_PUBLISHED = {
    "BLAT_ECOLX_Stiffler_2015": (0.466, 0.399, 0.557, 0.661, 0.731, 0.698, 0.668, 0.706),
    "RL401_YEAST_Roscoe_2013": (0.313, 0.122, 0.423, 0.534, 0.599, 0.218, 0.307, 0.450),
    "TPMT_HUMAN_Matreyek_2018": (0.372, 0.308, 0.433, 0.531, 0.539, 0.546, 0.517, 0.561),
}

# BLOSUM62 in half bits (Henikoff and Henikoff, PNAS 89:10915, 1992, fig. 2; NCBI's file BLOSUM62).
_ORDER = "ARNDCQEGHILKMFPSTWYV"
_MUTATION = re.compile(rf"([{_ORDER}])(\d+)([{_ORDER}])")
_BLOSUM62 = """
 4 -1 -2 -2  0 -1 -1  0 -2 -1 -1 -1 -1 -2 -1  1  0 -3 -2  0
-1  5  0 -2 -3  1  0 -2  0 -3 -2  2 -1 -3 -2 -1 -1 -3 -2 -3
-2  0  6  1 -3  0  0  0  1 -3 -3  0 -2 -3 -2  1  0 -4 -2 -3
-2 -2  1  6 -3  0  2 -1 -1 -3 -4 -1 -3 -3 -1  0 -1 -4 -3 -3
 0 -3 -3 -3  9 -3 -4 -3 -3 -1 -1 -3 -1 -2 -3 -1 -1 -2 -2 -1
-1  1  0  0 -3  5  2 -2  0 -3 -2  1  0 -3 -1  0 -1 -2 -1 -2
-1  0  0  2 -4  2  5 -2  0 -3 -3  1 -2 -3 -1  0 -1 -3 -2 -2
 0 -2  0 -1 -3 -2 -2  6 -2 -4 -4 -2 -3 -3 -2  0 -2 -2 -3 -3
-2  0  1 -1 -3  0  0 -2  8 -3 -3 -1 -2 -1 -2 -1 -2 -2  2 -3
-1 -3 -3 -3 -1 -3 -3 -4 -3  4  2 -3  1  0 -3 -2 -1 -3 -1  3
-1 -2 -3 -4 -1 -2 -3 -4 -3  2  4 -2  2  0 -3 -2 -1 -2 -1  1
-1  2  0 -1 -3  1  1 -2 -1 -3 -2  5 -1 -3 -1  0 -1 -3 -2 -2
-1 -1 -2 -3 -1  0 -2 -3 -2  1  2 -1  5  0 -2 -1 -1 -1 -1  1
-2 -3 -3 -3 -2 -3 -3 -3 -1  0  0 -3  0  6 -4 -2 -2  1  3 -1
-1 -2 -2 -1 -3 -1 -1 -2 -2 -3 -3 -1 -2 -4  7 -1 -1 -4 -3 -2
 1 -1  1  0 -1  0  0  0 -1 -2 -2  0 -1 -2 -1  4  1 -3 -2 -2
 0 -1  0 -1 -1 -1 -1 -2 -2 -1 -1 -1 -1 -2 -1  1  5 -2 -2  0
-3 -3 -4 -4 -2 -2 -3 -2 -2 -3 -2 -3 -1  1 -4 -3 -2 11  2 -3
-2 -2 -2 -3 -2 -1 -2 -3  2 -1 -1 -2 -1  3 -3 -2 -2  2  7 -1
 0 -3 -3 -3 -1 -2 -2 -3 -3  3  1 -2  1 -1 -2 -2  0 -3 -1  4
"""
BLOSUM62 = np.array(_BLOSUM62.split(), np.int64).reshape(20, 20)


@dataclass(frozen=True)
class Scan:
    """A deep mutational scan.

    Attributes:
        name: Of the assay.
        wild_type: The sequence that was mutated.
        mutants: As `H24C`, or `H24C:P25A` for two mutations; places count from 1.
        fitness: Measured, larger is fitter, shape (mutants,).
    """

    name: str
    wild_type: str
    mutants: tuple[str, ...]
    fitness: Floats


@dataclass(frozen=True)
class Agreement:
    """How well a model orders the mutants of a scan.

    Attributes:
        name: Of the assay.
        mutants: How many were measured.
        model, matrix: ρ of the model's scores and of BLOSUM62's.
        published: ρ of other models, by their names; empty if nobody published any.
    """

    name: str
    mutants: int
    model: Interval
    matrix: Interval
    published: Mapping[str, float] = field(default_factory=dict)


def agreement(scan: Scan, scores: ArrayLike, *, resamples: int = RESAMPLES) -> Agreement:
    """Compare the scores of a model with a scan.

    Args:
        scan: The measurement.
        scores: One per mutant, larger is fitter: log p(mutant) - log p(wild type).
        resamples: Of the bootstrap over mutants.

    Raises:
        ValueError: If there are not as many scores as mutants.
    """
    return Agreement(
        scan.name,
        len(scan.mutants),
        spearman(scan.fitness, scores, resamples=resamples),
        spearman(scan.fitness, blosum62(scan.mutants), resamples=resamples),
        published(scan.name),
    )


def published(assay: str) -> dict[str, float]:
    """Spearman's ρ of ProteinGym's models on an assay; empty for an assay that is not kept here."""
    return dict(zip(_MODELS, _PUBLISHED.get(assay, ()), strict=False))


def blosum62(mutants: Sequence[str]) -> Floats:
    """Scores by substitutions alone: the sum of B(wild type, mutant) over mutations."""
    return np.array([_by_matrix(mutant) for mutant in mutants])


def _by_matrix(mutant: str) -> float:
    parts = _MUTATION.findall(mutant)
    return float(sum(BLOSUM62[_ORDER.index(old), _ORDER.index(new)] for old, _, new in parts))


def read_scan(path: Path) -> Scan:
    """Read a scan.

    Args:
        path: CSV, plain or gzip: `# wt=SEQUENCE`, then the header `mutant,score`, then rows.

    Raises:
        ValueError: If the file is another one, or a mutation contradicts the wild type.
    """
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        first, header, *rows = [line.strip() for line in file]
    if not first.startswith("# wt=") or header != "mutant,score":
        raise ValueError(
            f"{path.name} begins with {first[:20]!r} and {header[:20]!r}; "
            "expected '# wt=SEQUENCE' and 'mutant,score'"
        )
    wild_type = first.removeprefix("# wt=")
    pairs = [row.split(",") for row in rows if row]
    for mutant, _ in pairs:
        _verify(mutant, wild_type, path.name)
    fitness = np.array([float(score) for _, score in pairs])
    name = path.name.partition(".")[0]
    return Scan(name, wild_type, tuple(mutant for mutant, _ in pairs), fitness)


def _verify(mutant: str, wild_type: str, name: str) -> None:
    for part in mutant.split(":"):
        match = _MUTATION.fullmatch(part)
        place = int(match[2]) if match else 0
        if match is None or wild_type[place - 1 : place] != match[1]:
            raise ValueError(
                f"{name}: {part!r} is no mutation of its wild type; expected its letter, its place "
                f"from 1 to {len(wild_type)} and another letter, as in "
                f"{wild_type[0]}1{'A' if wild_type[0] != 'A' else 'G'}"
            )
