"""Conduction of heat: a body whose shape is a parameter, and a material that is not known."""

import numpy as np
import sympy

from ansatz.core.recipe import Recipe
from ansatz.pde import exact as known
from ansatz.pde.conditions import Inside, Measured
from ansatz.pde.equations import heat, poisson
from ansatz.pde.problem import Problem
from ansatz.pde.quantities import found
from ansatz.pde.recipes import solved
from ansatz.pde.shapes import interval, rectangle
from ansatz.pde.symbols import coordinates, fields
from ansatz.pde.truth import Truth, exactly, grid

HEIGHTS = (0.6, 1.0, 1.8)  # of fins that are checked
PROBES, NOISE = 300, 0.01
DIFFUSIVITY = 0.3


def heated_fin() -> Recipe:
    """Fins of all heights from 0.5 to 2 in one solution: they make heat, their surface is cold."""
    x, y = coordinates("x y")
    (T, raw) = fields("T raw", x, y)
    height = sympy.Symbol("height")
    fin = rectangle((0, 0), (1, height))
    problem = Problem(
        (T,),
        {"inside": Inside(fin, poisson(T, -1), points=2000)},
        ranges={height: (0.5, 2)},
        definitions={T: x * (1 - x) * y * (height - y) / height * raw},
    )

    def truths() -> list[Truth]:
        return [_fin(value) for value in HEIGHTS]

    return solved(
        "pde/heated-fin",
        "heated fins of any height in one solution",
        problem,
        truths,
        shipped="ansatz.pde/embedded/heated-fin",
    )


def _fin(height: float) -> Truth:
    x, y, h = sympy.symbols("x y height")
    place = grid({x: (0.0, 1.0, 41), y: (0.0, height, 41), h: height})
    values = known.heated_fin(place["x"], place["y"], (1, height), 1, 1)
    source = "Fourier series, ansatz.pde.exact.heated_fin"
    return Truth(f"height-{height:g}", place, {"T": values}, source, {"rel_l2": 1e-3}, (41, 41))


def unknown_diffusivity() -> Recipe:
    """A diffusivity from 300 noisy measurements of a cooling rod, whose ends are cold."""
    x, t = coordinates("x t")
    T, raw = fields("T raw", x, t)
    kappa = sympy.Symbol("diffusivity")
    solution = known.heat((x,), t, (1,), DIFFUSIVITY)
    rng = np.random.default_rng(0)
    place = {x: rng.random(PROBES), t: rng.random(PROBES)}
    clean = sympy.lambdify((x, t), solution, "numpy")(place[x], place[t])
    measured = clean + NOISE * rng.standard_normal(PROBES)
    problem = Problem(
        (T,),
        {
            # The equation is certain, and measurements are not.
            "inside": Inside(interval(0, 1), heat(T, kappa), points=1000, weight=100),
            "probes": Measured(place, {T: measured}, points=PROBES),
        },
        ranges={t: (0, 1)},
        definitions={T: 4 * x * (1 - x) * raw},
        coefficients={kappa: 1.0},
    )

    def truths() -> list[Truth]:
        ends = {x: (0.0, 1.0, 51), t: (0.0, 1.0, 51)}
        bounds = {"rel_l2": 1e-2, "diffusivity": 1e-2}
        numbers = {"diffusivity": DIFFUSIVITY}
        return [exactly("exact", {T: solution}, ends, "a cooling rod", bounds, numbers)]

    return solved(
        "pde/unknown-diffusivity",
        "a diffusivity from noisy measurements",
        problem,
        truths,
        quantities={"diffusivity": found("diffusivity")},
        shipped="ansatz.pde/embedded/unknown-diffusivity",
    )
