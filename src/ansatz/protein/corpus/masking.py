"""Masking for masked-language modelling: which residues a network has to guess, and what it sees.

Each residue is chosen with the same probability, independently. Of the chosen ones some become
<mask>, some a random one of the twenty amino acids, the rest stays as it is (Devlin et al., BERT,
2019, §3.1). <cls>, <eos>, <pad> and <unk> are never chosen and never put in; Hugging Face's
collator and BioNeMo 2 draw replacements from all 33 tokens, special ones included.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Le
from numpy.typing import NDArray

from ansatz.protein.corpus.alphabet import FIRST_RESIDUE, LAST_RESIDUE, MASK, NUM_AMINO_ACIDS

Share = Annotated[float, Ge(0), Le(1)]


@dataclass(frozen=True)
class Masking:
    """A recipe of masking.

    Attributes:
        share: Of residues that are chosen.
        mask: Of the chosen ones, those that become <mask>.
        random: Of the chosen ones, those that become a random amino acid; the rest is unchanged.
        another: Whether a random amino acid is never the one that it replaces.
    """

    share: Share = 0.15
    mask: Share = 0.8
    random: Share = 0.1
    another: bool = False

    def __post_init__(self) -> None:
        if self.mask + self.random > 1 + 1e-9:
            raise ValueError(
                f"mask={self.mask} and random={self.random} are shares of the chosen residues: "
                "expected a sum of at most 1"
            )


BERT = Masking()
# BioNeMo before 5/2024, as in AWS's example: perturb 0.5, mask 0.5, identity 0.
BIONEMO_1_2 = Masking(mask=0.5, random=0.5, another=True)


@dataclass(frozen=True)
class Masked:
    """Tokens after masking.

    Attributes:
        tokens: What the network sees, shape (n,).
        places: Where it has to guess, ascending, shape (m,).
        labels: What stands there, shape (m,).
    """

    tokens: NDArray[np.uint8]
    places: NDArray[np.int64]
    labels: NDArray[np.uint8]


def masked(tokens: NDArray[np.uint8], masking: Masking, rng: np.random.Generator) -> Masked:
    """Mask tokens.

    Args:
        tokens: Sequences side by side, see `packing`; left as they are.
        masking: The recipe.
        rng: Source of all draws.
    """
    # A residue's code less the first one's is small; that of any other token is not.
    is_residue = tokens - np.uint8(FIRST_RESIDUE) <= LAST_RESIDUE - FIRST_RESIDUE
    chosen = rng.random(len(tokens), np.float32) < np.float32(masking.share)
    places = np.flatnonzero(chosen & is_residue)
    labels, seen = tokens[places], tokens.copy()
    fate = rng.random(len(places))
    seen[places[fate < masking.mask]] = MASK
    swapped = places[(fate >= masking.mask) & (fate < masking.mask + masking.random)]
    seen[swapped] = _random_residues(tokens[swapped], masking.another, rng)
    return Masked(seen, places, labels)


def _random_residues(
    old: NDArray[np.uint8], another: bool, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Uniform among the twenty amino acids, or among those that are not there already."""
    index = old - np.uint8(FIRST_RESIDUE)
    is_standard = another & (index < NUM_AMINO_ACIDS)
    drawn = rng.integers(0, NUM_AMINO_ACIDS - is_standard).astype(np.uint8)
    drawn += is_standard & (drawn >= index)
    return drawn + np.uint8(FIRST_RESIDUE)
