"""What the network is asked, as tensors: packed tokens, and where an answer is wanted.

    tokens   of all sequences, one behind the other, (n,)
    starts   first token of each sequence, and n, (sequences + 1,)
    ranges   first and last + 1 of tokens whose states are averaged, ascending, (ranges, 2)
    rows     tokens whose states are wanted as they are, (n,)
    places   tokens at which logits are wanted, (n,)
    budget   tokens that the network takes at a time, ()

All are there always, if empty, so several questions are one by laying them one behind the other
(`together`). The network has no padding and attention stays inside each sequence: a batch is any
run of whole sequences, and which one it is changes no answer but for the order of sums.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ansatz.protein.corpus.alphabet import CLS, EOS
from ansatz.protein.corpus.packing import SPECIAL
from ansatz.protein.model.network import EsmNetwork

Tensors = dict[str, Tensor]
Forward = Callable[[Tensors], Tensors]


def packed(sequences: Sequence[NDArray[np.uint8]], budget: int) -> Tensors:
    """Sequences one behind the other, of which nothing is wanted yet.

    Args:
        sequences: Tokens of each, without <cls> and <eos>.
        budget: Tokens that the network takes at a time.
    """
    begin, end = np.array([CLS], np.uint8), np.array([EOS], np.uint8)
    tokens = np.concatenate([piece for s in sequences for piece in (begin, s, end)])
    starts = np.cumsum([0, *(len(s) + SPECIAL for s in sequences)])
    nothing = torch.zeros(len(tokens), dtype=torch.bool)
    return {
        "tokens": torch.from_numpy(tokens),
        "starts": torch.from_numpy(starts),
        "ranges": torch.zeros(0, 2, dtype=torch.int64),
        "rows": nothing,
        "places": nothing,
        "budget": torch.tensor(budget),
    }


def residues(tensors: Tensors) -> Tensor:
    """Which tokens are neither <cls> nor <eos>, shape (n,)."""
    found = torch.ones(len(tensors["tokens"]), dtype=torch.bool)
    found[tensors["starts"][:-1]] = False
    found[tensors["starts"][1:] - 1] = False
    return found


def evaluate(network: EsmNetwork, tensors: Tensors) -> Tensors:
    """Evaluate a network, a batch at a time.

    Args:
        network: Of any shape.
        tensors: See the module's text.

    Returns:
        `pooled`, means of states over the ranges; `rows`, states; `logits`, (places, 33).
    """
    starts, ranges = tensors["starts"].tolist(), tensors["ranges"].tolist()
    vectors = network.embedding.tokens.weight
    found: dict[str, list[Tensor]] = {
        "pooled": [vectors.new_zeros(0, network.config.width)],
        "rows": [vectors.new_zeros(0, network.config.width)],
        "logits": [vectors.new_zeros(0, len(vectors))],
    }
    done = 0  # ranges
    with torch.no_grad():
        for first, last in batches(starts, int(tensors["budget"])):
            begin, end = starts[first], starts[last]
            tokens = tensors["tokens"][begin:end].long()
            states = network.states(tokens, tensors["starts"][first : last + 1] - begin)
            while done < len(ranges) and ranges[done][0] < end:
                low, high = ranges[done]
                found["pooled"].append(states[low - begin : high - begin].mean(0, keepdim=True))
                done += 1
            found["rows"].append(states[tensors["rows"][begin:end]])
            found["logits"].append(network.head(states[tensors["places"][begin:end]], vectors))
    return {name: torch.cat(pieces) for name, pieces in found.items()}


def batches(starts: Sequence[int], budget: int) -> Iterator[tuple[int, int]]:
    """Runs of whole sequences that fit a budget; one that is longer comes alone.

    Yields:
        The first sequence, and the one after the last.
    """
    first = 0
    for last in range(1, len(starts)):
        if starts[last] - starts[first] > budget and last - 1 > first:
            yield first, last - 1
            first = last - 1
    yield first, len(starts) - 1


# ----------------------------------------------------------------------- several questions as one
def together(forward: Forward) -> Callable[[list[Tensors]], list[Tensors]]:
    """A forward pass over several questions at once.

    Args:
        forward: Over one.

    Returns:
        From the tensors of several questions to the outputs of each, in order.
    """

    def forward_many(questions: list[Tensors]) -> list[Tensors]:
        outputs = forward(joined(questions))
        counts = {
            "pooled": [len(q["ranges"]) for q in questions],
            "rows": [int(q["rows"].sum()) for q in questions],
            "logits": [int(q["places"].sum()) for q in questions],
        }
        pieces = [torch.split(outputs[name], numbers) for name, numbers in counts.items()]
        return [dict(zip(counts, each, strict=True)) for each in zip(*pieces, strict=True)]

    return forward_many


def joined(questions: Sequence[Tensors]) -> Tensors:
    """Several questions as one; the network takes as much at a time as the largest budget says."""
    sizes = torch.tensor([0, *(len(q["tokens"]) for q in questions)]).cumsum(0)
    shifted = list(zip(questions, sizes, strict=False))
    starts = [q["starts"][:-1] + shift for q, shift in shifted]
    return {
        "tokens": torch.cat([q["tokens"] for q in questions]),
        "starts": torch.cat([*starts, sizes[-1:]]),
        "ranges": torch.cat([q["ranges"] + shift for q, shift in shifted]),
        "rows": torch.cat([q["rows"] for q in questions]),
        "places": torch.cat([q["places"] for q in questions]),
        "budget": torch.stack([q["budget"] for q in questions]).max(),
    }


def cost(tensors: Tensors) -> float:
    """What a question costs: its tokens."""
    return float(len(tensors["tokens"]))
