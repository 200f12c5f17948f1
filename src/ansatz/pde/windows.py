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
from dataclasses import dataclass
from itertools import pairwise
from time import monotonic

import numpy as np
import sympy
from numpy.typing import ArrayLike, NDArray
from sympy.core.function import AppliedUndef

from ansatz.core.recipe import TrainConfig
from ansatz.pde.networks import Network
from ansatz.pde.objective import MeanSquares
from ansatz.pde.problem import Problem
from ansatz.pde.sampling import Sampling
from ansatz.pde.solving import QUASI_NEWTON, SMALL, Solution, columns_of, errors_of, solve
from ansatz.pde.symbols import Expression
from ansatz.pde.trial import Way
from ansatz.pde.truth import Truth
from ansatz.pde.window import is_start, window_of

Array = NDArray[np.float64]
ROUNDING = 1e-6  # of all time: how far outside a time of float32 may be


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
            LookupError: If an input is missing, or an expression holds a stranger.
        """
        columns, shape = columns_of(self.problem, place)
        times, edges = columns[self.time.name], self.edges
        slack = ROUNDING * (edges[-1] - edges[0])
        if not ((times >= edges[0] - slack) & (times <= edges[-1] + slack)).all():
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
        return {name: values.reshape(shape) for name, values in found.items()}

    def errors(self, truth: Truth) -> dict[str, tuple[float, float]]:
        """Relative L2 error and largest difference by field; velocities are one field."""
        return errors_of(self.problem, self.evaluate, truth)


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
    _require_start(problem, time)
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


def _edges(problem: Problem, time: sympy.Symbol, windows: int | Sequence[float]) -> list[float]:
    """Where windows begin and end."""
    if time not in problem.ranges or time not in problem.coordinates:
        raise LookupError(
            f"{time} is no coordinate with a range, which windows are parts of; the fields are "
            f"{', '.join(map(str, problem.fields))}, and there are ranges of "
            f"{', '.join(map(str, problem.ranges)) or 'nothing'}"
        )
    start, end = map(float, problem.ranges[time])
    if isinstance(windows, int):
        if windows < 1:
            raise ValueError(f"there must be at least one window, got {windows}")
        return [float(edge) for edge in np.linspace(start, end, windows + 1)]
    edges = [float(edge) for edge in windows]
    if edges[:1] != [start] or edges[-1:] != [end] or not all(a < b for a, b in pairwise(edges)):
        raise ValueError(
            f"the edges of windows must rise from {start:g} to {end:g}, the range of {time}, got "
            f"{', '.join(f'{edge:g}' for edge in edges)}"
        )
    return edges


def _require_start(problem: Problem, time: sympy.Symbol) -> None:
    """Refuse what cannot go on from one window to the next."""
    start = problem.ranges[time][0]
    starts = [c for c in problem.conditions.values() if is_start(c, time, start)]
    held = {f.func for c in starts for r in c.residuals.values() for f in r.atoms(AppliedUndef)}
    made = {f: e for f, e in problem.definitions.items() if f not in problem.given}
    # A definition says how its field starts if nothing unknown is left of it then.
    lost = [
        f"{f} starts by its definition, so that"
        for f, e in made.items()
        if f.func not in held and not e.subs(time, start).has(AppliedUndef)
    ]
    if lost or not starts:
        raise ValueError(
            f"{(lost or [f'no condition holds at {time} = {start:g}, so that'])[0]} a window would "
            f"know nothing of the one before: say how each field starts by a condition, as "
            f"Inside(body, {{u: value}}, at={{{time}: {start:g}}})"
        )
    if problem.coefficients:
        raise ValueError(
            f"{next(iter(problem.coefficients))} is one unknown number for all times, and each "
            "window would find its own: solve for all times at once, with `solve`"
        )
    if time in problem.periodic:
        raise ValueError(f"{time} is periodic: a part of a period has another period, or none")
