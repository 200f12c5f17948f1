from dataclasses import replace

import numpy as np
import pytest
import torch
from small_cars import (
    TINY,
    answer_of,
    brick,
    lopsided,
    npy,
    request_for,
    stl_bytes,
    tiny_predictor,
)

from ansatz.aero.body import reflected
from ansatz.aero.calibration import FLOOR, LEVELS, Calibration, describe
from ansatz.aero.car import CarRequest
from ansatz.aero.forces import surface_force, surface_moment
from ansatz.mesh.solids import inside
from ansatz.mesh.stl import Solid


@pytest.fixture(scope="module")
def answer(predictor, car_file):
    return answer_of(predictor, CarRequest(car_file))


@pytest.fixture(scope="module")
def asked_at_cells(predictor, car_file, car_body):
    return answer_of(predictor, CarRequest(car_file, cells=car_body.cells))


@pytest.fixture(scope="module")
def geometry(tmp_path_factory):
    return stl_bytes(brick(), tmp_path_factory.mktemp("brick"))


def calibrated(predictor, car_body, cars=9, away=0.0):
    """With errors of the floor's size, and a training car that looks like a body, or does not."""
    look = describe(car_body.half(1), 0.0)
    residuals = {name: [0.5 + 0.1 * car for car in range(cars)] for name in FLOOR}
    known = Calibration(residuals, torch.stack([look + away, look + away + 0.1]), typical=0.5)
    return type(predictor)(predictor.model, known)


def test_in_bfloat16_forces_are_those_of_float32_to_a_hundredth(predictor, car_file):
    tensors = predictor.encode(CarRequest(car_file)).tensors
    exact = predictor.forward(tensors)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = predictor.forward(tensors)
        assert torch.is_autocast_enabled("cpu")
    for name in ("cells", "force", "moment"):
        error = float((rounded[name] - exact[name]).norm() / exact[name].norm())
        assert 1e-6 < error < 2e-2, name
    again = predictor.forward(tensors)
    assert torch.equal(again["force"], exact["force"])  # the weights are as they were


# ------------------------------------------------------------------------------ forces
def test_forces_are_integrals_of_the_fields_over_the_cells(asked_at_cells, car_body):
    found, cells = asked_at_cells, car_body.cells
    force = surface_force(cells, found.pressure, found.shear)
    center = torch.tensor(car_body.moment_center, dtype=torch.float64)
    moment = surface_moment(cells, found.pressure, found.shear, center)
    scale = float(force.norm())
    torch.testing.assert_close(found.loads.force, force, rtol=0, atol=1e-5 * scale)
    torch.testing.assert_close(found.loads.moment, moment, rtol=0, atol=1e-4 * scale)


def test_fields_of_triangles_are_means_over_their_cells(answer, asked_at_cells, car_body):
    areas, parents = car_body.cells.areas.numpy(), car_body.parents
    count = len(car_body.triangles)
    weights = np.bincount(parents, areas, count)
    mean = np.bincount(parents, areas * asked_at_cells.pressure.numpy(), count)
    wet = weights > 0
    found = answer.pressure.numpy()
    np.testing.assert_allclose(found[wet], mean[wet] / weights[wet], rtol=1e-4, atol=1e-3)
    # What the air does not touch has no pressure.
    assert wet.mean() < 0.99
    assert (found[~wet] == 0).all()


def test_forces_are_proportional_to_the_density_and_coefficients_do_not_know_it(
    predictor, car_file, answer
):
    dense = answer_of(predictor, CarRequest(car_file, density=1.25))
    torch.testing.assert_close(dense.loads.force, 1.25 * answer.loads.force)
    torch.testing.assert_close(dense.pressure, 1.25 * answer.pressure)
    assert dense.loads.coefficients == pytest.approx(answer.loads.coefficients)


def test_a_model_of_half_the_size_at_twice_the_speed_has_the_coefficients_of_the_car(
    predictor, tmp_path
):
    small = [Solid("body", 0.5 * brick()[0].triangles)]
    large = answer_of(predictor, CarRequest(stl_bytes(brick(), tmp_path), speed=30.0))
    model = answer_of(predictor, CarRequest(stl_bytes(small, tmp_path), speed=60.0))
    assert model.loads.coefficients == pytest.approx(large.loads.coefficients, abs=1e-5)
    # Four times the dynamic pressure on a quarter of the area.
    torch.testing.assert_close(model.loads.force, large.loads.force, rtol=1e-4, atol=1e-3)


def test_the_speed_changes_coefficients_through_the_reynolds_number(predictor, geometry):
    slow, fast = (answer_of(predictor, CarRequest(geometry, speed=u)) for u in (25.0, 45.0))
    change = slow.loads.coefficients["cd"] - fast.loads.coefficients["cd"]
    assert 1e-6 < abs(change) < 0.1


def test_a_reference_area_that_is_given_replaces_the_frontal_area(predictor, geometry):
    own = answer_of(predictor, CarRequest(geometry)).loads
    given = answer_of(predictor, CarRequest(geometry, reference_area=1.0)).loads
    assert own.reference_area == pytest.approx(1.8 * 1.2, rel=1e-3)
    assert given.coefficients["cd"] == pytest.approx(
        own.coefficients["cd"] * own.reference_area, rel=1e-6
    )
    longer = answer_of(predictor, CarRequest(geometry, reference_length=8.0)).loads
    assert longer.coefficients["cm_pitch"] == pytest.approx(own.coefficients["cm_pitch"] / 2)


