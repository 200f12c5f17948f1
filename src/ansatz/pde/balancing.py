"""Factors of the terms of a loss, so that none drowns the others.

A loss Σ λᵢ Lᵢ of mean squares Lᵢ = mean(rᵢ²) is trained with

    λᵢ = mean_j(s_j) / sᵢ,

where the size s of a term is the norm of its gradient, ‖∇L‖ (Wang, Teng and Perdikaris,
arXiv:2001.04536, §2.5, in the form of Wang et al., arXiv:2308.08468, eq. 5.3): all terms then pull
alike; or the mean over points of ‖∇r‖², the trace of the term's tangent kernel per point (Wang, Yu
and Perdikaris, arXiv:2007.14527, eqs. 6.5-6.6): all terms then decay alike. The papers have the sum
in the place of the mean, a factor of the whole loss.

Residuals are those of a batch, with the weights of the problem: constant weights cancel, those that
depend on the place count. Weights of time (`MeanSquares.causality`) are not known here.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

PROBES = 16  # the traces are within about a third, and terms differ by orders of magnitude
LARGEST = 1e6  # factor; 1e4 kept the error of a boundary with weight 1e-4 at ten times that


def gradient_norms(model: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, float]:
    """‖∇ mean(r²)‖ of each residual r over all parameters.

    Args:
        model: An `ansatz.pde.trial.Trial`.
        batch: Points of each condition.

    Returns:
        The norms by condition and name of the residual.
    """
    return {
        name: _gradient(residual.square().mean(), model).norm().item()
        for name, residual in model(batch).items()
    }


def kernel_traces(
    model: nn.Module, batch: Mapping[str, Tensor], rng: np.random.Generator, probes: int = PROBES
) -> dict[str, float]:
    """The mean of ‖∇r‖² over points, for each residual r, estimated without bias.

    With v a vector of random signs, the mean of ‖∇(v·r)‖² is the trace of J Jᵀ, J being the
    Jacobian of all residuals (Hutchinson, Commun. Stat. Simul. Comput. 18, 1989).

    Args:
        model: An `ansatz.pde.trial.Trial`.
        batch: Points of each condition.
        rng: Draws the signs.
        probes: Over which is averaged; the relative deviation is at most √(2 / probes).

    Returns:
        The traces per point by condition and name of the residual.
    """
    found = {}
    for name, residual in model(batch).items():
        signs = torch.from_numpy(rng.choice([-1.0, 1.0], (probes, len(residual))))
        sums = (signs.to(residual) * residual).sum(1)
        squares = [_gradient(each, model).square().sum() for each in sums]
        found[name] = torch.stack(squares).mean().item() / len(residual)
    return found


def factors(sizes: Mapping[str, float]) -> dict[str, float]:
    """λ by name from the sizes of the terms, at most `LARGEST`; a term without a size keeps 1."""
    known = [size for size in sizes.values() if size > 0]
    mean = sum(known) / max(len(known), 1)
    return {name: min(mean / size, LARGEST) if size > 0 else 1.0 for name, size in sizes.items()}


def _gradient(value: Tensor, model: nn.Module) -> Tensor:
    """The gradient of a number by all parameters, as a vector; the graph stays."""
    trained = [p for p in model.parameters() if p.requires_grad]
    if not value.requires_grad:
        return value.new_zeros(1)
    parts = torch.autograd.grad(
        value, trained, retain_graph=True, allow_unused=True, materialize_grads=True
    )
    return torch.cat([part.flatten() for part in parts])
