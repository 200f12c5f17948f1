"""Laminar flow through a heat sink in a channel: the pressure drop is what is asked.

`pde/heat-sink` has three thick fins and is solved on one core; `pde/heat-sink-fpga` is the example
of PhysicsNeMo Sym, with seventeen thin ones. Both are half of a flow that mirrors itself at z = 0;
`ansatz.pde.cfd.heat_sink` has the geometry, and solves it by OpenFOAM.
"""

from dataclasses import replace

import sympy
from sympy import tanh

from ansatz.core.recipe import Recipe
from ansatz.pde.cfd import heat_sink as sink
from ansatz.pde.cfd.heat_sink import FPGA, THREE, Sink
from ansatz.pde.cfd.laminar import LaminarFlow
from ansatz.pde.cfd.reference import reference
from ansatz.pde.conditions import DISTANCE, Condition, Inside, Integral, On
from ansatz.pde.equations import navier_stokes
from ansatz.pde.networks import Network
from ansatz.pde.problem import Problem
from ansatz.pde.quantities import Quantity, average, difference
from ansatz.pde.recipes import solved
from ansatz.pde.sampling import Sampling
from ansatz.pde.shapes import Shape, box, plane
from ansatz.pde.solving import FIRST_ORDER, QUASI_NEWTON
from ansatz.pde.symbols import coordinates, fields
from ansatz.pde.truth import Truth, grid

DROP = "pressure drop"
DROP_OF_THREE, DROP_OF_FPGA = 6.53, 28.42  # extrapolated by OpenFOAM, ± 0.03 and ± 0.68
NEAR = 0.25  # of the sink, where there are more points
EDGE = 0.05  # from edges, within which equations count less: there the pressure is singular
LAYER = 0.01  # from walls, in which the momentum counts less
ENTRANCE = 0.15  # along the walls of the channel, in which the velocity rises
AREA = sink.HALF_WIDTH * (sink.CEILING - sink.FLOOR)
LOW, HIGH = (-sink.LENGTH, sink.FLOOR, 0.0), (sink.LENGTH, sink.CEILING, sink.HALF_WIDTH)
x, y, z = coordinates("x y z")
u, v, w, p, a, b, c, q = fields("u v w p a b c q", x, y, z)


def heat_sink() -> Recipe:
    """Three thick fins, against OpenFOAM on meshes of 25,000 to 700,000 cells."""
    problem = flow_through(THREE, 6000, (a, b, c, 10 * q))
    return solved(
        "pde/heat-sink",
        "laminar flow through a heat sink of three fins",
        problem,
        lambda: [side_view(THREE, DROP_OF_THREE, "OpenFOAM on four meshes, extrapolated")],
        network=Network(width=36, depth=3),
        train=replace(QUASI_NEWTON, steps=6000),
        sampling=Sampling(renew=250),
        quantities={DROP: pressure_drop()},
        references={"openfoam": reference(lambda _: sink.heat_sink(1.2, THREE), numbers=measured)},
        shipped="ansatz.pde/embedded/heat-sink",
    )


def heat_sink_fpga() -> Recipe:
    """Seventeen thin fins, as in PhysicsNeMo Sym's example: for a GPU."""
    problem = flow_through(FPGA, 8000, (a, b, c, 30 * q))
    return solved(
        "pde/heat-sink-fpga",
        "laminar flow through the FPGA heat sink of seventeen fins",
        replace(problem, waves={z: FPGA.pitch}),
        lambda: [side_view(FPGA, DROP_OF_FPGA, "OpenFOAM on three meshes, extrapolated")],
        network=Network(width=256, depth=6),
        train=replace(FIRST_ORDER, steps=100_000),
        quantities={DROP: pressure_drop()},
        references={"openfoam": reference(lambda _: sink.heat_sink(0.6), numbers=measured)},
    )


