"""What one asks of a solution: fields at points.

Points are those of a grid (`101` or `201x51` of the coordinates that are not given a value), or
of a file: a table `.csv` whose columns are named as the coordinates, an `.npz` of such arrays, or
a mesh of VTK, `.vtu` or `.vtp`, whose x, y, z are the coordinates of space in their order (what
the problem has no coordinate for is left out), and whose other inputs are fields at its points or
have one value. In Python and over HTTP they may be an array.
"""

import dataclasses
import keyword
import logging
import math
import re
import zipfile
import zlib
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
log = logging.getLogger("ansatz")
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
        grid: Shape of the grid that the points of an array are, if they are one, in the order of
            the inputs that vary.
        picture: Whether files of the answer include a picture of a grid.
        contours: Lines of equal values in the picture.
        vtk: Whether files of the answer include those for ParaView.
    """

    points: Path | str | np.ndarray
    grid: tuple[int, ...] = ()
    picture: bool = True
    contours: Annotated[int, Ge(0), Le(100)] = 0
    vtk: bool = False


def request_type(problem: Problem) -> type[Any]:
    """The type of a question about a problem's solution: it may fix coordinates and parameters.

    A coordinate that has a value is left out of the grid; a parameter has its middle value.

    Raises:
        ValueError: If the name of an input can be none of a field, or is that of another one.
    """
    for name in problem.inputs:
        if not name.isidentifier() or keyword.iskeyword(name) or name in dir(FieldRequest("")):
            raise ValueError(
                f"an input of the problem is called {name!r}, which commands cannot ask for: give "
                "the symbol another name, a word that is no option and no keyword of Python"
            )
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
        ValueError: If the points are neither a grid nor a table of this problem's coordinates, or
            a coordinate has values there and another one beside them.
        FileNotFoundError: If a file is not there.
    """
    fixed = {
        name: float(value)
        for name in problem.inputs
        if (value := getattr(request, name, None)) is not None
    }
    points = request.points
    if isinstance(points, Path):
        return _complete(problem, points.name, _read(problem, points), fixed), ()
    if isinstance(points, str):
        if not GRID.fullmatch(points):
            raise FileNotFoundError(
                f"{points} is neither a grid, as 101 or 201x51, nor a file of points: .csv, .npz, "
                ".vtu or .vtp"
            )
        return _grid(problem, [int(n) for n in points.split("x")], fixed)
    array = np.asarray(points)
    is_finite = array.dtype.kind in "biuf" and np.isfinite(array).all()
    if is_finite and array.ndim < 2 and (array == np.floor(array)).all():
        return _grid(problem, [int(n) for n in np.atleast_1d(array)], fixed)
    if not is_finite or array.ndim != 2 or array.shape[1] != len(problem.inputs):
        raise ValueError(
            f"points must be finite numbers of shape (n, {len(problem.inputs)}), columns "
            f"{', '.join(problem.inputs)}; got {array.dtype} of shape {array.shape}"
        )
    place = _complete(problem, "points", dict(zip(problem.inputs, array.T, strict=True)), fixed)
    spread = [len(np.unique(values)) for values in place.values()] if request.grid else []
    if tuple(n for n in spread if n > 1) != tuple(request.grid):
        raise ValueError(
            f"{len(array)} points are no grid of shape {request.grid}: {', '.join(problem.inputs)} "
            f"have {', '.join(map(str, spread))} different values. Leave the grid out"
        )
    return place, request.grid


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
    problem: Problem, source: str, given: Mapping[str, Array], fixed: Mapping[str, float]
) -> dict[str, Array]:
    """All inputs at all points: those that are given there, and those that have one value."""
    if missing := [name for name in problem.inputs if name not in {*given, *fixed}]:
        raise ValueError(
            f"the points have {', '.join(given)} and lack {', '.join(missing)}: add columns, or "
            f"give one value for all, as {missing[0]}=0.5"
        )
    for each in problem.coordinates:
        if each.name in given and each.name in fixed:
            raise ValueError(
                f"{source} has values of {each}, and {each}={fixed[each.name]:g} is another one: "
                f"leave out either"
            )
    known = {name: np.asarray(given.get(name, fixed.get(name))) for name in problem.inputs}
    shapes = {values.shape for values in known.values()} - {()}
    if len(shapes) != 1 or not all(len(shape) == 1 and shape[0] for shape in shapes):
        raise ValueError(
            f"{source}: the inputs must be columns of one length, got shapes "
            f"{', '.join(f'{name} {values.shape}' for name, values in known.items())}"
        )
    if odd := [
        n for n, a in known.items() if a.dtype.kind not in "biuf" or not np.isfinite(a).all()
    ]:
        raise ValueError(f"{source} has entries in column {odd[0]} that are no finite numbers")
    full = np.broadcast_arrays(*(values.astype(np.float64) for values in known.values()))
    return {name: np.array(values) for name, values in zip(known, full, strict=True)}


def _read(problem: Problem, path: Path) -> Mapping[str, Array]:
    """The columns of a file of points: at least those that are inputs."""
    kind = path.suffix.lower()
    if kind in KINDS:
        return _mesh(problem, path)
    if kind == ".npz":
        return _archive(path)
    if kind in (".vtk", ".vti", ".vtr", ".vts", ".vtm", ".stl"):
        raise ValueError(f"{path.name}: write it as .vtu or .vtp, whose points are read")
    return _table(path)


def _mesh(problem: Problem, path: Path) -> Mapping[str, Array]:
    """The points of a mesh, and fields there that are inputs."""
    points, data = read_points(path, problem.inputs)
    for name, values in list(zip("xyz", points.T, strict=True))[len(problem.axes) :]:
        if np.ptp(values):
            log.warning(
                "%s: %s reaches from %g to %g and is no coordinate of this problem: it is left out",
                path.name, name, values.min(), values.max(),
            )  # fmt: skip
    return data | dict(zip((a.name for a in problem.axes), points.T, strict=False))


def _archive(path: Path) -> Mapping[str, Array]:
    """The arrays of an npz file."""
    try:
        with path.open("rb") as file, np.lib.npyio.NpzFile(file) as arrays:
            return dict(arrays)
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError) as error:
        raise ValueError(f"{path.name} is no .npz archive of numbers: {error}") from error


def _table(path: Path) -> Mapping[str, Array]:
    """The columns of a text."""
    try:
        header, *rows = path.read_text("utf-8-sig").splitlines() or [""]
        table = np.loadtxt(rows, delimiter=",", ndmin=2) if rows else np.empty((0, 0))
    except ValueError as error:
        raise ValueError(f"{path.name}, below its header: {error}") from error
    names = [name.strip() for name in header.split(",")]
    if table.shape[1] != len(names) or not len(table):
        raise ValueError(
            f"{path.name} has {len(names)} names in its header and rows of {table.shape[1]} "
            "numbers: expected a table with a header and at least one row"
        )
    if len(set(names)) < len(names):
        raise ValueError(f"{path.name} names a column twice: {', '.join(names)}")
    return dict(zip(names, table.T, strict=True))
