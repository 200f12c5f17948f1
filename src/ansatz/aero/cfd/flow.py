"""A solved flow around a body: fields on its surface and around it, and what the solver said.

Conventions, which are ours and not OpenFOAM's: normals point out of the body into the fluid, and
friction points downstream where the flow is attached, so that the force on the body is

    F = q Σ (cf - cp n) A,        q = ρ U∞² / 2.

OpenFOAM's faces look into the body, and its wall shear stress points against the flow; its pressure
and stress are divided by the density. Fields are dimensionless: cp = (p - p∞) / q, cf = τ / q,
u = U / U∞, nut = ν_t / (U∞ L), k = k / U∞². All are averages over the last iterations.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Indices = NDArray[np.int64]

MIRROR = np.array([1, -1, 1], dtype=np.float32)


@dataclass(frozen=True)
class FlowRecord:
    """What is known about a solution beside its fields.

    Attributes:
        speed, density, viscosity: Of the free stream, SI; the viscosity is kinematic.
        length: Of the body, m.
        frontal_area: Of the whole body, m².
        half: Whether the fields cover y >= 0 only. Coefficients are those of the whole body, but
            for side force, roll and yaw, which the two halves cancel.
        coefficients: Mean and standard deviation over the last iterations, by OpenFOAM's names: Cd,
            Cl, Cs, CmPitch and so on.
        iterations: Of the solver.
        cells: Of the mesh.
        cpu_seconds: By utility.
        residuals: The last initial residual of each equation.
        solver: Name and version.
    """

    speed: float
    density: float
    viscosity: float
    length: float
    frontal_area: float
    half: bool
    coefficients: Mapping[str, tuple[float, float]]
    iterations: int
    cells: int
    cpu_seconds: Mapping[str, float]
    residuals: Mapping[str, float]
    solver: str


@dataclass(frozen=True, eq=False)
class FlowSolution:
    """Fields of a solved flow, float32, dimensionless, in the convention of this module.

    Attributes:
        points: Corners of the surface's polygons, m, shape (p, 3).
        connectivity: Indices of the corners of all polygons, one after the other.
        offsets: Where each polygon ends in `connectivity`, shape (n,).
        centers, normals, areas: Of the polygons, m, unit vectors and m²: (n, 3), (n, 3), (n,).
        cp, cf: Pressure and friction on the polygons, (n,) and (n, 3).
        volume_points: Cell centers around the body, m, (m, 3).
        u, volume_cp, nut, k: Velocity, pressure, eddy viscosity and turbulent energy there.
        record: Everything else.
    """

    points: Array
    connectivity: Indices
    offsets: Indices
    centers: Array
    normals: Array
    areas: Array
    cp: Array
    cf: Array
    volume_points: Array
    u: Array
    volume_cp: Array
    nut: Array
    k: Array
    record: FlowRecord

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All fields by name."""
        names = (field.name for field in fields(self) if field.name != "record")
        return {name: getattr(self, name) for name in names}


def whole_body(flow: FlowSolution) -> FlowSolution:
    """The flow around the whole body, from the half y >= 0: each field and its mirror image.

    Raises:
        ValueError: If the flow covers the whole body already.
    """
    if not flow.record.half:
        raise ValueError("this flow covers the whole body: there is nothing to mirror")
    doubled: dict[str, NDArray[Any]] = {}
    for name, array in flow.arrays().items():
        if name in ("points", "centers", "normals", "cf", "volume_points", "u"):
            doubled[name] = np.concatenate([array, array * MIRROR])
        else:
            doubled[name] = np.concatenate([array, array])
    # A reflection turns the sense of rotation, so mirrored polygons list their corners backwards.
    starts = np.concatenate([[0], flow.offsets[:-1]])
    counts = flow.offsets - starts
    place = np.arange(len(flow.connectivity))
    backwards = np.repeat(starts + flow.offsets - 1, counts) - place
    mirrored = flow.connectivity[backwards] + len(flow.points)
    doubled["connectivity"] = np.concatenate([flow.connectivity, mirrored])
    doubled["offsets"] = np.concatenate([flow.offsets, flow.offsets + len(flow.connectivity)])
    return FlowSolution(**doubled, record=replace(flow.record, half=False))
