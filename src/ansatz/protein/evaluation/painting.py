"""Figures of a check: values with intervals on an axis of their own range, and a histogram.

Perplexities of 16 and 17 are far apart, and bars from zero would hide it.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from ansatz.core.findings import Figure
from ansatz.report import style
from ansatz.report.statistics import Floats, Interval


def dots(
    names: Sequence[str], series: Mapping[str, Sequence[Interval]], *, label: str, caption: str
) -> Figure:
    """Values of several models, a row per name.

    Args:
        names: What is measured.
        series: Who is measured: for each, one value per name.
        label: Of the axis.
        caption: What to see.
    """
    figure = style.canvas(640, 90 + 34 * len(names))
    axes = style.plot(figure, label)
    axes.invert_yaxis()
    axes.spines["left"].set_visible(False)
    rows = np.arange(len(names))
    for index, (who, values) in enumerate(series.items()):
        color = style.SERIES[index % len(style.SERIES)]
        place = rows + 0.14 * (index - (len(series) - 1) / 2)
        axes.hlines(
            place, [v.low for v in values], [v.high for v in values], color=color, linewidth=1.6
        )
        axes.plot([v.value for v in values], place, "o", color=color, markersize=6, label=who)
    axes.set_yticks(rows.tolist(), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=style.FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    style.legend(figure, min(len(series), 4))
    return style.as_svg(figure, caption)


def shares(values: Floats, *, label: str, caption: str) -> Figure:
    """Histogram of values between 0 and 1."""
    figure = style.canvas(430, 300)
    axes = style.plot(figure, label, "Records")
    edges = np.linspace(0, 1, 21).tolist()
    axes.hist(values, edges, color=style.SERIES[0], alpha=0.75, rwidth=0.94)
    axes.set_xlim(0, 1)
    axes.set_yscale("symlog", linthresh=1)
    return style.as_svg(figure, caption)
