"""Whether the members of an ensemble differ as much as they should."""

from collections.abc import Sequence

import numpy as np
import torch

from ansatz.core.findings import Case, Figure, Finding, Section, Table
from ansatz.report.statistics import Floats
from ansatz.weather.comparison import (
    MODEL,
    Quantity,
    known_ends,
    members_of,
    quantities,
    score_rows,
    spread_over_error,
    times_of,
    with_truth,
)
from ansatz.weather.grid import block_mean, nearest
from ansatz.weather.inputs import Fields
from ansatz.weather.plots import ranks_figure
from ansatz.weather.scores.blocks import interval
from ansatz.weather.scores.ensembles import rank_histogram, reliability_index

LEAST, MOST = 0.8, 1.2
TEXT = (
    "The spread-skill ratio is the error that an ensemble of this spread expects over the error "
    "that its mean has: below 1 it is too sure. The truth should have every rank among the members "
    "equally often; a histogram like a bowl says too narrow, like a dome too wide. "
)
REAL = (
    "Where the truth is an ensemble itself, each of its members has a coarse field, and the model "
    "gives one fine field for each: the spread of these fields should be that of the real members. "
    "Most of it is in the coarse fields already; what the model adds is inside of the coarse cells."
)


def check_spread(cases: Sequence[Case]) -> Section:
    """Spread against error, ranks of the truth, and spread against that of real members.

    Args:
        cases: Those without a truth are left out.
    """
    known = with_truth(cases)
    if not known or len(known[0].answer.members) == 1:
        return Section("Spread", text="A single field has no spread.")
    asked = quantities(known[0].answer.channels)
    findings = [finding for q in asked for finding in ratio_findings(known, q)]
    counts = {q.name: counted_ranks(known, q) for q in asked}
    findings += [
        Finding(f"rank_index_{name}", reliability_index(each), source="0 is even, 2 the worst")
        for name, each in counts.items()
    ]
    drawn: tuple[Figure, ...] = (ranks_figure(counts),)
    groups = real_ensembles(known)
    if not groups:
        return Section("Spread", tuple(findings), TEXT, drawn)
    spreads = {q: real_spreads(groups, q) for q in asked}
    findings += [finding for q, each in spreads.items() for finding in real_findings(q, each)]
    return Section("Spread", tuple(findings), TEXT + REAL, drawn, (real_table(spreads, groups),))


def ratio_findings(cases: Sequence[Case], quantity: Quantity) -> list[Finding]:
    """The spread-skill ratio, held between two bounds."""
    found = interval(score_rows(cases, MODEL, quantity), times_of(cases), spread_over_error)
    return within(f"spread_skill_{quantity.name}", found.value, "1 is reliable", known_ends(found))


def within(
    name: str, value: float, source: str, ends: tuple[float, float] | None = None
) -> list[Finding]:
    """A ratio that should be about one, held to `LEAST` and to `MOST`."""
    return [
        Finding(name, value, "", LEAST, source, True, ends),
        Finding(f"{name}_most", value, "", MOST, source, False, ends),
    ]


def counted_ranks(cases: Sequence[Case], quantity: Quantity) -> Floats:
    """Counts of the truth's ranks over all cells of all cases, shape (members + 1,)."""
    rng = np.random.default_rng(0)
    counts: Floats = np.zeros(len(cases[0].answer.members) + 1)
    for case in cases:
        ensemble, truth = quantity.of(members_of(case, MODEL)), quantity.of(case.truth.fine)
        counts += rank_histogram(ensemble, truth, rng)
    return counts


# ------------------------------------------------------------------------------- real members
def real_ensembles(cases: Sequence[Case]) -> list[list[Case]]:
    """Cases that are members of one real ensemble: one time and place, several members."""
    groups: dict[tuple[object, ...], dict[int, Case]] = {}
    for case in cases:
        asked = case.request.input
        place = asked.place if isinstance(asked, Fields) else ()
        groups.setdefault((case.truth.time, case.truth.region, place), {})[case.truth.member] = case
    return [list(group.values()) for group in groups.values() if len(group) > 1]


def real_spreads(groups: Sequence[Sequence[Case]], quantity: Quantity) -> tuple[Floats, Floats]:
    """Standard deviations over real members and over the model's fields for each of them.

    Returns:
        Of the whole fields, and of what is inside of coarse cells: each real and generated, (2,).
    """
    factor = groups[0][0].answer.channels.factor
    whole, inside = zip(*(_variances(group, quantity, factor) for group in groups), strict=True)
    return np.sqrt(np.mean(whole, axis=0)), np.sqrt(np.mean(inside, axis=0))


def _variances(group: Sequence[Case], quantity: Quantity, factor: int) -> tuple[Floats, Floats]:
    """Variances of one group, whole and inside of coarse cells, each real and generated."""
    size = min(len(case.answer.members) for case in group)
    real = np.stack([quantity.of(case.truth.fine) for case in group])[:, None]
    made = np.stack([quantity.of(members_of(case, MODEL)[:size]) for case in group])
    both = [(each, each - coarse_part(each, factor)) for each in (real, made)]
    whole, inside = np.array([[part.var(0, ddof=1).mean() for part in each] for each in both]).T
    return whole, inside


def coarse_part(fields: Floats, factor: int) -> Floats:
    """The means of coarse cells, on the fine grid (..., H, W)."""
    found: Floats = nearest(block_mean(torch.from_numpy(fields), factor), factor).numpy()
    return found


def real_findings(quantity: Quantity, spreads: tuple[Floats, Floats]) -> list[Finding]:
    """Spreads of the generated fields over those of the real members."""
    whole, inside = spreads
    source = "fields generated for each real member, over the real members"
    total = Finding(f"member_spread_{quantity.name}", float(whole[1] / whole[0]), source=source)
    name = f"member_spread_inside_{quantity.name}"
    return [total, *within(name, float(inside[1] / inside[0]), f"{source}, inside of coarse cells")]


def real_table(
    spreads: dict[Quantity, tuple[Floats, Floats]], groups: Sequence[Sequence[Case]]
) -> Table:
    """Spreads of real and of generated members, in the units of the fields."""
    header = (
        "", "unit", "real members", "generated", "real, inside of cells",
        "generated, inside of cells",
    )  # fmt: skip
    rows = [
        [q.name, q.unit, *whole.tolist(), *inside.tolist()]
        for q, (whole, inside) in spreads.items()
    ]
    caption = f"Spread over {len(groups[0])} real members, at {len(groups)} times and places."
    return Table(header, rows, caption)
