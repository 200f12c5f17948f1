"""The noise that a member of an ensemble grows from: a function of seed and member alone.

A counter-based generator (Philox, Salmon et al., SC11) gives the noise of the whole domain, from
which tiles are cut. So a member is the same in an ensemble of any size, in batches of any size and
with tiles of any layout.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


def noise_of(seed: int, member: int, shape: tuple[int, ...]) -> Float[Tensor, "..."]:
    """Noise of unit variance, in float32.

    Args:
        seed: Of the ensemble, at least 0.
        member: Of it, from 0.
        shape: Of the domain, as (channels, height, width).
    """
    words = np.random.Philox(np.random.SeedSequence([seed, member]))
    return torch.from_numpy(np.random.Generator(words).standard_normal(shape, np.float32))
