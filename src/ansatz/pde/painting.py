"""Pictures of fields: maps over two coordinates with streamlines, curves over one.

Over three coordinates of space there are maps of the three middle planes; over space and another
coordinate, as time, maps of its first, middle and last value. Further ones have their middle value.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from numpy.typing import NDArray

from ansatz.core.findings import Figure
from ansatz.report import style

Array = NDArray[np.float64]
VELOCITY = {"x": "u", "y": "v", "z": "w"}
WIDTH = 960  # pixels of the page


@dataclass(frozen=True)
class Map:
    """Values over two coordinates.

    Attributes:
        title: What they are.
        values: Shape (n, m): the first coordinate along the first axis.
        around: Whether zero is the middle of the colors, as for an error.
        flow: Velocity along both coordinates, for streamlines.
    """

    title: str
    values: Array
    around: bool = False
    flow: tuple[Array, Array] | None = None


@dataclass(frozen=True)
class Plane:
    """A part of a grid over two coordinates.

    Attributes:
        title: What the others are, as `z = 0.5`; empty if there are none.
        names: Of the two coordinates.
        x, y: Their values.
        grid: Shape of the whole grid.
        index: Into it.
    """

    title: str
    names: tuple[str, str]
    x: Array
    y: Array
    grid: tuple[int, ...]
    index: tuple[int | slice, ...]

    def cut(self, values: Array) -> Array:
        """The part of values on the grid, shape (n, m)."""
        part: Array = values.reshape(self.grid)[self.index]
        return part


def varying(place: Mapping[str, Array]) -> list[str]:
    """The inputs that are not the same at all points."""
    return [name for name, values in place.items() if np.ptp(values) > 0]


def planes(place: Mapping[str, Array], grid: tuple[int, ...], space: Sequence[str]) -> list[Plane]:
    """The parts of a grid that pictures show.

    Args:
        place: Inputs at all points.
        grid: Shape, of two coordinates or more.
        space: The inputs that are coordinates of space.
    """
    counts = dict(zip(varying(place), grid, strict=True))
    names = list(counts)
    inner = [name for name in names if name in space]
    is_solid = len(inner) == 3
    first = [*inner, *(name for name in names if name not in inner)]
    pairs = list(combinations(inner, 2)) if is_solid else [sorted(first[:2], key=names.index)]
    cuts: dict[str, list[int | slice]] = {name: [n // 2] for name, n in counts.items()}
    if len(first) > 2 and not is_solid:
        n = counts[first[2]]
        cuts[first[2]] = [*sorted({0, n // 2, n - 1})]
    found = []
    for pair in pairs:
        steps = [[slice(None)] if name in pair else cuts[name] for name in names]
        found += [_plane(place, grid, index) for index in product(*steps)]
    return found


def _plane(
    place: Mapping[str, Array], grid: tuple[int, ...], index: tuple[int | slice, ...]
) -> Plane:
    axes = {name: np.unique(place[name]) for name in varying(place)}
    each = list(zip(axes, index, strict=True))
    fixed = [f"{name} = {axes[name][i]:.4g}" for name, i in each if isinstance(i, int)]
    first, second = (name for name, i in each if isinstance(i, slice))
    return Plane(", ".join(fixed), (first, second), axes[first], axes[second], grid, index)


def field_picture(
    place: Mapping[str, Array],
    fields: Mapping[str, Array],
    grid: tuple[int, ...],
    space: Sequence[str],
    contours: int = 0,
) -> bytes:
    """A picture of fields on a grid, as PNG.

    Args:
        place: Inputs at all points.
        fields: Values at all points.
        grid: Its shape.
        space: The inputs that are coordinates of space.
        contours: Lines of equal values on a map without streamlines.
    """
    figure = grid_picture(
        place, grid, space, fields, lambda plane: field_maps(fields, plane), contours
    )
    picture = style.as_png(figure, "").data
    assert isinstance(picture, bytes)
    return picture


def grid_picture(
    place: Mapping[str, Array],
    grid: tuple[int, ...],
    space: Sequence[str],
    lines: Mapping[str, Array],
    row: Callable[[Plane], Sequence[Map]],
    contours: int = 0,
) -> Canvas:
    """Lines over a grid of one coordinate, a row of maps for each plane of any other grid."""
    if len(grid) == 1:
        (name,) = varying(place)
        return curves(place[name], lines, name)
    return maps([(plane, row(plane)) for plane in planes(place, grid, space)], contours)


def field_maps(fields: Mapping[str, Array], plane: Plane) -> list[Map]:
    """A map of each field; velocities along both coordinates become one, with streamlines."""
    shaped = {name: plane.cut(values) for name, values in fields.items()}
    u, v = (shaped.get(VELOCITY.get(name, "")) for name in plane.names)
    if u is None or v is None:
        return [Map(name, values) for name, values in shaped.items()]
    parts = [shaped.pop(name) for name in VELOCITY.values() if name in shaped]
    speed = Map("speed", np.sqrt(sum(part**2 for part in parts)), flow=(u, v))
    return [speed, *(Map(name, values) for name, values in shaped.items())]


def maps(shown: Sequence[tuple[Plane, Sequence[Map]]], contours: int = 0) -> Canvas:
    """Maps side by side, each over the bar of its colors; each plane begins a row."""
    columns = min(max(len(each) for _, each in shown), 3)
    depth = max(-(-len(each) // columns) for _, each in shown)
    aspect = max(_aspect(plane) for plane, _ in shown)
    height = len(shown) * depth * (WIDTH / columns * aspect * 0.82 + 80)
    figure = style.canvas(WIDTH, height)
    figure.set_layout_engine("constrained")
    for row, (plane, each) in enumerate(shown):
        for index, one in enumerate(each):
            place = (row * depth * columns) + index + 1
            axes = figure.add_subplot(len(shown) * depth, columns, place)
            _draw(figure, axes, plane, one, contours)
    return figure


def _aspect(plane: Plane) -> float:
    """Height over width of a map; coordinates of different kinds have none."""
    if set(plane.names) <= set(VELOCITY):
        return float(np.clip(np.ptp(plane.y) / np.ptp(plane.x), 0.3, 1.3))
    return 0.8


def _draw(figure: Canvas, axes: Axes, plane: Plane, shown: Map, contours: int) -> None:
    x, y, values = plane.x, plane.y, shown.values.T
    known = values[np.isfinite(values)]
    colored = axes.pcolormesh(x, y, values, shading="gouraud", rasterized=True)
    if shown.around and len(known):
        largest = np.abs(known).max()
        colored.set(clim=(-largest, largest), cmap="RdBu_r")
    if contours and shown.flow is None and len(known) and np.ptp(known):
        lines = axes.contour(x, y, values, levels=contours, colors="white", linewidths=0.6)
        lines.set_linestyle("solid")
    if shown.flow is not None and _is_even(x) and _is_even(y):
        u, v = (np.nan_to_num(part).T for part in shown.flow)
        axes.streamplot(x, y, u, v, color="white", linewidth=0.7, density=1.1, arrowsize=0.7)
        axes.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    title = f"{shown.title}, {plane.title}" if plane.title else shown.title
    axes.set_title(title, color=style.INK, fontsize=style.TEXT_SIZE)
    axes.set_xlabel(plane.names[0], color=style.INK)
    axes.set_ylabel(plane.names[1], color=style.INK)
    bar = figure.colorbar(colored, ax=axes, location="bottom", fraction=0.05, aspect=30)
    bar.outline.set_visible(False)
    for each in (axes, bar.ax):
        each.tick_params(color=style.INK, labelcolor=style.INK, labelsize=10, length=3)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _is_even(values: Array) -> bool:
    """Whether steps are equal, as streamlines need them."""
    steps = np.diff(values)
    return bool(np.ptp(steps) < 1e-6 * steps.mean())


def curves(
    x: Array,
    lines: Mapping[str, Array],
    label: str,
    known: Mapping[str, Array] | None = None,
) -> Canvas:
    """Fields over one coordinate as lines, known values as circles."""
    figure = style.canvas(620, 380)
    axes = style.plot(figure, label, "")
    order = np.argsort(x)
    for color, (name, values) in zip(style.SERIES * 4, lines.items(), strict=False):
        axes.plot(x[order], values[order], color=color, linewidth=1.6, label=name)
        if known is not None and name in known:
            axes.plot(
                x, known[name], "o", color=color, markersize=5, markerfacecolor="none",
                label=f"{name}, known",
            )  # fmt: skip
    style.legend(figure, 4)
    return figure


def comparison(
    shown: Sequence[Plane], name: str, found: Array, known: Array, caption: str
) -> Figure:
    """A field as predicted, as known, and the difference, on each plane."""
    rows = [
        (
            plane,
            [
                Map(f"{name}: predicted", plane.cut(found)),
                Map("known", plane.cut(known)),
                Map("difference", plane.cut(found - known), around=True),
            ],
        )
        for plane in shown
    ]
    return style.as_svg(maps(rows), caption)
