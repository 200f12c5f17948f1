"""Rotary positions (Su et al., arXiv:2104.09864, §3.2.2), with the frequencies of ESM-2.

Features 2i and 2i + 1 of a head are the coordinates of a plane, which position p turns by the angle
p f_i, f_i = 10000^(-2i/d). Scores of queries and keys then depend on differences of positions.

A plane is a complex number here and a turn one multiplication: four times as fast as ESM-2's own
layout, in which features i and i + d/2 belong together. Scores do not know the order of features;
the readers and writers of files change it (`ansatz.protein.model.interchange.names`). Angles and
products are float32 at least, whatever autocast does: at position 1000, a bfloat16 angle is wrong
by up to two radians.
"""

import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor

BASE = 10_000.0


def frequencies(depth: int) -> Float[Tensor, " half"]:
    """The f_i of a head of a depth, float32."""
    return 1.0 / BASE ** (torch.arange(0, depth, 2, dtype=torch.float) / depth)


def turns(
    positions: Int[Tensor, " n"], frequencies: Float[Tensor, " half"], dtype: torch.dtype
) -> Complex[Tensor, "n 2 1 half"]:
    """What queries and keys are multiplied with.

    The factors of queries carry the scale depth^-1/2 of ESM-2, which scales queries before it
    turns them; for depths that are powers of four, it is the very same number.

    Args:
        positions: Of tokens in their sequences.
        frequencies: The f_i.
        dtype: Real, of the results; angles are computed in float32, as Hugging Face does.
    """
    angles = positions[:, None, None, None].float() * frequencies.float()
    scale = torch.ones(2, 1, 1, dtype=dtype, device=angles.device)
    scale[0] = (2 * len(frequencies)) ** -0.5
    return torch.complex(angles.cos().to(dtype) * scale, angles.sin().to(dtype) * scale)


def rotate(
    both: Float[Tensor, "n 2 heads depth"], turns: Complex[Tensor, "n 2 1 half"]
) -> Float[Tensor, "n 2 heads depth"]:
    """Scale queries, and turn queries and keys by their positions; in their own precision."""
    planes = torch.view_as_complex(torch.unflatten(both.to(turns.real.dtype), -1, (-1, 2)))
    return torch.view_as_real(planes * turns).flatten(-2).to(both.dtype)
