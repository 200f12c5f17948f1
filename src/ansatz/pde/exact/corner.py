"""Flow in the corner between a moving lid and a wall at rest: what no polynomial can follow.

In the upper left corner of a cavity, with ξ along the lid and η down the wall, polar r and θ
(θ = 0 on the lid), and a lid that moves with g(ξ) = g₀ + g₁ ξ + ..., the stream function is

    S = g₀ r f₁(θ) + g₁ r² f₂(θ) + g₀² Re r² f₃(θ) + ...

The first two are Stokes flows: ∇⁴S = 0, S = 0 on both sides, S_η = -g on the lid (Taylor's scraper:
Batchelor, An Introduction to Fluid Dynamics, §4.8). The third is the first effect of inertia
(Gupta, Manohar & Noble, J. Fluid Mech. 1981): with g = f₁ + f₁″,

    f₃″″ + 4 f₃″ = (f₁ g)′,    f₃ = f₃′ = 0 on both sides.

The velocity of the first term jumps in the corner and its vorticity grows as 1/r. A spectral method
keeps its accuracy once these terms are subtracted (Botella & Peyret, Computers & Fluids 27 (1998)),
and so does a network: `singular_flow` has the first of them as expressions.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import sympy
from numpy.typing import NDArray

Array = NDArray[np.float64]
THETA = sympy.Symbol("theta", real=True)


class Stream(NamedTuple):
    """A stream function with what the Navier-Stokes equations need of it."""

    psi: Array
    dx: Array
    dy: Array
    laplacian: Array
    bilaplacian: Array

    def plus(self, other: "Stream") -> "Stream":
        """The sum of two."""
        return Stream(*(a + b for a, b in zip(self, other, strict=True)))


@dataclass(frozen=True)
class Lid:
    """The speed of a lid, the same mirrored in x = 1/2.

    Attributes:
        profile: The speed g(x) along the lid.
        speed: g at its ends.
        slope: dg/dξ there, away from the corner.
    """

    profile: Callable[[Array], Array]
    speed: float
    slope: float


def singular_stream(x: Array, y: Array, lid: Lid, reynolds: float) -> Stream:
    """The corner terms of both upper corners of the unit square, for a lid that is symmetric.

    Mirrored in x = 1/2 the Stokes terms are the same and the term of inertia changes its sign.

    Args:
        x: Abscissae. A point in an upper corner counts as one on the lid, 1e-12 away.
        y: Ordinates.
        lid: How the lid moves.
        reynolds: Speed of the lid times side over viscosity.
    """
    amplitudes = (lid.speed, lid.slope, reynolds * lid.speed**2)
    total = Stream(*(np.zeros(np.broadcast(x, y).shape) for _ in range(5)))
    for (power, angular), amplitude, parity in zip(_terms(), amplitudes, (1, 1, -1), strict=True):
        if amplitude:
            left = _polar(x, 1 - y, power, angular)
            right = _polar(1 - x, 1 - y, power, angular)
            mirrored = right._replace(dx=-right.dx)
            total = total.plus(Stream(*(amplitude * a for a in left)))
            total = total.plus(Stream(*(amplitude * parity * a for a in mirrored)))
    return total


def singular_flow(
    x: sympy.Symbol, y: sympy.Symbol, viscosity: float | sympy.Expr
) -> tuple[sympy.Expr, sympy.Expr, sympy.Expr]:
    """The Stokes flow of both upper corners of the unit square under a lid with u = 1.

    With g = f₁ + f₁″ = A cos θ + B sin θ the vorticity of a corner is -g/r, and its harmonic
    conjugate the pressure, ν (B ξ - A η) / r², where the density is 1.

    Returns:
        u, which is 2 on the lid, v and p. In the corners themselves the velocity counts as zero
        and has no derivatives.
    """
    left = _scraped(x, 1 - y, viscosity)
    right = _scraped(1 - x, 1 - y, viscosity)
    return left[0] + right[0], left[1] - right[1], left[2] - right[2]


def _scraped(
    xi: sympy.Expr, eta: sympy.Expr, viscosity: float | sympy.Expr
) -> tuple[sympy.Expr, sympy.Expr, sympy.Expr]:
    """Velocity along x and y, and pressure, of r f₁(θ) in the upper left corner."""
    f = scraper()
    g = sympy.expand(f + f.diff(THETA, 2))
    a, b = g.subs(THETA, 0), g.subs(THETA, sympy.pi / 2)
    squared = xi**2 + eta**2 + 1e-30
    cosine, sine = xi / sympy.sqrt(squared), eta / sympy.sqrt(squared)

    def at(angular: sympy.Expr) -> sympy.Expr:
        named = {sympy.cos(THETA): cosine, sympy.sin(THETA): sine}
        return sympy.expand(angular).subs(named).subs(THETA, sympy.atan2(eta, xi))

    along = -(sine * at(f) + cosine * at(f.diff(THETA)))
    upwards = -(cosine * at(f) - sine * at(f.diff(THETA)))
    return along, upwards, viscosity * (b * xi - a * eta) / squared


Angular = Callable[[Array], list[Array]]


def _polar(xi: Array, eta: Array, m: int, angular: Angular) -> Stream:
    """r^m f(θ) and its derivatives in x and y, where η points down."""
    r, theta = np.maximum(np.hypot(xi, eta), 1e-12), np.arctan2(eta, xi)
    f, df, d2f, d4f = angular(theta)
    d_xi = r ** (m - 1) * (m * np.cos(theta) * f - np.sin(theta) * df)
    d_eta = r ** (m - 1) * (m * np.sin(theta) * f + np.cos(theta) * df)
    laplacian = r ** (m - 2.0) * (m**2 * f + d2f)
    bilaplacian = r ** (m - 4.0) * ((m - 2) ** 2 * (m**2 * f + d2f) + m**2 * d2f + d4f)
    return Stream(r**m * f, d_xi, -d_eta, laplacian, bilaplacian)


@cache
def _terms() -> tuple[tuple[int, Angular], ...]:
    """The power of r and the angular function of each corner term."""
    return tuple((power, _angular(f)) for power, f in angular_functions())


def _angular(f: sympy.Expr) -> Angular:
    values = [f, f.diff(THETA), f.diff(THETA, 2), f.diff(THETA, 4)]
    compute = sympy.lambdify(THETA, values, "numpy")
    return lambda theta: [np.broadcast_to(v, theta.shape) for v in compute(theta)]


@cache
def scraper() -> sympy.Expr:
    """f₁ as an expression in `THETA`."""
    t, c, s = THETA, sympy.cos, sympy.sin
    return _fit(1, [s(t), c(t), t * s(t), t * c(t)], sympy.Integer(0), -1)


@cache
def angular_functions() -> tuple[tuple[int, sympy.Expr], ...]:
    """The powers of r, and f₁, f₂ and f₃ as expressions in `THETA`."""
    t, c, s = THETA, sympy.cos, sympy.sin
    first = scraper()
    second = _fit(2, [sympy.Integer(1), t, c(2 * t), s(2 * t)], sympy.Integer(0), -1)
    forcing = sympy.diff(first * (first + first.diff(t, 2)), t)
    quadratic = [t**j * g for j in range(3) for g in (sympy.Integer(1), c(2 * t), s(2 * t))]
    return (1, first), (2, second), (2, _fit(2, quadratic, forcing, 0))


def _fit(m: int, basis: list[sympy.Expr], forcing: sympy.Expr, lid: int) -> sympy.Expr:
    """The f of a basis with ∇⁴(r^m f) = r^(m-4) forcing, f = 0 on both sides, f′ = lid and 0."""
    t = THETA
    weights = sympy.symbols(f"a:{len(basis)}")
    f = sympy.Add(*(a * b for a, b in zip(weights, basis, strict=True)))
    inner = m**2 * f + f.diff(t, 2)
    equation = sympy.expand_trig((m - 2) ** 2 * inner + inner.diff(t, 2) - forcing)
    equation = sympy.expand(sympy.expand(equation).subs(sympy.sin(t) ** 2, 1 - sympy.cos(t) ** 2))
    C, S = sympy.symbols("C S")
    parts = sympy.Poly(equation.subs({sympy.cos(t): C, sympy.sin(t): S}), t, C, S).coeffs()
    walls = [f.subs(t, 0), f.subs(t, sympy.pi / 2)]
    slopes = [f.diff(t).subs(t, 0) - lid, f.diff(t).subs(t, sympy.pi / 2)]
    (solution,) = sympy.linsolve([*parts, *walls, *slopes], weights)
    return sympy.simplify(f.subs(dict(zip(weights, solution, strict=True))))
