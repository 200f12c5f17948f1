"""Group normalization and dropout as a processor likes them; elsewhere they are torch's own.

Group normalization of bfloat16 whose features lie last takes torch four times as long backward as
that of float32, to which its gradient is therefore widened: 13 % of a training step under autocast.
Dropout draws 16 bits a value, in a quarter of the time of torch's Bernoulli numbers: 3 % of a
training step in float32 and 6 % under autocast. Its probability is rounded to units of 2⁻¹⁶.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import dropout

LEVELS = 2**16  # values of a draw
LOWEST = -(2**15)


def normalized(norm: nn.GroupNorm, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """Apply a group normalization."""
    if x.device.type != "cpu" or x.dtype is not torch.bfloat16 or not torch.is_grad_enabled():
        out: Tensor = norm(x)
        return out
    made: Tensor = _Normalized.apply(  # type: ignore[no-untyped-call]
        x, norm.weight, norm.bias, norm.num_groups, norm.eps
    )
    return made


def dropped(x: Float[Tensor, "*shape"], share: float, *, training: bool) -> Float[Tensor, "*shape"]:
    """Drop a share of the values, and scale the others so that the mean stays.

    Args:
        x: Of any layout without gaps.
        share: Probability, in [0, 1).
        training: Whether anything is dropped at all.
    """
    lowest = round(share * LEVELS) + LOWEST
    if not training or lowest == LOWEST or x.device.type != "cpu":
        return dropout(x, share, training)
    words = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
    drawn = words.view(torch.int16)[: x.numel()]
    kept = torch.ge(drawn, lowest, out=torch.empty(x.numel(), dtype=x.dtype))
    return x * kept.mul_(1 / (1 - share)).as_strided(x.shape, x.stride())


class _Normalized(torch.autograd.Function):
    """Group normalization of bfloat16 with a gradient in float32."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float
    ) -> Tensor:
        batch, channels, cells = len(x), x.shape[1], x[0, 0].numel()
        out, mean, scale = torch.native_group_norm(
            x, weight, bias, batch, channels, cells, groups, eps
        )
        ctx.save_for_backward(x, weight, mean, scale)
        ctx.sizes = (batch, channels, cells, groups)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, scale = ctx.saved_tensors
        wide = (part.float() for part in (grad, x, mean, scale, weight))
        found = torch.ops.aten.native_group_norm_backward(*wide, *ctx.sizes, [True] * 3)
        to_x, to_weight, to_bias = found
        return to_x.to(x.dtype), to_weight.to(weight.dtype), to_bias.to(weight.dtype), None, None
