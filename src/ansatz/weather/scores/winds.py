"""What two components of the wind say together: speed, divergence and vorticity.

    δ = ∂u/∂x + ∂v/∂y,   ζ = ∂v/∂x - ∂u/∂y

with x to the right along a row and y up the rows, from the south. Differences are central, so that
both stand at the same cells; the outermost cells are left out.
"""

from collections.abc import Sequence

import numpy as np

from ansatz.report.statistics import Floats


def wind_pairs(names: Sequence[str]) -> list[tuple[int, int]]:
    """Where both components of a wind stand, as `10u` and `10v`, or `u10` and `v10`."""
    partners = [(name, name.replace("u", "v", 1)) for name in names if "u" in name]
    return [(names.index(u), names.index(v)) for u, v in partners if v in names]


def speed(u: Floats, v: Floats) -> Floats:
    """Length of the wind, in its unit."""
    return np.hypot(u, v)


def divergence(u: Floats, v: Floats, spacing: float) -> Floats:
    """Divergence of the wind at the inner cells.

    Args:
        u, v: Components along rows and along columns, shape (..., H, W), row 0 the southernmost.
        spacing: Between cells, m for winds in m/s.

    Returns:
        Shape (..., H - 2, W - 2), 1/s.
    """
    return along_x(u, spacing) + along_y(v, spacing)


def vorticity(u: Floats, v: Floats, spacing: float) -> Floats:
    """Vorticity of the wind, counterclockwise positive, at the inner cells; as `divergence`."""
    return along_x(v, spacing) - along_y(u, spacing)


def along_x(field: Floats, spacing: float) -> Floats:
    """The derivative along rows at the inner cells."""
    return (field[..., 1:-1, 2:] - field[..., 1:-1, :-2]) / (2 * spacing)


def along_y(field: Floats, spacing: float) -> Floats:
    """The derivative up the rows at the inner cells."""
    return (field[..., 2:, 1:-1] - field[..., :-2, 1:-1]) / (2 * spacing)
