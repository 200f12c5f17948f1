"""ESM-2 and ESM-1nv on packed tokens: every operation is done for real tokens only.

Sequences lie one behind the other in one row of tokens; `starts` says where each begins. Norms and
products do not care, and attention stays inside each sequence. Logits are computed only at the
places where they are wanted. Per layer, with LN before each part,

    x ← x + W_o attention(LN x),    x ← x + W_2 gelu(W_1 LN x),    gelu with the exact erf

Queries are scaled by depth^-1/2 before they are turned (`ansatz.protein.model.rotary`).

Token dropout: embeddings of masked tokens are zero, and all embeddings of a sequence with m masked
of n tokens are scaled by (1 - 0.12) / (1 - m / n), since 0.15 x 0.8 of the tokens were masked in
training. It holds in prediction as well: without a mask the scale is 0.88.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import gelu, linear
from torch.utils.checkpoint import checkpoint

from ansatz.protein.corpus.alphabet import MASK, PAD, TOKENS
from ansatz.protein.model.attention import Spans, attend
from ansatz.protein.model.config import RESERVED_POSITIONS, Esm
from ansatz.protein.model.rotary import frequencies, rotate, turns

MASKED_IN_TRAINING = 0.15 * 0.8
DEVIATION = 0.02  # of fresh weights
Turns = Tensor | None  # None if positions are learned


class EsmNetwork(nn.Module):
    """The network; see the module's text.

    Args:
        config: Its shape.
    """

    def __init__(self, config: Esm) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.embedding = Embedding(config)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(width, config.epsilon)
        self.head = Head(config)
        # From attention maps to contacts: kept from files and written back, not trained here.
        self.contacts = nn.Linear(config.layers * config.heads, 1).requires_grad_(False)
        if config.positions == "rotary":
            # Saved with the weights: some published files hold them rounded to float16.
            self.register_buffer("frequencies", frequencies(width // config.heads))
        self.apply(_draw)
        nn.init.zeros_(self.contacts.weight)

    def forward(
        self,
        tokens: Int[Tensor, " n"],
        starts: Int[Tensor, " sequences+1"],
        places: Int[Tensor, " p"] | None = None,
    ) -> Float[Tensor, "asked 33"]:
        """Logits of packed sequences.

        Args:
            tokens: Of all sequences, one behind the other.
            starts: First token of each sequence, and the number of tokens. A processor is fastest
                if they are on the host; while a GPU trains, no sequence may be longer than the
                shape's `longest`.
            places: The tokens at which logits are wanted; all of them if None.

        Returns:
            Logits at the places.
        """
        states = self.states(tokens, starts)
        found: Tensor = self.head(
            states if places is None else states[places], self.embedding.tokens.weight
        )
        return found

    def states(
        self, tokens: Int[Tensor, " n"], starts: Int[Tensor, " sequences+1"]
    ) -> Float[Tensor, "n width"]:
        """Normalized states of packed sequences after the last layer: their embeddings.

        Raises:
            ValueError: If positions are learned and a sequence is longer than them.
        """
        on_gpu = tokens.device.type == "cuda"
        # Asking the device for the longest sequence would make each step wait for it.
        bound = self.config.longest if on_gpu and self.training else None
        spans = Spans(starts, len(tokens), bound)
        if self.config.positions == "learned" and spans.longest > self.config.longest:
            raise ValueError(
                f"a sequence has {spans.longest} tokens, and this network learned positions of "
                f"{self.config.longest}, <cls> and <eos> included. Cut it into parts"
            )
        x = self.embedding(tokens, spans)
        angles = None
        if self.config.positions == "rotary":
            angles = turns(spans.positions, self.get_buffer("frequencies"), x.dtype)
        again = self.config.checkpointing and torch.is_grad_enabled()
        for layer in self.layers:
            if again:
                x = checkpoint(layer, x, spans, angles, use_reentrant=False)
            else:
                x = layer(x, spans, angles)
        out: Tensor = self.norm(x)
        return out


class Embedding(nn.Module):
    """Vectors of tokens, with token dropout and learned positions if the shape has them."""

    def __init__(self, config: Esm) -> None:
        super().__init__()
        self.config = config
        self.tokens = nn.Embedding(len(TOKENS), config.width, padding_idx=PAD)
        if config.positions == "learned":
            rows = config.longest + RESERVED_POSITIONS
            self.positions = nn.Embedding(rows, config.width, padding_idx=PAD)
        if config.embedding_norm:
            self.norm = nn.LayerNorm(config.width, config.epsilon)

    def forward(self, tokens: Int[Tensor, " n"], spans: Spans) -> Float[Tensor, "n width"]:
        """The input of the first layer."""
        x: Tensor = self.tokens(tokens)
        if self.config.token_dropout:
            x = x * scale_of_tokens(tokens, spans, x.dtype)[:, None]
        if self.config.positions == "learned":
            x = x + self.positions(spans.positions + RESERVED_POSITIONS)
        return self.norm(x) if self.config.embedding_norm else x


def scale_of_tokens(
    tokens: Int[Tensor, " n"], spans: Spans, dtype: torch.dtype
) -> Float[Tensor, " n"]:
    """Factors of token dropout: 0 for masked tokens, one of their sequence for the others."""
    is_masked = tokens == MASK
    # Shares in float32 whatever the weights are in: so does Hugging Face, and so were they trained.
    masked = torch.zeros(len(spans.lengths), device=tokens.device)
    masked = masked.index_add(0, spans.sequence, is_masked.float())
    left = (1 - masked / spans.lengths).to(dtype)
    return ((1 - MASKED_IN_TRAINING) / left)[spans.sequence].masked_fill(is_masked, 0.0)


class Layer(nn.Module):
    """Attention and a pointwise network, each added to its input."""

    def __init__(self, config: Esm) -> None:
        super().__init__()
        width, hidden = config.width, config.expansion * config.width
        self.heads = config.heads
        self.attention_norm = nn.LayerNorm(width, config.epsilon)
        self.qkv = nn.Linear(width, 3 * width)
        self.merge = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width, config.epsilon)
        self.widen = nn.Linear(width, hidden)
        self.narrow = nn.Linear(hidden, width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Float[Tensor, "n width"], spans: Spans, angles: Turns) -> Tensor:
        """The input of the next layer."""
        x = x + self.dropout(self.merge(self.attention(self.attention_norm(x), spans, angles)))
        out: Tensor = x + self.dropout(self.narrow(gelu(self.widen(self.norm(x)))))
        return out

    def attention(self, x: Tensor, spans: Spans, angles: Turns) -> Tensor:
        """What the heads found, side by side."""
        qkv = self.qkv(x).unflatten(-1, (3, self.heads, -1))
        both, values = qkv.split((2, 1), 1)
        queries, keys = (both if angles is None else rotate(both, angles)).unbind(1)
        if angles is None:
            queries = queries * queries.shape[-1] ** -0.5
        return attend(queries, keys, values.squeeze(1), spans).flatten(1)


class Head(nn.Module):
    """From states to logits, with the vectors of tokens as the last weights."""

    def __init__(self, config: Esm) -> None:
        super().__init__()
        self.dense = nn.Linear(config.width, config.width)
        self.norm = nn.LayerNorm(config.width, config.epsilon)
        self.bias = nn.Parameter(torch.zeros(len(TOKENS)))

    def forward(self, x: Float[Tensor, "p width"], vectors: Tensor) -> Float[Tensor, "p 33"]:
        """Logits over the alphabet."""
        return linear(self.norm(gelu(self.dense(x))), vectors) + self.bias


def _draw(module: nn.Module) -> None:
    """Fresh weights as BERT's and BioNeMo's: normal, without biases."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=DEVIATION)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)
    if isinstance(module, nn.Embedding):
        with torch.no_grad():
            module.weight[PAD].zero_()
