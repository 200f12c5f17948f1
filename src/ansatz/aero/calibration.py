"""How far an answer can be trusted: conformal intervals, and the distance from the training cars.

Intervals are split-conformal (Lei et al., arXiv:1604.04173, §2; Papadopoulos et al. 2002 for the
normalization): with errors e and spreads σ between the members on n validation cars,

    r = |e| / (σ + σ₀)      q = the ⌈(n+1) level⌉-th smallest r      mean ± q (σ + σ₀)

holds the truth of another car of the same kind with a probability of at least the level. Nine
validation cars are the least for a level of 0.9.

A car is described by what it looks like along its length (silhouette: top, underside, half width,
mean normal per station) and by its Reynolds number. Its distance from the nearest training car is
divided by the distance that 95 % of the training cars have from their own nearest neighbour.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from torch import Tensor

from ansatz.aero.surface import Surface
from ansatz.core.artifacts import atomic, write_json
from ansatz.report.bands import conformal_quantile

LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9)  # of the intervals
LEAST_CARS = 9  # validation cars without which the widest interval has no ends
STATIONS = 24
FLOOR = {"cd": 0.002, "cl": 0.01, "clf": 0.005, "clr": 0.005, "cm_pitch": 0.005}  # σ₀
SAME = 1e-6  # distance up to which two cars are one
NEAR = 0.95  # share of the training cars that count as near to another


@dataclass(frozen=True)
class Calibration:
    """What the validation and the training cars say about trust.

    Attributes:
        residuals: r of the validation cars, by coefficient; empty if the model was not calibrated.
        known: Descriptions of the training cars, (cars, features); empty if unknown.
        typical: Distance that counts as 1.
    """

    residuals: Mapping[str, Sequence[float]]
    known: Float[Tensor, "cars features"]
    typical: float

    @property
    def num_cars(self) -> int:
        """Validation cars that it was fitted to."""
        return min((len(values) for values in self.residuals.values()), default=0)

    @property
    def has_intervals(self) -> bool:
        """Whether they were enough for all of `LEVELS`."""
        return self.num_cars >= LEAST_CARS

    def bands(self, name: str, mean: float, spread: float) -> tuple[tuple[float, float], ...]:
        """The intervals of a coefficient at `LEVELS`; infinite where there were too few cars."""
        scale = spread + FLOOR[name]
        halves = [conformal_quantile(self.residuals[name], level) * scale for level in LEVELS]
        return tuple((mean - half, mean + half) for half in halves)

    def distance(self, description: Float[Tensor, " features"]) -> float:
        """Distance from the nearest training car; 0 if none is known."""
        if not len(self.known):
            return 0.0
        return float((self.known - description).norm(dim=1).min() / self.typical)


UNCALIBRATED = Calibration({}, torch.zeros(0, 0), 1.0)


def describe(cells: Surface, log_reynolds: float) -> Float[Tensor, " features"]:
    """What a half body looks like along its length.

    Args:
        cells: Of the half body, in lengths, y >= 0.
        log_reynolds: Natural logarithm of the Reynolds number over 1e7.

    Returns:
        Per station the top, the underside, the half width and the mean of n_x and n_z, all in
        lengths or pure numbers; then the logarithm, scaled to weigh as much as a station.
    """
    station = (cells.centers[:, 0] * STATIONS).long().clamp(0, STATIONS - 1)
    _, y, z = cells.centers.unbind(1)
    zeros = torch.zeros(STATIONS)
    top = zeros.scatter_reduce(0, station, z, "amax", include_self=False)
    under = zeros.scatter_reduce(0, station, z, "amin", include_self=False)
    wide = zeros.scatter_reduce(0, station, y, "amax", include_self=False)
    area = zeros.index_add(0, station, cells.areas).clamp_min(1e-12)
    slopes = [
        0.1 * zeros.index_add(0, station, cells.areas * cells.normals[:, axis]) / area
        for axis in (0, 2)
    ]
    return torch.cat([top, under, wide, *slopes, torch.tensor([0.05 * log_reynolds])])


def calibrate(
    errors: Mapping[str, Sequence[tuple[float, float]]], known: Float[Tensor, "cars features"]
) -> Calibration:
    """Fit a calibration.

    Args:
        errors: By coefficient, pairs (error, spread between the members) of validation cars.
        known: Descriptions of the training cars. Of a single one nothing can be said about how
            far apart cars are, and distances are 0.
    """
    residuals = {
        name: sorted(abs(error) / (spread + FLOOR[name]) for error, spread in pairs)
        for name, pairs in errors.items()
    }
    if len(known) < 2:
        return Calibration(residuals, known[:0], typical=1.0)
    # As differences: by the default's matrix product, distances below 1e-3 would be noise.
    apart = torch.cdist(known, known, compute_mode="donot_use_mm_for_euclid_dist")
    nearest = apart.fill_diagonal_(float("inf")).min(1).values
    return Calibration(residuals, known, typical=max(float(nearest.quantile(NEAR)), SAME))


def save_calibration(folder: Path, calibration: Calibration) -> None:
    """Write a calibration beside a model."""
    with atomic(folder / "calibration.safetensors") as part:
        save_file({"known": calibration.known.contiguous()}, part)
    scalars = {key: value for key, value in asdict(calibration).items() if key != "known"}
    write_json(folder / "calibration.json", scalars)


def load_calibration(folder: Path) -> Calibration:
    """Read the calibration beside a model; an empty one if there is none."""
    path = folder / "calibration.json"
    if not path.exists():
        return UNCALIBRATED
    known = load_file(folder / "calibration.safetensors")["known"]
    return Calibration(known=known, **json.loads(path.read_text()))
