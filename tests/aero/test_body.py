import numpy as np
import pytest
import torch
from small_cars import brick, lopsided
from solids_by_formula import box

from ansatz.aero.body import LONGEST, measure, reflected, wetted_cells
from ansatz.aero.geometry.parametric import car_solids, sample_car
from ansatz.mesh.solids import area_vectors, inside, merged
from ansatz.mesh.stl import Solid


def total_area(body):
    return float(body.cells.areas.sum())


def moved(solids, function):
    return [Solid(s.name, function(s.triangles).astype(np.float32)) for s in solids]


def with_block():
    """A brick with a block that is half inside of it and sticks out of its roof."""
    return [*brick(), Solid("block", box((1, -0.4, 1.0), (2, 0.4, 1.8)))]


# ------------------------------------------------------------------------------ wetted surface
def test_what_lies_inside_of_another_solid_is_not_wetted():
    body = measure(with_block())
    # Four sides and a roof, for the floor of a body without wheels lies on the ground; the block
    # stands out by 0.4 m, and its lid replaces the roof below it.
    outside = 2 * (4.0 + 1.8) * 1.2 + 4.0 * 1.8 + 2 * (1.0 + 0.8) * 0.4
    # Cells of up to 0.13 m are kept or dropped as a whole.
    assert total_area(body) == pytest.approx(outside, rel=0.02)


def test_wheels_are_cut_at_the_ground():
    sunk = [*brick(), Solid("block", box((1, -0.4, -0.01), (1.6, 0.4, 0.5)))]
    cells = measure(sunk).cells
    assert float(cells.centers[:, 2].min()) > 0
    assert measure(sunk).frame.ground == 0


def test_the_wetted_area_of_a_car_is_that_of_the_union_of_its_solids(car_body):
    # Independently: random points of every solid's surface, kept above the ground and outside.
    solids = car_solids(sample_car(901))
    rng, area = np.random.default_rng(0), 0.0
    for number, solid in enumerate(solids):
        sizes = np.linalg.norm(area_vectors(solid.triangles), axis=1)
        chosen = solid.triangles[rng.choice(len(sizes), 20_000, p=sizes / sizes.sum())]
        share = rng.dirichlet([1, 1, 1], len(chosen))
        points = (share[:, :, None] * chosen).sum(1)
        free = points[:, 2] > 0
        for other in solids[:number] + solids[number + 1 :]:
            free[free] = ~inside(other.triangles, points[free])
        area += sizes.sum() * free.mean()
    assert total_area(car_body) == pytest.approx(area, rel=0.01)


def test_cells_are_small_and_know_their_triangle(car_body):
    triangles = car_body.triangles[car_body.parents]
    low, high = triangles.min(1), triangles.max(1)
    centers = car_body.cells.centers.numpy()
    assert ((centers >= low - 1e-4) & (centers <= high + 1e-4)).all()
    # A triangle has less than half of the square of its longest edge as area.
    assert float(car_body.cells.areas.max()) < 0.5 * (LONGEST * car_body.frame.length) ** 2


def test_the_cells_of_a_closed_car_enclose_it(car_body):
    # Above the ground the wheels are open: what is missing are flat faces with n = (0, 0, ±1).
    vectors = (car_body.cells.normals * car_body.cells.areas[:, None]).sum(0)
    assert vectors[:2].abs().max() < 2e-3 * total_area(car_body)


def test_cells_of_two_lengths_are_those_of_either_alone():
    solids = with_block()
    together = wetted_cells(solids, 0.0, 0.3, 0.17)
    for longest, (both, parents) in zip((0.3, 0.17), together, strict=True):
        ((alone, own),) = wetted_cells(solids, 0.0, longest)
        assert torch.equal(both.centers, alone.centers)
        np.testing.assert_array_equal(parents, own)
    assert len(together[0][0]) < len(together[1][0])


def test_triangles_without_area_are_no_cells():
    line = np.float32([[[1, 0, 2], [1.1, 0, 2], [1.2, 0, 2]]])
    solids = [*brick(), Solid("line", line)]
    ((cells, parents),) = wetted_cells(solids, 0.0, 0.3)
    ((plain, own),) = wetted_cells(brick(), 0.0, 0.3)
    assert torch.equal(cells.centers, plain.centers)
    np.testing.assert_array_equal(parents, own)


