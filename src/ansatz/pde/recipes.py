"""From a problem to a recipe: `ansatz train`, `check`, `predict` and `serve` for it.

The problems that ship are in `ansatz.pde.problems`. One of your own becomes a command by an entry
point of the group `ansatz.recipes` in your package, at a function that returns `solved(...)`.
"""

from collections.abc import Callable, Mapping, Sequence

from ansatz.core.recipe import Recipe, Reference, TrainConfig
from ansatz.pde.checks import CHECKS
from ansatz.pde.dataset import Collocation
from ansatz.pde.networks import Network
from ansatz.pde.objective import MeanSquares
from ansatz.pde.predictor import load_solution
from ansatz.pde.problem import Problem
from ansatz.pde.quantities import Quantity
from ansatz.pde.request import request_type
from ansatz.pde.sampling import Sampling
from ansatz.pde.solving import QUASI_NEWTON, SMALL
from ansatz.pde.trial import TrialConfig
from ansatz.pde.truth import Truth


def solved(
    name: str,
    title: str,
    problem: Problem,
    truths: Callable[[], Sequence[Truth]],
    *,
    network: Network = SMALL,
    train: TrainConfig = QUASI_NEWTON,
    objective: MeanSquares | None = None,
    sampling: Sampling | None = None,
    quantities: Mapping[str, Quantity] | None = None,
    references: Mapping[str, Reference] | None = None,
    shipped: str = "",
) -> Recipe:
    """A recipe from a problem.

    Args:
        name: `pde/problem`.
        title: One line.
        problem: To solve.
        truths: Computes what is known.
        network: Shape of the network.
        train: How it is trained.
        objective: The loss.
        sampling: How collocation points are chosen and terms weighted.
        quantities: Derived numbers by name.
        references: Solvers for `check ... with=NAME`.
        shipped: Folder of the checkpoint, if one ships.
    """
    model = TrialConfig(problem, network)
    return Recipe(
        name=name,
        title=title,
        data=Collocation(problem, truths, (sampling or Sampling()).suited(train.optimizer)),
        model=model,
        objective=objective or MeanSquares(),
        request=request_type(problem),
        predictor=lambda folder: load_solution(folder, problem, quantities or {}),
        train=train,
        checks=CHECKS,
        references=references or {},
        shipped=shipped,
    )
