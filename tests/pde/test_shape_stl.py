"""Bodies of STL files: like any other shape."""

import numpy as np
import pytest
import sympy
import torch
from solids_by_formula import box as facets_of_box
from solids_by_formula import sphere as facets_of_sphere
from solids_by_formula import torus as facets_of_torus

from ansatz.mesh.solids import area_vectors, signed_volume
from ansatz.mesh.stl import Solid, write_stl
from ansatz.pde.shapes import (
    area,
    box,
    channel,
    plane,
    sample_inside,
    sample_surface,
    sphere,
    stl,
    volume,
)
from ansatz.pde.symbols import coordinates

x, y, z = coordinates("x y z")
R = sympy.Symbol("R", positive=True)
BALL = facets_of_sphere(1, (0.2, 0, -0.1), count=400)
RING = facets_of_torus(1, 0.4, count=24)
CAVE = box((-2, -2, -2), (2, 2, 2))


def rng(seed=0):
    return np.random.Generator(np.random.Philox(seed))


def content(tmp_path, triangles):
    """The bytes of an STL file."""
    write_stl(tmp_path / "body.stl", [Solid("body", triangles.astype(np.float32))])
    return (tmp_path / "body.stl").read_bytes()


def read(tmp_path, triangles, **options):
    return stl(content(tmp_path, triangles), **options)


def area_of(triangles):
    return float(np.linalg.norm(area_vectors(triangles), axis=1).sum())


@pytest.mark.parametrize("triangles", [BALL, RING])
def test_volume_and_area_are_those_of_the_triangles(tmp_path, triangles):
    shape = read(tmp_path, triangles)
    content = volume(shape, rng(), count=2**14)
    assert abs(content.value - signed_volume(triangles)) <= 4 * content.error
    assert float(area(shape, rng(), count=2**11).value) == pytest.approx(
        area_of(triangles), rel=1e-14
    )


def test_a_ball_of_triangles_is_a_ball_to_their_sagitta(tmp_path):
    fine, exact = read(tmp_path, facets_of_sphere(count=1000)), sphere((0, 0, 0), 1)
    points = torch.from_numpy(rng().normal(size=(2000, 3)))
    torch.testing.assert_close(fine.distance(points), exact.distance(points), rtol=0, atol=0.012)
    for measure, count in ((volume, 2**13), (area, 2**10)):
        one, other = (float(measure(shape, rng(), count=count).value) for shape in (fine, exact))
        assert one == pytest.approx(other, rel=0.01)


def test_the_flux_of_x_out_of_a_cave_is_three_times_its_volume(tmp_path):
    """∮ x·n dA = 3 V and ∮ n dA = 0, of a box without a body that is turned, scaled and moved."""
    body = read(tmp_path, RING).rotated(1, "x").scaled(1.2).moved((0.1, 0.2, 0.3))
    cave = CAVE - body
    surface, total = (
        sample_surface(cave, 2**13, rng(1)),
        float(area(cave, rng(2), count=2**12).value),
    )
    exact = 64 - 1.2**3 * signed_volume(RING)
    flux = float((surface.points * surface.normals).sum(1).mean()) * total
    assert total == pytest.approx(96 + 1.44 * area_of(RING), rel=1e-12)
    assert flux == pytest.approx(3 * exact, rel=2e-3)
    assert float(surface.normals.mean(0).norm()) < 0.005
    found = volume(cave, rng(3), count=2**14)
    assert abs(found.value - exact) <= 4 * found.error


