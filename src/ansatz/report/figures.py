"""Plots of predictions beside the truth: agreement, errors, baselines, intervals.

Each function returns a `Figure`: SVG text and the sentence that says what to see.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from ansatz.core.findings import Figure
from ansatz.report import statistics, style
from ansatz.report.numbers import number
from ansatz.report.statistics import Floats, Interval


def parity(
    truth: ArrayLike,
    predicted: ArrayLike,
    *,
    label: str,
    unit: str = "",
    intervals: ArrayLike | None = None,
    names: Sequence[str] = (),
    caption: str = "",
) -> Figure:
    """Scatter of predicted against true values, with the line on which they agree.

    Args:
        truth: True values, shape (n,).
        predicted: Predicted values, shape (n,).
        label: What the values are.
        unit: Their unit; empty for pure numbers.
        intervals: Lower and upper ends of the predictions' intervals, shape (n, 2).
        names: Of the samples; the three with the largest errors are labeled.
        caption: What to see; a plain sentence if empty.

    Returns:
        A square figure with R² in its corner.
    """
    y, p = np.asarray(truth, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    figure = style.canvas(430, 430)
    axes = style.plot(
        figure,
        style.with_unit(f"{label}, true", unit),
        style.with_unit(f"{label}, predicted", unit),
    )
    if intervals is not None:
        low, high = np.asarray(intervals, dtype=np.float64).T
        axes.vlines(y, low, high, color=style.SERIES[0], linewidth=1.2, alpha=0.4)
    axes.plot(y, p, "o", color=style.SERIES[0], markersize=5, alpha=0.85, markeredgewidth=0)
    _square(axes)
    axes.axline((y[0], y[0]), slope=1, color=style.INK, linewidth=0.8, dashes=(5, 4), zorder=0)
    score = float(statistics.r2(statistics.paired(y, p).mean(axis=0)))
    axes.text(
        0.03, 0.97, f"R² = {number(score)}\nn = {len(y)}",
        transform=axes.transAxes, va="top", color=style.INK, fontsize=style.TEXT_SIZE,
        linespacing=1.5,
    )  # fmt: skip
    _name_the_worst(axes, y, p, names)
    return style.as_svg(
        figure, caption or f"{label}: predicted against true. On the dashed line they agree."
    )


def _square(axes: Axes) -> None:
    """Give both axes one range and one scale, and as few ticks as they need."""
    low = min(axes.get_xlim()[0], axes.get_ylim()[0])
    high = max(axes.get_xlim()[1], axes.get_ylim()[1])
    axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    axes.locator_params(nbins=6)


def _name_the_worst(axes: Axes, y: Floats, p: Floats, names: Sequence[str]) -> None:
    """Label the three largest errors, on the side that faces away from the line."""
    for index in np.argsort(-np.abs(p - y))[: 3 if names else 0]:
        above = bool(p[index] > y[index])
        axes.annotate(
            names[index],
            (y[index], p[index]),
            xytext=(-6, 4) if above else (6, -4),
            textcoords="offset points",
            ha="right" if above else "left",
            va="bottom" if above else "top",
            color=style.INK,
            fontsize=style.TEXT_SIZE - 1,
        )


def histogram(errors: ArrayLike, *, label: str, unit: str = "", caption: str = "") -> Figure:
    """Distribution of signed errors, with zero and the mean marked.

    Args:
        errors: Predicted minus true values, shape (n,).
        label: What the values are.
        unit: Their unit; empty for pure numbers.
        caption: What to see; a plain sentence if empty.

    Returns:
        A figure with the bias and the standard deviation in its corner.
    """
    values = np.asarray(errors, dtype=np.float64)
    figure = style.canvas(430, 330)
    axes = style.plot(figure, style.with_unit(f"Error of {label}", unit), "Samples")
    reach = float(np.abs(values).max()) or 1.0
    # An odd number of bins around zero, so that one bin holds the errors that are none.
    count = 2 * int(np.clip(np.sqrt(len(values)), 3, 20)) + 1
    edges = np.linspace(-reach, reach, count + 1)
    axes.hist(values, edges.tolist(), color=style.SERIES[0], alpha=0.75, rwidth=0.94)
    axes.axvline(0, color=style.INK, linewidth=0.8)
    axes.axvline(float(values.mean()), color=style.SERIES[1], linewidth=1.5)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.text(
        0.03, 0.98, f"mean {number(values.mean(), 3)}\nsd {number(values.std(), 3)}",
        transform=axes.transAxes, va="top", color=style.INK, fontsize=style.TEXT_SIZE,
        linespacing=1.5,
    )  # fmt: skip
    return style.as_svg(
        figure,
        caption or f"Errors of {label} (predicted minus true). The colored line is their mean.",
    )


def bars(
    names: Sequence[str],
    groups: Mapping[str, Sequence[float | Interval]],
    *,
    label: str,
    unit: str = "",
    caption: str = "",
) -> Figure:
    """Values side by side, as those of a model and of its baselines.

    Args:
        names: What is measured, one cluster of bars each.
        groups: Who is measured: for each, one value per name, with its interval if known.
        label: What the values are.
        unit: Their unit; empty for pure numbers.
        caption: What to see; a plain sentence if empty.

    Returns:
        Horizontal bars, whiskers over their intervals, values written at their ends.
    """
    figure = style.canvas(640, 90 + 24 * len(names) * (len(groups) + 0.7))
    axes = style.plot(figure, style.with_unit(label, unit))
    axes.invert_yaxis()
    axes.spines["left"].set_visible(False)
    places = np.arange(len(names)) * (len(groups) + 0.7)
    for row, (group, values) in enumerate(groups.items()):
        color = style.SERIES[row % len(style.SERIES)]
        bounded = [v if isinstance(v, Interval) else Interval(v, v, v) for v in values]
        heights = [v.value for v in bounded]
        axes.barh(places + row, heights, height=0.84, color=color, alpha=0.85, label=group)
        for place, value in zip(places + row, bounded, strict=True):
            if value.low < value.high:
                axes.plot(value.ends, (place, place), color=style.INK, linewidth=1.2)
            axes.annotate(
                number(value.value, 3), (np.nanmax([value.value, value.high]), place),
                xytext=(5, 0), textcoords="offset points", va="center",
                color=style.INK, fontsize=style.TEXT_SIZE,
            )  # fmt: skip
    axes.set_yticks((places + (len(groups) - 1) / 2).tolist(), names)
    axes.tick_params(axis="y", length=0)
    axes.margins(x=0.12)
    style.legend(figure, len(groups))
    return style.as_svg(figure, caption or f"{label}, with 95 % intervals where known.")


def calibration(
    nominal: ArrayLike,
    observed: ArrayLike,
    *,
    label: str = "Predicted intervals",
    caption: str = "",
) -> Figure:
    """How often intervals hold the truth, against how often they say they do.

    Args:
        nominal: Levels of the intervals, between 0 and 1, shape (n,).
        observed: Shares of true values inside, shape (n,).
        label: What the intervals belong to.
        caption: What to see; a plain sentence if empty.

    Returns:
        A square figure with the line of honest intervals.
    """
    figure = style.canvas(400, 400)
    axes = style.plot(figure, "Nominal level", "Observed coverage")
    axes.plot((0, 1), (0, 1), color=style.INK, linewidth=0.8, dashes=(5, 4))
    x, y = np.asarray(nominal, dtype=np.float64), np.asarray(observed, dtype=np.float64)
    axes.fill_between(x, x, y, color=style.SERIES[0], alpha=0.15, linewidth=0)
    axes.plot(x, y, "o-", color=style.SERIES[0], markersize=4, linewidth=1.5)
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.locator_params(nbins=5)
    return style.as_svg(
        figure, caption or f"{label}: below the dashed line they are too narrow, above it too wide."
    )
