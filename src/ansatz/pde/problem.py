"""A problem: fields that are sought, and the conditions that they fulfil.

    x, y = coordinates("x y")
    u, v, p = fields("u v p", x, y)
    box = rectangle((0, 0), (1, 1))
    cavity = Problem(
        fields=(u, v, p),
        conditions={
            "flow": Inside(box, navier_stokes((u, v), p, viscosity=0.01), points=2000),
            "lid": On(box, {u: 1, v: 0}, where=sympy.Eq(y, 1), points=200),
            "walls": On(box, {u: 0, v: 0}, where=y < 1, points=600),
        },
    )

Beside coordinates, equations may hold parameters (inputs of the network: one solution for a whole
range), coefficients (unknown numbers, found from measurements), the signed distance from the
boundary (`DISTANCE`, positive inside) and, on boundaries, the outward normal (`NORMAL`).
A field may be made of others (`definitions`): a velocity of a stream function, which has no
divergence whatever the network says; or a value on a boundary plus a distance times a network,
which holds there exactly.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product

import numpy as np
import sympy
import torch
from numpy.typing import NDArray
from sympy.core.function import AppliedUndef

from ansatz.core.errors import unknown
from ansatz.pde.conditions import Columns, Condition, Inside, On
from ansatz.pde.residual import Residuals, compiled
from ansatz.pde.shapes import Shape
from ansatz.pde.symbols import Expression, Field

Range = tuple[float, float]
EFFORT = "  effort: "  # a line of a problem in words that says nothing of what is to hold


@dataclass(frozen=True)
class Problem:
    """Fields that are sought, and what they fulfil.

    Attributes:
        fields: Unknown functions of the coordinates.
        conditions: What holds where, by name.
        ranges: Of coordinates that no shape bounds (time), and of parameters.
        coefficients: Unknown numbers with the values that the search begins with.
        definitions: Fields that are made of others; the others come in their place. A function
            that is made of coordinates and parameters alone is given, and may stand in others.
        periodic: Coordinates whose range is a period of all fields.
        waves: Lengths of waves that the fields have along a coordinate, as between many fins; a
            help for the network, which need not find them.
    """

    fields: tuple[Field, ...]
    conditions: Mapping[str, Condition]
    ranges: Mapping[sympy.Symbol, Range] = field(default_factory=dict)
    coefficients: Mapping[sympy.Symbol, float] = field(default_factory=dict)
    definitions: Mapping[Field, Expression] = field(default_factory=dict)
    periodic: tuple[sympy.Symbol, ...] = ()
    waves: Mapping[sympy.Symbol, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.fields or not self.conditions:
            raise ValueError("a problem needs fields that are sought, and conditions for them")
        if odd := [f for f in self.fields if f.args != self.fields[0].args]:
            raise ValueError(
                f"all fields are functions of the same coordinates, and {odd[0]} is not one of "
                f"{', '.join(map(str, self.coordinates))}"
            )
        for symbol, (low, high) in self.ranges.items():
            if not low < high:
                raise ValueError(f"the range of {symbol} must not be empty, got {low} to {high}")
        made = {f.func for f in self.definitions} - {f.func for f in self.given}
        for f, definition in self.definitions.items():
            if inner := [part for part in definition.atoms(AppliedUndef) if part.func in made]:
                raise ValueError(
                    f"the definition of {f} holds {inner[0]}, which is made of fields itself: "
                    "write both in terms of further fields"
                )
        if odd := [s for s in (*self.periodic, *self.waves) if s not in self.coordinates]:
            raise ValueError(
                f"{odd[0]} is periodic, or has waves, and is no coordinate; there are "
                f"{', '.join(map(str, self.coordinates))}"
            )
        if odd := [name for name in self.conditions if ": " in name]:
            raise ValueError(
                f"the condition {odd[0]!r} has a colon and a space in its name, which part a "
                "condition from its residuals: leave one of them out"
            )
        if missing := [t for t in self.coordinates if t.name == "t" and t not in self.ranges]:
            raise LookupError(f"{missing[0]} is a coordinate without a range: ranges={{t: (0, 1)}}")

    def __str__(self) -> str:
        """The problem in words."""
        lines = [f"find {', '.join(map(str, self.fields))}"]
        for f, definition in self.definitions.items():
            lines.append(f"{f} = {definition}")
        for s, (low, high) in self.ranges.items():
            lines.append(f"{s} from {low:g} to {high:g}")
        for s, start in self.coefficients.items():
            lines.append(f"{s} unknown, begins with {start:g}")
        lines += [f"periodic in {s}" for s in self.periodic]
        lines += [f"waves of length {length:g} along {s}" for s, length in self.waves.items()]
        for name, condition in self.conditions.items():
            lines.append(f"{name}: {condition.site}")
            lines += [f"  {n}: {r} = 0" for n, r in condition.residuals.items()]
            lines.append(f"{EFFORT}{condition.points} points, weight {condition.weight}")
        return "\n".join(lines)

    @property
    def statement(self) -> str:
        """What is to hold, in words: the problem without numbers of points and weights."""
        return stated(str(self))

    @property
    def coordinates(self) -> tuple[sympy.Symbol, ...]:
        """What the fields are functions of."""
        args: tuple[sympy.Symbol, ...] = self.fields[0].args
        return args

    @property
    def axes(self) -> tuple[sympy.Symbol, ...]:
        """The coordinates of space."""
        return tuple(c for c in self.coordinates if c not in self.ranges)

    @property
    def parameters(self) -> tuple[sympy.Symbol, ...]:
        """Inputs of the network beside the coordinates."""
        return tuple(s for s in self.ranges if s not in self.coordinates)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of all inputs of the network: the coordinates first."""
        return tuple(s.name for s in (*self.coordinates, *self.parameters))

    @property
    def given(self) -> Mapping[Field, Expression]:
        """Functions that are known: those whose definition holds no field."""
        return {f: e for f, e in self.definitions.items() if not sympy.sympify(e).has(AppliedUndef)}

    @cached_property
    def outputs(self) -> tuple[str, ...]:
        """Names of the fields that the network gives: those without a definition, and its parts."""
        made = {f.func for f in self.definitions}
        parts = [
            part
            for definition in self.definitions.values()
            for part in sorted(definition.atoms(AppliedUndef), key=str)
        ]
        given = [*(f for f in self.fields if f.func not in made), *parts]
        return tuple(dict.fromkeys(f.func.__name__ for f in given if f.func not in made))

    @cached_property
    def bounds(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """The lowest and the highest value of each input.

        Raises:
            LookupError: If neither a shape nor a range bounds a coordinate.
        """
        shapes = [c.shape for c in self.conditions.values() if isinstance(c, Inside | On)]
        corners = [ends for shape in shapes for ends in self._corners(shape)]
        low = np.min(corners, 0) if corners else np.array([])
        high = np.max(corners, 0) if corners else np.array([])
        if len(low) < len(self.axes) or not np.isfinite([low, high]).all():
            raise LookupError(
                f"no shape bounds {', '.join(map(str, self.axes))}: a problem needs a condition "
                "inside a body, or ranges of its coordinates"
            )
        ends = {s: (float(low[i]), float(high[i])) for i, s in enumerate(self.axes)} | {
            s: (float(a), float(b)) for s, (a, b) in self.ranges.items()
        }
        order = (*self.coordinates, *self.parameters)
        return tuple(ends[s][0] for s in order), tuple(ends[s][1] for s in order)

    def _corners(self, shape: Shape) -> list[NDArray[np.float64]]:
        """The ends of a shape for all combinations of the ends of parameters' ranges."""
        ends = np.array(list(product(*self.ranges.values())), np.float64)
        values = {s.name: torch.from_numpy(ends[:, i]) for i, s in enumerate(self.ranges)}
        return [*shape.low(values).numpy(), *shape.high(values).numpy()]

    @cached_property
    def residuals(self) -> Mapping[str, Residuals]:
        """The residuals of each condition as functions of tensors."""
        return {name: self.function(c.residuals) for name, c in self.conditions.items()}

    def function(self, expressions: Mapping[str, Expression]) -> Residuals:
        """Expressions of the fields as a function of tensors.

        Raises:
            LookupError: If an expression holds a field that the problem does not have.
        """
        given = {f.func.__name__: e for f, e in self.given.items()}
        known = {f.func.__name__ for f in self.fields} | set(self.outputs) | set(given)
        for name, expression in expressions.items():
            held = {f.func.__name__ for f in sympy.sympify(expression).atoms(AppliedUndef)}
            if strangers := sorted(held - known):
                raise LookupError(f"{name}: {unknown('field', strangers[0], known)}")
        return compiled(
            {name: self._undefined(e) for name, e in expressions.items()}, self.coordinates, given
        )

    def _undefined(self, expression: Expression) -> Expression:
        """An expression with the parts of defined fields in their place; given ones stay."""
        made = {f: e for f, e in self.definitions.items() if f not in self.given}
        found: Expression = sympy.sympify(expression).subs(made).doit()
        return found

    def draw(self, name: str, count: int, rng: np.random.Generator) -> Columns:
        """Random points of a condition.

        Args:
            name: Of the condition.
            count: Of points.
            rng: Every draw comes from it.

        Returns:
            Inputs of the network, and whatever else the condition knows of a point.
        """
        condition = self.conditions[name]
        free = {
            s.name: stratified(self.ranges[s], count, rng)
            for s in self.ranges
            if s not in condition.at
        }
        fixed = {s.name: np.full(count, value) for s, value in condition.at.items()}
        return condition.draw(count, rng, self.axes, fixed | free)


def stated(problem: str) -> str:
    """A problem in words without the effort that is made for it."""
    return "\n".join(line for line in problem.splitlines() if not line.startswith(EFFORT))


def stratified(ends: Range, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Numbers of a range, one in each of `count` equal parts, in random order."""
    parts = (rng.permutation(count) + rng.random(count)) / count
    return ends[0] + (ends[1] - ends[0]) * parts
