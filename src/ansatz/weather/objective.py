"""What the two stages minimize.

`MeanError`: the mean squared error of the first stage, whose minimum is the conditional mean.

`Denoising` (Karras et al., arXiv:2206.00364, table 1): E λ(σ) |D(y + σ n; σ) - y|², with
ln σ ~ N(μ, s²) and λ = (σ² + σ_d²) / (σ σ_d)² = 1/c_out², which is |F - F*|² of the network itself.
`FlowMatching` (Lipman et al., arXiv:2210.02747): E |v(x_t, t) - (y - n)|², t uniform in [0, 1].
For both, the levels of a batch divide their distribution into equal parts, one in each: the same
mean with less scatter.

`ProperScore`: a network that makes a sample in one evaluation is trained with a score that no
forecast but the true distribution minimizes. With M samples x_m of a truth y,

    1/M Σ_m ρ(x_m, y) - 1/(2 M (M - 1)) Σ_m Σ_k ρ(x_m, x_k)

is the fair CRPS for ρ = |a - b|, cell by cell, and the fair energy score for ρ the root mean square
difference of the fields, which also sees how cells go together (Gneiting & Raftery, JASA 102
(2007), §4.2-4.3; Ferro, QJRMS 140 (2014), eq. 8).

Losses of the second stage are in units of the residual's scale. All draws come from the generator.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt
from jaxtyping import Float
from torch import Tensor, nn

from ansatz.core.recipe import Loss

EDGE = 1e-4  # flow matching keeps this far from both ends of its levels


@dataclass(frozen=True)
class MeanError:
    """Squared error of the first stage, in z-scores."""

    def __call__(self, model: nn.Module, batch: dict[str, Tensor], rng: torch.Generator) -> Loss:
        """The loss on `condition`, `fine` and `place` of a batch; the generator is not used."""
        return Loss((model(batch["condition"], batch["place"]) - batch["fine"]).square().mean())


@dataclass(frozen=True)
class Denoising:
    """The loss of a denoiser.

    Attributes:
        log_mean: μ, of ln σ. Karras et al. have -1.2 for data of σ_d = 0.5, which is -0.5 for the
            residual's σ_d = 1; CorrDiff has 0.
        log_std: s, of ln σ.
    """

    log_mean: float = -0.5
    log_std: Annotated[float, Gt(0)] = 1.2

    def __call__(self, model: nn.Module, batch: dict[str, Tensor], rng: torch.Generator) -> Loss:
        """The loss on `condition`, `fine` and `place` of a batch."""
        fine = batch["fine"]
        normal = torch.special.ndtri(spread(len(fine), rng).double()).to(fine.dtype)
        sigma = (self.log_mean + self.log_std * normal).exp()
        return Loss(_squared(model, batch, sigma, rng))


@dataclass(frozen=True)
class FlowMatching:
    """The loss of a velocity."""

    def __call__(self, model: nn.Module, batch: dict[str, Tensor], rng: torch.Generator) -> Loss:
        """The loss on `condition`, `fine` and `place` of a batch."""
        time = spread(len(batch["fine"]), rng).to(batch["fine"].dtype)
        return Loss(_squared(model, batch, time, rng))


@dataclass(frozen=True)
class ProperScore:
    """The loss of a generator.

    Attributes:
        score: `crps`, cell by cell, or `energy`, of whole fields.
        members: M, samples per truth.
    """

    score: Literal["crps", "energy"] = "crps"
    members: Annotated[int, Ge(2)] = 2

    def __call__(self, model: nn.Module, batch: dict[str, Tensor], rng: torch.Generator) -> Loss:
        """The loss on `condition`, `fine` and `place` of a batch."""
        fine = batch["fine"]
        noise = noise_like(fine, rng, self.members)
        level = fine.new_zeros(len(noise))
        said, truth = model(fine, noise, level, batch["condition"], batch["place"])
        samples = said.unflatten(0, (-1, self.members))
        skill, spread = fair_terms(samples, truth[:: self.members], self.score)
        return Loss(skill - spread, {"skill": skill, "spread": spread})


def fair_terms(
    samples: Float[Tensor, "b m o H W"], truth: Float[Tensor, "b o H W"], score: str
) -> tuple[Tensor, Tensor]:
    """The two terms of the fair score of this module's text, each a mean over the batch."""
    members = samples.shape[1]
    skill = _distance(samples - truth[:, None], score).mean()
    pairs = _distance(samples[:, :, None] - samples[:, None], score).sum((1, 2))
    return skill, pairs.mean() / (2 * members * (members - 1))


def _distance(difference: Float[Tensor, "... o H W"], score: str) -> Float[Tensor, "..."]:
    if score == "crps":
        return difference.abs().mean((-3, -2, -1))
    # A member has no distance from itself, where the root has no slope.
    squares = difference.square().mean((-3, -2, -1))
    return torch.where(squares > 0, squares, 1).sqrt() * (squares > 0)


def _squared(
    model: nn.Module, batch: dict[str, Tensor], level: Tensor, rng: torch.Generator
) -> Tensor:
    noise = noise_like(batch["fine"], rng)
    said, target = model(batch["fine"], noise, level, batch["condition"], batch["place"])
    loss: Tensor = (said - target).square().mean()
    return loss


def spread(count: int, rng: torch.Generator) -> Float[Tensor, " count"]:
    """Numbers between 0 and 1, one in each of `count` equal parts, in order."""
    offset = torch.rand(count, generator=rng, device=rng.device)
    parts = torch.arange(count, device=rng.device)
    return ((parts + offset) / count).clamp(EDGE, 1 - EDGE)


def noise_like(
    fine: Float[Tensor, "b o H W"], rng: torch.Generator, times: int = 1
) -> Float[Tensor, "n o H W"]:
    """Noise of unit variance, `times` per field."""
    shape = (times * len(fine), *fine.shape[1:])
    return torch.randn(shape, generator=rng, device=fine.device, dtype=fine.dtype)
