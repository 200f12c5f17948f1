"""Flow matching: from noise at t = 0 to a field at t = 1 along dx/dt = v(x, t).

The midpoint method is of second order: x + h v(x + h/2 v(x, t), t + h/2). N steps cost 2 N
evaluations. (Lipman et al., arXiv:2210.02747; the paths are straight lines from noise to field.)
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

Velocity = Callable[[Tensor, Tensor], Tensor]


def flow(velocity: Velocity, start: Float[Tensor, "*shape"], steps: int) -> Float[Tensor, "*shape"]:
    """Follow the flow from noise to a sample.

    Args:
        velocity: From x and t, a number, to dx/dt.
        start: Noise of unit variance.
        steps: Of equal length.
    """
    x = start
    for number in range(steps):
        time = torch.tensor(number / steps).to(start)
        half = x + velocity(x, time) / (2 * steps)
        x = x + velocity(half, time + 1 / (2 * steps)) / steps
    return x


def flow_evaluations(steps: int) -> int:
    """Evaluations of the network that so many steps cost."""
    return 2 * steps
