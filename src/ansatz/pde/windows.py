"""Long times, a window after the other.

    solution = solve_in_windows(problem, t, 4)
    u = solution.evaluate({"u": u}, {"x": xs, "t": 3.7})["u"]

One network for all times may settle on what is wrong from some time on, where that costs it less
than to be right all the way (Wight and Zhao, arXiv:2007.04542; Krishnapriyan et al.,
arXiv:2109.01050). A window is a part of the range of time with a network of its own. It solves the
same problem there: what holds `at` the first time is held, from the second window on, to what the
window before says at its end, by the same expressions: where the wave equation begins with u and
u_t, both go on. An error of one window is the beginning of the next, and windows do not mend it.

A network begins with the weights of the one before. In 100 steps per window, four windows have a
standing wave to 0.015 instead of 0.034, and an advected one to 0.14 instead of 0.20.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from time import monotonic

import numpy as np
import sympy
from numpy.typing import ArrayLike, NDArray

from ansatz.core.recipe import TrainConfig
from ansatz.pde.conditions import Columns, Condition, Fixed, Measured, Weight, tensors
from ansatz.pde.networks import Network
from ansatz.pde.objective import MeanSquares
from ansatz.pde.problem import Problem
from ansatz.pde.sampling import Sampling
from ansatz.pde.solving import QUASI_NEWTON, SMALL, Solution, solve
from ansatz.pde.symbols import Expression
from ansatz.pde.trial import Evaluation, Trial, Way, everywhere
from ansatz.pde.truth import Truth, errors, kinds

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Windows:
    """Solutions of a problem, each for its part of time.

    Attributes:
        problem: For all times.
        time: The coordinate.
        parts: In the order of time.
    """

    problem: Problem
    time: sympy.Symbol
    parts: tuple[Solution, ...]

    @property
    def edges(self) -> tuple[float, ...]:
        """Where windows begin, and where the last one ends."""
        spans = [part.problem.ranges[self.time] for part in self.parts]
        return (spans[0][0], *(end for _, end in spans))

    @property
    def loss(self) -> float:
        """The largest of any window."""
        return max(part.loss for part in self.parts)

    @property
    def steps(self) -> int:
        """Taken in all windows."""
        return sum(part.steps for part in self.parts)

    @property
    def seconds(self) -> float:
        """CPU time of this process, for all windows."""
        return sum(part.seconds for part in self.parts)

    def evaluate(
        self, expressions: Mapping[str, Expression], place: Mapping[str, ArrayLike]
    ) -> dict[str, Array]:
        """Values of expressions, each point by the window of its time; edges belong to the earlier.

        Args:
            expressions: By name, as `{"u": u, "shear": u.diff(y)}`.
            place: Inputs by name, arrays of one shape, or one number for all points.

        Returns:
            Arrays of that shape.

        Raises:
            ValueError: If a time is outside of all windows.
            LookupError: If an expression holds a stranger.
        """
        names, arrays = list(place), np.broadcast_arrays(*map(np.asarray, place.values()))
        columns = {name: a.ravel() for name, a in zip(names, arrays, strict=True)}
        times, edges = columns[self.time.name], self.edges
        if not ((times >= edges[0]) & (times <= edges[-1])).all():
            raise ValueError(
                f"{self.time} reaches from {times.min():g} to {times.max():g}, and the solution "
                f"from {edges[0]:g} to {edges[-1]:g}"
            )
        found = {name: np.empty(len(times)) for name in expressions}
        window = np.searchsorted(edges[1:-1], times)
        for index in np.unique(window):
            here = window == index
            local = {name: values[here] for name, values in columns.items()}
            for name, values in self.parts[index].evaluate(expressions, local).items():
                found[name][here] = values
        return {name: values.reshape(arrays[0].shape) for name, values in found.items()}

    def errors(self, truth: Truth) -> dict[str, tuple[float, float]]:
        """Relative L2 error and largest difference by field; velocities are one field."""
        found = self.evaluate(
            {f.func.__name__: f for f in self.problem.fields if f.func.__name__ in truth.fields},
            truth.place,
        )
        return {kind: errors(truth, found, names) for kind, names in kinds(truth)}


def solve_in_windows(
    problem: Problem,
    time: sympy.Symbol,
    windows: int | Sequence[float] = 4,
    *,
    network: Network = SMALL,
    derivatives: Way = "taylor",
    train: TrainConfig = QUASI_NEWTON,
    sampling: Sampling | None = None,
    seconds: float | None = None,
    objective: MeanSquares | None = None,
) -> Windows:
    """Solve a problem for one part of time after the other.

    Args:
        problem: With conditions `at={time: start}`; what `definitions` say of the start, no window
            but the first would know.
        time: Its coordinate of time.
        windows: How many, all of one length; or their edges, from the first time to the last.
        network: Shape of the network of each window.
        derivatives: How they are computed.
        train: How each window is trained.
        sampling: How collocation points are chosen and terms weighted.
        seconds: Wall-clock time for all windows, spread evenly over those that are left.
        objective: The loss.

    Returns:
        The solution at all times.

    Raises:
        ValueError: If the problem has no such windows, or `solve` refuses one.
    """
    edges = _edges(problem, time, windows)
    _refuse(problem, time)
    began = monotonic()
    parts: list[Solution] = []
    for index, span in enumerate(pairwise(edges)):
        left = None if seconds is None else began + seconds - monotonic()
        before = parts[-1].trial if parts else None
        part = solve(
            window_of(problem, time, span, before),
            network=network,
            derivatives=derivatives,
            train=train,
            sampling=sampling,
            seconds=None if left is None else left / (len(edges) - 1 - index),
            objective=objective,
            begin=before,
        )
        parts.append(part)
    return Windows(problem, time, tuple(parts))


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
        if before is not None and _is_start(condition, time, start):
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
        return {name: r - _carried(index) for index, (name, r) in enumerate(held.items())}

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
        device = next(self.before.parameters()).device
        asked = {name: values.to(device) for name, values in tensors(known).items()}
        carried = everywhere(self._evaluation, asked)
        return known | {name: values.double().cpu().numpy() for name, values in carried.items()}


def _carried(index: int) -> sympy.Symbol:
    return sympy.Symbol(f"carried{index}", real=True)


def _is_start(condition: Condition, time: sympy.Symbol, start: float) -> bool:
    """Whether a condition says what holds at the first time."""
    if isinstance(condition, Measured) and time in condition.place:
        return bool((np.asarray(condition.place[time]) == start).all())
    return condition.at.get(time) == start


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


def _edges(problem: Problem, time: sympy.Symbol, windows: int | Sequence[float]) -> list[float]:
    """Where windows begin and end."""
    if time not in problem.ranges or time not in problem.coordinates:
        raise LookupError(
            f"{time} is no coordinate with a range, which windows are parts of; the fields are "
            f"{', '.join(map(str, problem.fields))}, and there are ranges of "
            f"{', '.join(map(str, problem.ranges)) or 'nothing'}"
        )
    start, end = problem.ranges[time]
    if isinstance(windows, int):
        if windows < 1:
            raise ValueError(f"there must be at least one window, got {windows}")
        return [float(edge) for edge in np.linspace(start, end, windows + 1)]
    edges = [float(edge) for edge in windows]
    if edges[:1] != [start] or edges[-1:] != [end] or any(a >= b for a, b in pairwise(edges)):
        raise ValueError(
            f"the edges of windows must rise from {start:g} to {end:g}, the range of {time}, got "
            f"{', '.join(f'{edge:g}' for edge in edges)}"
        )
    return edges


def _refuse(problem: Problem, time: sympy.Symbol) -> None:
    """What has no windows."""
    start = problem.ranges[time][0]
    if not any(_is_start(c, time, start) for c in problem.conditions.values()):
        raise ValueError(
            f"no condition holds at {time} = {start:g}, so that a window would know nothing of the "
            f"one before; if `definitions` say how it starts, say it by a condition: "
            f"Inside(body, {{u: value}}, at={{{time}: {start:g}}})"
        )
    if problem.coefficients:
        raise ValueError(
            f"{next(iter(problem.coefficients))} is one unknown number for all times, and each "
            "window would find its own: solve for all times at once, with `solve`"
        )
    if time in problem.periodic:
        raise ValueError(f"{time} is periodic: a part of a period has another period, or none")
