"""Whether the test split is far enough from what was learned."""

from collections.abc import Sequence

from ansatz.core.findings import Case, Finding, Section, Table
from ansatz.weather.splits import Distance, distances

LEAST_HOURS = 1.0
TEXT = (
    "Weather changes slowly: a test hour right after a training hour asks for what was learned. "
    "Likeness is the correlation of fine detail between fields of one place in two splits, the "
    "closest in time; what mountains and coasts hold in place is alike at any distance, as the "
    "background says, which is that of the fields farthest in time."
)


def check_split(cases: Sequence[Case]) -> Section:
    """How far the splits of the data are from each other."""
    for case in cases:
        if case.truth is not None and case.truth.store is not None:
            return split_section(distances(case.truth.store))
    return Section("Distance of the splits", text="The inputs are of no stored split.")


def split_section(measured: Sequence[Distance]) -> Section:
    """Distances of the splits in time and space, and how alike their fields are.

    Args:
        measured: Of each two splits, `ansatz.weather.splits.distances`.
    """
    findings = [
        finding
        for distance in measured
        if (distance.first, distance.second) == ("train", "test")
        for finding in distance_findings(distance)
    ]
    labels = list(dict.fromkeys(label for each in measured for label in each.likeness))
    rows = [
        [f"{each.first}, {each.second}", each.hours, each.km]
        + [each.likeness.get(label) for label in labels]
        + [each.background.get(label) for label in labels]
        for each in measured
    ]
    header = ("splits", "h", "km", *labels, *(f"{label}, background" for label in labels))
    table = Table(header, rows, "Smallest distances of splits, and likeness of their fine detail.")
    return Section("Distance of the splits", tuple(findings), TEXT, tables=(table,))


def distance_findings(distance: Distance) -> list[Finding]:
    """What separates training from test, and how much more alike it is than at any distance."""
    apart = distance.km > 0
    source = f"areas are {distance.km:.0f} km apart" if apart else "the same areas in both"
    hours = Finding(
        "split_hours", distance.hours, "h", None if apart else LEAST_HOURS, source, at_least=True
    )
    alike = [
        Finding(
            f"split_likeness_{label}",
            value,
            source=f"correlation of fine detail; {distance.background[label]:.2f} at any distance",
        )
        for label, value in distance.likeness.items()
    ]
    return [hours, *alike]
