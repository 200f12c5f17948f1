import numpy as np
import pytest
from solids_by_formula import sphere, torus

from ansatz.aero.thinning import BITS, along_curve, drawn_evenly, thin
from ansatz.mesh.solids import area_vectors, subdivide


def cells(triangles):
    vectors = area_vectors(triangles)
    areas = np.linalg.norm(vectors, axis=1)
    return triangles.mean(axis=1, dtype=np.float64), vectors / areas[:, None], areas


def test_thinned_cells_integrate_what_they_must_exactly():
    centers, normals, areas = cells(subdivide(torus(1.0, 0.4), 0.02)[0])
    ones = np.ones((len(areas), 1))
    pressure = np.sin(3 * centers[:, :1]) + centers[:, 1:2]
    integrands = (ones, normals, pressure * normals)

    index, weights = thin(centers, areas, integrands, 2000)

    assert len(areas) > 20_000
    assert len(index) == len(weights) == 2000
    for values in integrands:
        np.testing.assert_allclose(weights @ values[index], areas @ values, rtol=0, atol=1e-11)
    # A torus: the area is 4π² R r, of inscribed triangles a little less.
    assert weights.sum() == pytest.approx(4 * np.pi**2 * 0.4, rel=5e-3)
    assert np.abs(weights / weights.mean() - 1).max() < 0.1


def test_what_was_not_asked_for_is_near_all_the_same():
    centers, _, areas = cells(subdivide(torus(1.0, 0.4), 0.02)[0])
    index, weights = thin(centers, areas, (np.ones((len(areas), 1)),), 4000)
    # The second moment about the axis; of a smooth torus it is 4π² R r (R² + 3r²/2).
    whole = areas @ np.square(centers[:, :2]).sum(axis=1)
    found = weights @ np.square(centers[index, :2]).sum(axis=1)
    assert found == pytest.approx(whole, rel=2e-3)
    assert found == pytest.approx(4 * np.pi**2 * 0.4 * 1.24, rel=1e-2)


def test_every_region_gets_its_share_of_the_draw():
    rng = np.random.default_rng(0)
    centers = rng.uniform(size=(50_000, 3))
    areas = rng.uniform(0.1, 1, 50_000) * np.where(centers[:, 0] < 0.5, 3, 1)
    index = drawn_evenly(along_curve(centers), areas, 4000)
    for octant in np.ndindex(2, 2, 2):
        inside = ((centers > 0.5) == np.array(octant, bool)).all(axis=1)
        expected = 4000 * areas[inside].sum() / areas.sum()
        # A random draw would be off by its square root, 12 to 40.
        assert abs(inside[index].sum() - expected) <= 2


def test_neighbors_on_the_curve_are_neighbors_in_space():
    centers = np.random.default_rng(1).uniform(size=(20_000, 3))
    steps = np.linalg.norm(np.diff(centers[along_curve(centers)], axis=0), axis=1)
    assert np.median(steps) < 2 * 20_000 ** (-1 / 3)
    assert steps.mean() < 0.1  # at random it would be 0.66


def test_a_surface_that_is_small_enough_stays_as_it_is():
    centers, normals, areas = cells(sphere(count=300))
    index, weights = thin(centers, areas, (normals,), len(areas))
    np.testing.assert_array_equal(index, np.arange(len(areas)))
    np.testing.assert_array_equal(weights, areas)


def test_a_uniform_flow_makes_no_integrand_ambiguous():
    centers, normals, areas = cells(sphere(count=2000))
    ones = np.ones((len(areas), 1))
    index, weights = thin(centers, areas, (ones, normals, 0.3 * normals, 0 * normals), 500)
    np.testing.assert_allclose(weights @ normals[index], areas @ normals, atol=1e-12)
    assert weights.sum() == pytest.approx(areas.sum(), rel=1e-12)


def test_too_few_cells_for_the_integrals_are_refused():
    centers, normals, areas = cells(sphere(count=2000))
    peak = np.zeros((len(areas), 1))
    peak[along_curve(centers)[0]] = 1.0  # not among the drawn
    with pytest.raises(ValueError, match="8 of 3996 cells are too few"):
        thin(centers, areas, (normals, normals**3, centers**3, peak), 8)


def test_the_bits_of_the_axes_take_turns_along_the_curve():
    steps = np.random.default_rng(0).integers(0, 2**BITS, (500, 3))
    steps[:2] = [[0, 0, 0], [2**BITS - 1] * 3]  # so that the steps of the curve are these
    bits = [[f"{place:0{BITS}b}" for place in step] for step in steps.tolist()]
    turns = ["".join(z + y + x for x, y, z in zip(*row, strict=True)) for row in bits]
    places = [int(turn, 2) for turn in turns]
    expected = np.argsort(places, kind="stable")
    np.testing.assert_array_equal(along_curve(steps.astype(np.float64)), expected)
