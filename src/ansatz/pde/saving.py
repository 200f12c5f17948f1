"""Solutions on disk, as `ansatz train` writes them: weights, and what they are weights of.

    solution.save("runs/cavity")
    solution = restore(cavity, "runs/cavity")

    model.safetensors   weights and coefficients
    provenance.json     shape of the network, the problem in words, loss, steps, versions

The provenance is written last and removed first: a folder that has one is whole.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ansatz.core.artifacts import PROVENANCE, atomic, write_provenance
from ansatz.core.overrides import override
from ansatz.pde.networks import Network
from ansatz.pde.problem import Problem, stated
from ansatz.pde.trial import Trial, TrialConfig

WEIGHTS = "model.safetensors"


def save_trial(folder: Path, trial: Trial, about: Mapping[str, float]) -> None:
    """Write a trial solution; whoever is interrupted leaves no folder that loads.

    Args:
        folder: Made if it is not there. A solution in it is replaced.
        trial: The solution.
        about: What else to write down.

    Raises:
        OSError: If the disk refuses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PROVENANCE).unlink(missing_ok=True)
    weights = {n: w.detach().cpu().contiguous().clone() for n, w in trial.state_dict().items()}
    with atomic(folder / WEIGHTS) as part:
        save_file(weights, part)
    write_provenance(folder, {"model": trial.config}, overrides=None, parents=None, **about)


def load_trial(folder: Path, problem: Problem) -> tuple[Trial, dict[str, Any]]:
    """Read a trial solution of a problem.

    Args:
        folder: From `save_trial`, or of a run of `ansatz train` that has ended.
        problem: It must have been solved, but for numbers of points and weights.

    Returns:
        The solution, and its provenance.

    Raises:
        FileNotFoundError: If the folder holds no solution.
        ValueError: If it holds that of another problem, or the weights are damaged.
    """
    for name in (WEIGHTS, PROVENANCE):
        if not (folder / name).exists():
            raise FileNotFoundError(
                f"{folder} has no {name}: it is no finished training run and no saved solution"
            )
    try:
        about = json.loads((folder / PROVENANCE).read_text())
        shape = about["recipe"]["model"]
    except (ValueError, LookupError, TypeError) as error:
        raise ValueError(
            f"{folder / PROVENANCE} is damaged, or of something else than a solution: {error!r}"
        ) from error
    _require_same(folder, about, problem)
    network = override(Network(), shape["network"])
    trial = TrialConfig(problem, network, shape["derivatives"], shape["mfd_step"]).build()
    try:
        weights = load_file(folder / WEIGHTS)
        trial.to(next(iter(weights.values())).dtype).load_state_dict(weights)
    except (SafetensorError, RuntimeError, StopIteration) as error:
        raise ValueError(
            f"{folder / WEIGHTS} does not fit the network in {PROVENANCE}, or is damaged: {error}. "
            "Train again, or restore the folder"
        ) from error
    return trial.eval(), about


def _require_same(folder: Path, about: dict[str, Any], problem: Problem) -> None:
    """Refuse the solution of another problem."""
    solved = about["recipe"]["model"].get("problem", "find something that is no solution of a pde")
    before, now = stated(solved).splitlines(), problem.statement.splitlines()
    lines = [f"{a!r}, not {b!r}" for a, b in zip(before, now, strict=False) if a != b]
    lines += [f"{len(before)} lines, not {len(now)}"] * (len(before) != len(now))
    if lines:
        raise ValueError(
            f"{folder} holds a solution of another problem: {lines[0]}. Restore it with the "
            "problem that was solved, or solve this one"
        )
