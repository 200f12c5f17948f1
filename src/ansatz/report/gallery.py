"""Rows of pictures, as truth, prediction and error side by side."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from ansatz.core.findings import Figure
from ansatz.report import style
from ansatz.report.pictures import Pixels, Scale

Box = tuple[float, float, float, float]
_GAP, _TITLE, _COLOR_BAR = 16.0, 24.0, 56.0  # pixels


def panels(
    images: Sequence[Pixels],
    titles: Sequence[str],
    *,
    scales: Sequence[Scale | None] = (),
    columns: int = 3,
    width: int = 960,
    caption: str = "",
    form: Literal["svg", "png"] = "svg",
) -> Figure:
    """Rows of pictures, each under its title and over the bar of its colors.

    Args:
        images: Pictures, shape (height, width, 3 or 4), as from `render`. Those of one row are
            shown equally high.
        titles: One each.
        scales: One each, or None for a picture without a bar; none at all if empty.
        columns: Pictures side by side.
        width: Of the whole figure, pixels of the page.
        caption: What to see.
        form: SVG holds the pictures as they are, and its text follows the page from light to
            dark; PNG is for places that show no SVG.

    Returns:
        The figure.

    Raises:
        ValueError: If there are no pictures, or titles or scales are not as many as they.
    """
    if not images or len(titles) != len(images) or len(scales) not in (0, len(images)):
        raise ValueError(
            f"{len(images)} pictures, {len(titles)} titles and {len(scales)} scales do not belong "
            "together; expected at least one picture, one title each, and one scale each or none"
        )
    above = _TITLE if any(titles) else 0.0
    below = _COLOR_BAR if any(scales) else 0.0
    aspects = [image.shape[1] / image.shape[0] for image in images]
    boxes, height = _boxes(aspects, columns, float(width), above, below)
    figure = style.canvas(width, height)
    for image, title, box in zip(images, titles, boxes, strict=True):
        axes = _place(figure, box)
        axes.set_axis_off()
        axes.imshow(image, aspect="auto", interpolation="none" if form == "svg" else "auto")
        axes.set_title(title, loc="left", color=style.INK, fontsize=style.TEXT_SIZE, pad=6)
    for scale, box in zip(scales, boxes, strict=False):
        if scale is not None:
            _color_bar(figure, box, scale)
    return style.as_svg(figure, caption) if form == "svg" else style.as_png(figure, caption)


def _boxes(
    aspects: Sequence[float], columns: int, width: float, above: float, below: float
) -> tuple[list[Box], float]:
    """Set pictures in rows of equal height that fill the width; the last may stay short.

    Returns:
        Left, top, width and height of each picture, pixels, and the height of the whole.
    """
    boxes: list[Box] = []
    top, high = 0.0, np.inf
    for start in range(0, len(aspects), columns):
        row = aspects[start : start + columns]
        full = (width - _GAP * (len(row) - 1)) / sum(row)
        high = full if len(row) == min(columns, len(aspects)) else min(full, high)
        lefts = np.cumsum([0.0, *(aspect * high + _GAP for aspect in row[:-1])])
        pairs = zip(lefts.tolist(), row, strict=True)
        boxes += [(left, top + above, aspect * high, high) for left, aspect in pairs]
        top += above + high + below + _GAP
    return boxes, top - _GAP


def _place(figure: Canvas, box: Box) -> Axes:
    """Axes at left, top, width and height, in pixels."""
    left, top, wide, high = box
    width, height = figure.get_size_inches() * figure.dpi
    return figure.add_axes((left / width, 1 - (top + high) / height, wide / width, high / height))


def _color_bar(figure: Canvas, box: Box, scale: Scale) -> None:
    """Draw a slim bar of colors with a few numbers under a picture."""
    left, top, wide, high = box
    length = min(260.0, 0.6 * wide)
    bar = _place(figure, (left + (wide - length) / 2, top + high + 10, length, 7))
    ramp = scale.colors(np.linspace(scale.low, scale.high, 256))[None]
    bar.imshow(ramp, aspect="auto", extent=(scale.low, scale.high, 0, 1), interpolation="none")
    bar.set_yticks([])
    bar.spines[:].set_visible(False)
    bar.locator_params(axis="x", nbins=4)
    bar.tick_params(labelsize=style.TEXT_SIZE - 1, labelcolor=style.INK, length=0)
    bar.set_xlabel(scale.label, color=style.INK, fontsize=style.TEXT_SIZE, labelpad=2)
