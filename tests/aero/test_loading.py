import json
from dataclasses import asdict, replace

import pytest
import torch
from safetensors.torch import save_file
from small_cars import TINY, answer_of, tiny_predictor

from ansatz.aero.calibration import FLOOR, describe
from ansatz.aero.car import CarRequest
from ansatz.aero.loading import calibrate_checkpoint, descriptions, load_predictor
from ansatz.core.artifacts import PROVENANCE
from ansatz.engine.trained import WEIGHTS


def write_checkpoint(folder, shape=TINY):
    save_file(tiny_predictor(shape=shape).model.state_dict(), folder / WEIGHTS)
    (folder / PROVENANCE).write_text(json.dumps({"recipe": {"model": asdict(shape)}}))
    return folder


def test_a_checkpoint_answers_as_the_network_that_was_saved(tmp_path, car_file, predictor):
    loaded = load_predictor(write_checkpoint(tmp_path))
    request = CarRequest(car_file)
    first, second = (answer_of(who, request) for who in (loaded, predictor))
    assert torch.equal(first.pressure, second.pressure)
    assert not loaded.model.training


def test_a_calibration_knows_the_errors_and_the_training_cars(tmp_path, store, car_body):
    folder = write_checkpoint(tmp_path)
    calibrate_checkpoint(folder, store)
    known = load_predictor(folder).calibration
    # One validation car: no intervals yet, and one training car: no distance.
    assert known.num_cars == 1
    assert set(known.residuals) == set(FLOOR)
    assert all(values[0] > 0 for values in known.residuals.values())
    assert known.distance(describe(car_body.half(1), 0.0)) == 0


def test_stored_cars_look_as_the_cars_they_were_made_from(store, car_file, predictor):
    encoded = predictor.encode(CarRequest(car_file, speed=30.0))
    own, stored = encoded.context.description, descriptions(store, "test")[0]
    torch.testing.assert_close(stored[:-1], own[:-1], atol=1e-5, rtol=0)


def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=f"has no {WEIGHTS}"):
        load_predictor(tmp_path)
    (tmp_path / WEIGHTS).write_bytes(b"")
    with pytest.raises(FileNotFoundError, match=f"has no {PROVENANCE}"):
        load_predictor(tmp_path)


def test_weights_of_another_shape_are_refused(tmp_path):
    folder = write_checkpoint(tmp_path)
    wider = asdict(replace(TINY, width=32))
    (folder / PROVENANCE).write_text(json.dumps({"recipe": {"model": wider}}))
    with pytest.raises(ValueError, match=r"does not fit the network.*tensors differ, the first is"):
        load_predictor(folder)


def test_damaged_weights_are_refused(tmp_path):
    folder = write_checkpoint(tmp_path)
    content = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"model.safetensors is damaged"):
        load_predictor(folder)


@pytest.mark.parametrize("model", [{}, {"layers": 3}])
def test_a_checkpoint_of_another_kind_of_network_is_refused(tmp_path, model):
    folder = write_checkpoint(tmp_path)
    (folder / PROVENANCE).write_text(json.dumps({"recipe": {"model": model}}))
    with pytest.raises(ValueError, match=r"describes the network by .*expected .*depth"):
        load_predictor(folder)
