"""Findings as data: the JSON that programs read, and the CSV that spreadsheets do.

Numbers that are not finite have no JSON; they are the texts `nan`, `inf` and `-inf`, which
`float` reads back.
"""

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

from ansatz.core.findings import Finding, Section

Record = dict[str, object]

FIELDS = (
    "section", "name", "value", "unit", "bound", "at_least", "low", "high", "passed", "source",
)  # fmt: skip


def as_json(sections: Sequence[Section], *, recipe: str, report: Path) -> Record:
    """What `check --json` prints and `report.json` holds.

    Args:
        sections: What was found.
        recipe: Name of the recipe that was checked.
        report: Path of the page.

    Returns:
        The recipe's name, one record per finding, and the path of the page.
    """
    findings = [
        {
            "name": finding.name,
            "value": _finite(finding.value),
            "unit": finding.unit,
            "bound": None if finding.bound is None else _finite(finding.bound),
            "passed": bool(finding.passed),
            "source": finding.source,
            "section": section.title,
            "at_least": finding.at_least,
            "interval": [_finite(end) for end in finding.interval] if finding.interval else None,
        }
        for section in sections
        for finding in section.findings
    ]
    return {"recipe": recipe, "findings": findings, "report": str(report)}


def as_csv(sections: Sequence[Section]) -> str:
    """One row per finding under a header; numbers in full precision, what is unknown empty."""
    target = io.StringIO()
    rows = csv.writer(target)
    rows.writerow(FIELDS)
    for section in sections:
        rows.writerows(_row(section.title, finding) for finding in section.findings)
    return target.getvalue()


def _row(section: str, finding: Finding) -> list[object]:
    numbers = [finding.value, finding.bound, *(finding.interval or (None, None))]
    # Through float, because numpy's scalars would be written with the name of their type.
    value, bound, low, high = (None if n is None else float(n) for n in numbers)
    return [
        _literal(section), _literal(finding.name), value, _literal(finding.unit), bound,
        finding.at_least, low, high, bool(finding.passed), _literal(finding.source),
    ]  # fmt: skip


def _literal(text: str) -> str:
    """Text that a spreadsheet does not take for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _finite(value: float) -> float | str:
    # numpy's scalars become Python's, which json knows.
    return float(value) if math.isfinite(value) else str(float(value))
