"""Attention inside each of several sequences that lie one behind the other, without padding.

    sdpa     torch's fused kernel, one sequence after another: memory linear in the length
    matmul   two matrix products around a softmax, one sequence after another
    varlen   Flash Attention over all sequences at once (`torch.nn.attention.varlen`)
    nested   fused attention over a nested tensor: for precisions and GPUs that varlen lacks

`kernel` alone chooses among them. On a processor the choice is a measurement: forward and backward,
20 heads of 16 features, 335 tokens, milliseconds of one thread

                                    float32          bfloat16
                                 sdpa  matmul      sdpa  matmul
    Xeon with AMX                  10      17        20       8
    Zen 5, oneDNN products         17       9         -       -

(bfloat16 forward alone, on the Xeon: 2.7 and 3.4). Sequences of one length as one batch would not
pay: 16 of 64 tokens take 8.3 ms one after another, and 10.0 ms at once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ansatz.trainer.products import float32_products

Kernel = Literal["sdpa", "matmul", "varlen", "nested"]
HALVES = (torch.bfloat16, torch.float16)
FLASH = (8, 0)  # compute capability from which Flash Attention runs
LONG = {torch.float32: 768, torch.bfloat16: 1024}  # beyond it, sdpa wins or its memory counts


@dataclass(frozen=True)
class Spans:
    """Where sequences lie among packed tokens.

    Attributes:
        starts: First token of each sequence, and the number of tokens.
        tokens: Number of tokens.
        bound: What no sequence is longer than, if the caller knows; None asks the device.
    """

    starts: Int[Tensor, " sequences+1"]
    tokens: int
    bound: int | None = None

    @cached_property
    def lengths(self) -> Int[Tensor, " sequences"]:
        """Tokens of each sequence."""
        return self.starts.diff()

    @cached_property
    def sequence(self) -> Int[Tensor, " n"]:
        """The sequence that each token belongs to."""
        each = torch.arange(len(self.lengths), device=self.starts.device)
        return each.repeat_interleave(self.lengths.long(), output_size=self.tokens)

    @cached_property
    def positions(self) -> Int[Tensor, " n"]:
        """The place of each token in its sequence, from 0."""
        every = torch.arange(self.tokens, device=self.starts.device)
        return every - self.starts[self.sequence]

    @cached_property
    def pieces(self) -> list[int]:
        """Lengths on the host, of sequences that are not empty."""
        return [n for n in self.lengths.tolist() if n]

    @property
    def longest(self) -> int:
        """What no sequence is longer than."""
        return max(self.pieces) if self.bound is None else self.bound


def kernel(device: torch.device, dtype: torch.dtype, length: int, *, gradients: bool) -> Kernel:
    """Choose how to compute attention.

    Args:
        device: Where.
        dtype: Of queries, keys and values.
        length: Of the sequence; on a GPU all sequences are computed at once and it plays no part.
        gradients: Whether they are wanted.
    """
    if device.type == "cuda":
        has_flash = torch.cuda.get_device_capability(device) >= FLASH
        return "varlen" if has_flash and dtype in HALVES else "nested"
    # The fused kernel multiplies in MKL, as float32 does where MKL is the faster library.
    in_matmul = gradients if dtype is torch.bfloat16 else float32_products() == "medium"
    return "matmul" if in_matmul and length <= LONG.get(dtype, 0) else "sdpa"


def attend(
    queries: Float[Tensor, "n heads depth"],
    keys: Float[Tensor, "n heads depth"],
    values: Float[Tensor, "n heads depth"],
    spans: Spans,
) -> Float[Tensor, "n heads depth"]:
    """Attention of every token to those of its own sequence.

    Args:
        queries: Scaled: scores are their plain products with keys.
        keys: What they are compared with.
        values: What is averaged.
        spans: Where the sequences lie.

    Returns:
        Averages. Of a sequence they are the same, whatever lies before and after it.
    """
    if queries.device.type == "cuda":
        chosen = kernel(queries.device, queries.dtype, 0, gradients=queries.requires_grad)
        return (_varlen if chosen == "varlen" else _nested)(queries, keys, values, spans)
    parts = (torch.split(t.transpose(0, 1), spans.pieces, 1) for t in (queries, keys, values))
    found = []
    for q, k, v in zip(*parts, strict=True):
        chosen = kernel(q.device, q.dtype, q.shape[1], gradients=q.requires_grad)
        found.append(ONE_SEQUENCE[chosen](q, k, v).transpose(0, 1))
    return torch.cat(found)


def _sdpa(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    attended = nn.functional.scaled_dot_product_attention(q[None], k[None], v[None], scale=1.0)
    return attended[0]


def _matmul(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return torch.softmax(q @ k.transpose(1, 2), -1) @ v


def _varlen(q: Tensor, k: Tensor, v: Tensor, spans: Spans) -> Tensor:
    from torch.nn.attention.varlen import varlen_attn  # which the oldest torch here has not

    starts = spans.starts.int()
    found = varlen_attn(q, k, v, starts, starts, spans.longest, spans.longest, scale=1.0)
    assert isinstance(found, Tensor)
    return found


def _nested(q: Tensor, k: Tensor, v: Tensor, spans: Spans) -> Tensor:
    # Not contiguous halves of one tensor: a nested tensor needs memory of its own.
    jagged = [
        torch.nested.nested_tensor_from_jagged(
            t.contiguous(), spans.starts.long(), min_seqlen=1, max_seqlen=spans.longest
        ).transpose(1, 2)
        for t in (q, k, v)
    ]
    query, key, value = jagged
    found = nn.functional.scaled_dot_product_attention(query, key, value, scale=1.0)
    out: Tensor = found.transpose(1, 2).values()
    return out


ONE_SEQUENCE: dict[Kernel, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "sdpa": _sdpa,
    "matmul": _matmul,
}
