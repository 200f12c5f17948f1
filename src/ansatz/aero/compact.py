"""A flow around a car in about 100 kB: faces merged, numbers quantized, forces kept.

A solved case has 15,000 to 30,000 surface polygons on half a body. `ansatz.aero.coarsen` merges
them until `faces` are left and `ansatz.aero.quantize` rounds what remains. What both take from the
pressure force is given back by cp_i += λ · n_i, the change of least area-weighted square that
restores the total force: about 0.001 in cp. On ten cars, Cd of the packed fields is that of all
faces to 3e-5 and Cl to 1.2e-4, in 100 kB.

Fields are dimensionless: cp = p / q, cf = τ / q, u = U / U∞ and nut = ν_t / (U∞ L), where
q = ρ U∞² / 2; k is divided by U∞². Normals point out of the body into the fluid, and friction
points downstream where the flow is attached: the force on the body is q Σ (cf - cp n) A. OpenFOAM
writes friction against the flow, and `pack` turns it round.
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
    source: Path,
    out: Path,
    *,
    faces: int = 6000,
    volume: int = 2500,
    extra: Mapping[str, object] | None = None,
) -> Path:
    """Write the small file of a case whose arrays were collected with OpenFOAM's signs.

    Args:
        source: npz with `surface_xyz, surface_normal, surface_area, surface_wet, cp, cf` (n, ...),
            `volume_xyz, u, vcp, nut` and, if known, `k` (m, ...), and `meta` (JSON). Normals point
            outwards, friction points against the flow and acts on `surface_wet`, an area.
        out: npz to write; complete or not at all.
        faces: Faces to keep at most.
        volume: Volume points to keep at most; a seeded choice of those stored.
        extra: What to add to the meta.

    Returns:
        `out`.

    Raises:
        ValueError: If `source` lacks an array.
    """
    wanted = {"surface_xyz", "surface_normal", "surface_area", "surface_wet", "cp", "cf"}
    wanted |= {"volume_xyz", "u", "vcp", "nut"}
    with np.load(source) as stored:
        if lacking := sorted((wanted | {"meta"}) - set(stored)):
            raise ValueError(f"{source} lacks {', '.join(lacking)}: not a collected case")
        case = {name: stored[name].astype(np.float64) for name in wanted | {"k"} & set(stored)}
        meta = json.loads(str(stored["meta"]))
    normals = case["surface_normal"]
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    polygons = Faces(
        centers=case["surface_xyz"],
        vectors=normals * case["surface_area"][:, None],
        wet=case["surface_wet"],
        cp=case["cp"],
        friction=-case["cf"] * case["surface_wet"][:, None],
    )
    fields = {"u": case["u"], "volume_cp": case["vcp"], "nut": case["nut"]}
    if "k" in case:
        fields["k"] = case["k"]
    _write(out, polygons, case["volume_xyz"], fields, {**meta, **(extra or {})}, faces, volume)
    return out


def pack_flow(
    flow: FlowSolution,
    out: Path,
    meta: Mapping[str, object],
    *,
    faces: int = 6000,
    volume: int = 2500,
) -> Path:
    """Write the small file of a solution; `meta` joins its record."""
    areas = flow.areas.astype(np.float64)
    polygons = Faces(
        centers=flow.centers.astype(np.float64),
        vectors=flow.normals * areas[:, None],
        wet=areas,
        cp=flow.cp.astype(np.float64),
        friction=flow.cf * areas[:, None],
    )
    names = ("u", "volume_cp", "nut", "k")
    fields = {name: getattr(flow, name).astype(np.float64) for name in names}
    points = flow.volume_points.astype(np.float64)
    _write(out, polygons, points, fields, {**asdict(flow.record), **meta}, faces, volume)
    return out


def unpack(path: Path) -> dict[str, NDArray[np.float32]]:
    """Read the arrays of a packed case.

    Returns:
        `surface_xyz` (n, 3), `surface_normal` (n, 3), `surface_area` (n,), `cp` (n,), `cf` (n, 3),
        `volume_xyz` (m, 3), `u` (m, 3), `volume_cp` (m,), `nut` (m,) and, if known, `k` (m,),
        all float32, lengths in m and areas in m², in the convention of this module.

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
            **{name: stored[name].T for name in FIELD_BITS if name in stored},
        }
    return {name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}


def read_meta(path: Path) -> dict[str, Any]:
    """What is known about a packed case: parameters, speed, frontal area, coefficients, cells."""
    with np.load(path) as stored:
        meta: dict[str, Any] = json.loads(stored["meta"].item())
    return meta


def force_per_pressure(arrays: dict[str, NDArray[np.float32]]) -> Floats:
    """The force on the body over the dynamic pressure, m², shape (3,): Σ (cf - cp n) A."""
    area = arrays["surface_area"].astype(np.float64)[:, None]
    pressure = arrays["cp"][:, None] * arrays["surface_normal"].astype(np.float64)
    force: Floats = ((arrays["cf"] - pressure) * area).sum(axis=0)
    return force


# -------------------------------------------------------------------------------------- writing
def _write(
    out: Path,
    polygons: Faces,
    points: Floats,
    fields: dict[str, Floats],
    meta: dict[str, object],
    faces: int,
    volume: int,
) -> None:
    kept = np.arange(len(points))
    if len(points) > volume:
        kept = np.sort(np.random.default_rng(0).permutation(len(points))[:volume])
    grid, box = to_grid(points[kept])
    stored = {
        **_rounded(merge_faces(polygons, merge_labels(polygons, faces)), polygons.force()),
        "volume_grid": grid,
        "volume_box": box,
        **{k: round_significand(v[kept], FIELD_BITS[k]) for k, v in fields.items()},
        "meta": np.array(json.dumps(meta).encode()),
    }
    # Component by component, vectors compress by a fifth more.
    components = {name: np.ascontiguousarray(array.T) for name, array in stored.items()}
    with atomic(out) as part, part.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **components)


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
