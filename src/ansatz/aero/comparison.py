"""Answers and truths side by side: who answered what, at the cells of the same solution.

Relative L2 errors are those of FluidsBench (Ashton et al., the DrivAerML benchmark): weighted by
the area of the cells, and pooled over the cars as a ratio of sums.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ansatz.aero.car import CarAnswer
from ansatz.aero.truth import CarTruth
from ansatz.core.findings import Case
from ansatz.report import statistics
from ansatz.report.statistics import Interval

Floats = NDArray[np.float64]
Pair = tuple[CarTruth, CarAnswer]
MODEL = "model"
SOURCE = "CFD of the same cars"


def with_truth(cases: Sequence[Case]) -> list[Case]:
    """The cases whose coefficients are known."""
    return [case for case in cases if case.truth is not None]


def with_fields(cases: Sequence[Case]) -> list[Case]:
    """The cases whose fields on the surface are known."""
    return [case for case in with_truth(cases) if len(case.truth.surface)]


def everyone(cases: Sequence[Case]) -> list[str]:
    """The model and the baselines that answered any of the cases, by name."""
    names = dict.fromkeys(name for case in cases for name in case.others)
    return [who for who in (MODEL, *names) if pairs(cases, who)]


def pairs(cases: Sequence[Case], who: str = MODEL) -> list[Pair]:
    """Truth and answer of the cases that someone answered.

    Args:
        cases: With truth.
        who: The model, or a baseline.
    """
    if who == MODEL:
        return [(case.truth, case.answer) for case in cases]
    found = [(case.truth, case.others.get(who)) for case in cases]
    return [(truth, answer) for truth, answer in found if answer is not None]


def coefficient(pairs: Sequence[Pair], name: str) -> tuple[Floats, Floats]:
    """True and predicted values of a coefficient, (cases,) each."""
    return (
        np.array([truth.coefficients[name] for truth, _ in pairs]),
        np.array([answer.loads.coefficients[name] for _, answer in pairs]),
    )


def field_energies(truth: CarTruth, answer: CarAnswer) -> Floats:
    """Energies of error and truth, for pressure and for wall shear stress, (2, 2).

    Args:
        truth: A solution.
        answer: At the cells of the solution.
    """
    areas = truth.surface.areas.numpy()
    q = truth.stream.dynamic_pressure
    return np.stack(
        [
            statistics.energies(truth.pressure / q, answer.pressure / q, areas),
            statistics.energies(truth.shear / q, answer.shear / q, areas),
        ]
    )


def field_errors(pairs: Sequence[Pair]) -> tuple[Interval, Interval]:
    """Relative L2 errors of pressure and of wall shear stress, pooled over the cases."""
    rows = np.stack([field_energies(truth, answer) for truth, answer in pairs])
    return (
        statistics.bootstrap(rows[:, 0], statistics.relative_l2),
        statistics.bootstrap(rows[:, 1], statistics.relative_l2),
    )


def known_ends(interval: Interval) -> tuple[float, float] | None:
    """The ends of an interval; None where a single case bounds nothing."""
    return interval.ends if np.isfinite(interval.ends).all() else None
