"""Equations for one field."""

from dataclasses import replace

import numpy as np
import sympy

from ansatz.core.recipe import Recipe
from ansatz.pde import exact as known
from ansatz.pde.conditions import Inside
from ansatz.pde.equations import allen_cahn as allen_cahn_equation
from ansatz.pde.equations import burgers as burgers_equation
from ansatz.pde.equations import helmholtz as helmholtz_equation
from ansatz.pde.networks import Network
from ansatz.pde.problem import Problem
from ansatz.pde.recipes import solved
from ansatz.pde.sampling import Sampling
from ansatz.pde.shapes import interval, rectangle
from ansatz.pde.solving import QUASI_NEWTON
from ansatz.pde.symbols import coordinates, fields
from ansatz.pde.truth import Truth, exactly, grid


def burgers() -> Recipe:
    """Burgers' equation with ν = 0.01/π: a sine that steepens to a shock; its ends hold exactly."""
    x, t = coordinates("x t")
    u, raw = fields("u raw", x, t)
    viscosity = 0.01 / sympy.pi
    problem = Problem(
        (u,),
        {"inside": Inside(interval(-1, 1), burgers_equation(u, viscosity), points=3000)},
        ranges={t: (0, 1)},
        definitions={u: -sympy.sin(sympy.pi * x) + t * (1 - x**2) * raw},
    )

    def truths() -> list[Truth]:
        place = grid({x: (-1.0, 1.0, 201), t: (0.0, 1.0, 51)})
        values = {"u": known.burgers(place["x"], place["t"])}
        source = "Cole-Hopf transformation, ansatz.pde.exact.burgers"
        return [Truth("exact", place, values, source, {"rel_l2": 1e-3}, (201, 51))]

    return solved(
        "pde/burgers",
        "Burgers' equation: a shock forms",
        problem,
        truths,
        sampling=Sampling(pool=4),
        shipped="ansatz.pde/embedded/burgers",
    )


def allen_cahn() -> Recipe:
    """The Allen-Cahn equation u_t = 10⁻⁴ u_xx + 5 (u - u³) from x² cos πx, periodic."""
    x, t = coordinates("x t")
    u, raw = fields("u raw", x, t)
    equation = allen_cahn_equation(u, sympy.Rational(1, 10000), 5)
    problem = Problem(
        (u,),
        {"inside": Inside(interval(-1, 1), equation, points=3000)},
        ranges={t: (0, 1)},
        definitions={u: x**2 * sympy.cos(sympy.pi * x) + t * raw},
        periodic=(x,),
    )

    def truths() -> list[Truth]:
        place = grid({x: (-1.0, 1.0, 201), t: (0.0, 1.0, 51)})
        times = np.unique(place["t"])
        values = np.stack([known.allen_cahn(np.linspace(-1, 1, 201), t) for t in times], 1)
        source = "Fourier series and ETDRK4, ansatz.pde.exact.allen_cahn"
        bounds = {"rel_l2": 1e-3}
        return [Truth("exact", place, {"u": values.ravel()}, source, bounds, (201, 51))]

    return solved(
        "pde/allen-cahn",
        "Allen-Cahn equation: phases separate",
        problem,
        truths,
        network=Network(width=30, depth=3),
        train=replace(QUASI_NEWTON, steps=4000),
        shipped="ansatz.pde/embedded/allen-cahn",
    )


def helmholtz() -> Recipe:
    """The Helmholtz equation with a manufactured solution, sin πx sin 4πy, k = 1."""
    x, y = coordinates("x y")
    u, raw = fields("u raw", x, y)
    solution, force = known.helmholtz((x, y), (1, 4), 1)
    problem = Problem(
        (u,),
        {"inside": Inside(rectangle((0, 0), (1, 1)), helmholtz_equation(u, 1, -force), 2000)},
        definitions={u: 16 * x * (1 - x) * y * (1 - y) * raw},
    )

    def truths() -> list[Truth]:
        ends = {x: (0.0, 1.0, 101), y: (0.0, 1.0, 101)}
        return [exactly("exact", {u: solution}, ends, "manufactured", {"rel_l2": 1e-4})]

    return solved(
        "pde/helmholtz",
        "Helmholtz equation, several waves",
        problem,
        truths,
        shipped="ansatz.pde/embedded/helmholtz",
    )
