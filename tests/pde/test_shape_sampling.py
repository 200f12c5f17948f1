"""Points: uniform, repeatable, with parameters of their own, under conditions."""

import math

import numpy as np
import pytest
import sympy
import torch

from ansatz.pde.shapes import (
    area,
    box,
    channel,
    circle,
    cone,
    cylinder,
    ellipse,
    extruded,
    interval,
    line,
    rectangle,
    sample_inside,
    sample_surface,
    sphere,
    torus,
    volume,
)
from ansatz.pde.symbols import coordinates

x, y, z = coordinates("x y z")
R = sympy.Symbol("R", positive=True)
PI = math.pi
SQUARE = rectangle((0, 0), (1, 1))


def rng(seed=0):
    return np.random.Generator(np.random.Philox(seed))


def radii(count, low=0.5, high=2.0):
    return {"R": torch.from_numpy(rng(9).uniform(low, high, count))}


@pytest.mark.parametrize("quasi", [True, False])
def test_the_mean_distance_from_the_center_of_a_disk_is_two_thirds_of_its_radius(quasi):
    known = radii(20000)
    inner = sample_inside(circle((R, -R), R), 20000, rng(), known, quasi=quasi)
    center = torch.stack([known["R"], -known["R"]], 1)
    share = (inner.points - center).norm(dim=1) / known["R"]
    torch.testing.assert_close(inner.distance, (1 - share) * known["R"])
    for part in (known["R"] < 1, known["R"] > 1.5):
        assert float(share[part].mean()) == pytest.approx(2 / 3, abs=0.01)
        assert float(share[part].square().mean()) == pytest.approx(1 / 2, abs=0.01)


def test_rows_that_are_drawn_again_favor_no_side():
    """A thin body in a large box, where nearly all are."""
    known = radii(20000, 0.05, 0.1)
    slanted = rectangle((-1, 0), (1, R)).rotated(PI / 4)
    points = sample_inside(slanted, 20000, rng(), known).points
    along = (points[:, 0] + points[:, 1]) / math.sqrt(2)
    across = (points[:, 1] - points[:, 0]) / math.sqrt(2) / known["R"]
    for values, mean in ((along, 0), (across, 0.5)):
        # Four standard errors of 20,000 even points.
        width = 2 if mean == 0 else 1
        assert abs(float(values.mean()) - mean) < 4 * width / math.sqrt(12 * 20000)


@pytest.mark.parametrize(
    "make",
    [
        lambda size: interval(-size, size),
        lambda size: rectangle((-size, 0), (size, 1)) - circle((0, 0), size / 2),
        lambda size: ellipse((0, size), (size, 1)).rotated(size),
        lambda size: box((0, 0, 0), (1, size, 1)) + sphere((0, 0, 0), size),
        lambda size: channel((0, 0, 0), (4, 1, 1)) - box((1, 0, 0.2), (1 + size, 0.5, 0.4)),
        lambda size: cylinder((0, 0, 0), size, size + 1, "x").scaled(size),
        lambda size: cone((0, size, 0), size, 1, "y"),
        lambda size: torus((0, 0, 0), 2 + size, size),
        lambda size: extruded(circle((0, 0), size) & SQUARE, -size, 1),
        lambda size: SQUARE.repeated((size, size / 2), (2, 3)),
    ],
)
def test_a_shape_of_parameters_is_for_each_value_the_shape_of_that_number(make):
    known = {"R": torch.tensor([0.5, 0.9, 1.7]).double()}
    shape = make(R)
    contents, areas = (measure(shape, rng(), known, count=2**14) for measure in (volume, area))
    many = {"R": known["R"].repeat_interleave(200)}
    inner = sample_inside(shape, 600, rng(), many).points
    boundary = sample_surface(shape, 600, rng(), many)
    for row, value in enumerate(known["R"].tolist()):
        plain, rows = make(value), slice(200 * row, 200 * row + 200)
        assert (plain.distance(inner[rows]) > 0).all()
        assert float(plain.distance(boundary.points[rows]).abs().max()) < 1e-8
        assert (plain.distance(boundary.points[rows] - 1e-6 * boundary.normals[rows]) > 0).all()
        for found, exact in (
            (contents, volume(plain, rng(1), count=2**14)),
            (areas, area(plain, rng(1), count=2**14)),
        ):
            error = math.hypot(float(found.error[row]), float(exact.error))
            assert abs(float(found.value[row] - exact.value)) < 5 * error + 1e-9


def test_sobol_points_integrate_better_than_independent_ones():
    """∫ of x² + y over a disk, and of x² along an ellipse, 20 times each."""
    disk, oval = circle((0, 0), 1), ellipse((0, 0), (2, 1))
    around = torch.linspace(0, 2 * PI, 100001).double()[:-1]
    speed = torch.hypot(2 * around.sin(), around.cos())
    exact = float((4 * around.cos().square() * speed).sum() / speed.sum())
    errors = {}
    for quasi in (True, False):
        inside, along = [], []
        for seed in range(20):
            points = sample_inside(disk, 1024, rng(seed), quasi=quasi).points
            inside.append(float(points[:, 0].square().mean() + points[:, 1].mean()) - 1 / 4)
            points = sample_surface(oval, 1024, rng(seed), quasi=quasi).points
            along.append(float(points[:, 0].square().mean()) - exact)
        errors[quasi] = np.sqrt(np.mean(np.square([inside, along]), axis=1))
    assert (errors[True] < 0.35 * errors[False]).all()


