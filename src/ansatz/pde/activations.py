"""Activation functions with their derivatives up to the fourth.

Each function takes z and the highest order wanted, and returns [f, f', f'', ...] at z. Closed forms
share what they can: with t = tanh z, f' = 1 - t²; with the logistic function s, s' = s(1 - s).
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

Derivatives = list[Tensor]
Activation = Callable[[Tensor, int], Derivatives]
HIGHEST = 4


def tanh(z: Tensor, order: int) -> Derivatives:
    """The hyperbolic tangent."""
    t = torch.tanh(z)
    found = [t]
    if order >= 1:
        d = 1 - t * t
        found.append(d)
    if order >= 2:
        found.append(-2 * t * d)
    if order >= 3:
        found.append(d * (6 * t * t - 2))
    if order >= 4:
        found.append(d * t * (16 - 24 * t * t))
    return found


def sine(z: Tensor, order: int) -> Derivatives:
    """The sine."""
    s, c = torch.sin(z), torch.cos(z)
    return [s, c, -s, -c, s][: order + 1]


def silu(z: Tensor, order: int) -> Derivatives:
    """The product z s(z), with the logistic function s (also called swish)."""
    s = torch.sigmoid(z)
    slopes = [s]
    if order >= 1:
        slopes.append(s * (1 - s))
    if order >= 2:
        slopes.append(slopes[1] * (1 - 2 * s))
    if order >= 3:
        slopes.append(slopes[1] * (1 - 6 * slopes[1]))
    if order >= 4:
        slopes.append(slopes[2] * (1 - 12 * slopes[1]))
    return [z * s] + [k * slopes[k - 1] + z * slopes[k] for k in range(1, order + 1)]


def gelu(z: Tensor, order: int) -> Derivatives:
    """The product z Φ(z), with the normal distribution function Φ."""
    below = 0.5 * (1 + torch.erf(z / math.sqrt(2)))
    found = [z * below]
    if order >= 1:
        density = torch.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
        square = z * z
        found.append(below + z * density)
    if order >= 2:
        found.append(density * (2 - square))
    if order >= 3:
        found.append(density * z * (square - 4))
    if order >= 4:
        found.append(density * (7 * square - square * square - 4))
    return found


ACTIVATIONS: dict[str, Activation] = {"tanh": tanh, "sine": sine, "silu": silu, "gelu": gelu}
