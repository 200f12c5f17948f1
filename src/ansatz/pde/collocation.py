"""Collocation points: the batches of a problem.

A batch holds a tensor per condition. Its columns are the inputs of the network, what else the
equations know of a point (normals, distance, measurements), and the square root of the weight of
each residual. Points are drawn anew every `renew` steps, as a function of the seed, of how often
they have been drawn, and of the share of the batch: two processes with one share each see the
same points as one process with two.

`Sampling` may have them chosen by what the network gets wrong, and the weights multiplied by
factors that balance the terms: on every process those of the first share.
"""

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import sympy
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ansatz.core.recipe import Batches, Position
from ansatz.pde.balancing import factors, gradient_norms, kernel_traces
from ansatz.pde.conditions import Columns, Condition, Inside, On
from ansatz.pde.problem import Problem
from ansatz.pde.sampling import Sampling, choose, density, residuals_at

Array = NDArray[np.float64]
Era = tuple[int, int, int]
log = logging.getLogger("ansatz")
CHOICE, PROBE = 1, 2  # what chance is for, beside drawing points
PLAIN = Sampling()


def collocation(problem: Problem, shares: int = 1, sampling: Sampling = PLAIN) -> Batches:
    """A function from a position of a run, and the trial solution there, to points.

    Args:
        problem: Gives the conditions with their numbers of points.
        shares: How many times these numbers a batch has.
        sampling: How points are chosen and terms weighted.
    """
    return Points(problem, shares, sampling)


class Points:
    """The function that `collocation` returns; it keeps what stays the same."""

    def __init__(self, problem: Problem, shares: int, sampling: Sampling) -> None:
        self._shares, self._sampling = shares, sampling
        self._tables = {name: Table(problem, name) for name in problem.conditions}
        free = [n for n, c in problem.conditions.items() if isinstance(c, Inside | On)]
        self._chosen = free if sampling.pool > 1 else []
        self._eras: tuple[Era | None, Era | None] = (None, None)  # of points and factors
        self._points: dict[int, dict[str, Tensor]] = {}  # by share
        self._factors: dict[str, float] = {}
        self._batches: dict[int, dict[str, Tensor]] = {}  # by the first share

    def __call__(self, position: Position, model: nn.Module) -> dict[str, Tensor]:
        """The points of a position: the same tensors for as long as they stay."""
        if self._eras == (None, None) and position.rank == 0:
            for line in getattr(model, "plan", ()):
                log.info("%s", line)
        points, weights = self._eras_at(position)
        known, self._eras = self._eras, (points, weights)
        if known[0] != points:
            self._points.clear()
        if known != self._eras:
            self._batches.clear()
        if known[1] != weights and weights is not None:
            self._factors = self._weighed(weights, self._share(points, 0, model), model)
            if position.rank == 0:
                found = ", ".join(f"{name} {value:.3g}" for name, value in self._factors.items())
                log.info("step %d: factors of the loss: %s", position.step, found)
        first = (position.micro * position.ranks + position.rank) * self._shares
        if first not in self._batches:
            own = [self._share(points, first + s, model) for s in range(self._shares)]
            # The same tensors for as long as they stay: an optimizer may know them again.
            self._batches[first] = {
                name: table.scaled(torch.cat([share[name] for share in own]), self._factors)
                for name, table in self._tables.items()
            }
        return self._batches[first]

    def _eras_at(self, position: Position) -> tuple[Era, Era | None]:
        """The eras of points and of factors."""
        sampling = self._sampling
        renew = 1 if sampling.renew is None else sampling.renew
        points = era(position, renew, follows=bool(self._chosen))
        if sampling.balance == "none":
            return points, None
        return points, era(position, sampling.balance_every, follows=True)

    def _share(self, points: Era, share: int, model: nn.Module) -> dict[str, Tensor]:
        """One share of the points."""
        if share not in self._points:
            self._points[share] = self._drawn(points, share, model)
        return self._points[share]

    def _drawn(self, points: Era, share: int, model: nn.Module) -> dict[str, Tensor]:
        """Points that are drawn, or chosen among those that are drawn."""
        found = {}
        for place, (name, table) in enumerate(self._tables.items()):
            pool = self._sampling.pool if name in self._chosen else 1
            drawn = table.draw(chance(*points[:2], share, place), pool)
            found[name] = torch.from_numpy(drawn)
        if not self._chosen:
            return found
        asked = {n: table if n in self._chosen else table[:0] for n, table in found.items()}
        residuals = residuals_at(model, asked)
        for place, (name, table) in enumerate(self._tables.items()):
            if name in self._chosen:
                wanted = density(residuals[name], self._sampling.power, self._sampling.floor)
                rng = chance(*points[:2], share, place, CHOICE)
                found[name] = found[name][choose(wanted, table.count, rng)]
        return found

    def _weighed(
        self, weights: Era, points: dict[str, Tensor], model: nn.Module
    ) -> dict[str, float]:
        """The factors that balance the terms at some points."""
        if self._sampling.balance == "gradients":
            return factors(gradient_norms(model, points))
        return factors(kernel_traces(model, points, chance(*weights[:2], 0, 0, PROBE)))


