"""Primitives: areas, volumes, distances, normals."""

import math

import numpy as np
import pytest
import sympy
import torch
from scipy.special import ellipe

from ansatz.pde.shapes import (
    area,
    box,
    channel,
    channel_2d,
    circle,
    cone,
    cylinder,
    ellipse,
    extruded,
    interval,
    line,
    plane,
    polygon,
    rectangle,
    sample_inside,
    sample_surface,
    sphere,
    torus,
    volume,
)

PI = math.pi
TRIANGLE = polygon([(0, 0), (3, 0), (0, 4)])
# A polygon that is not convex, clockwise: a square of side 2 without a triangle of area 1.
NOTCHED = polygon([(0, 0), (0, 2), (1, 1), (2, 2), (2, 0)])
# Shape, volume, area.
EXACT = [
    (interval(-0.2, 1), 1.2, 2),
    (rectangle((0, 0), (1, 2)), 2, 6),
    (channel_2d((0, 0), (3, 1)), 3, 6),
    (circle((1, 1), 0.5), PI / 4, PI),
    (ellipse((1, -1), (2, 0.5)), PI, 8 * ellipe(1 - 1 / 16)),
    (TRIANGLE, 6, 12),
    (NOTCHED, 3, 6 + 2 * math.sqrt(2)),
    (box((0, 0, 0), (1, 2, 3)), 6, 22),
    (channel((0, 0, 0), (1, 2, 3)), 6, 10),
    (sphere((0, 1, 2), 2), 32 / 3 * PI, 16 * PI),
    (cylinder((0, 1, 2), 2, 3, "x"), 12 * PI, 20 * PI),
    (cone((0, 1, 2), 3, 4, "y"), 12 * PI, 24 * PI),
    (torus((0, 1, 2), 3, 1), 6 * PI**2, 12 * PI**2),
    (extruded(TRIANGLE, -1, 1), 12, 36),
    (extruded(circle((0, 0), 1) - rectangle((-2, -2), (0, 2)), 0, 2), PI, 3 * PI + 4),
    (TRIANGLE.rotated(1).scaled(0.5).moved((1, 2)), 1.5, 6),
    (cone((0, 1, 2), 3, 4, "y").rotated(0.7, "x").scaled(2), 96 * PI, 96 * PI),
]
SECTIONS = [(line((0, 0), (3, 4)), 5), (plane((1, 0, 0), (1, 2, 3)), 6)]
IDS = [str(shape)[:40] for shape, *_ in EXACT]
# Whose distance is exact inside and outside.
PLAIN = [s for s, *_ in EXACT if "ellipse" not in str(s) and "channel" not in str(s)]
PLAIN = [s for s in PLAIN if " - " not in str(s)] + [s for s, _ in SECTIONS]


def rng(seed=0):
    return np.random.Generator(np.random.Philox(seed))


def around(shape, count=300, margin=0.5):
    """Points in a box larger than the shape."""
    low, high = shape.low()[0], shape.high()[0]
    share = torch.from_numpy(rng(5).random((count, shape.dimension))) * (1 + 2 * margin) - margin
    return low + share * (high - low) + 0.01 * (share - 0.5)


@pytest.mark.parametrize(("shape", "exact", "_"), EXACT, ids=IDS)
def test_volumes_are_those_of_formulas(shape, exact, _):
    found = volume(shape, rng())
    assert abs(found.value - exact) <= 4 * found.error + 1e-12 * exact
    assert found.error < 0.003 * exact


@pytest.mark.parametrize(("shape", "_", "exact"), EXACT, ids=IDS)
def test_areas_are_those_of_formulas(shape, _, exact):
    found = area(shape, rng(), count=2**14)
    assert abs(found.value - exact) <= 4 * found.error + 1e-12 * exact
    assert found.error < 0.002 * exact


@pytest.mark.parametrize(("section", "exact"), SECTIONS)
def test_areas_of_sections_are_exact(section, exact):
    assert float(area(section, rng()).value) == pytest.approx(exact, rel=1e-14)


@pytest.mark.parametrize("shape", PLAIN, ids=str)
def test_distances_are_those_from_the_nearest_of_many_points_of_the_boundary(shape):
    surface = sample_surface(shape, 10000, rng()).points
    points = around(shape)
    nearest = torch.cdist(points, surface).amin(1)
    distance = shape.distance(points).abs()
    extent = float((shape.high() - shape.low()).max())
    assert float((distance - nearest).max()) < 1e-12
    assert float((nearest - distance).max()) < 0.06 * extent


@pytest.mark.parametrize("shape", [s for s, *_ in EXACT], ids=IDS)
def test_volumes_are_where_distances_are_positive_and_nowhere_else(shape):
    points = around(shape, 4000)
    ends = shape.low()[0], shape.high()[0]
    is_beyond = ((points < ends[0]) | (points > ends[1])).any(1)
    assert not (shape.distance(points) > 0)[is_beyond].any()
    assert (shape.distance(sample_inside(shape, 500, rng()).points) > 0).all()


@pytest.mark.parametrize("shape", PLAIN, ids=str)
def test_distance_grows_by_one_per_length(shape):
    points = around(shape).requires_grad_()
    (slope,) = torch.autograd.grad(shape.distance(points).sum(), points)
    torch.testing.assert_close(slope.norm(dim=1), torch.ones(len(points)).double())


