"""Conditions: what holds at points inside a shape, on its boundary, at instruments, on a section.

    Inside(box, navier_stokes((u, v), p, 0.01))            residuals by name
    On(box, {u: 1, v: 0}, where=sympy.Eq(y, 1))            expressions with the values they have
    On(fin, {T: 1}, at={t: 0})                             at one time
    Measured({x: 0.5 * grid, y: grid}, {u: speeds})        data
    Integral(inlet, -u, equals=1.125)                      a flow rate

Either form of the mapping may be given to any of them: a text names a residual, and an expression
has a value. A condition draws its own points; every draw is a function of its generator.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import sympy
import torch
from numpy.typing import NDArray

from ansatz.pde.shapes import Shape, sample_inside, sample_surface
from ansatz.pde.symbols import Expression

Array = NDArray[np.float64]
Columns = dict[str, Array]
Held = Mapping[str | Expression, Expression | float]
Weight = float | Expression | Mapping[str, float | Expression]
Fixed = Mapping[sympy.Symbol, float]
DISTANCE = sympy.Symbol("distance", real=True)
NORMAL: tuple[sympy.Symbol, ...] = sympy.symbols("normal_x normal_y normal_z", real=True)


class Condition(Protocol):
    """What holds at points that it draws itself."""

    @property
    def site(self) -> str:
        """Where it holds, in words."""

    @property
    def points(self) -> int:
        """How many are drawn at a time."""

    @property
    def weight(self) -> Weight:
        """Of the squared residuals; may depend on the place."""

    @property
    def at(self) -> Fixed:
        """Coordinates and parameters that have one value here."""

    @property
    def per_residual(self) -> int:
        """How many points one residual is a mean over: 1, but for integrals."""

    @property
    def residuals(self) -> Mapping[str, Expression]:
        """What is zero, by name."""

    def draw(
        self,
        count: int,
        rng: np.random.Generator,
        axes: Sequence[sympy.Symbol],
        others: Columns,
    ) -> Columns:
        """Random points.

        Args:
            count: Of points.
            rng: Every draw comes from it.
            axes: The coordinates of space.
            others: Values of all other inputs, one for each point.

        Returns:
            All inputs, and what else is known of a point, by name.
        """


@dataclass(frozen=True)
class Inside:
    """What holds inside a shape.

    Attributes:
        shape: Where.
        holds: Residuals, or values of expressions.
        points: Drawn at a time.
        weight: Of the squared residuals, for all or by name.
        where: The part of the shape, as a relation of the coordinates.
        at: Coordinates and parameters that have one value here, as {t: 0}.
    """

    shape: Shape
    holds: Held
    points: int = 2000
    weight: Weight = 1.0
    where: sympy.Basic | None = None
    at: Fixed = field(default_factory=dict)
    per_residual = 1

    @property
    def site(self) -> str:
        """Where it holds, in words."""
        return sited(f"inside {self.shape}", self.where, self.at)

    @property
    def residuals(self) -> Mapping[str, Expression]:
        """What is zero, by name."""
        return residuals_of(self.holds)

    def draw(
        self,
        count: int,
        rng: np.random.Generator,
        axes: Sequence[sympy.Symbol],
        others: Columns,
    ) -> Columns:
        """Random points, with their distance from the boundary."""
        found = sample_inside(self.shape, count, rng, tensors(others), self.where)
        return named(axes, found.points) | {DISTANCE.name: found.distance.numpy()} | others


@dataclass(frozen=True)
class On:
    """What holds on the boundary of a shape; equations may hold the outward normal, `NORMAL`.

    Attributes:
        shape: Whose boundary.
        holds: Values of expressions, or residuals.
        points: Drawn at a time.
        weight: Of the squared residuals, for all or by name.
        where: The part of the boundary, as a relation of the coordinates.
        at: Coordinates and parameters that have one value here.
    """

    shape: Shape
    holds: Held
    points: int = 500
    weight: Weight = 1.0
    where: sympy.Basic | None = None
    at: Fixed = field(default_factory=dict)
    per_residual = 1

    @property
    def site(self) -> str:
        """Where it holds, in words."""
        return sited(f"on the boundary of {self.shape}", self.where, self.at)

    @property
    def residuals(self) -> Mapping[str, Expression]:
        """What is zero, by name."""
        return residuals_of(self.holds)

    def draw(
        self,
        count: int,
        rng: np.random.Generator,
        axes: Sequence[sympy.Symbol],
        others: Columns,
    ) -> Columns:
        """Random points, with their normals."""
        found = sample_surface(self.shape, count, rng, tensors(others), self.where)
        return named(axes, found.points) | named(NORMAL, found.normals) | others


@dataclass(frozen=True)
class Measured:
    """Values at given points: measurements, or a solution to start from.

    Attributes:
        place: Every input of the network, as arrays of one length.
        values: Measured values of expressions, arrays of that length.
        points: Drawn at a time; all of them if there are no more.
        weight: Of the squared residuals, for all or by name.
    """

    place: Mapping[sympy.Symbol, Array]
    values: Mapping[Expression, Array]
    points: int = 500
    weight: Weight = 1.0
    at: Fixed = field(default_factory=dict)
    per_residual = 1

    def __post_init__(self) -> None:
        arrays = {str(name): np.asarray(a) for name, a in {**self.place, **self.values}.items()}
        lengths = {name: len(a) if a.ndim == 1 else -1 for name, a in arrays.items()}
        if len(set(lengths.values())) != 1 or -1 in lengths.values():
            shapes = {name: a.shape for name, a in arrays.items()}
            raise ValueError(f"measurements must be arrays of one length, got shapes {shapes}")
        if odd := [name for name, a in arrays.items() if not np.isfinite(a).all()]:
            raise ValueError(f"{odd[0]} holds measurements that are not finite: leave them out")

    @property
    def site(self) -> str:
        """Where it holds, in words."""
        number = len(next(iter(self.values.values())))
        return sited(
            f"{number} measurements of {', '.join(map(short, self.values))}", None, self.at
        )

    @property
    def residuals(self) -> Mapping[str, Expression]:
        """What is zero, by name."""
        return residuals_of({e: _measured(index) for index, e in enumerate(self.values)})

    def draw(
        self,
        count: int,
        rng: np.random.Generator,
        axes: Sequence[sympy.Symbol],
        others: Columns,
    ) -> Columns:
        """Measurements: all in their order, or random ones without repetition."""
        number = len(next(iter(self.values.values())))
        rows = np.arange(count) % number
        if count < number:
            rows = rng.choice(number, count, replace=False)
        given = {s.name: np.asarray(a, np.float64)[rows] for s, a in self.place.items()}
        values = {
            _measured(index).name: np.asarray(a, np.float64)[rows]
            for index, a in enumerate(self.values.values())
        }
        return others | given | values


@dataclass(frozen=True)
class Integral:
    """An integral over a section, as a flow rate: ∫ f dA = value, on several sections at a time.

    Attributes:
        section: An open surface, a line in two dimensions; its place may depend on parameters.
        integrand: f; may hold `NORMAL`.
        equals: The value; may depend on parameters.
        area: Of the section.
        ranges: Of parameters that only place the section; each section draws its own.
        sections: Drawn at a time.
        per_residual: Points on each.
        within: The fluid; the integrand is zero outside of it.
        weight: Of the squared residual.
    """

    section: Shape
    integrand: Expression
    equals: Expression | float
    area: float
    ranges: Mapping[sympy.Symbol, tuple[float, float]] = field(default_factory=dict)
    sections: int = 4
    per_residual: int = 200
    within: Shape | None = None
    weight: Weight = 1.0
    at: Fixed = field(default_factory=dict)

    @property
    def site(self) -> str:
        """Where it holds, in words."""
        within = "" if self.within is None else f" within {self.within}"
        return sited(f"over {self.section}{within}", None, self.at)

    @property
    def points(self) -> int:
        """How many are drawn at a time."""
        return self.sections * self.per_residual

    @property
    def residuals(self) -> Mapping[str, Expression]:
        """The integrand, less its mean value; the mean over a section is zero."""
        inside = sympy.Symbol("inside", real=True)
        return {"integral": self.area * inside * self.integrand - self.equals}

    def draw(
        self,
        count: int,
        rng: np.random.Generator,
        axes: Sequence[sympy.Symbol],
        others: Columns,
    ) -> Columns:
        """Points of whole sections, one section after the other."""
        sections = count // self.per_residual
        # One value of every input for a whole section.
        own = {name: values[:sections] for name, values in others.items()}
        own |= {s.name: rng.uniform(*ends, sections) for s, ends in self.ranges.items()}
        own = {name: np.repeat(values, self.per_residual) for name, values in own.items()}
        found = sample_surface(self.section, sections * self.per_residual, rng, tensors(own))
        inside = np.ones(len(found.points))
        if self.within is not None:
            inside = (self.within.distance(found.points, tensors(own)) > 0).double().numpy()
        return named(axes, found.points) | named(NORMAL, found.normals) | own | {"inside": inside}


def sited(text: str, where: sympy.Basic | None, at: Fixed) -> str:
    """Where a condition holds, in words."""
    text += "" if where is None else f", where {where}"
    return text + "".join(f", at {name} = {value:g}" for name, value in at.items())


def residuals_of(holds: Held) -> Mapping[str, Expression]:
    """What is zero, by name.

    Raises:
        ValueError: If two have the same name.
    """
    found: dict[str, Expression] = {}
    for key, value in holds.items():
        name = key if isinstance(key, str) else short(key)
        if name in found:
            raise ValueError(f"two conditions are both called {name!r}: give residuals names")
        found[name] = sympy.sympify(value) if isinstance(key, str) else key - value
    return found


def short(expression: Expression) -> str:
    """An expression as a name: u instead of u(x, y), u_x instead of its derivative."""
    if isinstance(expression, sympy.Derivative):
        marks = "".join(str(s) * int(n) for s, n in expression.variable_count)
        return f"{short(expression.expr)}_{marks}"
    if isinstance(expression, sympy.core.function.AppliedUndef):
        return str(expression.func.__name__)
    parts = expression.atoms(sympy.Derivative, sympy.core.function.AppliedUndef)
    places = {part: sympy.Symbol(short(part)) for part in parts}
    return str(expression.xreplace(places))


def named(symbols: Iterable[sympy.Symbol], points: torch.Tensor) -> Columns:
    """The columns of an array of points, by name."""
    return {s.name: c.numpy() for s, c in zip(symbols, points.T, strict=False)}


def tensors(columns: Columns) -> dict[str, torch.Tensor]:
    """Columns as tensors."""
    return {name: torch.from_numpy(values) for name, values in columns.items()}


def _measured(index: int) -> sympy.Symbol:
    return sympy.Symbol(f"measured{index}", real=True)
