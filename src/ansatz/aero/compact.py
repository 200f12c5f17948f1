"""A flow around a car in about 100 kB: faces merged, numbers quantized, forces kept.

A solved case has 15,000 to 30,000 surface polygons on half a body. `ansatz.aero.coarsen` merges
them until `faces` are left and `ansatz.aero.quantize` rounds what remains. What both take from the
pressure force is given back by cp_i += λ · n_i, the change of least area-weighted square that
restores the total force: about 0.001 in cp. On ten cars, Cd of the packed fields is that of all
faces to 3e-5 and Cl to 1.2e-4, in 100 kB.

Fields are dimensionless: cp = p / q, cf = τ / q, u = U / U∞ and nut = ν_t / (U∞ L), where
q = ρ U∞² / 2; k is divided by U∞². Normals point out of the body into the fluid, and friction
points downstream where the flow is attached: the force on the body is q Σ (cf - cp n) A.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ansatz.aero.cfd.flow import FlowSolution
from ansatz.aero.coarsen import Faces, merge_faces, merge_labels
from ansatz.aero.quantize import (
    from_grid,
    from_octahedron,
    round_significand,
    to_grid,
    to_octahedron,
)
from ansatz.core.artifacts import atomic

Floats = NDArray[np.float64]

# Bits of the significand that are kept, of the ten that float16 has: relative errors of at most
# 0.2 % (8 bits), 0.4 % (7), 0.8 % (6) and 1.6 % (5).
FIELD_BITS = {"surface_area": 8, "cp": 8, "cf": 6, "u": 7, "volume_cp": 7, "nut": 5, "k": 5}


def pack(
    flow: FlowSolution,
    out: Path,
    meta: Mapping[str, object],
    *,
    faces: int = 6000,
    volume: int = 2500,
) -> Path:
    """Write the small file of a solution.

    Args:
        flow: The solution.
        out: npz to write; complete or not at all.
        meta: What is known beside the solution; joins its record.
        faces: Faces to keep at most.
        volume: Volume points to keep at most; a seeded choice of those of the solution.

    Returns:
        `out`.
    """
    areas = flow.areas.astype(np.float64)
    polygons = Faces(
        centers=flow.centers.astype(np.float64),
        vectors=flow.normals * areas[:, None],
        wet=areas,
        cp=flow.cp.astype(np.float64),
        friction=flow.cf * areas[:, None],
    )
    kept = np.arange(len(flow.volume_points))
    if len(kept) > volume:
        kept = np.sort(np.random.default_rng(0).permutation(len(kept))[:volume])
    grid, box = to_grid(flow.volume_points[kept].astype(np.float64))
    stored = {
        **_rounded(merge_faces(polygons, merge_labels(polygons, faces)), polygons.force()),
        "volume_grid": grid,
        "volume_box": box,
        **{
            name: round_significand(getattr(flow, name)[kept].astype(np.float64), FIELD_BITS[name])
            for name in ("u", "volume_cp", "nut", "k")
        },
        "meta": np.array(json.dumps({**asdict(flow.record), **meta}).encode()),
    }
    # Component by component, vectors compress by a fifth more.
    components = {name: np.ascontiguousarray(array.T) for name, array in stored.items()}
    with atomic(out) as part, part.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **components)
    return out


def unpack(path: Path) -> dict[str, NDArray[np.float32]]:
    """Read the arrays of a packed case.

    Returns:
        `surface_xyz` (n, 3), `surface_normal` (n, 3), `surface_area` (n,), `cp` (n,), `cf` (n, 3),
        `volume_xyz` (m, 3), `u` (m, 3), `volume_cp` (m,), `nut` (m,) and `k` (m,), all float32,
        lengths in m and areas in m², in the convention of this module.

    Raises:
        ValueError: If the file is not a packed case.
    """
    with np.load(path) as stored:
        if "surface_grid" not in stored:
            raise ValueError(f"{path} holds {sorted(stored)}: not a case that `pack` has written")
        arrays = {
            "surface_xyz": from_grid(stored["surface_grid"].T, stored["surface_box"]),
            "surface_normal": from_octahedron(stored["surface_octahedron"].T),
            "volume_xyz": from_grid(stored["volume_grid"].T, stored["volume_box"]),
            **{name: stored[name].T for name in FIELD_BITS},
        }
    return {name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}


def read_meta(path: Path) -> dict[str, Any]:
    """What is known about a packed case: parameters, speed, frontal area, coefficients, cells."""
    with np.load(path) as stored:
        meta: dict[str, Any] = json.loads(stored["meta"].item())
    return meta


def _rounded(merged: Faces, force: Floats) -> dict[str, NDArray[Any]]:
    """Round the merged faces, then shift the pressure so that what was rounded has the force."""
    areas = np.linalg.norm(merged.vectors, axis=1, keepdims=True)
    octahedron = to_octahedron(merged.vectors / areas)
    area = round_significand(areas[:, 0], FIELD_BITS["surface_area"])
    cf = round_significand(merged.friction / areas, FIELD_BITS["cf"])
    normals, weights = from_octahedron(octahedron), area.astype(np.float64)[:, None]
    missing = force - ((cf - merged.cp[:, None] * normals) * weights).sum(axis=0)
    shift = np.linalg.solve(normals.T @ (weights * normals), -missing)
    grid, box = to_grid(merged.centers)
    return {
        "surface_grid": grid,
        "surface_box": box,
        "surface_octahedron": octahedron,
        "surface_area": area,
        "cp": round_significand(merged.cp + normals @ shift, FIELD_BITS["cp"]),
        "cf": cf,
    }
