"""The heat sinks: the surfaces and sections that networks are held to."""

import numpy as np
import pytest

from ansatz.core.recipe import Position
from ansatz.pde.cfd.heat_sink import FPGA, THREE
from ansatz.pde.collocation import collocation
from ansatz.pde.problems.heat_sink import AREA, fluid_of, heat_sink, on_sink
from ansatz.pde.shapes import area, volume


def wetted(sink):
    """The surface of half a sink in the flow, and its volume, by hand."""
    sides = len(sink.fins) - 1  # fins that are whole
    thickness = sink.thickness * (sides + 0.5)
    fronts = 2 * (thickness * 0.8125 + 0.4375 * 0.05)
    flanks = 0.65 * (0.8125 * (1 + 2 * sides) + 0.05)
    tops = 0.65 * 0.4375
    return fronts + flanks + tops, 0.65 * (0.4375 * 0.05 + thickness * 0.8125)


@pytest.mark.parametrize("sink", [THREE, FPGA])
def test_the_surface_of_a_sink_is_all_of_it_and_nothing_else(sink):
    fluid, rng = fluid_of(sink), np.random.default_rng(0)
    surface, body = wetted(sink)
    assert float(area(fluid, rng, where=on_sink()).value) == pytest.approx(surface, rel=5e-3)
    whole = volume(fluid, rng, count=2**18)
    assert float(whole.value) == pytest.approx(5 * AREA - body, abs=5 * float(whole.error) + 1e-4)


def test_a_section_knows_what_is_fluid():
    problem = heat_sink().data.problem
    points = collocation(problem)(Position(0, 0), None)["flow rate in sink"].reshape(12, 256, -1)
    columns = problem.conditions["flow rate in sink"]
    assert columns.area == pytest.approx(0.5625)
    place = points[:, :, 0]
    assert (place == place[:, :1]).all()  # one x for each section
    inside = points[:, :, 3]
    within = (place[:, 0] > -0.74) & (place[:, 0] < -0.11)
    share = 1 - (0.4375 * 0.05 + 0.15 * 0.8125) / 0.5625
    np.testing.assert_allclose(inside[within].mean(1), share, atol=0.02)
