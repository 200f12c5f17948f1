"""What `check` asks of answers about cars.

Metrics have the names and definitions of FluidsBench (Ashton et al., the DrivAerML benchmark): relative
L2 errors of surface fields, weighted by the area of the cells and pooled over the cars as a ratio of
sums; R² of coefficients over the cars. Intervals are 95 % bootstrap intervals over the cars.

A case may have no truth: then only what needs none is checked.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ansatz.aero.calibration import LEVELS
from ansatz.aero.car import CarAnswer
from ansatz.aero.forces import surface_loads
from ansatz.aero.painting import CP, painted, small_triangles
from ansatz.aero.truth import CarTruth
from ansatz.core.findings import Case, Figure, Finding, Section, Table
from ansatz.report import figures, statistics
from ansatz.report.bands import coverage
from ansatz.report.gallery import panels
from ansatz.report.pictures import Scale
from ansatz.report.statistics import Interval

COEFFICIENTS = {"cd": "Drag coefficient", "cl": "Lift coefficient", "cm_pitch": "Pitching moment"}
COUNT = 1e-4  # a drag count
SOURCE = "CFD of the test cars"
STAGNATION = 1.05  # Cp at a stagnation point is 1; discretization and sampling add some
Floats = NDArray[np.float64]


def check_forces(cases: Sequence[Case]) -> Section:
    """Coefficients against CFD: the line, R², errors, the order of the cars, and baselines."""
    known = [case for case in cases if case.truth is not None]
    findings: list[Finding] = []
    drawn: list[Figure] = []
    tables: list[Table] = []
    for name, title in COEFFICIENTS.items():
        truth, found = pairs(known, name, lambda case: case.answer)
        if len(known) > 2:
            findings += agreement(name, truth, found)
        if len(known) > 2 and name != "cm_pitch":
            bounds = [case.answer.intervals.get(name, (np.nan, np.nan)) for case in known]
            drawn.append(
                figures.parity(
                    truth,
                    found,
                    label=title,
                    intervals=None if np.isnan(bounds).any() else bounds,
                    names=[case.name for case in known],
                    caption=f"{title}: predicted against CFD, with 90 % intervals.",
                )
            )
            drawn.append(figures.histogram(found - truth, label=title))
    if len(known) > 2:
        tables.append(baseline_table(known))
    tables.append(coefficient_table(cases))
    return Section("Forces", tuple(findings), "", tuple(drawn), tuple(tables))


def agreement(name: str, truth: Floats, found: Floats) -> list[Finding]:
    """How well a coefficient agrees over the cars."""
    rows = statistics.paired(truth, found)
    r2 = statistics.bootstrap(rows, statistics.r2)
    mae = statistics.bootstrap(rows, statistics.mae)
    findings = [
        Finding(f"{name}_r2", r2.value, "", R2_BOUNDS.get(name), SOURCE, True, r2.ends),
        Finding(f"{name}_mae", mae.value, "", None, SOURCE, False, mae.ends),
    ]
    if name in ("cd", "cl"):
        rank = statistics.spearman(truth, found)
        findings.append(Finding(f"{name}_spearman", rank.value, "", 0.8, SOURCE, True, rank.ends))
    return findings


R2_BOUNDS = {"cd": 0.8, "cl": 0.8}


def pairs(
    cases: Sequence[Case], name: str, answer: Callable[[Case], CarAnswer]
) -> tuple[Floats, Floats]:
    """True and predicted values of a coefficient."""
    truth = np.array([case.truth.coefficients[name] for case in cases])
    return truth, np.array([answer(case).loads.coefficients[name] for case in cases])


def baseline_table(cases: Sequence[Case]) -> Table:
    """Mean absolute errors and R² of the model and of the baselines, over the cars that each has."""
    rows: list[list[object]] = []
    for who in ("model", *cases[0].others):
        mine = [case for case in cases if who == "model" or case.others[who] is not None]
        if not mine:
            continue
        row: list[object] = [who, len(mine)]
        for name in ("cd", "cl"):
            truth, found = pairs(
                mine,
                name,
                lambda case, who=who: case.answer if who == "model" else case.others[who],
            )
            error = statistics.paired(truth, found).mean(0)
            row += [float(statistics.mae(error)), float(statistics.r2(error))]
        rows.append(row)
    return Table(
        ("", "cars", "Cd MAE", "Cd R²", "Cl MAE", "Cl R²"),
        rows,
        "The model beside its baselines: the coarse mesh shows what the reference owes to its mesh.",
    )


def coefficient_table(cases: Sequence[Case]) -> Table:
    """Every car with its coefficients, intervals and doubts."""
    rows = []
    for case in cases:
        answer: CarAnswer = case.answer
        row: list[object] = [case.name]
        for name in ("cd", "cl"):
            low, high = answer.intervals.get(name, (np.nan, np.nan))
            value = answer.loads.coefficients[name]
            row += [value, f"{low:.3f} to {high:.3f}"]
            row.append(case.truth.coefficients[name] if case.truth is not None else "")
        rows.append([*row, answer.ood_score, "; ".join(answer.notes)])
    header = (
        "car",
        "Cd",
        "90 % interval",
        "CFD",
        "Cl",
        "90 % interval",
        "CFD",
        "distance",
        "notes",
    )
    return Table(header, rows, "Distance: from the training cars; above 1 is unfamiliar.")


# ------------------------------------------------------------------------------------- fields
def check_fields(cases: Sequence[Case]) -> Section:
    """Pressure and wall shear stress on the surface against CFD, beside the baselines."""
    known = [case for case in cases if case.truth is not None and len(case.truth.surface)]
    if not known:
        return Section("Surface fields", text="There is no solution to compare the fields with.")
    findings, groups = [], {}
    for who in ("model", *known[0].others):
        mine = [case for case in known if who == "model" or case.others[who] is not None]
        if len(mine) < len(known):
            continue
        groups[who] = field_errors(
            mine, lambda case, who=who: case.answer if who == "model" else case.others[who]
        )
    for name, error in zip(("surface_pressure", "wall_shear"), groups["model"], strict=True):
        findings.append(
            Finding(
                f"{name}_rel_l2", error.value, "", FIELD_BOUNDS[name], SOURCE, False, error.ends
            )
        )
    bars = figures.bars(
        ("pressure", "wall shear stress"),
        groups,
        label="Relative L2 error",
        caption="Area-weighted relative L2 errors over all cars, with 95 % bootstrap intervals.",
    )
    rows = []
    for case in known:
        mine = [relative_errors(case.truth, case.answer)]
        rows.append([case.name, *np.sqrt(mine[0][:, 0] / mine[0][:, 1])])
    table = Table(("car", "pressure", "wall shear stress"), rows, "Relative L2 errors by car.")
    return Section("Surface fields", tuple(findings), "", (bars,), (table,))


FIELD_BOUNDS = {"surface_pressure": 0.25, "wall_shear": 0.3}


def relative_errors(truth: CarTruth, answer: CarAnswer) -> Floats:
    """Energies of error and truth, for pressure and for wall shear stress, (2, 2)."""
    areas = truth.surface.areas.numpy()
    q = truth.stream.dynamic_pressure
    return np.stack(
        [
            statistics.energies(truth.pressure / q, answer.pressure / q, areas),
            statistics.energies(truth.shear / q, answer.shear / q, areas),
        ]
    )


def field_errors(
    cases: Sequence[Case], answer: Callable[[Case], CarAnswer]
) -> tuple[Interval, Interval]:
    """Pooled relative L2 errors of pressure and of wall shear stress."""
    rows = np.stack([relative_errors(case.truth, answer(case)) for case in cases])
    return (
        statistics.bootstrap(rows[:, 0], statistics.relative_l2),
        statistics.bootstrap(rows[:, 1], statistics.relative_l2),
    )


# -------------------------------------------------------------------------------------- trust
def check_trust(cases: Sequence[Case]) -> Section:
    """Whether the numbers agree with one another, and the intervals with the truth."""
    findings = []
    closures = [closure(case) for case in cases if case.truth is not None]
    closures = [value for value in closures if np.isfinite(value)]
    if closures:
        findings.append(
            Finding(
                "force_closure_cd",
                float(np.mean(np.abs(closures))),
                "",
                0.01,
                "drag of the fields on the CFD's cells against the predicted drag",
            )
        )
    largest = max(
        float(case.answer.pressure.max()) / case.answer.loads.stream.dynamic_pressure
        for case in cases
    )
    findings.append(Finding("largest_cp", largest, "", STAGNATION, "Bernoulli: Cp is at most 1"))
    drawn: list[Figure] = []
    known = [case for case in cases if case.truth is not None and case.answer.bands]
    if len(known) > 2:
        names = [name for name in ("cd", "cl", "cm_pitch") if name in known[0].answer.bands]
        shares = [observed_coverage(known, names, level) for level in range(len(LEVELS))]
        drawn.append(figures.calibration(LEVELS, shares, label="Intervals of Cd, Cl and Cm"))
        # Three coefficients of n cars: the binomial spread of n cars, on the safe side.
        slack = 2 * float(np.sqrt(LEVELS[-1] * (1 - LEVELS[-1]) / len(known)))
        findings.append(
            Finding(
                "interval_coverage",
                shares[-1],
                "",
                LEVELS[-1] - slack,
                f"nominal {LEVELS[-1]:.0%}, less two standard errors of {len(known)} cars",
                at_least=True,
            )
        )
    return Section("Trust", tuple(findings), TRUST, tuple(drawn))


TRUST = (
    "Forces are integrals of the predicted fields over the geometry; integrated over the cells of "
    "the CFD mesh instead, they must come out the same. Intervals are conformal: fitted to the "
    "validation cars, and tested here on others."
)


def closure(case: Case) -> float:
    """Drag coefficient of the predicted fields on the truth's cells, less the predicted one."""
    answer: CarAnswer = case.answer
    truth: CarTruth = case.truth
    if len(truth.surface) != len(answer.surface):
        return float("nan")
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


