"""Curves of a check: spectra by wavelength, and histograms of ranks."""

from collections.abc import Mapping

import numpy as np
from matplotlib.ticker import MaxNLocator, NullFormatter, ScalarFormatter

from ansatz.core.findings import Figure
from ansatz.report import style
from ansatz.report.statistics import Floats

ROUND = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)  # km
DEEPEST = 1e-4  # of the truth's smallest density; what lies below is round-off


def spectra_figure(
    wavelengths: Floats, spectra: Mapping[str, Floats], *, label: str, caption: str
) -> Figure:
    """Spectra over wavelength, both logarithmic; the first is the truth, in gray.

    Args:
        wavelengths: km.
        spectra: By who they are of, of the shape of the wavelengths.
        label: Of the densities, with their unit.
        caption: What to see.
    """
    figure = style.canvas(470, 340)
    axes = style.plot(figure, "Wavelength, km", label)
    axes.set(xscale="log", yscale="log")
    for index, (who, values) in enumerate(spectra.items()):
        color = style.SERIES[(index - 1) % len(style.SERIES)] if index else style.INK
        width = 1.6 if index else 3.0
        axes.plot(wavelengths, values, color=color, linewidth=width, label=who)
    truth = next(iter(spectra.values()))
    axes.set_ylim(bottom=max(axes.get_ylim()[0], DEEPEST * float(truth.min())))
    axes.invert_xaxis()
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xticks([tick for tick in ROUND if wavelengths.min() <= tick <= wavelengths.max()])
    style.legend(figure, len(spectra))
    return style.as_svg(figure, caption)


def ranks_figure(counts: Mapping[str, Floats]) -> Figure:
    """Histograms of ranks, as shares of what even ranks would have.

    Args:
        counts: By quantity, shape (members + 1,).
    """
    figure = style.canvas(470, 320)
    axes = style.plot(figure, "Members below the truth", "Share / even share")
    for index, (name, each) in enumerate(counts.items()):
        color = style.SERIES[index % len(style.SERIES)]
        shares = each * len(each) / each.sum()
        edges = np.arange(len(each) + 1) - 0.5
        axes.stairs(shares, edges, baseline=None, color=color, linewidth=1.8, label=name)
    axes.axhline(1, color=style.INK, linewidth=0.8, dashes=(5, 4))
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    style.legend(figure, len(counts))
    caption = "Ranks of the truth among the members. Along the dashed line they are even."
    return style.as_svg(figure, caption)
