import numpy as np
import pytest

from ansatz.pde.cfd.blocks import middles
from ansatz.pde.cfd.heat_sink import (
    FPGA,
    ORDER,
    THREE,
    Extrapolation,
    extrapolated,
    heat_sink,
    pressure_drop,
)
from ansatz.pde.cfd.laminar import LaminarFlow, solve

MESHES = (4, 6, 8)  # cells in a gap
SCALES = {4: 0.6, 6: 0.8, 8: 1.0}


def solid_volume(block):
    """Of what is cut out of a block, by counting cells."""
    sizes = [np.concatenate([np.diff(s.faces) for s in axis]) for axis in block.axes]
    cells = sizes[0][:, None, None] * sizes[1][:, None] * sizes[2]
    return cells[~block.is_fluid].sum()


def test_seventeen_fins_stand_on_the_plate_at_one_pitch():
    centers = np.mean(FPGA.fins, axis=1)
    assert 2 * len(centers) - 1 == 17
    np.testing.assert_allclose(np.diff(centers), 0.05421875)
    assert pytest.approx(0.05421875) == FPGA.pitch
    assert FPGA.fins[-1][1] == pytest.approx(0.4375)
    np.testing.assert_allclose(np.ptp(FPGA.fins, axis=1), 0.0075)


@pytest.mark.parametrize("gap_cells", MESHES)
def test_the_mesh_cuts_out_exactly_half_of_the_sink(gap_cells):
    block = heat_sink(SCALES[gap_cells]).block
    plate = 0.65 * 0.05 * 0.875
    above = 17 * 0.65 * (0.8625 - 0.05) * 0.0075
    assert solid_volume(block) == pytest.approx((plate + above) / 2, rel=1e-12)


@pytest.mark.parametrize("scale", [0.6, 0.8, 1.2, 1.8])
def test_three_thick_fins_are_cut_out_exactly(scale):
    plate = 0.65 * 0.05 * 0.875
    above = 3 * 0.65 * (0.8625 - 0.05) * 0.1
    block = heat_sink(scale, THREE).block
    assert solid_volume(block) == pytest.approx((plate + above) / 2, rel=1e-12)


@pytest.mark.parametrize(("gap_cells", "cells"), [(4, 53_340), (6, 130_464), (8, 262_860)])
def test_meshes_have_the_cells_that_their_figures_belong_to(gap_cells, cells):
    assert heat_sink(SCALES[gap_cells]).block.is_fluid.sum() == cells


@pytest.mark.parametrize("gap_cells", MESHES)
def test_cells_fill_every_gap(gap_cells):
    z = middles(heat_sink(SCALES[gap_cells]).block.axes[2])
    for (_, left), (right, _) in zip(FPGA.fins, FPGA.fins[1:], strict=False):
        assert ((left < z) & (z < right)).sum() == gap_cells


def test_the_channel_is_that_of_the_example():
    case = heat_sink(0.6)
    ends = [(axis[0].start, axis[-1].end) for axis in case.block.axes]
    assert ends == [(-2.5, 2.5), (-0.5, 0.5), (0.0, 0.5625)]
    assert case.block.kinds == {
        "inlet": "patch",
        "outlet": "patch",
        "middle": "symmetryPlane",
        "channel": "wall",
        "body": "wall",
    }
    assert case.viscosity == 0.02
    assert not case.is_closed


def test_the_drop_of_a_pressure_that_falls_evenly_is_its_slope():
    rng = np.random.default_rng(0)
    layers = np.sort(rng.uniform(-2.5, 2.5, 40))
    x = np.repeat(layers, 5)
    volumes = rng.uniform(0.5, 2.0, (40, 5))
    around = rng.normal(size=(40, 5))
    # In each layer, what is added to the mean has no mean.
    around -= (around * volumes).sum(1, keepdims=True) / volumes.sum(1, keepdims=True)
    pressure = (7 - 3 * x) + around.ravel()
    shuffled = rng.permutation(len(x))
    centers = np.stack([x, rng.normal(size=len(x)), rng.normal(size=len(x))], 1)
    flow = LaminarFlow(
        centers[shuffled],
        volumes.ravel()[shuffled],
        np.zeros((len(x), 3)),
        pressure[shuffled],
        1,
        1.0,
        "made by hand",
    )
    assert pressure_drop(flow) == pytest.approx(3 * (0.55 + 1.40), rel=1e-9)


@pytest.mark.parametrize("order", [1.0, 2.0, 2.5])
@pytest.mark.parametrize("cells", [(4, 6), (4, 6, 8), (3, 5, 12, 13)])
def test_richardson_is_exact_where_the_error_is_a_power(order, cells):
    drops = [28.4 - 31.0 / n**order for n in cells]
    found = extrapolated(drops, cells, order)
    assert found.value == pytest.approx(28.4, rel=1e-12)
    if len(cells) > 2:
        assert found.spread == pytest.approx(0, abs=1e-11)
    else:
        assert found.spread == pytest.approx(31.0 / 6**order, rel=1e-10)


def test_the_spread_is_that_of_pairs_of_meshes():
    # By hand: 26.87 + 1.09 / 1.25 and 27.55 + 0.68 / (7/9).
    found = extrapolated([25.78, 26.87, 27.55], MESHES)
    pairs = 26.87 + 1.09 / 1.25, 27.55 + 0.68 * 9 / 7
    assert found == Extrapolation(pytest.approx(pairs[1]), pytest.approx(pairs[1] - pairs[0]))
    assert ORDER == 2


@pytest.mark.parametrize(
    ("drops", "cells"), [([1.0], [4]), ([1.0, 2.0], [4, 6, 8]), ([1.0, 2.0], [6, 4])]
)
def test_meshes_that_do_not_become_finer_are_refused(drops, cells):
    with pytest.raises(ValueError, match="at least two meshes, from coarse to fine"):
        extrapolated(drops, cells)


@pytest.mark.openfoam
def test_the_coarse_mesh_has_its_pressure_drop(tmp_path):
    flow = solve(heat_sink(0.6), tmp_path / "case")
    assert pressure_drop(flow) == pytest.approx(25.78, abs=0.01)
    # Before the sink, what came in at a mean speed of 1 fills the channel.
    x = flow.centers[:, 0].round(9)
    far = x == np.unique(x)[8]
    mean = (flow.velocity[far, 0] * flow.volumes[far]).sum() / flow.volumes[far].sum()
    assert mean == pytest.approx(1.0, rel=3e-3)
