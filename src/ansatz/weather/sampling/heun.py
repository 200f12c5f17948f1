"""The reference: Heun's method on the probability flow of a denoiser D.

    dx/dσ = (x - D(x; σ)) / σ

(Karras et al., arXiv:2206.00364, algorithm 1). Each step but the one to σ = 0 takes two
evaluations, so that N steps cost 2 N - 1: 35 for 18.
"""

from collections.abc import Callable
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor

Denoise = Callable[[Tensor, Tensor], Tensor]


def heun(
    denoise: Denoise, noise: Float[Tensor, "*shape"], levels: Float[Tensor, " steps+1"]
) -> Float[Tensor, "*shape"]:
    """Follow the flow from noise to a sample.

    Args:
        denoise: From x and σ, a number, to the expected field.
        noise: Of unit variance.
        levels: Noise levels, falling; see `ansatz.weather.sampling.schedule`.
    """
    x = noise * levels[0].to(noise)
    for now, then in pairwise(levels.tolist()):
        slope = (x - denoise(x, x.new_tensor(now))) / now
        ahead = x + (then - now) * slope
        if then > 0:
            slope = (slope + (ahead - denoise(ahead, x.new_tensor(then))) / then) / 2
            ahead = x + (then - now) * slope
        x = ahead
    return x


def heun_evaluations(steps: int) -> int:
    """Evaluations of the network that so many steps cost, the last of them to no noise."""
    return 2 * steps - 1