def test_finer_triangles_of_the_same_body_have_the_same_drag(predictor, car_file, answer, tmp_path):
    # Each triangle in four: cells move, and the grids of the splat with them.
    t = answer.triangles
    a, b, c = t[:, 0], t[:, 1], t[:, 2]
    ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
    parts = [np.stack(p, 1) for p in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))]
    finer = stl_bytes([Solid("car", np.concatenate(parts))], tmp_path)
    found = answer_of(predictor, CarRequest(finer)).loads.coefficients
    own = answer.loads.coefficients
    size = np.hypot(own["cd"], own["cl"])
    for name in ("cd", "cl"):
        assert found[name] == pytest.approx(own[name], abs=0.03 * size)


# ------------------------------------------------------------------------------ symmetry
def test_a_symmetric_car_is_not_pushed_sideways(asked_at_cells):
    found = asked_at_cells.loads.coefficients
    for name in ("cs", "cm_roll", "cm_yaw"):
        assert abs(found[name]) < 1e-3


def test_the_mirror_image_of_a_lopsided_body_is_pushed_to_the_other_side(predictor, tmp_path):
    here = answer_of(predictor, CarRequest(stl_bytes(lopsided(), tmp_path))).loads
    images = [reflected(solid) for solid in lopsided()]
    there = answer_of(predictor, CarRequest(stl_bytes(images, tmp_path))).loads
    flip = torch.tensor([1.0, -1.0, 1.0], dtype=torch.float64)
    # Among cells at the same x, anchors are drawn in the order of the file: another half of them.
    scale = float(here.force.norm())
    assert float(here.force[1] * there.force[1]) < 0
    torch.testing.assert_close(there.force, here.force * flip, rtol=0, atol=0.02 * scale)


def test_a_lopsided_body_is_predicted_half_by_half_and_says_so(predictor, tmp_path):
    found = answer_of(predictor, CarRequest(stl_bytes(lopsided(), tmp_path)))
    assert "each half was predicted as if the other were its mirror image" in found.notes


# ------------------------------------------------------------------------------ the flow
def test_the_air_stands_still_inside_of_the_body(predictor, car_file, car_body):
    found = answer_of(predictor, CarRequest(car_file, volume_points=20_000)).volume
    hidden = torch.from_numpy(inside(car_body.triangles, found.points.numpy()))
    deep = hidden & (found.distance.abs() > 0.01)
    assert deep.sum() > 100
    assert (found.velocity[deep] == 0).all()
    assert (found.distance[deep] < 0).all()
    outside = ~hidden & (found.distance.abs() > 0.01)
    assert (found.velocity[outside].norm(dim=1) > 0).all()


def test_viscosity_and_turbulent_energy_are_positive(predictor, geometry):
    found = answer_of(predictor, CarRequest(geometry, volume_points=100)).volume
    assert (found.viscosity > 0).all()
    assert (found.turbulent_energy > 0).all()


def test_points_of_the_flow_are_answered_in_their_order(predictor, geometry, tmp_path):
    points = np.random.default_rng(0).uniform([-1, -1, 0.3], [6, 1, 2], (50, 3))
    (tmp_path / "points.npy").write_bytes(npy(points))
    whole = answer_of(predictor, CarRequest(geometry, points=tmp_path / "points.npy")).volume
    part = answer_of(predictor, CarRequest(geometry, points=points[20:25])).volume
    np.testing.assert_allclose(whole.points, points, rtol=1e-6)
    torch.testing.assert_close(whole.velocity[20:25], part.velocity, rtol=1e-4, atol=1e-4)


def test_without_points_there_is_no_volume(answer):
    assert answer.volume is None


# ------------------------------------------------------------------------------ doubts
def test_unfamiliar_speeds_and_shapes_are_noted(predictor, car_file, car_body):
    near = answer_of(calibrated(predictor, car_body), CarRequest(car_file, speed=30.0))
    assert not near.notes
    assert near.ood_score < 1
    fast = answer_of(calibrated(predictor, car_body), CarRequest(car_file, speed=80.0))
    assert fast.notes == ("the training cars drove at 20 to 50 m/s",)
    far = answer_of(calibrated(predictor, car_body, away=0.4), CarRequest(car_file, speed=30.0))
    assert far.ood_score > 1
    assert far.notes == ("the geometry is unlike the training cars: the intervals do not hold",)


def test_intervals_of_forces_are_those_of_the_coefficients(predictor, car_file, car_body):
    found = answer_of(calibrated(predictor, car_body), CarRequest(car_file, speed=30.0))
    loads = found.loads
    scale = loads.stream.dynamic_pressure * loads.reference_area
    for low, high in found.bands["cd"]:
        assert low < loads.coefficients["cd"] < high
    widths = [high - low for low, high in found.bands["cd"]]
    assert len(widths) == len(LEVELS)
    assert widths == sorted(widths)
    low, high = found.intervals["drag"]
    assert (low, high) == pytest.approx([scale * end for end in found.intervals["cd"]])
    assert found.summary()["cd_low"] < found.summary()["cd"] < found.summary()["cd_high"]


@pytest.mark.parametrize("cars", [0, 8])
def test_too_few_validation_cars_give_no_intervals_and_one_note(
    predictor, car_file, car_body, cars
):
    found = answer_of(calibrated(predictor, car_body, cars), CarRequest(car_file, speed=30.0))
    assert found.bands == {}
    assert not [name for name in found.summary() if name.endswith("_low")]
    assert found.notes == (
        f"no intervals: the model was calibrated with {cars} validation cars, and 9 are needed",
    )


def test_members_that_disagree_make_the_pressure_doubtful(answer, car_file):
    assert answer.pressure_deviation.max() > 0
    one = tiny_predictor(shape=replace(TINY, members=1))
    assert answer_of(one, request_for(car_file)).pressure_deviation.max() == 0
