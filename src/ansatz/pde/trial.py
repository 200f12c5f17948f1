"""The trial solution: a network, unknown coefficients, and the residuals that they leave.

Its forward pass takes points and gives weighted residuals, all in one graph, so that compilation,
CUDA graphs and data parallelism hold for derivatives and equations as well as for the network.
Conditions whose derivatives are the same are evaluated together: boundaries, where only values are
needed, in one pass of plain values, the inside in one pass of jets.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

import torch
from annotated_types import Gt
from torch import Tensor, nn

from ansatz.pde.collocation import layout
from ansatz.pde.derivatives import Derivatives, Sought, Values, autodiff, finite, taylor
from ansatz.pde.networks import Box, Network
from ansatz.pde.plan import Rows, Wanted, rows_for
from ansatz.pde.problem import Problem
from ansatz.pde.residual import Residuals
from ansatz.pde.symbols import Expression

Evaluation = Callable[[Mapping[str, Tensor]], dict[str, Tensor]]
Way = Literal["taylor", "autodiff", "mfd"]
CHUNK = 20_000  # points that are evaluated at a time


@dataclass(frozen=True)
class TrialConfig:
    """The shape of a trial solution.

    Attributes:
        problem: What it is to solve.
        network: Shape of the network.
        derivatives: How they are computed (`ansatz.pde.derivatives`): `taylor` series, nested
            `autodiff`, or `mfd`, meshless finite derivatives.
        mfd_step: Step of the finite derivatives, in units of the coordinates.
    """

    problem: Problem
    network: Network = field(default_factory=Network)
    derivatives: Way = "taylor"
    mfd_step: Annotated[float, Gt(0)] = 1e-3

    def build(self) -> "Trial":
        """The trial solution with fresh weights."""
        return Trial(self)


@dataclass(frozen=True)
class Together:
    """Conditions that are evaluated in one pass.

    Attributes:
        names: Of the conditions.
        derivatives: Computes all that they need.
        rows: What is followed through the network, where that is the way.
    """

    names: tuple[str, ...]
    derivatives: Derivatives
    rows: Rows


class Trial(nn.Module):
    """A trial solution of a problem.

    Attributes:
        config: What it is a solution of.
        network: From inputs to the outputs of the problem.
        coefficients: Unknown numbers by name.
    """

    def __init__(self, config: TrialConfig) -> None:
        super().__init__()
        problem = config.problem
        self.network = config.network.build(box_of(problem))
        self.coefficients = nn.ParameterDict(
            {
                s.name: nn.Parameter(torch.tensor(float(start)))
                for s, start in problem.coefficients.items()
            }
        )
        self.config = config
        self._outputs = {name: column for column, name in enumerate(problem.outputs)}
        self._equations = problem.residuals
        self._layouts = {name: layout(problem, name) for name in problem.conditions}
        self._means = {n: c.per_residual for n, c in problem.conditions.items()}
        self._groups = self._grouped(self._equations)

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weighted residuals √w r, shape (points,), by condition and name.

        Args:
            batch: A tensor of points per condition, as `ansatz.pde.collocation` lays them out.
        """
        found: dict[str, Tensor] = {}
        tables = {name: points.to(self.like) for name, points in batch.items()}
        inputs = len(self.config.problem.inputs)
        for group in self._groups:
            points = torch.cat([tables[name][:, :inputs] for name in group.names])
            values = group.derivatives(self.network, points)
            end = 0
            for name in group.names:
                start, end = end, end + len(tables[name])
                local = {w: value[start:end] for w, value in values.items()}
                found |= self._weighted(name, tables[name], local)
        return found

    def _weighted(self, name: str, rows: Tensor, values: Values) -> dict[str, Tensor]:
        """The residuals of one condition."""
        columns, mean = self._layouts[name], self._means[name]
        known = dict(zip(columns.names, rows.unbind(1), strict=False)) | dict(self.coefficients)
        found = self._equations[name](known, values)
        weights = rows[:, len(columns.names) :].unbind(1)
        weighted = {
            f"{name}: {residual}": value * weight
            for (residual, value), weight in zip(found.items(), weights, strict=True)
        }
        if mean == 1:
            return weighted
        return {residual: value.reshape(-1, mean).mean(1) for residual, value in weighted.items()}

    def evaluate(
        self, expressions: Mapping[str, Expression], known: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Values of expressions of the fields and their derivatives.

        Args:
            expressions: By name.
            known: All inputs, and what else the expressions hold, shape (points,), by name.

        Returns:
            Values, shape (points,), in the arithmetic of the network.

        Raises:
            LookupError: If an expression holds what is not known.
        """
        return self.evaluation(expressions)(known)

    def evaluation(self, expressions: Mapping[str, Expression]) -> Evaluation:
        """`evaluate` for expressions that are asked for many times: they are compiled once."""
        problem = self.config.problem
        function = problem.function(expressions)
        (group,) = self._grouped({"": function})

        def evaluate(known: Mapping[str, Tensor]) -> dict[str, Tensor]:
            columns = {name: value.to(self.like) for name, value in known.items()}
            points = torch.stack([columns[name] for name in problem.inputs], 1)
            values = group.derivatives(self.network, points)
            return function(columns | dict(self.coefficients), values)

        return evaluate

    @property
    def plan(self) -> list[str]:
        """How derivatives are computed, pass by pass."""
        way = self.config.derivatives
        return [
            f"{', '.join(group.names)}: {group.rows if way == 'taylor' else way}"
            if group.rows.highest
            else f"{', '.join(group.names)}: values"
            for group in self._groups
        ]

    @property
    def like(self) -> Tensor:
        """A weight: points come to its device and data type."""
        return next(self.network.parameters())

    def _grouped(self, equations: Mapping[str, Residuals]) -> list[Together]:
        """Conditions by the rows that their jets need."""
        dimensions = len(self.config.problem.coordinates)
        groups: dict[Rows, list[str]] = {}
        for name, function in equations.items():
            groups.setdefault(rows_for(function.wanted, dimensions), []).append(name)
        found = []
        for rows, names in groups.items():
            wanted = tuple(dict.fromkeys(w for name in names for w in equations[name].wanted))
            found.append(Together(tuple(names), self._way(wanted, dimensions), rows))
        return found

    def _way(self, wanted: Sequence[Wanted], dimensions: int) -> Derivatives:
        sought = Sought(tuple(wanted), self._outputs, dimensions)
        if self.config.derivatives == "mfd":
            return finite(sought, self.config.mfd_step)
        return {"taylor": taylor, "autodiff": autodiff}[self.config.derivatives](sought)


def everywhere(evaluate: Evaluation, known: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """An evaluation at any number of points in bounded memory, without gradients."""
    parts: dict[str, list[Tensor]] = {}
    chunks = {name: torch.split(values, CHUNK) for name, values in known.items()}
    with torch.no_grad():
        for chunk in zip(*chunks.values(), strict=True):
            for name, values in evaluate(dict(zip(chunks, chunk, strict=True))).items():
                parts.setdefault(name, []).append(values.detach())
    return {name: torch.cat(values) for name, values in parts.items()}


def box_of(problem: Problem) -> Box:
    """The ranges of all inputs of a problem's network."""
    low, high = problem.bounds
    periodic = tuple(problem.inputs.index(s.name) for s in problem.periodic)
    waves = tuple((problem.inputs.index(s.name), length) for s, length in problem.waves.items())
    return Box(low, high, len(problem.outputs), periodic, waves)
