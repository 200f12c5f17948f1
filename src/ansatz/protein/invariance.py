"""A certificate that company changes no embedding: alone, and in any batch, a protein has the same.

Other libraries pad sequences to one length, and some get other numbers for it. Here attention
stays inside each sequence, which leaves the order of sums in products of matrices with other
numbers of rows: about 1e-6 of an embedding in float32. The certificate is a measurement: the
largest relative difference, over residues r and batches b,

    max |h_b(r) - h_alone(r)| / |h_alone(r)|            (Euclidean norms)
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ansatz.protein.batches import evaluate, packed, residues
from ansatz.protein.model.network import EsmNetwork

BUDGETS = (256, 2048, 16384)  # tokens of a batch
TOLERANCE = 5e-5  # relative, float32; a mistake of mask or padding is 1e-2


@dataclass(frozen=True)
class Certificate:
    """How much company changes embeddings.

    Attributes:
        difference: The largest relative one.
        sequences: That were embedded.
        batches: In which they were, beside alone.
    """

    difference: float
    sequences: int
    batches: int


def certify(
    network: EsmNetwork,
    sequences: Sequence[NDArray[np.uint8]],
    *,
    rounds: int = 3,
    budgets: Sequence[int] = BUDGETS,
    seed: int = 0,
) -> Certificate:
    """Embed sequences alone, and in batches of random company.

    It takes the time of embedding all of them 1 + rounds x budgets times. In other arithmetic than
    float32 it holds for a network of that type, or inside of `torch.autocast`.

    Args:
        network: On its device, as for prediction.
        sequences: Tokens of each, without <cls> and <eos>.
        rounds: Random orders, for each budget.
        budgets: Tokens of a batch.
        seed: Of the orders.
    """
    alone = [_states(network, [s], 1)[0] for s in sequences]
    largest, batches = 0.0, 0
    for order, budget in _company(len(sequences), rounds, budgets, seed):
        found = _states(network, [sequences[i] for i in order], budget)
        for index, states in zip(order, found, strict=True):
            gap = (states - alone[index]).norm(dim=1) / alone[index].norm(dim=1)
            # Not a number is not smaller than any: it must not hide behind `max`.
            largest = max(largest, float(gap.nan_to_num(torch.inf).max()))
        batches += 1
    return Certificate(largest, len(sequences), batches)


def _company(
    count: int, rounds: int, budgets: Sequence[int], seed: int
) -> Iterator[tuple[list[int], int]]:
    rng = np.random.default_rng(seed)
    for budget in budgets:
        for _ in range(rounds):
            yield rng.permutation(count).tolist(), budget


def _states(
    network: EsmNetwork, sequences: Sequence[NDArray[np.uint8]], budget: int
) -> tuple[Tensor, ...]:
    """States of the residues of each sequence."""
    device = network.embedding.tokens.weight.device
    tensors = packed(sequences, budget)
    tensors["rows"] = residues(tensors)
    rows = evaluate(network, {name: t.to(device) for name, t in tensors.items()})["rows"]
    return torch.split(rows.double().cpu(), [len(s) for s in sequences])
