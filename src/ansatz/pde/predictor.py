"""From points to fields: the predictor of a solved problem.

encode   points of a grid or of a file                                     (host)
forward  fields, residuals of the equations inside, derived quantities     (device)
decode   arrays by name                                                    (host)
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import sympy
import torch
from numpy.typing import NDArray
from torch import Tensor

from ansatz.core.recipe import Encoded
from ansatz.pde.answer import FieldAnswer, Files
from ansatz.pde.conditions import Inside, tensors
from ansatz.pde.problem import Problem
from ansatz.pde.quantities import Number, Quantity, quantity
from ansatz.pde.request import FieldRequest, places
from ansatz.pde.saving import load_trial
from ansatz.pde.shapes.conditions import holds
from ansatz.pde.symbols import Expression
from ansatz.pde.trial import Evaluation, Trial, everywhere

Array = NDArray[np.float64]
Truths = NDArray[np.bool_]
log = logging.getLogger("ansatz")
ROUNDING = 1e-6  # of the size of a body: how far outside a point of float32 may be


@dataclass(frozen=True)
class Equation:
    """A residual that can be evaluated everywhere, and the condition that it belongs to."""

    residual: Expression
    condition: Inside


@dataclass(frozen=True)
class SolutionPredictor:
    """The predictor of a trained solution.

    Attributes:
        trial: The solution.
        problem: That it solves.
        quantities: Derived numbers by name.
    """

    trial: Trial
    problem: Problem
    quantities: Mapping[str, Quantity] = field(default_factory=dict)

    def encode(self, request: FieldRequest) -> Encoded[FieldAnswer]:
        """Read or lay out the points: an answer that has no values yet.

        Raises:
            ValueError: If they are not points of this problem, or all are outside of its shapes.
        """
        place, grid = places(self.problem, request)
        outside = ~self.inside(place)
        if outside.all():
            low, high = self.problem.bounds
            raise ValueError(
                f"none of the {len(outside)} points is inside of the problem's shapes, which lie "
                f"between {low} and {high} ({', '.join(self.problem.inputs)}). Mind the unit"
            )
        columns = torch.stack([torch.from_numpy(place[name]) for name in self.problem.inputs], 1)
        source = request.points if isinstance(request.points, Path) else None
        files = Files(request.picture, request.contours, request.vtk, source)
        space = tuple(a.name for a in self.problem.axes)
        empty = FieldAnswer(place, {}, {}, outside, {}, space, grid, files)
        return Encoded({"points": columns}, empty)

    def forward(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Fields and residuals at points; bounded memory."""
        known = dict(zip(self.problem.inputs, tensors["points"].unbind(1), strict=True))
        return everywhere(self.evaluation, known)

    def decode(self, outputs: dict[str, Tensor], encoded: Encoded[FieldAnswer]) -> FieldAnswer:
        """Name the values, and take away those where they are not meant."""
        asked = encoded.context
        values = {n: output.double().numpy().copy() for n, output in outputs.items()}
        odd: dict[int, list[str]] = {}
        for name, array in values.items():
            hidden = asked.outside
            if name in self.equations:
                condition = self.equations[name].condition
                hidden = hidden | ~self._holds(condition, asked.place, condition.where)
            odd.setdefault(int((~np.isfinite(array) & ~hidden).sum()), []).append(name)
            array[hidden] = np.nan
        for count, names in odd.items():
            if count:
                points = len(asked.outside)
                log.warning("not finite at %d of %d points: %s", count, points, ", ".join(names))
        residuals = {name: values.pop(name) for name in self.equations}
        quantities = self.numbers(asked.place)
        return replace(asked, fields=values, residuals=residuals, quantities=quantities)

    def numbers(self, place: Mapping[str, Array]) -> dict[str, Number]:
        """The derived numbers at the time and the parameters that all points have in common.

        Those that depend on what varies among the points are left out.
        """
        known = {name: float(v[0]) for name, v in place.items() if np.ptp(v) == 0}
        wanted = {n: q for n, q in self.quantities.items() if q.free(self.problem) <= set(known)}
        return {
            name: self._number(name, frozenset((i, known[i]) for i in each.free(self.problem)))
            for name, each in wanted.items()
        }

    @cached_property
    def _number(self) -> Callable[[str, frozenset[tuple[str, float]]], Number]:
        """A derived number; the last ones are kept."""

        @lru_cache(maxsize=1000)
        def number(name: str, inputs: frozenset[tuple[str, float]]) -> Number:
            return quantity(self.quantities[name], self.problem, self.trial, dict(inputs))

        return number

    @cached_property
    def evaluation(self) -> Evaluation:
        """What every request asks, compiled once."""
        fields: dict[str, Expression] = {f.func.__name__: f for f in self.problem.fields}
        return self.trial.evaluation(
            fields | {name: equation.residual for name, equation in self.equations.items()}
        )

    @property
    def bodies(self) -> dict[str, Inside]:
        """Conditions inside of shapes by name."""
        return {n: c for n, c in self.problem.conditions.items() if isinstance(c, Inside)}

    @cached_property
    def equations(self) -> dict[str, Equation]:
        """Residuals inside whose coefficients are known everywhere.

        Where two conditions have residuals of one name, theirs comes before it.
        """
        everywhere = {*self.problem.inputs, *(s.name for s in self.problem.coefficients)}
        all_names = [n for c in self.bodies.values() if not c.at for n in c.residuals]
        taken = {f.func.__name__ for f in self.problem.fields}
        found = {}
        for title, condition in self.bodies.items():
            for name, residual in condition.residuals.items():
                if not condition.at and {s.name for s in residual.free_symbols} <= everywhere:
                    is_alone = all_names.count(name) == 1 and name not in taken
                    key = name if is_alone else f"{title} {name}"
                    found[key] = Equation(residual, condition)
        return found

    def inside(self, place: Mapping[str, Array]) -> Truths:
        """Whether points lie in a body and in the ranges of the other inputs, but for rounding."""
        parts = [self._holds(c, place, None) for c in self.bodies.values()]
        found = np.logical_or.reduce(parts, initial=not parts)
        for name, low, high in zip(self.problem.inputs, *self.problem.bounds, strict=True):
            slack = ROUNDING * (high - low)
            found = found & (place[name] >= low - slack) & (place[name] <= high + slack)
        return np.asarray(found)

    def _holds(
        self, condition: Inside, place: Mapping[str, Array], where: sympy.Basic | None
    ) -> Truths:
        """Whether points lie in the body of a condition, or a part of it, but for rounding."""
        points = torch.stack([torch.from_numpy(place[a.name]) for a in self.problem.axes], 1)
        known = tensors(dict(place))
        low, high = (np.asarray(ends)[: len(self.problem.axes)] for ends in self.problem.bounds)
        slack = ROUNDING * float((high - low).max())
        found = condition.shape.distance(points, known) >= -slack
        if where is not None:
            found &= holds(where, points, known, torch.tensor([slack]))
        return np.asarray(found.numpy())


def load_solution(
    folder: Path, problem: Problem, quantities: Mapping[str, Quantity]
) -> SolutionPredictor:
    """Load a checkpoint of a problem.

    Args:
        folder: Of the checkpoint.
        problem: That it solves.
        quantities: Derived numbers by name.

    Raises:
        FileNotFoundError: If the folder holds no checkpoint.
        ValueError: If it is of another problem, or the weights are damaged.
    """
    trial, _ = load_trial(folder, problem)
    return SolutionPredictor(trial, problem, quantities)