def observed_coverage(cases: Sequence[Case], names: Sequence[str], level: int) -> float:
    """Share of true coefficients inside of their intervals."""
    shares = []
    for name in names:
        truth = np.array([case.truth.coefficients[name] for case in cases])
        low, high = np.array([case.answer.bands[name][level] for case in cases]).T
        shares.append(coverage(truth, low, high))
    return float(np.mean(shares))


# ---------------------------------------------------------------------------------- reference
def check_reference(cases: Sequence[Case]) -> Section:
    """How far the reference itself can be trusted: iterations, and the mesh."""
    known = [case for case in cases if case.truth is not None]
    findings = []
    for name in ("cd", "cl"):
        scatter = [case.truth.scatter[name] for case in known if name in case.truth.scatter]
        if scatter:
            findings.append(
                Finding(
                    f"{name}_iteration_scatter",
                    float(np.mean(scatter)),
                    "",
                    None,
                    "mean standard deviation over the solver's last 80 iterations",
                )
            )
    meshes = [case for case in known if case.others.get("coarse mesh") is not None]
    if meshes:
        error = field_errors(meshes, lambda case: case.others["coarse mesh"])
        for name, value in zip(("surface_pressure", "wall_shear"), error, strict=True):
            findings.append(
                Finding(
                    f"{name}_coarse_mesh_rel_l2",
                    value.value,
                    "",
                    None,
                    f"the same solver on 40 % of the cells, {len(meshes)} cars",
                    interval=value.ends,
                )
            )
    return Section("The reference itself", tuple(findings), REFERENCE)


