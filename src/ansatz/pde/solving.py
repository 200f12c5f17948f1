"""Solving a problem from Python, in one call.

    solution = solve(cavity, seconds=60)
    print(solution.errors(ghia))
    u = solution.evaluate({"u": u}, {"x": xs, "y": ys})["u"]
    rate = solution.quantity(integral(u, on=line((0.5, 0), (0.5, 1))))
    solution.save("runs/cavity")

This is the trainer that `ansatz train` uses; a recipe (`ansatz.pde.recipes.solved`) makes the same
problem a command. By default a network of 1,347 parameters is solved for by a quasi-Newton method
in float64, on points that stay for 500 steps: the fastest way to small errors where the solution
is smooth and the dimension low. Larger networks take `train=FIRST_ORDER`.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from ansatz.core.recipe import TrainConfig
from ansatz.pde.collocation import collocation
from ansatz.pde.networks import Network
from ansatz.pde.objective import MeanSquares
from ansatz.pde.problem import Problem
from ansatz.pde.quantities import Number, Quantity, quantity
from ansatz.pde.sampling import Sampling
from ansatz.pde.saving import load_trial, save_trial
from ansatz.pde.symbols import Expression
from ansatz.pde.trial import Trial, TrialConfig, Way, everywhere
from ansatz.pde.truth import Truth, errors, kinds
from ansatz.trainer.distributed import process_group
from ansatz.trainer.loop import fit

Array = NDArray[np.float64]
log = logging.getLogger("ansatz")

SMALL = Network(width=24, depth=3)
QUASI_NEWTON = TrainConfig(
    steps=2000,
    optimizer="ssbroyden",
    precision="fp64",
    warmup_steps=0,
    clip_norm=0.0,
    log_every=100,
    save_every=500,
)
"""For networks of a few thousand parameters; points should stay for hundreds of steps."""
FIRST_ORDER = TrainConfig(
    steps=20_000, optimizer="soap", learning_rate=3e-3, final_rate=0.01, warmup_steps=200
)
"""For larger networks, with new points in every step."""


@dataclass(frozen=True)
class Solution:
    """A trained trial solution.

    Attributes:
        trial: The network and the coefficients that were found.
        problem: That it solves.
        loss: At the end.
        steps: That were taken.
        seconds: CPU time of this process.
    """

    trial: Trial
    problem: Problem
    loss: float
    steps: int
    seconds: float

    def evaluate(
        self, expressions: Mapping[str, Expression], place: Mapping[str, ArrayLike]
    ) -> dict[str, Array]:
        """Values of expressions of fields and their derivatives.

        Args:
            expressions: By name, as `{"u": u, "shear": u.diff(y)}`.
            place: Inputs by name, arrays of one shape, or one number for all points.

        Returns:
            Arrays of that shape.

        Raises:
            LookupError: If an input is missing, or an expression holds a stranger.
        """
        columns, shape = columns_of(self.problem, place)
        known = {name: torch.tensor(values) for name, values in columns.items()}
        found = everywhere(self.trial.evaluation(expressions), known)
        return {n: values.double().numpy().reshape(shape) for n, values in found.items()}

    @property
    def coefficients(self) -> dict[str, float]:
        """The unknown numbers that were found."""
        return {name: value.item() for name, value in self.trial.coefficients.items()}

    def errors(self, truth: Truth) -> dict[str, tuple[float, float]]:
        """Relative L2 error and largest difference by field; velocities are one field."""
        return errors_of(self.problem, self.evaluate, truth)

    def quantity(self, wanted: Quantity, at: Mapping[str, float] | None = None) -> Number:
        """A number that follows from the solution, with the error of its quadrature.

        Args:
            wanted: From `integral`, `average`, `difference` or `found`.
            at: Values of time and parameters that `wanted` does not fix, by name.

        Raises:
            LookupError: If such a value is missing, or an expression holds a stranger.
            ValueError: If there are no points where the number is sought.
        """
        return quantity(wanted, self.problem, self.trial, at or {})

    def save(self, folder: Path | str) -> None:
        """Write the solution, for `restore` and for `checkpoint=FOLDER` of the commands.

        Args:
            folder: Made if it is not there. A solution in it is replaced.

        Raises:
            OSError: If the disk refuses.
        """
        about = {"loss": self.loss, "steps": self.steps, "seconds": self.seconds}
        save_trial(Path(folder), self.trial, about)


def columns_of(
    problem: Problem, place: Mapping[str, ArrayLike]
) -> tuple[dict[str, Array], tuple[int, ...]]:
    """Inputs as flat columns of one length, and the shape that their arrays have together.

    Raises:
        LookupError: If an input of the problem is missing.
    """
    if missing := [name for name in problem.inputs if name not in place]:
        raise LookupError(
            f"the place has {', '.join(place) or 'no inputs'} and lacks {', '.join(missing)}"
        )
    arrays = np.broadcast_arrays(*(np.asarray(values, np.float64) for values in place.values()))
    return {n: a.ravel() for n, a in zip(place, arrays, strict=True)}, arrays[0].shape


def errors_of(
    problem: Problem, evaluate: Callable[..., dict[str, Array]], truth: Truth
) -> dict[str, tuple[float, float]]:
    """The errors of `Solution.errors` for any way to evaluate expressions."""
    sought = {f.func.__name__: f for f in problem.fields if f.func.__name__ in truth.fields}
    found = evaluate(sought, truth.place)
    return {kind: errors(truth, found, names) for kind, names in kinds(truth)}


def restore(problem: Problem, folder: Path | str) -> Solution:
    """Read a solution that was saved, or the end of a run of `ansatz train`.

    Args:
        problem: That was solved; numbers of points and weights may be others.
        folder: Of the solution.

    Returns:
        The solution. Of a run of `ansatz train`, loss and seconds are not a number.

    Raises:
        FileNotFoundError: If the folder holds none.
        ValueError: If it holds that of another problem, or the weights are damaged.
    """
    trial, about = load_trial(Path(folder), problem)
    loss, seconds = (float(about.get(name, "nan")) for name in ("loss", "seconds"))
    return Solution(trial, problem, loss, about["steps"], seconds)


def solve(
    problem: Problem,
    *,
    network: Network = SMALL,
    derivatives: Way = "taylor",
    train: TrainConfig = QUASI_NEWTON,
    sampling: Sampling | None = None,
    seconds: float | None = None,
    objective: MeanSquares | None = None,
    begin: Trial | None = None,
) -> Solution:
    """Train a network until it fulfills the conditions of a problem.

    Args:
        problem: What is to hold where.
        network: Its shape.
        derivatives: How they are computed.
        train: How training goes.
        sampling: How collocation points are chosen and terms weighted.
        seconds: Wall-clock time after which training ends, if its steps have not.
        objective: The loss.
        begin: A solution with such a network, whose weights are the first; fresh ones otherwise.

    Returns:
        The solution.

    Raises:
        ValueError: If the loss ceases to be finite, or does not go with the optimizer, or `begin`
            has another network.
    """
    loss = objective or MeanSquares()
    if loss.causality and train.optimizer == "ssbroyden":
        raise ValueError(
            "causal weights change with the network, and their gradients do not say so: a line "
            "search of ssbroyden fails on that: take train=FIRST_ORDER, or causality=0"
        )
    if begin is not None and begin.config.network != network:
        raise ValueError(f"`begin` has another network, {begin.config.network}: give it as network")
    torch.manual_seed(train.seed)
    trial = TrialConfig(problem, network, derivatives).build()
    if begin is not None:
        trial.load_state_dict(begin.state_dict())
    suited = (sampling or Sampling()).suited(train.optimizer)
    points = collocation(problem, train.batch_size, suited)
    began, cpu = time.monotonic(), time.process_time()
    with process_group() as world:
        for step in fit(trial, loss, points, train, world=world):
            if step.reading is not None:
                log.info("step %d: loss %.3e", step.number, step.reading["loss"])
            if seconds is not None and time.monotonic() - began > seconds:
                break
    return Solution(
        trial.eval().cpu(), problem, step.loss(), step.number, time.process_time() - cpu
    )
