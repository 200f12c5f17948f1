"""What training minimizes: errors of fields, and of the forces that they add up to.

Per member and half body, with errors e of Cp, Cf and of the fields of the flow, shares w of the
area, and scales s that make a typical field one,

    L = Σ w e_p²/s_p² + λ_f Σ w |e_τ|²/s_τ² + λ_v mean e_v²/s_v²
      + λ_F (ΔCd²/s_d² + ΔCl²/s_l² + ΔCm²/s_m²)

The force errors are the integral of `ansatz.aero.forces` over the drawn cells, scaled up to the
whole surface: an unbiased estimate whose noise only repeats what the first two terms ask for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Ge
from jaxtyping import Float
from torch import Tensor, nn

from ansatz.aero.forces import cell_forces
from ansatz.core.recipe import Loss

CP_SCALE = 0.30  # area-weighted rms over the training cars
CF_SCALE = 0.0034
FLOW_SCALES = (0.3, 0.15, 0.15, 0.2, 1.0, 1.0)  # u/U, Cp, log10 νt/(U L), log10 k/U²
FORCE_SCALES = (0.03, 0.1, 0.03)  # Cd, Cl, Cm: what cars differ by


@dataclass(frozen=True)
class FieldsAndForces:
    """The loss of this module's text.

    Attributes:
        friction: λ_f.
        volume: λ_v.
        force: λ_F.
    """

    friction: Annotated[float, Ge(0)] = 2.0
    volume: Annotated[float, Ge(0)] = 0.3
    force: Annotated[float, Ge(0)] = 0.003

    def __call__(self, model: nn.Module, batch: dict[str, Tensor], rng: torch.Generator) -> Loss:
        """The loss of an ensemble: each member learns from its own share of the batch.

        Args:
            model: The ensemble; the batch size is a multiple of its number of members.
            batch: As `ansatz.aero.halves.half_batches` makes it.
            rng: Not used: all draws are in the batch.
        """
        points = (batch[name] for name in ("anchors", "weights", "surface", "volume"))
        found, flow = model(*points)
        error = found - batch["fields"]
        areas = batch["area_vectors"].norm(dim=-1)
        share = areas / areas.sum(1, keepdim=True)
        squares = torch.einsum("bn,bnc->c", share, error**2) / len(error)
        terms = {
            "cp": squares[0] / CP_SCALE**2,
            "cf": squares[1:].sum() / CF_SCALE**2,
            "flow": flow_error(flow, batch["flow"]),
            "force": over(force_error(batch, error, areas), FORCE_SCALES).square().sum(-1).mean(),
        }
        total = (
            terms["cp"]
            + self.friction * terms["cf"]
            + self.volume * terms["flow"]
            + self.force * terms["force"]
        )
        return Loss(total, terms)


def over(errors: Float[Tensor, "*batch c"], scales: Sequence[float]) -> Float[Tensor, "*batch c"]:
    """Errors in units of their scales; a tensor of scales from the host would break CUDA graphs."""
    return torch.stack([e / s for e, s in zip(errors.unbind(-1), scales, strict=True)], -1)


def flow_error(found: Float[Tensor, "b k 6"], truth: Float[Tensor, "b k 6"]) -> Tensor:
    """Mean squared error of the flow, scaled, where the truth is known."""
    known = torch.isfinite(truth)
    miss = over(found - truth.nan_to_num(), FLOW_SCALES)
    return (miss.square() * known).sum() / known.sum().clamp_min(1)


def force_error(
    batch: dict[str, Tensor], error: Float[Tensor, "b n 4"], areas: Float[Tensor, "b n"]
) -> Float[Tensor, "b 3"]:
    """Errors of drag, lift and pitching moment coefficients, as estimated from the drawn cells.

    The moment is about the middle of the body on the ground, and divided by its length.
    """
    normals = batch["area_vectors"] / areas[..., None]
    forces = cell_forces(normals, areas, error[..., 0], error[..., 1:])
    places = batch["places"]
    pitch = places[..., 2] * forces[..., 0] - (places[..., 0] - 0.5) * forces[..., 2]
    found = torch.stack([forces[..., 0], forces[..., 2], pitch], -1).sum(1)
    # Both halves, and the cells that were not drawn.
    scale = 2 * batch["cells"] / areas.shape[1] / batch["reference_area"]
    return found.float() * scale[:, None]
