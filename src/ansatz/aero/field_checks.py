"""Fields on the surface against CFD: relative errors beside the baselines', and pictures."""

from collections.abc import Sequence

import numpy as np

from ansatz.aero.car import CarAnswer
from ansatz.aero.comparison import (
    MODEL,
    SOURCE,
    everyone,
    field_energies,
    field_errors,
    known_ends,
    pairs,
    with_fields,
)
from ansatz.aero.painting import CP, painted, small_triangles
from ansatz.aero.truth import CarTruth
from ansatz.core.findings import Case, Figure, Finding, Section, Table
from ansatz.report import figures, statistics
from ansatz.report.gallery import panels
from ansatz.report.pictures import Scale

FIELD_BOUNDS = {"surface_pressure": 0.25, "wall_shear": 0.3}
ERROR = Scale("Cp, predicted less CFD", -0.3, 0.3, "RdBu_r")
SHOWN = 6  # bodies without truth that are painted


def check_fields(cases: Sequence[Case]) -> Section:
    """Pressure and wall shear stress on the surface against CFD, beside the baselines.

    Args:
        cases: Those without a solution are left out.
    """
    known = with_fields(cases)
    if not known:
        return Section("Surface fields", text="There is no solution to compare the fields with.")
    names = [who for who in everyone(known) if len(pairs(known, who)) == len(known)]
    groups = {who: field_errors(pairs(known, who)) for who in names}
    findings = [
        Finding(f"{name}_rel_l2", error.value, "", bound, SOURCE, False, known_ends(error))
        for (name, bound), error in zip(FIELD_BOUNDS.items(), groups[MODEL], strict=True)
    ]
    bars = figures.bars(
        ("pressure", "wall shear stress"),
        groups,
        label="Relative L2 error",
        caption="Area-weighted relative L2 errors over all cars, with 95 % bootstrap intervals.",
    )
    return Section("Surface fields", tuple(findings), "", (bars,), (error_table(known),))


def error_table(cases: Sequence[Case]) -> Table:
    """Relative L2 errors of the fields, car by car."""
    rows = [
        [case.name, *statistics.relative_l2(field_energies(case.truth, case.answer)).tolist()]
        for case in cases
    ]
    return Table(("car", "pressure", "wall shear stress"), rows, "Relative L2 errors by car.")


# ----------------------------------------------------------------------------------- pictures
def check_pictures(cases: Sequence[Case]) -> Section:
    """The worst cars with their errors, or the predicted pressure where there is no truth.

    Args:
        cases: With truth or without.
    """
    known = with_fields(cases)
    if not known:
        return Section("Pictures", figures=tuple(pressure_figure(case) for case in cases[:SHOWN]))
    errors = [
        float(statistics.relative_l2(field_energies(case.truth, case.answer))[0]) for case in known
    ]
    order = np.argsort(errors)[::-1]
    worst = [known[index] for index in order[:3]]
    best = [known[order[-1]]] if len(known) > len(worst) else []
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
    pressure = case.answer.pressure
    pictures = [
        painted(triangles, truth.surface, values / q, view="iso-rear", scale=scale)
        for values, scale in (
            (pressure, CP),
            (truth.pressure, CP),
            (pressure - truth.pressure, ERROR),
        )
    ]
    drag, true_drag = case.answer.loads.coefficients["cd"], truth.coefficients["cd"]
    return panels(
        pictures,
        (f"{case.name}: predicted", "CFD", "difference"),
        scales=(CP, CP, ERROR),
        caption=f"Cd {drag:.3f} predicted, {true_drag:.3f} in CFD.",
    )
