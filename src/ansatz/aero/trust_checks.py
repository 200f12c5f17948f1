"""Whether numbers agree with one another, intervals with the truth, and the truth with itself."""

from collections.abc import Sequence

import numpy as np

from ansatz.aero.calibration import LEVELS
from ansatz.aero.car import CarAnswer
from ansatz.aero.comparison import field_errors, pairs, with_fields, with_truth
from ansatz.aero.force_checks import COEFFICIENTS, ENOUGH
from ansatz.aero.forces import surface_loads
from ansatz.aero.roughness import roughness
from ansatz.aero.truth import CarTruth
from ansatz.core.findings import Case, Figure, Finding, Section
from ansatz.report import figures, statistics
from ansatz.report.bands import coverage

STAGNATION = 1.05  # Cp at a stagnation point is 1; discretization and sampling add some
CLOSURE = 0.01  # of Cd
TRUST = (
    "Forces are integrals of the predicted fields over the geometry; integrated over the cells of "
    "the CFD mesh instead, they must come out the same. Intervals are conformal: fitted to the "
    "validation cars, and tested here on others."
)
FIELDS = ("surface_pressure", "wall_shear")
REFERENCE = (
    "Steady RANS oscillates, the drag of some bodies depends on the mesh, and stored fields are "
    "rough from cell to cell. No model is asked to be closer to the reference than the reference "
    "is to itself."
)


def check_trust(cases: Sequence[Case]) -> Section:
    """Whether the numbers agree with one another, and the intervals with the truth.

    Args:
        cases: With truth or without.
    """
    findings: list[Finding] = []
    closures = [closure(*pair) for pair in pairs(with_fields(cases))]
    if closures:
        source = "drag of the fields on the CFD's cells against the predicted drag"
        error = float(np.mean(np.abs(closures)))
        findings.append(Finding("force_closure_cd", error, "", CLOSURE, source))
    largest = max((largest_cp(case.answer) for case in cases), default=0.0)
    findings.append(Finding("largest_cp", largest, "", STAGNATION, "Bernoulli: Cp is at most 1"))
    drawn: list[Figure] = []
    known = [case for case in with_truth(cases) if case.answer.bands]
    if len(known) >= ENOUGH:
        shares = [observed_coverage(known, level) for level in range(len(LEVELS))]
        drawn.append(figures.calibration(LEVELS, shares, label="Intervals of Cd, Cl and Cm"))
        findings.append(coverage_finding(shares[-1], len(known)))
    return Section("Trust", tuple(findings), TRUST, tuple(drawn))


def largest_cp(answer: CarAnswer) -> float:
    """The largest pressure coefficient of an answer."""
    return float(answer.pressure.max()) / answer.loads.stream.dynamic_pressure


def closure(truth: CarTruth, answer: CarAnswer) -> float:
    """Drag coefficient of the predicted fields on the truth's cells, less the predicted one."""
    loads = answer.loads
    there = surface_loads(
        truth.surface,
        answer.pressure,
        answer.shear,
        stream=loads.stream,
        reference_area=loads.reference_area,
        reference_length=loads.reference_length,
        center=loads.center,
    )
    return there.coefficients["cd"] - loads.coefficients["cd"]


def observed_coverage(cases: Sequence[Case], level: int) -> float:
    """Share of true coefficients inside of their intervals of one of `LEVELS`."""
    shares = []
    for name in COEFFICIENTS:
        mine = [case for case in cases if name in case.answer.bands]
        if mine:
            truth = [case.truth.coefficients[name] for case in mine]
            low, high = np.array([case.answer.bands[name][level] for case in mine]).T
            shares.append(coverage(truth, low, high))
    return float(np.mean(shares))


def coverage_finding(share: float, num_cars: int) -> Finding:
    """The share inside of the widest intervals, held to its level."""
    # Three coefficients of n cars: the binomial spread of n cars, on the safe side.
    slack = 2 * float(np.sqrt(LEVELS[-1] * (1 - LEVELS[-1]) / num_cars))
    source = f"nominal {LEVELS[-1]:.0%}, less two standard errors of {num_cars} cars"
    return Finding("interval_coverage", share, "", LEVELS[-1] - slack, source, at_least=True)


# ---------------------------------------------------------------------------------- reference
def check_reference(cases: Sequence[Case]) -> Section:
    """How far the reference itself can be trusted: iterations, and the mesh.

    Args:
        cases: With truth or without.
    """
    known = with_truth(cases)
    findings = []
    for name in ("cd", "cl"):
        scatter = [case.truth.scatter[name] for case in known if name in case.truth.scatter]
        if scatter:
            source = "mean standard deviation over the solver's last iterations"
            findings.append(
                Finding(f"{name}_iteration_scatter", float(np.mean(scatter)), source=source)
            )
    solved = with_fields(cases)
    if solved:
        source = "the reference's fields at each cell against what its neighbours say"
        rows = np.stack([roughness(case.truth) for case in solved]).mean(0)
        findings += [
            Finding(f"{name}_roughness_rel_l2", float(statistics.relative_l2(row)), source=source)
            for name, row in zip(FIELDS, rows, strict=True)
        ]
    meshes = pairs(solved, "coarse mesh")
    if meshes:
        source = f"the same solver on 40 % of the cells, {len(meshes)} cars"
        findings += [
            Finding(f"{name}_coarse_mesh_rel_l2", error.value, source=source)
            for name, error in zip(FIELDS, field_errors(meshes), strict=True)
        ]
    return Section("The reference itself", tuple(findings), REFERENCE if known else "")
