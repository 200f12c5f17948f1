"""Forces against CFD: errors, R² and order of the coefficients, over cars and car by car."""

from collections.abc import Sequence

import numpy as np

from ansatz.aero.car import CarAnswer
from ansatz.aero.comparison import (
    SOURCE,
    Floats,
    coefficient,
    everyone,
    known_ends,
    pairs,
    with_truth,
)
from ansatz.core.findings import Case, Figure, Finding, Section, Table
from ansatz.report import figures, statistics

COEFFICIENTS = {"cd": "Drag coefficient", "cl": "Lift coefficient", "cm_pitch": "Pitching moment"}
R2_BOUNDS = {"cd": 0.8, "cl": 0.8}
RANK_BOUND = 0.8  # of Spearman's ρ: who compares designs asks which is better
ENOUGH = 3  # cars of which a correlation says anything
NO_INTERVAL = (float("nan"), float("nan"))


def check_forces(cases: Sequence[Case]) -> Section:
    """Coefficients against CFD: the line, R², errors, the order of the cars, and baselines.

    Args:
        cases: With truth or without. Of fewer than three with truth only differences are found.
    """
    known = with_truth(cases)
    tables = [coefficient_table(cases), *note_tables(cases)]
    if len(known) < ENOUGH:
        return Section("Forces", tuple(differences(known)), tables=tuple(tables))
    findings: list[Finding] = []
    drawn: list[Figure] = []
    for name in COEFFICIENTS:
        truth, found = coefficient(pairs(known), name)
        findings += agreement(name, truth, found)
        if name in R2_BOUNDS:
            drawn += agreement_figures(known, name)
    return Section("Forces", tuple(findings), "", tuple(drawn), (baseline_table(known), *tables))


def differences(cases: Sequence[Case]) -> list[Finding]:
    """How far the coefficients of single cars are from their truth."""
    findings = []
    for name in COEFFICIENTS if cases else ():
        truth, found = coefficient(pairs(cases), name)
        error = float(np.abs(found - truth).mean())
        findings.append(Finding(f"{name}_error", error, source=cases[0].truth.name))
    return findings


def agreement(name: str, truth: Floats, found: Floats) -> list[Finding]:
    """How well a coefficient agrees over the cars.

    Args:
        name: Of the coefficient.
        truth: True values, (cars,).
        found: Predicted values, (cars,).
    """
    rows = statistics.paired(truth, found)
    r2 = statistics.bootstrap(rows, statistics.r2)
    mae = statistics.bootstrap(rows, statistics.mae)
    bound = R2_BOUNDS.get(name)
    findings = [
        Finding(f"{name}_r2", r2.value, "", bound, SOURCE, True, known_ends(r2)),
        Finding(f"{name}_mae", mae.value, "", None, SOURCE, False, known_ends(mae)),
    ]
    if name in R2_BOUNDS:
        rank = statistics.spearman(truth, found)
        ends = known_ends(rank)
        findings.append(Finding(f"{name}_spearman", rank.value, "", RANK_BOUND, SOURCE, True, ends))
    return findings


def agreement_figures(cases: Sequence[Case], name: str) -> tuple[Figure, Figure]:
    """Predicted against true values of a coefficient, and the distribution of the errors."""
    truth, found = coefficient(pairs(cases), name)
    title = COEFFICIENTS[name]
    bounds = [case.answer.intervals.get(name, NO_INTERVAL) for case in cases]
    all_known = bool(np.isfinite(bounds).all())
    parity = figures.parity(
        truth,
        found,
        label=title,
        intervals=bounds if all_known else None,
        names=[case.name for case in cases],
        caption=f"{title}: predicted against CFD"
        + (", with 90 % intervals." if all_known else "."),
    )
    return parity, figures.histogram(found - truth, label=title)


def baseline_table(cases: Sequence[Case]) -> Table:
    """Mean absolute errors and R² of the model and of the baselines, over the cars each has."""
    rows: list[list[object]] = []
    for who in everyone(cases):
        mine = pairs(cases, who)
        row: list[object] = [who, len(mine)]
        for name in ("cd", "cl"):
            error = statistics.paired(*coefficient(mine, name)).mean(0)
            row += [float(statistics.mae(error)), float(statistics.r2(error))]
        rows.append(row)
    return Table(
        ("", "cars", "Cd MAE", "Cd R²", "Cl MAE", "Cl R²"),
        rows,
        "The model beside its baselines: the coarse mesh shows what the reference owes to its own.",
    )


def coefficient_table(cases: Sequence[Case]) -> Table:
    """Every car with its coefficients, intervals and doubts, beside the truth where it is known."""
    rows = []
    for case in cases:
        answer: CarAnswer = case.answer
        row: list[object] = [case.name]
        for name in ("cd", "cl"):
            ends = answer.intervals.get(name)
            row.append(answer.loads.coefficients[name])
            row.append("" if ends is None else f"{ends[0]:.3f} to {ends[1]:.3f}")
            row.append(case.truth.coefficients[name] if case.truth is not None else "")
        rows.append([*row, answer.ood_score])
    columns = ("90 % interval", "CFD")
    header = ("car", "Cd", *columns, "Cl", *columns, "distance")
    return Table(header, rows, "Distance: from the training cars; above 1 is unfamiliar.")


def note_tables(cases: Sequence[Case]) -> list[Table]:
    """What was noticed, with the cars that it was noticed at; no table if nothing was."""
    cars: dict[str, list[str]] = {}
    for case in cases:
        for note in case.answer.notes:
            cars.setdefault(note, []).append(case.name)
    rows = [
        [note, "all" if len(names) == len(cases) > 1 else ", ".join(names)]
        for note, names in cars.items()
    ]
    return [Table(("note", "cars"), rows, "What was noticed.")] if rows else []
