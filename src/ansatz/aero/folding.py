"""Points of a whole body as points of its halves, each evaluated once.

The network knows halves, y >= 0. A point with y < 0 is asked at its reflection: in the half with
y >= 0 if the body is its own mirror image, otherwise in the other one reflected. Points that fall
on one another are asked once; `unfold` brings the answers back.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ansatz.aero.body import Body

SAME = 1e-6  # of the length: points that are closer count as one
SAME_NORMAL = 1e-3


@dataclass(frozen=True)
class Folded:
    """Points on the halves of a body.

    Attributes:
        points: In lengths, y >= 0, without repetition.
        normals: Unit normals at them.
        sides: 0 for the half with y >= 0, 1 for the other one reflected.
        picks: For each of them, the original point that it is.
        source: For each original point, the index of its folded one.
        signs: For each original point, the sign of its y.
    """

    points: Float[Tensor, "m 3"]
    normals: Float[Tensor, "m 3"]
    sides: Tensor
    picks: Tensor
    source: Tensor
    signs: Float[Tensor, " n"]

    def tensors(self, name: str) -> dict[str, Tensor]:
        """The parts by name, with a prefix."""
        return {f"{name}_{key}": value for key, value in vars(self).items()}


def fold(body: Body, points: Float[Tensor, "n 3"], normals: Float[Tensor, "n 3"]) -> Folded:
    """Fold points onto the halves of a body.

    Args:
        body: Decides whether one half stands for both.
        points: m.
        normals: Unit normals at them.

    Returns:
        The points to ask at, and the way back to those given.
    """
    signs = torch.where(points[:, 1] < 0, -1.0, 1.0)
    flip = torch.stack([torch.ones_like(signs), signs, torch.ones_like(signs)], 1)
    scaled = body.frame.scaled(points * flip)
    turned = normals * flip
    sides = (signs < 0).long() * (0 if body.is_symmetric else 1)
    # One odd multiplier per column makes rows one integer; a collision of two different points
    # among n has the chance n²/2⁶⁵: one in a million for nine million points. Column by column:
    # seven of them at once would be half a gigabyte then.
    factors = (np.random.default_rng(0).integers(1, 2**62, 7) * 2 + 1).tolist()
    keys = sides * factors[6]
    for column, factor in zip(scaled.T, factors[:3], strict=True):
        keys += (column / SAME).round().long() * factor
    for column, factor in zip(turned.T, factors[3:6], strict=True):
        keys += (column / SAME_NORMAL).round().long() * factor
    _, first, source = np.unique(keys.numpy(), return_index=True, return_inverse=True)
    index = torch.from_numpy(first)
    return Folded(
        scaled[index],
        turned[index],
        sides[index],
        index,
        torch.from_numpy(source.reshape(-1)),
        signs,
    )


def unfold(values: Float[Tensor, "m 4"], source: Tensor, signs: Tensor) -> Float[Tensor, "n 4"]:
    """Answers at folded points as answers at the original ones: the y component changes sign.

    Args:
        values: A scalar and a vector per folded point.
        source: Of `Folded`.
        signs: Of `Folded`.

    Returns:
        The same per original point.
    """
    spread = values[source]
    flip = torch.ones_like(spread)
    flip[:, 2] = signs
    return spread * flip