def test_points_are_uniform_on_the_triangles(tmp_path):
    """The mean and the mean square of places on a body that is large on one side."""
    cone = np.float32([[0, 0, 0], [4, 0, 0], [0, 3, 0], [0, 0, 2]])
    triangles = cone[[[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]]
    shares = np.linalg.norm(area_vectors(triangles), axis=1)
    shares = shares / shares.sum()
    middles = triangles.mean(axis=1)
    # ∫ x² over a triangle: its area times Σ over corners and their sum.
    squares = (np.square(triangles).sum(axis=1) + np.square(triangles.sum(axis=1))) / 12
    for quasi in (True, False):
        points = sample_surface(read(tmp_path, triangles), 20000, rng(), quasi=quasi).points
        mean, square = points.mean(0).numpy(), points.square().mean(0).numpy()
        np.testing.assert_allclose(mean, shares @ middles, rtol=0, atol=0.03)
        np.testing.assert_allclose(square, shares @ squares, rtol=0, atol=0.1)


def test_nothing_outside_is_sampled(tmp_path):
    body = read(tmp_path, RING)
    for shape in (body, CAVE - body, body.repeated((1.1, 3, 3), (2, 1, 2))):
        inner, surface = sample_inside(shape, 1000, rng()), sample_surface(shape, 1000, rng())
        assert (inner.distance > 0).all()
        assert float(shape.distance(surface.points).abs().max()) < 1e-14
        assert (shape.distance(surface.points - 1e-7 * surface.normals) > 0).all()
        assert (shape.distance(surface.points + 1e-7 * surface.normals) < 0).all()
        assert (surface.points >= shape.low() - 1e-12).all()
        assert (surface.points <= shape.high() + 1e-12).all()


@pytest.mark.parametrize("triangles", [BALL, RING])
def test_distance_grows_by_one_per_length_and_normals_are_against_it(tmp_path, triangles):
    shape = read(tmp_path, triangles)
    points = torch.from_numpy(rng().normal(size=(500, 3))).requires_grad_()
    (slope,) = torch.autograd.grad(shape.distance(points).sum(), points)
    torch.testing.assert_close(slope.norm(dim=1), torch.ones(500).double())
    # From a point, the distance leads to the surface.
    feet = points - shape.distance(points).unsqueeze(1) * slope
    assert float(shape.distance(feet).detach().abs().max()) < 1e-13
    surface = sample_surface(shape, 500, rng())
    on = surface.points.requires_grad_()
    (slope,) = torch.autograd.grad(shape.distance(on).sum(), on)
    torch.testing.assert_close(surface.normals, -slope, rtol=0, atol=1e-12)


def test_distance_is_differentiable_by_points_twice_and_by_the_scale(tmp_path):
    shape = read(tmp_path, facets_of_box((0, 0, 0), (1, 1, 1)), scale=R)
    points = torch.from_numpy(rng(1).normal(size=(16, 3))).requires_grad_()
    sizes = torch.from_numpy(rng(2).uniform(0.5, 1, 16)).requires_grad_()

    def distance(points, sizes):
        return shape.distance(points, {"R": sizes})

    assert torch.autograd.gradcheck(distance, (points, sizes))
    assert torch.autograd.gradgradcheck(distance, (points, sizes))


@pytest.mark.parametrize("shift", [0.5, 1])
def test_bodies_of_one_file_that_overlap_or_touch_are_joined(tmp_path, shift):
    first = facets_of_box((0, 0, 0), (1, 1, 1))
    both = np.concatenate([first, first + np.float32([shift, 0.5, 0.5])])
    shape = read(tmp_path, both)
    corners = [(0, 0, 0), (shift, 0.5, 0.5)]
    one, other = (box(low, np.add(low, 1)) for low in corners)
    points = torch.from_numpy(rng().normal(size=(1000, 3)))
    torch.testing.assert_close(shape.distance(points), (one + other).distance(points))
    found = area(shape, rng(), count=2**13)
    assert abs(found.value - (12 - 0.5 - 2 * (1 - shift))) <= 4 * found.error + 1e-9
    content = volume(shape, rng(), count=2**14)
    assert abs(content.value - (2 - (1 - shift) / 4)) <= 4 * content.error


def test_a_body_joins_with_what_it_lies_on(tmp_path):
    """A cube on the floor of a channel: its lowest side and the floor under it are no boundary."""
    cube = read(tmp_path, facets_of_box((1, 0, 0.25), (1.5, 0.5, 0.75)))
    flow = channel((0, 0, 0), (3, 1, 1)) - cube
    found = area(flow, rng(), count=2**13)
    assert abs(found.value - (12 + 4 * 0.25)) <= 4 * found.error + 1e-9
    walls = sample_surface(flow, 200, rng(), where=(y > 0) & (y < 1) & (z > 0) & (z < 1)).points
    assert float(cube.distance(walls).abs().max()) < 1e-12


def test_a_file_in_millimeters_is_scaled(tmp_path):
    write_stl(tmp_path / "part.stl", [Solid("part", 1000 * BALL)])
    shape = stl(str(tmp_path / "part.stl"), scale=0.001)
    plain = read(tmp_path, BALL)
    torch.testing.assert_close(shape.low(), plain.low(), rtol=1e-6, atol=0)
    points = torch.from_numpy(rng().normal(size=(200, 3)))
    torch.testing.assert_close(shape.distance(points), plain.distance(points), rtol=0, atol=1e-6)
    assert "part.stl" in str(shape)


def test_an_open_surface_is_a_section(tmp_path):
    """The lid of a box, cut by a hole, and as something that others are cut to."""
    lid = facets_of_box((0, 0, 0), (2, 1, 1))
    lid = lid[(lid[:, :, 2] == 1).all(axis=1)]
    section = read(tmp_path, lid, airtight=False)
    assert float(area(section, rng()).value) == pytest.approx(2, rel=1e-14)
    found = sample_surface(section & sphere((0, 0, 1), 0.5), 300, rng())
    assert found.normals.unique(dim=0).tolist() == [[0, 0, 1]]
    assert (found.points.norm(dim=1) ** 2 < 1.25).all()
    points = torch.from_numpy(rng().normal(size=(300, 3)))
    flat = plane((0, 0, 1), (2, 1, 1))
    torch.testing.assert_close(section.distance(points), flat.distance(points))
    with pytest.raises(ValueError, match="section and has no inside"):
        sample_inside(section, 10, rng())


def test_what_encloses_no_body_is_refused_with_the_name_of_the_file(tmp_path):
    write_stl(tmp_path / "torn.stl", [Solid("torn", BALL[1:])])
    with pytest.raises(ValueError, match=r"torn.stl: .*3 open.*ansatz prepare.*airtight=False"):
        stl(tmp_path / "torn.stl")
    with pytest.raises(ValueError, match=r"the STL: the body .* faces inwards"):
        read(tmp_path, BALL[:, ::-1])
    with pytest.raises(ValueError, match="factor > 0"):
        read(tmp_path, BALL, scale=-1)
    with pytest.raises(FileNotFoundError):
        stl(tmp_path / "nowhere.stl")
