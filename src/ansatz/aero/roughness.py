"""How rough a solution is: the field at each cell against what its neighbours say of it.

A field at a cell is compared with the plane of least squares through the nearest cells that face
the same way,

    f̂_i = a,    min Σ_j |f_j - a - b · (x_j - x_i)|²

What is left is what the mesh, the merging of cells and unsettled iterations leave in the solution
from cell to cell. A model that is smooth along the surface cannot come closer than about that, even
if it knew the solution everywhere else.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ansatz.aero.truth import CarTruth
from ansatz.report import statistics

Floats = NDArray[np.float64]

NEIGHBORS = 12
TURNED = 0.1  # of the length: how far apart cells are that face away from one another
RIDGE = 1e-6  # keeps planes through cells in a line finite


def roughness(truth: CarTruth) -> Floats:
    """Energies of what neighbours do not say, and of the fields, for pressure and wall shear.

    Args:
        truth: A solution of more than twelve cells.

    Returns:
        Rows as `ansatz.report.statistics.relative_l2` takes them, shape (2, 2).
    """
    surface, q = truth.surface, truth.stream.dynamic_pressure
    places = surface.centers.double().numpy()
    places = (places - places.min(0)) / np.ptp(places[:, 0])
    fields = np.concatenate([truth.pressure.numpy()[:, None], truth.shear.numpy()], 1) / q
    said = from_neighbors(places, surface.normals.double().numpy(), fields.astype(np.float64))
    areas = surface.areas.numpy()
    return np.stack(
        [
            statistics.energies(fields[:, 0], said[:, 0], areas),
            statistics.energies(fields[:, 1:], said[:, 1:], areas),
        ]
    )


def from_neighbors(places: Floats, normals: Floats, fields: Floats) -> Floats:
    """Fields at cells as planes through their neighbours give them.

    Args:
        places: Of the cells, in lengths of the body, (n, 3).
        normals: Unit normals, (n, 3).
        fields: (n, k).
    """
    keys = np.concatenate([places, 0.5 * TURNED * normals], 1)
    # The first one is the cell itself.
    near = cKDTree(keys).query(keys, k=NEIGHBORS + 1)[1][:, 1:]
    offsets = places[near] - places[:, None]
    size = np.sqrt(np.square(offsets).sum(-1).mean(-1))[:, None, None]
    columns = np.concatenate([np.ones((*near.shape, 1)), offsets / size], -1)
    normal = columns.transpose(0, 2, 1) @ columns + RIDGE * np.eye(4)
    planes: Floats = np.linalg.solve(normal, columns.transpose(0, 2, 1) @ fields[near])
    return planes[:, 0]
