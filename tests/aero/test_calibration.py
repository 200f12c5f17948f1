from dataclasses import replace

import numpy as np
import pytest
import torch

from ansatz.aero.body import measure
from ansatz.aero.calibration import (
    FLOOR,
    LEVELS,
    STATIONS,
    UNCALIBRATED,
    calibrate,
    describe,
    load_calibration,
    save_calibration,
)
from ansatz.aero.geometry.parametric import ahmed_body, car_solids, sample_car


def looks(count, seed=0):
    return torch.randn(count, 8, generator=torch.Generator().manual_seed(seed))


def test_intervals_hold_the_truth_as_often_as_they_say():
    # Errors with spreads of their own, 0.01 to 0.03, of which the members tell within a third.
    rng = np.random.default_rng(0)
    held = np.zeros(len(LEVELS))
    trials = 3000
    for _ in range(trials):
        true_spread = rng.uniform(0.01, 0.03, 20)
        spreads = true_spread * rng.uniform(0.7, 1.3, 20)
        errors = true_spread * rng.normal(size=20)
        known = calibrate({"cd": list(zip(errors[1:], spreads[1:], strict=True))}, looks(2))
        bands = known.bands("cd", 0.3 + errors[0], spreads[0])
        held += [low <= 0.3 <= high for low, high in bands]
    # With 19 cars, ranks 10, 12, 14, 16 and 18 of 20 give the levels exactly; 3000 trials have
    # a standard error of 0.009 at most.
    np.testing.assert_allclose(held / trials, LEVELS, atol=0.03)


def test_nine_cars_are_the_fewest_that_give_intervals():
    def of(count):
        return calibrate({"cd": [(0.01, 0.0)] * count}, looks(2))

    assert not of(8).has_intervals
    assert of(9).has_intervals
    assert np.isinf(of(8).bands("cd", 0.3, 0.0)[-1]).all()
    assert np.isfinite(of(9).bands("cd", 0.3, 0.0)).all()


def test_a_coefficient_of_fewer_cars_leaves_none_with_intervals():
    many, few = [(0.01, 0.0)] * 20, [(0.01, 0.0)] * 3
    assert calibrate({"cd": many, "cl": few}, looks(2)).num_cars == 3


def test_where_members_agree_intervals_are_as_wide_as_the_errors_were():
    known = calibrate({"cd": [(0.03, 0.0)] * 10}, looks(2))
    low, high = known.bands("cd", 0.5, 0.0)[0]
    assert (low, high) == pytest.approx((0.47, 0.53))
    wide = known.bands("cd", 0.5, FLOOR["cd"])[0]
    assert wide == pytest.approx((0.44, 0.56))


def test_a_training_car_is_at_no_distance_and_others_are_where_they_usually_are():
    known = calibrate({}, looks(30))
    for look in looks(30):
        assert known.distance(look) == pytest.approx(0, abs=1e-6)
    others = [known.distance(look) for look in looks(200, seed=1)]
    assert 0.5 < float(np.median(others)) < 1
    assert known.distance(looks(1)[0] + 10) > 5


@pytest.mark.parametrize("count", [0, 1])
def test_of_fewer_than_two_cars_no_distance_is_known(count, tmp_path):
    known = calibrate({}, looks(count))
    assert known.distance(looks(1)[0] + 100) == 0
    save_calibration(tmp_path, known)
    assert load_calibration(tmp_path).distance(looks(1)[0]) == 0


def test_training_cars_that_are_all_the_same_make_every_other_car_strange():
    known = calibrate({}, looks(1).repeat(5, 1))
    assert known.distance(looks(1)[0]) == 0
    assert known.distance(looks(1)[0] + 0.01) > 100


def test_a_calibration_comes_back_from_its_files(tmp_path):
    errors = {name: [(0.01 * k, 0.002) for k in range(12)] for name in FLOOR}
    known = calibrate(errors, looks(5))
    save_calibration(tmp_path, known)
    again = load_calibration(tmp_path)
    assert again.residuals == known.residuals
    assert again.typical == known.typical
    assert torch.equal(again.known, known.known)
    assert again.bands("cl", 0.1, 0.01) == known.bands("cl", 0.1, 0.01)


def test_a_model_without_calibration_has_no_intervals_and_no_distances(tmp_path):
    assert load_calibration(tmp_path) is UNCALIBRATED
    assert not UNCALIBRATED.has_intervals
    assert UNCALIBRATED.distance(looks(1)[0]) == 0


# ------------------------------------------------------------------------------ descriptions
def test_a_car_is_described_by_its_silhouette(car_body):
    look = describe(car_body.half(1), 0.2)
    top, under, wide = look[: 3 * STATIONS].reshape(3, STATIONS)
    _, half_width, height = car_body.frame.proportions.tolist()
    assert float(top.max()) == pytest.approx(height, rel=0.03)
    assert float(wide.max()) == pytest.approx(half_width, rel=0.03)
    assert (under <= top).all()
    assert float(look[-1]) == pytest.approx(0.01)


def test_the_ahmed_body_is_further_from_the_cars_than_any_car(car_body):
    training = [measure(car_solids(sample_car(number))) for number in range(1, 6)]
    known = calibrate({}, torch.stack([describe(body.half(1), 0.0) for body in training]))
    strange = known.distance(describe(measure(ahmed_body()).half(1), 0.0))
    assert known.distance(describe(car_body.half(1), 0.0)) < 0.7 * strange
    for number, look in enumerate(known.known):
        others = replace(known, known=known.known[torch.arange(5) != number])
        assert others.distance(look) < 0.7 * strange
