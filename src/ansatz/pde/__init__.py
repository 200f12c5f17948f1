"""Physics-informed solvers: equations in symbols, geometries, conditions, networks, checks.

from ansatz import pde

x, y = pde.coordinates("x y")
u, v, p = pde.fields("u v p", x, y)
box = pde.rectangle((0, 0), (1, 1))
cavity = pde.Problem(
    (u, v, p),
    {
        "flow": pde.Inside(box, pde.navier_stokes((u, v), p, viscosity=0.01), points=1600),
        "lid": pde.On(box, {u: 1, v: 0}, where=pde.equal(y, 1), points=100, weight=10),
        "walls": pde.On(box, {u: 0, v: 0}, where=y < 1, points=300, weight=10),
    },
)
solution = pde.solve(cavity, seconds=120)
"""

from ansatz.pde.conditions import DISTANCE, NORMAL, Inside, Integral, Measured, On
from ansatz.pde.equations import (
    advection_diffusion,
    allen_cahn,
    burgers,
    curl,
    heat,
    helmholtz,
    linear_elasticity,
    navier_stokes,
    poisson,
    stokes,
    stress,
    wave,
)
from ansatz.pde.networks import Network
from ansatz.pde.objective import MeanSquares
from ansatz.pde.problem import Problem
from ansatz.pde.quantities import average, difference, found, integral
from ansatz.pde.rfunctions import both, either
from ansatz.pde.sampling import Sampling
from ansatz.pde.shapes import (
    box,
    channel,
    channel_2d,
    circle,
    cone,
    cylinder,
    ellipse,
    extruded,
    interval,
    line,
    plane,
    polygon,
    rectangle,
    sphere,
    stl,
    torus,
)
from ansatz.pde.solving import FIRST_ORDER, QUASI_NEWTON, Solution, restore, solve
from ansatz.pde.symbols import coordinates, divergence, equal, fields, gradient, laplacian
from ansatz.pde.truth import Truth, exactly
from ansatz.pde.units import Scales
from ansatz.pde.windows import Windows, solve_in_windows

__all__ = [
    "DISTANCE",
    "FIRST_ORDER",
    "NORMAL",
    "QUASI_NEWTON",
    "Inside",
    "Integral",
    "MeanSquares",
    "Measured",
    "Network",
    "On",
    "Problem",
    "Sampling",
    "Scales",
    "Solution",
    "Truth",
    "Windows",
    "advection_diffusion",
    "allen_cahn",
    "average",
    "both",
    "box",
    "burgers",
    "channel",
    "channel_2d",
    "circle",
    "cone",
    "coordinates",
    "curl",
    "cylinder",
    "difference",
    "divergence",
    "either",
    "ellipse",
    "equal",
    "exactly",
    "extruded",
    "fields",
    "found",
    "gradient",
    "heat",
    "helmholtz",
    "integral",
    "interval",
    "laplacian",
    "line",
    "linear_elasticity",
    "navier_stokes",
    "plane",
    "poisson",
    "polygon",
    "rectangle",
    "restore",
    "solve",
    "solve_in_windows",
    "sphere",
    "stl",
    "stokes",
    "stress",
    "torus",
    "wave",
]