@pytest.mark.parametrize("known", [None, radii(300)])
@pytest.mark.parametrize("quasi", [True, False])
def test_the_same_generator_gives_the_same_points_and_another_gives_others(known, quasi):
    shape = SQUARE - circle((0, 0), R / 4 if known else 0.3)
    for sample in (sample_inside, sample_surface):
        first, again, other = (
            sample(shape, 300, rng(seed), known, quasi=quasi).points for seed in (1, 1, 2)
        )
        assert torch.equal(first, again)
        assert not torch.isin(first[:, 0], other[:, 0]).all()


def test_sampling_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    sample_inside(SQUARE, 100, rng())
    assert torch.equal(before, torch.get_rng_state())


def test_points_of_a_boundary_are_shared_out_by_area():
    points = sample_surface(rectangle((0, 0), (3, 1)), 8192, rng()).points
    for where, share in ((points[:, 1] == 0, 3 / 8), (points[:, 0] == 3, 1 / 8)):
        assert float(where.double().mean()) == pytest.approx(share, abs=0.002)


def test_conditions_pick_walls_whichever_way_the_shape_lies():
    lid = sample_surface(SQUARE, 200, rng(), where=sympy.Eq(y, 1))
    assert lid.points[:, 1].unique().tolist() == [1]
    assert lid.normals.unique(dim=0).tolist() == [[0, 1]]
    # 0.1 · 3 is not 0.3: the wall is at 0.30000000000000004.
    tenth = SQUARE.scaled(0.1).scaled(3)
    assert len(sample_surface(tenth, 50, rng(), where=sympy.Eq(y, sympy.Float("0.3"))).points)
    others = area(tenth, rng(), where=y < 0.3)
    assert abs(others.value - 0.9) <= 4 * others.error + 1e-9
    closed = area(tenth, rng(), where=y >= 0.3)
    assert abs(closed.value - 0.3) <= 4 * closed.error + 1e-9


def test_conditions_combine():
    half = SQUARE, rng()
    cases = [
        ((x > 0.5) & (y < 0.25), 1 / 8),
        ((x > 0.5) | (y < 0.25), 5 / 8),
        (~((x > 0.5) & (y < 0.25)), 7 / 8),
        (sympy.Ne(x, 0.5), 1),
        (sympy.true, 1),
        (x**2 + y**2 <= 1, PI / 4),
        (sympy.sin(PI * x) > 0.5, 2 / 3),
    ]
    for where, exact in cases:
        found = volume(*half, where=where)
        assert abs(found.value - exact) <= 4 * found.error + 1e-12


def test_conditions_hold_parameters_by_point():
    known = {"R": torch.tensor([0.25, 0.5, 1.0]).double()}
    found = area(SQUARE, rng(), known, where=(x < R) & sympy.Eq(y, 0), count=2**15)
    assert (found.value - known["R"]).abs().max() < 0.005
    points = sample_inside(SQUARE, 3, rng(), known, where=x > R - 0.01).points
    assert (points[:, 0] > known["R"] - 0.01).all()


def test_the_standard_error_of_an_area_is_that_of_its_spread():
    shape = SQUARE - circle((0, 0), 1)
    found = [volume(shape, rng(seed), count=2**12) for seed in range(40)]
    spread = np.std([float(f.value) for f in found])
    mean = np.mean([float(f.error) for f in found])
    assert 0.6 < spread / mean < 1.6
    outside = [abs(float(f.value) - (1 - PI / 4)) > 4 * float(f.error) for f in found]
    assert sum(outside) <= 1


def test_a_body_that_fills_little_of_its_bounds_is_found():
    thin = circle((0, 0), 1) - circle((0, 0), 0.999)
    assert (sample_inside(thin, 100, rng()).distance < 0.001).all()


def test_what_cannot_be_sampled_is_refused():
    disk = circle((0, 0), R)
    with pytest.raises(LookupError, match=r"circle\(center=\(0, 0\), radius=R\) needs the par.* R"):
        sample_inside(disk, 10, rng())
    with pytest.raises(LookupError, match="needs the parameter R; given: S"):
        disk.distance(torch.zeros(1, 2), {"S": torch.ones(1)})
    with pytest.raises(LookupError, match="condition x < w needs the symbol w"):
        sample_surface(SQUARE, 10, rng(), where=x < sympy.Symbol("w"))
    with pytest.raises(ValueError, match="radius > 0 and has radius = -1"):
        sample_surface(disk, 2, rng(), {"R": torch.tensor([1.0, -1.0])})
    with pytest.raises(ValueError, match=r"10 points need 10 values of R, got shape \(3,\)"):
        sample_inside(disk, 10, rng(), {"R": torch.ones(3)})
    with pytest.raises(ValueError, match="is a section and has no inside"):
        sample_inside(line((0, 0), (1, 1)), 10, rng())
    with pytest.raises(ValueError, match="without end: cut it with a box"):
        sample_inside(~SQUARE, 10, rng())
    with pytest.raises(ValueError, match="is no condition: compare"):
        sample_inside(SQUARE, 10, rng(), where=sympy.Symbol("flag"))


@pytest.mark.parametrize("sample", [sample_inside, sample_surface])
@pytest.mark.parametrize("known", [None, radii(10)])
def test_a_condition_that_nothing_fulfills_is_refused_with_the_bounds(sample, known):
    with pytest.raises(ValueError, match=r"0 of 10 points .* where x > 2, .*\[0.0, 0.0\] and"):
        sample(SQUARE, 10, rng(), known, where=x > 2)


def test_a_body_that_is_cut_away_is_refused():
    with pytest.raises(ValueError, match="0 of 10 points"):
        sample_inside(SQUARE - rectangle((-1, -1), (2, 2)), 10, rng())
    with pytest.raises(ValueError, match="0 of 10 points"):
        sample_inside(SQUARE & circle((9, 9), 1), 10, rng())
    assert float(volume(SQUARE & circle((9, 9), 1), rng()).value) == 0
