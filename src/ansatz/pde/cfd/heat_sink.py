"""The laminar heat sink of PhysicsNeMo Sym's FPGA example, by OpenFOAM.

A channel, x from -2.5 to 2.5, y from -0.5 to 0.5, z from -0.5625 to 0.5625, in which a plate with
17 fins stands on the floor. Fluid comes in with u = 1 at the lowest x and goes out with p = 0 at
the highest; ν = 0.02, density 1. What is asked is the pressure drop: the mean pressure at x = -1.40
less that at x = 0.55 (`examples/fpga/laminar` of Sym 1.x, which quotes 28.03 Pa for OpenFOAM, 28.38
for a commercial solver and 28.92 to 29.24 for networks).

The flow mirrors itself at z = 0, the middle of the ninth fin, so that z > 0 is solved.

    scale   cells in a gap   cells     drop, Pa
    0.6     4                 53,340   25.78
    0.8     6                130,464   26.87
    1.0     8                262,860   27.55

Between parallel walls, n cells of second order carry 1 + 2/n² of the exact flow at a given pressure
gradient: 12 % too much with 4 cells, 3 % with 8. The gaps decide the error, so that `extrapolated`
takes the size of their cells as step, and order 2.

`THREE` has three thick fins in the place of seventeen thin ones, what else there is stays:

    scale   cells in a gap     cells   drop, Pa   CPU seconds
    0.6     11                25,116   6.172        3
    0.8     15                59,976   6.284       16
    1.2     23               206,436   6.394      111
    1.8     36               701,028   6.455      856

Here the edges decide, where pressure is singular: the error falls with the power 1.5 of the size of
the cells, between the last three meshes, which gives 6.53 ± 0.03.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ansatz.pde.cfd.blocks import Axis, Block, Box, Patch, Section
from ansatz.pde.cfd.laminar import LaminarCase, LaminarFlow

LENGTH, FLOOR, CEILING, HALF_WIDTH = 2.5, -0.5, 0.5, 0.5625
VISCOSITY = 0.02
FRONT, BACK = -0.75, -0.10  # x of the sink
PLATE, TIP = -0.45, 0.3625  # y of the top of the plate and of the fins
SINK_HALF_WIDTH = 0.4375
BEFORE, BEHIND = -1.40, 0.55  # x of the planes between which the drop is measured
ORDER = 2.0


@dataclass(frozen=True)
class Sink:
    """A plate with fins.

    Attributes:
        count: Of fins, odd: the middle one is cut in half.
        thickness: Of each.
    """

    count: int
    thickness: float

    @property
    def pitch(self) -> float:
        """From fin to fin."""
        return (2 * SINK_HALF_WIDTH - self.thickness) / (self.count - 1)

    @property
    def fins(self) -> list[tuple[float, float]]:
        """Where those with z > -thickness begin and end along z; the first is the middle one."""
        centers = [k * self.pitch for k in range(self.count // 2 + 1)]
        return [(z - self.thickness / 2, z + self.thickness / 2) for z in centers]

    @property
    def solids(self) -> tuple[Box, ...]:
        """The plate and the fins, as boxes."""
        plate = ((FRONT, FLOOR, -SINK_HALF_WIDTH), (BACK, PLATE, SINK_HALF_WIDTH))
        return (plate, *(((FRONT, FLOOR, low), (BACK, TIP, high)) for low, high in self.fins))

    def gap_cells(self, scale: float) -> int:
        """Cells between two fins."""
        width = self.pitch - self.thickness
        return max(1, round(10 * scale * max(1.0, width / (CEILING - TIP)) - 2))


FPGA = Sink(17, 0.0075)
THREE = Sink(3, 0.1)


@dataclass(frozen=True)
class Extrapolation:
    """A number on an infinitely fine mesh.

    Attributes:
        value: The estimate.
        spread: How far the estimates of different pairs of meshes lie apart: its uncertainty.
    """

    value: float
    spread: float


def heat_sink(scale: float, sink: Sink = FPGA) -> LaminarCase:
    """The case of a heat sink.

    Args:
        scale: Of the numbers of cells; those between thin fins grow faster, from 0.6 on.
        sink: Its fins.
    """

    def count(cells: float) -> int:
        return max(2, round(scale * cells))

    x = (
        Section(-LENGTH, FRONT, count(26), 1 / 6),
        Section(FRONT, BACK, count(30)),
        Section(BACK, LENGTH, count(30), 8.0),
    )
    y = (
        Section(FLOOR, PLATE, count(4)),
        Section(PLATE, TIP, count(26)),
        Section(TIP, CEILING, count(10)),
    )
    patches = {
        "inlet": Patch("patch", ("x-",)),
        "outlet": Patch("patch", ("x+",)),
        "middle": Patch("symmetryPlane", ("z-",)),
        "channel": Patch("wall", ("y-", "y+", "z+")),
    }
    block = Block((x, y, across(scale, sink)), patches, sink.solids)
    return LaminarCase(block, VISCOSITY, {"inlet": (1.0, 0.0, 0.0)})


def across(scale: float, sink: Sink) -> Axis:
    """Sections along z: half a fin, gaps and fins in turn, and what is left at the side."""
    edges = [0.0]
    for low, high in sink.fins:
        edges += [low, high] if low > 0 else [high]
    edges.append(HALF_WIDTH)
    fin = max(1, round(10 * scale * sink.thickness / (CEILING - TIP)))
    side = max(2, round(8 * scale))
    cells = [max(1, fin // 2)] + [sink.gap_cells(scale), fin] * (sink.count // 2) + [side]
    return tuple(Section(a, b, n) for (a, b), n in zip(pairwise(edges), cells, strict=True))


def pressure_drop(flow: LaminarFlow) -> float:
    """The mean pressure before the sink less that behind it, where the density is 1."""
    x, layer = np.unique(flow.centers[:, 0].round(9), return_inverse=True)
    means = np.bincount(layer, flow.pressure * flow.volumes) / np.bincount(layer, flow.volumes)
    before, behind = np.interp([BEFORE, BEHIND], x, means)
    return float(before - behind)


def extrapolated(
    drops: Sequence[float], cells: Sequence[int], order: float = ORDER
) -> Extrapolation:
    """Richardson's extrapolation: the number that f + c h^order tends to, where h = 1/cells.

    Args:
        drops: A number on several meshes, from coarse to fine.
        cells: Cells in a gap, or along any other length, of each.
        order: Of the error.

    Returns:
        The estimate of the two finest meshes. Its spread is how far the estimates of all pairs
        of neighbors lie apart; with two meshes, how far the estimate lies from the finer one.

    Raises:
        ValueError: If there are fewer than two meshes, or they do not become finer.
    """
    f, n = np.asarray(drops, np.float64), np.asarray(cells, np.float64)
    if len(f) != len(n) or len(n) < 2 or (np.diff(n) <= 0).any():
        raise ValueError(
            f"an extrapolation needs a number for each of at least two meshes, from coarse to "
            f"fine; got {len(f)} numbers for {list(cells)} cells"
        )
    pairs = f[1:] + np.diff(f) / ((n[1:] / n[:-1]) ** order - 1)
    spread = np.ptp(pairs) if len(pairs) > 1 else abs(pairs[0] - f[1])
    return Extrapolation(float(pairs[-1]), float(spread))
