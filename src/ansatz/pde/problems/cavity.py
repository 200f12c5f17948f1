"""The lid-driven cavity."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import sympy
from numpy.typing import NDArray

from ansatz.core.recipe import Recipe
from ansatz.pde import exact as known
from ansatz.pde.cfd.cavity import cavity_reference
from ansatz.pde.conditions import Inside, On
from ansatz.pde.equations import navier_stokes
from ansatz.pde.networks import Network
from ansatz.pde.problem import Problem
from ansatz.pde.recipes import solved
from ansatz.pde.sampling import Sampling
from ansatz.pde.shapes import rectangle
from ansatz.pde.solving import QUASI_NEWTON
from ansatz.pde.symbols import Expression, coordinates, fields
from ansatz.pde.truth import Truth, grid

Array = NDArray[np.float64]
SQUARE = rectangle((0, 0), (1, 1))
CORNER = 0.02


def cavity() -> Recipe:
    """The lid-driven cavity at Re = 100."""
    return lid_driven("pde/cavity", 100, Network(width=24, depth=3), 1600)


def cavity_400() -> Recipe:
    """The lid-driven cavity at Re = 400."""
    return lid_driven("pde/cavity-400", 400, Network(width=40, depth=3), 2500)


def cavity_1000() -> Recipe:
    """The lid-driven cavity at Re = 1000."""
    return lid_driven("pde/cavity-1000", 1000, Network(width=44, depth=3), 3500)


def lid_driven(name: str, reynolds: float, network: Network, points: int) -> Recipe:
    """The lid-driven cavity, against Ghia, Ghia and Shin (1982) and a spectral solution.

    In the upper corners the velocity jumps, as no network can: the network adds what is smooth to
    the Stokes flow of both corners. Closer to them than `CORNER` the momentum counts less.
    """
    x, y = coordinates("x y")
    u, v, p, a, b, q = fields("u v p a b q", x, y)
    corners = fields("corner_u corner_v corner_p", x, y)
    flow = navier_stokes((u, v), p, viscosity=1 / reynolds)
    problem = Problem(
        (u, v, p),
        {
            **collocated(flow, x, y, points),
            "lid": On(
                SQUARE, {u: 1, v: 0}, where=sympy.Eq(y, 1), points=round(0.06 * points), weight=10
            ),
            "walls": On(SQUARE, {u: 0, v: 0}, where=y < 1, points=round(0.18 * points), weight=10),
        },
        definitions={
            **dict(zip(corners, known.singular_flow(x, y, 1 / reynolds), strict=True)),
            **{f: c + smooth for f, c, smooth in zip((u, v, p), corners, (a, b, q), strict=True)},
        },
    )

    def truths() -> list[Truth]:
        return cavity_truths(reynolds)

    return solved(
        name,
        f"lid-driven cavity, Re {reynolds:g}",
        problem,
        truths,
        network=network,
        train=replace(QUASI_NEWTON, steps=4000),
        sampling=Sampling(renew=1000),
        shipped=f"ansatz.pde/embedded/{name.partition('/')[2]}",
        references={"openfoam": cavity_reference(reynolds)},
    )


def collocated(
    flow: Mapping[str, Expression], x: sympy.Symbol, y: sympy.Symbol, points: int
) -> dict[str, Inside]:
    """Points everywhere, more of them around the upper corners, and there more again."""
    away = [sympy.tanh(((x - end) ** 2 + (1 - y) ** 2) / CORNER**2) for end in (0, 1)]
    weight = away[0] * away[1]
    found = {"flow": Inside(SQUARE, flow, points=points, weight=weight)}
    for name, side, share, area in (("near", 0.1, 0.12, 0.1), ("nearer", 0.03, 0.06, 0.01)):
        where = (y > 1 - side) & ((x < side) | (x > 1 - side))
        number = round(share * points)
        found[name] = Inside(SQUARE, flow, points=number, where=where, weight=area * weight)
    return found


def cavity_truths(reynolds: float) -> list[Truth]:
    """Ghia's center lines without misprints, and the spectral solution on a grid."""
    half = np.full(len(known.GHIA_Y), 0.5)
    upright = {"x": half, "y": np.asarray(known.GHIA_Y)}
    across = {"x": np.asarray(known.GHIA_X), "y": half}
    ends = {sympy.Symbol(name): (0.0, 1.0, 101) for name in "xy"}
    place = grid(ends)
    u, v = known.cavity(reynolds, n=96).velocity(place["x"], place["y"])
    spectral = Truth(
        "spectral", place, {"u": u, "v": v}, "ansatz.pde.exact.cavity, n = 96", {}, (101, 101)
    )
    return [
        _center_line("center-line-x", upright, "u", "y", reynolds),
        _center_line("center-line-y", across, "v", "x", reynolds),
        spectral,
    ]


def _center_line(
    name: str, place: Mapping[str, Array], component: str, along: str, reynolds: float
) -> Truth:
    tables = {"u": known.GHIA_U, "v": known.GHIA_V}
    misprint = known.MISPRINTS.get((component, int(reynolds)))
    values = np.where(place[along] == misprint, np.nan, tables[component][int(reynolds)])
    source = "Ghia, Ghia and Shin, J. Comput. Phys. 48, 1982"
    return Truth(name, place, {component: values}, source, {"max_error": 0.01})
