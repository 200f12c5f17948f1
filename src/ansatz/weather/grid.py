"""From a coarse grid to a fine one, and back.

A coarse cell covers `factor` x `factor` fine cells, so in coarse cells the center of fine cell i
lies at x = (i + 1/2) / factor - 1/2. Between the centers of coarse cells a field is bilinear;
beyond the outermost ones it goes on along the same line, as in NVIDIA's CorrDiff (`hrrrmini.py`).
All functions take maps (..., h, w).
"""

import torch
from jaxtyping import Float
from torch import Tensor


def upsample(coarse: Float[Tensor, "*b h w"], factor: int) -> Float[Tensor, "*b H W"]:
    """Interpolate bilinearly to the fine grid; exact where a field is linear."""
    return stretch(stretch(coarse, factor, -2), factor, -1)


def stretch(field: Tensor, factor: int, dim: int) -> Tensor:
    """Interpolate linearly along one dimension, from n cells to n * factor."""
    count = field.shape[dim]
    if count == 1:
        return field.repeat_interleave(factor, dim)
    at = (torch.arange(count * factor, device=field.device, dtype=field.dtype) + 0.5) / factor - 0.5
    left = at.floor().long().clamp(0, count - 2)
    weight = (at - left).reshape([-1] + [1] * (-1 - dim))
    return torch.lerp(field.index_select(dim, left), field.index_select(dim, left + 1), weight)


def block_mean(fine: Float[Tensor, "*b H W"], factor: int) -> Float[Tensor, "*b h w"]:
    """The mean over the fine cells of each coarse cell.

    Raises:
        ValueError: If the grid is no whole number of coarse cells.
    """
    height, width = fine.shape[-2:]
    if height % factor or width % factor:
        raise ValueError(
            f"{height} x {width} fine cells are no whole number of coarse cells of "
            f"{factor} x {factor}. Crop the field to a multiple of {factor}"
        )
    shape = (*fine.shape[:-2], height // factor, factor, width // factor, factor)
    return fine.reshape(shape).mean((-3, -1))


def nearest(coarse: Float[Tensor, "*b h w"], factor: int) -> Float[Tensor, "*b H W"]:
    """Give every fine cell the value of its coarse cell."""
    return coarse.repeat_interleave(factor, -2).repeat_interleave(factor, -1)