REFERENCE = (
    "Steady RANS oscillates, and the drag of some bodies depends on the mesh. No model is asked to be "
    "closer to the reference than the reference is to itself."
)


# ----------------------------------------------------------------------------------- pictures
def check_pictures(cases: Sequence[Case]) -> Section:
    """The worst cars with their errors, or the predicted pressure where there is no truth."""
    known = [case for case in cases if case.truth is not None and len(case.truth.surface)]
    if not known:
        return Section("Pictures", figures=tuple(pressure_figure(case) for case in cases[:6]))
    errors = [relative_errors(case.truth, case.answer)[0] for case in known]
    order = np.argsort([-(error[0] / error[1]) for error in errors])
    worst = [known[index] for index in order[:3]]
    best = [known[order[-1]]] if len(known) > 3 else []
    return Section(
        "The worst cars, and the best" if best else "Predicted and true pressure",
        figures=tuple(error_figure(case) for case in worst + best),
    )


def pressure_figure(case: Case) -> Figure:
    """The predicted pressure on a body, from two sides."""
    triangles = small_triangles(case.request.geometry)
    answer: CarAnswer = case.answer
    cp = answer.pressure / answer.loads.stream.dynamic_pressure
    views = [painted(triangles, answer.surface, cp, view=view) for view in ("iso", "iso-rear")]
    return panels(views, (case.name, ""), scales=(CP, None), columns=2, caption="Predicted Cp.")


def error_figure(case: Case) -> Figure:
    """Predicted and true pressure on a body, and their difference."""
    triangles = small_triangles(case.request.geometry)
    truth: CarTruth = case.truth
    q = truth.stream.dynamic_pressure
    scales = (CP, CP, ERROR)
    fields = (case.answer.pressure / q, truth.pressure / q)
    pictures = [
        painted(triangles, truth.surface, values, view="iso-rear", scale=scale)
        for values, scale in zip((*fields, fields[0] - fields[1]), scales, strict=True)
    ]
    drag, true_drag = case.answer.loads.coefficients["cd"], truth.coefficients["cd"]
    return panels(
        pictures,
        (f"{case.name}: predicted", "CFD", "difference"),
        scales=scales,
        caption=f"Cd {drag:.3f} predicted, {true_drag:.3f} in CFD.",
    )


ERROR = Scale("Cp, predicted less CFD", -0.3, 0.3, "RdBu_r")
CHECKS = (check_forces, check_fields, check_trust, check_reference, check_pictures)