def flow_through(fins: Sink, points: int, network: tuple[sympy.Expr, ...]) -> Problem:
    """The flow around a sink. On the walls of the channel it is at rest exactly.

    Args:
        fins: Of the sink.
        points: Near the sink; half as many elsewhere and on the sink.
        network: What is added to a first guess of u, v, w and p.
    """
    rises = ((y - sink.FLOOR), (sink.CEILING - y), (sink.HALF_WIDTH - z))
    still = sympy.Mul(*(tanh(each / ENTRANCE) for each in rises))
    channel, fluid = box(LOW, HIGH), fluid_of(fins)
    flow = navier_stokes((u, v, w), p, sink.VISCOSITY)
    off = off_edges(fins)
    weight = {name: off * tanh(DISTANCE / LAYER) for name in flow} | {"mass": 10 * off}
    mirrored = {u.diff(z): 0, v.diff(z): 0, p.diff(z): 0}
    is_open = (x < sink.FRONT) | (x > sink.BACK) | (y > sink.TIP)
    conditions: dict[str, Condition] = {
        "flow": Inside(fluid, flow, points=points // 2, weight=weight),
        "sink": Inside(fluid, flow, points=points, where=along_sink(NEAR), weight=weight),
        "still": On(fluid, {u: 0, v: 0, w: 0}, points=points // 2, where=on_sink(), weight=50),
        "inlet": On(
            channel, {u: 1, v: 0, w: 0}, points=256, where=sympy.Eq(x, LOW[0]), weight=5 * still
        ),
        "outlet": On(channel, {p: 0}, points=64, where=sympy.Eq(x, HIGH[0])),
        "middle": On(channel, mirrored, points=200, where=sympy.Eq(z, 0) & is_open, weight=0.1),
        "flow rate": flow_rate(fluid, 8, LOW[0] + 0.1, HIGH[0]),
        "flow rate in sink": flow_rate(fluid, 12, sink.FRONT - 0.05, sink.BACK + 0.05),
    }
    first, second, third, fourth = network
    return Problem(
        (u, v, w, p),
        conditions,
        definitions={u: still * (1.5 + first), v: still * second, w: still * z * third, p: fourth},
    )


def fluid_of(fins: Sink) -> Shape:
    """Half of the channel without the sink."""
    fluid: Shape = box(LOW, HIGH)
    for low, high in fins.solids:
        # Solids go through the floor and the middle: faces that coincide cut nothing.
        fluid = fluid - box((low[0], low[1] - 0.1, low[2]), high)
    return fluid


def off_edges(fins: Sink) -> sympy.Expr:
    """One far from the edges of a sink, zero on them."""
    faces = [face for pair in fins.fins for face in pair if face > 0]
    ends, heights = (sink.FRONT, sink.BACK), (sink.TIP, sink.PLATE)
    edges = [(x - end, z - face) for end in ends for face in faces]
    edges += [(x - end, y - height) for end in ends for height in heights]
    edges += [(y - sink.TIP, z - face) for face in faces]
    edges.append((y - sink.PLATE, z - sink.SINK_HALF_WIDTH))
    return sympy.Mul(*(tanh((one**2 + other**2) / EDGE**2) for one, other in edges))


def along_sink(reach: float) -> sympy.Basic:
    """Between the front of the sink and its back, and a little further."""
    return (x > sink.FRONT - reach) & (x < sink.BACK + reach)


def on_sink() -> sympy.Basic:
    """Where a boundary of the fluid is one of the sink."""
    edge = 1e-6
    return along_sink(edge) & (y < sink.TIP + edge) & (z < sink.SINK_HALF_WIDTH + edge)


def flow_rate(fluid: Shape, sections: int, low: float, high: float) -> Integral:
    """What comes in goes through every section."""
    place = sympy.Symbol("section", real=True)
    section = plane((place, *LOW[1:]), (place, *HIGH[1:]))
    return Integral(
        section, u, AREA, AREA, {place: (low, high)}, sections, 256, within=fluid, weight=300
    )


def pressure_drop() -> Quantity:
    """The mean pressure before the sink less that behind it."""
    before, behind = (
        average(p, on=plane((at, *LOW[1:]), (at, *HIGH[1:]))) for at in (sink.BEFORE, sink.BEHIND)
    )
    return difference(before, behind)


def measured(flow: LaminarFlow) -> dict[str, float]:
    """The pressure drop of a solver."""
    return {DROP: sink.pressure_drop(flow)}


def side_view(fins: Sink, drop: float, source: str) -> Truth:
    """The plane in the middle between two fins, where nothing but the drop is known."""
    place = grid({x: (LOW[0], HIGH[0], 201), y: (LOW[1], HIGH[1], 41), z: fins.pitch / 2})
    return Truth("side view", place, {}, source, {DROP: 0.02}, (201, 41), numbers={DROP: drop})
