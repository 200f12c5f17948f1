from dataclasses import replace

import numpy as np
import pytest
from solids_by_formula import box, sphere

from ansatz.aero.geometry.parametric import car_solids, sample_car
from ansatz.aero.geometry.placement import DOMINO_GROUND, frame, place, upright
from ansatz.aero.geometry.symmetry import asymmetry
from ansatz.mesh.solids import extent, merged
from ansatz.mesh.stl import Solid

CAR = sample_car(10)
SOLIDS = car_solids(CAR)


def changed(solids, change):
    return [Solid(s.name, np.asarray(change(s.triangles), np.float32)) for s in solids]


def y_up(triangles):
    """The same car as a program with y up would write it."""
    return triangles[:, :, [0, 2, 1]] * [1, 1, -1]


def test_the_frame_of_a_car_is_what_it_was_built_from():
    found = frame(SOLIDS)
    assert (found.unit, found.up, found.flow, found.is_half) == ("m", "z", "x", False)
    assert found.length == pytest.approx(CAR.length, rel=1e-5)
    assert found.width == pytest.approx(CAR.width, rel=1e-5)
    assert found.front_axle == pytest.approx(CAR.front_axle, abs=1e-4)
    assert found.wheelbase == pytest.approx(CAR.wheelbase, abs=1e-4)
    assert found.wheel_radius == pytest.approx(CAR.wheel_radius, rel=1e-3)
    assert found.warnings == ()


def test_axles_are_seen_without_the_names_of_wheels():
    found = frame([Solid("", merged(SOLIDS))])
    assert found.front_axle == pytest.approx(CAR.front_axle, abs=0.005)
    assert found.wheelbase == pytest.approx(CAR.wheelbase, abs=0.005)
    assert found.wheel_radius is None


def test_sunk_wheels_do_not_lower_the_ground():
    assert extent(merged(SOLIDS))[0, 2] < 0
    assert frame(SOLIDS).ground == 0.0
    lifted = changed(SOLIDS, lambda t: t + np.array([0, 0, 0.5]))
    assert frame(lifted).ground == pytest.approx(0.5 + extent(merged(SOLIDS))[0, 2], abs=1e-6)


def test_millimeters_and_another_up_axis_are_recognized_and_undone():
    found = frame(changed(SOLIDS, lambda t: 1000 * y_up(t)))
    assert (found.unit, found.up) == ("mm", "y")
    plain = frame(SOLIDS)
    for name in ("length", "width", "height", "ground", "front_axle", "wheelbase"):
        assert getattr(found, name) == pytest.approx(getattr(plain, name), abs=1e-5)
    back = upright(changed(SOLIDS, lambda t: 1000 * y_up(t)), found)
    np.testing.assert_allclose(merged(back), merged(SOLIDS), atol=1e-6)


@pytest.mark.parametrize(
    ("factor", "advice"),
    [(100, "centimeters"), (39.37, "inches"), (1e-3, "meters"), (1e5, "meters")],
)
def test_units_that_fit_no_vehicle_are_refused_with_advice(factor, advice):
    with pytest.raises(ValueError, match=advice):
        frame(changed(SOLIDS, lambda t: factor * t))


def test_half_a_car_is_recognized_and_as_wide_as_the_whole():
    whole = merged(SOLIDS)
    half = whole[(whole[:, :, 1] >= -1e-6).all(axis=1)]
    found = frame([Solid("", half)])
    assert found.is_half
    assert found.width == pytest.approx(CAR.width, rel=1e-5)


def test_a_one_sided_part_breaks_the_symmetry_by_its_size():
    part = Solid("camera", box((2.0, 0.5, 1.3), (2.2, 0.7, 1.5)))
    assert frame(SOLIDS).asymmetry < 2e-3
    found = frame([*SOLIDS, part])
    assert found.asymmetry > 0.03
    assert any("not symmetric" in text for text in found.warnings)


def test_symmetry_is_of_the_shape_and_not_of_the_mesh():
    ball = sphere(1.0, count=4000)
    assert asymmetry(ball, axis=1) < 2e-3
    assert asymmetry(ball + np.float32([0, 0.1, 0]), axis=1) == pytest.approx(0.1, rel=0.1)
    assert asymmetry(ball + np.float32([0, 0.1, 0]), axis=1, plane=0.1) < 2e-3


def test_triangles_without_area_do_not_hide_an_asymmetry():
    ball = sphere(1.0, count=4000) + np.float32([0, 0.1, 0])
    line = np.float32([[[0, -0.9, 0], [0.01, -0.9, 0], [0.02, -0.9, 0]]])
    assert asymmetry(np.concatenate([ball, line]), axis=1) == pytest.approx(0.1, rel=0.1)


def test_a_car_across_the_flow_is_noticed():
    found = frame(changed(SOLIDS, lambda t: t[:, :, [1, 0, 2]]))
    assert found.flow == "y"
    assert any("across the flow" in text for text in found.warnings)


def test_a_wheel_house_is_no_wheel_and_a_body_on_skids_has_none():
    named = [replace(s, name=s.name.replace("wheel", "wheelhouse")) for s in SOLIDS]
    assert frame(named).wheel_radius is None
    skids = [Solid("sled", box((0, -1, 0), (4, 1, 1)))]
    assert frame(skids).front_axle is None


def test_the_domino_convention_puts_the_front_axle_above_the_origin():
    placed = frame(place(SOLIDS, "domino"))
    assert placed.front_axle == pytest.approx(0, abs=1e-5)
    assert placed.ground == pytest.approx(DOMINO_GROUND)
    assert placed.wheelbase == pytest.approx(CAR.wheelbase, abs=1e-4)


def test_placing_back_and_forth_restores_the_car():
    there_and_back = place(place(SOLIDS, "domino"), "ansatz")
    np.testing.assert_allclose(merged(there_and_back), merged(SOLIDS), atol=1e-5)


def test_a_body_without_wheels_cannot_be_placed_by_its_axle():
    with pytest.raises(ValueError, match="no wheels were found"):
        place([Solid("sled", box((0, -1, 0), (4, 1, 1)))], "domino")
