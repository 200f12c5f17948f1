import numpy as np
import pytest
import torch
from small_cars import brick, surface_of
from solids_by_formula import box, sphere

from ansatz.aero.body import measure
from ansatz.aero.cloud import LOCAL_FEATURES, RADII, distance, local_features, splat
from ansatz.aero.surface import Surface
from ansatz.mesh.solids import subdivide
from ansatz.mesh.stl import Solid

DENSITY = slice(0, LOCAL_FEATURES, 7)


def egg(longest=0.02):
    """Half of an ellipsoid of length 1 with a flat side at y = 0, in small cells."""
    shape = sphere(0.5, count=600) * np.array([1, 0.5, 0.4], np.float32)
    cells = surface_of(subdivide(shape + np.array([0.5, 0, 0.3], np.float32), longest)[0])
    return cells[torch.nonzero(cells.centers[:, 1] >= 0).squeeze(1)]


@pytest.fixture(scope="module")
def half():
    return egg()


@pytest.fixture(scope="module")
def pyramid(half):
    return splat(half)


def probes(half, count=500, lift=0.0, seed=1):
    rng = torch.Generator().manual_seed(seed)
    chosen = half[torch.randint(len(half), (count,), generator=rng)]
    return chosen.centers + lift * chosen.normals


def test_a_splat_keeps_area_and_first_moments_on_every_level(half, pyramid):
    whole = half.mirrored()
    for grid, spacing in zip(pyramid.grids, RADII, strict=True):
        near = whole.centers[:, 1] > -2 * spacing
        area = whole.areas[near].double()
        sums = grid.double().sum((0, 1, 2))
        assert float(sums[0]) == pytest.approx(float(area.sum()), rel=1e-5)
        expected = (area[:, None] * whole.centers[near]).sum(0)
        torch.testing.assert_close(sums[4:], expected, rtol=1e-5, atol=1e-6)


def test_what_a_point_sees_changes_little_when_it_moves_little(half, pyramid):
    points = probes(half)
    here = local_features(pyramid, points)
    steps = [float((local_features(pyramid, points + d) - here).abs().max()) for d in (1e-4, 1e-5)]
    # Over the smallest radius, 0.02, features change by a few units: 1e-5 is 1/2000 of it.
    assert steps[1] < 0.01
    assert steps[1] < 0.2 * steps[0]


def test_the_order_of_the_cells_does_not_matter(half, pyramid):
    order = torch.randperm(len(half), generator=torch.Generator().manual_seed(0))
    points = probes(half, lift=0.01)
    torch.testing.assert_close(
        local_features(splat(half[order]), points),
        local_features(pyramid, points),
        atol=1e-4,
        rtol=0,
    )


def test_smaller_cells_show_the_same_surface():
    # The grids begin at the outermost centers, which move with the cells by up to half a cell, so
    # that the smallest radius, of a cell, is left out; features are of the order of one.
    gaps = []
    for coarse, fine in ((egg(0.02), egg(0.01)), (egg(0.014), egg(0.007))):
        points = probes(coarse, lift=0.02)
        gap = local_features(splat(coarse), points) - local_features(splat(fine), points)
        gaps.append(float(gap[:, 7:].abs().mean()))
    assert gaps[0] < 3e-3
    assert gaps[1] < 0.6 * gaps[0]


def test_a_point_and_its_mirror_image_see_the_same(half, pyramid):
    points = probes(half, lift=0.01)
    flip = torch.tensor([1.0, -1.0, 1.0])
    assert torch.equal(local_features(pyramid, points), local_features(pyramid, points * flip))


def test_above_a_plane_the_mean_normal_is_the_normal_and_the_offset_is_the_height():
    x, y = torch.meshgrid(torch.arange(0, 1.5, 0.005), torch.arange(0, 0.75, 0.005), indexing="ij")
    centers = torch.stack([x.flatten(), y.flatten(), torch.full((x.numel(),), 0.3)], 1)
    normals = torch.tensor([0.0, 0.6, 0.8]).expand(len(centers), 3)
    # The reflection would turn the normals near y = 0.
    plane = splat(Surface(centers, normals, torch.full((len(centers),), 2.5e-5)))
    point = torch.tensor([[0.75, 0.37, 0.3]])
    found = local_features(plane, point).reshape(len(RADII), 7)
    torch.testing.assert_close(found[:4, 1:4], normals[:4], atol=1e-5, rtol=0)
    assert found[:4, 0].min() > 0.1
    # The centers lie on a lattice of a quarter of the smallest radius.
    assert found[:4, 4:].abs().max() < 0.05


