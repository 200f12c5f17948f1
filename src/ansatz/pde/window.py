"""A problem in one window of time.

What holds at the first time of all goes on: at the first time of a later window, the same
expressions have the values that the window before gives them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import sympy
from numpy.typing import NDArray

from ansatz.pde.conditions import Columns, Condition, Fixed, Measured, Weight, tensors
from ansatz.pde.problem import Problem
from ansatz.pde.symbols import Expression
from ansatz.pde.trial import Evaluation, Trial, everywhere

Array = NDArray[np.float64]


def window_of(
    problem: Problem, time: sympy.Symbol, span: tuple[float, float], before: Trial | None
) -> Problem:
    """The problem in one window.

    Args:
        problem: For all times.
        time: Its coordinate of time.
        span: The first and the last time of the window.
        before: Solution of the window before; None for the first.
    """
    start = problem.ranges[time][0]
    conditions: dict[str, Condition] = {}
    for name, condition in problem.conditions.items():
        if before is not None and is_start(condition, time, start):
            conditions[name] = Carried(condition, before, {**condition.at, time: span[0]})
        elif (part := _within(condition, time, span, is_first=before is None)) is not None:
            conditions[name] = part
    return replace(problem, conditions=conditions, ranges={**problem.ranges, time: span})


@dataclass(frozen=True)
class Carried:
    """A condition of the first time at a later one: what the window before says holds on.

    A residual r of the fields u is held to r(u) = r(b), b being the fields of the window before:
    what r holds beside fields is the same on both sides.

    Attributes:
        condition: Of the first time. It draws the points.
        before: Solution of the window before.
        at: The time and what else has one value here.
    """

    condition: Condition
    before: Trial
    at: Fixed

    @property
    def site(self) -> str:
        """Where it holds, in words."""
        return f"{self.condition.site}, as the window before says"

    @property
    def points(self) -> int:
        """How many are drawn at a time."""
        return self.condition.points

    @property
    def weight(self) -> Weight:
        """Of the squared residuals."""
        return self.condition.weight

    @property
    def per_residual(self) -> int:
        """How many points one residual is a mean over."""
        return self.condition.per_residual

    @property
    def residuals(self) -> Mapping[str, Expression]:
        """What is zero, by name."""
        held = self.condition.residuals
        return {name: r - _carried(i) for i, (name, r) in enumerate(held.items())}

    @cached_property
    def _evaluation(self) -> Evaluation:
        """The residuals that the window before leaves."""
        held = self.condition.residuals.values()
        return self.before.evaluation({_carried(i).name: r for i, r in enumerate(held)})

    def draw(
        self,
        count: int,
        rng: np.random.Generator,
        axes: Sequence[sympy.Symbol],
        others: Columns,
    ) -> Columns:
        """Points of the condition at the later time, with what is carried there."""
        drawn = self.condition.draw(count, rng, axes, others)
        # Measurements bring a time of their own.
        known = drawn | {s.name: np.full(count, float(value)) for s, value in self.at.items()}
        carried = everywhere(self._evaluation, tensors(known))
        return known | {name: values.double().cpu().numpy() for name, values in carried.items()}


def _carried(index: int) -> sympy.Symbol:
    return sympy.Symbol(f"carried{index}", real=True)


def is_start(condition: Condition, time: sympy.Symbol, start: float) -> bool:
    """Whether a condition says what holds at the first time."""
    if isinstance(condition, Measured) and time in condition.place:
        return bool((np.asarray(condition.place[time]) == float(start)).all())
    return time in condition.at and float(condition.at[time]) == float(start)


def _within(
    condition: Condition, time: sympy.Symbol, span: tuple[float, float], *, is_first: bool
) -> Condition | None:
    """What of a condition belongs to a window: times after its start, but for the first window."""

    def belongs(times: Array) -> NDArray[np.bool_]:
        after = times >= span[0] if is_first else times > span[0]
        found: NDArray[np.bool_] = after & (times <= span[1])
        return found

    if isinstance(condition, Measured) and time in condition.place:
        rows = belongs(np.asarray(condition.place[time]))
        place = {s: np.asarray(a)[rows] for s, a in condition.place.items()}
        values = {e: np.asarray(a)[rows] for e, a in condition.values.items()}
        return replace(condition, place=place, values=values) if rows.any() else None
    if time not in condition.at:
        return condition
    return condition if belongs(np.array(float(condition.at[time]))) else None