def era(position: Position, every: int, *, follows: bool) -> Era:
    """What stays the same for `every` steps, 0 for ever: the seed, the turn, and where it began.

    What follows the network is no older than the process.
    """
    turn = position.step // every if every else 0
    return position.seed, turn, max(turn * every, position.since) if follows else turn * every


def chance(*key: int) -> np.random.Generator:
    """A counter-based generator of its own for some numbers."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(key)))


@dataclass(frozen=True)
class Layout:
    """What the columns of a condition's tensor are.

    Attributes:
        inputs: Of the network.
        others: What else the equations hold.
        residuals: Names of the residuals; a column of weights for each.
    """

    inputs: tuple[str, ...]
    others: tuple[str, ...]
    residuals: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Of all columns but the weights."""
        return self.inputs + self.others


def layout(problem: Problem, name: str) -> Layout:
    """The columns of a condition's tensor."""
    function = problem.residuals[name]
    coefficients = {s.name for s in problem.coefficients}
    others = [s for s in function.symbols if s not in problem.inputs and s not in coefficients]
    return Layout(problem.inputs, tuple(others), function.names)


class Table:
    """Draws points of one condition as an array, shape (points, columns)."""

    def __init__(self, problem: Problem, name: str) -> None:
        self._problem, self._name = problem, name
        self._condition = problem.conditions[name]
        self._layout = layout(problem, name)
        self._weights = [_weight(self._condition, each) for each in self._layout.residuals]

    @property
    def count(self) -> int:
        """Of points in a batch."""
        return self._condition.points

    def scaled(self, points: Tensor, factors: Mapping[str, float]) -> Tensor:
        """Points with their weights multiplied by the factors of the residuals, if there are."""
        if not factors:
            return points
        weights = len(self._layout.names)
        roots = [math.sqrt(factors[f"{self._name}: {each}"]) for each in self._layout.residuals]
        return torch.cat([points[:, :weights], points[:, weights:] * points.new_tensor(roots)], 1)

    def draw(self, rng: np.random.Generator, pool: int = 1) -> Array:
        """Random points, `pool` times as many as a batch has.

        Raises:
            LookupError: If the equations hold what nobody knows of a point.
            ValueError: If a weight is negative or not finite.
        """
        count = self.count * pool
        columns = self._problem.draw(self._name, count, rng)
        if missing := [name for name in self._layout.names if name not in columns]:
            raise LookupError(
                f"{self._name}: the equations hold {', '.join(missing)}, which is no input of the "
                f"problem and not known of these points; known are {', '.join(columns)}"
            )
        weights = [np.broadcast_to(weight(columns), count) for weight in self._weights]
        for name, weight in zip(self._layout.residuals, weights, strict=True):
            if not (np.isfinite(weight).all() and (weight >= 0).all()):
                raise ValueError(
                    f"{self._name}: the weight of {name} must be finite and not negative, and lies "
                    f"between {weight.min():.3g} and {weight.max():.3g}"
                )
        known = [columns[name] for name in self._layout.names]
        return np.stack([*known, *map(np.sqrt, weights)], 1)


def _weight(condition: Condition, name: str) -> Callable[[Columns], Array]:
    """The weight of a residual as a function of the columns of points."""
    weight = condition.weight
    if not isinstance(weight, int | float | sympy.Expr):
        weight = weight.get(name, 1.0)
    symbols = sorted(sympy.sympify(weight).free_symbols, key=str)
    function = sympy.lambdify(symbols, weight, "numpy")

    def weights(columns: Columns) -> Array:
        if missing := [s.name for s in symbols if s.name not in columns]:
            raise LookupError(
                f"the weight of {name} holds {', '.join(missing)}, which is not known of these "
                f"points; known are {', '.join(columns)}"
            )
        return np.asarray(function(*(columns[s.name] for s in symbols)), np.float64)

    return weights