# ------------------------------------------------------------------------------ what a file says
def test_a_file_in_millimeters_is_the_same_body():
    in_m, in_mm = measure(with_block()), measure(moved(with_block(), lambda t: 1000 * t))
    torch.testing.assert_close(in_mm.cells.centers, in_m.cells.centers)
    torch.testing.assert_close(in_mm.cells.areas, in_m.cells.areas)
    assert in_mm.frontal_area == pytest.approx(in_m.frontal_area)


def test_one_solid_with_all_parts_is_the_same_body(car_body):
    one = measure([Solid("everything", merged(car_solids(sample_car(901))))])
    assert total_area(one) == pytest.approx(total_area(car_body), rel=1e-5)
    assert one.frontal_area == pytest.approx(car_body.frontal_area)


def test_a_car_is_measured_as_it_was_designed(car_body):
    car = sample_car(901)
    assert car_body.frame.length == pytest.approx(car.length, abs=0.01)
    assert car_body.frame.height == pytest.approx(car.height, abs=0.03)
    assert car_body.reference_length == pytest.approx(car.wheelbase, abs=0.01)
    middle = car.front_axle + car.wheelbase / 2
    assert car_body.moment_center == pytest.approx((middle, 0, 0), abs=0.01)
    assert car_body.is_symmetric


def test_moments_of_a_body_without_wheels_refer_to_its_length():
    body = measure(brick(length=3.0))
    assert body.reference_length == pytest.approx(3.0)
    assert body.moment_center[0] == pytest.approx(1.5)


def test_a_mirror_on_one_side_makes_two_different_halves():
    body = measure(lopsided())
    assert not body.is_symmetric
    assert float(body.half(1).areas.sum()) > float(body.half(-1).areas.sum())
    for side in (1, -1):
        assert float(body.half(side).centers[:, 1].min()) >= 0


def test_halves_add_up_to_the_body(car_body):
    both = [float(car_body.half(side).areas.double().sum()) for side in (1, -1)]
    square = car_body.frame.length**2
    whole = float(car_body.sample.areas.double().sum())
    assert square * sum(both) == pytest.approx(whole, rel=1e-5)
    # The sample and the cells differ where cells are kept or dropped as a whole.
    assert whole == pytest.approx(total_area(car_body), rel=0.01)


# ------------------------------------------------------------------------------ half bodies
@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("has_lid", [True, False])
def test_half_a_body_is_mirrored_and_says_so(side, has_lid):
    shape = box((0, 0, 0.2), (4, 0.9, 1.4))
    if not has_lid:
        shape = shape[~(shape[:, :, 1] == 0).all(1)]
    half = Solid("half", shape)
    body = measure([half if side > 0 else reflected(half)])
    assert total_area(body) == pytest.approx(total_area(measure(brick())), rel=1e-5)
    assert body.frontal_area == pytest.approx(1.8 * 1.2, rel=1e-3)
    assert body.is_symmetric
    assert [note for note in body.notes if "half" in note] == [
        "only half of the body was given: it was mirrored at y = 0"
    ]


def test_half_a_car_has_the_wetted_area_of_the_car(car_body):
    # The body is cut open at y = 0; its wheels stand beside the plane, partly inside of it.
    parts = moved(car_solids(sample_car(901)), lambda t: t[(t[:, :, 1] > -1e-6).all(1)])
    body = measure([part for part in parts if len(part.triangles)])
    assert total_area(body) == pytest.approx(total_area(car_body), rel=1e-3)
    assert len(body.triangles) == len(car_body.triangles)


# ------------------------------------------------------------------------------ errors
def test_a_body_announced_in_millimeters_that_is_one_in_meters_is_refused():
    with pytest.raises(ValueError, match=r"announced in mm, and it is 4 m long in m. Give units=m"):
        measure(brick(), "mm")


def test_a_body_across_the_flow_is_refused():
    across = moved(brick(), lambda t: t[:, ::-1, [1, 0, 2]])
    with pytest.raises(ValueError, match=r"stands across the flow.*Turn it by 90 degrees"):
        measure(across)
