"""Numbers that follow from a solution: flow rates, forces, heat fluxes, pressure drops.

    drop = difference(average(p, on=inlet), average(p, on=outlet))
    rate = integral(u * NORMAL[0] + v * NORMAL[1], on=outlet)
    drag = integral(-p * NORMAL[0] + viscosity * (...), on=body, where=...)
    energy = integral((u**2 + v**2) / 2, inside=body)

Integrands hold fields, their derivatives, coordinates, parameters, unknown coefficients, on a
boundary the outward `NORMAL`, inside a body the `DISTANCE`.

The error of a number is that of its quadrature: the standard error of the mean over 16 independent
scrambled Sobol sequences, one in three of which is off by more. What the solution itself is off by
comes on top, and is not known here.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import sympy
import torch
from torch import Tensor

from ansatz.core.errors import unknown
from ansatz.pde.conditions import DISTANCE, NORMAL, Fixed
from ansatz.pde.problem import Problem
from ansatz.pde.shapes.draws import sobol
from ansatz.pde.shapes.faces import covers, placed
from ansatz.pde.shapes.sampling import finite, inside, outward
from ansatz.pde.shapes.shape import Shape
from ansatz.pde.symbols import Expression
from ansatz.pde.trial import Trial, everywhere

SEQUENCES = 16
LENGTH = 2**12  # points of a sequence, in powers of two, at which it is even
SHORTEST = 2**5  # on one of many faces


@dataclass(frozen=True)
class Number:
    """A number that follows from a solution.

    Attributes:
        value: The number.
        error: Standard error of its quadrature; None if there was none.
    """

    value: float
    error: float | None = None

    def __str__(self) -> str:
        if not self.error or not np.isfinite(self.error):
            return f"{self.value:.9g}" + ("" if self.error is None else f" ± {self.error:g}")
        digits = max(0, 1 - int(np.floor(np.log10(self.error))))
        return f"{self.value:.{digits}f} ± {self.error:.1e}"


class Quantity(Protocol):
    """What follows from a solution."""

    def free(self, problem: Problem) -> Set[str]:
        """The inputs that it needs a value for: time and parameters that it does not fix."""

    def __call__(
        self, problem: Problem, trial: Trial, known: Mapping[str, float], rng: np.random.Generator
    ) -> Number:
        """Compute it.

        Args:
            problem: That was solved.
            trial: The solution.
            known: Values of its free inputs.
            rng: Points come from it.

        Raises:
            LookupError: If it holds a stranger, or an input has no value.
            ValueError: If there are no points where it is sought.
        """


def average(
    expression: Expression | float,
    *,
    on: Shape | None = None,
    inside: Shape | None = None,
    where: sympy.Basic | None = None,
    at: Fixed | None = None,
) -> Quantity:
    """The mean of an expression; the arguments are those of `integral`."""
    return _Sum(sympy.sympify(expression), *_place(on, inside), where, at or {}, is_mean=True)


def integral(
    expression: Expression | float,
    *,
    on: Shape | None = None,
    inside: Shape | None = None,
    where: sympy.Basic | None = None,
    at: Fixed | None = None,
) -> Quantity:
    """The integral of an expression.

    Args:
        expression: Of fields and their derivatives.
        on: A section, or a body whose boundary is meant.
        inside: A body; either this or `on`.
        where: The part of it, as a relation of the coordinates.
        at: Times and parameters that have one value here. Others have those of the question.

    Raises:
        ValueError: If there is no shape, or two.
    """
    return _Sum(sympy.sympify(expression), *_place(on, inside), where, at or {}, is_mean=False)


def difference(a: Quantity, b: Quantity) -> Quantity:
    """One number less another, as a pressure drop; its error adds theirs in squares."""
    return _Difference(a, b)


def found(name: str) -> Quantity:
    """A coefficient that training has found."""
    return _Found(name)


def quantity(
    wanted: Quantity, problem: Problem, trial: Trial, known: Mapping[str, float]
) -> Number:
    """Compute a number, with the same points every time; the arguments are those of a `Quantity`.

    Raises:
        LookupError: If an input has no value, or an expression holds a stranger.
        ValueError: If there are no points where it is sought.
    """
    if missing := sorted(wanted.free(problem) - set(known)):
        raise LookupError(
            f"this number depends on {', '.join(missing)}: give a value, as {missing[0]}=0.5"
        )
    return wanted(problem, trial, known, np.random.default_rng(0))


@dataclass(frozen=True)
class _Found:
    """A coefficient."""

    name: str

    def free(self, problem: Problem) -> Set[str]:
        return set()

    def __call__(
        self, problem: Problem, trial: Trial, known: Mapping[str, float], rng: np.random.Generator
    ) -> Number:
        if self.name not in trial.coefficients:
            raise LookupError(unknown("coefficient", self.name, list(trial.coefficients)))
        return Number(trial.coefficients[self.name].item())


@dataclass(frozen=True)
class _Difference:
    """One number less another."""

    a: Quantity
    b: Quantity

    def free(self, problem: Problem) -> Set[str]:
        return self.a.free(problem) | self.b.free(problem)

    def __call__(
        self, problem: Problem, trial: Trial, known: Mapping[str, float], rng: np.random.Generator
    ) -> Number:
        a, b = (part(problem, trial, known, rng) for part in (self.a, self.b))
        errors = [part.error for part in (a, b) if part.error is not None]
        return Number(a.value - b.value, float(np.hypot.reduce(errors)) if errors else None)


@dataclass(frozen=True)
class _Sum:
    """An integral or a mean."""

    integrand: Expression
    shape: Shape
    is_inside: bool
    where: sympy.Basic | None
    at: Fixed = field(default_factory=dict)
    is_mean: bool = False

    def free(self, problem: Problem) -> Set[str]:
        space = {a.name for a in problem.axes} | {s.name for s in self.at}
        return set(problem.inputs) - space

    @torch.no_grad()
    def __call__(
        self, problem: Problem, trial: Trial, known: Mapping[str, float], rng: np.random.Generator
    ) -> Number:
        if odd := [s for s in self.at if s in problem.axes]:
            raise ValueError(
                f"{odd[0]} is a coordinate of space, and `at` gives times and parameters a value: "
                "a part of a shape is `where`, a section of it a shape of its own"
            )
        fixed = {name: known[name] for name in self.free(problem)}
        fixed |= {s.name: float(value) for s, value in self.at.items()}
        columns, weights = self._nodes(problem, fixed, rng)
        values = everywhere(trial.evaluation({"": self.integrand}), columns)[""].double().cpu()
        terms = zip(weights, torch.split(values, [len(w) for w in weights]), strict=True)
        sums = torch.stack([w @ f for w, f in terms])
        if self.is_mean:
            sums = sums / torch.stack([w.sum() for w in weights])
        return Number(sums.mean().item(), sums.std().item() / SEQUENCES**0.5)

    def _nodes(
        self, problem: Problem, fixed: Mapping[str, float], rng: np.random.Generator
    ) -> tuple[dict[str, Tensor], list[Tensor]]:
        """What is known of all points, and the weights of each sequence, Σ w f ≈ ∫ f."""
        rule = _inside if self.is_inside else _surface
        parts = [rule(self.shape, fixed, self.where, rng) for _ in range(SEQUENCES)]
        weights = [part[-1] for part in parts]
        if not all(map(len, weights)):
            raise ValueError(f"there are no points of {self.shape} where {self.where}")
        points, extra, _ = (torch.cat(group) for group in zip(*parts, strict=True))
        names = [DISTANCE.name] if self.is_inside else [s.name for s in NORMAL]
        columns = {a.name: x for a, x in zip(problem.axes, points.unbind(1), strict=True)}
        columns |= dict(zip(names, extra.unbind(1), strict=False))
        return columns | _columns(fixed, len(points)), weights


def _place(on: Shape | None, inside: Shape | None) -> tuple[Shape, bool]:
    """The shape, and whether its inside is meant."""
    if on is not None and inside is None:
        return on, False
    if inside is not None and on is None:
        return inside, True
    raise ValueError("give the shape to go over: on=shape for its boundary, or inside=shape")


def _surface(
    shape: Shape, fixed: Mapping[str, float], where: sympy.Basic | None, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Points on a boundary, normals and weights of one sequence."""
    patches = [face.patch for face in shape.faces]
    per = max(SHORTEST, int(2 ** np.floor(np.log2(LENGTH / len(patches)))))
    cube = torch.cat([sobol(shape.dimension, rng)(per) for _ in patches])
    index = torch.arange(len(patches)).repeat_interleave(per)
    own = _columns(fixed, len(cube))
    spots = placed(patches, index, cube, own)
    normals, keep = outward(shape, spots, index, own, where)
    weights = spots.share * covers(patches, _columns(fixed, 1))[0, index] / per
    return spots.points[keep], normals[keep], weights[keep]


def _inside(
    shape: Shape, fixed: Mapping[str, float], where: sympy.Basic | None, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Points inside of a body, distances and weights of one sequence."""
    finite(shape, _columns(fixed, 1))
    low, high = shape.bounds(_columns(fixed, 1))
    points = low + sobol(shape.dimension, rng)(LENGTH) * (high - low)
    distance, keep = inside(shape, points, _columns(fixed, LENGTH), where)
    weights = ((high - low).prod() / LENGTH).expand(LENGTH)
    return points[keep], distance[keep].unsqueeze(1), weights[keep]


def _columns(fixed: Mapping[str, float], count: int) -> dict[str, Tensor]:
    return {n: torch.full((count,), value, dtype=torch.float64) for n, value in fixed.items()}
