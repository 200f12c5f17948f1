"""Answers and truths side by side: who answered what, and the statistics that scores are made of.

A quantity is an output, or the speed of a wind whose two components are outputs. The statistics of
a case are means over its cells, so that scores of all cases, and of resampled times, are functions
of means of rows (`ansatz.weather.scores.blocks`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ansatz.core.findings import Case
from ansatz.report.statistics import Floats, Interval
from ansatz.weather.answer import Ensemble, Truth
from ansatz.weather.channels import Channels, labels
from ansatz.weather.scores.ensembles import (
    Values,
    crps,
    energy_score,
    expected_square,
    spread_skill,
)
from ansatz.weather.scores.winds import speed, wind_pairs

MODEL, MEAN = "model", "mean only"
BILINEAR, CLIMATOLOGY = "bilinear", "climatology"
MAE, MSE, CRPS, EXPECTED, ENERGY = range(5)  # columns of `score_rows`


@dataclass(frozen=True)
class Quantity:
    """What is scored.

    Attributes:
        name: Label of the output, or `wind10` for the speed of 10u and 10v.
        unit: Of its values.
        columns: The output, or both components of the wind.
    """

    name: str
    unit: str
    columns: tuple[int, ...]

    @property
    def is_wind(self) -> bool:
        """Whether it is the speed of a wind."""
        return len(self.columns) == 2

    def parts(self, fields: Values) -> Floats:
        """The output, or both components, shape (..., parts, H, W), of fields (..., C, H, W)."""
        return fields[..., list(self.columns), :, :].astype(np.float64)

    def of(self, fields: Values) -> Floats:
        """Its values, shape (..., H, W), of fields (..., C, H, W)."""
        parts = self.parts(fields)
        return (
            speed(parts[..., 0, :, :], parts[..., 1, :, :]) if self.is_wind else parts[..., 0, :, :]
        )


def quantities(channels: Channels) -> list[Quantity]:
    """The outputs, and the speeds of the winds among them."""
    names = labels(channels.outputs)
    outputs = [
        Quantity(name, channel.unit, (place,))
        for place, (name, channel) in enumerate(zip(names, channels.outputs, strict=True))
    ]
    winds = [
        Quantity("wind" + names[u].replace("u", "", 1), channels.outputs[u].unit, (u, v))
        for u, v in wind_pairs(names)
    ]
    return outputs + winds


# ------------------------------------------------------------------------------------- cases
def with_truth(cases: Sequence[Case]) -> list[Case]:
    """The cases whose fine fields are known: to the data set, or from the file that was asked."""
    told = [case if case.truth is not None else told_by_file(case) for case in cases]
    return [case for case in told if case.truth is not None]


def told_by_file(case: Case) -> Case:
    """A case with the truth that its own input brought, if it did."""
    answer: Ensemble = case.answer
    if answer.truth is None:
        return case
    return replace(case, truth=Truth(answer.truth, answer.time, answer.region))


def everyone(cases: Sequence[Case]) -> list[str]:
    """Who answered all cases: the model, its first stage if there are two, and baselines."""
    names = dict.fromkeys(name for case in cases for name in case.others)
    all_of = [who for who in names if all(case.others.get(who) is not None for case in cases)]
    stages = [MODEL] if all(is_mean(case.answer) for case in cases) else [MODEL, MEAN]
    return stages + all_of


def is_mean(answer: Ensemble) -> bool:
    """Whether an ensemble is nothing but the mean of the first stage."""
    return len(answer.members) == 1 and np.array_equal(answer.members[0], answer.mean)


def members_of(case: Case, who: str) -> Values:
    """What someone answered, shape (members, outputs, H, W)."""
    answer: Ensemble = case.answer if who in (MODEL, MEAN) else case.others[who]
    return answer.mean[None] if who == MEAN else answer.members


def times_of(cases: Sequence[Case]) -> list[str]:
    """The times of cases: what is resampled."""
    return [case.truth.time for case in cases]


# -------------------------------------------------------------------------------- statistics
def score_rows(cases: Sequence[Case], who: str, quantity: Quantity) -> Floats:
    """Statistics of each case, shape (cases, 5).

    Absolute and squared error of the ensemble's mean, fair CRPS, the squared error that a reliable
    ensemble of this spread would have, and the energy score of the wind (the CRPS of all else).
    """
    return np.stack([_row(members_of(case, who), case.truth.fine, quantity) for case in cases])


def _row(members: Values, fine: Values, quantity: Quantity) -> Floats:
    """Statistics of one case, means over its cells."""
    ensemble, truth = quantity.of(members), quantity.of(fine)
    error = ensemble.mean(0) - truth
    score = crps(ensemble, truth)
    vectors = (quantity.parts(members), quantity.parts(fine))
    energy = energy_score(*vectors) if quantity.is_wind else score
    fields = (np.abs(error), error**2, score, expected_square(ensemble), energy)
    return np.array([field.mean() for field in fields])


def mae(means: Floats) -> Floats:
    """Mean absolute error of the ensemble's mean, of mean `score_rows`."""
    return means[..., MAE]


def rmse(means: Floats) -> Floats:
    """Root of the mean squared error of the ensemble's mean, of mean `score_rows`."""
    return np.sqrt(means[..., MSE])


def mean_crps(means: Floats) -> Floats:
    """Fair CRPS, of mean `score_rows`."""
    return means[..., CRPS]


def spread_over_error(means: Floats) -> Floats:
    """Spread-skill ratio, of mean `score_rows`."""
    return spread_skill(means[..., EXPECTED], means[..., MSE])


def known_ends(interval: Interval) -> tuple[float, float] | None:
    """The ends of an interval; None where a single time bounds nothing."""
    return interval.ends if np.isfinite(interval.ends).all() else None
