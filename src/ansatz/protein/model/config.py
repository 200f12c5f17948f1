"""Shapes of protein language models, their sizes and what they cost.

ESM-2 (Lin et al., Science 379:1123, 2023, table S1) is a transformer encoder with norms before each
part, rotary positions and token dropout. ESM-1nv (NVIDIA BioNeMo 1) is of the same plan with
learned positions, for sequences of 512 tokens. A sequence is `<cls> residues <eos>`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Gt, Lt

from ansatz.protein.corpus.alphabet import TOKENS

if TYPE_CHECKING:
    from ansatz.protein.model.network import EsmNetwork

RESERVED_POSITIONS = 2  # rows of learned positions before the first, as fairseq counts them


@dataclass(frozen=True)
class Esm:
    """Shape of the network.

    Attributes:
        layers: Transformer layers.
        width: Features of a token.
        heads: Attention heads.
        expansion: Width of the pointwise networks' hidden layer, in widths.
        positions: `rotary` turns queries and keys by their position; `learned` adds a vector.
        longest: Tokens of the longest sequence, <cls> and <eos> included. With rotary positions it
            is the longest to train on, and longer ones are answered as well.
        token_dropout: Zero the embeddings of masked tokens, and scale those of their sequence as
            if 12 % of it were masked (`ansatz.protein.model.network`).
        dropout: Share of each part's outputs that training drops.
        embedding_norm: Normalize embeddings before the first layer, as ESM-1b does.
        checkpointing: Keep only the inputs of layers for the gradient and compute the rest again:
            a third more work, memory for one layer instead of all.
        epsilon: Added to variances.
    """

    layers: Annotated[int, Ge(1)] = 6
    width: Annotated[int, Ge(8)] = 320
    heads: Annotated[int, Ge(1)] = 20
    expansion: Annotated[int, Ge(1)] = 4
    positions: Literal["rotary", "learned"] = "rotary"
    longest: Annotated[int, Ge(3)] = 1024
    token_dropout: bool = True
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.0
    embedding_norm: bool = False
    checkpointing: bool = False
    epsilon: Annotated[float, Gt(0), Lt(1)] = 1e-5

    def build(self) -> "EsmNetwork":
        """The network with fresh weights.

        Raises:
            ValueError: If the heads cannot share the width evenly, or rotary positions meet a head
                of odd width.
        """
        from ansatz.protein.model.network import EsmNetwork

        if self.width % self.heads:
            raise ValueError(
                f"width={self.width} is no multiple of heads={self.heads}: every head takes an "
                "equal share of the width"
            )
        if self.positions == "rotary" and self.width // self.heads % 2:
            raise ValueError(
                f"width={self.width} gives each of heads={self.heads} {self.width // self.heads} "
                "features, and rotary positions turn pairs of them. Choose an even number"
            )
        return EsmNetwork(self)

    @property
    def num_parameters(self) -> int:
        """Numbers in the network, counted as Hugging Face counts them: with the contact head."""
        w, hidden = self.width, self.width * self.expansion
        layer = 4 * w * (w + 1) + 2 * w * hidden + hidden + w + 4 * w
        head = w * (w + 1) + 2 * w + len(TOKENS)
        learned = self.positions == "learned"
        positions = (self.longest + RESERVED_POSITIONS) * w if learned else 0
        contacts = self.layers * self.heads + 1
        norms = 2 * w * (1 + self.embedding_norm)
        embedding = len(TOKENS) * w
        return embedding + positions + norms + self.layers * layer + head + contacts

    def flops_per_token(self, lengths: Sequence[int], asked: float = 0.15) -> float:
        """Floating-point operations of a training step, per token: twice the multiplications.

        A step costs three forward passes. What checkpointing computes again is not counted: a
        share of a device's peak should not grow by doing work twice.

        Args:
            lengths: Tokens of the sequences; a token attends to those of its own sequence.
            asked: Share of tokens at which logits are wanted.

        Returns:
            Operations per token; products of matrices only.
        """
        w = self.width
        attended = sum(n * n for n in lengths) / sum(lengths)
        layer = 4 * w * w + 2 * w * w * self.expansion + 2 * w * attended
        head = asked * (w * w + w * len(TOKENS))
        return 3 * 2 * (self.layers * layer + head)


ESM2 = {
    "8m": Esm(layers=6, width=320, heads=20),
    "35m": Esm(layers=12, width=480, heads=20),
    "150m": Esm(layers=30, width=640, heads=20),
    "650m": Esm(layers=33, width=1280, heads=20),
    "3b": Esm(layers=36, width=2560, heads=40, checkpointing=True),
    "15b": Esm(layers=48, width=5120, heads=40, checkpointing=True),
}
ESM1NV = Esm(
    layers=6,
    width=768,
    heads=12,
    positions="learned",
    longest=512,
    token_dropout=False,
    dropout=0.1,
)