def test_at_a_node_of_a_grid_its_moments_are_seen(pyramid):
    grid, origin = pyramid.grids[1], pyramid.origins[1]
    nodes = torch.nonzero((grid[..., 0] > 1e-4) & (torch.arange(grid.shape[1])[:, None] > 4))
    places = origin + RADII[1] * nodes
    seen = local_features(pyramid, places)[:, 7:14]
    moments = grid[tuple(nodes.T)]
    torch.testing.assert_close(seen[:, 0], (1 + moments[:, 0] / RADII[1] ** 2).log())
    means = moments[:, 1:4] / moments[:, :1]
    torch.testing.assert_close(seen[:, 1:4], means, atol=1e-3, rtol=0)


def test_far_from_the_body_nothing_is_seen(pyramid):
    assert (
        local_features(pyramid, torch.tensor([[5.0, 3.0, 2.0], [-4.0, 0.0, 0.0]])).abs().max() == 0
    )


def test_closer_to_the_body_more_of_it_is_seen(half, pyramid):
    near, far = (local_features(pyramid, probes(half, lift=lift))[:, DENSITY] for lift in (0, 0.1))
    assert (near.sum(1) > far.sum(1)).all()


def test_a_car_twice_as_large_looks_the_same():
    small = measure(brick())
    large = measure([Solid("body", 2 * brick()[0].triangles)])
    points = probes(small.half(1), count=100)
    torch.testing.assert_close(small.half(1).centers, large.half(1).centers)
    torch.testing.assert_close(
        local_features(splat(small.half(1)), points), local_features(splat(large.half(1)), points)
    )
    torch.testing.assert_close(small.frame.proportions, large.frame.proportions)


def test_the_distance_from_a_plane_is_the_height_beyond_a_cells_size():
    wall = surface_of(subdivide(box((0, 0, -1), (1, 1, 0)), 0.02)[0])
    rng = torch.Generator().manual_seed(0)
    across = 0.2 + 0.6 * torch.rand(300, 2, generator=rng)
    for height in (0.1, 0.02, -0.02, -0.1):
        points = torch.cat([across, torch.full((300, 1), height)], 1)
        gap, away = distance(wall, points)
        # The nearest center is within 0.015 of the foot; its disc has a radius of about 0.007.
        assert (gap * height > 0).all()
        assert (gap.abs() - abs(height)).abs().max() < 0.01**2 / abs(height) + 1e-6
        assert (away[:, 2] > 0.8).all()


def test_the_distance_from_a_sphere_is_that_from_its_center_less_its_radius():
    ball = surface_of(sphere(0.3, center=(0.5, 0.0, 0.5), count=4000))
    half = ball[torch.nonzero(ball.centers[:, 1] >= 0).squeeze(1)]
    rng = torch.Generator().manual_seed(0)
    points = torch.rand(2000, 3, generator=rng)
    radial = points - torch.tensor([0.5, 0.0, 0.5])
    exact = radial.norm(dim=1) - 0.3
    gap, away = distance(half, points)
    # Cells are 0.02 long: the polyhedron lies up to 2e-4 inside of the sphere.
    torch.testing.assert_close(gap, exact, atol=3e-3, rtol=0)
    clear = exact.abs() > 0.03
    outwards = radial / radial.norm(dim=1, keepdim=True)
    inner = radial.norm(dim=1) > 0.1
    assert ((away * outwards).sum(1)[clear & inner] > 0.97).all()
    torch.testing.assert_close(away.norm(dim=1), torch.ones(2000))


def test_points_inside_of_a_body_have_negative_distances():
    cells = surface_of(subdivide(box((0, -1, 0), (1, 1, 1)), 0.05)[0])
    points = torch.rand(500, 3, generator=torch.Generator().manual_seed(0)) * 0.9 + 0.05
    gap, away = distance(cells, points)
    assert (gap < 0).all()
    # Going away from the inside leads to the nearest wall.
    on_wall = points - gap[:, None] * away
    exact = torch.minimum(points, 1 - points)[:, [0, 2]].amin(1)
    exact = torch.minimum(exact, 1 - points[:, 1])
    torch.testing.assert_close(-gap, exact, atol=0.02, rtol=0)
    assert (on_wall > -0.03).all()
