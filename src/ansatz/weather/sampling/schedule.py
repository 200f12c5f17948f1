"""Noise levels of a sampler, from much to none.

Karras et al. (arXiv:2206.00364, eq. 5): with i = 0 ... N - 1,

    σ_i = (σ_max^(1/ρ) + i/(N - 1) (σ_min^(1/ρ) - σ_max^(1/ρ)))^ρ,   σ_N = 0.

A solver of finite steps gives samples of another spread than the data's. For Gaussian data of
standard deviation 0.05 to 3, where the flow is known, the spread of samples is that of the data
times (`tests/weather/sampling/test_solvers.py`)

    Heun, 18 steps, 35 evaluations      σ 0.002 ... 800, ρ 7 (CorrDiff)    1.08 to 1.27
                                        σ 0.002 ... 80,  ρ 7 (EDM)         1.03 to 1.11
                                        σ 0.02 ... 20,   ρ 10 (here)       0.96 to 1.02
    two-step, 9 steps, 9 evaluations    σ 0.002 ... 80,  ρ 7               0.97 to 1.18
                                        σ 0.02 ... 20,   ρ 10 (here)       0.87 to 1.06

For data of unit variance noise of 20 leaves a four-hundredth of the variance to the data; what is
smaller than 0.02 is left as the network denoises it.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def noise_levels(
    steps: int, low: float = 0.02, high: float = 20.0, curvature: float = 10.0
) -> Float[Tensor, " steps+1"]:
    """The levels of a sampler; the last one is 0.

    Args:
        steps: Steps from noise to field, at least 2.
        low: σ_min, in units of the data.
        high: σ_max.
        curvature: ρ; the larger, the more steps at low noise.

    Returns:
        In float64.
    """
    ends = torch.tensor([high, low], dtype=torch.float64) ** (1 / curvature)
    levels = torch.lerp(ends[0], ends[1], torch.linspace(0, 1, steps, dtype=torch.float64))
    return torch.cat([levels**curvature, torch.zeros(1, dtype=torch.float64)])
