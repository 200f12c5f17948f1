"""What a check says of a solution: errors where something is known, residuals everywhere.

Residuals need no reference. They are evaluated at points that training did not see: a network may
fulfill its equations at its collocation points and nowhere else.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from ansatz.core.findings import Case, Figure, Finding, Section, Table
from ansatz.pde.answer import FieldAnswer
from ansatz.pde.painting import (
    Map,
    Plane,
    comparison,
    curves,
    field_maps,
    grid_picture,
    planes,
    varying,
)
from ansatz.pde.quantities import Number
from ansatz.pde.truth import Truth, errors, kinds
from ansatz.report import style


def check_known(cases: Sequence[Case]) -> Section:
    """Fields against what is known: relative L2 errors, largest differences, pictures."""
    known = [case for case in cases if isinstance(case.truth, Truth)]
    if not known:
        return Section("Known solutions", text="Nothing is known to compare this solution with.")
    findings, rows = [], []
    for case in known:
        for kind, names in kinds(case.truth):
            relative, largest = errors(case.truth, case.answer.fields, names)
            rows.append([case.name, kind, relative, largest, case.truth.source])
            findings += list(_findings(case, kind, relative, largest))
    table = Table(("case", "field", "relative L2", "largest difference", "source"), rows)
    pictures = [figure for case in known for figure in _pictures(case)]
    return Section("Known solutions", tuple(findings), "", tuple(pictures), (table,))


def _findings(case: Case, kind: str, relative: float, largest: float) -> Iterator[Finding]:
    bounds, source = case.truth.bounds, case.truth.source
    is_held = not bounds or kind == next(kinds(case.truth))[0]
    for name, value in (("rel_l2", relative), ("max_error", largest)):
        if name in bounds or not bounds:
            bound = bounds.get(name) if is_held else None
            yield Finding(f"{name}_{kind}_{case.name}", value, "", bound, source)


def _pictures(case: Case) -> Iterator[Figure]:
    """Known and predicted fields of one case."""
    truth, answer = case.truth, case.answer
    names = varying(truth.place)
    if len(names) == 1:
        found = {name: answer.fields[name] for name in truth.fields}
        caption = f"{case.name}: lines are the solution, circles are {truth.source}."
        yield style.as_svg(curves(truth.place[names[0]], found, names[0], truth.fields), caption)
    elif len(truth.grid) > 1:
        shown = planes(truth.place, truth.grid, answer.space)
        for name, known in truth.fields.items():
            difference = answer.fields[name] - known
            shift = difference[np.isfinite(difference)].mean() if name in truth.free else 0.0
            caption = f"{case.name}: known is {truth.source}."
            yield comparison(shown, name, answer.fields[name] - shift, known, caption)


def check_residuals(cases: Sequence[Case]) -> Section:
    """How well the equations hold, away from the collocation points."""
    rows, pictures = [], []
    for case in cases:
        answer: FieldAnswer = case.answer
        for name, values in answer.residuals.items():
            size = np.abs(values[np.isfinite(values)])
            if len(size):
                rows.append([case.name, name, float(np.sqrt(np.mean(size**2))), float(size.max())])
        if answer.grid and answer.residuals:
            pictures.append(_residual_picture(case.name, answer))
    table = Table(("case", "equation", "rms", "largest"), rows, "Residuals of the equations.")
    return Section("Residuals", (), "", tuple(pictures), (table,) if rows else ())


def _residual_picture(name: str, answer: FieldAnswer) -> Figure:
    """Where equations hold least: over one coordinate, or on the planes of a grid."""
    sizes = {f"log10 |{n}|": np.log10(np.abs(r) + 1e-12) for n, r in answer.residuals.items()}
    caption = f"{name}: the solution, and where its equations hold least."

    def row(plane: Plane) -> list[Map]:
        logs = [Map(title, plane.cut(values)) for title, values in sizes.items()]
        return [*field_maps(answer.fields, plane)[:1], *logs][:6]

    canvas = grid_picture(answer.place, answer.grid, answer.space, sizes, row)
    return style.as_svg(canvas, caption)


def check_quantities(cases: Sequence[Case]) -> Section:
    """Derived numbers, as a pressure drop or a coefficient that was found, beside known ones."""
    findings, rows = [], []
    for case in cases:
        known = case.truth.numbers if isinstance(case.truth, Truth) else {}
        if missing := sorted(set(known) - set(case.answer.quantities)):
            raise LookupError(
                f"{missing[0]} of {case.name} is known, and no derived quantity of these points; "
                f"those are {', '.join(case.answer.quantities) or 'none'}"
            )
        for name, number in case.answer.quantities.items():
            if name in known:
                findings.append(_miss(case, name, number))
            spread = "" if number.error is None else number.error
            rows.append([case.name, name, number.value, spread, known.get(name, "")])
    if not rows:
        return Section("Derived quantities", text="This problem has none.")
    caption = "± is the standard error of the quadrature, not that of the solution."
    table = Table(("case", "quantity", "value", "±", "known"), rows, caption)
    return Section("Derived quantities", tuple(findings), tables=(table,))


def _miss(case: Case, name: str, number: Number) -> Finding:
    """How far a number is from the known one: relative to it, unless that is zero."""
    known = case.truth.numbers[name]
    size = abs(known) or 1.0
    error = abs(number.value - known) / size
    reach = 2 * (number.error or 0.0) / size
    return Finding(
        f"{'relative_' if known else ''}error_{name}_{case.name}",
        error,
        bound=case.truth.bounds.get(name),
        source=case.truth.source,
        interval=(max(0.0, error - reach), error + reach) if reach else None,
    )


CHECKS = (check_known, check_quantities, check_residuals)
