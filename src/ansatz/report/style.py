"""One quiet style for all figures, on light and on dark pages.

Figures are SVG with transparent ground. Their few colors are written as CSS variables with a
fallback, `var(--ink, #6d757f)`: inside a report they follow the page from light to dark, alone
they show the fallback. Text stays text, in the font of the page.
"""

import io

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from ansatz.core.findings import Figure

INK = "#6d757f"
FAINT = "#c6cbd1"
SERIES = ("#2f6db3", "#c8683a", "#4f8f6b", "#8a6aa8", "#a3883a")

_VARIABLES = {INK: "ink", FAINT: "faint"} | {
    color: f"series-{number}" for number, color in enumerate(SERIES, start=1)
}
TEXT_SIZE = 12.0


def canvas(width: float, height: float) -> Canvas:
    """An empty figure; its size, and all sizes in it, are pixels of the page."""
    return Canvas(figsize=(width / 72, height / 72), dpi=72)


def plot(figure: Canvas, xlabel: str = "", ylabel: str = "") -> Axes:
    """Axes that fill a figure: two thin spines, small outward ticks, gray labels."""
    figure.set_layout_engine("constrained")
    axes = figure.add_subplot()
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(INK)
        spine.set_linewidth(1)
    axes.tick_params(color=INK, labelcolor=INK, labelsize=TEXT_SIZE, length=4, width=1)
    axes.set_xlabel(xlabel, color=INK, fontsize=TEXT_SIZE, labelpad=6)
    axes.set_ylabel(ylabel, color=INK, fontsize=TEXT_SIZE, labelpad=6)
    axes.patch.set_visible(False)
    return axes


def legend(figure: Canvas, columns: int) -> None:
    """Name what is drawn, in a row above the axes."""
    figure.legend(
        loc="outside upper left",
        ncols=columns,
        frameon=False,
        fontsize=TEXT_SIZE,
        labelcolor=INK,
        handlelength=1.2,
        handleheight=0.8,
    )


def as_png(figure: Canvas, caption: str) -> Figure:
    """Write a figure as PNG of two pixels for one, for places that show no SVG."""
    target = io.BytesIO()
    figure.savefig(target, format="png", dpi=144, transparent=True)
    return Figure(target.getvalue(), caption)


def as_svg(figure: Canvas, caption: str) -> Figure:
    """Write a figure as SVG with colors that follow the page."""
    target = io.StringIO()
    # These two settings are read from the global table when an SVG is written, and nowhere else.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "ansatz"}):
        figure.savefig(target, format="svg", transparent=True, metadata={"Date": None})
    svg = target.getvalue()
    for color, variable in _VARIABLES.items():
        svg = svg.replace(f": {color}", f": var(--{variable}, {color})")
    return Figure(svg, caption)


def with_unit(label: str, unit: str) -> str:
    """Label of an axis: `drag, N`, or `Cd` alone for pure numbers."""
    return f"{label}, {unit}" if unit else label
