"""Errors of the ensemble and of its mean, beside the baselines' and beside what they cost."""

from collections.abc import Mapping, Sequence

import numpy as np

from ansatz.core.findings import Case, Figure, Finding, Section, Table
from ansatz.report import figures
from ansatz.report.statistics import Floats, Interval
from ansatz.weather.comparison import (
    BILINEAR,
    CLIMATOLOGY,
    CRPS,
    ENERGY,
    EXPECTED,
    MEAN,
    MODEL,
    Quantity,
    everyone,
    known_ends,
    mae,
    mean_crps,
    quantities,
    rmse,
    score_rows,
    spread_over_error,
    times_of,
    with_truth,
)
from ansatz.weather.scores.blocks import interval, ratio

Rows = Mapping[str, Floats]  # statistics of all cases, by who answered
TEXT = (
    "CRPS is the error of a whole ensemble in the unit of the field; of a single field it is the "
    "mean absolute error, so ensembles and single fields can be compared. It is fair: a larger "
    "ensemble is no advantage. Intervals are 95 %, over times, since patches and members of one "
    "time share its weather. Times that follow one another share some of it too: of a few hours "
    "in a row the intervals are too narrow. "
)
COSTS = ("network evaluations", "s per member")
ONE_TIME = "All cases are of one time, which has no interval: nothing is known of other days."


def check_scores(cases: Sequence[Case]) -> Section:
    """MAE, RMSE, CRPS and spread-skill ratio of each quantity, beside baselines and cost.

    Args:
        cases: Those without a truth are left out.
    """
    known = with_truth(cases)
    if not known:
        return Section("Scores", text="There is no truth to compare the fields with.")
    asked, names, times = quantities(known[0].answer.channels), everyone(known), times_of(known)
    rows = {q: rows_of(known, names, q) for q in asked}
    findings = [finding for q in asked for finding in score_findings(q, rows[q], times)]
    tables = tuple(score_table(q, rows[q], times, cost_of(known, names)) for q in asked)
    text = TEXT + (ONE_TIME if len(set(times)) == 1 else "")
    return Section("Scores", tuple(findings), text, tuple(bars_of(rows, times)), tables)


def rows_of(cases: Sequence[Case], names: Sequence[str], quantity: Quantity) -> Rows:
    """Statistics by who answered, without baselines that are the bilinear one for this quantity."""
    rows = {who: score_rows(cases, who, quantity) for who in names}
    plain = rows.get(BILINEAR)
    return {
        who: mine
        for who, mine in rows.items()
        if who in (MODEL, MEAN, BILINEAR) or plain is None or not np.array_equal(mine, plain)
    }


def score_findings(quantity: Quantity, rows: Rows, times: Sequence[str]) -> list[Finding]:
    """The model's scores, and its CRPS over everyone else's, which should be below 1.

    Nobody asks whether it is better than the climatology; that is in the table.
    """
    mine = rows[MODEL]
    source = f"cases: {len(mine)}, times: {len(set(times))}"
    findings = []
    for name, metric in (("crps", mean_crps), ("mae", mae), ("rmse", rmse)):
        found = interval(mine, times, metric)
        findings.append(
            Finding(
                f"{name}_{quantity.name}", found.value, quantity.unit, None, source,
                interval=known_ends(found),
            )
        )  # fmt: skip
    column, score = (ENERGY, "energy") if quantity.is_wind else (CRPS, "crps")
    for who in [who for who in rows if who not in (MODEL, CLIMATOLOGY)]:
        found = over(mine, rows[who], times, column)
        name = f"{score}_{quantity.name}_over_{who.replace(' ', '_')}"
        findings.append(
            Finding(name, found.value, "", 1.0, f"{who}, same cases", False, known_ends(found))
        )
    return findings


def over(rows: Floats, others: Floats, times: Sequence[str], column: int = CRPS) -> Interval:
    """A score over that of someone else on the same cases, with its paired interval."""
    return interval(np.stack([rows[:, column], others[:, column]], 1), times, ratio)


def cost_of(cases: Sequence[Case], names: Sequence[str]) -> dict[str, tuple[float, float | None]]:
    """Network evaluations and seconds for one member, by who answered."""
    costs: dict[str, tuple[float, float | None]] = {}
    for who in names:
        answers = [case.answer if who in (MODEL, MEAN) else case.others[who] for case in cases]
        seconds = [answer.seconds / len(answer.members) for answer in answers]
        # A baseline takes no time of a device, and does not say any.
        costs[who] = (int(answers[0].evaluations), float(np.mean(seconds)) or None)
    # The mean is evaluated once for all members, and nobody took its time alone.
    return costs | ({MEAN: (1, None)} if MEAN in costs else {})


def score_table(
    quantity: Quantity,
    rows: Rows,
    times: Sequence[str],
    costs: Mapping[str, tuple[float, float | None]],
) -> Table:
    """Scores of one quantity, a row for each who answered."""
    bounds = ("from", "to") if len(set(times)) > 1 else ()
    vector = ("energy score",) if quantity.is_wind else ()
    cells = []
    for who, mine in rows.items():
        means, found = mine.mean(0), interval(mine, times, mean_crps)
        row = [who, float(mae(means)), float(rmse(means)), found.value]
        row += found.ends if bounds else ()
        row += [float(means[ENERGY])] if vector else []
        row.append(float(spread_over_error(means)) if means[EXPECTED] > 0 else None)
        cells.append([*row, *costs[who]])
    header = ("", "MAE", "RMSE", "CRPS", *bounds, *vector, "spread-skill", *COSTS)
    unit = f", {quantity.unit}" if quantity.unit else ""
    return Table(header, cells, f"{quantity.name}{unit}: errors, and what one member costs.")


def bars_of(rows: Mapping[Quantity, Rows], times: Sequence[str]) -> list[Figure]:
    """CRPS over that of the interpolated input."""
    if not all(BILINEAR in each for each in rows.values()):
        return []
    shown = [who for who in (MODEL, MEAN, BILINEAR) if who in next(iter(rows.values()))]
    groups = {
        who: [over(each[who], each[BILINEAR], times) for each in rows.values()] for who in shown
    }
    caption = "CRPS over that of the bilinear input: below 1 is better."
    if len(set(times)) > 1:
        caption += " 95 % intervals over times."
    names = [quantity.name for quantity in rows]
    return [figures.bars(names, groups, label="CRPS / bilinear", caption=caption)]
