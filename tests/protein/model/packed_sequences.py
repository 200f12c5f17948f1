"""Packed sequences for tests of the model: random residues, some of them masked."""

import torch
from torch import Tensor

from ansatz.protein.corpus.alphabet import CLS, EOS, MASK, PAD

LENGTHS = (5, 37, 2, 64, 18, 37)  # tokens, <cls> and <eos> included


def sequences(lengths=LENGTHS, seed: int = 0, share: float = 0.15) -> list[Tensor]:
    """Sequences of given lengths, of which a share of the residues is masked."""
    rng = torch.Generator().manual_seed(seed)
    found = []
    for length in lengths:
        residues = torch.randint(4, 29, (length - 2,), generator=rng)
        residues[torch.rand(length - 2, generator=rng) < share] = MASK
        found.append(torch.cat([torch.tensor([CLS]), residues, torch.tensor([EOS])]))
    return found


def packed(parts: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Tokens and starts."""
    lengths = torch.tensor([0] + [len(part) for part in parts])
    return torch.cat(parts), lengths.cumsum(0)


def padded(parts: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Tokens and the attention mask of other libraries, shape (sequences, longest)."""
    tokens = torch.nn.utils.rnn.pad_sequence(parts, batch_first=True, padding_value=PAD)
    return tokens, (tokens != PAD).long()


def without_padding(rows: Tensor, parts: list[Tensor]) -> Tensor:
    """Rows of padded sequences as packed ones."""
    return torch.cat([row[: len(part)] for row, part in zip(rows, parts, strict=True)])


def stirred(network, seed: int = 0, size: float = 0.1):
    """A network whose biases and norms are not the zeros and ones of fresh weights."""
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            drawn = torch.randn(parameter.shape, generator=rng, dtype=torch.float64)
            parameter.add_(size * drawn.to(parameter.dtype))
    return network
