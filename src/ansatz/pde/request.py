"""What one asks of a solution: fields at points.

Points are those of a grid (`101` or `201x51` of the coordinates that are not given a value), or
of a file: a table `.csv` whose columns are named as the coordinates, an `.npz` of such arrays, or
a mesh of VTK, `.vtu` or `.vtp`, whose x, y, z are the coordinates of space in their order (what
the problem has no coordinate for is left out), and whose other inputs are fields at its points or
have one value. In Python and over HTTP they may be an array.
"""

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Le
from numpy.typing import NDArray

from ansatz.mesh.vtkpoints import KINDS, read_points
from ansatz.pde.problem import Problem
from ansatz.pde.truth import grid

Array = NDArray[np.float64]
GRID = re.compile(r"\d{1,9}(x\d{1,9})*")
LARGEST = 20_000_000  # points of an answer


@dataclass(frozen=True)
class FieldRequest:
    """A question about a solution.

    Attributes:
        points: Numbers of points of a grid, as `101` or `201x51`; a `.csv` or `.npz` file with a
            column for each coordinate; a mesh, `.vtu` or `.vtp`, which is written with the fields;
            or an array: of shape (n, inputs), in the order of the problem's inputs, or
            (1 or inputs,) for the numbers of a grid.
        grid: Shape of the grid that the points of an array are, if they are one.
        picture: Whether files of the answer include a picture of a grid.
        contours: Lines of equal values in the picture.
        vtk: Whether files of the answer include those for ParaView.
    """

    points: Path | str | np.ndarray
    grid: tuple[int, ...] = ()
    picture: bool = True
    contours: Annotated[int, Ge(0), Le(100)] = 0
    vtk: bool = False

    @property
    def mesh(self) -> Path | None:
        """The mesh whose points are asked about, if there is one."""
        if isinstance(self.points, Path) and self.points.suffix.lower() in KINDS:
            return self.points
        return None


def request_type(problem: Problem) -> type[Any]:
    """The type of a question about a problem's solution: it may fix coordinates and parameters.

    A coordinate that has a value is left out of the grid; a parameter has its middle value.
    """
    low, high = problem.bounds
    options = []
    for name, a, b in zip(problem.inputs, low, high, strict=True):
        hint = Annotated[float, Ge(a), Le(b)]
        is_coordinate = name in {c.name for c in problem.coordinates}
        default = None if is_coordinate else 0.5 * (a + b)
        options.append((name, hint | None if is_coordinate else hint, field(default=default)))
    return dataclasses.make_dataclass(
        "Question",
        options,
        bases=(FieldRequest,),
        frozen=True,
        namespace={"__module__": __name__},
    )


def places(problem: Problem, request: FieldRequest) -> tuple[dict[str, Array], tuple[int, ...]]:
    """The inputs at all points that are asked about, and the shape of their grid.

    Raises:
        ValueError: If the points are neither a grid nor a table of this problem's coordinates.
        FileNotFoundError: If a file is not there.
    """
    fixed = {
        name: float(value)
        for name in problem.inputs
        if (value := getattr(request, name, None)) is not None
    }
    points = request.points
    if request.mesh is not None:
        return _complete(problem, _mesh(problem, request.mesh), fixed), ()
    if isinstance(points, Path):
        return _complete(problem, _table(points), fixed), ()
    if isinstance(points, str):
        if not GRID.fullmatch(points):
            raise FileNotFoundError(
                f"{points} is neither a grid, as 101 or 201x51, nor a file of points: .csv, .npz, "
                ".vtu or .vtp"
            )
        return _grid(problem, [int(n) for n in points.split("x")], fixed)
    array = np.asarray(points, np.float64)
    if array.ndim < 2 and (array == array.astype(int)).all():
        return _grid(problem, [int(n) for n in np.atleast_1d(array)], fixed)
    if array.ndim != 2 or array.shape[1] != len(problem.inputs) or not np.isfinite(array).all():
        raise ValueError(
            f"points must be finite numbers of shape (n, {len(problem.inputs)}), columns "
            f"{', '.join(problem.inputs)}; got shape {array.shape}"
        )
    return dict(zip(problem.inputs, array.T, strict=True)), request.grid


def _grid(
    problem: Problem, counts: list[int], fixed: Mapping[str, float]
) -> tuple[dict[str, Array], tuple[int, ...]]:
    free = [name for name in problem.inputs if name not in fixed]
    text = "x".join(map(str, counts))
    counts = counts * len(free) if len(counts) == 1 else counts
    if len(counts) != len(free) or min(counts, default=2) < 2:
        raise ValueError(
            f"a grid of {text} points: the free coordinates are {', '.join(free) or 'none'}, and "
            f"each needs at least 2, as in {'x'.join(['101'] * max(len(free), 1))}"
        )
    if math.prod(counts) > LARGEST:
        raise ValueError(
            f"a grid of {text} has {math.prod(counts):,} points, and at most {LARGEST:,} are "
            "answered at a time: take fewer, or give a coordinate a value"
        )
    numbers = dict(zip(free, counts, strict=True))
    symbols = (*problem.coordinates, *problem.parameters)
    ends = {
        s: (low, high, numbers[s.name]) if s.name in numbers else fixed[s.name]
        for s, low, high in zip(symbols, *problem.bounds, strict=True)
    }
    return dict(grid(ends)), tuple(counts)


def _complete(
    problem: Problem, given: Mapping[str, Array], fixed: Mapping[str, float]
) -> dict[str, Array]:
    """All inputs at all points."""
    count = len(next(iter(given.values())))
    everything = {name: np.full(count, value) for name, value in fixed.items()}
    everything |= {name: np.asarray(values, np.float64) for name, values in given.items()}
    if missing := [name for name in problem.inputs if name not in everything]:
        raise ValueError(
            f"the points have {', '.join(given)} and lack {', '.join(missing)}: add columns, or "
            f"give one value for all, as {missing[0]}=0.5"
        )
    return {name: everything[name] for name in problem.inputs}


def _mesh(problem: Problem, path: Path) -> Mapping[str, Array]:
    """The points of a mesh, and fields there that are inputs."""
    points, data = read_points(path, problem.inputs)
    place = dict(zip((a.name for a in problem.axes), points.T, strict=False))
    return {name: np.asarray(values, np.float64) for name, values in data.items()} | place


def _table(path: Path) -> Mapping[str, Array]:
    """The columns of a file of points."""
    if path.suffix in (".vtk", ".vti", ".vtr", ".vts", ".vtm", ".stl"):
        raise ValueError(f"{path.name}: write it as .vtu or .vtp, whose points are read")
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            return {name: np.asarray(arrays[name], np.float64) for name in arrays}
    header, *rows = path.read_text().splitlines() or [""]
    names = [name.strip() for name in header.split(",")]
    try:
        table = np.loadtxt(rows, delimiter=",", ndmin=2) if rows else np.empty((0, 0))
    except ValueError as error:
        raise ValueError(f"{path.name}, below its header: {error}") from error
    if table.shape[1] != len(names) or not len(table):
        raise ValueError(
            f"{path.name} has {len(names)} names in its header and rows of {table.shape[1]} "
            "numbers: expected a table with a header and at least one row"
        )
    columns = dict(zip(names, table.T, strict=True))
    if bad := [name for name, values in columns.items() if not np.isfinite(values).all()]:
        raise ValueError(f"{path.name} has entries in column {bad[0]} that are no finite numbers")
    return columns
