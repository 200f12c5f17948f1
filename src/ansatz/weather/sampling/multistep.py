"""Second order at one evaluation a step: the flow of a denoiser, with the step before remembered.

In λ = -ln σ the flow has the exact step x' = (σ'/σ) x + (1 - σ'/σ) D for a constant D. The line
through this denoised field and the one before it makes it second order: with h = λ' - λ, and h⁻
the step before,

    D = (1 + h / (2 h⁻)) D_i - h / (2 h⁻) D_{i-1}

(DPM-Solver++(2M), Lu et al., arXiv:2211.01095, algorithm 2, for noise added and not mixed in). The
first step and the one to σ = 0 are of first order. N steps cost N evaluations.
"""

import math
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor

from ansatz.weather.sampling.heun import Denoise


def multistep(
    denoise: Denoise, noise: Float[Tensor, "*shape"], levels: Float[Tensor, " steps+1"]
) -> Float[Tensor, "*shape"]:
    """Follow the flow from noise to a sample.

    Args:
        denoise: From x and σ, a number, to the expected field.
        noise: Of unit variance.
        levels: Noise levels, falling; see `ansatz.weather.sampling.schedule`.
    """
    x, last, stride = noise * levels[0].to(noise), noise, math.inf
    for now, then in pairwise(levels.tolist()):
        denoised = denoise(x, x.new_tensor(now))
        step = math.log(now / then) if then > 0 else 0.0
        expected = denoised + step / (2 * stride) * (denoised - last)
        x = expected + then / now * (x - expected)
        last, stride = denoised, step
    return x
