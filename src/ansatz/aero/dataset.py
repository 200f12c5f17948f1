"""The cars of `aero/cars`: our own RANS solutions, embedded in the distribution.

Half bodies (y >= 0) of parametric road cars, solved with OpenFOAM on two meshes
(`ansatz.aero.cfd.campaign` makes them, `docs/aero.md` says how). Only the solutions are stored:
car number N is the same geometry for ever (`ansatz.aero.geometry.parametric.sample_car`). The split
is by number: training below 800, validation 800 to 899, test from 900 on.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from ansatz.aero.body import Body, measure
from ansatz.aero.car import CarRequest
from ansatz.aero.cases import stored_cases
from ansatz.aero.compact import read_meta, unpack
from ansatz.aero.geometry.parametric import car_solids, sample_car
from ansatz.aero.halves import Draws, half_batches
from ansatz.aero.stream import AIR_VISCOSITY
from ansatz.aero.truth import CarTruth
from ansatz.core.recipe import Batches, Filled, Manifest, RemoteFile, Sample, Split
from ansatz.store.samples import fill


@dataclass(frozen=True)
class Cars:
    """Parametric cars with their solutions.

    Attributes:
        fidelity: `fine`, about 240,000 cells, or `coarse`, about 95,000.
        draws: Points per half body in a batch.
    """

    fidelity: Literal["fine", "coarse"] = "fine"
    draws: Draws = field(default_factory=Draws)

    def manifest(self) -> Manifest:
        """All cars, on both meshes: the coarse ones show the error of the reference."""
        return Manifest(
            source="embedded:ansatz.aero/embedded/cars",
            files=(
                RemoteFile("fine/car_*.npz", "fine"),
                RemoteFile("coarse/car_*.npz", "coarse", required=False),
            ),
            license="CC-BY-4.0",
        )

    def fill(self, raw: Path, folder: Path) -> Filled:
        """Write the samples."""
        return fill(self.samples(raw), folder)

    def samples(self, raw: Path) -> Iterator[Sample]:
        """Solutions with their geometries.

        Raises:
            FileNotFoundError: If `raw` holds no cars.
        """
        paths = sorted((raw / self.fidelity).glob("car_*.npz"), key=car_number)
        if not paths:
            raise FileNotFoundError(
                f"{raw / self.fidelity} holds no car_*.npz. Bring them first: "
                "ansatz fetch aero/cars"
            )
        for path in paths:
            number = car_number(path)
            body = measure(car_solids(sample_car(number)))
            meta = read_meta(path)
            more = {
                "number": number,
                "source": f"OpenFOAM, {self.fidelity} mesh, car {number}",
                "speed": meta["speed"],
                "is_half": True,
                "scatter": {name.lower(): meta["coefficients"][name][1] for name in ("Cd", "Cl")},
            }
            arrays = half_geometry(body) | solution_arrays(unpack(path))
            yield Sample(
                f"car_{number}", split_of(number), arrays, reference_quantities(body) | more
            )

    def batches(self, store: Path, split: Split, batch_size: int) -> Batches:
        """Batches of half bodies, as `ansatz.aero.halves` describes them."""
        return half_batches(store, split, batch_size, self.draws)

    def cases(self, store: Path, split: Split) -> Iterator[tuple[str, CarRequest, CarTruth]]:
        """Requests at the speed of each solution, with the solution as their truth."""
        return stored_cases(store, split)


def split_of(number: int) -> Split:
    """The split that a car belongs to, by its number."""
    if number < 800:
        return "train"
    return "validation" if number < 900 else "test"


def car_number(path: Path) -> int:
    """The number in `car_12.npz`."""
    return int(path.stem.split("_")[1])


def half_geometry(body: Body) -> dict[str, NDArray[np.float32]]:
    """The half of a geometry with y >= 0, m."""
    cells = body.sample[torch.nonzero(body.sample.centers[:, 1] >= 0).squeeze(1)]
    return {
        "cells_xyz": cells.centers.numpy(),
        "cells_normal": cells.normals.numpy(),
        "cells_area": cells.areas.numpy(),
    }


def reference_quantities(body: Body) -> dict[str, Any]:
    """Frame and reference quantities of a body, as samples keep them."""
    return {
        "frame": asdict(body.frame),
        "viscosity": AIR_VISCOSITY,
        "reference_area": body.frontal_area,
        "reference_length": body.reference_length,
        "center": list(body.moment_center),
    }


def solution_arrays(fields: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    """The fields of a packed case with normals of unit length."""
    normals = fields["surface_normal"]
    unit = normals / np.linalg.norm(normals, axis=1, keepdims=True)
    return {**fields, "surface_normal": unit}
