"""Answers as files for ParaView.

Points of a grid become a structured grid. Time and parameters are no coordinates of space: where
one of them varies there is a file for each of its values, and a `.pvd` file that shows them one
after the other. Other points are vertices. Where there are two velocities or three, they are one
vector, `velocity`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ansatz.mesh.vtkwrite import write_grid, write_points, write_series
from ansatz.pde.painting import VELOCITY, varying

Array = NDArray[np.float64]


def write_vtk(
    stem: Path,
    place: Mapping[str, Array],
    space: Sequence[str],
    grid: tuple[int, ...],
    values: Mapping[str, Array],
    hidden: NDArray[np.bool_],
) -> list[Path]:
    """Write fields at points.

    Args:
        stem: Of the files, without an ending.
        place: The inputs at all points.
        space: The inputs that are coordinates of space.
        grid: Shape of the grid that the points are, in the order of the inputs that vary.
        values: Fields at all points.
        hidden: Points of a grid that are outside of the body.

    Returns:
        The files: `.vts`, `.pvd` before its `.vts`, or `.vtp`.
    """
    points = np.stack([place[n] for n in space] + [0 * hidden] * (3 - len(space)), 1)
    others = {name: inputs for name, inputs in place.items() if name not in space}
    data = point_data({**others, **values})
    names = varying(place) if grid else []
    inner = [name for name in names if name in space]
    outer = [name for name in names if name not in space]
    if not inner or len(outer) > 1:
        file = stem.with_name(f"{stem.name}.vtp")
        write_points(file, points, data)
        return [file]
    numbers = np.arange(len(points)).reshape(grid)
    parts = [numbers] if not outer else np.moveaxis(numbers, names.index(outer[0]), 0)
    digits = len(str(len(parts) - 1))
    written = {}
    for index, part in enumerate(parts):
        tail = f"-{index:0{digits}}" if outer else ""
        file = stem.with_name(f"{stem.name}{tail}.vts")
        rows = part.ravel()
        cut = {name: array[rows] for name, array in data.items()}
        write_grid(file, points[rows], part.shape, cut, hidden[rows])
        written[float(others[outer[0]][rows[0]]) if outer else 0.0] = file
    if not outer:
        return list(written.values())
    series = stem.with_name(f"{stem.name}.pvd")
    write_series(series, {value: file.name for value, file in written.items()})
    return [series, *written.values()]


def point_data(values: Mapping[str, Array]) -> dict[str, Array]:
    """Fields as VTK has them: velocities are one vector, unless something else has its name."""
    parts = [values.get(name) for name in VELOCITY.values()]
    given = [part for part in parts if part is not None]
    if len(given) < 2 or "velocity" in values:
        return dict(values)
    zero = np.zeros_like(given[0])
    vector = np.stack([zero if part is None else part for part in parts], 1)
    others = {name: v for name, v in values.items() if name not in VELOCITY.values()}
    return {"velocity": vector, **others}
