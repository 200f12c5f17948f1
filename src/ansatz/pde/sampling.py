"""Where points are taken and how terms are weighted: by what the network gets wrong.

Of candidates, drawn evenly, points are chosen without replacement with probabilities that follow

    p = |r|ᵏ / mean |r|ᵏ + c,

the residual-based adaptive distribution of Wu et al. (arXiv:2207.10289, eq. 2): k = 0 or c → ∞ is
even, a large k goes for the worst. A condition of several residuals has the mean of their p, so
that the scale of none counts. There are no more points in a place than candidates: where `pool`
candidates are drawn per point, points are at most `pool` times as dense as even ones.

How terms are weighted is in `ansatz.pde.balancing`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np
import torch
from annotated_types import Ge, Gt
from numpy.typing import NDArray
from torch import Tensor, nn

Balance = Literal["none", "gradients", "ntk"]
RENEW = {"ssbroyden": 500}
CHUNK = 20_000  # candidates of a condition that are evaluated at a time


@dataclass(frozen=True)
class Sampling:
    """How points are chosen and terms weighted in the course of a run.

    Points and factors that follow the network are those of the network at the step where they were
    chosen, and no checkpoint holds them. A run that resumes at a multiple of `renew` and
    `balance_every` repeats the uninterrupted one to the last bit; one that resumes in between
    chooses anew, by the network as it is then.

    Attributes:
        renew: Steps for which points stay the same; 0 keeps them for ever. None is 500 for a
            quasi-Newton method, which needs hundreds, and 1 for others.
        pool: Candidates per point, of conditions inside and on bodies; with 1, points are even.
        power: k, of the residual in the density of points.
        floor: c, what the density has of an even one.
        balance: Which factors the terms of the loss get: `none`; `gradients`, by the norms of
            their gradients; `ntk`, by the traces of their tangent kernels.
        balance_every: Steps for which the factors stay the same.
    """

    renew: Annotated[int, Ge(0)] | None = None
    pool: Annotated[int, Ge(1)] = 1
    power: Annotated[float, Ge(0)] = 1.0
    floor: Annotated[float, Ge(0)] = 1.0
    balance: Balance = "none"
    balance_every: Annotated[int, Gt(0)] = 500

    def __post_init__(self) -> None:
        if self.renew == 0 and self.pool > 1:
            raise ValueError(
                "points that stay for ever (renew=0) would be chosen by a network that has learned "
                f"nothing yet: take pool=1 instead of {self.pool}, or renew them"
            )

    def suited(self, optimizer: str) -> "Sampling":
        """The same, with the `renew` of an optimizer if there is none."""
        return self if self.renew is not None else replace(self, renew=RENEW.get(optimizer, 1))


def density(residuals: Sequence[Tensor], power: float, floor: float) -> NDArray[np.float64]:
    """How dense points are to be, relative to even ones, up to a factor.

    Args:
        residuals: Of a condition at candidates, each of shape (candidates,).
        power: k.
        floor: c.

    Returns:
        The mean of p over the residuals, shape (candidates,). A residual that is zero everywhere
        is even.
    """
    sizes = torch.stack(list(residuals)).detach().double().abs().pow(power)
    means = sizes.mean(1, keepdim=True)
    relative = torch.where(means > 0, sizes / means, 1.0)
    found: NDArray[np.float64] = (relative + floor).mean(0).cpu().numpy()
    return found


def choose(weights: NDArray[np.float64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Choose without replacement, one after the other, with probabilities that follow weights.

    The places that come first if each waits for an exponential time of mean 1 / weight (Efraimidis
    and Spirakis, Inf. Process. Lett. 97, 2006); what weighs nothing comes last.

    Args:
        weights: Not negative, of any sum.
        count: How many, at most as many as there are weights.
        rng: Every draw comes from it.

    Returns:
        Places among the weights, in ascending order.
    """
    with np.errstate(divide="ignore"):
        waiting = rng.exponential(size=len(weights)) / weights
    return np.sort(np.argsort(waiting, kind="stable")[:count])


def residuals_at(model: nn.Module, tables: Mapping[str, Tensor]) -> dict[str, list[Tensor]]:
    """The weighted residuals of each condition at any number of points, without gradients.

    Args:
        model: An `ansatz.pde.trial.Trial`.
        tables: A tensor of points per condition.

    Returns:
        Residuals of shape (points,), in their order, by condition.
    """
    parts = math.ceil(max(map(len, tables.values())) / CHUNK)
    chunks = zip(*(table.tensor_split(parts) for table in tables.values()), strict=True)
    with torch.no_grad():
        found = [model(dict(zip(tables, chunk, strict=True))) for chunk in chunks]
    # Nested differentiation makes graphs all the same.
    joined = {name: torch.cat([part[name].detach() for part in found]).cpu() for name in found[0]}
    return {
        name: [r for full, r in joined.items() if full.partition(": ")[0] == name]
        for name in tables
    }
