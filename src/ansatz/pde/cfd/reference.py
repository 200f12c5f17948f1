"""OpenFOAM as a reference of recipes: `ansatz check pde/cavity 101 with=openfoam`.

The network is asked at the centers of the solver's cells, so that nothing is interpolated. Cases
are kept in `runs/openfoam/HASH` of the working directory: a check that was stopped goes on, and a
repeated one costs nothing.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ansatz.pde.cfd.blocks import faces, middles
from ansatz.pde.cfd.laminar import LaminarCase, LaminarFlow, case_digest, solve
from ansatz.pde.request import GRID, FieldRequest
from ansatz.pde.truth import Truth

Array = NDArray[np.float64]
Trust = Callable[[Array], NDArray[np.bool_]]
Reference = Callable[[FieldRequest], tuple[FieldRequest, Truth]]
FOLDER = Path("runs/openfoam")


def everywhere(centers: Array) -> NDArray[np.bool_]:
    """Trust a solver in all cells."""
    return np.ones(len(centers), bool)


def unmeasured(flow: LaminarFlow) -> dict[str, float]:
    """No derived numbers."""
    return {}


def reference(
    case: Callable[[FieldRequest], LaminarCase],
    trust: Trust = everywhere,
    numbers: Callable[[LaminarFlow], dict[str, float]] = unmeasured,
) -> Reference:
    """A reference from the case that a request stands for.

    Args:
        case: From the request to the case.
        trust: Which cells, by their centers (cells, 3), the solver is right in. Elsewhere its
            values are not known.
        numbers: Derived numbers of its flow.

    Returns:
        A function from a request to the request at the centers of all cells, and the solution
        there. Its errors are those of `laminar.solve`.
    """

    def openfoam(request: FieldRequest) -> tuple[FieldRequest, Truth]:
        asked = case(request)
        flow = solve(asked, FOLDER / case_digest(asked)[:12])
        truth = replace(flow_truth(asked, flow, trust), numbers=numbers(flow))
        points = np.stack(list(truth.place.values()), 1)
        return replace(request, points=points, grid=truth.grid), truth

    return openfoam


def flow_truth(case: LaminarCase, flow: LaminarFlow, trust: Trust = everywhere) -> Truth:
    """A flow as known values of u, v, w and p, in the order of a grid.

    Args:
        case: That was solved. Where it has one cell between `empty` patches, the coordinate and
            the velocity along it are left out.
        flow: Its solution.
        trust: Which cells count as known.
    """
    block = case.block
    flat = {
        side[0] for patch in block.patches.values() if patch.kind == "empty" for side in patch.sides
    }
    axes = [i for i, name in enumerate("xyz") if name not in flat]
    # Coordinates of the mesh, because those that OpenFOAM sums differ in their last digits within
    # one row of cells.
    along = [np.searchsorted(faces(a), flow.centers[:, i]) - 1 for i, a in enumerate(block.axes)]
    order = np.lexsort(along[::-1])
    known = np.where(trust(flow.centers), 1.0, np.nan)
    cells = tuple(block.counts[i] for i in axes)
    return Truth(
        name="openfoam",
        place={"xyz"[i]: middles(block.axes[i])[along[i][order]] for i in axes},
        fields={
            **{"uvw"[i]: (known * flow.velocity[:, i])[order] for i in axes},
            "p": (known * flow.pressure)[order],
        },
        source=f"{flow.solver}, {len(flow.pressure)} cells",
        grid=() if block.boxes else cells,
        free=("p",) if case.is_closed else (),
    )


def cells_asked(request: FieldRequest, otherwise: int) -> tuple[int, int]:
    """As many cells along x and y as a request has points; a square if it names one number.

    Args:
        request: A grid, as `101` or `201x51` or an array of these numbers; or points.
        otherwise: Cells along either axis where the points are no grid.

    Raises:
        ValueError: If the grid has more than two dimensions.
    """
    points = request.points
    if isinstance(points, str) and GRID.fullmatch(points):
        counts = [int(n) for n in points.split("x")]
    elif isinstance(points, np.ndarray) and points.ndim < 2:
        counts = [int(n) for n in np.atleast_1d(points)]
    else:
        return otherwise, otherwise
    if len(counts) > 2:
        raise ValueError(f"a flow in two dimensions has a grid as 101 or 201x51, got {counts}")
    return counts[0], counts[-1]
