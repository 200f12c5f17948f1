"""Flows with exact solutions."""

import math

import sympy

from ansatz.core.recipe import Recipe
from ansatz.pde import exact as known
from ansatz.pde.conditions import Inside, On
from ansatz.pde.equations import navier_stokes
from ansatz.pde.problem import Problem
from ansatz.pde.recipes import solved
from ansatz.pde.shapes import box, rectangle
from ansatz.pde.symbols import coordinates, fields
from ansatz.pde.truth import Truth, exactly

HALF = sympy.Rational(1, 2)


def kovasznay() -> Recipe:
    """Laminar flow behind a grid (Kovasznay 1948), Re = 40: an exact solution of Navier-Stokes."""
    x, y = coordinates("x y")
    u, v, p = fields("u v p", x, y)
    velocity = known.kovasznay(x - HALF, y - HALF, 40)
    box = rectangle((0, 0), (1, 1))
    problem = Problem(
        (u, v, p),
        {
            "flow": Inside(box, navier_stokes((u, v), p, viscosity=1 / 40), points=1600),
            "boundary": On(box, {u: velocity[0], v: velocity[1]}, points=400, weight=10),
        },
    )

    def truths() -> list[Truth]:
        solution = dict(zip((u, v), velocity, strict=False))
        ends = {x: (0.0, 1.0, 101), y: (0.0, 1.0, 101)}
        source = "Kovasznay, Proc. Camb. Phil. Soc. 44, 1948"
        return [exactly("exact", solution, ends, source, {"rel_l2": 1e-4})]

    return solved(
        "pde/kovasznay",
        "flow behind a grid, Re 40",
        problem,
        truths,
        shipped="ansatz.pde/embedded/kovasznay",
    )


def taylor_green() -> Recipe:
    """Vortices that decay (Taylor and Green 1937), a period in each direction, ν = 1/20, t <= 2."""
    x, y, t = coordinates("x y t")
    u, v, p, a, b = fields("u v p a b", x, y, t)
    viscosity = sympy.Rational(1, 20)
    start = known.taylor_green(x, y, t, viscosity)
    period = rectangle((0, 0), (2 * math.pi, 2 * math.pi))
    problem = Problem(
        (u, v, p),
        {
            "flow": Inside(period, navier_stokes((u, v), p, viscosity), points=2500),
            "level": Inside(period, {"mean pressure": p - start[2]}, points=20, at={x: 0, y: 0}),
        },
        ranges={t: (0, 2)},
        # The velocity at t = 0 holds exactly.
        definitions={u: start[0].subs(t, 0) + t * a, v: start[1].subs(t, 0) + t * b},
        periodic=(x, y),
    )

    def truths() -> list[Truth]:
        line = (0.0, 2 * math.pi, 61)
        source = "Taylor and Green, Proc. R. Soc. A 158, 1937"
        solution = dict(zip((u, v), start, strict=False))
        return [exactly("t2", solution, {x: line, y: line, t: 2.0}, source, {"rel_l2": 1e-3})]

    return solved(
        "pde/taylor-green",
        "decaying vortices, unsteady, periodic",
        problem,
        truths,
        shipped="ansatz.pde/embedded/taylor-green",
    )


def beltrami() -> Recipe:
    """An unsteady flow in three dimensions (Ethier and Steinman 1994), all walls given, t <= 1."""
    x, y, z, t = coordinates("x y z t")
    u, v, w, p = fields("u v w p", x, y, z, t)
    quarter = sympy.pi / 4
    solution = known.beltrami(x, y, z, t, 1, quarter, 2 * quarter)
    velocity = dict(zip((u, v, w), solution, strict=False))
    cube = box((-1, -1, -1), (1, 1, 1))
    problem = Problem(
        (u, v, w, p),
        {
            "flow": Inside(cube, navier_stokes((u, v, w), p, 1), points=3000),
            "walls": On(cube, velocity, points=900, weight=20),
            "start": Inside(cube, velocity, points=600, weight=20, at={t: 0}),
        },
        ranges={t: (0, 1)},
    )

    def truths() -> list[Truth]:
        source = "Ethier and Steinman, Int. J. Numer. Meth. Fluids 19, 1994"
        line = (-1.0, 1.0, 21)
        half = exactly("t0.5", velocity, {x: line, y: line, z: 0.3, t: 0.5}, source, {})
        bounds = {"rel_l2": 1e-2}
        return [half, exactly("t1", velocity, {x: line, y: line, z: 0.3, t: 1.0}, source, bounds)]

    return solved(
        "pde/beltrami",
        "unsteady flow in three dimensions",
        problem,
        truths,
        shipped="ansatz.pde/embedded/beltrami",
    )