@pytest.mark.parametrize("shape", [s for s, *_ in EXACT], ids=IDS)
def test_normals_are_against_the_gradient_of_the_distance_which_is_zero_there(shape):
    boundary = sample_surface(shape, 500, rng())
    points = boundary.points.requires_grad_()
    distance = shape.distance(points)
    (slope,) = torch.autograd.grad(distance.sum(), points)
    assert float(distance.detach().abs().max()) < 1e-13 * float(points.detach().abs().max())
    torch.testing.assert_close(boundary.normals, -slope, rtol=0, atol=1e-7)


def test_normals_of_sections_point_where_they_are_said_to():
    ahead = sample_surface(plane((1, 0, 0), (1, 2, 3)), 9, rng()).normals
    against = sample_surface(plane((0, 1, 0), (2, 1, 3), facing=-1), 9, rng()).normals
    right = sample_surface(line((0, 0), (0, 2)), 9, rng()).normals
    assert ahead.unique(dim=0).tolist() == [[1, 0, 0]]
    assert against.unique(dim=0).tolist() == [[0, -1, 0]]
    assert right.unique(dim=0).tolist() == [[1, 0]]


def test_distance_from_an_ellipse_is_a_lower_bound_and_exact_from_its_center_and_for_circles():
    long = ellipse((0.3, 0), (2, 0.5))
    points = around(long, 400)
    nearest = torch.cdist(points, sample_surface(long, 20000, rng()).points).amin(1)
    assert float((long.distance(points).abs() - nearest).max()) < 1e-6
    assert float(long.distance(torch.tensor([[0.3, 0.0]]))) == pytest.approx(0.5)
    torch.testing.assert_close(
        ellipse((1, 0), (0.7, 0.7)).distance(points), circle((1, 0), 0.7).distance(points)
    )


def test_distance_inside_a_channel_is_from_its_walls_only():
    points = torch.tensor([[0.0, 0.5, 1.0], [0.01, 0.5, 1.0], [-0.01, 0.5, 1.0]])
    distance = channel((0, 0, 0), (5, 2, 3)).distance(points)
    assert distance.tolist() == pytest.approx([0.5, 0.5, -0.01])


def test_distance_is_differentiable_by_parameters():
    a, b = sympy.symbols("a b")
    shapes = [
        circle((a, 0), b),
        ellipse((0, a), (b, 2 * b)),
        polygon([(0, 0), (a + 1, 0), (a, b)]),
        rectangle((-a, -b), (a, b + a**2)) - circle((0, 0), a / 3),
        rectangle((0, 0), (a, b)).rotated(a).scaled(b).moved((b, 0)),
    ]
    values = torch.from_numpy(rng().random((2, 40))) + 0.5
    points = torch.from_numpy(rng(1).normal(size=(40, 2)))
    for shape in shapes:
        assert torch.autograd.gradcheck(
            lambda a, b, p, shape=shape: shape.distance(p, {"a": a, "b": b}),
            [t.clone().requires_grad_() for t in (values[0], values[1], points)],
        )


def test_a_rotation_turns_the_first_of_the_other_axes_to_the_second():
    turned = box((1, 0, 0), (2, 0.5, 0.25)).rotated(PI / 2, "y")
    torch.testing.assert_close(turned.low(), torch.tensor([[0.0, 0.0, -2.0]]).double())
    torch.testing.assert_close(turned.high(), torch.tensor([[0.25, 0.5, -1.0]]).double())
    flat = rectangle((1, 0), (2, 0.5)).rotated(PI / 2)
    torch.testing.assert_close(flat.high(), torch.tensor([[0.0, 2.0]]).double())


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: circle((0, 0), 0), "radius > 0 and has radius = 0"),
        (lambda: rectangle((0, 1), (1, 1)), "high - low > 0 and has high - low = 0"),
        (lambda: torus((0, 0, 0), 1, 2), "radius - tube > 0 and has radius - tube = -1"),
        (lambda: cylinder((0, 0, 0), 1, -2), "height > 0"),
        (lambda: cone((0, 0, 0), 1, 2, "w"), "axis is x, y or z, got 'w'"),
        (lambda: line((1, 1), (1, 1)), "length > 0"),
        (lambda: polygon([(0, 0), (1, 1)]), "at least 3 vertices, got 2"),
        (lambda: polygon([(0, 0), (1, 1), (2, 2)]), r"\|area\| > 0"),
        (lambda: plane((0, 0, 0), (1, 1, 1)), "one axis along which low and high are the same"),
        (lambda: circle((0, 0), 1).scaled(0), "factor > 0"),
        (lambda: circle((0, 0), 1).moved((1, 2, 3)), "2 dimensions and moves by"),
        (lambda: circle((0, 0), 1).rotated(1, "x"), "no rotation about 'x'"),
        (lambda: circle((0, 0), 1).repeated((1, 1), (0, 1)), "count of at least 1"),
        (lambda: circle((0, 0), 1) + sphere((0, 0, 0), 1), "2 dimensions and sphere"),
        (lambda: extruded(line((0, 0), (1, 0)), 0, 1), "no body of the plane"),
        (lambda: extruded(circle((0, 0), 1), 1, 1), "high - low > 0"),
        (lambda: ~line((0, 0), (1, 0)), "no inside that could be taken away"),
        (lambda: line((0, 0), (1, 0)) + circle((0, 0), 1), "one is a section, one a body"),
        (lambda: line((0, 0), (1, 0)) & line((0, 0), (0, 1)), "no inside to share"),
    ],
)
def test_shapes_that_cannot_be_are_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()
