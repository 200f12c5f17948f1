"""Bodies cut, joined and repeated: nothing lost, nothing twice, nothing outside."""

import math

import numpy as np
import pytest
import sympy
import torch

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
UNIT = box((0, 0, 0), (1, 1, 1))
DUCT = channel((0, 0, 0), (3, 1, 1))
SQUARE = rectangle((0, 0), (1, 1))


def rng(seed=0):
    return np.random.Generator(np.random.Philox(seed))


# Shape, volume, area.
EXACT = {
    "glued": (UNIT + UNIT.moved((1, 0, 0)), 2, 10),
    "glued by a third of a face": (SQUARE + rectangle((1, 0.2), (2, 0.5)), 1.3, 6),
    "flush on top": (SQUARE + rectangle((0.5, 0), (1.5, 1)), 1.5, 5),
    "the same twice": (circle((0, 0), 1) + circle((0, 0), 1), PI, 2 * PI),
    "common to itself": (UNIT & UNIT, 1, 6),
    "cut flush at a face": (UNIT - box((0.5, 0, 0), (1, 1, 1)), 0.5, 4),
    "cut next to it": (UNIT - UNIT.moved((1, 0, 0)), 1, 6),
    "a gap of rounding": (interval(0, 0.3) + interval(0.1 + 0.2, 1), 1, 2),
    "a hole": (SQUARE - circle((0.5, 0.5), 0.25), 1 - PI / 16, 4 + PI / 2),
    "a quarter": (circle((0, 0), 1) - ~rectangle((0, 0), (2, 2)), PI / 4, 2 + PI / 2),
    "fin on a wall": (DUCT - box((1, 0, 0.4), (2, 0.5, 0.6)), 2.9, 13.2),
    "fin flush with an open end": (DUCT - box((2, 0, 0.4), (3, 0.5, 0.6)), 2.9, 13.1),
    "box at an open end": (DUCT + box((3, 0, 0), (4, 1, 1)), 4, 17),
    "obstacle across a channel": (
        channel_2d((0, 0), (4, 1)) - rectangle((1, 0), (2, 1)), 3, 6 + 2,
    ),
    "repeated closer than its size": (UNIT.repeated((0.3, 1, 1), (5, 1, 1)), 2.2, 10.8),
    "repeated at its size": (SQUARE.repeated((1, 1), (3, 2)), 6, 10),
    "repeated apart": (circle((0, 0), 0.4).repeated((1, 2), (2, 3)), 6 * 0.16 * PI, 6 * 0.8 * PI),
    "glued and turned": (
        (UNIT + UNIT.moved((1, 0, 0))).rotated(0.3).rotated(1, "x").moved((9, 8, 7)), 2, 10,
    ),
    "prism of a union with a common side": (
        extruded(SQUARE + rectangle((1, 0), (2, 1)), 0, 1), 2, 10,
    ),
    "box on a prism": (extruded(SQUARE, 0, 1) + UNIT.moved((0, 0, 1)), 2, 10),
    "two prisms side by side, of other heights": (
        extruded(SQUARE, 0, 1) + extruded(rectangle((1, 0), (2, 1)), 0, 2), 3, 14,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EXACT)
def test_volumes_and_areas_are_those_of_formulas(name):
    shape, exact_volume, exact_area = EXACT[name]
    areas = area(shape, rng(), count=2**14)
    for found, exact in ((volume(shape, rng()), exact_volume), (areas, exact_area)):
        assert abs(found.value - exact) <= 4 * found.error + 1e-9 * exact
        assert found.error < 0.005 * exact


@pytest.mark.parametrize("name", EXACT)
def test_nothing_outside_is_sampled(name):
    shape, *_ = EXACT[name]
    points = sample_surface(shape, 2000, rng()).points
    assert float(shape.distance(points).abs().max()) < 1e-8
    inner = sample_inside(shape, 2000, rng())
    assert (inner.distance > 0).all()
    assert (inner.points >= shape.low()).all()
    assert (inner.points <= shape.high()).all()
    torch.testing.assert_close(inner.distance, shape.distance(inner.points))


def primitive(dimension, generator):
    """A random primitive near the origin."""
    at, size = generator.normal(size=3) * 0.5, generator.uniform(0.4, 1, 3)
    flat = [
        lambda: rectangle(at[:2] - size[:2], at[:2] + size[:2]),
        lambda: circle(at[:2], size[0]),
        lambda: ellipse(at[:2], size[:2]),
        lambda: polygon(
            [at[:2], at[:2] + np.array([size[0], 0.2]), at[:2] - np.array([0, size[1]])]
        ),
    ]
    solid = [
        lambda: box(at - size, at + size),
        lambda: sphere(at, size[0]),
        lambda: cylinder(at, size[0], 2 * size[1], "xyz"[generator.integers(3)]),
        lambda: cone(at, size[0], 2 * size[1], "xyz"[generator.integers(3)]),
        lambda: torus(at, 0.5 + size[0], 0.4 * size[1], "xyz"[generator.integers(3)]),
        lambda: extruded(flat[generator.integers(4)](), -size[2], size[2]),
    ]
    kinds = flat if dimension == 2 else solid
    made = kinds[generator.integers(len(kinds))]()
    return made.rotated(generator.uniform(0, 6)).scaled(generator.uniform(0.8, 1.2))


def body(dimension, seed):
    """Four random primitives, each joined to those before, cut from them or cut to them."""
    generator = rng(seed)
    whole = primitive(dimension, generator)
    for _ in range(3):
        other = primitive(dimension, generator)
        whole = [whole + other, whole + other, whole - other, ~(~whole & ~other)][
            generator.integers(4)
        ]
    # A complement of complements has no ends of its own.
    return whole & box((-6,) * 3, (6,) * 3) if dimension == 3 else whole & circle((0, 0), 6)


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_the_flux_of_x_out_of_a_random_body_is_its_dimension_times_its_volume(dimension, seed):
    """∮ x·n dA = d V, and ∮ n dA = 0."""
    shape = body(dimension, seed)
    surface, total = sample_surface(shape, 2**13, rng(1)), area(shape, rng(2), count=2**14)
    flux = float((surface.points * surface.normals).sum(1).mean() * total.value)
    content = volume(shape, rng(3))
    scale = float(total.value * surface.points.abs().max())
    assert abs(flux - dimension * float(content.value)) < 0.004 * scale + 4 * dimension * float(
        content.error
    )
    assert float(surface.normals.mean(0).norm()) < 0.01


def test_distance_of_a_union_and_of_a_cut_is_never_more_than_to_the_boundary():
    for dimension, seed in ((2, 0), (2, 1), (3, 2)):
        shape = body(dimension, seed)
        points = sample_inside(shape, 500, rng()).points * 1.3
        nearest = torch.cdist(points, sample_surface(shape, 10000, rng()).points).amin(1)
        assert float((shape.distance(points).abs() - nearest).max()) < 1e-6


def test_a_section_is_cut_to_a_body():
    """The free area over a fin, and a hole in a plane."""
    duct = DUCT - box((1, 0, 0.4), (2, 0.5, 0.6))
    across = plane((1.5, 0, 0), (1.5, 1, 1))
    free = area(across & duct, rng())
    assert abs(free.value - 0.9) <= 4 * free.error + 1e-12
    holed = area(across - cylinder((1.5, 0.5, 0.5), 0.25, 1, "x"), rng())
    assert abs(holed.value - (1 - PI / 16)) <= 4 * holed.error
    points = sample_surface(duct & across, 500, rng()).points
    assert (duct.distance(points) > 0).all()


def test_an_inlet_is_cut_to_the_body_that_begins_there():
    duct = DUCT - box((0, 0, 0.4), (1, 0.5, 0.6))
    free = area(plane((0, 0, 0), (0, 1, 1)) & duct, rng())
    assert abs(free.value - 0.9) <= 4 * free.error + 1e-12


def test_sections_that_overlap_count_once():
    both = line((0, 0), (2, 0)) + line((1, 0), (3, 0)) + line((0, 1), (0, 2))
    assert float(area(both, rng()).value) == pytest.approx(4, rel=0.01)
    moved = (line((0, 0), (2, 0)) & circle((0, 0), 1)).rotated(1).moved((3, 3))
    assert float(area(moved, rng()).value) == pytest.approx(1, rel=0.01)


def test_a_complement_has_the_same_boundary_seen_from_outside():
    outside = sample_surface(~circle((0, 0), 1), 100, rng())
    torch.testing.assert_close(outside.normals, -outside.points)


def test_bounds_of_a_union_reach_over_both():
    radius = sympy.Symbol("R")
    shape = circle((0, 0), radius) + rectangle((0, 0), (1, 3))
    radii = {"R": torch.tensor([0.5, 4.0])}
    assert shape.low(radii).tolist() == [[-0.5, -0.5], [-4, -4]]
    assert shape.high(radii).tolist() == [[1, 3], [4, 4]]
