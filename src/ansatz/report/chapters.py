"""Sections as a page shows them: numbers as texts, bounds as bars, figures as HTML.

Everything that is decided is decided here, in types, and the template only sets it.
"""

import base64
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ansatz.core.findings import Figure, Finding, Section, Table
from ansatz.report import svg
from ansatz.report.numbers import column, is_number, number

_PNG = b"\x89PNG\r\n\x1a\n"
_CARDS = 8
# Figures of more pixels than this have a row of the page for themselves.
_WIDE = 480


@dataclass(frozen=True)
class Bar:
    """A value beside its bound, in percent of the width: bar, tick, and interval."""

    start: float
    length: float
    tick: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Line:
    """A finding as the page shows it. `mark` is passed, failed or reported."""

    anchor: str
    finding: Finding
    mark: str
    value: str
    bound: str
    interval: str
    bar: Bar | None


@dataclass(frozen=True)
class Picture:
    """A figure as HTML that needs no other file."""

    html: Markup
    caption: str
    is_wide: bool


@dataclass(frozen=True)
class Cell:
    """Text of a cell, and for a number what it is sorted by."""

    text: str
    key: str


@dataclass(frozen=True)
class Grid:
    """A table with its numbers formatted."""

    header: Sequence[str]
    are_numbers: tuple[bool, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str


@dataclass(frozen=True)
class Chapter:
    """A section as the page shows it, with the count of its checks and of those that passed."""

    anchor: str
    section: Section
    lines: tuple[Line, ...]
    pictures: tuple[Picture, ...]
    grids: tuple[Grid, ...]
    passed: int
    checked: int


def chapter(index: int, section: Section) -> Chapter:
    """Prepare a section for the page.

    Args:
        index: Its place, from 1; it makes the anchors and identifiers of the section unique.
        section: What was found.

    Returns:
        The section with its texts, marks, bars, pictures and tables ready to be set.

    Raises:
        ValueError: If a figure is neither SVG nor PNG, or a row of a table is not as long as
            its header.
    """
    lines = tuple(
        _line(f"finding-{index}-{row}", finding)
        for row, finding in enumerate(section.findings, start=1)
    )
    pictures = tuple(
        _picture(f"figure-{index}-{row}-", figure)
        for row, figure in enumerate(section.figures, start=1)
    )
    return Chapter(
        anchor=f"section-{index}",
        section=section,
        lines=lines,
        pictures=pictures,
        grids=tuple(_grid(table) for table in section.tables),
        passed=sum(line.mark == "passed" for line in lines),
        checked=sum(line.mark != "reported" for line in lines),
    )


def _line(anchor: str, finding: Finding) -> Line:
    held = "reported" if finding.bound is None else "passed"
    sign = "≥" if finding.at_least else "≤"
    interval = finding.interval
    return Line(
        anchor=anchor,
        finding=finding,
        mark=held if finding.passed else "failed",
        value=number(finding.value),
        bound="–" if finding.bound is None else f"{sign} {number(finding.bound)}",
        interval="–" if interval is None else " … ".join(number(end, 3) for end in interval),
        bar=_bar(finding),
    )


def _bar(finding: Finding) -> Bar | None:
    """Place a value, its interval and its bound on a common line from zero; None if it cannot."""
    if finding.bound is None or not (math.isfinite(finding.value) and math.isfinite(finding.bound)):
        return None
    ends = [end for end in finding.interval or () if math.isfinite(end)]
    shown = [0.0, finding.value, finding.bound, *ends]
    low, high = min(shown), max(shown)
    # A little air keeps the outermost mark off the edge.
    low, high = low * 1.08, high * 1.08
    span = high - low or 1.0

    def place(value: float) -> float:
        return round(100 * (value - low) / span, 2)

    left, right = sorted((place(0.0), place(finding.value)))
    lower, upper = map(place, ends) if len(ends) == 2 else (None, None)
    return Bar(left, round(right - left, 2), place(finding.bound), lower, upper)


def _grid(table: Table) -> Grid:
    """A table with its numbers formatted column by column."""
    for row in table.rows:
        if len(row) != len(table.header):
            raise ValueError(
                f"the table {table.caption!r} has a row of {len(row)} cells under a header of "
                f"{len(table.header)}; expected equally many"
            )
    columns = list(zip(*table.rows, strict=True)) or [()] * len(table.header)
    cells = [
        [
            Cell(text, _key(float(value)) if is_number(value) else "")
            for text, value in zip(column(values), values, strict=True)
        ]
        for values in columns
    ]
    are_numbers = tuple(any(is_number(value) for value in values) for values in columns)
    return Grid(table.header, are_numbers, tuple(zip(*cells, strict=True)), table.caption)


def _key(value: float) -> str:
    """A number as JavaScript reads it; what is no number is sorted behind all that are."""
    if math.isfinite(value):
        return str(value)
    return "-Infinity" if value < 0 else "Infinity"


def cards(lines: Sequence[Line]) -> list[Line]:
    """The checked lines to show at the top, eight at most, those that failed before others."""
    bounded = [line for line in lines if line.mark != "reported"]
    ranked = sorted(bounded, key=lambda line: line.mark != "failed")[:_CARDS]
    return [line for line in bounded if line in ranked]


def _picture(prefix: str, figure: Figure) -> Picture:
    """A figure as HTML that needs no other file."""
    if isinstance(figure.data, str):
        html, width = svg.inline(figure.data, prefix, figure.caption)
        return Picture(Markup(html), figure.caption, width > _WIDE)
    if not figure.data.startswith(_PNG) or len(figure.data) < 24:
        raise ValueError(
            f"the figure {figure.caption!r} starts with {figure.data[:8]!r}; "
            "expected SVG text or the bytes of a PNG"
        )
    width, height = struct.unpack(">II", figure.data[16:24])
    image = Markup('<img src="data:image/png;base64,{}" width="{}" height="{}" alt="{}">').format(
        base64.b64encode(figure.data).decode(), width, height, figure.caption
    )
    return Picture(image, figure.caption, width > _WIDE)
